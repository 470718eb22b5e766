# The arms of a plan on a GPU: the default, some factors, every combination; and the tables of so many arms.
SPABENCH_CUDA_LIB=$SB_FAKE_CUDA_LIB
export SPABENCH_CUDA_LIB
plan='--preset tiny --frames 3 --size 84x56 --grid 2 --support 2 --iterations 1 --threads 1 --blocks 1 --trace-blocks 0 --seed 1 --quiet'
# arms ARGS..: of a run with these options
arms() {
	"$SPABENCH" run $plan --db plan.db "$@" >../out 2>../err </dev/null
	echo "$* [exit $?]"
	grep -v planted ../err | visible '2> '
	"$SPABENCH" compare --db plan.db >../table
	sed -n '/^  trials/p; /^  arms/,/^  [b-z]/p' ../table | grep -v -e '^  [apt][a-z]* .*\(in effect\|not checked\)' | sed '/^  !/,$d'
}
arms --device cuda:0
arms --device cuda:0 --factors alloc
arms --device cuda:0 --factors precision,attention
echo '# every combination'
arms --device cuda:0 --all
grep -E '^[^ ].* -> ' ../table
sed -n '/^claims/,$p' ../table | grep -c 'needs arm'
for format in markdown csv json; do
	"$SPABENCH" compare --db plan.db --format $format >../$format || echo "$format failed"
done
for arm in before +precision +attention +precision+attention +alloc +precision+alloc +attention+alloc after; do
	grep -q -F -e "\"$arm\"" ../json && grep -q -F -e "$arm" ../csv && grep -q -F -e "$arm" ../markdown && echo "$arm"
done
cut -d , -f 2 ../csv | sort -u # groups
"$SPABENCH" compare --db plan.db /+alloc /+precision+attention >../out && grep -E '^[^ ].* -> ' ../out
