#!/bin/sh
# report.sh SOURCE BUILD [PERCENT]: lines that ran, of those that could, for each file and folder of what is tested, from
# the counters that the tests left in BUILD. Fails when harness/ has less than PERCENT [85].
source=$(cd -- "$1" && pwd) || exit 99
build=$2
wanted=${3:-85}

counters=$(find "$build" -name '*.gcda' | wc -l)
[ "$counters" -gt 0 ] || {
	echo "no counters in $build: build with -DSB_COVERAGE=ON and run the tests" >&2
	exit 1
}
# gcov -t: the source with a count before every line; "-" where there is nothing to run, "#####" where it never ran.
find "$build" -name '*.gcda' -exec gcov -t -- {} + 2>/dev/null | awk -v root="$source/" -v wanted="$wanted" '
	/^ *-: *0:Source:/ {
		file = $0
		sub(/^ *-: *0:Source:/, "", file)
		ours = index(file, root) == 1
		sub(root, "", file)
		ours = ours && file ~ /^(harness|kernels|workloads|reports)\//
		next
	}
	!ours { next }
	{
		split($0, part, ":")
		count = part[1]
		line = part[2] + 0
		gsub(/[ *]/, "", count)
		if (line == 0 || count == "-")
			next
		if (!((file, line) in seen)) {
			seen[file, line] = 0
			total[file]++
		}
		if (count !~ /^[#=]/ && !seen[file, line]) {
			seen[file, line] = 1
			ran[file]++
		}
	}
	END {
		for (f in total) {
			printf "%6.1f %% %5d of %5d  %s\n", 100 * ran[f] / total[f], ran[f], total[f], f | "sort -k6"
			for (folder = f; sub(/\/[^\/]*$/, "", folder);) {
				all[folder] += total[f]
				hit[folder] += ran[f]
			}
		}
		close("sort -k6")
		print ""
		for (f in all)
			printf "%6.1f %% %5d of %5d  %s/\n", 100 * hit[f] / all[f], hit[f], all[f], f | "sort -k6"
		close("sort -k6")
		if (100 * hit["harness"] < wanted * all["harness"]) {
			printf "harness/ has less than %s %%\n", wanted
			exit 1
		}
	}'
