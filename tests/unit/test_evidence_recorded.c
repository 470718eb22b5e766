/* The rules of evidence on kernels as an H200 ran them: the recorded run of reports/examples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "evidence.h"
#include "scratch_folder.h"

#define RECORDED "../reports/examples/h200-full.db"

static struct sb_store *st;
static struct sb_trials trials;
static struct sb_rollups *rollups; /* as many as trials */
static struct sb_run run;

static void ok(enum sb_status status, const struct sb_error *err)
{
	if (status)
		fail_msg("%s", err->msg);
}

/* Reading a database may leave files beside it. */
static void copy(const char *from, const char *to)
{
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	char buffer[65536];
	size_t n;

	assert_non_null(in);
	assert_non_null(out);
	while ((n = fread(buffer, 1, sizeof(buffer), in)) > 0)
		assert_int_equal(fwrite(buffer, 1, n, out), n);
	fclose(in);
	assert_int_equal(fclose(out), 0);
}

static int read_recorded(void **state)
{
	struct sb_error err = { .msg = "" };
	int64_t key;

	if (folder_make(state))
		return -1;
	copy(RECORDED, in_folder("r.db"));
	ok(sb_store_open(in_folder("r.db"), SB_STORE_READ, &st, &err), &err);
	ok(sb_store_find_run(st, "", &key, &err), &err);
	ok(sb_store_read_run(st, key, &run, &err), &err);
	ok(sb_store_read_trials(st, key, &trials, &err), &err);
	rollups = calloc(trials.n, sizeof(*rollups));
	for (size_t i = 0; i < trials.n; i++)
		if (trials.v[i].trace)
			ok(sb_store_read_rollup(st, trials.v[i].key, &rollups[i], &err), &err);
	return 0;
}

static int release_recorded(void **state)
{
	for (size_t i = 0; i < trials.n; i++)
		sb_rollups_release(&rollups[i]);
	free(rollups);
	sb_trials_release(&trials);
	sb_run_release(&run);
	sb_store_close(st);
	return folder_remove(state);
}

/* Count the trace trials of arm `from` (NULL: of every arm, each as itself) as if arm `as` had run them. */
static void count(struct sb_evidence *e, const char *from, const char *as)
{
	for (size_t i = 0; i < trials.n; i++) {
		const char *name = run.arms[trials.v[i].arm].name;
		struct sb_trial_result r = { .trace_complete = true, .rollup = rollups[i].v, .n_rollup = rollups[i].n };
		struct sb_arm arm = { .name = "" };

		if (!trials.v[i].trace || (from && strcmp(name, from) != 0))
			continue;
		snprintf(arm.name, sizeof(arm.name), "%s", as ? as : name);
		assert_int_equal(sb_levels_parse(run.arms[trials.v[i].arm].levels, &arm.levels, NULL), SB_OK);
		if (as)
			assert_int_equal(sb_arm_by_name(as, &arm, NULL), SB_OK);
		sb_evidence_add(e, &arm, SB_TRACING, &r);
	}
}

static void expect(const struct sb_evidence *e, bool in_effect, const char *words)
{
	struct sb_switch_line line;

	sb_evidence_judge(e, "precision", false, &line);
	if (!line.tested || line.in_effect != in_effect || !strstr(line.text, words))
		fail_msg("%s", line.text);
}

static void nine_arms_of_a_correct_run_are_in_effect(void **state)
{
	struct sb_evidence e = { 0 };

	(void)state;
	count(&e, NULL, NULL);
	assert_int_equal(e.n_arms, 9);
	expect(&e, true, "in effect: 173520 of 175944 gemm, conv and attention kernels, 99 % of their time");
}

static void kernels_of_another_arm_are_noticed(void **state)
{
	static const struct {
		const char *from, *as, *words;
	} cases[] = {
		{ "+precision", "before", " TF32 kernels ran in arm before (gemm)" },
		{ "best", "+attention", " TF32 kernels ran in arm +attention (gemm)" },
		{ "before", "+precision", "FP32 kernels took 100.0 % of the time of gemm in arm +precision" },
		{ "+attention", "after", "FP32 kernels took 100.0 % of the time of gemm in arm after" },
		{ "after", "best", "FP32 kernels took 100.0 % of the time of attention in arm best" },
		{ "best", "after", " TF32 kernels ran in arm after (attention)" },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		struct sb_evidence e = { 0 };

		count(&e, cases[i].from, cases[i].as);
		count(&e, "+precision+alloc", "+precision+alloc");
		expect(&e, false, cases[i].words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nine_arms_of_a_correct_run_are_in_effect),
		cmocka_unit_test(kernels_of_another_arm_are_noticed),
	};

	return cmocka_run_group_tests(tests, read_recorded, release_recorded);
}
