# What all plots share: terminals, colours, text. The script of a plot has loaded its .var, with width and height in
# pixels, before. Colours of arms come with the data.
reset
if (!exists("format")) { format = "svg" }
set encoding utf8
set datafile separator "\t"
set datafile missing "NaN"

ink = "#222222"     # text
soft = "#555555"    # what stands behind: axes, remarks
pale = "#dddddd"    # grid
band = "#e6ecf0"    # areas that were expected

# PNG has twice the pixels; where the fine terminal is not there, the plain one.
if (format eq "svg") {
	set terminal svg size width,height fixed noenhanced font "sans-serif,13" linewidth 1
} else {
	if (strstrt(GPVAL_TERMINALS, "pngcairo") > 0) {
		set terminal pngcairo size 2*width,2*height noenhanced font "Sans,10" fontscale 2 linewidth 2 pointscale 2
	} else {
		set terminal png size width,height noenhanced
	}
}
set output name.".".format
small = format eq "svg" ? ",12" : ",9"     # font sizes: pixels and points
large = format eq "svg" ? ",16" : ",12"
set format "%g"

# A round distance between tics, so that there are about n of them within `range`.
order(x) = 10.0**floor(log10(x))
round(x) = x/order(x) < 1.5 ? order(x) : x/order(x) < 3.5 ? 2*order(x) : x/order(x) < 7.5 ? 5*order(x) : 10*order(x)
step(range, n) = range > 0 ? round(range/n) : 1

set border 3 lc rgb soft
set tics nomirror scale 0.6 textcolor rgb ink
set grid lc rgb pale lt 1 lw 0.7
set style fill solid 0.85 noborder
set errorbars 0.5
set key outside right top vertical Left reverse textcolor rgb ink samplen 1.5 spacing 1.1
set xlabel textcolor rgb ink
set ylabel textcolor rgb ink
set label 1 heading at screen 0, screen 1 offset character 1.5,-1.1 left textcolor rgb ink font large
set label 2 foot at screen 0, screen 0 offset character 1.5,0.9 left textcolor rgb soft font small
set tmargin 4.5
set bmargin 5.2
set rmargin 4

# Bytes come in GiB; little is told in MiB.
bytes_factor(max) = max < 1 ? 1024.0 : 1.0
bytes_unit(max) = max < 1 ? "MiB" : "GiB"
