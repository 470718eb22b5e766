# The workload of changing clips: what it shows, and what of the tracker's options it refuses.
run='run --workload churn --threads 1 --blocks 1 --trace-blocks 0 --quiet'
"$SPABENCH" $run --db c.db --seed 7 2>&1 | sed 's/^run [0-9a-f]*/run ID/; s/in [0-9]* s/in N s/' | visible ''
"$SPABENCH" compare --db c.db --format csv >c.csv
"$SPABENCH" compare --db c.db >c.txt
grep -A1 -E '^  (case|inputs|arms)' c.txt | sed 's/ *$//' | visible ''
grep '^  fragmentation  ' c.txt | visible ''
for row in 'peak allocated' 'peak reserved' 'reserved over allocated' 'fragmentation' 'driver calls'; do
	grep -q "^    $row" c.txt && echo "there is '$row'"
done
for more in '--frames 3' '--size 84x56' '--grid 2' '--support 0' '--cameras fixed' '--weights-front /dev/null' \
	'--preset nope' '--vram-limit 8M'; do
	"$SPABENCH" $run --arms after --db no.db $more >../out 2>../err </dev/null
	code=$?
	echo "# $more"
	show_output
done
try run --workload nope
try run --workload ''
