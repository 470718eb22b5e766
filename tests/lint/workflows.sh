#!/bin/sh
# The workflow files by whichever of their linters this machine has: actionlint, yamllint, check-jsonschema (which has
# the published schemas of both services). Usage: workflows.sh SOURCE_TREE. pip install yamllint check-jsonschema, and
# actionlint from its releases, are ways to get them; SB_LINT_PATH names a folder to look into first.
PATH=${SB_LINT_PATH:+$SB_LINT_PATH:}$PATH
cd -- "$1" || exit 1
github=ci/github-gpu.yml
gitlab=ci/gitlab-gpu.yml
checked=
failed=

# check TOOL ARGS..: runs it where it is.
check() {
	if ! command -v "$1" >/dev/null; then
		echo "no $1 on this machine" >&2
		return
	fi
	checked="$checked $1"
	"$@" || failed="$failed $1"
}

check actionlint -no-color -shellcheck= -config-file tests/lint/actionlint.yml "$github"
check yamllint --strict -c tests/lint/yamllint.yml "$github" "$gitlab"
check check-jsonschema --builtin-schema vendor.github-workflows "$github"
check check-jsonschema --builtin-schema vendor.gitlab-ci "$gitlab"

# Only scripts of ours: what a workflow does can then be done by hand.
for file in $github $gitlab; do
	sed -nE 's/^ *(- )?run: //p; /^  script:/,/^  [a-z]/s/^    - //p' "$file" | grep -v -e '^ci/' -e '^if .* then ci/[^;]*; fi$' &&
		failed="$failed $file"
done
for script in $(grep -ohE 'ci/[a-z-]+\.sh' "$github" "$gitlab" | sort -u); do
	[ -x "$script" ] || failed="$failed $script"
done

[ -z "$failed" ] || {
	echo "complaints of:$failed" >&2
	exit 1
}
[ -n "$checked" ] || {
	echo "skipped: none of actionlint, yamllint, check-jsonschema on this machine" >&2
	exit 77
}
echo "checked by:$checked"
