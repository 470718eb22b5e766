# Time against peak memory, an arm a mark. Run: gnuplot time-memory.gp
name = "time-memory"
load name.".var"
load "style.gp"

set tmargin 3.5
set lmargin 10
set rmargin 32
set xrange [0:max_time]
b = bytes_factor(max_memory)
set yrange [0:b*max_memory]
set xlabel "wall time of a pass, ms"
set ylabel "memory of a trial, ".bytes_unit(max_memory)

# Arms often share a place: the later ones are smaller, so that none hides another.
size(i) = 2.2 - 1.2*i/rows
plot for [i=1:rows] name.".dat" every ::(i-1)::(i-1) using 3:(b*$6):4:5:(b*$7):(b*$8):9 with xyerrorbars pt -1 lw 1.2 lc rgb variable notitle, \
	for [i=1:rows] "" every ::(i-1)::(i-1) using 3:(b*$6):10:9 with points pt variable ps size(i) lc rgb variable notitle, \
	for [i=1:rows] NaN with points pt mark[i] ps 1.4 lc rgb colour[i] title arm[i]
set output
if (format eq "svg") { format = "png"; load name.".gp" }
