# Offload from end to end: the same results with less on the device, a run broken off and completed, capacity with it.
run="run $tiny --cameras fixed"
# facts DB ARM: what compare says of an arm, as far as it is the same everywhere
facts() {
	echo "# $2"
	"$SPABENCH" compare --db "$1" --format csv | tr -d "\r'" | awk -F, -v arm="$2" '
		$5 != arm { next }
		$7 == "memory.weights_bytes" { print "weights", $10 - $11, "less" }
		$7 ~ /^offload.*bytes$/ || $7 ~ /identical$/ { print $7, $11 }' | sort -u | visible ''
}
"$SPABENCH" $run --arms before,+offload=model --blocks 3 --offload-budget 1M --db o.db >../run.out 2>&1 </dev/null &
pid=$!
eventually 60 has_trials o.db || echo 'no trial within 60 s'
kill -INT $pid
wait $pid
echo "[exit $?]"
try run --resume --quiet --db o.db | sed 's/over [0-9]* trials/over N trials/'
facts o.db +offload=model
# The budget is the plan's: before the break and behind it as much was moved.
"$SPABENCH" show --db o.db --format csv | tr -d '\r' | awk -F, '$9 == "offload.moved_bytes" { v[$11]++ } END { for (k in v) n++; print n + 0, "number of bytes" }'
echo '# capacity'
"$SPABENCH" capacity --device cpu --threads 1 --cameras fixed --size 84x56 --support 2 --grid 2 --vram-limit 262M --arms after,after+offload,after+offload=model --most 3 --format csv --quiet | tr -d '\r' | grep -E '(largest|weights_bytes),' | visible ''
