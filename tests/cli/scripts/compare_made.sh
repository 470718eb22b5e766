# The whole output of compare, on made-up numbers that are the same everywhere.
"$SB_MAKE_DB" made.db --arms 5 --blocks 12 --trace-blocks 6 --stages 10 --kinds 7 --seed 1 >/dev/null
try compare --db made.db
echo '# colour only where it is asked for'
"$SPABENCH" compare --db made.db --color always | grep -q "$(printf '\033')" && echo 'colour with always'
"$SPABENCH" compare --db made.db --color auto | grep -q "$(printf '\033')" || echo 'none into a pipe'
echo '# JSON: one document, nothing beside it'
"$SPABENCH" compare --db made.db --format json >../out 2>../err
code=$?
head -c 1 ../out
tail -n 1 ../out
visible '2> ' <../err
echo "[exit $code]"
