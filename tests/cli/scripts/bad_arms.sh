# Arms, factors and levels that are none, or that make no plan.
for list in nope '' , before,before before,+nope BEFORE 'before, after'; do
	try_tiny --arms "$list"
done
for list in nope '' precision,nope alloc,precision,alloc; do
	"$SPABENCH" run --factors "$list" >../out 2>../err </dev/null
	code=$?
	echo "\$ spabench run --factors '$list'"
	show_output
done
for set in '' precision precision= precision=bf16 =fp32 nope=1 precision.nope=fp32 attention.x=standard alloc==default; do
	try_tiny --set "$set"
done
try_tiny --all
try_tiny --factors alloc
try run --all --factors alloc
try_tiny --set precision=fp32 --set attention=standard --set alloc=default
try run --set precision=tf32 --blocks 1
set --
while [ $# -lt 34 ]; do
	set -- "$@" --set alloc=default
done
try_tiny "$@" | tail -n 2
ls
