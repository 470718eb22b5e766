/*
 * Kills a run, its parent or a worker of it, at a random moment, and looks at what is left: the database opens and is
 * sound, every trial that could be seen before is there, no worker outlives its parent by a second, and --resume
 * completes the run.
 *
 *   kill --spabench FILE [--times N] [--seed N]
 *   kill --check DATABASE       only opens and checks it
 *
 * SB_LONG_TESTS in the environment: ten times as often.
 */
#define _DEFAULT_SOURCE /* mkdtemp(), prctl() */
#include "sb_store.h"
#include "slowness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARMS         2
#define BLOCKS       2
#define TRACE_BLOCKS 1
#define TRIALS       (ARMS * (BLOCKS + TRACE_BLOCKS))
#define HANG_S       60

struct place {
	const char *spabench;
	char dir[64], db[96], said[96];
};

struct seen {
	size_t trials;
	bool run, complete;
};

/* ---- processes ----------------------------------------------------------------------------------------------- */

static pid_t start(const struct place *p, bool resume)
{
	pid_t pid = fork();
	int in, out;

	if (pid)
		return pid;
	in = open("/dev/null", O_RDONLY);
	out = open(p->said, O_CREAT | O_TRUNC | O_WRONLY, 0666);
	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
	setenv("OPENBLAS_NUM_THREADS", "1", 1);
	setenv("PATH", "/nonexistent", 1); /* no ffmpeg: the clip that is a file of its own */
	if (resume)
		execl(p->spabench, "spabench", "run", "--resume", "--db", p->db, "--quiet", (char *)NULL);
	else
		execl(p->spabench, "spabench", "run", "--db", p->db, "--size", "84x56", "--frames", "3", "--grid", "2",
		        "--support", "2", "--iterations", "1", "--blocks", "2", "--trace-blocks", "1", "--arms",
		        "before,after", "--threads", "1", "--quiet", (char *)NULL);
	_exit(99);
}

/* The exit code; -1 for a signal, -2 for a process that does not end. */
static int wait_for(pid_t pid)
{
	int64_t deadline = sb_now_ns() + HANG_S * slowness() * 1000000000;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (sb_now_ns() > deadline) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -2;
		}
		sb_sleep_ns(1000000);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Some child of a process, or 0. */
static pid_t child_of(pid_t parent)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	while (dir && !found && (entry = readdir(dir)) != NULL) {
		char path[300], line[512] = "", state;
		const char *end;
		FILE *f;
		int ppid;

		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		f = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? fopen(path, "r") : NULL;
		if (!f)
			continue;
		if (!fgets(line, sizeof(line), f))
			line[0] = '\0';
		fclose(f);
		end = strrchr(line, ')');
		if (end && sscanf(end, ") %c %d", &state, &ppid) == 2 && ppid == parent && state != 'Z')
			found = (pid_t)atol(entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Orphans become ours, for main() made this process their reaper. Are all gone within a second (times slowness())? */
static bool orphans_end(void)
{
	int64_t deadline = sb_now_ns() + slowness() * 1000000000;

	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0)
			return true;
		if (pid == 0 && sb_now_ns() > deadline)
			return false;
		if (pid == 0)
			sb_sleep_ns(1000000);
	}
}

/* ---- the database -------------------------------------------------------------------------------------------- */

/* What a reader sees. Nothing, where there is no database yet or none that is finished. */
static struct seen look(const char *db)
{
	struct sb_trials trials = { 0 };
	struct seen seen = { 0 };
	struct sb_store *st = NULL;
	struct sb_run run = { 0 };
	struct sb_error err;
	int64_t key;

	if (sb_store_open(db, SB_STORE_READ, &st, &err))
		return seen;
	if (!sb_store_find_run(st, NULL, &key, &err) && !sb_store_read_run(st, key, &run, &err) &&
	        !sb_store_read_trials(st, key, &trials, &err)) {
		seen.run = true;
		seen.complete = !strcmp(run.status, "complete");
		seen.trials = trials.n;
	}
	sb_trials_release(&trials);
	sb_run_release(&run);
	sb_store_close(st);
	return seen;
}

static bool sound(const char *db, struct sb_error *err)
{
	struct sb_store *st = NULL;
	struct stat sb;
	bool ok;

	if (stat(db, &sb) != 0)
		return true;
	if (sb_store_open(db, SB_STORE_WRITE, &st, err))
		return false;
	ok = !sb_store_check(st, err);
	sb_store_close(st);
	return ok;
}

static void remove_files(const struct place *p)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
	char path[128];

	for (size_t i = 0; i < SB_ARRAY_LEN(suffixes); i++) {
		snprintf(path, sizeof(path), "%s%s", p->db, suffixes[i]);
		unlink(path);
	}
	unlink(p->said);
}

/* ---- one kill ------------------------------------------------------------------------------------------------ */

/* NULL, or what is wrong. *struck: whether there was anything to kill. */
static const char *strike(const struct place *p, int64_t after_ns, bool parent, bool *struck, struct sb_error *err)
{
	pid_t pid = start(p, false), worker;
	struct seen before, after;
	int code;

	sb_sleep_ns(after_ns);
	worker = child_of(pid);
	before = look(p->db);
	*struck = kill(parent ? pid : worker ? worker : pid, SIGKILL) == 0 && (parent || worker);
	code = wait_for(pid);
	if (!orphans_end())
		return "a worker outlives its parent by more than a second";
	if (code == -2)
		return "the run does not end";
	if (!parent && *struck && code != 0 && code != 3 && code != 4)
		return "not an exit code for a worker that died";
	if (!sound(p->db, err))
		return err->msg;
	after = look(p->db);
	if (after.trials < before.trials || (before.run && !after.run))
		return "a trial that could be seen is gone";
	if (!after.run || after.complete)
		return NULL;
	code = wait_for(start(p, true));
	if (code != 0)
		return "--resume fails";
	if (!sound(p->db, err))
		return err->msg;
	after = look(p->db);
	if (!after.complete || after.trials < TRIALS)
		return "--resume did not complete the run";
	return NULL;
}

static void print_said(const struct place *p)
{
	char line[512];
	FILE *f = fopen(p->said, "r");

	while (f && fgets(line, sizeof(line), f))
		printf("  %s", line);
	if (f)
		fclose(f);
}

static int check(const char *db)
{
	struct sb_error err = { .msg = "" };

	if (sound(db, &err))
		return 0;
	printf("%s\n", err.msg);
	return 1;
}

int main(int argc, char **argv)
{
	struct place p = { .dir = "/tmp/spabench-kill-XXXXXX" };
	uint64_t seed = (uint64_t)sb_wall_time_ns(), state;
	long times = 10, failures = 0, parents = 0, workers = 0;
	int64_t whole_ns;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--spabench"))
			p.spabench = argv[i + 1];
		else if (!strcmp(argv[i], "--check"))
			return check(argv[i + 1]);
		else if (!strcmp(argv[i], "--times"))
			times = atol(argv[i + 1]);
		else if (!strcmp(argv[i], "--seed"))
			seed = strtoull(argv[i + 1], NULL, 10);
	}
	if (getenv("SB_LONG_TESTS"))
		times *= 10;
	if (!p.spabench || !mkdtemp(p.dir) || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) {
		fprintf(stderr, "usage: kill --spabench FILE [--times N] [--seed N]\n");
		return 2;
	}
	snprintf(p.db, sizeof(p.db), "%s/db", p.dir);
	snprintf(p.said, sizeof(p.said), "%s/said", p.dir);
	printf("seed %llu\n", (unsigned long long)seed);
	state = seed;
	whole_ns = sb_now_ns();
	if (wait_for(start(&p, false)) != 0) {
		printf("a run that nobody kills does not end well within %lld s\n", (long long)(HANG_S * slowness()));
		print_said(&p);
		return 1;
	}
	whole_ns = sb_now_ns() - whole_ns;
	remove_files(&p);
	/* Some moments have no worker; others take their place. */
	for (long i = 0; parents + workers < times && i < 10 * times; i++) {
		bool parent = sb_random_below(&state, 2) == 0, struck = false;
		int64_t after_ns = (int64_t)(sb_random_unit(&state) * (double)whole_ns);
		struct sb_error err = { .msg = "" };
		const char *why = strike(&p, after_ns, parent, &struck, &err);

		parents += struck && parent;
		workers += struck && !parent;
		if (why) {
			failures++;
			printf("kill %ld, of the %s after %.1f ms: %s\n", i, parent ? "parent" : "worker",
			        (double)after_ns / 1e6, why);
			print_said(&p);
		}
		remove_files(&p);
	}
	rmdir(p.dir);
	printf("%ld parents and %ld workers killed within %.0f ms; %ld wrong\n", parents, workers,
	        (double)whole_ns / 1e6, failures);
	return failures || parents + workers == 0 ? 1 : 0;
}
