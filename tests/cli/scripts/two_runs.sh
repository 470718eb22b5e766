# Two runs at once into one new database: both are complete.
for i in 1 2; do
	"$SPABENCH" run $tiny --blocks 8 --db both.db >../out$i 2>../err$i </dev/null &
	eval "pid$i=\$!"
done
wait "$pid1"
echo "[exit $?]"
wait "$pid2"
echo "[exit $?]"
cat ../err1 ../err2 | visible '2> '
for i in 1 2; do
	id=$(sed -n 's/^run \([0-9a-f]*\):.*/\1/p' ../out$i)
	"$SPABENCH" compare --db both.db "$id" | grep -E '^(run|  trials)' | sed 's/  *$//'
done
