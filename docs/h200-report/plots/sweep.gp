# Time and memory against the number of frames; a key for every arm, also where it has no point. Run: gnuplot sweep.gp
name = "sweep"
load name.".var"
load "style.gp"

set lmargin 11
set rmargin 30
set xrange [least - 0.04*(most - least):most + 0.04*(most - least)]
frames_step = step(most - least, 6)
if (frames_step < 1) { frames_step = 1 }
set xtics frames_step
set format x ""
set multiplot
set tmargin at screen 1.0 - 60.0/height
set bmargin at screen 0.55
set yrange [0:max_time]
set ylabel "wall time, s"
plot for [a=1:arms] name.".dat" index (a-1) using 1:2 with lines lw 1 lc rgb colour[a] notitle, \
	for [a=1:arms] "" index (a-1) using 1:2:3:4 with yerrorbars pt -1 lw 1 lc rgb colour[a] notitle, \
	for [a=1:arms] "" index (a-1) using 1:2 with points pt mark[a] ps 1 lc rgb colour[a] notitle, \
	for [a=1:arms] NaN with points pt mark[a] ps 1 lc rgb colour[a] title arm[a], \
	for [a=1:arms] "" index (a-1) using ($7 == 1 ? $1 : NaN):(max_time*0.97) with points pt 2 ps 1.2 lw 1.5 lc rgb colour[a] notitle
unset label 1
unset label 2
unset key
set tmargin at screen 0.50
set bmargin at screen 72.0/height
set format x "%g"
set xlabel "frames"
b = bytes_factor(max_memory)
set yrange [0:b*max_memory]
set ylabel "memory of a trial, ".bytes_unit(max_memory)
plot for [a=1:arms] name.".dat" index (a-1) using 1:(b*$5) with linespoints pt mark[a] ps 1 lw 1 lc rgb colour[a] notitle, \
	for [a=1:arms] "" index (a-1) using ($7 == 1 ? $1 : NaN):(b*max_memory*0.97) with points pt 2 ps 1.2 lw 1.5 lc rgb colour[a] notitle
unset multiplot
set output
if (format eq "svg") { format = "png"; load name.".gp" }
