# Machines with a GPU as one finds them, on a CUDA backend that says what it is told (tests/tools/fake_cuda.c).
SPABENCH_CUDA_LIB=$SB_FAKE_CUDA_LIB SPABENCH_NVML=none
export SPABENCH_CUDA_LIB SPABENCH_NVML
# machine WORDS ARGS..: a tiny run on such a machine
machine() {
	SB_FAKE_CUDA=$1
	export SB_FAKE_CUDA
	echo "# $SB_FAKE_CUDA"
	shift
	try_tiny --db some.db "$@" | grep -v -e '^precision:' -e '^attention:' -e '^alloc:' -e 'planted'
}
echo '# auto takes the GPU'
try_tiny --preset tiny --db auto.db | tail -n 1
"$SPABENCH" show --db auto.db | grep -o 'NVIDIA Fake' | head -n 1
machine devices=1 --device cuda:9
machine devices=2 --device cuda:2
machine capability=75 --device cuda:0
machine refuses,driver=11040 --device cuda:0
machine driver=0 --device cuda:0
machine devices=0 --device cuda:0
machine full --device cuda:0
machine crash --device cuda:0
machine other --device cuda:0
CUDA_VISIBLE_DEVICES=
export CUDA_VISIBLE_DEVICES
machine hidden --device cuda:0
CUDA_VISIBLE_DEVICES=MIG-12345678
machine slice --device cuda:0
unset CUDA_VISIBLE_DEVICES
ls some.db 2>&1
echo '# the same with auto: a line, and the CPU'
for words in capability=75 full; do
	machine $words --preset tiny
done
unset SB_FAKE_CUDA
echo '# lost in the middle: nothing that was stored is'
SPABENCH_FAULT=lose:5000
export SPABENCH_FAULT
"$SPABENCH" run $tiny --preset tiny --blocks 2 --device cuda:0 --db lost.db >../out 2>../err </dev/null
echo "[exit $?]"
unset SPABENCH_FAULT
outcome lost.db | sed 's/at op [0-9]*/at op N/'
echo '# no CUPTI: timing goes on, tracing says why not'
SPABENCH_CUPTI=/nonexistent/libcupti.so
export SPABENCH_CUPTI
"$SPABENCH" run $tiny --preset tiny --trace-blocks 1 --device cuda:0 --db untraced.db >../out 2>../err </dev/null
echo "[exit $?]"
unset SPABENCH_CUPTI
outcome untraced.db
echo '# doctor'
"$SPABENCH" doctor >../out 2>../err
grep -E -A 2 '^  [a-z]+ +(device|gpu|cuda|cupti) ' ../out | grep -v '^--' | grep -v '^  [a-z]* *\(openmp\|driver\|cudnn\|counters\)'
for words in full crash; do
	SB_FAKE_CUDA=$words "$SPABENCH" doctor 2>&1 | sed -n '/ gpu  *device/,/not tested$/p'
done
echo '# what would change the precision of a library is taken away, and named where a GPU is used'
unset SB_FAKE_CUDA
NVIDIA_TF32_OVERRIDE=1
export NVIDIA_TF32_OVERRIDE
for device in auto cuda:0 cpu; do
	echo "$device"
	"$SPABENCH" run $tiny --preset tiny --arms before --device $device --db set.db 2>&1 >/dev/null </dev/null | grep OVERRIDE
	"$SPABENCH" micro gemm --preset tiny --device $device --vram-limit 1M 2>&1 >/dev/null | grep OVERRIDE
	"$SPABENCH" capacity --preset tiny --frames 3 --by grid --most 2 --cameras fixed --size 84x56 --threads 1 --vram-limit 5M --device $device --quiet 2>&1 >/dev/null | grep OVERRIDE
done
