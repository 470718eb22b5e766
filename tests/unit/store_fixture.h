/* What the two tests of the store share: a folder of their own, and small runs and trials. Include after cmocka.h. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sb_store.h"

#define FIXTURE_PATH_MAX 512

struct fixture {
	char dir[256], db[FIXTURE_PATH_MAX];
	struct sb_error err;
};

static inline int fixture_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "%s/sb_store_XXXXXX", tmp && *tmp && strlen(tmp) < 200 ? tmp : "/tmp");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->db, sizeof(f->db), "%s/x.db", f->dir);
	*state = f;
	return 0;
}

static inline void fixture_empty(const char *dir)
{
	char path[FIXTURE_PATH_MAX];
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d)) != NULL) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= (int)sizeof(path))
			continue;
		if (unlink(path) != 0) {
			fixture_empty(path);
			rmdir(path);
		}
	}
	if (d)
		closedir(d);
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	chmod(f->dir, 0755);
	fixture_empty(f->dir);
	rmdir(f->dir);
	free(f);
	return 0;
}

/* How many files a folder holds. */
static inline int fixture_count(const char *dir)
{
	struct dirent *e;
	DIR *d = opendir(dir);
	int n = -2; /* . and .. */

	while (d && (e = readdir(d)) != NULL)
		n++;
	if (d)
		closedir(d);
	return n;
}

/* The whole file, to be freed; *size in bytes. NULL when it is not there. */
static inline unsigned char *fixture_read_file(const char *path, size_t *size)
{
	unsigned char *data = NULL;
	struct stat sb;
	FILE *in;
	long n;

	*size = 0;
	if (stat(path, &sb) != 0 || !S_ISREG(sb.st_mode))
		return NULL;
	in = fopen(path, "rb");
	if (!in)
		return NULL;
	if (fseek(in, 0, SEEK_END) == 0 && (n = ftell(in)) >= 0 && fseek(in, 0, SEEK_SET) == 0) {
		data = malloc((size_t)n + 1);
		if (data)
			*size = fread(data, 1, (size_t)n, in);
	}
	fclose(in);
	return data;
}

static inline void fixture_write_file(const char *path, const void *data, size_t size)
{
	FILE *out = fopen(path, "wb");

	assert_non_null(out);
	assert_int_equal(fwrite(data, 1, size, out), size);
	assert_int_equal(fclose(out), 0);
}

static inline uint64_t fixture_hash_file(const char *path)
{
	size_t n;
	unsigned char *data = fixture_read_file(path, &n);
	uint64_t h = data ? sb_fnv1a(SB_FNV1A_INIT, data, n) : 0;

	free(data);
	return h;
}

/* A run of two arms and one worker. Usable in a forked child: no assertion. */
static inline enum sb_status fixture_begin_run(
        struct sb_store *st, const char *id, int64_t *run, int64_t *worker, struct sb_error *err)
{
	static const char *const names[] = { "before", "after" };
	static const char *const levels[] = { "precision.gemm=fp32,attention=standard",
		"precision.gemm=tf32,attention=efficient" };
	const struct sb_run_row r = {
		.id = id, .created_ns = 1000, .command = "spabench run", .plan = "{}", .seed = 1
	};
	const struct sb_case_row c = { "tracker", "tiny", "{}", NULL, "synthetic", NULL };
	const struct sb_worker_row w = { "/bin/spabench", "b1", 77, "timing", "cpu", NULL, 5 };
	enum sb_status status = sb_store_begin_run(st, &r, &c, names, levels, 2, run, err);

	return status ? status : sb_store_add_worker(st, *run, &w, worker, err);
}

#define FIXTURE_SAMPLES 10
#define FIXTURE_ROWS    20

/* A trace trial with 10 samples, the first of them `block`, and 20 trace rows with their roll-up. */
static inline enum sb_status fixture_add_trial(
        struct sb_store *st, int64_t run, int64_t worker, int arm, int block, struct sb_error *err)
{
	static const char *const names[] = { "front.dino", "linear", "kernel_a", "kernel_b" };
	static const struct sb_launch launch = { { 4, 1, 1 }, { 128, 1, 1 }, 1024, 40 };
	struct sb_sample samples[FIXTURE_SAMPLES];
	char metric[FIXTURE_SAMPLES][16];
	struct sb_trace_row rows[FIXTURE_ROWS];
	struct sb_rollup rollup[2] = {
		{ "front.dino", "linear", "gemm", "kernel_a", 0, 0, 64 },
		{ "front.dino", "linear", "gemm", "kernel_b", 0, 0, 32 },
	};
	const struct sb_trial_row t = {
		.worker = worker,
		.arm = arm,
		.block = block,
		.kind = "trace",
		.outcome = "ok",
		.samples = samples,
		.n_samples = FIXTURE_SAMPLES,
		.rollup = rollup,
		.n_rollup = 2,
		.trace = rows,
		.n_trace = FIXTURE_ROWS,
		.names = names,
		.n_names = 4,
		.launches = &launch,
		.n_launches = 1,
		.trace_complete = true,
	};

	for (int i = 0; i < FIXTURE_SAMPLES; i++) {
		snprintf(metric[i], sizeof(metric[i]), "metric.%d", i);
		samples[i] = (struct sb_sample){ metric[i], sb_value_of(block + 0.5 * i) };
	}
	for (int i = 0; i < FIXTURE_ROWS; i++) {
		rows[i] = (struct sb_trace_row){ 100 * i, 10 + i, 2 + i % 2, 0, 1, 7, 1, 1 + i / 2, 500 + i };
		rollup[i % 2].count++;
		rollup[i % 2].dur_ns += rows[i].dur_ns;
	}
	return sb_store_add_trial(st, run, &t, err);
}

/* Sum of count over the trials of a run that are whole: FIXTURE_SAMPLES samples, of the right value. -1: cannot read.
 */
static inline int fixture_whole_trials(struct sb_store *st, int64_t run, struct sb_error *err)
{
	struct sb_trials trials = { 0 };
	struct sb_samples samples = { 0 };
	int n = 0;

	if (sb_store_read_trials(st, run, &trials, err) || sb_store_read_samples(st, run, &trials, &samples, err)) {
		sb_trials_release(&trials);
		return -1;
	}
	for (size_t i = 0; i < trials.n; i++) {
		size_t good = 0;

		for (size_t m = 0; m < samples.n_metrics; m++) {
			int number = samples.metrics[m][strlen("metric.")] - '0';

			good += samples.value[i * samples.n_metrics + m] == trials.v[i].block + 0.5 * number;
		}
		n += good == FIXTURE_SAMPLES;
	}
	sb_samples_release(&samples);
	sb_trials_release(&trials);
	return n;
}

#endif
