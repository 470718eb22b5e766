# What each switch brings: on time to the left, on memory to the right. Run: gnuplot effects.gp
name = "effects"
load name.".var"
load "style.gp"

unset key
unset ytics
set border 1
set grid noytics
set tmargin 3.2
set yrange [rows + 0.6:0.4]
set arrow 2 from graph 0, first main_rows + 0.5 to graph 1, first main_rows + 0.5 nohead lc rgb soft lw 0.8

set multiplot
set lmargin at screen 0.20
set rmargin at screen 0.44
set xrange [time_from:time_to]
set xtics step(time_to - time_from, 4)
set xlabel time_label.", on / off"
set arrow 1 from 1,graph 0 to 1,graph 1 nohead lc rgb soft dt 2
plot name.".dat" using 3:1:4:5 with xerrorbars pt 7 ps 0.9 lw 1.6 lc rgb "#0072b2" notitle, \
	"" using (time_from):1:2 with labels right offset -1,0 textcolor rgb ink notitle, \
	"" using (time_to):1:6 with labels left offset 1,0 textcolor rgb ink font small notitle
unset label 1
unset label 2
set lmargin at screen 0.63
set rmargin at screen 0.83
b = bytes_factor(memory_to - memory_from)
set xrange [b*memory_from:b*memory_to]
set xtics step(b*(memory_to - memory_from), 4)
set xlabel memory_label.", on - off, ".bytes_unit(memory_to - memory_from)
set arrow 1 from 0,graph 0 to 0,graph 1 nohead lc rgb soft dt 2
plot name.".dat" using (b*$7):1:(b*$8):(b*$9) with xerrorbars pt 5 ps 0.9 lw 1.6 lc rgb "#d55e00" notitle, \
	"" using (b*memory_to):1:10 with labels left offset 1,0 textcolor rgb ink font small notitle
unset multiplot
set output
if (format eq "svg") { format = "png"; load name.".gp" }
