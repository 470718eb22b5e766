# A database that cannot grow: exit 4, the trials before it are there. A limit on the size of files stands for the disk.
"$SPABENCH" run $tiny --db first.db >/dev/null 2>&1
size=$(wc -c <first.db)
blocks=$(((size + 100000) / 512)) # POSIX: ulimit -f counts 512 bytes
[ "$(sh -c 'ulimit -f 100; (head -c 90000 /dev/zero) 2>/dev/null >probe; wc -c <probe')" -lt 90000 ] ||
	blocks=$(((size + 100000) / 1024)) # a shell that counts 1024
(
	ulimit -f "$blocks"
	try_tiny --db full.db --blocks 2000
) | grep -Ev '^(precision|attention|alloc): ' | sed -E 's/[0-9]+ timing blocks/N timing blocks/' # how far the last words get
outcome full.db | sed -E 's/[0-9]+ ok/N ok/; s/[0-9]+ of [0-9]+/N of N/'
echo '# with room again, it is a database like any other'
try_tiny --db full.db | tail -n 2
echo '# no room for anything'
(
	ulimit -f 8
	try_tiny --db none.db
)
