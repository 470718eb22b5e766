# The longest clip, the most points and the largest frames that fit under a limit, and what is refused.
small='capacity --device cpu --threads 1 --cameras fixed --size 84x56 --support 2'
try $small --vram-limit 320M --grid 2 --arms after --most 6
"$SPABENCH" $small --vram-limit 290M --grid 2 --arms after --format csv --quiet >c.csv
awk -F, '$1 ~ /^after/ && $1 != "after.fails" { print $1, ($2 > 0 ? "is a number" : $0) } $1 == "after.fails" { print $1, /out of device memory: asked for/ }' c.csv | visible ''
"$SPABENCH" $small --vram-limit 330M --by grid --frames 3 --arms after --most 3 --format csv --quiet | grep -E '^(parameter|after.(largest|fails|tries))' | visible ''
# Points are one by one, to 1 %; sizes keep their aspect. What is tried is a file of points, which is gone afterwards.
mkdir points && TMPDIR=$PWD/points "$SPABENCH" $small --vram-limit 284M --by queries --frames 3 --arms after --most 400 --format csv --quiet | awk -F, '$1 ~ /largest$|tries$/ { print $1, ($2 > 16 || $1 ~ /tries/ ? "is a number" : $0) } $1 ~ /fails$/ { print $1, /out of device memory: asked for/ }' | visible ''
ls points
"$SPABENCH" $small --vram-limit 284M --by size --frames 3 --grid 2 --arms after --most 300 2>&1 | grep -E 'largest|tries|fits|fails|grows' | sed 's/: out of.*/: reason/' | visible ''
TMPDIR=/nonexistent "$SPABENCH" $small --vram-limit 300M --by queries --quiet 2>&1 | sed 's/spabench\.[A-Za-z0-9]*/spabench.RANDOM/' | visible ''
try capacity --by queries --grid 3 --vram-limit 1G
try capacity --by size --size native --vram-limit 1G
try capacity --by size --most 27
try $small --vram-limit 5M --grid 2 --arms before,after --quiet
try capacity --device cpu
try capacity --by frames --frames 3 --vram-limit 1G
try capacity --by grid --grid 3 --vram-limit 1G
try capacity --by nope
try capacity --most 2
try capacity --most 0
try capacity --arms nope
try capacity --vram-limit 5
try capacity --timeout 0
try capacity --preset nope --vram-limit 1G --device cpu --quiet
try capacity --video /nonexistent/clip.mp4
try capacity x.db
# What was found can be kept: a run that has nothing to compare.
"$SPABENCH" $small --vram-limit 290M --grid 2 --arms after --most 3 --quiet --db kept.db >/dev/null
"$SPABENCH" show --db kept.db | sed -E 's/^run [0-9a-f]+, [^,]*/run ID, WHEN/' | visible ''
try compare --db kept.db
try $small --vram-limit 320M --grid 2 --db /nonexistent/x.db
