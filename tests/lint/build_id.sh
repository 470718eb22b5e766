#!/bin/sh
# build_id.sh CMAKE SCRIPT SPABENCH BUILD: SCRIPT tells edited sources from those before, with git and without, and does
# not touch its output when nothing changed; SPABENCH says what SCRIPT wrote when it was built.
cmake=$1 script=$2 spabench=$3 build=$4
work=$(mktemp -d) || exit 99
trap 'rm -rf -- "$work"' EXIT
git=$(command -v git)

fail() {
	echo "$*"
	exit 1
}
# identify ROOT [GIT]: the id -> $id
identify() {
	"$cmake" -DROOT="$1" -DGIT="$2" -DOUT="$1/out/id.h" -P "$script" || fail "the script failed"
	id=$(sed -n 's/^#define SB_BUILD_SOURCES "\(.*\)"$/\1/p' "$1/out/id.h")
}

tree=$work/tree
mkdir -p "$tree/harness/a" "$tree/kernels" "$tree/docs" "$tree/out"
echo 'int a;' >"$tree/harness/a/a.c"
echo 'int b;' >"$tree/kernels/b.cu"

identify "$tree"
first=$id
case $first in unknown.????????????) ;; *) fail "an archive is '$first'" ;; esac
touch -d 2001-01-01 "$tree/out/id.h"
echo text >"$tree/docs/x.md"
identify "$tree"
[ "$id" = "$first" ] || fail "documentation changed the id"
[ -z "$(find "$tree/out/id.h" -newermt 2002-01-01)" ] || fail "written again, and nothing had changed"

for edit in harness/a/a.c kernels/b.cu CMakeLists.txt harness/a/new.h; do
	before=$id
	echo '/* edited */' >>"$tree/$edit"
	identify "$tree"
	[ "$id" != "$before" ] || fail "an edit of $edit left the id as it was"
done
before=$id
mv "$tree/harness/a/new.h" "$tree/harness/a/newer.h"
identify "$tree"
[ "$id" != "$before" ] || fail "another name left the id as it was"

if [ -n "$git" ]; then
	export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
	"$git" -C "$work" init -q && "$git" -C "$work" commit -q --allow-empty -m x || exit 99
	identify "$tree" "$git"
	case $id in unknown.*) ;; *) fail "an archive inside of a repository is '$id'" ;; esac
	rm -rf "$work/.git"
	"$git" -C "$tree" init -q && "$git" -C "$tree" add harness kernels && "$git" -C "$tree" commit -q -m x || exit 99
	identify "$tree" "$git"
	clean=$id
	case $clean in *-dirty* | unknown*) fail "a clean tree is '$clean'" ;; esac
	[ "${clean#*.}" != "$clean" ] && [ ${#clean} -ge 20 ] || fail "no commit or no digest in '$clean'"
	echo '/* more */' >>"$tree/kernels/b.cu"
	identify "$tree" "$git"
	case $id in *-dirty.*) ;; *) fail "a tree with edits is '$id'" ;; esac
fi

written=$(sed -n 's/^#define SB_BUILD_SOURCES "\(.*\)"$/\1/p' "$build/harness/experiment/build_sources.h")
said=$("$spabench" --version | sed -n 's/^spabench [0-9.]*+//p')
[ -n "$written" ] && [ "$said" = "$written" ] || fail "the program says '$said', the build '$written'"
