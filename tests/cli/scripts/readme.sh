# README.md names every command and none besides: the table of its commands against the overview.
[ -f "$SB_SOURCE/README.md" ] || exit 77
"$SPABENCH" --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | sort >../program
sed -n '/^| `spabench /p' "$SB_SOURCE/README.md" | sed 's/ |.*//2' | tr ' ' '\n' | sed -n 's/^\([a-z]*\)`.*/\1/p' | grep . | sort -u >../readme
diff ../readme ../program && echo 'the commands are those of README.md'
echo '# and every option that README.md shows exists'
tr ' `|&()' '\n\n\n\n\n\n' <"$SB_SOURCE/README.md" | grep '^--[a-z]' | sed 's/[^a-z-].*//' | sort -u | while read -r option; do
	case $option in --preset | --build | --install | --help | --capacity) continue ;; esac # CMake's, and the peer's
	{ "$SPABENCH" run --help; "$SPABENCH" compare --help; "$SPABENCH" gate --help; cat "$SB_SOURCE/ci/test.sh"; } | grep -q -e "^  *$option\b" -e "test.sh $option" ||
		echo "no option $option"
done
