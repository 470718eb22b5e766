# Standard output that takes nothing: exit 4 and a word on standard error.
"$SB_MAKE_DB" made.db --arms 3 --blocks 6 --seed 1 >/dev/null
lost() {
	"$SPABENCH" "$@" >/dev/full 2>../err </dev/null
	echo "\$ spabench $* >/dev/full [exit $?]"
	visible '2> ' <../err
	"$SPABENCH" "$@" >&- 2>../err </dev/null
	echo "\$ spabench $* >&- [exit $?]"
	visible '2> ' <../err
}
lost --help
lost --version
lost run --help
lost compare --db made.db
lost compare --db made.db --format json
lost compare --db missing.db
lost run $tiny --db run.db
outcome run.db
echo '# a reader that leaves early'
{ "$SPABENCH" compare --db made.db 2>../err; echo "[exit $?]" >../code; } | sed -n 1q
sed -n 1p ../code | sed 's/0/4/' # written whole before the reader left, or not: both are right
echo '# no standard input, output or error at all'
"$SPABENCH" compare --db made.db <&- >&- 2>&-
echo "[exit $?]"
"$SPABENCH" run $tiny --db none.db <&- >&- 2>&-
echo "[exit $?]"
outcome none.db
