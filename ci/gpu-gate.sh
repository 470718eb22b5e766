#!/usr/bin/env bash
# The regression gate on a runner with an NVIDIA GPU: builds, measures this build against a baseline, and decides. As
# root or with sudo where packages are missing.
#   ci/gpu-gate.sh                      against the baseline `main`; minutes for the build, then some two minutes
#   ci/gpu-gate.sh --set                measures this build and makes it the baseline, for the branch that others meet
#   ci/gpu-gate.sh --baseline NAME      another baseline
#   ci/gpu-gate.sh --allow-inconclusive what could not be decided is 0 and not 5, for a service that knows no third way
# With --built as well: nothing is installed or built, build/release is taken as it is (ci/gpu.sh has more on that).
# From the environment: VIDEO=FILE is measured instead of the built-in clip, which ffmpeg decodes; a baseline keeps which
# it was. SPABENCH_DB=FILE is the database that the baseline lies in; it must outlive the job
# [$HOME/.local/share/spabench/gate.db]. Thresholds: spabench.ini in the folder that this is called from, else what
# 'spabench calibrate' found for this machine and case, else the defaults of 'spabench gate'.
# Results in build/gate: gate.txt, gate.xml (JUnit), gate.db (a copy), report/. Within GitHub Actions the step's summary
# and annotations, too.
# Exit codes are those of `spabench gate`: 0 no regression, 1 one, 3 this machine cannot, and why, 4 the build or the
# measurement failed, 5 could not be decided. No baseline of this machine yet: it is made, and the code is 0.
set -euo pipefail
# shellcheck source=ci/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=ci/gpu-common.sh
. "$root/ci/gpu-common.sh"

usage() {
	echo "usage: ${0##*/} [--set] [--baseline NAME] [--allow-inconclusive] [--built]" >&2
	exit 2
}

mode=gate
baseline=main
built=
inconclusive=5
while [ $# -gt 0 ]; do
	case $1 in
	--set) mode=set ;;
	--allow-inconclusive) inconclusive=0 ;;
	--built) built=yes ;;
	--baseline)
		case ${2:-} in
		'' | .* | *[!A-Za-z0-9._-]*) usage ;; # it names a folder as well
		esac
		baseline=$2
		shift
		;;
	*) usage ;;
	esac
	shift
done

# One measurement on a machine at a time, whichever project asks. The lock goes with the process.
lock() {
	exec 9>"${TMPDIR:-/tmp}/spabench-gpu.lock" || die "cannot make a lock file in ${TMPDIR:-/tmp}"
	flock -n 9 || say "another measurement is going on; waiting for it"
	flock 9
}

# The program as it was when it became a baseline, so that a later one can be measured beside it: a folder for each time.
kept() {
	find "$(dirname -- "$db")" -maxdepth 1 -type d -name "$baseline.[0-9]*" 2>/dev/null | sort
}

# The old program goes when the new one is the baseline, and not before.
set_baseline() {
	local folder old

	say "this build becomes the baseline '$baseline'"
	old=$(kept)
	folder=$(dirname -- "$db")/$baseline.$(date +%s)
	mkdir -p -- "$folder"
	cp -- "$spabench" "$folder/"
	cp -- "$(dirname -- "$spabench")/libspabench_cuda.so" "$folder/"
	if ! "$folder/spabench" pairs --db "$db" "${case_options[@]}" --arms after </dev/null ||
		! "$folder/spabench" baseline set "$baseline" --db "$db" --exe "$folder/spabench" </dev/null; then
		rm -rf -- "$folder"
		exit 4
	fi
	[ -z "$old" ] || printf '%s\n' "$old" | while read -r folder; do rm -rf -- "$folder"; done
}

# What the program printed goes into gate.txt as well. Returns its exit code.
run_gate() {
	local code=0

	say "spabench gate --baseline $baseline"
	"$spabench" gate --baseline "$baseline" --db "$db" --junit "$out/gate.xml" --github </dev/null >"$out/gate.txt" ||
		code=$?
	cat -- "$out/gate.txt"
	return "$code"
}

# The table with its plots, and the database as it is now. Nothing of this decides.
keep_results() {
	"$spabench" report --db "$db" --out "$out/report" </dev/null || say "no report"
	"$spabench" merge --into "$out/gate.db" "$db" </dev/null || say "no copy of the database"
}

case_options=(--device cuda:0)
[ -z "${VIDEO:-}" ] || case_options+=(--video "$VIDEO")
out=$root/build/gate
spabench=$root/build/release/harness/cli/spabench
db=${SPABENCH_DB:-$HOME/.local/share/spabench/gate.db}
code=0
need_gpu
need_build
"$spabench" help gate >/dev/null 2>&1 || die "this build of spabench has no gate"
mkdir -p -- "$out" "$(dirname -- "$db")"
rm -rf -- "$out/gate.xml" "$out/gate.txt" "$out/gate.db" "$out/report"
check_gpu
lock
if [ "$mode" = set ] || [ -z "$(kept)" ]; then
	[ "$mode" = set ] || say "no baseline '$baseline' on this machine yet"
	set_baseline
else
	run_gate || code=$?
fi
keep_results
if [ "$code" -eq 5 ] && [ "$inconclusive" -eq 0 ]; then
	say "inconclusive, which is allowed"
	code=0
fi
exit "$code"
