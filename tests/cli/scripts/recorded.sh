# Runs that were recorded on a GPU (reports/examples): their tables need none.
cp "$SB_SOURCE"/reports/examples/*.db .
chmod u+w ./*.db
for db in h200-full h200-case-ii h200-trace; do
	echo "\$ spabench compare --db $db.db"
	"$SPABENCH" compare --db $db.db 2>&1 </dev/null
	echo "\$ spabench doctor --db $db.db (integrity)"
	"$SPABENCH" doctor --db $db.db 2>&1 </dev/null | grep -E 'integrity|the database'
done
# the evidence, the totals, the memory
for db in h200-before-after h200-offload h200-churn; do
	echo "\$ spabench compare --db $db.db (parts)"
	"$SPABENCH" compare --db $db.db 2>&1 </dev/null | grep -vE '^    (front|track)\.' | sed '/^claims/,$d'
	echo "\$ spabench doctor --db $db.db (integrity)"
	"$SPABENCH" doctor --db $db.db 2>&1 </dev/null | grep -E 'integrity|the database'
done
echo '$ spabench show --db h200-offload.db --memory (events of each kind)'
"$SPABENCH" show --db h200-offload.db --memory </dev/null | cut -d, -f1,4 | sort | uniq -c
try list --db h200-full.db
