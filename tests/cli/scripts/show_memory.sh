# The memory timelines of trace trials: sums that must hold, an arm, runs without, a file that was damaged.
command -v python3 >/dev/null || exit 77
"$SPABENCH" run --db a.db --threads 1 --blocks 1 --trace-blocks 1 --arms before,after --cameras fixed --size 84x56 --frames 3 --grid 2 --support 2 --iterations 1 --seed 1 --quiet >/dev/null 2>&1
echo "run: $?"
"$SPABENCH" show --db a.db --memory >a.csv
head -n 1 a.csv
# Every line follows from the one before; stages and ops have names; the peak is that of the trial.
awk -F, 'NR > 1 { if ($4 == "begin") { arm = $1; n[arm] = 0; peak = 0; al = $6; re = $8; next }
	n[arm]++
	al += $4 == "alloc" ? $5 : $4 == "free" ? -$5 : 0
	re += $4 == "segment_alloc" || $4 == "map" ? $5 : $4 == "segment_free" || $4 == "unmap" ? -$5 : 0
	if (al != $6 || re != $8 || $6 != $7 || $1 != arm || $3 < t && n[arm] > 1) wrong++
	t = $3
	if ($9 == "front.dino" && $10 == "attention") inside[arm]++
	if ($9 == "front.dino" && $10 == "") outside[arm]++ }
	END { for (a in n) print a, (n[a] > 500), (inside[a] > 0), (outside[a] > 0), (al == 0); print "wrong:", wrong + 0 }' a.csv | sort
# What was asked for lies within what was allocated, is what is not rounded of it, and has the trial's peak.
python3 - <<'P'
import csv, sqlite3
db, peak, bad = sqlite3.connect('a.db'), {}, 0
for r in csv.DictReader(open('a.csv')):
    bad += int(r['requested']) > int(r['allocated']) or int(r['allocated']) - int(r['requested']) > 24 << 20
    peak[r['arm']] = max(peak.get(r['arm'], 0), int(r['requested']))
stored = dict(db.execute("SELECT arm, value FROM sample_text WHERE metric = 'memory.requested_peak_bytes' AND trial IN "
                         "(SELECT trial FROM memory_timeline)"))
print('requested:', bad, 'wrong;', 'its peaks are those of the trials' if peak == stored else (peak, stored))
P
"$SPABENCH" show a.db:/after --memory | awk -F, 'NR > 1 { seen[$1] } END { for (a in seen) print a }'
try show a.db:/nope --memory
try show missing.db: --memory
"$SPABENCH" run --db b.db --threads 1 --blocks 1 --trace-blocks 0 --arms before --cameras fixed --size 84x56 --frames 3 --grid 2 --support 2 --iterations 1 --quiet >/dev/null 2>&1
"$SPABENCH" show --db b.db --memory 2>&1 | sed "s/run '[0-9a-f]*'/run 'ID'/" | visible ''
python3 - <<'P'
import sqlite3
d = sqlite3.connect('a.db')
d.execute("UPDATE memory_timeline SET data = x'0100000001' WHERE trial = (SELECT min(trial) FROM memory_timeline)")
d.commit()
P
"$SPABENCH" show --db a.db --memory >out.csv 2>err; echo "exit $?"
visible '2> ' <err
