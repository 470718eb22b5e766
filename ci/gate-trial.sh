#!/usr/bin/env bash
# How often gates fail, pass and cannot say: N gates of a build against itself and N with a planted slowdown, and what
# was seen. Some minutes to an hour; on the machine that gates are to run on, as busy as it is then.
#   ci/gate-trial.sh [--spabench FILE] [--db FILE] [--gates N] [--planted N] [--plant PERCENT] [--budget SECONDS]
#       [--calibrate PAIRS] [-- OPTIONS]
# 20 gates, 10 with 25 %, 60 s each; default thresholds, or those of a calibration. OPTIONS say what is run, as for
# `spabench pairs`.
# Exit 0: no gate without a slowdown failed, 60 % of them passed, and every one with it failed; 1: not so; 4: an error.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
spabench=$root/build/release/harness/cli/spabench
db=$root/build/gate-trial.db
gates=20
planted=10
plant=25
budget=60
calibrate=0

usage() {
	echo "usage: ${0##*/} [--spabench FILE] [--db FILE] [--gates N] [--planted N] [--plant PERCENT] [--budget SECONDS]" \
		"[--calibrate PAIRS] [-- OPTIONS]" >&2
	exit 2
}

while [ $# -gt 0 ] && [ "$1" != -- ]; do
	[ $# -ge 2 ] || usage
	case $1 in
	--spabench) spabench=$2 ;;
	--db) db=$2 ;;
	--gates) gates=$2 ;;
	--planted) planted=$2 ;;
	--plant) plant=$2 ;;
	--budget) budget=$2 ;;
	--calibrate) calibrate=$2 ;;
	*) usage ;;
	esac
	shift 2
done
[ $# -eq 0 ] || shift

# run N PERCENT: so many gates; their outcomes in $pass, $fail and $open.
run() {
	local code i began output

	pass=0 fail=0 open=0
	for ((i = 1; i <= $1; i++)); do
		began=$(date +%s)
		code=0
		output=$("$spabench" gate --db "$db" --baseline trial --budget "$budget" --plant "$2" --quiet) || code=$?
		case $code in
		0) pass=$((pass + 1)) ;;
		1) fail=$((fail + 1)) ;;
		5) open=$((open + 1)) ;;
		*) exit 4 ;;
		esac
		echo "planted $2 %, gate $i: exit $code in $(($(date +%s) - began)) s, load $(cut -d ' ' -f 1 /proc/loadavg): ${output%%$'\n'*}"
	done
}

if [ "$calibrate" -gt 0 ]; then
	"$spabench" calibrate --db "$db" --pairs "$calibrate" --quiet "$@"
else
	"$spabench" pairs --db "$db" --arms after --pairs 1 --quiet "$@" >/dev/null
fi
"$spabench" baseline set trial --db "$db"
run "$gates" 0
echo "$gates gates without a slowdown: $fail fail, $pass pass, $open inconclusive"
code=0
[ "$fail" -eq 0 ] && [ $((pass * 10)) -ge $((gates * 6)) ] || code=1
run "$planted" "$plant"
echo "$planted gates with $plant % planted: $fail fail, $pass pass, $open inconclusive"
[ "$fail" -eq "$planted" ] || code=1
exit "$code"
