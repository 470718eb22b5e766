# The memory trace of an arm, replayed as it was and under the other allocator; settings of the allocators.
unset PYTORCH_ALLOC_CONF PYTORCH_CUDA_ALLOC_CONF

# checked FILE: whether its check is equal, without the numbers
checked() {
	"$SPABENCH" replay "$1" --check --format csv | tr -d '\r' | sed -n 's/[0-9][0-9]*/N/g; /^check\|^policy/p'
}

for arm in before +alloc; do
	try_tiny --db t.db --arms before,+alloc --save-trace trace.txt --save-arm $arm | grep -v '^[a-z]*: '
	checked trace.txt
done
ls
echo '# settings'
try_tiny --db c.db --alloc-conf roundup_power2_divisions:2,per_process_memory_fraction:0.02 --save-trace conf.txt --arms before |
	grep -v '^[a-z]*: '
sed -n 's/limit_bytes.*/limit_bytes/; /^conf\|^limit/p' conf.txt
checked conf.txt
"$SPABENCH" show --db c.db --format json | grep -c 'roundup_power2_divisions'
for format in text markdown json; do
	"$SPABENCH" compare --db c.db --format $format | grep 'alloc.conf'
done
"$SPABENCH" show --db c.db --all | grep '^  alloc-conf'
echo '# settings in the environment are for replay'
NVIDIA_TF32_OVERRIDE=0 PYTORCH_CUDA_ALLOC_CONF=max_split_size_mb:64 "$SPABENCH" run $tiny --db f.db --arms before 2>&1 >/dev/null </dev/null | visible '2> '
"$SPABENCH" show --db f.db --all | grep -c '^  alloc-conf'
try run --resume --alloc-conf max_split_size_mb:64 --db c.db
try run --alloc-conf expandable_segments:True
try run --alloc-conf max_split_size_mb:3
try run --save-trace ''
try_tiny --db d.db --arms before --save-trace no/such/folder.txt | grep -v '^[a-z]*: '
echo '# the churn workload has no results, and a memory trace'
try run --workload churn --db e.db --threads 1 --blocks 1 --trace-blocks 0 --arms before --seed 1 --quiet --save-trace churn.txt |
	grep -v '^[a-z]*: '
checked churn.txt
