# Weights from a file, and the synthetic ones into a file.
try export weights --out w.safetensors
try_tiny --weights-front w.safetensors --db w.db | grep -v '^[a-z]*: '
"$SPABENCH" compare --db w.db | grep -E '^  (case|points|device)' | visible ''
try_tiny --weights w.safetensors --db w.db | grep '\[exit'
echo '# both parts: the tracker alone, and with the front end'
try export weights --part track --out t.safetensors
try_tiny --weights t.safetensors --db t.db | grep '\[exit'
"$SPABENCH" compare --db t.db | grep '^  case'
try_tiny --weights w.safetensors --weights t.safetensors --db t.db | grep '\[exit'
"$SPABENCH" compare --db t.db | grep '^  case'
echo '# files in their folder'
ls
echo '# mistakes: before a database is made'
try_tiny --weights w.safetensors --weights-front w.safetensors --db no.db
try_tiny --weights-track w.safetensors --db no.db
try_tiny --weights missing --db no.db
try_tiny --weights '' --db no.db
try_tiny --weights . --db no.db
try_tiny --preset small --weights w.safetensors --db small.db
head -c 5000000 w.safetensors >cut
try_tiny --weights-front cut --db no.db
printf '\377\377\377\377\377\377\377\177{}' >absurd
try_tiny --weights-front absurd --db no.db
header='{"spatrack.Track3D.fnet.conv1.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
printf "\\$(printf %o ${#header})\\0\\0\\0\\0\\0\\0\\0%s0123" "$header" >track
try_tiny --weights track --db no.db
try_tiny --weights-front track --db no.db
try_tiny --weights-front t.safetensors --db no.db
try_tiny --weights t.safetensors --weights-track t.safetensors --db no.db
rm t.safetensors
test ! -e no.db || echo 'a database was made'
# begin DB: a run in the background, as $pid, with a trial or more in its database.
begin() {
	db=$1
	"$SPABENCH" run $tiny --weights w.safetensors --blocks 400 --db "$db" >../run.out 2>&1 </dev/null &
	pid=$!
	eventually 60 has_trials || echo 'no trial within 60 s'
}
has_trials() {
	"$SPABENCH" compare --db "$db" 2>/dev/null | grep -q '^  trials .*[1-9]'
}
cp w.safetensors changed
printf '\200' | dd of=changed bs=1 seek=5000002 conv=notrunc 2>/dev/null
cp w.safetensors kept

echo '# a file that changes while its run is interrupted'
begin r.db
kill -INT $pid
wait $pid
echo "[exit $?]"
cp changed w.safetensors
try run --resume --quiet --db r.db | sed -E "s/[0-9a-f]{16}/DIGEST/g"
echo '# a file that changes before another worker reads it'
cp kept w.safetensors
begin c.db
mv changed w.safetensors
kill -KILL $(children $pid)
wait $pid
echo "[exit $?]"
grep '^spabench run' ../run.out
echo '# a file that is gone'
rm w.safetensors
try run --resume --quiet --db r.db
echo '# exports that cannot be'
try export
try export traces
try export weights
try export weights now --out x
try export weights --out x --part all
try export weights --out x --preset huge
try export weights --out .
try export weights --out missing/x
(
	ulimit -f 64
	try export weights --out x
)
ls x* 2>/dev/null || echo 'nothing is left'
