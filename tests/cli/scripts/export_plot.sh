# export plot: one picture, and what cannot be drawn.
cp "$SB_SOURCE/reports/examples/h200-before-after.db" run.db
mkdir tmp folder.svg bin
export TMPDIR="$PWD/tmp"
try export plot nope --db run.db --out x.svg
try export plot --db run.db --out x.svg
try export plot stages run.db: more --out x.svg
try export plot stages --db run.db
try export plot stages --db run.db --out x.gif
try export plot stages --db run.db --out -
try export plot stages --db run.db --out x.svg --stage track
try export plot stages --db none.db --out x.svg
try export plot stages --db run.db --out folder.svg
TMPDIR=/nonexistent "$SPABENCH" export plot stages --db run.db --out x.svg 2>&1 | sed 's/spabench\.[A-Za-z0-9]*/spabench.RANDOM/'
echo '# without gnuplot'
PATH=$PWD/bin "$SPABENCH" export plot stages --db run.db --out x.svg 2>&1
echo "[exit $?]"
if command -v gnuplot >/dev/null; then
	"$SPABENCH" export plot stages run.db: --out y.svg && head -c 5 y.svg | grep -q '<' && rm y.svg || echo 'no svg'
	"$SPABENCH" export plot stages run.db: --out y.png && head -c 4 y.png | grep -q PNG && rm y.png || echo 'no png'
	"$SPABENCH" export plot sweep run.db: --out y.svg 2>&1 | grep -q 'another number of frames' || echo 'sweep: no reason'
fi
ls tmp
ls [xy].* 2>/dev/null
true
