# Kinds of op against the largest rates measured. Run: gnuplot roofline.gp
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
set label 3 flop_name at graph 0.02, first flop_s left offset 0,0.7 textcolor rgb soft font small
if (bytes_s > 0) { set label 4 bytes_name at graph 0.02, graph 0.04 left textcolor rgb soft font small }
set xrange [X_min / 3:X_max * 6]
set yrange [Y_min / 3:flop_s * 3]

roof(x) = bytes_s > 0 && x * bytes_s < flop_s ? x * bytes_s : flop_s
set samples 400
plot roof(x) with lines lw 1.6 lc rgb soft title "largest measured", \
	for [a=1:arms] name.".dat" using (strcol(6) eq arm[a] ? $1 : NaN):2 with points pt mark[a] ps 1.3 lc rgb colour[a] title arm[a], \
	"" using (strcol(5) eq "gemm" ? $1 : NaN):2:5 with labels right offset -1,-0.6 textcolor rgb ink font small notitle, \
	"" using (strcol(5) ne "gemm" ? $1 : NaN):2:5 with labels left offset 1,-0.6 textcolor rgb ink font small notitle
set output
if (format eq "svg") { format = "png"; load name.".gp" }
