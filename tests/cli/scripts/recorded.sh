# Runs that were recorded on a GPU (reports/examples): their tables need none.
cp "$SB_SOURCE"/reports/examples/*.db .
chmod u+w ./*.db
for db in h200-full h200-case-ii h200-trace; do
	echo "\$ spabench compare --db $db.db"
	"$SPABENCH" compare --db $db.db 2>&1 </dev/null
	echo "\$ spabench doctor --db $db.db (integrity)"
	"$SPABENCH" doctor --db $db.db 2>&1 </dev/null | grep -E 'integrity|the database'
done
try list --db h200-full.db
