# Time by stage, before and after. Run: gnuplot stages.gp
name = "stages"
load name.".var"
load "style.gp"

set lmargin 24
set rmargin two ? 54 : 18
set border 1
set grid noytics
set yrange [rows + 0.6:0.4]
set xrange [0:max]
set xlabel "time, ms"
set xtics step(max, 5)
set key outside above left horizontal
unset ytics
set label 3 "median, ms" at graph 1, graph 1 offset 2,1.0 left textcolor rgb soft font small
if (two) { set label 4 "after / before (95 % interval)" at graph 1, graph 1 offset 26,1.0 left textcolor rgb soft font small }

middle(row, side) = two ? row + (side == 0 ? -0.2 : 0.2) : row
half = two ? 0.18 : 0.3
if (two) {
	plot name.".dat" using 3:1:(0):3:(middle($1, 0) - half):(middle($1, 0) + half) with boxxyerror lc rgb before_colour title before_name, \
		"" using 7:1:(0):7:(middle($1, 1) - half):(middle($1, 1) + half) with boxxyerror lc rgb after_colour title after_name, \
		"" using 3:(middle($1, 0)):4:5 with xerrorbars pt -1 lw 1 lc rgb ink notitle, \
		"" using 7:(middle($1, 1)):8:9 with xerrorbars pt -1 lw 1 lc rgb ink notitle, \
		"" using (0):1:2 with labels right offset -1,0 textcolor rgb ink notitle, \
		"" using (max):1:11 with labels left offset 2,0 textcolor rgb ink font small notitle, \
		"" using (max):1:12 with labels left offset 26,0 textcolor rgb ink font small notitle
} else {
	plot name.".dat" using 3:1:(0):3:($1 - half):($1 + half) with boxxyerror lc rgb before_colour title before_name, \
		"" using 3:1:4:5 with xerrorbars pt -1 lw 1 lc rgb ink notitle, \
		"" using (0):1:2 with labels right offset -1,0 textcolor rgb ink notitle, \
		"" using (max):1:11 with labels left offset 2,0 textcolor rgb ink font small notitle
}
set output
if (format eq "svg") { format = "png"; load name.".gp" }
