# A run from end to end: the lines on standard output and the progress, and what compare makes of it.
try run --frames 3 --size 84x56 --threads 1 --blocks 2 --trace-blocks 1 --seed 7 --note 'a first try' |
	sed -E 's/[0-9]+ of [0-9]+ /N of N /; s/[0-9.]+ MiB/SIZE/g; s/[0-9]+ pages/N pages/'
outcome spabench.db
echo '# the database can also be named by the environment, and one factor alone can be asked for'
SPABENCH_DB=here.db
export SPABENCH_DB
try_tiny --arms before
unset SPABENCH_DB
outcome here.db
"$SPABENCH" run $tiny --factors alloc --db factor.db >/dev/null 2>&1 </dev/null
"$SPABENCH" compare --db factor.db | grep '^  arms'
echo '# --all is every combination'
"$SPABENCH" run --frames 3 --size 28x28 --threads 1 --blocks 1 --trace-blocks 0 --quiet --all --db all.db >/dev/null 2>&1
outcome all.db | grep trials
echo '# the same levels under another name are no second arm'
try_tiny --set alloc=expandable --arms before,+alloc
