#!/bin/sh
# flags.sh SPABENCH COMPILE_COMMANDS: what --version says of the flags is what a kernel was compiled with, no more, no less.
said=$("$1" --version | sed -n 's/^built with [^:]*: \(.*\), SQLite.*/\1/p')
used=$(sed -n 's/^ *"command": "\([^"]* -c [^"]*linear_cpu\.c\)",*$/\1/p' "$2" | head -n 1)
words() {
	printf '%s\n' "$1" | tr ' ' '\n' | grep -E '^-(O|f|m|g|std=|D)' | grep -v '^-D_POSIX' | sort
}
[ -n "$said" ] && [ -n "$used" ] || {
	echo "no flags: said '$said', used '$used'"
	exit 1
}
[ "$(words "$said")" = "$(words "$used")" ] || {
	echo "said: $said"
	echo "used: $used"
	exit 1
}
