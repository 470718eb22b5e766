#!/bin/sh
# Whether a header can be included. Usage: include.sh yes|no HEADER COMPILER "DIR;DIR;.."
answer=$1
header=$2
compiler=$3
IFS=';'
set -f
for dir in $4; do
	set -- "$@" -I "$dir"
done
shift 4
if printf '#include "%s"\n' "$header" | "$compiler" -std=c11 -D_POSIX_C_SOURCE=200809L "$@" -fsyntax-only -x c - 2>/dev/null; then
	found=yes
else
	found=no
fi
echo "$header: $found"
[ "$found" = "$answer" ]
