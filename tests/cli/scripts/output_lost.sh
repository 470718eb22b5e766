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
echo '# a reader that has left: a quiet end by SIGPIPE, 141 for a shell'
left() {
	{
		(
			trap '' PIPE
			while echo; do :; done 2>/dev/null # until it has
		)
		"$SPABENCH" "$@" 2>../err </dev/null
		echo "[exit $?]" >../code
	} | :
	echo "\$ spabench $* | : $(cat ../code)"
	visible '2> ' <../err
}
left compare --db made.db
left list --db made.db --format json
left run --help
left --help
left compare --db missing.db
left run $tiny --db left.db
outcome left.db
echo '# the same where SIGPIPE is ignored: an error as any other'
(
	trap '' PIPE
	left compare --db made.db
)
echo '# no standard input, output or error at all'
"$SPABENCH" compare --db made.db <&- >&- 2>&-
echo "[exit $?]"
"$SPABENCH" run $tiny --db none.db <&- >&- 2>&-
echo "[exit $?]"
outcome none.db
