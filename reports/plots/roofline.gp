# Kinds of op against what the device reaches, or the largest rates of the run. Run: gnuplot roofline.gp
name = "roofline"
load name.".var"
load "style.gp"

set tmargin 3.5
set lmargin 10
set rmargin 26
set logscale xy
set xlabel "arithmetic intensity, FLOP/byte"
set ylabel "rate, TFLOP/s"
set format x "%g"
set format y "%g"
stats name.".dat" using 1 nooutput prefix "X"
stats name.".dat" using 2 nooutput prefix "Y"
set label 3 flop_name at graph 0.99, first flop_s right offset 0,0.7 textcolor rgb soft font small
if (lower_s > 0) { set label 5 lower_name at graph 0.99, first lower_s right offset 0,0.7 textcolor rgb soft font small }
if (bytes_s > 0) { set label 4 bytes_name at graph 0.02, graph 0.04 left textcolor rgb soft font small }
set xrange [X_min / 3:X_max * 20] # room for the names of roofs, right of the points
set yrange [Y_min / 3:(Y_max > flop_s ? Y_max : flop_s) * 3]

roof(x, top) = bytes_s > 0 && x * bytes_s < top ? x * bytes_s : top
set samples 400
plot roof(x, flop_s) with lines lw 1.6 lc rgb soft title roof_name, \
	lower_s > 0 ? roof(x, lower_s) : NaN with lines lw 1.6 dt 2 lc rgb soft notitle, \
	for [a=1:arms] name.".dat" using (strcol(6) eq arm[a] ? $1 : NaN):2 with points pt mark[a] ps 1.3 lc rgb colour[a] title arm[a], \
	"" using (strcol(5) eq "gemm" ? $1 : NaN):2:7 with labels right offset -1,-0.6 textcolor rgb ink font small notitle, \
	"" using (strcol(5) ne "gemm" ? $1 : NaN):2:7 with labels left offset 1,-0.6 textcolor rgb ink font small notitle
set output
if (format eq "svg") { format = "png"; load name.".gp" }
