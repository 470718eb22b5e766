# What compare can be pointed at.
"$SB_MAKE_DB" runs.db --arms 3 --blocks 6 --trace-blocks 0 --stages 2 --kinds 1 --runs 3 --seed 1 >/dev/null
first() {
	echo "\$ spabench compare $* (first line)"
	"$SPABENCH" compare "$@" 2>../err </dev/null | sed -n 1p
	visible '2> ' <../err
}
id=$("$SPABENCH" compare --db runs.db --format json | sed -n 's/.*"id": *"\([0-9a-f]*\)".*/\1/p' | sed -n 1p)
first --db runs.db
first --db runs.db "$id" | sed "s/$id/ID/"
short=$(printf %.8s "$id")
first --db runs.db "$short" | sed "s/$short[0-9a-f]*/ID/"
first runs.db:
first ./runs.db:/after
first --db other.db "$PWD/runs.db:" | sed "s|$PWD|HERE|"
first --db runs.db ''
for reference in / /nope /BEFORE "/before/after" zzzz f 0 0000 -1 runs.db : :: :/after nope.db:/after; do
	try compare --db runs.db -- "$reference" | grep -v '^  \|^$'
done
"$SPABENCH" compare --db runs.db /before /after | grep ' -> '
"$SPABENCH" compare --db runs.db /after /before | grep ' -> '
try compare --db runs.db /before /before
try compare --db runs.db before after
try compare --db runs.db /before "nope.db:/after"
try compare --db runs.db "$id/before" ffffffff/after | sed "s/$id/ID/"
