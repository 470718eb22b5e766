/*
 * What tracing adds to a launch, against CUPTI's kernel records alone. Launches differ by a microsecond from one
 * process to the next, and stay slower where CUPTI was once on: so each of nine fresh processes runs 20,000 empty ones
 * without CUPTI first, then, in turn and back, with bare records (buffers as ours, callbacks that hand them over and no
 * more), with a callback for every launch that does nothing, and with our collector. A process gives the median of its
 * rounds; medians of processes are printed with order-statistics intervals. The limit is on the ratio of what is added:
 * the median is held to it, everywhere: others on the machine slow both sides of the ratio, and are no excuse.
 */
#include "sb_cupti.h"

#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

cudaError_t launch_nothing(cudaStream_t stream, int grid, int block);

#define LIMIT 1.15

enum { LAUNCHES = 20000, PROCESSES = 9, ROUNDS = 3, FIRST = 5, SKIP = 77 };
enum mode { NONE, BARE, CALLED, OURS, MODES };

/* What a process found, in nanoseconds a launch, and the ratio. */
enum figure { WITHOUT, WITH_BARE, WITH_CALLED, WITH_OURS, ADDED_BARE, BEYOND_BARE, RATIO, LOST, FIGURES };

static const char *const labels[LOST] = { "without CUPTI", "bare records", "bare records and a callback",
	"our collector", "bare records add", "our collector adds beyond them",
	"what our collector adds, of what bare records add" };

static cudaStream_t stream;
static int64_t lost; /* dropped, unmatched or zero-time records of our passes */

static void must(enum sb_status status, const struct sb_error *err)
{
	if (status == SB_OK)
		return;
	printf("FAILED %s\n", err->msg);
	exit(1);
}

/* ---- one process ------------------------------------------------------------------------------------------------- */

/* Nanoseconds a launch. */
static double launches(struct sb_cupti *c, enum mode mode)
{
	int64_t start = sb_now_ns();

	for (uint32_t i = 0; i < LAUNCHES; i++) {
		if (mode == OURS)
			sb_cupti_op(c, i);
		launch_nothing(stream, 1, 32);
	}
	if (cudaStreamSynchronize(stream) != cudaSuccess) {
		printf("FAILED launches\n");
		exit(1);
	}
	return (double)(sb_now_ns() - start) / LAUNCHES;
}

static double run(struct sb_cupti *c, enum mode mode)
{
	const struct sb_activity *a;
	struct sb_activity_account account;
	struct sb_error err = { .msg = "" };
	double ns;
	size_t n;

	if (mode != NONE)
		must(mode == OURS ? sb_cupti_begin(c, &err) : sb_cupti_begin_bare(c, mode == CALLED, &err), &err);
	ns = launches(c, mode);
	if (mode == NONE)
		return ns;
	must(sb_cupti_end(c, &a, &n, &account, &err), &err);
	lost += llabs(account.delivered - LAUNCHES) + account.dropped;
	if (mode == OURS)
		lost += account.unmatched + account.zero_time;
	return ns;
}

static int by_value(const void *pa, const void *pb)
{
	double a = *(const double *)pa, b = *(const double *)pb;

	return (a > b) - (a < b);
}

/* Sorts. */
static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), by_value);
	return v[n / 2];
}

static void measure(struct sb_cupti *c, double without, double *out)
{
	static const enum mode order[] = { BARE, CALLED, OURS, OURS, CALLED, BARE };
	double ns[MODES][ROUNDS] = { { 0 } }, beyond[ROUNDS], ratio[ROUNDS];

	for (int warm = 0; warm < 2; warm++)
		for (enum mode m = BARE; m < MODES; m++)
			run(c, m);
	for (int r = 0; r < ROUNDS; r++) {
		for (size_t k = 0; k < SB_ARRAY_LEN(order); k++)
			ns[order[k]][r] += run(c, order[k]) / 2;
		beyond[r] = ns[OURS][r] - ns[BARE][r];
		ratio[r] = (ns[OURS][r] - without) / (ns[BARE][r] - without);
	}
	out[WITHOUT] = without;
	for (enum mode m = BARE; m < MODES; m++)
		out[WITHOUT + (int)m] = median(ns[m], ROUNDS);
	out[ADDED_BARE] = out[WITH_BARE] - without;
	out[BEYOND_BARE] = median(beyond, ROUNDS);
	out[RATIO] = median(ratio, ROUNDS);
}

/* 0, or with what to exit; why has been printed. */
static int child(double *figures)
{
	struct sb_error err = { .msg = "" };
	struct sb_cupti *c = NULL;
	double first[FIRST];
	enum sb_status status;
	int count = 0;

	if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) {
		printf("skipped: no CUDA device\n");
		return SKIP;
	}
	if (cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) != cudaSuccess) {
		printf("FAILED stream\n");
		return 1;
	}
	run(NULL, NONE);
	run(NULL, NONE);
	for (int i = 0; i < FIRST; i++)
		first[i] = run(NULL, NONE);
	status = sb_cupti_open(2 * LAUNCHES, &c, &err); /* late, as in a worker */
	if (status == SB_E_ENV) {
		printf("skipped: %s\n", err.msg);
		return SKIP;
	}
	must(status, &err);
	measure(c, median(first, FIRST), figures);
	sb_cupti_close(c);
	figures[LOST] = (double)lost;
	return 0;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

/* A process of its own, forked while this one has no CUDA: its figures, or with what to exit. */
static int ask_child(double *figures)
{
	const size_t size = FIGURES * sizeof(*figures);
	int ends[2], status = 0, code;
	bool told;
	pid_t pid;

	fflush(stdout);
	if (pipe(ends) || (pid = fork()) < 0) {
		printf("FAILED no process\n");
		return 1;
	}
	if (pid == 0) {
		code = child(figures);
		if (!code && write(ends[1], figures, size) != (ssize_t)size)
			code = 1;
		fflush(stdout);
		_exit(code);
	}
	close(ends[1]);
	told = read(ends[0], figures, size) == (ssize_t)size;
	close(ends[0]);
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && (WEXITSTATUS(status) || told))
		return WEXITSTATUS(status);
	printf("FAILED a process that did not end well\n");
	return 1;
}

/* Ranks 2 and 8 of 9 values: the 95 % interval of their median (binomial, 96.1 %). */
static int judge(double all[FIGURES][PROCESSES])
{
	double *ratio = all[RATIO], held, missing = 0.0;
	int failed;

	for (int p = 0; p < PROCESSES; p++)
		missing += all[LOST][p];
	for (int i = 0; i < LOST; i++) {
		median(all[i], PROCESSES);
		printf("%s: %.3f [%.3f, %.3f]%s\n", labels[i], all[i][PROCESSES / 2], all[i][1], all[i][PROCESSES - 2],
		        i == RATIO ? "" : " ns a launch");
	}
	held = ratio[PROCESSES / 2];
	printf("%s lost records %.0f 0\n", missing > 0.0 ? "FAILED" : "ok", missing);
	failed = missing > 0.0 || !(held <= LIMIT) || !(all[ADDED_BARE][1] > 0.0);
	printf("%s cost against bare records %.3f %.3f\n", failed ? "FAILED" : "ok", held, LIMIT);
	return failed;
}

int main(void)
{
	double all[FIGURES][PROCESSES], figures[FIGURES];
	int failed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%d launches, %d processes of %d rounds\n", LAUNCHES, PROCESSES, ROUNDS);
	for (int p = 0; p < PROCESSES; p++) {
		int code = ask_child(figures);

		if (code)
			return code;
		for (int i = 0; i < FIGURES; i++)
			all[i][p] = figures[i];
	}
	failed = judge(all);
	printf("%d failed\n", failed);
	return failed;
}
