# Every figure of a report is the database's: computed again from its samples, in another language.
command -v python3 >/dev/null || exit 77
for name in full before-after churn offload case-ii; do
	db=$SB_SOURCE/reports/examples/h200-$name.db
	"$SPABENCH" report --db "$db" --out $name >/dev/null || echo "no report of $name"
	"$SPABENCH" compare --db "$db" --format markdown >$name.md
	echo "$name: $(python3 "$SB_SOURCE/tests/tools/report_numbers.py" "$db" $name/index.html $name.md 2>&1 | sed 's/^[0-9]* figures/figures/')"
done
echo '# the check itself can fail: another number, another text, a number of nobody'
try_page() {
	sed "$1" full/index.html >page.html
	cmp -s full/index.html page.html && echo 'nothing was changed'
	python3 "$SB_SOURCE/tests/tools/report_numbers.py" "$SB_SOURCE/reports/examples/h200-full.db" page.html full.md 2>&1 |
		cut -c 1-72
}
try_page 's|>0\.332</data>|>0.333</data>|'
try_page 's|value="0\.3315|value="0.3316|'
try_page 's|</h1>| by 42</h1>|'
try_page 's|NVIDIA H200</bdi>|NVIDIA H2001</bdi>|'
