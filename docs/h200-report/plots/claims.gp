# Claims as intervals against their expected band. Run: gnuplot claims.gp
name = "claims"
load name.".var"
load "style.gp"

unset key
unset ytics
set border 1
set grid noytics
set lmargin 22
set rmargin 48
set style fill solid 1 noborder

# Edges of a panel of n rows whose frame begins `above` pixels below the top.
top_of(above) = 1.0 - (above + 46.0) / height
bottom_of(above, n) = 1.0 - (above + 46.0 + row_px * n) / height

# i: block of the data; n: rows; u: where its frame begins
panel = 'set tmargin at screen top_of(u); set bmargin at screen bottom_of(u, n); set yrange [n + 0.5:0.5]; \
	set xrange [0:max]; \
	plot name.".dat" index i using 3:1:3:4:($1-0.34):($1+0.34) with boxxyerror lc rgb band notitle, \
	"" index i using ($7 > $6 ? $5 : NaN):1:6:7 with xerrorbars pt -1 lw 1.6 lc rgb ink notitle, \
	"" index i using ($9 == 0 ? $5 : NaN):1 with points pt 7 ps 0.9 lc rgb "#0072b2" notitle, \
	"" index i using ($9 == 1 ? $5 : NaN):1 with points pt 6 ps 1.1 lw 1.5 lc rgb soft notitle, \
	"" index i using (0):1:2 with labels right offset -1.2,0.45 textcolor rgb ink notitle, \
	"" index i using (0):1:("expected ".strcol(10)) with labels right offset -1.2,-0.5 textcolor rgb soft font small notitle, \
	"" index i using (max):1:8 with labels left offset 1.5,0 textcolor rgb ink font small notitle'

set multiplot
if (ratios > 0) {
	set arrow 1 from 1,graph 0 to 1,graph 1 nohead front lc rgb soft dt 2 lw 1
	set xlabel "after / before (less is better; 1: no change)"
	i = 0; n = ratios; u = 0; max = max_ratio
	eval(panel)
}
if (ratios > 0) { unset label 1; unset label 2 }
if (limits > 0) {
	set xlabel "value as part of the claimed limit"
	i = 1; n = limits; u = ratios > 0 ? frame_px + row_px * ratios : 0; max = max_limit
	eval(panel)
}
unset multiplot
set output
if (format eq "svg") { format = "png"; load name.".gp" }
