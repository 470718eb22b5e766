/* The roofs of a roofline: those that 'spabench micro' kept of the same device, else the largest rates of the run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ceilings.h"
#include "summary_fixture.h"

#define EXAMPLE "../reports/examples/h200-before-after.db"
#define UUID    "GPU-98b13eab-e78f-17fa-9197-10180dfae682" /* of its GPU */

struct made {
	char folder[64], db[96];
	struct sb_store *st;
	struct sb_run run;
	struct sb_trials trials;
	struct sb_samples samples;
	struct sb_summary summary;
	struct sb_plots plots;
	char *vars; /* what the script is told */
};

static void begin(struct made *m)
{
	char command[256];

	*m = (struct made){ .folder = "/tmp/sb_roofline_XXXXXX" };
	assert_non_null(mkdtemp(m->folder));
	snprintf(m->db, sizeof(m->db), "%s/x.db", m->folder);
	snprintf(command, sizeof(command), "cp %s %s && chmod u+w %s", EXAMPLE, m->db, m->db);
	assert_int_equal(system(command), 0);
}

/* A run of ceilings as the command stores it; a copy is 4000 bytes. */
static void keep(const struct made *m, char first_digit, const char *device, const char *uuid, const char *copy_samples)
{
	char id[33] = "0123456789abcdef0123456789abcdef";
	const char *const name = "ceilings", *const levels = "precision.gemm=fp32";
	const struct sb_fact facts[] = {
		{ "device.name", device, NULL },
		{ "ceiling.copy.work", "4000", NULL },
		{ "ceiling.copy.samples_ns", copy_samples, NULL },
		{ "ceiling.copy.shape", "512 MiB", NULL },
		{ "ceiling.fp32.work", "1000000", NULL },
		{ "ceiling.fp32.samples_ns", "20000 25000 40000", NULL },
		{ "ceiling.fp32.shape", "8192 x 8192 x 8192", NULL },
		{ "ceiling.tf32.work", "1000000", NULL },
		{ "ceiling.tf32.samples_ns", "2500", NULL },
		{ "ceiling.tf32.shape", "8192 x 8192 x 8192", NULL },
		{ "ceiling.others", "2", NULL },
	};
	const struct sb_run_row run = { .id = id,
		.created_ns = INT64_C(1795354925000000000), /* 2026-11-22T13:42:05Z */
		.command = "spabench micro gemm",
		.plan = "{}",
		.facts = facts,
		.n_facts = SB_ARRAY_LEN(facts) };
	const struct sb_case_row c = {
		.workload = SB_STORE_CEILINGS, .preset = "full", .params = "{}", .weights_kind = "none"
	};
	const struct sb_worker_row w = {
		.exe = "spabench", .build_id = "b", .purpose = "micro", .device_name = device, .device_uuid = uuid
	};
	struct sb_store *st;
	struct sb_error err;
	int64_t key, worker;

	id[0] = first_digit;
	fx_must(sb_store_open(m->db, SB_STORE_WRITE, &st, &err), &err);
	fx_must(sb_store_begin_run(st, &run, &c, &name, &levels, 1, &key, &err), &err);
	fx_must(sb_store_add_worker(st, key, &w, &worker, &err), &err);
	fx_must(sb_store_end_run(st, key, "complete", &err), &err);
	sb_store_close(st);
}

static char *read_vars(const struct made *m)
{
	char path[128], *text = calloc(1, 1 << 16);
	FILE *f;

	snprintf(path, sizeof(path), "%s/roofline.var", m->folder);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 16) - 1, f) > 0);
	fclose(f);
	return text;
}

static const struct sb_plot_made *draw(struct made *m)
{
	const struct sb_plots_options opt = { .gnuplot = "/nonexistent/gnuplot", .only = "roofline" };
	struct sb_plots_input in = { NULL, &m->run, &m->trials, &m->samples, &m->summary };
	struct sb_error err;
	int64_t key;

	fx_must(sb_store_open(m->db, SB_STORE_READ, &m->st, &err), &err);
	in.store = m->st;
	fx_must(sb_store_find_run(m->st, NULL, &key, &err), &err);
	fx_must(sb_store_read_run(m->st, key, &m->run, &err), &err);
	fx_must(sb_store_read_trials(m->st, key, &m->trials, &err), &err);
	fx_must(sb_store_read_samples(m->st, key, &m->trials, &m->samples, &err), &err);
	fx_must(sb_summary_compute(&m->run, &m->trials, &m->samples, NULL, &m->summary, &err), &err);
	fx_must(sb_plots_make(&in, m->folder, &opt, &m->plots, &err), &err);
	assert_int_equal(m->plots.n, 1);
	m->vars = read_vars(m);
	return &m->plots.v[0];
}

static void end(struct made *m)
{
	char command[128];

	free(m->vars);
	sb_plots_release(&m->plots);
	sb_summary_release(&m->summary);
	sb_samples_release(&m->samples);
	sb_trials_release(&m->trials);
	sb_run_release(&m->run);
	sb_store_close(m->st);
	snprintf(command, sizeof(command), "rm -rf %s", m->folder);
	assert_int_equal(system(command), 0);
}

static void has(const char *text, const char *piece)
{
	if (!strstr(text, piece))
		fail_msg("no '%s' in:\n%s", piece, text);
}

static void what_micro_kept_are_the_roofs(void **state)
{
	struct made m;
	const struct sb_plot_made *p;

	(void)state;
	begin(&m);
	keep(&m, 'a', "NVIDIA H200", UUID, "2 1 4");
	p = draw(&m);
	has(m.vars, "flop_s = 0.4\n"); /* a million FLOP in 2500 ns */
	has(m.vars, "lower_s = 0.05\n");
	has(m.vars, "bytes_s = 4.0\n");
	has(m.vars, "TF32 product");
	has(m.vars, "copy. Ceilings: run a123456789ab, 2026-11-22T13:42:05Z");
	has(p->caption, "a copy of 512 MiB 4 TB/s (best of n = 3, median 2)");
	has(p->caption, "an FP32 product of 8192 x 8192 x 8192 0.05 TFLOP/s (best of n = 3, median 0.04)");
	has(p->caption, "run a123456789ab of 2026-11-22T13:42:05Z, while 2 other programs were on the GPU.");
	assert_null(strstr(p->caption, "not the same"));
	assert_null(strstr(p->caption, "--db"));
	end(&m);
}

static void the_same_card_goes_before_a_newer_one_of_its_kind(void **state)
{
	struct made m;

	(void)state;
	begin(&m);
	keep(&m, 'a', "NVIDIA H200", UUID, "9");
	keep(&m, 'b', "NVIDIA H200", UUID, "1");
	keep(&m, 'c', "NVIDIA H200", "GPU-other", "2");
	keep(&m, 'd', "NVIDIA H100", UUID, "3");
	draw(&m);
	has(m.vars, "bytes_s = 4.0\n");
	has(m.vars, "run b123456789ab");
	end(&m);
}

static void another_card_of_its_kind_is_named(void **state)
{
	struct made m;
	const struct sb_plot_made *p;

	(void)state;
	begin(&m);
	keep(&m, 'c', "NVIDIA H200", "GPU-other", "2");
	p = draw(&m);
	has(m.vars, "bytes_s = 2.0\n");
	has(p->caption, ", not the same (card 'GPU-other' there, '" UUID "' here).");
	end(&m);
}

static void without_any_the_run_itself_is_the_roof_and_the_command_is_told(void **state)
{
	static const char *const useless[] = { NULL, "", "no number", "0", "-1", "nan", "inf" };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(useless); i++) {
		struct made m;
		const struct sb_plot_made *p;

		begin(&m);
		if (useless[i])
			keep(&m, 'a', "NVIDIA H200", UUID, useless[i]);
		keep(&m, 'd', "NVIDIA H100", UUID, "1");
		p = draw(&m);
		has(m.vars, "lower_s = 0.0\n");
		has(m.vars, "largest measured");
		has(p->caption, "the largest rates measured in this run");
		has(p->caption, "'spabench micro gemm --db FILE'");
		end(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_micro_kept_are_the_roofs),
		cmocka_unit_test(the_same_card_goes_before_a_newer_one_of_its_kind),
		cmocka_unit_test(another_card_of_its_kind_is_named),
		cmocka_unit_test(without_any_the_run_itself_is_the_roof_and_the_command_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
