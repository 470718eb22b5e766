# An interrupted run is completed in its own database, in its own plan.
"$SPABENCH" run $tiny --blocks 8 --seed 3 --db r.db >../run.out 2>&1 </dev/null &
pid=$!
has_trials() {
	"$SPABENCH" compare --db r.db 2>/dev/null | grep -q '^  trials .*[1-9]'
}
eventually 60 has_trials || echo 'no trial within 60 s'
kill -INT $pid
wait $pid
echo "[exit $?]"
outcome r.db | sed -E 's/[0-9]+ ok/N ok/'
try run --resume --quiet --db r.db | grep -v '^[a-z]*:'
# A block that was cut short is run again as a whole.
outcome r.db | sed 's/ 1[67] ok/ 16 or 17 ok/'
echo '# nothing is left'
try run --resume --quiet --db r.db
try run --resume --as-it-is --db r.db
try run --as-it-is --db r.db
try run --resume --as-it-is --save x.safetensors --db r.db
try run --resume 00000000 --db r.db
try run --resume --db missing.db
try run --resume --blocks 3 --db r.db
"$SB_MAKE_DB" none.db --runs 0 && try run --resume --db none.db
