# Ctrl-C and SIGKILL while a worker is set up or saves: soon over, and nobody is left. An ffmpeg of ours takes its time.
mkdir bin
cat >bin/ffmpeg <<'END'
#!/bin/sh
echo $$ >>../ffmpeg.pids
[ -e ../decodes ] || exec sleep 60
rm ../decodes
for i in 1 2 3; do
	printf 'P6\n84 56\n255\n'
	head -c 14112 /dev/zero
done
END
chmod +x bin/ffmpeg
PATH=$PWD/bin:$PATH
export PATH
: >clip.mp4

# begin ARGS..: a run in the background, until its ffmpeg number $n was started
begin() {
	"$SPABENCH" run $tiny --video clip.mp4 "$@" >../out 2>../err </dev/null &
	pid=$!
	eventually 60 ffmpegs "$n" || echo 'no ffmpeg within 60 s'
	worker=$(children $pid)
	ffmpeg=$(tail -n 1 ../ffmpeg.pids)
}
ffmpegs() {
	[ "$(cat ../ffmpeg.pids 2>/dev/null | wc -l)" -eq "$1" ]
}
gone() {
	! alive "$pid" && ! alive "$worker" && ! alive "$ffmpeg"
}
# finish SIGNAL: send it; all three processes are to be gone within two seconds
finish() {
	kill -"$1" $pid
	eventually 2 gone && echo "SIG$1: all gone"
	{ wait $pid; } 2>/dev/null
	echo "[exit $?]"
	visible '2> ' <../err
}

echo '# while the run is set up: no database is left'
n=1
begin --db first.db
finish INT
n=2
begin --db first.db
finish TERM
ls
echo '# killed there'
n=3
begin --db killed.db
finish KILL
echo '# while results are saved: the run is complete'
: >../decodes
n=5
begin --db save.db --save x.safetensors
finish INT
outcome save.db
ls
