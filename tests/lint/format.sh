#!/bin/sh
# Every C file is as clang-format leaves it. Usage: format.sh SOURCE_TREE
. "$(dirname -- "$0")/tools.sh"
tool=$(find_tool clang-format) || exit 77
cd -- "$1" || exit 1
c_files harness kernels workloads reports tests | xargs "$tool" --dry-run -Werror || {
	echo "format them: $tool -i FILE.."
	exit 1
}
