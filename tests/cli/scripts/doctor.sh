# doctor: exit 0 where the default run is possible, 3 where not, 4 for a database that is broken.
# checks ARGS..: the names of the checks, the verdict without its numbers
checks() {
	"$SPABENCH" doctor "$@" >../out 2>../err </dev/null
	code=$?
	grep -E '^  (ok|warning|missing|broken) ' ../out | awk '{ print $2 }' | tr '\n' ' '
	echo
	tail -n 1 ../out | sed 's/;.*//'
	visible '2> ' <../err
	echo "[exit $code]"
}
# line NAME: what the last one found
line() {
	grep -A 1 -E "^  [a-z]+ +$1 " ../out
}
checks
line gpu
echo '# nothing on PATH'
PATH= "$SPABENCH" doctor >../out 2>../err </dev/null
echo "[exit $?]"
line ffmpeg
echo '# no place for the database, no clip'
SPABENCH_DB=/nonexistent/x.db checks
SPABENCH_DATA=/nonexistent checks
echo '# JSON'
"$SPABENCH" doctor --format json | grep -E '"(format|subject|ok)":'
echo '# a database'
"$SB_MAKE_DB" made.db --arms 2 --blocks 6 --trace-blocks 6 --seed 1 >/dev/null
try doctor --db made.db | sed -E 's/[0-9.]+ MiB/N MiB/'
"$SPABENCH" doctor --db made.db --format json | grep -E '"(format|subject|ok)":'
dd if=/dev/zero of=made.db bs=4096 seek=20 count=40 conv=notrunc 2>/dev/null
"$SPABENCH" doctor --db made.db >../out 2>../err
echo "[exit $?]"
visible '2> ' <../err
line integrity | grep -q '^  broken' && echo 'broken'
tail -n 1 ../out
head -c 3000 /dev/zero >zero.db
try doctor --db zero.db
try doctor --db missing.db
ls
