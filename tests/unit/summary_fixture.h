/*
 * Runs of a few trials for the tests of summary and reports: written through the store into a file of its own, then
 * read back as `spabench compare` does. Every failure ends the test.
 */
#ifndef SB_SUMMARY_FIXTURE_H
#define SB_SUMMARY_FIXTURE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sb_factors.h"
#include "sb_store.h"
#include "sb_summary.h"

#define MS  1e6
#define MIB 1048576.0
#define GIB 1073741824.0

struct fixture {
	char path[64];
	struct sb_store *st;
	int64_t run, worker;
	struct sb_sample samples[64]; /* of the next trial */
	size_t n_samples;
};

static inline void fx_must(enum sb_status status, const struct sb_error *err)
{
	if (status)
		fail_msg("%s", err->msg);
}

/* Facts of a run whose accuracy is measured from `before`. */
#define FX_FROM_BEFORE                                 \
	"reference.arm", "before", "reference.levels", \
	        "precision.gemm=fp32,precision.conv=fp32,precision.attention=fp32,attention=standard,alloc=default"

/* The plan of the next run, as JSON. */
static const char *fx_plan = "{}";

/* arms: names known to sb_arm_by_name(). facts: key, value, .., NULL. */
static inline void fx_open(
        struct fixture *fx, const char *arms, const char *workload, const char *weights, const char *const *facts)
{
	struct sb_arm list[SB_ARMS_MAX];
	const char *names[SB_ARMS_MAX], *levels[SB_ARMS_MAX];
	struct sb_buf text[SB_ARMS_MAX] = { { 0 } };
	struct sb_fact fact[32];
	struct sb_run_row run = {
		.id = "0123456789abcdef0123456789abcdef",
		.created_ns = INT64_C(1795354925000000000), /* 2026-11-22T13:42:05Z */
		.command = "spabench run",
		.note = "a fixture, no measurement",
		.plan = fx_plan,
		.seed = 1,
		.facts = fact,
	};
	struct sb_case_row c = {
		.workload = workload,
		.preset = "tiny",
		.params = "{\"clip\":\"pedestrians.mp4\",\"frames\":4,\"width\":252,\"height\":140}",
		.weights_kind = weights,
	};
	struct sb_worker_row w = { .exe = "spabench", .build_id = "b", .purpose = "timing", .device_name = "cpu" };
	struct sb_error err;
	int n, fd;

	*fx = (struct fixture){ .path = "/tmp/sb_summary_XXXXXX" };
	fd = mkstemp(fx->path);
	assert_true(fd >= 0);
	close(fd);
	for (; facts && facts[2 * run.n_facts]; run.n_facts++)
		fact[run.n_facts] = (struct sb_fact){ facts[2 * run.n_facts], facts[2 * run.n_facts + 1], NULL };
	fx_must(sb_arms_parse(arms, list, &n, &err), &err);
	for (int i = 0; i < n; i++) {
		sb_levels_format(&list[i].levels, &text[i]);
		names[i] = list[i].name;
		levels[i] = sb_buf_str(&text[i]);
	}
	fx_must(sb_store_open(fx->path, SB_STORE_WRITE, &fx->st, &err), &err);
	fx_must(sb_store_begin_run(fx->st, &run, &c, names, levels, n, &fx->run, &err), &err);
	fx_must(sb_store_add_worker(fx->st, fx->run, &w, &fx->worker, &err), &err);
	for (int i = 0; i < n; i++)
		sb_buf_release(&text[i]);
}

static inline void fx_add(struct fixture *fx, const char *metric, double value)
{
	fx->samples[fx->n_samples++] = (struct sb_sample){ metric, sb_value_of(value) };
}

static inline void fx_add_absent(struct fixture *fx, const char *metric, const char *why)
{
	fx->samples[fx->n_samples++] = (struct sb_sample){ metric, sb_value_absent(why) };
}

enum fx_kind { FX_TIMING, FX_TRACE, FX_INCOMPLETE };

/* Store a trial with the samples added since the last one. FX_INCOMPLETE is a trace that lost records. */
static inline void fx_trial(
        struct fixture *fx, int arm, int block, enum fx_kind kind, const char *outcome, const char *message)
{
	struct sb_trial_row t = {
		.worker = fx->worker,
		.arm = arm,
		.block = block,
		.kind = kind == FX_TIMING ? "timing" : "trace",
		.outcome = outcome,
		.message = message,
		.samples = fx->samples,
		.n_samples = fx->n_samples,
		.trace_complete = kind == FX_TRACE,
	};
	struct sb_error err;

	fx_must(sb_store_add_trial(fx->st, fx->run, &t, &err), &err);
	fx->n_samples = 0;
}

/* A timing trial that is ok and has nothing but its wall. */
static inline void fx_wall(struct fixture *fx, int arm, int block, double ms)
{
	fx_add(fx, "wall_ns", ms * MS);
	fx_trial(fx, arm, block, FX_TIMING, "ok", NULL);
}

static inline void fx_fact(struct fixture *fx, const char *key, const char *value)
{
	struct sb_fact f = { key, value, NULL };
	struct sb_error err;

	fx_must(sb_store_add_fact(fx->st, fx->run, &f, &err), &err);
}

static inline enum sb_status fx_try_summary(
        struct fixture *fx, const struct sb_summary_options *opt, struct sb_summary *s, struct sb_error *err)
{
	struct sb_store *st = NULL;
	enum sb_status status;
	int64_t run;

	fx_must(sb_store_end_run(fx->st, fx->run, "complete", err), err);
	sb_store_close(fx->st);
	fx->st = NULL;
	fx_must(sb_store_open(fx->path, SB_STORE_READ, &st, err), err);
	fx_must(sb_store_find_run(st, NULL, &run, err), err);
	status = sb_summary_build(st, run, opt, s, err);
	sb_store_close(st);
	unlink(fx->path);
	return status;
}

/* End the run, read it, remove the file. */
static inline void fx_summary(struct fixture *fx, struct sb_summary *s)
{
	struct sb_error err;

	fx_must(fx_try_summary(fx, NULL, s, &err), &err);
}

/* The row of a metric in group `g`, which must be there. */
static inline const struct sb_summary_row *fx_row(const struct sb_summary *s, size_t g, const char *metric)
{
	assert_true(g < s->n_groups);
	for (size_t i = 0; i < s->groups[g].n_rows; i++)
		if (!strcmp(s->groups[g].rows[i].metric, metric))
			return &s->groups[g].rows[i];
	fail_msg("no row '%s' in group %zu", metric, g);
	return NULL;
}

static inline bool fx_has_row(const struct sb_summary *s, size_t g, const char *metric)
{
	for (size_t i = 0; i < s->groups[g].n_rows; i++)
		if (!strcmp(s->groups[g].rows[i].metric, metric))
			return true;
	return false;
}

static inline const struct sb_summary_claim *fx_claim(const struct sb_summary *s, const char *id)
{
	for (size_t i = 0; i < s->n_claims; i++)
		if (!strcmp(s->claims[i].id, id))
			return &s->claims[i];
	fail_msg("no claim '%s'", id);
	return NULL;
}

/*
 * A run as a GPU would give it: six arms, 9 timing and 6 trace blocks, figures made up in round numbers with a noise
 * that is the same every time. Stable down to the last digit, for the golden files.
 */
static inline void fx_gpu_run(struct fixture *fx)
{
	static const char *const facts[] = { "device.name", "NVIDIA H200", "device.kind", "cuda", "cpu.model",
		"AMD EPYC 9654", "host.name", "gpu-01", "emulated", "", "clip.note", "4 of 60 frames", "stop.reason",
		"blocks", "blocks", "9", "budget_s", "300", "effect.precision",
		"in effect: 312 of 312 gemm kernels, 100 % of gemm time", "effect.attention",
		"in effect: 40 of 40 attention kernels, no score-sized allocation", "effect.alloc",
		"in effect: 12 mappings, no segment allocation", "ulp.depth_rel_median", "3.1e-7", "ulp.depth_rel_p95",
		"2.4e-6", "ulp.pose_deg_max", "1.2e-5", FX_FROM_BEFORE, NULL, NULL };
	/* before, +precision, +attention, +alloc, after, best */
	static const double gemm[] = { 900, 380, 900, 900, 380, 380 },
	                    attention[] = { 1600, 1100, 1150, 1600, 1150, 420 },
	                    rest[] = { 500, 500, 500, 510, 505, 505 }, memory[] = { 85985, 85985, 98, 85985, 98, 98 },
	                    reserved[] = { 90, 90, 14, 82, 10, 10 }, drift[] = { 0, 1.1e-4, 4.0e-7, 0, 1.1e-4, 2.2e-4 };
	static const double noise[] = { 0.000, 0.004, -0.003, 0.001, -0.002, 0.003, -0.001, 0.002, -0.004 };

	fx_open(fx, "before,+precision,+attention,+alloc,after,best", "tracker", "file", facts);
	for (int block = 0; block < 15; block++) {
		for (int a = 0; a < 6; a++) {
			bool trace = block >= 9;
			double f = 1 + noise[(block * 4 + a * 5) % 9] + (trace ? 0.02 : 0);
			double total = (gemm[a] + attention[a] + rest[a]) * f;

			fx_add(fx, "wall_ns", total * MS);
			fx_add(fx, "stage.front.patch_ns", 0.02 * total * MS);
			fx_add(fx, "stage.front.aggregator_ns", (0.8 * gemm[a] + attention[a]) * f * MS);
			fx_add(fx, "stage.track.transformer_ns", (0.1 * gemm[a] + 0.7 * rest[a]) * f * MS);
			fx_add(fx, "cold_ns", total * 1.3 * MS);
			fx_add(fx, "memory.weights_bytes", 4.31 * GIB);
			fx_add(fx, "memory.allocated_peak_bytes", memory[a] * MIB + 6 * GIB);
			fx_add(fx, "memory.reserved_peak_bytes", reserved[a] * GIB);
			fx_add(fx, "memory.attention_bytes", memory[a] * MIB);
			fx_add(fx, "memory.attention_workspace_bytes", (memory[a] - 98) * MIB);
			fx_add(fx, "memory.fragmentation", a == 3 || a >= 4 ? 0.012 : 0.264);
			fx_add(fx, "driver.calls", a == 3 || a >= 4 ? 12 : 41);
			if (a)
				fx_add(fx, "quality.track_px_median", drift[a] * 100);
			else
				fx_add_absent(fx, "quality.track_px_median", "is the reference");
			if (a)
				fx_add(fx, "quality.depth_rel_median", drift[a]);
			fx_add(fx, "sm.cycles", 1.9e9 * f);
			if (trace) {
				fx_add(fx, "op.gemm_ns", 0.9 * gemm[a] * f * MS);
				fx_add(fx, "op.conv_ns", 0.1 * gemm[a] * f * MS);
				fx_add(fx, "op.attention_ns", attention[a] * f * MS);
				fx_add(fx, "op.norm_ns", 55 * f * MS);
			}
			fx_trial(fx, a, block, trace ? FX_TRACE : FX_TIMING, "ok", NULL);
		}
	}
}

#endif
