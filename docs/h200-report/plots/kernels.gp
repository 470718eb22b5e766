# Kernels that take most time, before and after. Run: gnuplot kernels.gp
name = "kernels"
load name.".var"
load "style.gp"

set lmargin 44
set rmargin 30
set border 1
set grid noytics
set yrange [rows + 0.6:0.4]
set xrange [0:max]
set xlabel "time in a pass, ms"
unset ytics
set xtics step(max, 5)
set key outside above left horizontal

middle(row, side) = two ? row + (side == 0 ? -0.2 : 0.2) : row
half = two ? 0.17 : 0.28
texts = '"" using (0):1:2 with labels right offset -1,(two ? 0.9 : 0.5) textcolor rgb ink notitle, \
	"" using (0):1:3 with labels right offset -1,(two ? 0 : -0.5) textcolor rgb soft font small notitle, \
	"" using (0):1:4 with labels right offset -1,-0.9 textcolor rgb soft font small notitle, \
	"" using (max):1:11 with labels left offset 1,0 textcolor rgb ink font small notitle'
bars = 'plot name.".dat" using 5:1:(0):5:(middle($1, 0) - half):(middle($1, 0) + half) with boxxyerror lc rgb before_colour title before_name, \
	"" using 5:(middle($1, 0)):6:7 with xerrorbars pt -1 lw 1 lc rgb ink notitle, '
if (two) {
	bars = bars.'"" using 8:1:(0):8:(middle($1, 1) - half):(middle($1, 1) + half) with boxxyerror lc rgb after_colour title after_name, \
	"" using 8:(middle($1, 1)):9:10 with xerrorbars pt -1 lw 1 lc rgb ink notitle, '
}
eval(bars.texts)
set output
if (format eq "svg") { format = "png"; load name.".gp" }
