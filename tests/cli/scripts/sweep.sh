# sweep: a run for each value, a table, and what is refused. Times and sizes are replaced.
base='--grid 2 --support 2 --iterations 1 --cameras fixed --threads 1 --blocks 1 --seed 1 --device cpu'
echo '# before does not fit: it is left out at larger values'
"$SPABENCH" sweep $base --size 224x224 --frames 8,7 --vram-limit 364M --db swept.db >../out 2>../err </dev/null
code=$?
sed -E '/^ {33}/d; s/[0-9.]+ m?s /TIME /; s/[0-9.]+ MiB/SIZE/g; s/ +(TIME|SIZE)/ \1/g; s/  [0-9a-f]{8}$/  ID/; s/^sweep [0-9a-f]{8}/sweep ID/; s/, on .*/, on DEVICE/; s/oom: .*/oom: REASON/' ../out >shown
mv shown ../out
grep 'ran out' ../err >said
mv said ../err
show_output
echo '# its report: an arm that is out of memory at one value, and has no time at any'
"$SPABENCH" report --db swept.db --out swept >/dev/null
awk -F'\t' '/^[0-9]/ { print $1, ($2 == "NaN" ? "no time" : "a time"), "n=" $6, ($7 ? "oom" : "") }' swept/plots/sweep.dat |
	visible ''
grep -o '^arm\[[0-9]\] = .*' swept/plots/sweep.var
for run in $("$SPABENCH" list --db swept.db --format json | sed -n 's/.*"id": "\([0-9a-f]*\)".*/\1/p'); do
	"$SPABENCH" export json "swept.db:$run" --out - >run.json
	grep '"command"' run.json
	grep -A 1 -E '"key": "sweep' run.json | sed -E 's/[0-9a-f]{32}/ID/'
done
echo '# Ctrl-C'
"$SPABENCH" sweep $base --size 28x28 --blocks 5000 --frames 3,4 --format csv --quiet --db stopped.db >../out 2>../err </dev/null &
pid=$!
has_trials() {
	"$SPABENCH" compare --db stopped.db 2>/dev/null | grep -q '^  trials .*[1-9]'
}
eventually 60 has_trials || echo 'no trial within 60 s'
kill -INT $pid
wait $pid
echo "[exit $?]"
visible '2> ' <../err
cut -d, -f2-4 ../out
echo '# what is refused, before anything is measured'
try sweep
try sweep --frames 4
try sweep --frames 4,4
try sweep --frames 4,,5
try sweep --frames 4,nope
try sweep --frames 4,0
try sweep --frames 3,4 --grid 2,3
try sweep --size native,84x56
try sweep --size 84x56,084x56
try sweep --frames 3,4 --arms nope
try sweep --frames 3,4 --device all
try sweep --frames 3,4 --save x
try sweep --frames 3,4 --format xml
try sweep --frames 3,4 clip.mp4
try sweep --frames 3,4 --preset nope --device cpu --quiet
try sweep --size 84x56,85x70 --device cpu --quiet
ls
echo '# points are those of the nearest square grid, and named so'
try sweep --points 4,3
"$SPABENCH" sweep --frames 3 --size 84x56 --support 2 --iterations 1 --cameras fixed --threads 1 --blocks 1 --seed 1 --device cpu --arms before --points 3,7 --format csv --quiet --db points.db 2>/dev/null </dev/null | cut -d, -f2,3,5
