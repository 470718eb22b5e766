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

say "spabench run: five arms, interleaved, 3 frames, about a minute"
"$spabench" run --db "$db" --frames 3 --budget 40 </dev/null
say "spabench compare"
"$spabench" compare --db "$db"
say "the database is $db"
