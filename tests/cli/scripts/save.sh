# Results as files: after the run, which is complete whatever comes of them.
alone='--arms before' # the files of one arm are as hard to make as those of two
save() {
	try_tiny --db s.db "$@" | grep -v '^[a-z]*: not tested\|^alloc: '
}
save --save out.safetensors --depth-images depth
ls depth
head -c 400 out.safetensors | grep -o '"arm":"[^"]*","levels":"[^"]*"' | head -n 1
save --save before.safetensors --save-arm before
head -c 400 before.safetensors | grep -o '"arm":"[^"]*"' | head -n 1
echo '# names'
esc=$(printf 'a\033[31m b')
bad=$(printf 'bad\377')
save $alone --save "$esc.safetensors" --depth-images "$bad"
ls "$esc.safetensors" "$bad" | wc -l
echo '# where nothing can be written'
save $alone --save no/such/folder/x
save $alone --save depth
save $alone --depth-images out.safetensors
mkfifo fifo
save $alone --save fifo
[ -p fifo ] || echo 'the fifo is gone'
outcome s.db
echo '# what makes no sense is refused before anything runs'
save --save x --save-arm best
save --save-arm before
save --save ''
save --depth-images ''
save --save-npz ''
save --overlay ''
save --save x --save-npz x
save --depth-images x --overlay x
# nothing is written over: the database, an input, another output by another name
try_tiny --db s.db --save s.db
try_tiny --db s.db --save-trace ./s.db-wal
printf '0,5,5\n' >points.txt
mkdir -p other
ln -sf ../points.txt other/same.txt
try_tiny --db s.db --support-file points.txt --save-npz other/same.txt
try_tiny --db s.db --save-trace new --save other/../new
cat points.txt
[ ! -e x ] || echo 'x is there'
echo '# the clip is another one by then'
mkdir frames
cp "$SB_SOURCE"/tests/data/frames/00[012].png frames
"$SPABENCH" run $tiny --db c.db --video frames --blocks 8 --save c >../out 2>../err </dev/null &
pid=$!
eventually 60 has_trials c.db
cp "$SB_SOURCE/tests/data/frames/003.png" frames/001.png
wait "$pid"
echo "[exit $?]"
visible '2> ' <../err
[ ! -e c ] || echo 'c is there'
echo '# no file is left half-written'
ls | grep tmp
