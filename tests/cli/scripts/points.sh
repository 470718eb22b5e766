# What is tracked, and how: files of points, grids, windows, cameras; and what is refused, before a database is made.
tiny="$tiny --arms before" # what is looked at is the same in every arm
bare='--frames 3 --size 84x56 --iterations 1 --threads 1 --blocks 1 --trace-blocks 0 --arms before --seed 1 --quiet'
# points ARGS..: a run, and what compare and show say of its points
points() {
	echo "# $*"
	"$SPABENCH" run $bare --db p.db "$@" >../out 2>../err </dev/null
	code=$?
	visible '2> ' <../err
	echo "[exit $code]"
	"$SPABENCH" compare --db p.db | grep -A1 '^  points' | visible ''
}
printf '# two of mine\n0, 10.5, 20\n\n2,83,55\r\n' >q.txt
printf '0,1,1\n1,40,20\n2,30,30\n0,70,50\n' >s.txt
points --queries q.txt --support 2
points --grid 1 --support 2
points --points 10 --support-file s.txt
points --points 1 --support 4 --support-file s.txt --cameras procrustes
points --grid 2 --support 0 --cameras fixed
points --frames 8 --grid 2 --support 2 --window 4 --overlap 2
points --frames 8 --grid 2 --support-file s.txt --support 2 --window 6 --overlap 2 --mode online
# refuse ARGS..: a run that must not begin
refuse() {
	echo "# $*"
	"$SPABENCH" run $bare --db no.db "$@" >../out 2>../err </dev/null
	code=$?
	show_output
	[ ! -e no.db ] || echo 'a database was made'
}
refuse --frames 2
refuse --grid 1 --support 0
refuse --grid 0
refuse --points 0
refuse --support -1
refuse --iterations 0
refuse --cameras none
refuse --mode live
refuse --window 2
refuse --window 513
refuse --overlap 0
refuse --window 4 --overlap 4
refuse --frames 8 --window 5 --mode online
refuse --queries missing
refuse --queries ''
refuse --queries .
mkfifo pipe
refuse --queries pipe
refuse --support-file pipe
refuse --video pipe
refuse --queries q.txt --grid 3
refuse --support 0 --support-file s.txt
refuse --support 3 --support-file s.txt
refuse --frames 3000 --window 3 --overlap 2
bad() {
	printf "$1\n" >bad.txt
	refuse --queries bad.txt
}
bad '3,1,1'
bad '0,84,1'
bad '0,1,-0.5'
bad '0,1'
bad '0,nan,1'
bad '0.5,1,1'
bad ''
printf '0,1,1\n3,1,1\n' >bad.txt
refuse --support-file bad.txt
echo '# a file that changes while its run is interrupted'
"$SPABENCH" run $bare --queries q.txt --support 2 --blocks 4000 --db r.db >../run.out 2>&1 </dev/null &
pid=$!
has_a_trial() {
	"$SPABENCH" compare --db r.db 2>/dev/null | grep -q '^  trials .*[1-9]'
}
eventually 60 has_a_trial || echo 'no trial within 60 s'
kill -INT $pid
wait $pid
echo "[exit $?]"
echo '0,12,20' >q.txt
try run --resume --quiet --db r.db | sed -E 's/[0-9a-f]{16}/DIGEST/g'
