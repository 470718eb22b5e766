# The largest clip and grid that fit under a limit, and what is refused.
small='capacity --device cpu --threads 1 --cameras fixed --size 84x56 --support 2'
try $small --vram-limit 320M --grid 2 --arms after --most 6
"$SPABENCH" $small --vram-limit 290M --grid 2 --arms after --format csv --quiet >c.csv
awk -F, '$1 ~ /^after/ && $1 != "after.fails" { print $1, ($2 > 0 ? "is a number" : $0) } $1 == "after.fails" { print $1, /out of device memory: asked for/ }' c.csv | visible ''
"$SPABENCH" $small --vram-limit 330M --by grid --frames 3 --arms after --most 3 --format csv --quiet | grep -E '^(parameter|after.(largest|fails|tries))' | visible ''
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
