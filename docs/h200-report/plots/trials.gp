# Every timing trial in order: time, deviation, and the state of the card. Run: gnuplot trials.gp
name = "trials"
load name.".var"
load "style.gp"

set lmargin 12
set rmargin at screen 1.0 - 210.0/width
set xrange [0:trials + 1]
set border 3
top_of(k) = 1.0 - (60.0 + panel_px * (k - 1)) / height
bottom_of(k) = top_of(k) - (panel_px - 22.0) / height

set multiplot
set format x ""
unset key
do for [k=1:panels] {
	set tmargin at screen top_of(k)
	set bmargin at screen bottom_of(k)
	if (k == panels) { set format x "%g"; set xlabel "trial, in the order they were run" }
	if (k == 1) {
		# From 0 unless the arms are far apart.
		if (most > 8*least) {
			set logscale y
			set yrange [least*0.8:most*1.25]
			set ylabel "wall, ms (log)"
		} else {
			set yrange [0:most*1.08]
			set ytics step(most, 4)
			set ylabel "wall, ms"
		}
		plot for [a=1:arms] name.".dat" using 1:($2 == a ? $5 : NaN) with points pt mark[a] ps 0.7 lc rgb colour[a] notitle
		unset logscale y
		set format y "%g"
		unset label 1
		unset label 2
	}
	if (k == 2) {
		set ytics step(2*deviation, 4)
		set ylabel "deviation, %"
		set yrange [-deviation:deviation]
		plot 0 with lines lc rgb soft lw 0.8 notitle, \
			for [a=1:arms] name.".dat" using 1:($2 == a ? $6 : NaN) with points pt mark[a] ps 0.7 lc rgb colour[a] notitle
		set yrange [*:*]
	}
	if (k > 2) {
		set ylabel state[k - 2]
		stats name.".dat" using column_of[k - 2] nooutput prefix "S"
		set ytics step(S_max - S_min, 4)
		plot name.".dat" using 1:column_of[k - 2] with lines lc rgb soft lw 0.7 notitle, \
			for [a=1:arms] name.".dat" using 1:($2 == a ? column(column_of[k - 2]) : NaN) with points pt mark[a] ps 0.5 lc rgb colour[a] notitle
	}
}
# The key has more rows than a panel is high: a panel of its own, with nothing else in it.
reset
set key at graph 0, graph 1 left top vertical Left reverse textcolor rgb ink samplen 1.5 spacing 1.1
set lmargin at screen 1.0 - 200.0/width
set rmargin at screen 1.0
set tmargin at screen top_of(1)
set bmargin at screen 0
unset border
unset tics
set xrange [0:1]
set yrange [0:1]
plot for [a=1:arms] NaN with points pt mark[a] ps 0.9 lc rgb colour[a] title arm[a]
unset multiplot
set output
if (format eq "svg") { format = "png"; load name.".gp" }
