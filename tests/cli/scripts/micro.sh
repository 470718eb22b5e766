# micro: what can be asked for, and tiny tables without their times.
# rows ARGS..: a table's lines of shapes and levels, of a timed row without its figures; the verdict; the exit code
rows() {
	echo "\$ spabench micro $*"
	"$SPABENCH" micro "$@" --threads 1 >../out 2>../err </dev/null
	code=$?
	sed -n '/^  in a pass/s/[0-9.e+-]* ms.*/T ms ../p' ../out
	sed -n '/^  *median/,$p' ../out | sed -E -e 's/ +(cold|warm) .*[0-9]+x[0-9]+ .*/ \1 FIGURES/' -e 's/at most [0-9.]+ of/at most E of/' \
		-e 's/error [0-9.e-]+ over/error E over/' -e 's/at most [0-9.e-]+ is/at most E is/' -e 's/, [0-9.]+ GiB held.*/, .. held/'
	visible '2> ' <../err
	echo "[exit $code]"
}
for op in gemm conv attention; do
	try micro $op --preset tyni
done
try micro
try micro matmul
try micro gemm conv
try micro gemm --preset large
try micro gemm --preset tiny --case ii
try micro gemm --case iv
try micro gemm --attention standard
try micro attention --attention fast
try micro gemm --precision fp16
try micro gemm --budget -1
try micro gemm --budget soon
try micro gemm --flush 1K
try micro gemm --format xml
try micro gemm --seed -3
try micro gemm --threads 0
try micro gemm --device cuda:9 | sed "s/\(device .cuda:9.: \).*/\1why/"
try micro gemm --device tpu
try micro gemm --device cpu:1
try micro conv --device cpu --shape nothing.like.it
try micro gemm --device cpu --vram-limit 2M
echo '# tables'
small='--device cpu --preset tiny --flush 1M --budget 20'
rows gemm $small --shape camera.pose
rows conv $small --shape fnet.layer4 --precision fp32
rows attention $small --shape front.camera
echo '# what does not fit says so, the rest is measured'
rows attention --device cpu --preset full --shape front.global --attention standard --vram-limit 1G --flush 1M
rows attention $small --vram-limit 300M --shape near --precision fp32
echo '# no time'
rows gemm --device cpu --budget 0.001 --flush 1M --shape head.point --precision fp32
echo '# formats'
"$SPABENCH" micro gemm $small --shape head.pro --format csv --threads 1 | tr -d '\r' | cut -d, -f1-8,22,24
"$SPABENCH" micro gemm $small --shape head.pro --format json --threads 1 | grep -E '"(format|schema_version|name|cache|outcome|outputs_checked)":'
"$SPABENCH" micro gemm $small --shape head.pro --format markdown --threads 1 | sed -n -E '/^###/p; /^\|/{s/(cold|warm) \|.*/\1 .. |/;p}'
"$SPABENCH" micro attention --device cpu --preset full --shape front.global --attention standard --precision fp32 --vram-limit 1G --flush 1M --threads 1 \
	--format json 2>/dev/null | sed -n '/"rows"/,$p' | sed 's/, [0-9.]* GiB held.*/, ..",/'
echo '# Ctrl-C: what was measured is printed'
"$SPABENCH" micro gemm --device cpu --preset tiny --flush 1M --budget 0 --threads 1 >../out 2>../err </dev/null &
pid=$!
tries=100
while [ $tries -gt 0 ] && alive $pid; do # the first ones may come too early
	sleep 0.3
	kill -INT $pid
	tries=$((tries - 1))
done
wait $pid
echo "[exit $?]"
grep -c 'skipped: interrupted before' ../out | grep -q '^0$' || echo 'the rest is said to be skipped'
visible '2> ' <../err | sed 's/after [0-9]* rows/after N rows/'
echo '# ceilings in a database: a run of their own, never the newest where there is another'
"$SPABENCH" micro gemm $small --shape camera.pose --precision fp32 --threads 1 --db kept.db | sed -n "s/run [0-9a-f]* of/run ID of/;/^  kept/p"
"$SPABENCH" show --db kept.db | sed -E 's/^run [0-9a-f]+, [^,]*/run ID, WHEN/; s/^(  device ).*/\1DEVICE/; /^  ceiling/s/[0-9.e+-]+ T/N T/' | visible ''
try compare --db kept.db
try report --db kept.db --out folder
"$SPABENCH" run $tiny --device cpu --db kept.db >/dev/null && "$SPABENCH" micro gemm $small --shape camera.pose2+ --precision fp32 --threads 1 --db kept.db >/dev/null
"$SPABENCH" list --db kept.db | awk 'NR > 1 { print $3, $4, /ceilings/ ? "ceilings" : "arms" }' | visible ''
"$SPABENCH" show --db kept.db | grep -c '^  ceiling'
"$SPABENCH" compare --db kept.db >/dev/null
echo "[exit $?]"
try micro gemm --db /nonexistent/x.db --device cpu --preset tiny
