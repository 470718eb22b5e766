#!/usr/bin/env bash
# For a runner with an NVIDIA GPU: builds with the CUDA backend, runs the tests labelled gpu, measures a short
# before/after on the first GPU and prints its table. As root or with sudo where packages are missing.
#   ci/gpu.sh               tests and table: minutes for the build, then five minutes on an H200
#   ci/gpu.sh --sanitize    compute-sanitizer over the preset tiny instead: memcheck, initcheck, racecheck
# With --built as well: nothing is installed or built, build/release is taken as it is. For a runner with a GPU but no
# packages: build on another machine at the same path (SB_CUDA=ON, see ci/common.sh) and bring the tree.
# VIDEO=FILE in the environment is measured instead of the built-in clip, which ffmpeg decodes.
# Exit codes: 0 all is well; 1 a test failed or the sanitizer complained; 3 this machine cannot, and why; 4 the build or
# the measurement failed. build/release/gpu.xml has the tests' results for machines, build/gpu/gpu.db the measurement.
set -euo pipefail
# shellcheck source=ci/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=ci/gpu-common.sh
. "$root/ci/gpu-common.sh"

usage() {
	echo "usage: ${0##*/} [--sanitize] [--built]" >&2
	exit 2
}

mode=measure
built=
for option in "$@"; do
	case $option in
	--sanitize) mode=sanitize ;;
	--built) built=yes ;;
	*) usage ;;
	esac
done

run_tests() {
	local code=0

	say "tests labelled gpu"
	cd -- "$root"
	# A runner of its own: what tracing may cost is held to as it stands.
	SB_PERF_STRICT=1 ctest --preset release -L '^gpu$' --no-tests=error --output-junit "$root/build/release/gpu.xml" </dev/null || code=$?
	[ $code -eq 0 ] || failed+=("tests")
}

# Two arms, six blocks: the least that gives intervals. On a small card the clip gets shorter, and the table says so.
measure() {
	say "spabench run: before and after, six blocks"
	if ! "$spabench" run --db "$out/gpu.db" --device cuda:0 --arms before,after --blocks 6 --trace-blocks 6 \
		${VIDEO:+--video "$VIDEO"} </dev/null; then
		echo "${0##*/}: the measurement failed" >&2
		exit 4
	fi
	say "spabench compare"
	"$spabench" compare --db "$out/gpu.db" || exit 4
}

# sanitize TOOL SECONDS ARMS [OPTION..]: the smallest run there is; the worker is a child of the program. $part, if set,
# tells apart the logs of several runs of one tool.
sanitize() {
	local tool=$1 limit=$2 arms=$3 code=0 log=$out/$1-$3${part:-}.txt

	shift 3
	say "compute-sanitizer $tool, $arms${part:-}: at most $limit s"
	timeout -s KILL "$limit" "$sanitizer" --tool "$tool" --target-processes all --error-exitcode 86 --print-limit 20 "$@" \
		"$spabench" run --preset tiny --frames 3 --size 84x56 --grid 2 --support 2 --iterations 1 --cameras procrustes \
		--arms "$arms" --blocks 1 --trace-blocks 0 --timeout 1000 --seed 1 --device cuda:0 --quiet \
		${VIDEO:+--video "$VIDEO"} --db "$out/sanitize.db" </dev/null >"$log" 2>&1 || code=$?
	grep -E 'SUMMARY' "$log" || tail -n 3 -- "$log"
	case $code in
	0) ;;
	124 | 137) failed+=("$tool $arms${part:-} (not done after $limit s)") ;;
	*) failed+=("$tool $arms${part:-} (exit $code, see $log)") ;;
	esac
}

# The kernels that a file of ours defines, a line each.
kernel_names() {
	tr -s '\n\t ' '   ' <"$1" | sed -E 's/__launch_bounds__\(([^()]|\([^()]*\))*\)//g' |
		sed 's/__global__/\n&/g' | sed -nE 's/^__global__ +(static )?void +([a-z_0-9]+).*/\2/p' | sort -u
}

# Kernel by kernel, the first launches of each: all launches at once take more than a quarter of an hour. The libraries'
# kernels run unchecked, for no argument of ours can make them race; and without cuDNN, some of whose kernels end with
# "failed to handle a hardware exception" under this tool (CUDA 13.0, cuDNN 9.19), with which the worker loses the
# device. A kernel that this smallest run does not launch counts as clean: the tool does not say what it looked at.
racecheck() {
	local file name

	for file in "$root"/kernels/*.cu "$root"/kernels/*.cuh; do
		for name in $(kernel_names "$file"); do
			SPABENCH_CUDA_CONV=own part=-$name sanitize racecheck 120 before,best --kernel-name "kernel_substring=$name" \
				--launch-count 8
		done
	done
}

out=$root/build/gpu
spabench=$root/build/release/harness/cli/spabench
failed=()
need_gpu
need_build libcmocka-dev
mkdir -p -- "$out"
check_gpu
if [ $mode = sanitize ]; then
	sanitizer=$(find_tool compute-sanitizer) || die "no compute-sanitizer; it comes with the CUDA toolkit"
	sanitize memcheck 300 before,best
	sanitize initcheck 300 before,best
	racecheck
else
	run_tests
	measure
fi
[ ${#failed[@]} -eq 0 ] || {
	printf '%s: failed: %s\n' "${0##*/}" "${failed[*]}" >&2
	exit 1
}
