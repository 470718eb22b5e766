# The words of the transcripts. A script prints what the test compares; it runs in an empty folder, input from nowhere.

# How much longer a wait may last here than on a machine of its own: tests/CMakeLists.txt.
slowness=${SB_TEST_SLOWNESS:-1}

# Options of a run that takes a few tenths of a second.
tiny='--frames 3 --size 84x56 --grid 2 --support 2 --iterations 1 --threads 1 --blocks 1 --trace-blocks 0 --arms before,after --seed 1 --quiet'

# The output of a program: bytes that could drive a terminal made visible, endless lines cut.
visible() {
	cat -v | awk -v prefix="$1" '{ print prefix (length($0) > 400 ? substr($0, 1, 200) "[..]" : $0) }'
}

# try ARGS..: one spabench command, its output, what it said on standard error ("2> "), its exit code (also in $code).
try() {
	{
		printf '$ spabench'
		for arg; do
			case $arg in
			*[!A-Za-z0-9_./,:=+-]* | '') printf " '%s'" "$arg" ;;
			*) printf ' %s' "$arg" ;;
			esac
		done
		echo
	} | visible ''
	"$SPABENCH" "$@" >../out 2>../err </dev/null
	code=$?
	show_output
}

# try_tiny ARGS..: the same for a tiny run; later options win, so ARGS may change what $tiny says.
try_tiny() {
	{
		printf '$ spabench run [tiny]'
		for arg; do
			printf " '%s'" "$arg"
		done
		echo
	} | visible ''
	"$SPABENCH" run $tiny "$@" >../out 2>../err </dev/null
	code=$?
	show_output
}

show_output() {
	visible '' <../out
	visible '2> ' <../err
	echo "[exit $code]"
}

# outcome DB: what compare says of the newest run's end and trials.
outcome() {
	echo "\$ spabench compare --db $1 (outcome)"
	"$SPABENCH" compare --db "$1" >../out 2>../err </dev/null
	code=$?
	grep -E '^(run|  (trials|!) )' ../out | visible ''
	visible '2> ' <../err
	echo "[exit $code]"
}

# A process that ended but was not collected (by an init that collects nothing, say) is gone too.
alive() {
	[ -d "/proc/$1" ] && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

# children PID: the ids of its children.
children() {
	cat /proc/[0-9]*/stat 2>/dev/null | awk -v parent="$1" '{ pid = $1; sub(/.*\) /, ""); if ($2 == parent) print pid }'
}

# has_trials DB: whether its newest run has stored one.
has_trials() {
	"$SPABENCH" compare --db "$1" 2>/dev/null </dev/null | grep -q '^  trials '
}

# eventually SECONDS COMMAND..: whether it succeeds within so long (times $slowness), asked every 20 ms.
eventually() {
	tries=$(($1 * 50 * slowness))
	shift
	while [ "$tries" -gt 0 ]; do
		"$@" && return 0
		sleep 0.02
		tries=$((tries - 1))
	done
	return 1
}
