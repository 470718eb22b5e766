# All arms, sorted by time. Run: gnuplot arms.gp
name = "arms"
load name.".var"
load "style.gp"

unset key
unset ytics
set lmargin 32
set rmargin 32
set tmargin 3.2
set border 1
set yrange [rows + 0.5:0.5]
set xrange [0:max]
set xtics step(max, 6)
set xlabel "wall time of a pass, ms"

plot name.".dat" index 1 using 2:($1 + 0.24):3 with points pt 7 ps 0.35 lc rgb variable notitle, \
	"" index 0 using 3:1:4:5:9 with xerrorbars pt -1 lw 1.5 lc rgb variable notitle, \
	"" index 0 using 3:1:10:9 with points pt variable ps 1.1 lc rgb variable notitle, \
	"" index 0 using (0):1:2 with labels right offset -1,0 textcolor rgb ink notitle, \
	"" index 0 using (max):1:12 with labels left offset 1,0 textcolor rgb ink font small notitle
set output
if (format eq "svg") { format = "png"; load name.".gp" }
