#!/usr/bin/env bash
# Installs what is missing, builds, measures the built-in clip and prints the table. As root or with sudo; about a
# minute after the build. Run again, it measures again into the same database and shows the newest run.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

need_packages "${build_packages[@]}"
build release spabench

db=$root/build/demo/demo.db
spabench=$root/build/release/harness/cli/spabench
mkdir -p -- "$root/build/demo"

say "spabench run: five arms, interleaved, at most 45 s"
"$spabench" run --db "$db" --budget 45 </dev/null
say "spabench compare"
"$spabench" compare --db "$db"
say "the database is $db"
