# A worker that crashes, hangs or whose device fails, in the N-th op: rows like any other, and the run goes on.
fault() {
	SPABENCH_FAULT=$1
	export SPABENCH_FAULT
	shift
	echo "# $SPABENCH_FAULT"
	try_tiny "$@"
	unset SPABENCH_FAULT
}
# A trial of this size is about 1700 ops: the second one of each worker.
begun=$(date +%s)
fault crash:2000 --blocks 2 --db crash.db
outcome crash.db
# Longer than a trial that does not hang: that run had four of them, and two workers.
limit=$((3 + $(date +%s) - begun))
{
	fault hang:2000 --arms before --blocks 3 --timeout $limit --db hang.db
	outcome hang.db
} | sed -E "s/(within |')$limit( s|')/\1LIMIT\2/"
fault fail:2000 --arms before --blocks 3 --db fail.db
outcome fail.db
echo '# no trial succeeds'
fault crash:1 --db crash1.db
outcome crash1.db
fault hang:1 --timeout 0.3 --db hang1.db
outcome hang1.db
echo '# never a good worker: the run is given up'
# twenty workers of the workload that is begun soonest
SPABENCH_FAULT=crash:1
export SPABENCH_FAULT
try run --workload churn --threads 1 --blocks 100 --trace-blocks 0 --arms before,after --seed 1 --quiet --db many.db
unset SPABENCH_FAULT
outcome many.db
echo '# in a trace trial'
SPABENCH_FAULT=crash:200
export SPABENCH_FAULT
try_tiny --trace-blocks 1 --arms before --db trace.db
unset SPABENCH_FAULT
outcome trace.db
