# The guides: every command line in docs/guide.md and docs/reading.md has a command and options that exist, and those that need
# neither a GPU, nor a file of the user's, nor long are run, in order, on the smallest case there is. docs/extending.md names
# files and functions that exist.
run_it() {
	case $1 in
	run) "$SPABENCH" "$@" $tiny ;;
	report) PATH=/nonexistent "$SPABENCH" "$@" ;; # without plots
	*) "$SPABENCH" "$@" ;;
	esac
}
tiny=$(echo "$tiny" | sed 's/--trace-blocks 0/--trace-blocks 1/; s/--arms [^ ]*/--arms before,+precision/')
for guide in guide reading; do
	[ -f "$SB_SOURCE/docs/$guide.md" ] || exit 77
	sed -n '/^```sh/,/^```$/p' "$SB_SOURCE/docs/$guide.md" | grep '^spabench ' >../lines
	while read -r line <&3; do
		comment=${line#*#}
		[ "$comment" != "$line" ] || comment=
		set -- ${line%%#*}
		shift
		"$SPABENCH" help "$1" >../help 2>&1 || echo "no command: $line"
		for word; do
			case $word in
			--*) grep -q -e "^  ${word%%=*} " ../help || echo "no option $word: $line" ;;
			esac
		done
		case "$comment $*" in
		*GPU* | *--video* | *--all* | *--arms* | *pairs* | *calibrate* | *gate* | *baseline* | *doctor*) # transcripts of their own
			echo "checked: $*"
			;;
		*)
			run_it "$@" >../out 2>&1 </dev/null && echo "done: $*" || {
				echo "exit $?: $*"
				cat ../out
			}
			;;
		esac
	done 3<../lines
done

echo '# docs/extending.md'
grep -o '`[A-Za-z_/]*\.[a-z]*`' "$SB_SOURCE/docs/extending.md" | tr -d '`' | sort -u | while read -r file; do
	case $file in
	*/*) [ -e "$SB_SOURCE/$file" ] || echo "no file $file" ;;
	esac
done
# An op's functions are made of its name by a macro.
find "$SB_SOURCE/harness" "$SB_SOURCE/kernels" "$SB_SOURCE/workloads" "$SB_SOURCE/CMakeLists.txt" -name '*.[ch]' -o -name CMakeLists.txt |
	xargs cat | tr -cs 'A-Za-z0-9_' '\n' | LC_ALL=C sort -u >../words
grep -oE '`(sb|SB)_[A-Za-z_]*|`[a-z_]*(\[\]|_words\(\))' "$SB_SOURCE/docs/extending.md" | tr -d '`[]()' | grep -v sb_NAME |
	sed -E 's/^sb_(check|work|cpu)_//' | LC_ALL=C sort -u | LC_ALL=C comm -23 - ../words | sed 's/^/nothing is called /'
echo 'files and names exist'
