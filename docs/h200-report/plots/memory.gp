# Memory over a pass, one panel an arm, and one more for an arm that takes far less. Run: gnuplot memory.gp
name = "memory"
load name.".var"
load "style.gp"

set lmargin 11
set rmargin 26
set xrange [0:max_time]
b = bytes_factor(max_memory)
set ylabel bytes_unit(max_memory)
set grid noxtics
top_of(k) = 1.0 - (70.0 + panel_px * (k - 1)) / height
bottom_of(k) = top_of(k) - (panel_px - 44.0) / height
shade(i) = i == 0 ? 0xc9d6df : 0xe3eaef

set format x ""
set multiplot
do for [k=1:panels] {
	set tmargin at screen top_of(k)
	set bmargin at screen bottom_of(k)
	side = panel_side[k]
	requested = side == 1 ? requested_1 : requested_2
	colour = side == 1 ? colour_1 : colour_2
	top = b*panel_top[k]
	set yrange [0:top]
	set ytics step(top, 8)
	set label 5 (side == 1 ? arm_1 : arm_2).(panel_top[k] == panel_top[1] ? "" : ", to a scale of its own") at graph 0, graph 1 offset 0,0.8 left textcolor rgb ink font small
	if (k == panels) { set format x "%g"; set xlabel "time since the beginning of the pass, ms of the host" }
	strip = top*0.94
	# Areas from the largest to the least; what was asked for lies within what was allocated.
	plot name.".dat" index 2*(side-1) using 1:(b*$7) with filledcurves y1=0 fc rgb pale title "reserved", \
		"" index 2*(side-1) using 1:(b*$3) with filledcurves y1=0 fc rgb colour fs solid 0.35 noborder title "allocated, largest", \
		"" index 2*(side-1) using 1:(b*(requested_known ? $9 : 0)) with filledcurves y1=0 fc rgb colour fs solid 0.6 noborder \
			title (requested_known ? "requested, largest" : ""), \
		"" index 2*(side-1) using 1:(b*(requested_known ? $8 : $2)) with filledcurves y1=0 fc rgb colour fs solid 0.95 noborder \
			title (requested_known ? "requested, least" : "allocated, least"), \
		"" index 2*(side-1) using 1:(b*$7) with lines lc rgb soft lw 1 notitle, \
		"" index 2*(side-1) using 1:(b*$5) with lines lc rgb ink lw 0.7 title "active", \
		requested > 0 ? b*requested : NaN with lines lc rgb "#d55e00" dt 2 lw 1.3 title (requested_known ? "" : "peak requested"), \
		"" index 2*(side-1)+1 using 1:(strip):1:2:(strip):(top):(shade($4)) with boxxyerror lc rgb variable notitle, \
		"" index 2*(side-1)+1 using (($1 + $2) / 2):((strip + top)/2):3 with labels center textcolor rgb ink font small notitle
	unset key
	unset label 1
	unset label 2
}
unset multiplot
set output
if (format eq "svg") { format = "png"; load name.".gp" }
