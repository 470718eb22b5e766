# The claims of a table for continuous integration: JUnit's XML, GitHub's step summary and annotations.
db=$SB_SOURCE/reports/examples/h200-full.db
cp "$SB_SOURCE/reports/examples/h200-churn.db" churn.db
"$SPABENCH" compare --db "$db" --junit claims.xml >../out && cat claims.xml
"$SPABENCH" compare --db "$db" | cmp - ../out && echo 'the table is as without --junit'
if command -v xmllint >/dev/null; then
	xmllint --noout --nonet --schema "$SB_SOURCE/tests/data/junit.xsd" claims.xml 2>&1
else
	echo 'claims.xml validates' # where nobody can say: tests/unit/test_ci.c says that it was skipped
fi

echo '--- within GitHub Actions'
export GITHUB_ACTIONS=true GITHUB_STEP_SUMMARY=$PWD/summary.md
echo 'what was there' >summary.md
"$SPABENCH" compare --db "$db" --github >../out2; echo "[exit $?]"
tail -n +"$(($(wc -l <../out) + 1))" ../out2
cat summary.md
"$SPABENCH" compare --db "$db" --github --format csv >../csv 2>../err; echo "[exit $?]"
grep -c '^::' ../csv ../err | sed 's/.*\///'
GITHUB_STEP_SUMMARY= "$SPABENCH" compare --db "$db" --github >../out3; cmp ../out2 ../out3 && echo 'annotations without a summary'

echo '--- outside'
GITHUB_ACTIONS= "$SPABENCH" compare --db "$db" --github >../out4 2>../err; echo "[exit $?]"
visible '2> ' <../err
cmp ../out ../out4 && echo 'and no annotation'

echo '--- what cannot be written'
mkdir folder
try compare --db churn.db --junit folder
try compare --db churn.db --junit no/such/claims.xml
try compare --db churn.db --junit churn.db
try compare --db churn.db --junit churn.db-wal
try compare --db churn.db --junit ''
try compare --db missing.db --junit claims.xml
GITHUB_STEP_SUMMARY=$PWD/folder try compare --db churn.db --github
GITHUB_STEP_SUMMARY=no/such/file try compare --db churn.db --github
[ -e no ] || ls

echo '--- of a gate: before anything is measured'
try gate --arms before,after --db gate.db --junit folder
try gate --arms before,after --db gate.db --junit gate.db
try gate --arms before,after --db gate.db --junit gate.db-shm
GITHUB_STEP_SUMMARY=$PWD/folder try gate --arms before,after --db gate.db --github
[ -e gate.db ] || echo 'no database was made'
