# Files that are videos, and files that are none.
tiny="$tiny --arms before" # what is looked at is the same in every arm
# Decoded, and no more: the trial then has no memory.
decoded() {
	printf '# %s\n' "$1" | visible ''
	"$SPABENCH" run $tiny --vram-limit 2M --db v.db --video "$1" >../out 2>../err </dev/null
	"$SPABENCH" compare --db v.db | grep -E '^  (case|trials)' | visible ''
	"$SPABENCH" show --db v.db --format json | grep -o '"clip_width.*'
	rm -f v.db*
}
command -v ffmpeg >/dev/null || {
	echo 'no ffmpeg on this machine' >&2
	exit 77
}
# What ffmpeg says differs from version to version.
video() {
	try_tiny --db v.db --video "$1" | sed 's/ffmpeg failed: .*/ffmpeg failed: REASON/' | grep -v '^[a-z]*: '
}
ffmpeg -v error -nostdin -f lavfi -i testsrc=size=64x48:rate=5:duration=1 -pix_fmt yuv420p ok.mp4
ffmpeg -v error -nostdin -f lavfi -i sine=duration=0.1 sound.wav
printf 'P6\n1 1\n255\nabc' >one.ppm
ffmpeg -v error -nostdin -i one.ppm -frames:v 1 one.png
: >empty.mp4
echo 'not a video' >text.mp4
mkdir folder
head -c 1000 ok.mp4 >cut.mp4
video ok.mp4
video missing.mp4
video folder
video empty.mp4
video text.mp4
video cut.mp4
video sound.wav
video one.png
video /dev/null
video ''
video http://127.0.0.1:9/x.mp4
echo '# names that mean something to a shell, to ffmpeg or to a terminal'
for name in -i.mp4 http:x.mp4 "sp ace 'q' \"d\" \$HOME \`id\`.mp4" "$(printf 'a\033[31mb\tc\nd.mp4')" 'a%03d.png' pipe:0; do
	cp ok.mp4 "./$name"
	decoded "$name"
done
echo '# a video that changes its size half-way: ffmpeg scales what follows to the size it began with'
ffmpeg -v error -nostdin -f lavfi -i testsrc=size=64x48:rate=5:duration=1 -c:v mpeg2video one.ts
ffmpeg -v error -nostdin -f lavfi -i testsrc=size=48x96:rate=5:duration=1 -c:v mpeg2video two.ts
cat one.ts two.ts >changing.ts
try_tiny --db changing.db --video changing.ts --frames 8 --vram-limit 2M | sed 's/arm .before.*/REASON/' | tail -n 2
"$SPABENCH" show --db changing.db --format json | grep -oE '"clip_(width|height)": [0-9]+'
echo '# bytes that are no UTF-8'
bad=$(printf 'bad\377.mp4')
cp ok.mp4 "./$bad"
decoded "$bad"
echo '# a clip shorter than asked for is played forward and back, and its own size'
try_tiny --db short.db --video ok.mp4 --frames 12 | grep '^2> '
try_tiny --db native.db --video ok.mp4 --size native --frames 3 | tail -n 2
