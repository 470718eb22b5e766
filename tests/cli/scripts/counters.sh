# Hardware counters as evidence, on a device that only says it had some.
SPABENCH_CUDA_LIB=$SB_FAKE_CUDA_LIB
export SPABENCH_CUDA_LIB
gpu="$tiny --device cuda:0 --preset tiny --blocks 1 --trace-blocks 1"
# count HOW ARGS..: a run, its verdict on precision, and what compare says of it
count() {
	how=$1
	shift
	echo "# $how $*"
	SB_FAKE_CUDA=$how "$SPABENCH" run $gpu --db "$how.db" "$@" >../out 2>../err </dev/null
	code=$?
	grep -E '^precision' ../out | visible ''
	visible '2> ' <../err
	echo "[exit $code]"
	"$SPABENCH" compare --db "$how.db" 2>&1 | grep -A2 -E '^  precision |hardware counters|other metrics' | visible ''
}
count counters
echo '# what is stored, and that no table has it'
"$SPABENCH" show --db counters.db --format csv | awk -F, '$6 == "counters" { print $3, $4, $7, $9 }' | sort
"$SPABENCH" compare --db counters.db --format json | grep -c counter\\.
"$SPABENCH" compare --db counters.db | grep -E '^  (trials|blocks)' | visible ''
"$SPABENCH" doctor --db counters.db | tail -n 1
count both
count fp32
count uncounted
count busy
count dies
rm counters.db
count counters --no-counters
