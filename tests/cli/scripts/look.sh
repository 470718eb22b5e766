# What list and show say of made-up runs, and the formats of compare.
"$SB_MAKE_DB" made.db --arms 3 --blocks 6 --trace-blocks 6 --stages 3 --kinds 3 --runs 2 --seed 1 >/dev/null
try list --db made.db
try list --db made.db --format json
try show --db made.db
try show --db made.db --all
try show made.db:71bb --format text | head -3
# lines FORMAT ARGS..: the first lines of a document, and how many there are
lines() {
	echo "\$ spabench $*"
	"$SPABENCH" "$@" >../out 2>../err </dev/null
	code=$?
	head -n 3 ../out | tr -d '\r' | visible ''
	wc -l <../out
	visible '2> ' <../err
	echo "[exit $code]"
}
lines show --db made.db --format csv
lines show --db made.db /+precision --format csv
lines compare --db made.db --format csv
lines compare --db made.db --format markdown
echo '# what is not there'
try show --db made.db /nothing
try show --db made.db ffff
try show --db missing.db
try list --db missing.db
SPABENCH_DB=made.db try list | head -3
echo '# an empty database'
: >empty.db
try list --db empty.db
