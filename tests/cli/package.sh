#!/bin/sh
# package.sh SOURCE BUILD CPACK: the packages, made, unpacked somewhere, and used there in an empty environment. Where this user
# may mount, the source and the build are out of sight meanwhile, so that nothing can come from there.
source=$1
build=$2
cpack=$3
here=$(mktemp -d) || exit 99
trap 'rm -rf -- "$here"' EXIT

fail() {
	echo "$*" >&2
	exit 1
}

(cd -- "$build" && "$cpack" -B "$here/made" >"$here/log" 2>&1) || {
	cat -- "$here/log" >&2
	exit 1
}

# bare PROGRAM ARGS..: in a folder of its own, with nothing of ours in the environment.
if unshare -m mount -t tmpfs none "$here" 2>/dev/null; then
	bare() {
		unshare -m sh -c 'mount -t tmpfs none "$1" && mount -t tmpfs none "$2" 2>/dev/null || [ ! -d "$2" ] || exit 99
			cd -- "$3" && shift 3 && exec env -i PATH=/usr/bin:/bin "$@"' sh "$source" "$build" "$here/cwd" "$@"
	}
else
	bare() {
		(cd -- "$here/cwd" && exec env -i PATH=/usr/bin:/bin "$@")
	}
fi

# use FOLDER [plots]: the program in FOLDER/bin does what it is for.
use() {
	rm -rf -- "$here/cwd" && mkdir -- "$here/cwd"
	bare "$1/bin/spabench" --version >"$here/out" 2>&1 || fail "--version: $(cat "$here/out")"
	bare "$1/bin/spabench" doctor >"$here/out" 2>&1 || fail "doctor: $(cat "$here/out")"
	bare "$1/bin/spabench" run --preset tiny --frames 3 --size 84x56 --grid 2 --support 2 --iterations 1 --threads 1 \
		--blocks 1 --trace-blocks 0 --arms before,after --quiet >"$here/out" 2>&1 || fail "run: $(cat "$here/out")"
	bare "$1/bin/spabench" compare >"$here/out" 2>&1 || fail "compare: $(cat "$here/out")"
	grep -q 'built-in pedestrians' "$here/out" || fail "not the built-in clip: $(cat "$here/out")"
	if [ $# -gt 1 ] && command -v gnuplot >/dev/null; then
		bare "$1/bin/spabench" report --out doc >"$here/out" 2>&1 || fail "report: $(cat "$here/out")"
		[ -s "$here/cwd/doc/plots/trials.svg" ] || fail "no plots: $(cat "$here/out")"
	fi
	# What the texts point to is there.
	(cd -- "$1/share/doc/spabench" && for text in README.md docs/*.md docs/h200-report/report.md; do
		grep -o ']([^)#]*' "$text" | sed 's/^](//' | grep -v '^https*:' | sort -u | while read -r link; do
			[ -z "$link" ] || [ -e "${text%"${text##*/}"}$link" ] || echo "$text: $link"
		done
	done) >"$here/out" 2>&1
	[ -s "$here/out" ] && fail "links to nothing: $(cat "$here/out")"
	[ -s "$1/share/doc/spabench/docs/h200-report/report.md" ] || fail "no report in '$1'"
	[ -s "$1/share/man/man1/spabench-run.1" ] || fail "no manual page in '$1'"
	[ -s "$1/share/bash-completion/completions/spabench" ] || fail "no completion in '$1'"
}

# A folder with a blank in its name, as people have them.
mkdir -- "$here/some where"
tar -C "$here/some where" -xzf "$here"/made/*.tar.gz || fail "no archive"
top=$(echo "$here/some where"/spabench-*)
use "$top" plots
env -i LD_TRACE_LOADED_OBJECTS=1 "$top/bin/spabench" >"$here/libraries"
grep -vE "^[[:space:]]*(linux-vdso|/.*/ld-linux|lib(c|m)\.so)|$top/lib/spabench/|$top/bin/\.\./lib/spabench/" "$here/libraries" &&
	fail "libraries from outside of the archive"

if ls "$here"/made/*.deb >/dev/null 2>&1; then
	dpkg-deb -x "$here"/made/*.deb "$here/deb" || fail "no package"
	use "$here/deb/usr"
	depends=$(dpkg-deb -f "$here"/made/*.deb Depends)
	for library in libc6 libsqlite3-0 libjansson4 libinih1 libpng16-16 zlib1g libopenblas0; do
		case $depends in
		*$library*) ;;
		*) fail "the package does not name $library but $depends" ;;
		esac
	done
fi
echo "the packages run"
