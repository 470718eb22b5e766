# gate, baseline, calibrate: what is refused and how. What they measure: tests/unit/test_gate_result.c, ci/gate-trial.sh.
case='--trials 1 --frames 3 --size 84x56 --grid 2 --support 2 --iterations 1 --threads 1 --quiet'
# brief ARGS..: a command whose figures differ from run to run: its code and the first word of what it prints.
brief() {
	echo "\$ spabench $*"
	"$SPABENCH" "$@" >../out 2>../err </dev/null
	code=$?
	sed -n '1s/[: ].*//p' ../out
	visible '2> ' <../err
	echo "[exit $code]"
}

# too_short ARGS..: a budget that is refused, whatever a pair takes here.
too_short() {
	echo "\$ spabench $*"
	"$SPABENCH" "$@" </dev/null 2>../err
	code=$?
	sed -E 's/about [0-9]+ pairs of [0-9.]+ s/about N pairs of N s/; s/fewer than [0-9]+ nothing/fewer than N nothing/; s/--budget [0-9]+/--budget N/' ../err |
		visible '2> '
	echo "[exit $code]"
}

echo '# nothing there yet'
try gate
try gate main
try gate --baseline main --db none.db
ls
try baseline
try baseline list --db none.db
try baseline set main --db none.db
try baseline drop main --db none.db

echo '# a run of two processes, kept as a baseline with a binary of its own'
cp "$SPABENCH" old
"$SPABENCH" pairs --db g.db --arms after --exe ./old --pairs 1 $case >/dev/null 2>../err || visible '2> ' <../err
try baseline list --db g.db
for name in '' 'a b' a/b 'x:y' "$(printf 'e\033[31m')"; do
	try baseline set "$name" --db g.db
done
try baseline set main /before --db g.db
try baseline set main 0123456789 --db g.db
try baseline set main --db g.db --exe ./none
try baseline set main --db g.db | sed 's/([0-9a-f]*)/(DIGEST)/'
try baseline drop other --db g.db

echo '# what is measured is the baseline'
try gate --baseline other --db g.db
try gate --baseline main --db g.db --arms before
try gate --baseline main --db g.db --set alloc=default
try gate --baseline main --db g.db --exe a --exe b
try gate --baseline main --db g.db --exe ./none
try gate --baseline main --db g.db --exe . --quiet
try gate --baseline main --db g.db --quiet --trials 1 --size 98x56
try gate --baseline main --db g.db --quiet --trials 1 --threads 2

echo '# a design that cannot fail or pass'
# Three metrics of time, whatever share of the total a stage has here.
three="--threshold *=off --threshold total=10 --threshold front.dino=20 --threshold front.aggregator=20"
try gate --baseline main --db g.db --max-pairs 1 $three
try gate --baseline main --db g.db --max-pairs 8 $three
# as many as it says are accepted: then it is the budget
too_short gate --baseline main --db g.db --quiet --trials 1 --max-pairs 9 --budget 0.1 $three
try gate --baseline main --db g.db --max-pairs 65
try gate --baseline main --db g.db --threshold nothing=1
try gate --baseline main --db g.db --threshold total=0
try gate --baseline main --db g.db --threshold total=101
printf '[thresholds]\ntotal = 2 %%\nstages = much\n' >spabench.ini
try gate --baseline main --db g.db
try gate --baseline main --db g.db --config other.ini
printf '[gate]\nalpha = 0.1\nmax_pairs = 8\n' >spabench.ini
try gate --baseline main --db g.db $three
try gate --db g.db --exe ./old --exe "$SPABENCH"
printf '[gate]\nalpha = 1e-30\n' >spabench.ini
try gate --baseline main --db g.db $three
rm spabench.ini

echo '# too little time'
too_short gate --baseline main --db g.db --quiet --trials 1 --budget 0.1

echo '# the runs of refused gates are gone: the newest is the baseline, and it can be set again'
"$SPABENCH" list --db g.db | sed -n '2,$p' | wc -l
"$SPABENCH" compare --db g.db </dev/null | sed -n '1s/run .*//p'
"$SPABENCH" baseline set main --db g.db --exe ./old | sed -E 's/run [0-9a-f]+/run ID/; s/\([0-9a-f]*\)/(DIGEST)/'

echo '# a baseline that vanished'
mv old older
try gate --baseline main --db g.db
try gate --stored --exe "$SPABENCH" --db g.db
try gate --baseline main --db g.db --stored --other-machine
# memory alone: times differ from run to run
off="--threshold total=off --threshold stage.track.*=off"
"$SPABENCH" gate --baseline main --db g.db --quiet --stored $off --junit stored.xml </dev/null >../out 2>&1
echo "[exit $?]"
sed -E -e 's/ in [0-9]+ s;/ in N s;/' -e '2q' ../out
grep -c 'failures="0"' stored.xml
python3 -c "import sqlite3; db = sqlite3.connect('g.db'); db.execute(\"UPDATE worker SET build_id = 'gone' WHERE run = 1\"); db.commit()"
"$SPABENCH" gate --baseline main --db g.db --quiet --stored </dev/null 2>&1 | sed -E 's/against run [0-9a-f]+/against run ID/'
cp "$SPABENCH" old
echo >>old
try gate --baseline main --db g.db
mv older old

echo '# one of that name of another machine, whose binary is not here, does not stand in the way'
python3 - <<'END'
import sqlite3
db = sqlite3.connect("g.db")
db.execute("INSERT INTO baseline SELECT name, 'another machine', case_key, run, arm, '/not/here', exe_digest, created_ns + 1 FROM baseline")
db.commit()
END
too_short gate --baseline main --db g.db --quiet --trials 1 --budget 0.1
mv old older
try gate --baseline main --db g.db
mv older old
python3 -c "import sqlite3; db = sqlite3.connect('g.db'); db.execute(\"DELETE FROM baseline WHERE machine = 'another machine'\"); db.commit()"

echo '# a new build whose processes all end badly'
printf '#!/bin/sh\nSPABENCH_FAULT=fail:20 exec "%s" "$@"\n' "$SPABENCH" >bad
chmod +x bad
"$SPABENCH" gate --db g.db --arms after --exe ./old --exe ./bad --junit bad.xml $case </dev/null >../out 2>&1
echo "[exit $?]"
sed -n '1s/ in [0-9]* s;.*//p' ../out
grep -c '<failure message="fail: in 0 of 3 pairs' bad.xml

echo '# two at once'
"$SPABENCH" calibrate --db g.db --pairs 64 $case >/dev/null 2>&1 &
first=$!
until [ -n "$(pgrep -P $first)" ]; do sleep 0.1; done
try gate --baseline main --db g.db
kill -TERM $first
wait $first
"$SPABENCH" doctor --db g.db 2>&1 | grep -A 1 ' database ' | head -n 2

echo '# calibrate'
try calibrate --pairs 3
try calibrate --plant 2
try calibrate frob
try calibrate --format pdf
try baseline drop main --db g.db
try gate --baseline main --db g.db
