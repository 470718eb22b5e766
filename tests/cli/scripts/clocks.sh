# Changes that are the clock's, and samples that are not what they seem: a recorded run whose figures were changed here
# (synthetic from here on), so that `after` does the work of `before` at another clock.
cp "$SB_SOURCE"/reports/examples/h200-full.db clocks.db
chmod u+w clocks.db
# change TIME CLOCK [DRIFT]: wall and stages of `after` are TIME times those of `before` in the block, the clock CLOCK
# times; DRIFT more from block to block.
change() {
	python3 - "$@" <<'END'
import sqlite3, sys
time, clock, drift = (float(a) for a in (sys.argv[1:] + ["0"])[:3])
db = sqlite3.connect("clocks.db")
q = "SELECT trial.id, block, metric.id, metric.name, value FROM trial JOIN arm ON arm.run = trial.run AND arm.idx = trial.arm " \
    "JOIN sample ON sample.trial = trial.id JOIN metric ON metric.id = sample.metric WHERE kind = 'timing' AND arm.name = ?"
before = {(b, m): v for _, b, m, _, v in db.execute(q, ("before",))}
for trial, block, metric, name, value in db.execute(q, ("after",)).fetchall():
    wobble = 1 + 0.0001 * (block * 7 % 10 - 4.5)
    if name == "wall_ns" or name.startswith("stage."):
        value = int(before[block, metric] * time * wobble * (1 + drift * block))
    elif name == "sm_mhz":
        value = before[block, metric] * clock
    elif name == "sm_cycles":
        value = int(before[block, metric] * time * clock * wobble * (1 + drift * block))
    elif name.startswith("device.throttled"):
        value = 0
    db.execute("UPDATE sample SET value = ? WHERE trial = ? AND metric = ?", (value, trial, metric))
db.execute("UPDATE sample SET value = 0 WHERE metric IN (SELECT id FROM metric WHERE name LIKE 'device.throttled%')")
db.commit()
END
	echo "# after: time x $1, clock x $2${3:+, drifting}"
	"$SPABENCH" compare --db clocks.db /before /after </dev/null >../out
	sed -n '/^before -> after/,/^  stages/p; /^  \[/p' ../out
	sed -n '/^  total time/,/^  fragm/p' ../out
	"$SPABENCH" compare --db clocks.db --format json </dev/null | python3 -c '
import json, sys
j = json.load(sys.stdin)
rows = {r["metric"]: r["cautions"] for r in j["groups"][0]["rows"] if r["metric"] in ("wall_ns", "stage.front.dino_ns", "sm_cycles")}
print(rows, [c["cautions"] for c in j["claims"] if c["id"] == "total_time"])'
}
change 1.03 0.970874
change 1.03 1
change 0.5 0.9
change 0.5 1 0.01
echo '# the same as pairs of processes'
python3 - <<'END'
import sqlite3
db = sqlite3.connect("clocks.db")
keep = {idx: name for idx, name in db.execute("SELECT idx, name FROM arm") if name in ("before", "after")}
for table, column in (("trial", "arm"), ("arm_level", "arm"), ("arm", "idx")):
    db.execute(f"DELETE FROM {table} WHERE {column} NOT IN ({','.join(map(str, keep))})")
    for new, old in enumerate(sorted(keep, key=lambda i: keep[i] == "after")):
        db.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (new, old))
db.execute("INSERT INTO fact SELECT id, 'pairs.kind', 'pairs', NULL FROM run")
db.commit()
END
change 1.03 0.970874 2>/dev/null | tail -n 0
"$SPABENCH" compare --db clocks.db </dev/null | grep -E -A 1 '^  (total|front.dino)' | visible ''
"$SPABENCH" compare --db clocks.db --format json </dev/null | python3 -c '
import json, sys
print({r["metric"]: r["cautions"] for r in json.load(sys.stdin)["rows"] if r["metric"] in ("wall_ns", "sm_cycles")})'
"$SPABENCH" compare --db clocks.db --format csv </dev/null | python3 -c '
import csv, sys
print({r["metric"]: [r[c] for c in ("clock", "throttled", "drifts", "bimodal")] for r in csv.DictReader(sys.stdin) if r["metric"] in ("wall_ns", "sm_cycles")})'

echo '# the same as two runs of different times'
cp "$SB_SOURCE"/reports/examples/h200-full.db clocks.db
# old NAME DIGIT FACTOR: NAME.db, the file as it is now as another run, all its times FACTOR times as long
old() {
	cp clocks.db "$1.db"
	python3 - "$@" <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1] + ".db")
db.execute("UPDATE run SET uid = ?", (sys.argv[2] * 32,))
db.execute("UPDATE sample SET value = value * ? WHERE metric IN (SELECT id FROM metric WHERE name LIKE '%\\_ns' ESCAPE '\\')", (float(sys.argv[3]),))
db.commit()
END
}
# two_runs REF REF: the rows that are told apart, in every format
two_runs() {
	"$SPABENCH" compare "$1" "$2" </dev/null | grep -E '^  (total|front.dino|SM cycles)' | visible ''
	"$SPABENCH" compare "$1" "$2" --format markdown </dev/null | grep -E '^. (metric|total) ' | visible ''
	"$SPABENCH" compare "$1" "$2" --format csv </dev/null | python3 -c '
import csv, sys
print({r["metric"]: [r[c] for c in ("clock", "throttled", "drifts", "bimodal")] for r in csv.DictReader(sys.stdin) if r["metric"] in ("wall_ns", "sm_cycles")})'
	"$SPABENCH" compare "$1" "$2" --format json </dev/null | python3 -c '
import json, sys
print({r["metric"]: r["cautions"] for r in json.load(sys.stdin)["rows"] if r["metric"] in ("wall_ns", "sm_cycles")})'
}
change 1.03 0.970874 >/dev/null
old a a 1.0002
two_runs clocks.db:/before a.db:/after
echo '# no change is named where what differs from run to run is as large'
old other b 1.02
"$SPABENCH" merge --into both.db clocks.db other.db </dev/null >/dev/null 2>&1 || echo "[exit $?]"
two_runs both.db:bebd/before a.db:/after
echo '# throttled and drifting'
change 1.03 1 0.01 >/dev/null
old b c 1
python3 - <<'END'
import sqlite3
db = sqlite3.connect("clocks.db")
db.execute("UPDATE sample SET value = 1 WHERE metric = (SELECT id FROM metric WHERE name = 'device.throttled') AND trial = "
           "(SELECT max(trial.id) FROM trial JOIN arm ON arm.run = trial.run AND arm.idx = trial.arm "
           "WHERE kind = 'timing' AND name = 'before')")
db.commit()
END
two_runs clocks.db:/before b.db:/after
