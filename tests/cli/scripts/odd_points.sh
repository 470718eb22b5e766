# Points, clips and weights at the edge of what there is to track: each a result that is defined, or a line that says why not.
bare='--size 84x56 --iterations 1 --threads 1 --blocks 1 --trace-blocks 0 --arms before --seed 1 --quiet --db o.db'
# tracked ARGS..: a run, what its points are, and what its files hold of them
tracked() {
	echo "# $*"
	"$SPABENCH" run $bare --save o.out "$@" >../out 2>../err </dev/null
	code=$?
	grep -v '^spabench: planted\|^spabench: warning: weights' ../err | visible '2> '
	echo "[exit $code]"
	[ -f o.out ] || return
	"$SPABENCH" compare --db o.db | sed -n '/^  points/,/^  [a-oq-z]/p' | grep '^  points\|^     ' | visible ''
	LC_ALL=C grep -a -o '"tracks_2d":{"dtype":"F32","shape":[^]]*]\|tracks_not_finite":"[0-9]*' o.out
	rm o.out
}
echo '# queries'
printf '0,10,20\n0,10,20\n0,10,20\n' >same.txt
tracked --frames 3 --queries same.txt --support 0
printf '2,10,20\r\n2,30,20\r\n' >last.txt
tracked --frames 3 --queries last.txt --support 0
printf '\357\273\2770,10,20\n' >one.txt
tracked --frames 4 --queries one.txt --support 1
tracked --frames 5 --queries one.txt --support 1 --cameras procrustes
printf '0,1,2\n0,3,4\0005\n' >nul.txt
tracked --frames 3 --queries nul.txt
echo '# a million of them: more than the memory there is'
tracked --frames 3 --points 1000000 --vram-limit 1G | sed -E 's/(asked for )[^:]*:.*/\1more than there is/'
"$SPABENCH" compare --db o.db | grep '^  trials\|^  points'
echo '# windows: one frame more than one has, and the online lengths'
tracked --frames 5 --grid 2 --support 2 --window 4 --overlap 2
printf '0,10,20\n19,40,30\n29,60,40\n25,5,50\n' >late.txt
tracked --frames 30 --queries late.txt --support 2 --mode online

echo '# depth: weights that make one'
"$SPABENCH" export weights --out made.safetensors >../out
LC_ALL=C sed 's/spabench.synthetic_rule/spabench.without_a_rule/' made.safetensors >own # or its inputs would be planted
# poke FILE TENSOR INDEX BYTES: one value of a tensor, as printf writes it
poke() {
	from=$(LC_ALL=C grep -a -o "\"$2\":{[^}]*}" "$1" | sed 's/.*\[\([0-9]*\),[0-9]*\]}/\1/')
	header=$(od -An -tu8 -N8 "$1" | tr -d ' ')
	printf "$4" | dd of="$1" bs=1 seek=$((8 + header + from + 4 * $3)) conv=notrunc 2>/dev/null
}
head=depth_head.scratch.output_conv2.2
huge='\231\166\226\176' minus_huge='\231\166\226\376' fifty='\000\000\110\102' minus_fifty='\000\000\110\302'
for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31; do
	poke own $head.weight $i '\000\000\000\000'
done
poke own $head.bias 1 "$fifty"
cp own constant
poke own $head.weight 5 '\012\327\043\074' # 0.01: a depth that is not quite constant
echo '# everywhere'
tracked --frames 3 --grid 4 --support 4 --weights-front own
echo '# infinite or 0 in most places: there queries follow others'
cp own broken
poke broken $head.weight 0 "$minus_huge"
poke broken $head.weight 1 "$huge"
tracked --frames 3 --grid 4 --support 4 --weights-front broken
"$SPABENCH" show --db o.db --all | grep 'follow' | sed -E 's, [1-9][0-9]*$, some,'
echo '# the same everywhere, which the clean-up takes for no depth; no confidence; a weight that is no number'
tracked --frames 3 --grid 4 --support 4 --weights-front constant
poke own $head.bias 1 "$minus_fifty"
tracked --frames 3 --grid 4 --support 4 --weights-front own
poke own $head.bias 1 '\000\000\300\177'
tracked --frames 3 --grid 4 --support 4 --weights-front own
