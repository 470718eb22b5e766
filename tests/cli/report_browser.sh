#!/bin/sh
# report_browser.sh WORK: a report, and how long it took, looked at in a headless browser; skipped where there is none.
# Pictures of it are left in WORK/pictures. The limits are those that users were promised: 10 s, 3 MB.
command -v python3 >/dev/null || {
	echo 'skipped: no python3 here'
	exit 77
}
rm -rf -- "$1"
mkdir -p -- "$1" && cd -- "$1" || exit 99
begun=$(date +%s)
"$SPABENCH" report --db "$SB_SOURCE/reports/examples/h200-full.db" --out report || exit 1
took=$(($(date +%s) - begun)) size=$(wc -c <report/index.html)
echo "$took s, $size bytes"
[ "$took" -le $((10 * ${SB_TEST_SLOWNESS:-1})) ] && [ "$size" -le 3000000 ] || exit 1
exec python3 "$SB_SOURCE/tests/tools/report_browser.py" report/index.html pictures
