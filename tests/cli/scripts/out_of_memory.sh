# Less memory than an arm needs. 10 frames of 224x224: the score matrices of standard attention take most of it. The
# weights of the preset take 237 MiB.
big='--frames 10 --size 224x224 --grid 2 --support 2 --iterations 1 --threads 1 --blocks 2 --trace-blocks 0'
big="$big --arms before,+attention --seed 1 --quiet"
sizes() {
	sed -E 's/[0-9]+\.[0-9] MiB/SIZE/g; s/[0-9]+ bytes/BYTES/g; s/limit of [0-9]+ with [0-9]+ held/limit of BYTES with BYTES held/'
}
echo '# before does not fit, +attention does'
"$SPABENCH" run $big --vram-limit 400M --db some.db >../out 2>../err </dev/null
code=$?
show_output | sizes
outcome some.db | sizes
"$SPABENCH" compare --db some.db | sed -n '/^claims/,$p' | grep attention
echo '# nothing fits'
"$SPABENCH" run $big --vram-limit 260M --db none.db >../out 2>../err </dev/null
code=$?
show_output | sizes
outcome none.db | sizes
echo '# not even the weights'
try_tiny --vram-limit 1M --db weights.db | sizes
outcome weights.db | sizes
echo '# all of it'
try_tiny --vram-limit 600M --db all.db | tail -n 2
outcome all.db
