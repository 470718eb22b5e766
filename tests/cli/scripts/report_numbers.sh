# Every figure of a report is the database's: computed again from its samples, in another language.
command -v python3 >/dev/null || exit 77
# check DATABASE NAME
check() {
	"$SPABENCH" report --db "$1" --out $2 >/dev/null || echo "no report of $2"
	"$SPABENCH" compare --db "$1" --format markdown >$2.md
	echo "$2: $(python3 "$SB_SOURCE/tests/tools/report_numbers.py" "$1" $2/index.html $2.md 2>&1 | sed 's/^[0-9]* figures/figures/')"
}
for name in full before-after churn offload case-ii; do
	check "$SB_SOURCE/reports/examples/h200-$name.db" $name
done
echo '# several runs in one database: plots that the run itself cannot give are of another one, and say so'
"$SPABENCH" merge --into merged.db "$SB_SOURCE"/reports/examples/h200-before-after.db "$SB_SOURCE"/reports/examples/h200-churn.db \
	"$SB_SOURCE"/reports/examples/h200-full.db >/dev/null
check merged.db merged
grep -o 'Of run [^.]*\.' merged/report.md
[ "$(cat merged/plots/*.var | grep '^foot' | grep -o 'run [0-9a-f]*' | sort -u | wc -l)" = 3 ] && echo 'three runs below the pictures'
echo '# a copy whose times drift, and with names that are markup'
cat "$SB_SOURCE/reports/examples/h200-full.db" >made.db
python3 - <<'P'
import sqlite3
db = sqlite3.connect("made.db")
db.execute("UPDATE sample SET value = CAST(value * (1 + 0.004 * (SELECT block FROM trial t WHERE t.id = trial)) AS INTEGER) WHERE "
           "metric = (SELECT id FROM metric WHERE name = 'wall_ns') AND trial IN (SELECT id FROM trial WHERE arm = 0)")
bad = '<script>alert("1")</script>&amp;|`\x1b[31m</bdi>'
db.execute("UPDATE fact SET value = ? WHERE key IN ('device.name', 'host.name', 'stop.reason')", (bad,))
db.execute("UPDATE run SET note = ?", (bad,))
db.execute("UPDATE worker SET device_name = ?, exe = ?", (bad, bad))
db.execute("UPDATE name SET text = ? || id || text", (bad,))
db.commit()
P
check made.db made
grep -o 'drifts by[^/]*' made/report.md
cat made/index.html made/report.md made/plots/*.svg | grep -c "<script\|$(printf '\033')"
echo '# the check itself can fail: another number, another text, a number of nobody'
try_page() {
	sed "$1" full/index.html >page.html
	cmp -s full/index.html page.html && echo 'nothing was changed'
	python3 "$SB_SOURCE/tests/tools/report_numbers.py" "$SB_SOURCE/reports/examples/h200-full.db" page.html full.md 2>&1 |
		cut -c 1-72
}
try_page 's|>0\.332</data>|>0.333</data>|'
try_page 's|value="0\.3315|value="0.3316|'
try_page 's|</h1>| by 42</h1>|'
try_page 's|NVIDIA H200</bdi>|NVIDIA H2001</bdi>|'
