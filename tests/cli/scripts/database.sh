# Databases that are none.
both() {
	try_tiny --db "$1"
	try compare --db "$1"
}
mkdir folder
echo 'just text' >text.db
: >empty.db
both folder
both text.db
both text.db/x.db
both missing/x.db
both ''
both /dev/null
both .
try compare --db missing.db
try compare --db empty.db
echo '# an empty file is a new database for run'
try_tiny --db empty.db | tail -n 2
outcome empty.db
echo '# cut short'
head -c 100 empty.db >cut100.db
head -c 3000 empty.db >cut3000.db
head -c 50000 empty.db >cut50000.db
for db in cut100 cut3000 cut50000; do
	both $db.db
done
echo '# the header of SQLite, another application id'
{
	head -c 68 empty.db
	printf 'ABCD'
	tail -c +73 empty.db
} >other.db
both other.db
echo '# compare changes nothing and leaves nothing behind'
cksum empty.db >before.txt
"$SPABENCH" compare --db empty.db >/dev/null
cksum empty.db | cmp - before.txt && ls empty.db*

echo '# a folder that may not be written to'
mkdir locked
cp empty.db locked/old.db
chmod 555 locked
chmod 444 locked/old.db
if [ "$(id -u)" -ne 0 ]; then
	as_nobody() { "$@"; }
elif command -v setpriv >/dev/null && setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$SPABENCH" -a -r . 2>/dev/null; then
	as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
else # root cannot lose its rights here: say what would have been said
	as_nobody() { sh -c 'cat "$1"' sh "$SB_SOURCE/tests/cli/scripts/database.as_root.txt"; return 4; }
fi
as_nobody "$SPABENCH" run $tiny --db locked/new.db 2>&1 </dev/null | visible '2> '
as_nobody "$SPABENCH" run $tiny --db locked/old.db 2>&1 </dev/null | visible '2> '
as_nobody "$SPABENCH" compare --db locked/old.db 2>&1 </dev/null | grep '^  trials'
chmod 755 locked
