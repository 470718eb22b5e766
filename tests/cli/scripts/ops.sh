# Calls of ops lined up: compare --ops of runs that were recorded on a GPU, and what it refuses.
cp "$SB_SOURCE"/reports/examples/*.db .
chmod u+w ./*.db
try compare --ops --db h200-full.db
echo '$ spabench compare --ops --format csv (head)'
"$SPABENCH" compare --ops --db h200-full.db --format csv </dev/null | head -n 4
echo '$ spabench compare --ops --format markdown (head)'
"$SPABENCH" compare --ops --db h200-full.db --format markdown </dev/null | head -n 4
echo '# the parts are the whole: JSON against the roll-ups, and the share of all rows'
"$SPABENCH" compare --ops --db h200-full.db --format json </dev/null >ops.json
python3 - <<'END'
import json, sqlite3, statistics
j = json.load(open("ops.json"))
db = sqlite3.connect("h200-full.db")
for side, arm in (("before_ns", "before"), ("after_ns", "after")):
    sums = db.execute("SELECT sum(dur_ns) FROM rollup_text JOIN trial ON trial.id = trial JOIN arm ON arm.run = trial.run AND "
                      "arm.idx = trial.arm WHERE arm.name = ? AND rollup_text.kind != 'api' GROUP BY trial", (arm,)).fetchall()
    print(side, j["total"][side] == statistics.median(s for s, in sums), len(sums))
print("shares sum to one:", abs(sum(r["share"] for r in j["rows"]) - 1) < 0.01)
print("sorted:", all(abs(a["change_ns"]) >= abs(b["change_ns"]) for a, b in zip(j["rows"], j["rows"][1:])))
END
echo '$ spabench compare --ops, two arms by name, two runs (heads)'
"$SPABENCH" compare --ops h200-full.db:/+precision h200-full.db:/best </dev/null | sed -n '1,9p'
cp h200-full.db other.db
sqlite3_python="import sqlite3; db = sqlite3.connect('other.db'); db.execute(\"UPDATE run SET uid = 'f' || substr(uid, 2)\"); db.commit()"
python3 -c "$sqlite3_python"
"$SPABENCH" compare --ops h200-full.db:/before other.db:/after </dev/null | sed -n '1,11p'
try compare --ops h200-full.db:/after h200-before-after.db:/after
try compare --ops --db h200-full.db /after /after
try compare --ops --db h200-full.db /before /nope
try compare --ops --db h200-case-ii.db
try compare --ops --db h200-trace.db
try compare --ops --db h200-case-ii.db
try compare --ops --effects --db h200-full.db
try compare --ops --plot --db h200-full.db
