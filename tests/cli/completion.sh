#!/bin/sh
# completion.sh SHELL FILE: what a shell offers with the completion in FILE, asked in a shell without anything of the user's.
# Exit 77 where the shell is missing.
shell=$1
file=$2
command -v "$shell" >/dev/null || {
	echo "skipped: no $shell on this machine" >&2
	exit 77
}
here=$(mktemp -d) || exit 99
trap 'rm -rf -- "$here"' EXIT
cd -- "$here" || exit 99
: >clip.y4m
mkdir folder
failed=

# What bash's completion function offers for a line: words as readline would put them in.
in_bash() {
	env -i PATH="$PATH" LD_LIBRARY_PATH="$LD_LIBRARY_PATH" LC_ALL=C bash --noprofile --norc -c '
		. "$1"
		COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDBREAKS=$'"' \\t\\n\"\\047><=;|&(:'"'
		_spabench
		printf "%s\n" "${COMPREPLY[@]}"' bash "$file" "$1" 2>&1
}

# A whole zsh behind a pseudo terminal: what it lists after a TAB.
in_zsh() {
	env -i PATH="$PATH" LD_LIBRARY_PATH="$LD_LIBRARY_PATH" LC_ALL=C TERM=dumb HOME="$here" zsh -f -c '
		zmodload zsh/zpty || exit 77
		zpty z zsh -f -i
		zpty -w z "PS1=; fpath=($3 \$fpath); autoload -Uz compinit; compinit -u -D; LISTMAX=1000; COLUMNS=400 LINES=200"
		zpty -w z "source $1; zstyle \":completion:*\" list-prompt \"\"; setopt nobeep; print READY"
		zpty -r z seen "*READY*READY*"
		zpty -n -w z "$2"$'"'\\t\\x04'"'
		seen= quiet=0
		while (( quiet < 5 )); do
			sleep 0.2
			(( ++quiet ))
			while zpty -r -t z more; do seen+=$more quiet=0; done
		done
		print -r -- "$seen"' zsh "$file" "$1" "${file%/*}" 2>&1 | tr -s ' \r' '\n\n'
}

in_fish() {
	env -i PATH="$PATH" LD_LIBRARY_PATH="$LD_LIBRARY_PATH" LC_ALL=C HOME="$here" fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$file" "$1" 2>&1 | cut -f1
}

# offers LINE WORD..: all of these, as whole words; a word after ! not.
offers() {
	line=$1
	shift
	"in_$shell" "$line" >got
	for word; do
		case $word in
		!*) ! grep -qxF -e "${word#!}" got || failed="$failed
'$line' offers '${word#!}'" ;;
		*) grep -qxF -e "$word" got || failed="$failed
'$line' does not offer '$word' but $(tr '\n' ' ' <got | cut -c 1-200)" ;;
		esac
	done
}

offers 'spabench ' run compare gate report help !worker
offers 'spabench run --pre' --preset !--frames !gate
offers 'spabench run --' --preset --frames --help !--vnram
offers 'spabench run --preset ' tiny small full
offers 'spabench run --workload ch' churn churn-own !tracker
offers 'spabench compare --format ' text markdown csv json
offers 'spabench run --frames ' !clip.y4m !--preset
offers 'spabench run --video ' clip.y4m
offers 'spabench micro ' gemm conv attention
offers 'spabench export ' timeline csv json weights
offers 'spabench baseline ' set list drop
offers 'spabench help ga' gate
case $shell in
bash)
	offers 'spabench co' compare !run
	offers 'spabench run --arms ' before +precision +attention +alloc after best
	offers 'spabench run --arms before,+at' before,+attention !before,after
	offers 'spabench run --preset=t' tiny !small
	offers 'spabench run --arms=before,af' before,after
	offers 'spabench run --device cuda' cuda:0
	offers 'spabench run --device cuda:' 0
	offers 'spabench run --set precision.conv=t' tf32
	offers 'spabench run --quiet --cam' --cameras !--calibrate
	offers 'spabench run --quiet ' !tiny
	offers 'spabench run --depth-images f' folder !clip.y4m
	offers 'spabench nothing ' !run
	offers 'spabench run --frob ' !run
	;;
fish)
	offers 'spabench run --arms ' before +precision after
	offers 'spabench run --arms before,af' before,after
	offers 'spabench run --set precision.c' precision.conv=tf32
	;;
esac
[ -z "$failed" ] || {
	echo "$shell:$failed" >&2
	exit 1
}
echo "$shell: what was offered is as expected"
