#!/usr/bin/env bash
# Installs what is missing, builds the fuzz targets of tests/fuzz and runs each of them. As root or with sudo.
#   ci/fuzz.sh [SECONDS [TARGET..]]   so long each [60]; all targets, or those named ("ppm y4m")
# New inputs are kept in build/fuzz/found/TARGET and used again next time; an input that fails is kept as
# build/fuzz/TARGET-crash-.. and given to the target again with build/fuzz/tests/fuzz/fuzz_TARGET FILE.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

seconds=${1:-60}
case $seconds in
'' | *[!0-9]* | 0)
	echo "usage: ${0##*/} [SECONDS [TARGET..]]" >&2
	exit 2
	;;
esac
[ $# -eq 0 ] || shift

need_packages "${build_packages[@]}" libcmocka-dev clang libclang-rt-dev libomp-dev
build fuzz

cd -- "$root/build/fuzz"
[ $# -gt 0 ] || set -- $(cd -- "$root/tests/fuzz/corpus" && printf '%s\n' *)
failed=()
for target; do
	say "fuzz $target: $seconds s"
	mkdir -p -- "found/$target"
	# Frames of gigabytes are announced by many inputs, and never written to: no limit on memory that is asked for.
	"tests/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=0 -max_len=4096 -verbosity=0 \
		-print_final_stats=1 -artifact_prefix="$target-" "found/$target" "$root/tests/fuzz/corpus/$target" \
		</dev/null || failed+=("$target")
done
[ ${#failed[@]} -eq 0 ] || {
	echo "${0##*/}: failed: ${failed[*]}" >&2
	exit 1
}
