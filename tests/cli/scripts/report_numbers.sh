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
for name in before-after switches churn full; do
	"$SPABENCH" merge --into merged.db "$SB_SOURCE/reports/examples/h200-$name.db" >/dev/null
done
check merged.db merged
grep -o 'Of run [^.]*\.' merged/report.md
echo "$(cat merged/plots/*.var | grep '^foot' | grep -o 'run [0-9a-f]*' | sort -u | wc -l) runs below the pictures"
echo '# the report in docs/ is made of these; after a change of its words it is made anew, reports/examples/README.md says how'
for name in churn switches; do
	"$SPABENCH" merge --into docs.db "$SB_SOURCE/reports/examples/h200-$name.db" >/dev/null
done
"$SPABENCH" compare --db docs.db --format markdown >docs.md
echo "docs: $(python3 "$SB_SOURCE/tests/tools/report_numbers.py" docs.db "$SB_SOURCE/docs/h200-report/index.html" docs.md 2>&1 | sed 's/^[0-9]* figures/figures/')"
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
echo '# the rows of traces instead of their sums: calls are lined up one by one, one is gone and one has come'
"$SPABENCH" merge --into rows.db "$SB_SOURCE"/reports/examples/h200-before-after.db >/dev/null
python3 - <<'P'
import itertools
import sqlite3
db = sqlite3.connect("rows.db")
db.execute("INSERT INTO launch VALUES (1, 8, 1, 1, 128, 1, 1, 0, 32), (2, 9, 1, 1, 128, 1, 1, 0, 32)")
name = {text: n for n, text in db.execute("SELECT id, text FROM name")}
for trial, arm in db.execute("SELECT t.id, a.name FROM trial t JOIN arm a ON a.run = t.run AND a.idx = t.arm WHERE EXISTS (SELECT 1 "
                             "FROM rollup r WHERE r.trial = t.id)").fetchall():
    first, call = db.execute("SELECT coalesce(max(id), 0) + 1 FROM trace").fetchone()[0], 0
    sums = db.execute("SELECT stage, op, name, dur_ns FROM rollup WHERE trial = ? AND op IS NOT NULL ORDER BY stage, op, name", (trial,))
    for (stage, op), kernels in itertools.groupby(sums.fetchall(), lambda r: r[:2]):
        kernels, calls = list(kernels), 3
        if (stage, op) == (name["front.aggregator"], name["attention"]):
            calls += arm == "after"
        if (stage, op) == (name["front.dino"], name["linear"]):
            calls -= arm == "after"
        for i in range(calls):
            for _, _, kernel, ns in kernels:  # the second call of three has another shape
                db.execute("INSERT INTO trace (trial, start_delta_ns, dur_ns, name, stage, op, stream, launch, op_call) VALUES "
                           "(?, 1, ?, ?, ?, ?, 0, ?, ?)", (trial, ns * (i + 1) // 6, kernel, stage, op, 1 + (i == 1), call))
            call += 1
    db.execute("UPDATE trial SET trace_first = ?, trace_n = (SELECT count(*) FROM trace WHERE trial = ?) WHERE id = ?",
               (first, trial, trial))
# Ceilings as 'micro --db' keeps them.
db.execute("INSERT INTO run SELECT 100, 'cccc' || substr(uid, 5), 'complete', created_ns + 5000000000, ended_ns, '', NULL, '{}', 1 FROM run")
db.execute("INSERT INTO run_case VALUES (100, 'micro', 'full', '{}', NULL, 'none', NULL)")
for what, ns in (("copy", "270123 270001"), ("fp32", "21.5e6 21.4e6 21.6e6"), ("tf32", "2.7e6")):
    for key, value in (("work", 2 ** 30 if what == "copy" else 2 * 8192 ** 3), ("samples_ns", ns), ("shape", "so large")):
        db.execute("INSERT INTO fact VALUES (100, ?, ?, NULL)", (f"ceiling.{what}.{key}", str(value)))
db.execute("INSERT INTO fact SELECT 100, key, value, absent FROM fact WHERE key = 'device.name'")
db.commit()
P
check rows.db rows
sed -n 's/^| \(front.aggregator\|front.dino\) | \(linear\|attention\) | \([0-9, ]*\) |.*| \(added\|vanished\|[0-9.]*\) |.*/\1 \2: \3 calls/p' rows/report.md
grep -o 'The ceilings [^;]*' rows/report.md
grep -o 'vanished\|added' rows/report.md | sort | uniq -c
echo '# runs that lack something: what there is, is right, and what is missing is said'
lacking() {
	cat run.db >$1.db
	python3 -c 'import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.executescript(sys.argv[2])' $1.db "$2"
	PATH=/nonexistent "$SPABENCH" report --db $1.db --out $1 >/dev/null || echo "no report of $1"
	"$SPABENCH" compare --db $1.db --format markdown >$1.md
	echo "$1: $(python3 "$SB_SOURCE/tests/tools/report_numbers.py" $1.db $1/index.html $1.md 10 2>&1 | sed 's/^[0-9]* figures/figures/')"
	grep -E '^- (The table of kernels|\*\*trials that gave|no tr)|^> the run has' $1/report.md | sed -E "s/run '[0-9a-f]+'/run ID/"
}
"$SPABENCH" merge --into run.db "$SB_SOURCE"/reports/examples/h200-before-after.db >/dev/null
all='DELETE FROM memory_timeline; DELETE FROM rollup; DELETE FROM trace;'
lacking no-trace "$all DELETE FROM sample WHERE trial IN (SELECT id FROM trial WHERE kind = 'trace'); DELETE FROM trial WHERE kind = 'trace'"
lacking one-arm "$all DELETE FROM sample WHERE trial IN (SELECT id FROM trial WHERE arm = 1); DELETE FROM trial WHERE arm = 1;
	DELETE FROM arm_level WHERE arm = 1; DELETE FROM arm WHERE idx = 1"
lacking failed "$all DELETE FROM sample; UPDATE trial SET outcome = 'crashed', message = 'killed by signal 11', trace_complete = NULL"
lacking empty "$all DELETE FROM sample; DELETE FROM trial"
echo '# the check itself can fail: another number, another text, a number of nobody'
# try_page CHANGE [NAME]
try_page() {
	name=${2:-full}
	sed "$1" $name/index.html >page.html
	cmp -s $name/index.html page.html && echo 'nothing was changed'
	python3 "$SB_SOURCE/tests/tools/report_numbers.py" "$SB_SOURCE/reports/examples/h200-$name.db" page.html $name.md 2>&1 |
		cut -c 1-72
}
try_page 's|>0\.332</data>|>0.333</data>|'
try_page 's|value="0\.3315|value="0.3316|'
try_page 's|</h1>| by 42</h1>|' before-after
try_page 's|NVIDIA H200</bdi>|NVIDIA H2001</bdi>|' before-after
try_page 's|>front.dino</bdi></th><td><bdi>linear<|>front.dino</bdi></th><td><bdi>attention<|' before-after
try_page 's|what="after:front.dino/linear#1"|what="after:front.dino/conv#1"|' before-after
try_page 's|medians of at most 6 timing trials|medians of at most 7 timing trials|' before-after
try_page 's|, run 8414fcb2dd08, tracker|, run 8414fcb2dd09, tracker|' before-after
try_page 's|4.19 TB/s|4.20 TB/s|' before-after
