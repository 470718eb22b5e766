# Nothing outlives a spabench that is killed, even where a worker hangs; what was stored is there.
SPABENCH_FAULT=hang:2000
export SPABENCH_FAULT
"$SPABENCH" run $tiny --blocks 2 --db p.db >../out 2>../err </dev/null &
pid=$!
unset SPABENCH_FAULT
has_trial() {
	"$SPABENCH" compare --db p.db 2>/dev/null | grep -q '^  trials .*1 ok'
}
eventually 60 has_trial || echo 'no trial within 60 s'
worker=$(children $pid)
[ -n "$worker" ] || echo 'no worker'
gone() {
	! alive "$worker"
}
kill -KILL $pid
eventually 1 gone && echo 'the worker is gone within a second'
{ wait $pid; } 2>/dev/null
echo "[exit $?]"
outcome p.db
echo '# and the database takes another run'
try_tiny --db p.db | tail -n 2
outcome p.db
