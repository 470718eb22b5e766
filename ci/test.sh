#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test that needs no GPU. As root or with sudo.
#   ci/test.sh          the release build: unit tests, command line, speed, lint
#   ci/test.sh --asan   the tests again under the address and undefined-behaviour sanitizers
#   ci/test.sh --tsan   the tests of what has threads, under the thread sanitizer (clang with its own OpenMP)
#   ci/test.sh --lint   formatting, includes and clang-tidy alone, the last with the analyzer's findings (minutes)
# The exit code is CTest's; build/PRESET/junit.xml has the results for machines.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

# run_tests PRESET [CTEST-OPTION..]: perf tests run alone (RUN_SERIAL), the others share the cores.
run_tests() {
	local preset=$1

	shift
	cd -- "$root"
	exec ctest --preset "$preset" -j "$(nproc)" --output-junit "$root/build/$preset/junit.xml" "$@" </dev/null
}

case ${1:-} in
'' | --asan | --tsan | --lint) [ $# -le 1 ] ;;
*) false ;;
esac || {
	echo "usage: ${0##*/} [--asan | --tsan | --lint]" >&2
	exit 2
}

need_packages "${build_packages[@]}" libcmocka-dev clang-format clang-tidy
case ${1:-} in
'')
	build release
	run_tests release
	;;
--asan)
	build asan
	run_tests asan
	;;
--tsan)
	need_packages clang libomp-dev
	build tsan
	run_tests tsan
	;;
--lint)
	build release
	"$root/tests/lint/tidy.sh" "$root" "$root/build/release" analyze || say "clang-tidy has complaints"
	run_tests release -L lint
	;;
esac
