#!/bin/sh
# Every C file is as clang-format leaves it. Usage: format.sh SOURCE_TREE
. "$(dirname -- "$0")/tools.sh"
tool=$(find_tool clang-format) || exit 77
cd -- "$1" || exit 1
bad=$(c_files harness kernels workloads reports tests | while read -r file; do
	"$tool" --dry-run -Werror "$file" 2>/dev/null || echo "$file"
done)
[ -z "$bad" ] || {
	echo "format these with $tool -i:"
	echo "$bad"
	exit 1
}
