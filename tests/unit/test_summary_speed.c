/*
 * `spabench compare` has 50 ms from start to end, most of it for the store: what summary and text may take of it on 5
 * arms x 200 blocks of timing and of trace trials, 20 stages, 7 kinds of op. CPU time of this process, so that a busy
 * machine does not fail it; far below the limit where it is not broken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "sb_reports.h"
#include "sb_stats.h"
#include "summary_fixture.h"

enum { ARMS = 5, BLOCKS = 200, STAGES = 20, KINDS = 7, METRICS = 44, ROUNDS = 21 };
static const double limit_ms = 15;

struct run {
	struct sb_run run;
	struct sb_run_arm arms[ARMS];
	struct sb_trials trials;
	struct sb_samples samples;
	char names[METRICS][40];
	char *metrics[METRICS];
};

static void name_metrics(struct run *r)
{
	static const char *const others[] = { "memory.weights_bytes", "memory.allocated_peak_bytes",
		"memory.reserved_peak_bytes", "memory.attention_bytes", "memory.fragmentation", "driver.calls",
		"driver_ns", "cold_ns", "quality.depth_rel_median", "quality.pose_deg_max", "quality.pose_rel_max" };

	for (int m = 0; m < METRICS; m++) {
		if (m == 0)
			snprintf(r->names[m], sizeof(r->names[m]), "wall_ns");
		else if (m <= STAGES)
			snprintf(r->names[m], sizeof(r->names[m]), "stage.s%d_ns", m);
		else if (m <= STAGES + KINDS)
			snprintf(r->names[m], sizeof(r->names[m]), "op.%s_ns",
			        (const char *[]){ "gemm", "conv", "attention", "norm", "copy", "sample",
			                "rest" }[m - STAGES - 1]);
		else if ((size_t)(m - STAGES - KINDS - 1) < SB_ARRAY_LEN(others))
			snprintf(r->names[m], sizeof(r->names[m]), "%s", others[m - STAGES - KINDS - 1]);
		else
			snprintf(r->names[m], sizeof(r->names[m]), "other.%d", m);
		r->metrics[m] = r->names[m];
	}
}

static void make(struct run *r, struct sb_buf levels[ARMS])
{
	static const char *const arms[ARMS] = { "before", "+precision", "+attention", "+alloc", "after" };
	static char id[] = "0123", status[] = "complete", workload[] = "tracker";
	const size_t n = (size_t)2 * BLOCKS * ARMS;
	uint64_t random = 1;

	*r = (struct run){
		.run = { .id = id, .status = status, .workload = workload, .n_arms = ARMS },
		.trials = { .v = calloc(n, sizeof(struct sb_trial)), .n = n },
		.samples = { .n_metrics = METRICS, .n_trials = n },
	};
	r->run.arms = r->arms;
	name_metrics(r);
	r->samples.metrics = r->metrics;
	r->samples.value = calloc(n * METRICS, sizeof(double));
	r->samples.absent = calloc(n * METRICS, sizeof(char *));
	assert_true(r->trials.v && r->samples.value && r->samples.absent);
	for (int a = 0; a < ARMS; a++) {
		struct sb_arm arm;

		assert_int_equal(sb_arm_by_name(arms[a], &arm, NULL), SB_OK);
		sb_levels_format(&arm.levels, &levels[a]);
		r->arms[a] = (struct sb_run_arm){ sb_strdup(arms[a]), levels[a].s };
	}
	for (size_t t = 0; t < n; t++) {
		r->trials.v[t] = (struct sb_trial){ .arm = (int)(t % ARMS),
			.block = (int)(t / ARMS % BLOCKS),
			.trace = t >= n / 2,
			.trace_complete = true,
			.outcome = "ok" };
		for (size_t m = 0; m < METRICS; m++) {
			bool op = m > STAGES && m <= STAGES + KINDS;

			r->samples.value[t * METRICS + m] = op && t < n / 2 ? NAN : 1e6 * (1 + sb_random_unit(&random));
			r->samples.absent[t * METRICS + m] = op && t < n / 2 ? "not recorded" : NULL;
		}
	}
}

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void a_thousand_pairs_of_trials_are_summarised_and_printed_in_time(void **state)
{
	struct sb_buf levels[ARMS] = { { 0 } };
	double ms[ROUNDS], median;
	struct sb_error err;
	struct run r;
	FILE *out = fopen("/dev/null", "w");

	(void)state;
	make(&r, levels);
	for (int i = 0; i < ROUNDS; i++) {
		double start = cpu_ms();
		struct sb_summary s;

		fx_must(sb_summary_compute(&r.run, &r.trials, &r.samples, NULL, &s, &err), &err);
		fx_must(sb_report_text(&s, out, NULL, &err), &err);
		assert_int_equal(fx_row(&s, 0, "op.gemm_ns")->effect.pairs, BLOCKS);
		sb_summary_release(&s);
		ms[i] = cpu_ms() - start;
	}
	median = sb_stats_median(ms, ROUNDS, NULL);
	print_message("summary and text: %.2f ms, limit %.0f\n", median, limit_ms);
	assert_true(median < limit_ms);
	fclose(out);
	for (int a = 0; a < ARMS; a++) {
		free(r.arms[a].name);
		sb_buf_release(&levels[a]);
	}
	free(r.trials.v);
	free(r.samples.value);
	free(r.samples.absent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thousand_pairs_of_trials_are_summarised_and_printed_in_time),
	};
	return cmocka_run_group_tests_name("summary_speed", tests, NULL, NULL);
}
