# Replays on a device's own memory: the CPU's, and that of a CUDA backend that says and does what it is told.
unset PYTORCH_ALLOC_CONF PYTORCH_CUDA_ALLOC_CONF
trace=$SB_SOURCE/tests/data/traces/round_default.txt.gz
cat >holes.txt <<END
spabench-trace 1
source a test
device_bytes 150109880320
begin
a 0 7f0000000000 83886080
a 0 7f0010000000 8388608
a 0 7f0020000000 83886080
a 0 7f0030000000 8388608
f 1 7f0000000000
f 1 7f0020000000
a 2 7f0040000000 125829120
end 7
END
# on DEVICE ARGS..: what does not depend on the machine; a time is there or not
on() {
	echo "\$ replay --device $*"
	"$SPABENCH" replay holes.txt --format csv --device "$@" >../out 2>../err </dev/null
	code=$?
	tr -d '\r' <../out | grep -E '^(device_bytes|limit_bytes|peak_reserved|out_of|retries|obtained|driver_|first)' |
		awk -F, '$1 == "driver_time" { $2 = $2 > 0 ? "SOME" : "NONE" } /^driver_time\./ { next } { print $1, $2 }' |
		visible ''
	visible '2> ' <../err
	echo "[exit $code]"
}
echo '# the same decisions as without a device'
same() {
	"$SPABENCH" replay "$trace" --format csv "$@" | grep -vE '^(device|obtained|work_time|driver_(time|calls\.))'
}
for policy in default expandable stitched none; do
	same --alloc $policy >without
	same --alloc $policy --device cpu >with
	cmp without with && wc -l <with
done
echo '# what the driver is asked for'
for policy in default expandable stitched none; do
	on cpu --alloc $policy --limit 1GiB
done
echo '# less memory than it takes'
on cpu --alloc default --limit 128MiB
on cpu --limit 1GiB --conf per_process_memory_fraction:0.125,expandable_segments:True

echo '# devices'
on cuda:0
on tape
on cuda:x
on ''
try replay holes.txt --device cpu --check
SPABENCH_CUDA_LIB=$SB_FAKE_CUDA_LIB SPABENCH_NVML=none
export SPABENCH_CUDA_LIB SPABENCH_NVML SB_FAKE_CUDA
for SB_FAKE_CUDA in devices=1 capability=75 crash fails_at=3 deadly; do
	echo "# $SB_FAKE_CUDA"
	on cuda:0 --alloc stitched --limit 1GiB
done
echo '# full'
SB_FAKE_CUDA=devices=1
on cuda:0 --alloc none --limit 64MiB
echo '# a bad trace is bad there, too'
printf 'spabench-trace 1\nbegin\na 0 200 512\nf 1 400\nend 2\n' >bad.txt
try replay bad.txt --device cuda:0
try replay none.txt --device cuda:0
