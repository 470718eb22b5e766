# Tracks as files and on pictures.
save() {
	try_tiny --db s.db "$@" | grep -v '^[a-z]*: not tested\|^alloc: \|^2> spabench: planted'
}
save --save out.safetensors --save-npz tracks.npz --overlay frames
ls frames
head -c 4000 out.safetensors | grep -a -o '"tracks_[a-z0-9_]*"' | sort
grep -a -o '[a-z_]*\.npy' tracks.npz | sort | uniq -c
tail -c 2000 tracks.npz | grep -a -o -E 'not_finite=[0-9]*|^(arm|clip|weights)=.*'
echo '# over what is there; another arm, windows, a query that is not there from the beginning'
printf '0,20,20\n4,40,30\n' >queries
tiny=$(echo "$tiny" | sed 's/--grid 2 //')
save --frames 6 --window 4 --overlap 2 --queries queries --overlay frames --save-npz tracks.npz --save-arm before
ls frames
tail -c 2000 tracks.npz | grep -a '^arm='
echo '# where nothing can be written'
save --grid 2 --overlay tracks.npz
echo '# no file is left half-written'
find . -name '*.tmp'
