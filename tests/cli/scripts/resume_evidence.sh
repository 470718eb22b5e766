# A resumed run judges its switches by all of its trials, also by those that an earlier process ran.
plan='--arms before,after --blocks 1 --trace-blocks 4 --seed 3'
# A block that was cut short is run again as a whole, so the resumed run may have one trial more.
evidence() {
	grep -E '^(precision|attention|alloc): ' |
		sed -E 's/, [0-9]+ % of their time//; s/[0-9]+ of [0-9]+ /N of N /; s/[0-9]+ pages/N pages/; s/ [56] trials/ 5 or 6 trials/'
}
has_traces() {
	"$SPABENCH" compare --db r.db 2>/dev/null | grep -q '^  blocks .* [1-9][0-9]* trace'
}
"$SPABENCH" run $tiny $plan --db whole.db 2>/dev/null </dev/null | evidence >../whole
"$SPABENCH" run $tiny $plan --db r.db >../run.out 2>&1 </dev/null &
pid=$!
eventually 60 has_traces || echo 'no trace trial within 60 s'
kill -INT $pid
wait $pid
echo "[exit $?]"
"$SPABENCH" run --resume --quiet --db r.db 2>/dev/null </dev/null | evidence >../resumed
wc -l <../whole
diff ../whole ../resumed && echo 'the same evidence'
# A run that was killed is judged by what it has, by a program that runs nothing; more can still be added.
"$SPABENCH" run $tiny $plan --db k.db >../run.out 2>&1 </dev/null &
pid=$!
has_traces() {
	"$SPABENCH" compare --db k.db 2>/dev/null | grep -q '^  blocks .* [1-9][0-9]* trace'
}
eventually 60 has_traces || echo 'no trace trial within 60 s'
kill -KILL $pid
wait $pid
"$SPABENCH" run --resume --as-it-is --db k.db 2>../as_it_is.err </dev/null | evidence | sed 's/over [0-9]* trials/over N trials/'
cat ../as_it_is.err
outcome k.db | sed -E 's/[0-9]+ (ok|trace)/N \1/g'
