#!/bin/sh
# report_browser.sh WORK: a report, and how long it took, looked at in a headless browser; skipped where there is none.
# Pictures of it are left in WORK/pictures. The limits are those that users were promised: 10 s, 3 MB.
command -v python3 >/dev/null || {
	echo 'skipped: no python3 here'
	exit 77
}
rm -rf -- "$1"
mkdir -p -- "$1" && cd -- "$1" || exit 99
begun=$(date +%s)
"$SPABENCH" report --db "$SB_SOURCE/reports/examples/h200-full.db" --out report || exit 1
took=$(($(date +%s) - begun)) size=$(wc -c <report/index.html)
echo "$took s, $size bytes"
[ "$took" -le $((10 * ${SB_TEST_SLOWNESS:-1})) ] && [ "$size" -le 3000000 ] || exit 1
python3 "$SB_SOURCE/tests/tools/report_browser.py" report/index.html pictures || exit
echo '# names that are long, and markup'
cat "$SB_SOURCE/reports/examples/h200-before-after.db" >made.db
python3 - <<'P'
import sqlite3
db = sqlite3.connect("made.db")
bad = '<script>alert("1")</script></bdi>' + 300 * 'x'
db.execute("UPDATE fact SET value = ? || value", (bad,))
db.execute("UPDATE run SET note = ?, command = ?", (bad, bad))
db.execute("UPDATE arm SET name = name || ?", (bad,))
db.execute("UPDATE metric SET name = 'stage.' || ? || name WHERE name LIKE 'stage.%'", (bad,))
db.execute("UPDATE name SET text = ? || id || text", (bad,))
db.commit()
P
"$SPABENCH" report --db made.db --out made && exec python3 "$SB_SOURCE/tests/tools/report_browser.py" made/index.html
