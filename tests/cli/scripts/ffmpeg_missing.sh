# Without ffmpeg a video cannot be decoded (exit 3); the built-in clip has a raw stand-in.
mkdir empty
echo x >clip.mp4
without() {
	(
		PATH=$PWD/empty
		export PATH
		"$SPABENCH" run $tiny "$@" 2>&1 </dev/null
		echo "[exit $?]"
	)
}
without --db a.db --video clip.mp4
without --db b.db
