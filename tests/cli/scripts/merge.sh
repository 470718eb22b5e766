# Databases of several runners, joined.
"$SB_MAKE_DB" a.db --runs 2 --blocks 6 --trace-blocks 1 --stages 3 --seed 1
"$SB_MAKE_DB" b.db --blocks 6 --trace-blocks 1 --stages 5 --seed 2
cat a.db b.db >../before

try merge --into all.db a.db b.db
try merge --into all.db a.db b.db all2.db
try merge --into all.db b.db a.db b.db
cat a.db b.db | cmp - ../before && echo 'the runners databases are as they were'
try doctor --db all.db >/dev/null
"$SPABENCH" compare --db all.db --format csv >../merged.csv
"$SPABENCH" compare --db b.db --format csv | cmp - ../merged.csv && echo 'the newest run is the one merged last'
ls

echo '--- the same run, and not the same'
"$SB_MAKE_DB" other.db --blocks 7 --trace-blocks 0 --stages 3 --seed 1
try merge --into all.db other.db | sed -E 's/[0-9a-f]{32}/ID/'

echo '--- what is no database of runs'
echo 'no database' >text.db
head -c 9000 b.db >cut.db
: >empty.db
mkdir folder.db
for wrong in text.db cut.db empty.db folder.db missing.db; do
	try merge --into all.db a.db $wrong
done
try merge --into text.db a.db
try merge --into new.db text.db
try merge --into new.db other.db cut.db
try merge --into no/such/folder.db a.db
ls

echo '--- what makes no sense'
ln -s all.db link.db
try merge --into all.db all.db
try merge --into all.db a.db ./link.db
try merge all.db a.db
try merge --into all.db
try merge --into '' a.db
try merge --into new.db a.db a.db a.db a.db a.db a.db a.db a.db a.db a.db
try merge --db all.db a.db
