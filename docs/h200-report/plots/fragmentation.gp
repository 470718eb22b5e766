# Peak active within peak reserved memory, for each allocator. Run: gnuplot fragmentation.gp
name = "fragmentation"
load name.".var"
load "style.gp"

unset key
unset ytics
set border 1
set grid noytics
set lmargin 34
set rmargin 42
bars_end = 1.0 - (60.0 + row_px * rows) / height
set tmargin at screen 1.0 - 60.0 / height
set bmargin at screen bars_end

set multiplot
set yrange [rows + 0.55:0.45]
b = bytes_factor(max)
set xrange [0:b*max]
set xtics step(b*max, 5)
set xlabel "peak active (full colour) and peak reserved (dimmed), ".bytes_unit(max)
plot name.".dat" index 0 using (b*$5):1:(0):(b*$5):($1 - 0.3):($1 + 0.3):6 with boxxyerror fs solid 0.3 noborder lc rgb variable notitle, \
	"" index 0 using (b*$4):1:(0):(b*$4):($1 - 0.3):($1 + 0.3):6 with boxxyerror fs solid 0.95 noborder lc rgb variable notitle, \
	"" index 0 using (0):1:2 with labels right offset -1,0.5 textcolor rgb ink notitle, \
	"" index 0 using (0):1:3 with labels right offset -1,-0.6 textcolor rgb soft font small notitle, \
	"" index 0 using (b*max):1:8 with labels left offset 1,0 textcolor rgb ink font small notitle
unset label 1
unset label 2
if (courses > 0) {
	set border 3
	set ytics nomirror scale 0.6 textcolor rgb ink
	set grid ytics
	set yrange [0:*]
	set xrange [0:max_time]
	set xtics autofreq
	set lmargin 34
	set tmargin at screen bars_end - 80.0 / height
	set bmargin at screen 80.0 / height
	set xlabel "time since the beginning of the pass, ms"
	set ylabel "reserved - active, ".bytes_unit(max)
	plot for [i=1:courses] name.".dat" index i using 1:(b*$2):3 with lines lw 1.6 lc rgb variable notitle
}
unset multiplot
set output
if (format eq "svg") { format = "png"; load name.".gp" }
