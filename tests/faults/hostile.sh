#!/bin/sh
# hostile.sh SPABENCH CHECK [sanitized]: surroundings in which a program can go wrong. "CHECK --check FILE" tells whether a
# database is sound. Every case: no crash, an exit code that is one of those expected, and a sound database.
# SB_LONG_TESTS in the environment: more combinations and more sizes.
spabench=$1
check=$2
sanitized=$3
work=$(mktemp -d) || exit 99
trap 'rm -rf -- "$work"' EXIT
cd -- "$work" || exit 99
slowness=${SB_TEST_SLOWNESS:-1}
limit=$((60 * slowness)) # seconds: more is a hang
unset SPABENCH_DB SPABENCH_DATA SPABENCH_FAULT
export OPENBLAS_NUM_THREADS=1 LC_ALL=C
tiny='--size 84x56 --frames 3 --grid 2 --support 2 --iterations 1 --blocks 1 --trace-blocks 0 --arms before --threads 1 --seed 1 --quiet'
wrong=0
cases=0

say_wrong() {
	wrong=$((wrong + 1))
	echo "$*"
	cat out err 2>/dev/null | head -n 20
}

# verdict NAME "CODES" CODE [DATABASE]
verdict() {
	cases=$((cases + 1))
	case " $2 " in
	*" $3 "*) ;;
	*) say_wrong "$1: exit $3, expected one of $2" ;;
	esac
	if [ -n "$4" ] && ! "$check" --check "$4"; then
		say_wrong "$1: the database is not sound"
	fi
}

# ---- closed descriptors: neither sockets nor the database may land on 0, 1 or 2
which_closed='<&-,2>&-,<&- >&- 2>&-'
[ -z "$SB_LONG_TESTS" ] || which_closed="$which_closed,>&-,<&- >&-,<&- 2>&-,>&- 2>&-"
IFS=,
for closed in $which_closed; do
	unset IFS
	rm -f closed.db
	eval '"$spabench" run --db closed.db $tiny >out 2>err </dev/null '"$closed"
	verdict "run $closed" '0 4' $? closed.db
	trials=$("$spabench" compare --db closed.db 2>&1 | sed -n 's/^  trials *//p')
	[ "$trials" = '1 ok' ] || say_wrong "run $closed: stored $trials"
	eval '"$spabench" compare --db closed.db >out 2>err </dev/null '"$closed"
	verdict "compare $closed" '0 4' $? closed.db
done
# A result that cannot be printed is a failure.
"$spabench" compare --db closed.db >&- 2>err
verdict 'compare >&-' 4 $? closed.db

# ---- few descriptors: 127 where the loader itself gets none
for n in 3 5 7 8 12 ${SB_LONG_TESTS:+4 6 10 16}; do
	rm -f few.db
	(ulimit -n "$n" && exec timeout "$limit" "$spabench" run --db few.db $tiny) >out 2>err </dev/null
	verdict "run with $n descriptors" '0 3 4 127' $? few.db
	(ulimit -n "$n" && exec timeout "$limit" "$spabench" compare --db closed.db) >out 2>err </dev/null
	verdict "compare with $n descriptors" '0 3 4 127' $?
done

# ---- little memory: 127 where the loader itself finds none. A sanitizer takes terabytes of addresses.
[ -n "$sanitized" ] || for mb in 64 192 224 ${SB_LONG_TESTS:+128 191 200 320}; do
	rm -f little.db
	(ulimit -v $((mb * 1024)) && OMP_NUM_THREADS=1 exec timeout "$limit" "$spabench" run --db little.db $tiny) \
		>out 2>err </dev/null
	verdict "run in $mb MiB" '0 3 4 127' $? little.db
	(ulimit -v $((mb * 1024)) && OMP_NUM_THREADS=1 exec timeout "$limit" "$spabench" compare --db closed.db) \
		>out 2>err </dev/null
	verdict "compare in $mb MiB" '0 3 4 127' $?
done

# ---- nothing in the environment
rm -f bare.db
env -i "$spabench" run --db bare.db $tiny >out 2>err </dev/null
verdict 'run without environment' 0 $? bare.db
rm -f bare.db
env -u HOME PATH= TMPDIR=/nonexistent SQLITE_TMPDIR=/nonexistent "$spabench" run --db bare.db $tiny >out 2>err </dev/null
verdict 'run with PATH empty, no HOME, no TMPDIR' 0 $? bare.db

# ---- the database is not a file, or not there
mkdir folder
SPABENCH_DB=folder "$spabench" run $tiny >out 2>err </dev/null
verdict 'SPABENCH_DB is a folder: run' 4 $?
SPABENCH_DB=folder "$spabench" compare >out 2>err </dev/null
verdict 'SPABENCH_DB is a folder: compare' 4 $?
grep -q "'folder'" err || say_wrong 'the message does not name the folder'

# ---- decimal commas
"$spabench" compare --db closed.db >plain 2>err </dev/null
"$spabench" compare --db closed.db --format json >plain.json 2>err </dev/null
if command -v localedef >/dev/null && mkdir locales && localedef -i de_DE -f UTF-8 locales/de_DE.UTF-8 2>/dev/null; then
	for format in text json; do
		LOCPATH=$work/locales LC_ALL=de_DE.UTF-8 "$spabench" compare --db closed.db --format $format >comma 2>err </dev/null
		verdict "compare --format $format in German" 0 $?
		cmp -s comma $([ $format = text ] && echo plain || echo plain.json) || say_wrong "$format differs in German"
	done
	LOCPATH=$work/locales LC_ALL=de_DE.UTF-8 "$spabench" run --db comma.db --budget 1.5 $tiny >out 2>err </dev/null
	verdict 'run in German' 0 $? comma.db
else
	echo 'no localedef here: decimal commas not tested'
fi

# ---- no /proc (where this user may make a mount namespace)
if [ -n "$sanitized" ]; then
	echo 'the leak checker reads /proc, and without it its options from nowhere: /proc stays'
elif unshare -m true 2>/dev/null; then
	rm -f noproc.db
	unshare -m sh -c 'umount -l /proc && exec "$0" "$@"' "$spabench" run --db noproc.db $tiny >out 2>err </dev/null
	verdict 'run without /proc' 3 $? noproc.db
	unshare -m sh -c 'umount -l /proc && exec "$0" "$@"' "$spabench" run --db noproc.db --exe "$spabench" $tiny \
		>out 2>err </dev/null
	verdict 'run --exe without /proc' 0 $? noproc.db
	unshare -m sh -c 'umount -l /proc && exec "$0" "$@"' "$spabench" compare --db noproc.db >out 2>err </dev/null
	verdict 'compare without /proc' 0 $? noproc.db
else
	echo 'no mount namespaces for this user: /proc stays'
fi

# ---- two at once
"$spabench" run --db two.db $tiny >out1 2>err1 </dev/null &
first=$!
"$spabench" run --db two.db $tiny >out 2>err </dev/null
verdict 'second of two runs' 0 $? two.db
wait $first
verdict 'first of two runs' 0 $? two.db

# An interrupted run, resumed by four at once: one goes on, three are told so; what is stored is one run's trials.
rm -f again.db*
"$spabench" run --db again.db $tiny --blocks 4 --arms before,after >out 2>err </dev/null &
run=$!
waited=0 # until some trial is there
until "$spabench" compare --db again.db >out 2>err || [ $waited -eq $((600 * slowness)) ]; do
	waited=$((waited + 1))
	sleep 0.1
done
kill -9 $run
wait $run 2>/dev/null
pids=
for i in 1 2 3 4; do
	"$spabench" run --resume --db again.db --quiet >out$i 2>err$i </dev/null &
	pids="$pids $!"
done
ok=0
refused=0
for pid in $pids; do
	wait "$pid"
	case $? in
	0) ok=$((ok + 1)) ;;
	2) refused=$((refused + 1)) ;;
	esac
done
[ "$ok $refused" = '1 3' ] || {
	say_wrong "of four --resume at once $ok went on and $refused were refused"
	cat err1 err2 err3 err4
}
verdict 'four --resume at once' 0 0 again.db
# 2 arms x 4 blocks, and up to 1 more: the block that was interrupted is begun again.
trials=$("$spabench" compare --db again.db 2>&1 | sed -n 's/^  trials *//p')
case $trials in
'8 ok' | '9 ok') ;;
*) say_wrong "four --resume at once: stored $trials" ;;
esac

echo "$cases cases, $wrong wrong"
[ "$wrong" -eq 0 ]
