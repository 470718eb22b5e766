# What each switch brings, from a run of all combinations recorded on a GPU; and from runs that have not all of them.
cp "$SB_SOURCE"/reports/examples/h200-full.db full.db
chmod u+w full.db
section() {
	sed -n '/^effects/,/^claims/p' | sed '/^claims/d'
}
echo '$ spabench compare --effects --db full.db (effects)'
"$SPABENCH" compare --effects --db full.db 2>&1 </dev/null | section | head -n 100
echo '$ spabench compare --format markdown --db full.db (effects)'
"$SPABENCH" compare --format markdown --db full.db 2>&1 </dev/null | sed -n '/^#### effects/,/^#### claims/p'
echo '$ spabench compare --format csv --db full.db (effects)'
"$SPABENCH" compare --format csv --db full.db 2>&1 </dev/null | tr -d '\r' | cut -d, -f2- |
	grep -E '^(effect|effect at a level|all together|interaction|share),'
echo '$ spabench compare --format json --db full.db (effects)'
"$SPABENCH" compare --format json --db full.db 2>&1 </dev/null | sed -n '/"effects": \[/,/"claims": \[/p' | head -n 60
"$SB_MAKE_DB" made.db --arms 5 --blocks 6 --trace-blocks 0 --stages 1 --kinds 1 --seed 1 >/dev/null
echo '$ spabench compare --db made.db (effects)'
"$SPABENCH" compare --db made.db 2>&1 </dev/null | section
echo '$ spabench compare --effects --db made.db (effects)'
"$SPABENCH" compare --effects --db made.db 2>&1 </dev/null | section
