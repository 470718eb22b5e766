# What is read without ffmpeg: folders of PNG images, Y4M and raw files.
tiny="$tiny --arms before" # what is looked at is the same in every arm
mkdir empty
clip() {
	echo "\$ spabench run [tiny] $*" | visible ''
	PATH=$PWD/empty "$SPABENCH" run $tiny --db i.db "$@" >../out 2>&1 </dev/null
	code=$?
	grep -v '^[a-z]*: not tested\|^alloc: ' ../out | sed -E 's/take [0-9.]+ GiB; at most [0-9]+/take SIZE; at most N/' | visible ''
	echo "[exit $code]"
}
# letters N: so many of them
letters() {
	head -c "$1" /dev/zero | tr '\0' a
}
mkdir pictures other none jpeg mixed
cp "$SB_SOURCE"/tests/data/frames/00[012].png pictures
cp "$SB_SOURCE"/tests/data/frames/000.png mixed/9.png
cp "$SB_SOURCE"/tests/data/frames/001.png mixed/10.png
cp "$SB_SOURCE"/tests/data/frames/002.png "mixed/11 'q' \"d\".png"
echo '# notes' >mixed/README
: >none/x.txt
: >jpeg/1.jpg
{ printf 'YUV4MPEG2 W64 H48 F25:1 Ip C420jpeg\n' && for i in 1 2 3; do echo FRAME && letters 4608; done; } >clip.y4m
letters 27648 >clip.raw
clip --video pictures
clip --video mixed
clip --video clip.y4m
clip --video clip.raw --raw 64x48
"$SPABENCH" compare --db i.db | grep '^  case'
echo '# and what is not'
clip --video none
clip --video jpeg
cp pictures/000.png other/1.png
head -c 5000 pictures/001.png >other/2.png
clip --video other
clip --video clip.raw --raw 64x47
clip --video clip.raw --raw 64
clip --raw 64x48
clip --video pictures --raw 64x48
clip --video clip.raw
head -c 9000 clip.y4m >cut.y4m
clip --video cut.y4m
sed '1s/420jpeg/420p10/' clip.y4m >deep.y4m
clip --video deep.y4m
{ printf 'YUV4MPEG2 W8192 H8192 C420jpeg\nFRAME\n' && letters 1000; } >large.y4m
clip --video large.y4m --frames 10000
echo '# an interrupted run of raw frames, its name no UTF-8, goes on with the same'
name=$(printf 'r\351.raw')
cp clip.raw "$name"
"$SPABENCH" run $tiny --db r.db --video "$name" --raw 64x48 --blocks 8 >/dev/null 2>&1 &
pid=$!
eventually 60 has_trials r.db
kill -INT "$pid" 2>/dev/null
wait "$pid"
outcome r.db | grep '^run'
"$SPABENCH" run --resume --db r.db --quiet >../out 2>&1 </dev/null
echo "[exit $?]"
outcome r.db | grep '^run'
