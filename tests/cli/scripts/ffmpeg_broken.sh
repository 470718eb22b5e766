# An ffmpeg that fails, talks nonsense, dies, or gives an endless stream.
mkdir bin
cp /dev/null clip.mp4
fake() {
	printf '#!/bin/sh\n%s\n' "$1" >bin/ffmpeg
	chmod +x bin/ffmpeg
	printf '# ffmpeg: %s\n' "$1"
	(
		PATH=$PWD/bin:$PATH
		export PATH
		try_tiny --db x.db --video clip.mp4
	)
}
fake 'echo "boom \033[31m red" >&2; exit 1'
fake 'exit 0'
fake 'exit 1'
fake 'kill -9 $$'
fake 'echo hello'
fake 'head -c 100000 /dev/zero'
fake 'printf "P6\n8 8\n255\nshort"'
fake 'printf "P6\n99999999 99999999\n255\n"'
fake 'printf "P6\n-8 8\n255\n"'
fake 'printf "P3\n8 8\n255\n1 2 3"'
fake 'yes'
echo '# not even a program'
echo x >bin/ffmpeg
(
	PATH=$PWD/bin
	export PATH
	"$SPABENCH" run $tiny --db y.db --video clip.mp4 2>&1 </dev/null
	echo "[exit $?]"
)
