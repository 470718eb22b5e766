#!/bin/sh
# Durations come from the monotonic clock alone: the wall clock may jump, so what it says is a label and nothing is
# computed from it. Usage: clocks.sh SOURCE_TREE
cd -- "$1" || exit 99

# Whoever reads the wall clock: labels of rows, and seeds. A new place is looked at and then added.
labels='harness/base/clock.c harness/base/hash.c harness/base/sb_base.h harness/cli/cmd_baseline.c harness/cli/cmd_calibrate.c harness/cli/cmd_capacity.c
	harness/cli/cmd_gate.c harness/cli/cmd_micro.c harness/cli/cmd_run.c harness/cli/manual.c harness/cli/pair_request.c
	harness/experiment/client.c harness/experiment/pairs.c harness/experiment/run_record.c harness/experiment/session.c harness/experiment/worker.c harness/store/write.c'

# Clocks are read in one file; SQLite's own are the wall clock too.
reading='(clock_gettime|gettimeofday|timespec_get|ftime|mktime|[^a-z_]time|[^a-z_>.]clock)\(|CURRENT_TIME|julianday|unixepoch'
# A label with an arithmetic or comparing operator beside it.
name='(sb_wall_time_ns\(\)|([a-z_]+(->|\.))*(started|created|ended)_ns)'
computing="$name +([-+*/%]|[<>]=?|==|!=)=? |[^*] ([-+*/%]|[<>]=?|==|!=) $name"

sources() {
	find harness workloads kernels reports -name '*.[ch]' | sort
}

# Text in comments is not code: "//" is not used here, and a line inside a comment begins with an asterisk.
code() {
	sed -E 's|/\*.*\*/||; s|/\*.*$||; s|^[[:space:]]*\*.*$||' "$1"
}

bad=0
for line in 'x = clock_gettime(CLOCK_REALTIME, &t);' 't = time(NULL);' '"strftime(unixepoch())"'; do
	echo "$line" | grep -qE "$reading" || { echo "does not find: $line"; bad=1; }
done
for line in 'd = sb_wall_time_ns() - start;' 'd = now - r->started_ns;' 'if (a.created_ns > b.created_ns)' \
	'd = r.ended_ns - r.started_ns;' 'if (t == run->ended_ns)'; do
	echo "$line" | grep -qE "$computing" || { echo "does not find: $line"; bad=1; }
done
# Of two baselines from different machines nothing else says which is the newer.
ordering='WHERE excluded\.created_ns > '
for file in $(sources); do
	found=$(code "$file" | grep -nE "$computing" | grep -v "$ordering") && { echo "$file: computes with the wall clock: $found"; bad=1; }
	case $file in harness/base/clock.c) continue ;; esac
	found=$(code "$file" | grep -nE "$reading") && { echo "$file: reads a clock by itself: $found"; bad=1; }
	case " $(echo $labels) " in *" $file "*) continue ;; esac
	found=$(code "$file" | grep -n 'sb_wall_time_ns') && { echo "$file: reads the wall clock: $found"; bad=1; }
done
exit "$bad"
