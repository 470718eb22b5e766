# Ctrl-C and SIGTERM end a run after the current trial, with everything stored: exit 130.
interrupt() {
	echo "# SIG$1"
	"$SPABENCH" run $tiny --blocks 5000 --db "$1.db" >../run.out 2>../run.err </dev/null &
	pid=$!
	eventually 60 has_trials "$1.db" || echo 'no trial within 60 s'
	worker=$(children $pid)
	kill -"$1" $pid
	wait $pid
	echo "[exit $?]"
	visible '2> ' <../run.err
	alive "$worker" && echo 'the worker is still there'
	outcome "$1.db" | sed -E 's/[0-9]+ ok/N ok/'
	ls "$1.db"*
}
has_trials() {
	"$SPABENCH" compare --db "$1" 2>/dev/null | grep -q '^  trials .*[1-9]'
}
interrupt INT
interrupt TERM
