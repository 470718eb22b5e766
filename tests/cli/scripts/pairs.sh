# Pairs of processes: what is stored, a side that fails, an interruption, nonsense.
quick='--device cpu --frames 3 --size 84x56 --grid 2 --support 2 --iterations 1 --threads 1 --seed 1 --quiet'
"$SPABENCH" pairs --db a.db $quick --pairs 2 --trials 1 --arms after --plant 300 --format json >a.json 2>err; echo "exit $?"
python3 - <<'P'
import json, sqlite3
t = json.load(open('a.json'))
total = [r for r in t['rows'] if r['metric'] == 'wall_ns'][0]
print(t['pairs'], t['dropped'], t['trials'], t['a']['arm'], t['b']['arm'], t['a']['plant'], t['b']['plant'], total['ratio']['estimate'] > 1.5)
db = sqlite3.connect('a.db')
print(db.execute('SELECT count(*), count(DISTINCT pid), min(ending), max(ending) FROM worker').fetchone())
print(db.execute("SELECT block, group_concat(n) FROM (SELECT block, arm || ':' || position AS n FROM trial ORDER BY block, arm) GROUP BY block").fetchall())
wall = db.execute("SELECT arm, value FROM sample_text WHERE metric = 'wall_ns' ORDER BY trial").fetchall()
print(sorted(total['a']) == sorted(v for a, v in wall if a == 'A/after'), sorted(total['b']) == sorted(v for a, v in wall if a == 'B/after'))
P
"$SPABENCH" compare --db a.db --format json | cmp - a.json && echo 'compare prints it again'
"$SPABENCH" compare --db a.db | sed -n "2,3s|; build.*||p"
"$SPABENCH" compare --db a.db --format csv | cut -d, -f 4-7 | sed -n '1,2p'
"$SPABENCH" compare --db a.db --format markdown | sed -n '/^| metric/p'
echo '# a side that crashes'
SPABENCH_FAULT=crash:5 "$SPABENCH" pairs --db b.db $quick --pairs 2 --trials 1 --arms before,after 2>&1 | visible ''
python3 -c "
import sqlite3
db = sqlite3.connect('b.db')
print(db.execute('SELECT status FROM run').fetchall(), db.execute('SELECT outcome, count(*) FROM trial GROUP BY outcome').fetchall())"
try compare --db b.db
echo '# what is no spabench, or not there'
try pairs --db d.db $quick --pairs 1 --exe /bin/true
try pairs --db d.db $quick --pairs 1 --exe .
try pairs --db d.db $quick --pairs 1 --exe ./missing
try pairs --db d.db $quick --pairs 1 --video missing.y4m
ls d.db 2>/dev/null
echo '# an interruption'
"$SPABENCH" pairs --db e.db $quick --pairs 60 --trials 1 >/dev/null 2>err &
pid=$!
has_trials() {
	"$SPABENCH" list --db e.db 2>/dev/null | grep -q ' [1-9][0-9]*$'
}
eventually 60 has_trials || echo 'no trial within 60 s'
kill -INT $pid
wait $pid
echo "exit $?"
try run --resume --db e.db # its processes belong to each other in time
"$SPABENCH" run --resume "$("$SPABENCH" list --db e.db | sed -n '2s/ .*//p')" --db e.db 2>&1 </dev/null | sed 's/run [0-9a-f]* is/run ID is/'
python3 -c "
import sqlite3
db = sqlite3.connect('e.db')
print(db.execute('SELECT status FROM run').fetchall(), db.execute('SELECT count(*) FROM worker WHERE ending IS NULL').fetchall())"
echo '# nonsense'
try pairs --pairs 0
try pairs --pairs 65
try pairs --trials 0
try pairs --arms nope
try pairs --arms before,after,best
try pairs --exe a --exe b --exe c
try pairs clip.mp4
try pairs --plant x
