#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test that needs no GPU. As root or with sudo.
#   ci/test.sh          the release build: unit tests, command line, speed, formatting, headers
#   ci/test.sh --asan   the tests again under the address and undefined-behaviour sanitizers
#   ci/test.sh --lint   clang-tidy over everything that is compiled
# The exit code is that of CTest (or of clang-tidy); build/PRESET/junit.xml has the results for machines.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

run_tests() {
	cd -- "$root"
	# Perf tests run alone (RUN_SERIAL); the others share the cores.
	exec ctest --preset "$1" -j "$(nproc)" --output-junit "$root/build/$1/junit.xml" </dev/null
}

case ${1:-} in
'' | --asan | --lint) [ $# -le 1 ] ;;
*) false ;;
esac || {
	echo "usage: ${0##*/} [--asan | --lint]" >&2
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
--lint)
	build release
	exec "$root/tests/lint/tidy.sh" "$root" "$root/build/release"
	;;
esac
