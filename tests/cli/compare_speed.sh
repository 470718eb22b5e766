#!/bin/sh
# compare is to stay under 50 ms at 5 arms x 200 blocks, 20 stages, 7 kinds of op, as the median of 100 calls:
# SB_PERF_STRICT=1 holds it to that. Without it the limit is three times as wide, so that a slow or busy machine
# does not cry wolf: a query that lost its index costs more than that. The best of three rounds counts. A build with
# sanitizers only has to work.
# Usage: compare_speed.sh FOLDER; environment: SPABENCH, SB_MAKE_DB.
set -e
limit_ms=150
[ -z "$SB_PERF_STRICT" ] || limit_ms=50
mkdir -p -- "$1"
db=$1/speed.db
rm -f -- "$db"
"$SB_MAKE_DB" "$db" --arms 5 --blocks 200 --stages 20 --kinds 7
case $("$SPABENCH" --version) in *address*) limit_ms=5000 ;; esac

best=
for round in 1 2 3; do
	# The clock is read once per call: what is measured includes starting the program and a date process.
	median_us=$(
		i=0
		before=$(date +%s%N)
		while [ $i -lt 100 ]; do
			"$SPABENCH" compare --db "$db" >"$1/out.txt"
			after=$(date +%s%N)
			echo $(((after - before) / 1000))
			before=$after
			i=$((i + 1))
		done | sort -n | sed -n 50p
	)
	echo "round $round: median $median_us us"
	if [ -z "$best" ] || [ "$median_us" -lt "$best" ]; then
		best=$median_us
	fi
	[ "$best" -ge $((limit_ms * 1000)) ] || break
done
grep -q '^claims' "$1/out.txt"
echo "compare: best median $best us, limit $limit_ms ms"
[ "$best" -lt $((limit_ms * 1000)) ]
