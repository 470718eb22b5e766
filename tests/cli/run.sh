#!/bin/sh
# run.sh WORK NAME EXIT ARGS..   one spabench command that must end with EXIT
# run.sh WORK NAME script        scripts/NAME.sh
# Compares the transcript with expected/NAME.txt; UPDATE_GOLDEN=1 rewrites that instead. Works in WORK/NAME, emptied.
# Environment: SPABENCH and SB_MAKE_DB, the programs; SB_SOURCE, the source tree.
sb_here=$(cd -- "$(dirname -- "$0")" && pwd) || exit 99
sb_work=$1/$2
sb_name=$2
sb_exit=$3
shift 3

rm -rf -- "$sb_work"
mkdir -p -- "$sb_work/cwd" && cd -- "$sb_work/cwd" || exit 99

# Nothing of the caller's surroundings may show in what is compared.
unset GITHUB_ACTIONS GITHUB_STEP_SUMMARY SPABENCH_DB SPABENCH_DATA SPABENCH_FAULT NO_COLOR COLUMNS OMP_NUM_THREADS
export LC_ALL=C TERM=dumb
. "$sb_here/lib.sh"

if [ "$sb_exit" = script ]; then
	. "$sb_here/scripts/$sb_name.sh" >"$sb_work/raw.txt"
else
	try "$@" >"$sb_work/raw.txt"
	if [ "$code" -ne "$sb_exit" ]; then
		echo "exit $code instead of $sb_exit"
		cat -- "$sb_work/raw.txt"
		exit 1
	fi
fi

pattern() {
	printf '%s' "$1" | sed 's/[][\\.*^$|]/\\&/g'
}
sed -E -e "s|$(pattern "$SPABENCH")|SPABENCH|g" -e "s|$(pattern "${SB_FAKE_CUDA_LIB:-none set}")|FAKE_CUDA|g" -e "s|$(pattern "$sb_work")|WORK|g" -f "$sb_here/normalise.sed" \
	<"$sb_work/raw.txt" >"$sb_work/actual.txt" || exit 99

sb_expected=$sb_here/expected/$sb_name.txt
if [ -n "$UPDATE_GOLDEN" ]; then
	cp -- "$sb_work/actual.txt" "$sb_expected"
	exit
fi
if ! diff -u -- "$sb_expected" "$sb_work/actual.txt"; then
	echo "not as expected; if it is right, UPDATE_GOLDEN=1 rewrites $sb_expected"
	exit 1
fi
