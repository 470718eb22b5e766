#!/bin/sh
# On a database of 320 trace trials of 31,000 kernels each, the newest run 40 of them, compare is to stay under 0.3 s and
# compare --ops under 3 s. SB_PERF_STRICT=1 makes it (some 340 MB, 15 s); without it a twentieth has to do. The best of
# three counts. A build with sanitizers only has to work.
# Usage: ops_speed.sh FOLDER; environment: SPABENCH, SB_MAKE_DB.
set -e
runs=2 kernels=3100
[ -z "$SB_PERF_STRICT" ] || { runs=8 kernels=31000; }
table_ms=300 ops_ms=3000
case $("$SPABENCH" --version) in *address* | *thread*) table_ms=30000 ops_ms=60000 ;; esac
mkdir -p -- "$1"
db=$1/ops.db
rm -f -- "$db"
"$SB_MAKE_DB" "$db" --arms 5 --blocks 8 --trace-blocks 8 --runs "$runs" --kernels "$kernels"

out=$1/out.txt
# best_ms ARGUMENT..: of spabench compare
best_ms() {
	best=
	for round in 1 2 3; do
		before=$(date +%s%N)
		"$SPABENCH" compare --db "$db" "$@" >"$out"
		took=$((($(date +%s%N) - before) / 1000000))
		if [ -z "$best" ] || [ "$took" -lt "$best" ]; then
			best=$took
		fi
	done
	echo "$best"
}

table=$(best_ms)
ops=$(best_ms --ops)
grep -q '^all  *3[01]' "$out"
echo "$runs runs of 40 trace trials of $kernels kernels: compare $table ms (limit $table_ms), compare --ops $ops ms (limit $ops_ms)"
rm -f -- "$db"
[ "$table" -lt "$table_ms" ] && [ "$ops" -lt "$ops_ms" ]
