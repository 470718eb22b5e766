# Somebody kills the worker (the kernel, short of memory, does): a crashed trial, and the run goes on in a new one.
SPABENCH_FAULT=hang:2000
export SPABENCH_FAULT
"$SPABENCH" run $tiny --blocks 2 --db k.db >../out 2>../err </dev/null &
pid=$!
unset SPABENCH_FAULT
has_trial() {
	"$SPABENCH" compare --db k.db 2>/dev/null | grep -q "^  trials .*$1"
}
# Each worker hangs in its second trial.
eventually 60 has_trial '1 ok' || echo 'no trial within 60 s'
kill -KILL "$(children $pid)"
eventually 60 has_trial '2 ok' || echo 'no second worker within 60 s'
kill -ABRT "$(children $pid)"
wait $pid
code=$?
show_output
outcome k.db
