# compare --plot: bars, for people at a terminal.
cp -- "$SB_SOURCE/reports/examples/h200-full.db" run.db
db=run.db
bars() {
	echo "\$ $1 spabench compare --plot $2"
	env $1 "$SPABENCH" compare --db "$db" --plot $2 >../out 2>../err </dev/null
	code=$?
	head -40 ../out
	tail -1 ../out
	visible '2> ' <../err
	echo "[exit $code]"
}

bars LC_ALL=C
bars LC_ALL=C.UTF-8
# The first of the three variables that is not empty counts.
bars 'LC_ALL= LC_CTYPE= LANG=de_DE.utf8' | sed -n 5p
bars 'LC_ALL=C LANG=C.UTF-8' | sed -n 5p
echo '$ colours'
"$SPABENCH" compare --db "$db" --plot --color always | sed -n '15,18p' | cat -v
echo '$ two arms'
"$SPABENCH" compare --db "$db" --plot /after /best | sed -n '14,17p'

try compare --db "$db" --plot --format json
try compare --db "$db" --plot --effects
try compare --db "$db" --plot --machines
# One arm alone has a total and no ratio.
try_tiny --arms before --db one.db >/dev/null
"$SPABENCH" compare --db one.db --plot | sed -n '1,6p' | sed -E 's/[0-9.]+ (ms|s)$/TIME/'
