# What a report is written to, and what stands in its way. Without gnuplot, so that nothing depends on it.
mkdir bin
for program in sh awk cat cksum find ls head mkdir sort; do ln -s "$(command -v $program)" bin/; done
path=$PATH
PATH=$PWD/bin
cat "$SB_SOURCE/reports/examples/h200-before-after.db" >run.db
# here DIR: the files there, but for what is kept of the plots
here() {
	find "$1" -path "$1/plots" -prune -o -type f -print | sort
}
report() {
	echo "\$ spabench report --db run.db $*"
	"$SPABENCH" report --db run.db "$@" >../out 2>../err </dev/null
	code=$?
	show_output
}
report --out new
here new
echo '# without gnuplot it says so'
awk '/is missing here$/ { on = 1 } on' new/report.md
echo '# a gnuplot that fails is heard of, and the report is there'
mkdir fake
printf '#!/bin/sh\n[ "$1" = --version ] && { echo "gnuplot 5.4 patchlevel 4"; exit 0; }\nexit 3\n' >fake/gnuplot
PATH=$path chmod +x fake/gnuplot
(PATH=$PWD/fake:$PATH && report --out failing)
[ -s failing/report.md ] && PATH=$path rm -r failing fake
echo '# once more: its own files are replaced, others stay'
echo mine >new/mine.txt
echo old >new/report.md
printf '%s\n' index.html gone.txt ../outside.txt /etc/hostname .spabench-report >new/.spabench-report
echo x >new/gone.txt
echo x >outside.txt
report --out new
here new
cat outside.txt new/mine.txt
head -n 1 new/report.md
echo '# what is in the way'
mkdir full empty
echo mine >full/report.md
report --out full
cat full/report.md
report --out full --force
here full
report --out empty/
here empty
echo x >file
report --out file
report --out file/x
report --out nowhere/x
report --out ''
mkdir blocked blocked/index.html
report --out blocked --force
here blocked
echo '# what is asked for'
report --out new 8414fcb2 two
report --out new 1234
report --out new /no-such-arm
report --out one 8414fcb2/before
report --out one --format html
report --out new none.db:
echo '# no room: a limit on the size of files stands for the disk; nothing is left, nothing is lost'
before=$(cksum <new/index.html)
(
	ulimit -f 8
	report --out new
	report --out no-room
)
[ "$before" = "$(cksum <new/index.html)" ] && echo 'as it was'
here new
[ -e no-room ] || echo 'no such folder'
PATH=$path
