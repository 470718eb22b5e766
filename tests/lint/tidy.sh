#!/bin/sh
# clang-tidy over everything that is compiled. Usage: tidy.sh SOURCE_TREE BUILD_FOLDER [analyze]
# BUILD_FOLDER has a compile_commands.json. The path-sensitive analyzer takes ten times as long as all the rest and its
# findings are to be read, not to be counted (.clang-tidy says why), so it runs only when asked for.
. "$(dirname -- "$0")/tools.sh"
tool=$(find_tool clang-tidy) || exit 77
cd -- "$1" || exit 1
[ -f "$2/compile_commands.json" ] || {
	echo "no compile_commands.json in $2" >&2
	exit 1
}
checks=-clang-analyzer-*
[ "$3" = analyze ] && checks=
# Only what this build compiles has a command line to go by.
c_files harness kernels workloads reports | grep '\.c$' | while read -r file; do
	grep -q "\"file\": \".*/$file\"" "$2/compile_commands.json" && echo "$file"
done | xargs -n 2 -P "$(nproc)" "$tool" -p "$2" --checks="$checks" --quiet 2>/dev/null
