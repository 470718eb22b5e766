/*
 * Runs spabench again and again, each time with another call failing (interpose.c), and looks at what is left:
 * no crash, no hang, an exit code that says what happened, a message, and a database that opens and is sound. What was
 * stored as good must be what a run without failures stores: nothing is lost in silence.
 *
 *   torture --spabench FILE --library FILE --kind alloc|write|file --who parent|worker [--for-good]
 *           [--exe FILE] [--compare] [--dense N] [--step N] [--seconds S] [--seed N] [--jobs N]
 *
 * --exe: the worker's program; one that does nothing (tests/tools/idle_worker.c) lets every call of the parent be
 * tried. n goes from 1 to --dense [2000] by one and then by --step [17], until a run ends without having come to its
 * n-th call.
 * --seconds bounds it for CTest: then the numbers are spread over the whole range, which the first runs find; which
 * numbers, --seed [1] says, so that CTest tries the same ones each time. With SB_LONG_TESTS in the environment
 * --seconds says nothing, for kinds of call of which there are few: the whole range is tried, and the last line says
 * so.
 */
#define _DEFAULT_SOURCE /* mkdtemp() */
#include "sb_store.h"
#include "slowness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANG_S   60
#define JOBS_MAX 16
#define PATH_LEN 256

struct settings {
	const char *spabench, *library, *kind, *who, *exe;
	bool for_good, compare, few; /* few: of this kind of call */
	long dense, step, only;
	uint64_t seed;
	int jobs, seconds;
	char dir[64];
	char made[PATH_LEN];   /* a database made without failures */
	struct sb_buf as_made; /* what it holds; or what compare says of it */
};

struct job {
	pid_t pid; /* 0: free */
	long n;
	int64_t deadline_ns;
	char db[PATH_LEN], hit[PATH_LEN], said[PATH_LEN];
};

struct tally {
	long runs, failures, last; /* last: the largest n that was reached */
	long codes[256];
	bool end;   /* a run ended before its n-th call */
	bool every; /* every n was tried */
};

static void put(const struct settings *s, char out[PATH_LEN], const char *name, long serial)
{
	snprintf(out, PATH_LEN, "%s/%s%ld", s->dir, name, serial);
}

/* ---- one run ------------------------------------------------------------------------------------------------- */

static _Noreturn void become_spabench(const struct settings *s, const struct job *j)
{
	int in = open("/dev/null", O_RDONLY), out = open(j->said, O_CREAT | O_TRUNC | O_WRONLY, 0666);
	char orders[64];

	snprintf(orders, sizeof(orders), "%s:%ld%s:%s", s->kind, j->n, s->for_good ? "+" : "", s->who);
	setenv("SPABENCH_INTERPOSE", orders, 1);
	setenv("SPABENCH_INTERPOSE_HIT", j->hit, 1);
	setenv("LD_PRELOAD", s->library, 1);
	setenv("OPENBLAS_NUM_THREADS", "1", 1);
	setenv("PATH", "/nonexistent", 1); /* no ffmpeg: the clip that is a file of its own */
	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
	if (s->compare)
		execl(s->spabench, "spabench", "compare", "--db", s->made, s->kind[0] == 'w' ? "--format=json" : NULL,
		        (char *)NULL);
	else
		execl(s->spabench, "spabench", "run", "--db", j->db, "--size", "84x56", "--frames", "3", "--grid", "2",
		        "--support", "2", "--iterations", "1", "--blocks", "1", "--trace-blocks", "1", "--arms",
		        "before,after", "--threads", "1", "--seed", "1", "--quiet", s->exe ? "--exe" : NULL, s->exe,
		        (char *)NULL);
	_exit(99);
}

static void begin(const struct settings *s, struct job *j, long n)
{
	static long serial; /* two runs at once may have the same n, and must not share files */

	serial++;
	j->n = n;
	put(s, j->db, "db", serial);
	put(s, j->hit, "hit", serial);
	put(s, j->said, "said", serial);
	j->deadline_ns = sb_now_ns() + HANG_S * slowness() * 1000000000;
	j->pid = fork();
	if (j->pid == 0)
		become_spabench(s, j);
	if (j->pid < 0)
		abort();
}

/* ---- looking at what is left --------------------------------------------------------------------------------- */

static char *read_text(const char *path)
{
	static char text[1 << 16];
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (f)
		fclose(f);
	text[n] = '\0';
	return text;
}

/*
 * Without a reference, which the run then says, there is no quality. Kinds of driver call have a sample each that was
 * made: an allocator whose own table could not grow releases its cache and asks again, so there may be one more.
 */
static size_t count_samples(const struct sb_samples *s, size_t trial, bool quality)
{
	size_t n = 0;

	for (size_t m = 0; m < s->n_metrics; m++) {
		const char *absent = s->absent[trial * s->n_metrics + m];

		if (!strncmp(s->metrics[m], "quality.", 8) != quality || !strncmp(s->metrics[m], "driver.cold_", 12))
			continue;
		n += !absent || strcmp(absent, "not recorded") != 0;
	}
	return n;
}

/* Lines that do not depend on time: the arms, and how much there is of each good trial. */
static enum sb_status describe(struct sb_store *st, struct sb_buf *out, struct sb_error *err)
{
	struct sb_samples samples = { 0 };
	struct sb_trials trials = { 0 };
	struct sb_run run = { 0 };
	bool no_reference = false;
	enum sb_status status;
	int64_t key;

	status = sb_store_find_run(st, NULL, &key, err);
	if (status == SB_E_USAGE) /* none was begun */
		return SB_OK;
	if (!status)
		status = sb_store_read_run(st, key, &run, err);
	for (int a = 0; !status && a < run.n_arms; a++)
		sb_buf_addf(out, "arm %s: %s\n", run.arms[a].name, run.arms[a].levels);
	if (!status) {
		sb_buf_addf(out, "plan %s %s\n", run.plan, run.params);
		for (size_t i = 0; i < run.n_facts; i++)
			if (!strcmp(run.facts[i].key, "reference.levels") &&
			        !run.facts[i].absent) /* or it says why not */
				sb_buf_addf(out, "reference %s\n", run.facts[i].value);
		no_reference = sb_run_fact(&run, "reference.note") != NULL;
		status = sb_store_read_trials(st, key, &trials, err);
	}
	if (!status)
		status = sb_store_read_samples(st, key, &trials, &samples, err);
	for (size_t i = 0; !status && i < trials.n; i++) {
		struct sb_rollups rollups = { 0 };

		if (strcmp(trials.v[i].outcome, "ok") != 0)
			continue;
		status = sb_store_read_rollup(st, trials.v[i].key, &rollups, err);
		sb_buf_addf(out, "arm %d, %s: %zu samples, %zu sums\n", trials.v[i].arm,
		        trials.v[i].trace ? "trace" : "timing", count_samples(&samples, i, false), rollups.n);
		if (!no_reference)
			sb_buf_addf(out, "arm %d, %s: %zu of quality\n", trials.v[i].arm,
			        trials.v[i].trace ? "trace" : "timing", count_samples(&samples, i, true));
		sb_rollups_release(&rollups);
	}
	sb_samples_release(&samples);
	sb_trials_release(&trials);
	sb_run_release(&run);
	return status;
}

/* Does every line of `text` stand in `all`? */
static bool lines_are_in(const char *text, const char *all)
{
	while (*text) {
		size_t n = strcspn(text, "\n") + 1;
		char line[8192];

		snprintf(line, sizeof(line), "%.*s", (int)n, text);
		if (!strstr(all, line))
			return false;
		text += n;
	}
	return true;
}

static bool nothing_is_lost(const struct settings *s, struct sb_store *st, const char **why, struct sb_error *err)
{
	static char shown[1024];
	struct sb_buf text = { 0 };
	bool same;

	if (describe(st, &text, err)) {
		*why = err->msg;
		return false;
	}
	same = lines_are_in(sb_buf_str(&text), sb_buf_str(&s->as_made));
	snprintf(shown, sizeof(shown), "stored is not what a good run stores: %.900s", sb_buf_str(&text));
	*why = shown;
	sb_buf_release(&text);
	return same;
}

/* A trial that did not succeed says why. */
static bool rows_explain(struct sb_store *st, const char **why, struct sb_error *err)
{
	struct sb_trials trials = { 0 };
	bool explained = true;
	int64_t run;

	if (sb_store_find_run(st, NULL, &run, err) == SB_E_USAGE) /* none was begun */
		return true;
	if (sb_store_read_trials(st, run, &trials, err)) {
		*why = err->msg;
		return false;
	}
	for (size_t i = 0; i < trials.n; i++)
		if (strcmp(trials.v[i].outcome, "ok") != 0 && !(trials.v[i].message && trials.v[i].message[0]))
			explained = false;
	sb_trials_release(&trials);
	*why = "a trial that failed has no message";
	return explained;
}

static bool database_is_sound(const struct settings *s, const char *path, const char **why, struct sb_error *err)
{
	struct sb_store *st = NULL;
	struct stat sb;
	bool sound;

	if (stat(path, &sb) != 0)
		return true; /* nothing was begun */
	if (sb_store_open(path, SB_STORE_WRITE, &st, err)) {
		*why = err->msg;
		return false;
	}
	*why = err->msg;
	sound = !sb_store_check(st, err) && rows_explain(st, why, err) && nothing_is_lost(s, st, why, err);
	sb_store_close(st);
	return sound;
}

static void remove_files(const struct job *j)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
	char path[PATH_LEN + 16];

	for (size_t i = 0; i < SB_ARRAY_LEN(suffixes); i++) {
		snprintf(path, sizeof(path), "%s%s", j->db, suffixes[i]);
		unlink(path);
	}
	unlink(j->hit);
	unlink(j->said);
}

static void judge(const struct settings *s, const struct job *j, int status, bool hung, struct tally *t)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	bool reached = access(j->hit, F_OK) == 0;
	const char *why = NULL, *said = read_text(j->said);
	struct sb_error err = { .msg = "" };

	if (hung)
		why = "it hangs";
	else if (code < 0)
		why = "it crashed";
	else if (code != 0 && code != 3 && code != 4)
		why = "not an exit code for this";
	else if (code != 0 && !strstr(said, "spabench") && !(s->for_good && !strcmp(s->kind, "write")))
		why = "it failed without a word"; /* unless no word can be written */
	else if (strstr(said, "bug at"))
		why = "it calls that a bug";
	else if (s->compare)
		why = code == 0 && strcmp(said, sb_buf_str(&s->as_made)) != 0 ? "it prints something else" : NULL;
	else if (database_is_sound(s, j->db, &why, &err))
		why = NULL;
	t->runs++;
	if (code >= 0)
		t->codes[code]++;
	if (reached && j->n > t->last)
		t->last = j->n;
	if (!reached)
		t->end = true;
	if (why) {
		t->failures++;
		printf("%s:%ld%s:%s: %s (exit %d, signal %d)\n%.600s\n", s->kind, j->n, s->for_good ? "+" : "", s->who,
		        why, code, WIFSIGNALED(status) ? WTERMSIG(status) : 0, said);
		fflush(stdout);
	}
	remove_files(j);
}

/* ---- all of them --------------------------------------------------------------------------------------------- */

/* Wait for a run to end, or until one hangs. */
static void collect(const struct settings *s, struct job *jobs, struct tally *t)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) == 0) {
		for (int i = 0; i < s->jobs; i++) {
			if (!jobs[i].pid || sb_now_ns() < jobs[i].deadline_ns)
				continue;
			kill(jobs[i].pid, SIGKILL);
			waitpid(jobs[i].pid, &status, 0);
			judge(s, &jobs[i], status, true, t);
			jobs[i].pid = 0;
			return;
		}
		sb_sleep_ns(500000);
	}
	for (int i = 0; i < s->jobs; i++) {
		if (jobs[i].pid != pid)
			continue;
		judge(s, &jobs[i], status, false, t);
		jobs[i].pid = 0;
	}
}

/* Start the run of n in a free place; waits for one. */
static void start(const struct settings *s, struct job *jobs, struct tally *t, long n)
{
	for (;;) {
		for (int i = 0; i < s->jobs; i++) {
			if (jobs[i].pid)
				continue;
			begin(s, &jobs[i], n);
			return;
		}
		collect(s, jobs, t);
	}
}

static void drain(const struct settings *s, struct job *jobs, struct tally *t)
{
	for (int i = 0; i < s->jobs; i++)
		while (jobs[i].pid)
			collect(s, jobs, t);
}

/* Every n up to `dense`, then every `step`-th, until one is not reached. */
static void run_all(const struct settings *s, struct job *jobs, struct tally *t)
{
	long n = 1;

	for (; !t->end; n += n < s->dense ? 1 : s->step)
		start(s, jobs, t, n);
	drain(s, jobs, t);
	t->every = n <= s->dense + 1;
}

/* In the time given: first powers of two to find the range, then numbers spread evenly over it. */
static void run_bounded(const struct settings *s, struct job *jobs, struct tally *t)
{
	int64_t end_ns = sb_now_ns() + (int64_t)s->seconds * 1000000000;
	uint64_t state = s->seed;
	long highest = 1;

	for (long n = 1; !t->end && sb_now_ns() < end_ns; n *= 2) {
		start(s, jobs, t, n);
		highest = n;
	}
	drain(s, jobs, t);
	if (highest <= 4096 && t->end) { /* few enough to try them all, perhaps */
		for (long n = 1; n < highest && sb_now_ns() < end_ns; n++)
			start(s, jobs, t, n);
	} else {
		while (sb_now_ns() < end_ns)
			start(s, jobs, t, 1 + (long)sb_random_below(&state, (uint64_t)highest));
	}
	drain(s, jobs, t);
}

/* ---- main ---------------------------------------------------------------------------------------------------- */

/* Run without failures, and remember what came of it. */
static bool run_good(struct settings *s, struct job *j)
{
	int status;

	j->pid = fork();
	if (j->pid == 0)
		become_spabench(s, j); /* n = 0: nothing fails */
	return j->pid > 0 && waitpid(j->pid, &status, 0) == j->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool prepare(struct settings *s)
{
	bool compare = s->compare, good;
	struct sb_store *st = NULL;
	struct job j = { .n = 0 };
	struct sb_error err;

	snprintf(s->made, sizeof(s->made), "%s/made.db", s->dir);
	snprintf(j.db, sizeof(j.db), "%s", s->made);
	snprintf(j.hit, sizeof(j.hit), "%s/none", s->dir);
	snprintf(j.said, sizeof(j.said), "%s/said", s->dir);
	s->compare = false;
	good = run_good(s, &j);
	s->compare = compare;
	if (good && compare) {
		good = run_good(s, &j);
		sb_buf_puts(&s->as_made, read_text(j.said));
	} else if (good) {
		good = !sb_store_open(s->made, SB_STORE_READ, &st, &err) && !describe(st, &s->as_made, &err);
		sb_store_close(st);
	}
	unlink(j.said);
	return good;
}

static bool parse(int argc, char **argv, struct settings *s)
{
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (!strcmp(name, "--for-good"))
			s->for_good = true;
		else if (!strcmp(name, "--compare"))
			s->compare = true;
		else if (!value)
			return false;
		else if (!strcmp(name, "--spabench"))
			s->spabench = argv[++i];
		else if (!strcmp(name, "--library"))
			s->library = argv[++i];
		else if (!strcmp(name, "--exe"))
			s->exe = argv[++i];
		else if (!strcmp(name, "--kind"))
			s->kind = argv[++i];
		else if (!strcmp(name, "--who"))
			s->who = argv[++i];
		else if (!strcmp(name, "--dense"))
			s->dense = atol(argv[++i]);
		else if (!strcmp(name, "--step"))
			s->step = atol(argv[++i]);
		else if (!strcmp(name, "--only"))
			s->only = atol(argv[++i]);
		else if (!strcmp(name, "--seconds"))
			s->seconds = atoi(argv[++i]);
		else if (!strcmp(name, "--seed"))
			s->seed = strtoull(argv[++i], NULL, 10);
		else if (!strcmp(name, "--jobs"))
			s->jobs = atoi(argv[++i]);
		else
			return false;
	}
	return s->spabench && s->library && s->kind && s->who && s->step > 0 && s->jobs > 0 && s->jobs <= JOBS_MAX;
}

/* LD_PRELOAD is cut at spaces, so a library in a folder of such a name goes by another one. */
static bool rename_library(struct settings *s, char link[PATH_LEN])
{
	snprintf(link, PATH_LEN, "%s/interpose.so", s->dir);
	if (symlink(s->library, link))
		return false;
	s->library = link;
	return true;
}

int main(int argc, char **argv)
{
	char link[PATH_LEN];
	struct settings s = { .dense = 2000, .step = 17, .seed = 1, .jobs = 2, .dir = "/tmp/spabench-torture-XXXXXX" };
	struct job jobs[JOBS_MAX] = { { 0 } };
	struct tally t = { 0 };

	if (!parse(argc, argv, &s)) {
		fprintf(stderr, "usage: see the head of torture.c\n");
		return 2;
	}
	s.few = strcmp(s.kind, "alloc") != 0;
	if (!mkdtemp(s.dir) || !rename_library(&s, link) || !prepare(&s)) {
		fprintf(stderr, "cannot begin in '%s': %s\n", s.dir, strerror(errno));
		return 1;
	}
	if (s.only) {
		start(&s, jobs, &t, s.only);
		drain(&s, jobs, &t);
	} else if (s.seconds && !(getenv("SB_LONG_TESTS") && s.few)) {
		run_bounded(&s, jobs, &t);
	} else {
		run_all(&s, jobs, &t);
	}
	unlink(s.made);
	unlink(link);
	rmdir(s.dir);
	sb_buf_release(&s.as_made);
	printf("%s %s%s: %ld runs, failing calls up to the %ldth; exit codes:", s.compare ? "compare" : s.who, s.kind,
	        s.for_good ? " from there on" : "", t.runs, t.last);
	for (int c = 0; c < 256; c++)
		if (t.codes[c])
			printf(" %d (%ld times)", c, t.codes[c]);
	printf("; %ld wrong%s\n", t.failures, t.every ? "; every call" : "");
	return t.failures || !t.last ? 1 : 0; /* nothing that failed: nothing tested */
}
