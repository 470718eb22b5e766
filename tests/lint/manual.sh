#!/bin/sh
# The manual pages by whichever of groff and mandoc this machine has: no warning of either. Usage: manual.sh FOLDER SPABENCH
# Each command that the help names has a page, and there are no others.
cd -- "$1" || exit 1
checked=
failed=

wanted=$(echo spabench.1; "$2" help | sed -n 's/^  \([a-z][a-z]*\) .*/spabench-\1.1/p')
[ "$(ls -- *.1)" = "$(printf '%s\n' "$wanted" | LC_ALL=C sort)" ] || {
	echo "not the pages of the commands: $(ls -- *.1 | tr '\n' ' ')" >&2
	failed=1
}
for wrong in '--man nothing' '--completion ksh' '--completion'; do
	"$2" help $wrong >/dev/null 2>&1
	[ $? -eq 2 ] || {
		echo "'help $wrong' is no mistake" >&2
		failed=1
	}
done
if command -v groff >/dev/null; then
	checked="$checked groff"
	for page in *.1; do
		said=$(groff -ww -man -Tascii -z -rLL=80n "$page" 2>&1)
		[ -z "$said" ] || {
			printf '%s: groff: %s\n' "$page" "$said" >&2
			failed=1
		}
	done
fi
if command -v mandoc >/dev/null; then
	checked="$checked mandoc"
	mandoc -T lint -W warning -- *.1 >&2 || failed=1
fi
[ -z "$failed" ] || exit 1
[ -n "$checked" ] || {
	echo "skipped: neither groff nor mandoc on this machine" >&2
	exit 77
}
echo "checked by:$checked"
