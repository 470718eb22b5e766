/* The section `effects`: which arms are taken for combinations of switches, and what is said of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sb_reports.h"
#include "summary_fixture.h"

static void near(double a, double b, double eps, int line)
{
	if (!(fabs(a - b) <= eps))
		fail_msg("line %d: %.9g, not %.9g", line, a, b);
}
#define assert_near(a, b, eps) near(a, b, eps, __LINE__)

#define EIGHT "before,+precision,+attention,+precision+attention,+alloc,+precision+alloc,+attention+alloc,after"
static const char *const no_facts[] = { "blocks", "7", NULL, NULL };

/* Arm a of EIGHT has switch i on where bit i of a is set. Precision halves, attention takes a quarter off but a tenth
 * where precision is on, alloc does nothing; noise that leaves every median where it is. */
static double milliseconds(int a, int block)
{
	double ms = 100.0 * (a & 1 ? 0.5 : 1.0);

	if (a & 2)
		ms *= a & 1 ? 0.9 : 0.75;
	return ms * (1.0 + 0.1 * block) * (1.0 + 0.0001 * ((block + 3) % 7 - 3) * ((a & 4) ? 1 : 0));
}

static void trial(struct fixture *fx, int arm, int a, int block)
{
	fx_add(fx, "wall_ns", milliseconds(a, block) * MS);
	fx_add(fx, "stage.front.patch_ns", 1 * MS);
	fx_add(fx, "memory.weights_bytes", 1000 * MIB);
	fx_add(fx, "memory.allocated_peak_bytes", (a & 2 ? 300 : a & 4 ? 700 : 800) * MIB);
	fx_trial(fx, arm, block, FX_TIMING, "ok", NULL);
}

static const struct sb_effect *effect(
        const struct sb_summary_lattice_metric *m, enum sb_lattice_row_kind kind, const char *label)
{
	for (size_t i = 0; i < m->n_rows; i++)
		if (m->rows[i].kind == kind && !strcmp(m->rows[i].label, label))
			return &m->rows[i].effect;
	fail_msg("no row '%s' of kind %d", label, (int)kind);
	return NULL;
}

static void summarise(struct fixture *fx, bool wanted, struct sb_summary *s)
{
	const struct sb_summary_options opt = { .effects = wanted };
	struct sb_error err;

	fx_must(fx_try_summary(fx, &opt, s, &err), &err);
}

static void print_text(const struct sb_summary *s, char *text, size_t size)
{
	struct sb_error err;
	FILE *f = tmpfile();
	size_t n;

	assert_non_null(f);
	fx_must(sb_report_text(s, f, NULL, &err), &err);
	rewind(f);
	n = fread(text, 1, size - 1, f);
	text[n] = '\0';
	fclose(f);
}

/* ---- a whole lattice ------------------------------------------------------------------------------------------ */

/*
 * By hand: precision is 0.5 with standard attention, 0.5 * 0.9 / 0.75 = 0.6 with efficient, sqrt(0.3) on average; the
 * total is 0.45. Of log 0.45, attention's Shapley value is (log 0.75 + log 0.9) / 2, whatever alloc is: 0.2461.
 */
static void effects_are_those_worked_out_by_hand(void **state)
{
	const struct sb_summary_lattice_metric *m;
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, EIGHT ",best", "tracker", "file", no_facts);
	for (int b = 0; b < 7; b++)
		for (int a = 0; a < 9; a++)
			trial(&fx, a, a < 8 ? a : 7, b);
	summarise(&fx, false, &s);
	assert_int_equal(s.n_lattices, 1);
	assert_null(s.lattices[0].absent);
	assert_string_equal(s.lattices[0].title, "precision x attention x alloc");
	assert_string_equal(s.lattices[0].only, "");
	assert_string_equal(s.lattices[0].first, "before");
	assert_string_equal(s.lattices[0].last, "after");
	assert_int_equal(s.lattices[0].n_arms, 8);
	assert_int_equal(s.lattices[0].n_notes, 1);
	assert_string_equal(s.lattices[0].notes[0],
	        "no combination of these switches, so not in here: best (precision.attention=tf32)");
	assert_int_equal(s.lattices[0].n_metrics, 2);
	m = &s.lattices[0].metrics[0];
	assert_int_equal(m->blocks, 7);
	assert_near(effect(m, SB_LATTICE_MAIN, "precision")->estimate.v, sqrt(0.3), 1e-9);
	assert_near(effect(m, SB_LATTICE_AT, "precision, attention=standard")->estimate.v, 0.5, 1e-9);
	assert_near(effect(m, SB_LATTICE_AT, "precision, attention=efficient")->estimate.v, 0.6, 1e-9);
	assert_near(effect(m, SB_LATTICE_AT, "attention, precision=fp32")->estimate.v, 0.75, 1e-9);
	assert_near(effect(m, SB_LATTICE_AT, "attention, precision=tf32")->estimate.v, 0.9, 1e-9);
	assert_near(effect(m, SB_LATTICE_PAIR, "precision x attention")->estimate.v, 1.2, 1e-9);
	assert_near(effect(m, SB_LATTICE_PAIR, "attention x alloc")->estimate.v, 1.0, 1e-9);
	assert_near(effect(m, SB_LATTICE_MAIN, "alloc")->estimate.v, 1.0, 1e-9);
	assert_near(effect(m, SB_LATTICE_TOTAL, "all together")->estimate.v, 0.45, 1e-9);
	assert_near(effect(m, SB_LATTICE_SHARE, "attention")->estimate.v, 0.5 * log(0.675) / log(0.45), 1e-4);
	assert_near(effect(m, SB_LATTICE_SHARE, "precision")->estimate.v, 1 - 0.5 * log(0.675) / log(0.45), 1e-4);
	assert_true(effect(m, SB_LATTICE_MAIN, "alloc")->lo < 1 && effect(m, SB_LATTICE_MAIN, "alloc")->hi > 1);
	/*
	 * Bytes: 800 -> 700 by alloc alone, 300 with efficient attention whatever alloc is. Attention: -500 or -400,
	 * -450 on average; alloc -50; of -500 attention's Shapley value is -450.
	 */
	m = &s.lattices[0].metrics[1];
	assert_string_equal(m->label, "memory of a trial");
	assert_int_equal(m->compare, SB_COMPARE_DIFFERENCE);
	assert_true(effect(m, SB_LATTICE_MAIN, "attention")->estimate.v == -450 * MIB);
	assert_true(effect(m, SB_LATTICE_MAIN, "alloc")->estimate.v == -50 * MIB);
	assert_true(effect(m, SB_LATTICE_MAIN, "precision")->estimate.v == 0);
	assert_true(effect(m, SB_LATTICE_PAIR, "attention x alloc")->estimate.v == 100 * MIB);
	assert_near(effect(m, SB_LATTICE_SHARE, "attention")->estimate.v, 0.9, 1e-12);
	sb_summary_release(&s);
}

static void stages_are_there_when_asked_for(void **state)
{
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, EIGHT, "tracker", "file", no_facts);
	for (int b = 0; b < 7; b++)
		for (int a = 0; a < 8; a++)
			trial(&fx, a, a, b);
	summarise(&fx, true, &s);
	assert_int_equal(s.lattices[0].n_metrics, 3);
	assert_string_equal(s.lattices[0].metrics[2].label, "front.patch");
	/* A stage that nothing changes: nothing to be shared. */
	assert_string_equal(effect(&s.lattices[0].metrics[2], SB_LATTICE_SHARE, "precision")->estimate.absent,
	        "the whole change is not distinguishable from none");
	assert_near(effect(&s.lattices[0].metrics[2], SB_LATTICE_MAIN, "precision")->estimate.v, 1, 0);
	assert_int_equal(s.lattices[0].n_notes, 0);
	sb_summary_release(&s);
}

static void a_block_without_an_arm_is_left_out_and_said(void **state)
{
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, EIGHT, "tracker", "file", no_facts);
	for (int b = 0; b < 8; b++) {
		for (int a = 0; a < 8; a++) {
			if (b == 5 && a == 3)
				fx_trial(&fx, a, b, FX_TIMING, "crashed", "killed by signal 11");
			else
				trial(&fx, a, a, b);
		}
	}
	for (int a = 0; a < 8; a++) { /* trace blocks are none of these */
		fx_add(&fx, "wall_ns", 7 * MS);
		fx_trial(&fx, a, 8, FX_TRACE, "ok", NULL);
	}
	summarise(&fx, false, &s);
	assert_int_equal(s.lattices[0].metrics[0].blocks, 7);
	assert_int_equal(s.lattices[0].metrics[0].left_out, 1);
	assert_int_equal(s.lattices[0].n_notes, 1); /* not for each metric */
	assert_string_equal(s.lattices[0].notes[0], "1 of 8 blocks lack an arm and are not in here");
	sb_summary_release(&s);
}

/* ---- parts of one --------------------------------------------------------------------------------------------- */

/* Standard attention does not fit at fp32: what is left is precision with efficient attention and
 * attention at tf32. */
static void a_lattice_with_arms_out_of_memory_is_told_where_it_is_whole(void **state)
{
	static char text[1 << 16];
	const struct sb_summary_lattice_metric *m;
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, EIGHT, "tracker", "file", no_facts);
	for (int b = 0; b < 7; b++) {
		for (int a = 0; a < 8; a++) {
			if (a != 0 && a != 4)
				trial(&fx, a, a, b);
			else if (b == 0)
				fx_trial(&fx, a, b, FX_TIMING, "oom", "out of device memory: 80 GiB");
		}
	}
	summarise(&fx, false, &s);
	assert_int_equal(s.n_lattices, 2);
	assert_null(s.lattices[0].absent);
	assert_string_equal(s.lattices[0].title, "precision x alloc");
	assert_string_equal(s.lattices[0].only, "attention=efficient");
	assert_string_equal(s.lattices[0].first, "+attention");
	assert_int_equal(s.lattices[0].n_arms, 4);
	assert_int_equal(s.lattices[0].n_notes, 1);
	assert_string_equal(
	        s.lattices[0].notes[0], "combinations are missing: before: out of memory; +alloc: out of memory");
	m = &s.lattices[0].metrics[0];
	assert_near(effect(m, SB_LATTICE_MAIN, "precision")->estimate.v, 0.6, 1e-9);
	assert_near(effect(m, SB_LATTICE_SHARE, "precision")->estimate.v, 1, 1e-3);
	assert_string_equal(s.lattices[1].title, "attention x alloc");
	assert_string_equal(s.lattices[1].only, "precision=tf32");
	assert_int_equal(s.lattices[1].n_notes, 0);
	assert_near(effect(&s.lattices[1].metrics[0], SB_LATTICE_MAIN, "attention")->estimate.v, 0.9, 1e-9);
	print_text(&s, text, sizeof(text));
	assert_non_null(strstr(text, "\neffects: precision x alloc, only with attention=efficient\n"));
	assert_non_null(strstr(text, "\neffects: attention x alloc, only with precision=tf32\n"));
	sb_summary_release(&s);
}

/* Two switches in full and another arm: the part with the fewest switches on. */
static void two_switches_are_enough(void **state)
{
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, "before,+precision,+attention,+precision+attention,+alloc", "tracker", "file", no_facts);
	for (int b = 0; b < 7; b++)
		for (int a = 0; a < 5; a++)
			trial(&fx, a, a, b);
	summarise(&fx, false, &s);
	assert_string_equal(s.lattices[0].title, "precision x attention");
	assert_string_equal(s.lattices[0].only, "alloc=default");
	assert_string_equal(s.lattices[0].notes[0],
	        "combinations are missing: "
	        "precision=tf32, attention=standard, alloc=expandable: not in the run; "
	        "precision=fp32, attention=efficient, alloc=expandable: not in the run; "
	        "precision=tf32, attention=efficient, alloc=expandable: not in the run");
	sb_summary_release(&s);
}

/* A run with the title of its first lattice and, of that, the last note. */
static void check_arms(const char *arms, int n, const char *title, const char *on, const char *note)
{
	struct sb_summary s;
	struct fixture fx;
	const struct sb_summary_lattice *l;

	fx_open(&fx, arms, "tracker", "file", no_facts);
	for (int b = 0; b < 7; b++)
		for (int a = 0; a < n; a++)
			trial(&fx, a, a & 7, b);
	summarise(&fx, false, &s);
	assert_int_equal(s.n_lattices, 1);
	l = &s.lattices[0];
	assert_string_equal(l->title, title);
	assert_string_equal(l->only, "");
	assert_string_equal(l->levels[1][1], on);
	assert_string_equal(l->n_notes ? l->notes[l->n_notes - 1] : "", note);
	sb_summary_release(&s);
}

static void levels_beside_those_of_after_are_no_combination(void **state)
{
	(void)state;
	check_arms("before,+alloc=stitched,+attention,+alloc,+attention+alloc", 5, "attention x alloc", "expandable",
	        "no combination of these switches, so not in here: +alloc=stitched (alloc=stitched)");
	/* The only arm with precision on is none of them, so precision is not switched. */
	check_arms("before,+attention,+alloc,+attention+alloc,+precision+alloc=stitched", 5, "attention x alloc",
	        "expandable",
	        "no combination of these switches, so not in here: +precision+alloc=stitched (alloc=stitched)");
	/* Without an arm at expandable, what comes first is what "on" means. */
	check_arms(
	        "before,+attention,+alloc=stitched,+attention+alloc=stitched", 4, "attention x alloc", "stitched", "");
	check_arms("before,+precision.conv=tf32,+attention,+precision.conv=tf32+attention,+precision.gemm=tf32", 5,
	        "precision x attention", "efficient",
	        "no combination of these switches, so not in here: +precision.gemm=tf32 (precision.gemm=tf32, "
	        "precision.conv=fp32)");
}

/* ---- none ----------------------------------------------------------------------------------------------------- */

static const char *why_none(const char *arms, int n, bool wanted, bool trials, char *text, size_t size)
{
	struct sb_summary s;
	struct fixture fx;

	fx_open(&fx, arms, "tracker", "file", no_facts);
	for (int a = 0; a < n && trials; a++)
		fx_wall(&fx, a, 0, 100);
	summarise(&fx, wanted, &s);
	snprintf(text, size, "%s", !s.n_lattices ? "-" : s.lattices[0].absent ? s.lattices[0].absent : "effects");
	sb_summary_release(&s);
	return text;
}

static void runs_without_combinations_say_why_when_asked(void **state)
{
	static const char *const five = "before,+precision,+attention,+alloc,after";
	char text[512];

	(void)state;
	assert_string_equal(why_none(five, 5, false, true, text, sizeof(text)), "-");
	assert_string_equal(why_none(five, 5, true, true, text, sizeof(text)),
	        "no two switches were measured in every combination ("
	        "precision=tf32, attention=efficient, alloc=default: not in the run; "
	        "precision=tf32, attention=standard, alloc=expandable: not in the run; "
	        "precision=fp32, attention=efficient, alloc=expandable: not in the run); 'run --all', or '--arms' with "
	        "such names as +precision+attention");
	assert_string_equal(why_none("before,+precision,+attention,+alloc", 4, true, true, text, sizeof(text)),
	        "no two switches were measured in every combination (4 of 8 are not in the run); 'run --all', or "
	        "'--arms' with such names as +precision+attention");
	assert_string_equal(why_none("before,+attention", 2, false, true, text, sizeof(text)), "-");
	assert_string_equal(why_none("before,+attention", 2, true, true, text, sizeof(text)),
	        "the arms differ in fewer than two switches: what there is to know stands above");
	assert_string_equal(why_none("before", 1, true, true, text, sizeof(text)),
	        "the arms differ in fewer than two switches: what there is to know stands above");
	assert_string_equal(why_none(EIGHT, 8, false, false, text, sizeof(text)), "there are no timing trials");
	/* They were meant to be there, so it is said without being asked. */
	assert_string_equal(why_none("before,+attention,+alloc,+attention+alloc", 3, false, true, text, sizeof(text)),
	        "no two switches were measured in every combination (+attention+alloc: no timing trial)");
}

/* ---- sentences ------------------------------------------------------------------------------------------------ */

static void sentences_name_the_levels_that_matter(void **state)
{
	static char text[1 << 16];
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, EIGHT, "tracker", "file", no_facts);
	for (int b = 0; b < 7; b++)
		for (int a = 0; a < 8; a++)
			trial(&fx, a, a, b);
	summarise(&fx, false, &s);
	print_text(&s, text, sizeof(text));
	assert_non_null(strstr(text, "\n  precision: 2.00x faster with attention=standard, 1.67x with "
	                             "attention=efficient; 75.4 % of the\n    total gain ("));
	assert_non_null(strstr(text, "\n  attention: 1.33x faster with precision=fp32, 10 % less time with "
	                             "precision=tf32; 24.6 % of the"));
	assert_non_null(strstr(text, "\n  alloc: no measurable difference\n"));
	assert_non_null(strstr(text, "\n  attention: 500 MiB less with alloc=default, 400 MiB with "
	                             "alloc=expandable; 90.0 % of the total\n    saving\n"));
	assert_non_null(strstr(text, "\n  precision: no measurable difference\n"));
	sb_summary_release(&s);
}

/* On a CPU precision is emulated: rows are marked, and no sentence says what a switch brings. */
static void emulated_times_are_marked_and_not_talked_about(void **state)
{
	static const char *const cpu[] = { "device.kind", "cpu", "emulated", "precision", NULL, NULL };
	static char text[1 << 16];
	struct sb_summary s;
	struct fixture fx;

	(void)state;
	fx_open(&fx, EIGHT, "tracker", "file", cpu);
	for (int b = 0; b < 7; b++)
		for (int a = 0; a < 8; a++)
			trial(&fx, a, a, b);
	summarise(&fx, false, &s);
	assert_true(s.lattices[0].metrics[0].emulated);
	assert_false(s.lattices[0].metrics[1].emulated);
	print_text(&s, text, sizeof(text));
	assert_null(strstr(text, "x faster with"));
	assert_non_null(strstr(text, "  attention: 500 MiB less"));
	sb_summary_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(effects_are_those_worked_out_by_hand),
		cmocka_unit_test(stages_are_there_when_asked_for),
		cmocka_unit_test(a_block_without_an_arm_is_left_out_and_said),
		cmocka_unit_test(a_lattice_with_arms_out_of_memory_is_told_where_it_is_whole),
		cmocka_unit_test(two_switches_are_enough),
		cmocka_unit_test(levels_beside_those_of_after_are_no_combination),
		cmocka_unit_test(runs_without_combinations_say_why_when_asked),
		cmocka_unit_test(sentences_name_the_levels_that_matter),
		cmocka_unit_test(emulated_times_are_marked_and_not_talked_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
