# export timeline, csv and json: files that other programs read, and what cannot be asked for.
command -v python3 >/dev/null || exit 77
cp "$SB_SOURCE/reports/examples/h200-trace.db" recorded.db
recorded=recorded.db
try export timeline "$recorded:" --out whole.json
try export timeline --db "$recorded" --out part.json --stage track --from 700 --to 720.5
"$SPABENCH" export timeline --db "$recorded" --out - >stdout.json
cmp whole.json stdout.json && echo 'standard output: the same'
python3 - "$recorded" <<'P'
import json, sqlite3, sys
db = sqlite3.connect('file:%s?mode=ro&immutable=1' % sys.argv[1], uri=True)
for name, more in ('whole', ''), ('part', " AND at >= 700e6 AND at < 720.5e6 AND stage LIKE 'track%'"):
    events = json.load(open(name + '.json'))['traceEvents']
    n = ns = 0
    for e in events:
        if e.get('cat') == 'device':
            n += 1
            ns += round(e['dur'] * 1000)
    print(name, (n, ns) == db.execute(
        'SELECT count(*), sum(dur_ns) FROM (SELECT dur_ns, stage, sum(start_delta_ns) OVER (ORDER BY row) AS at '
        'FROM trace_text) WHERE 1' + more).fetchone())
    tracks = {}
    for e in events:
        if e['ph'] == 'X':
            tracks.setdefault(e['tid'], []).append((round(e['ts'] * 1000), -round(e['dur'] * 1000)))
    for slices in tracks.values():
        open_ends = []
        for start, minus in sorted(slices):
            while open_ends and open_ends[-1] <= start:
                open_ends.pop()
            assert not open_ends or start - minus <= open_ends[-1], 'slices cross'
            open_ends.append(start - minus)
P
"$SPABENCH" export csv --db "$recorded" --out samples.csv; echo "exit $?"
"$SPABENCH" show --db "$recorded" --format csv | cmp - samples.csv && echo 'csv: as show prints it'
"$SPABENCH" export json --db "$recorded" --out run.json; echo "exit $?"
python3 -c 'import json; r = json.load(open("run.json")); print(r["format"], len(r["trials"]))'
try export timeline --db "$recorded" --out no.json --stage nope
try export timeline --db "$recorded" --out no.json --block 7
try export timeline --db "$recorded" --out no.json --from 5 --to 5
try export timeline --db "$recorded" --out no.json --from -1
try export timeline --db "$recorded" --out no.json --to 0x10
try export timeline --db "$recorded" --out no.json --block x
try export timeline --db "$recorded" --out .
try export timeline --db "$recorded" --out missing/no.json
try export timeline --db "$recorded"
try export timeline "$recorded:/nope" --out no.json
try export timeline nothing.db: --out no.json
try export csv --db "$recorded" --out no.json --stage front
try export weights --out no.json --db x.db
try export weights --out -
try export plots --out no.json
try export weights x y --out no.json
"$SPABENCH" run $tiny --db none.db >/dev/null 2>&1
"$SPABENCH" export timeline --db none.db --out no.json 2>&1 | sed "s/run '[0-9a-f]*'/run 'ID'/"
ls no.json* 2>/dev/null
"$SPABENCH" export json --db "$recorded" --out - >/dev/full; echo "exit $?"
(
	ulimit -f 8
	try export json --db "$recorded" --out full.json
)
ls full.json* 2>/dev/null
