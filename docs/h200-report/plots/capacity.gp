# The largest clip for each limit of device memory; a key for every arm, also where nothing fitted. Run: gnuplot capacity.gp
name = "capacity"
load name.".var"
load "style.gp"

set tmargin 3.5
set lmargin 10
set rmargin 30
b = bytes_factor(max_memory)
set yrange [0:max_frames]
# From 0 unless the limits are far apart.
if (max_memory > 8*least_memory) {
	set logscale x 2
	set xrange [b*least_memory/1.3:b*max_memory*1.3]
	unset mxtics
} else {
	set xrange [0:b*max_memory*1.08]
	set xtics step(b*max_memory, 6)
}
size(a) = 1.8 - 0.9*a/arms
set xlabel "memory of the device, ".bytes_unit(max_memory)
set ylabel "frames"

# Where none was too many: a mark with an arrow, joined with nothing.
plot for [a=1:arms] name.".dat" index (a-1) using (b*$1):2 with lines lw 1 lc rgb colour[a] notitle, \
	for [a=1:arms] "" index (a-1) using (b*$1):4:(0):(0.07*max_frames) with vectors filled lw 1.5 lc rgb colour[a] notitle, \
	for [a=1:arms] "" index (a-1) using (b*$1):2 with points pt mark[a] ps size(a) lc rgb colour[a] notitle, \
	for [a=1:arms] "" index (a-1) using (b*$1):4 with points pt mark[a] ps size(a) lc rgb colour[a] notitle, \
	for [a=1:arms] NaN with points pt mark[a] ps size(a) lc rgb colour[a] title arm[a], \
	for [a=1:arms] "" index (a-1) using (b*$1):3 with points pt 2 ps size(a) lw 1.5 lc rgb colour[a] notitle
set output
if (format eq "svg") { format = "png"; load name.".gp" }
