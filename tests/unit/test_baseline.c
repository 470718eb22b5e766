/* Baselines and calibrations in the database, and fingerprints: what may be held against what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sb_fingerprint.h"
#include "store_fixture.h"
#include <sqlite3.h>

static void assert_ok(struct fixture *f, enum sb_status status)
{
	if (status)
		fail_msg("%s", f->err.msg);
}

static void sql(struct fixture *f, const char *text)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(f->db, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

/* A database of one run with a trial, and the run's key. */
static struct sb_store *open_with_run(struct fixture *f, int64_t *run)
{
	struct sb_store *st;
	int64_t worker;

	assert_ok(f, sb_store_open(f->db, SB_STORE_WRITE, &st, &f->err));
	assert_ok(f, fixture_begin_run(st, "0123456789abcdef0123456789abcdef", run, &worker, &f->err));
	assert_ok(f, fixture_add_trial(st, *run, worker, 0, 0, &f->err));
	return st;
}

static void set(struct fixture *f, struct sb_store *st, int64_t run, const char *name, const char *machine,
        const char *exe, int64_t when)
{
	char own_name[32], own_machine[64], own_case[] = "preset=tiny", own_exe[64], digest[] = "00000000000000aa";
	const struct sb_baseline b = { .name = own_name,
		.machine = own_machine,
		.case_key = own_case,
		.run = run,
		.exe = own_exe,
		.exe_digest = digest,
		.created_ns = when };

	snprintf(own_name, sizeof(own_name), "%s", name);
	snprintf(own_machine, sizeof(own_machine), "%s", machine);
	snprintf(own_exe, sizeof(own_exe), "%s", exe);
	assert_ok(f, sb_store_set_baseline(st, &b, &f->err));
}

static void a_baseline_is_kept_for_each_machine(void **state)
{
	struct fixture *f = *state;
	struct sb_baselines all;
	int64_t run;
	struct sb_store *st = open_with_run(f, &run);
	int n;

	set(f, st, run, "main", "box 1", "/old", 10);
	set(f, st, run, "main", "box 2", "/two", 5);
	set(f, st, run, "main", "box 1", "/new", 20); /* in the place of the first */
	set(f, st, run, "nightly", "box 1", "/night", 1);
	assert_ok(f, sb_store_list_baselines(st, &all, &f->err));
	assert_int_equal(all.n, 3);
	assert_string_equal(all.v[0].exe, "/two"); /* by name, older ones first */
	assert_string_equal(all.v[1].exe, "/new");
	assert_string_equal(all.v[2].name, "nightly");
	assert_string_equal(all.v[1].run_id, "0123456789abcdef0123456789abcdef");
	assert_true(all.v[1].created_ns == 20 && all.v[1].run == run && all.v[1].arm == 0);
	assert_true(strlen(all.v[1].arm_name) > 0);
	sb_baselines_release(&all);
	assert_ok(f, sb_store_drop_baseline(st, "main", &n, &f->err));
	assert_int_equal(n, 2);
	assert_ok(f, sb_store_drop_baseline(st, "main", &n, &f->err));
	assert_int_equal(n, 0);
	assert_ok(f, sb_store_list_baselines(st, &all, &f->err));
	assert_int_equal(all.n, 1);
	sb_baselines_release(&all);
	assert_ok(f, sb_store_check(st, &f->err));
	sb_store_close(st);
}

static void a_baseline_without_its_run_is_told_and_found_by_the_check(void **state)
{
	struct fixture *f = *state;
	struct sb_baselines all;
	int64_t run;
	struct sb_store *st = open_with_run(f, &run);

	set(f, st, run, "main", "box 1", "/old", 10);
	sb_store_close(st);
	sql(f, "PRAGMA foreign_keys = OFF; UPDATE baseline SET run = 77");
	assert_ok(f, sb_store_open(f->db, SB_STORE_READ, &st, &f->err));
	assert_ok(f, sb_store_list_baselines(st, &all, &f->err));
	assert_int_equal(all.n, 1);
	assert_string_equal(all.v[0].run_id, "");
	assert_string_equal(all.v[0].arm_name, "");
	sb_baselines_release(&all);
	assert_int_equal(sb_store_check(st, &f->err), SB_E_DATA);
	assert_non_null(strstr(f->err.msg, "a row of 'baseline' belongs to no"));
	sb_store_close(st);
}

static void an_older_format_has_none_and_gets_the_tables_when_written_to(void **state)
{
	struct fixture *f = *state;
	struct sb_calibrations calibrations;
	struct sb_baselines all;
	int64_t run;
	struct sb_store *st = open_with_run(f, &run);

	sb_store_close(st);
	sql(f, "DROP VIEW trace_text; ALTER TABLE trace DROP COLUMN op_call; DROP TABLE baseline; "
	       "DROP TABLE calibration; PRAGMA user_version = 2");
	assert_ok(f, sb_store_open(f->db, SB_STORE_READ, &st, &f->err));
	assert_ok(f, sb_store_list_baselines(st, &all, &f->err));
	assert_ok(f, sb_store_list_calibrations(st, &calibrations, &f->err));
	assert_true(all.n == 0 && calibrations.n == 0);
	assert_ok(f, sb_store_check(st, &f->err));
	sb_store_close(st);
	assert_ok(f, sb_store_open(f->db, SB_STORE_WRITE, &st, &f->err));
	set(f, st, run, "main", "box 1", "/old", 10);
	assert_ok(f, sb_store_list_baselines(st, &all, &f->err));
	assert_int_equal(all.n, 1);
	sb_baselines_release(&all);
	sb_store_close(st);
}

static void a_calibration_takes_the_place_of_an_older_one(void **state)
{
	struct fixture *f = *state;
	struct sb_calibrations all;
	int64_t run;
	struct sb_store *st = open_with_run(f, &run);
	char machine[] = "box 1", of_case[] = "preset=tiny", levels[] = "alloc=default", metric[] = "wall_ns";
	char first[] = "{\"a\":1}", second[] = "{\"a\":2}";
	struct sb_calibration c = { .machine = machine,
		.case_key = of_case,
		.levels = levels,
		.metric = metric,
		.figures = first,
		.run = run,
		.created_ns = 1 };

	assert_ok(f, sb_store_set_calibration(st, &c, &f->err));
	c.figures = second;
	c.created_ns = 2;
	assert_ok(f, sb_store_set_calibration(st, &c, &f->err));
	assert_ok(f, sb_store_list_calibrations(st, &all, &f->err));
	assert_int_equal(all.n, 1);
	assert_string_equal(all.v[0].figures, "{\"a\":2}");
	assert_true(all.v[0].created_ns == 2);
	sb_calibrations_release(&all);
	sb_store_close(st);
}

/* ---- fingerprints ------------------------------------------------------------------------------------------------ */

struct facts {
	struct sb_run run;
	struct sb_run_fact fact[8];
	struct sb_run_worker worker;
};

static void add(struct facts *m, char *key, char *value)
{
	m->fact[m->run.n_facts++] = (struct sb_run_fact){ key, value, NULL };
	m->run.facts = m->fact;
}

static void describe_gpu(struct facts *m, char *driver, char *uuid)
{
	static char name[] = "NVIDIA H200", kind[] = "cuda", cpu[] = "EPYC", plan[] = "{\"threads\": 3}";
	static char k_name[] = "device.name", k_kind[] = "device.kind", k_soft[] = "software", k_cpu[] = "cpu.model";

	*m = (struct facts){ .run = { .plan = plan, .n_workers = 1 } };
	m->worker.device_uuid = uuid;
	m->run.workers = &m->worker;
	add(m, k_name, name);
	add(m, k_kind, kind);
	add(m, k_soft, driver);
	add(m, k_cpu, cpu);
}

static void machine_of(const struct facts *m, char *out, size_t n)
{
	struct sb_buf b = { 0 };

	sb_fingerprint_machine(&m->run, &b);
	snprintf(out, n, "%s", sb_buf_str(&b));
	sb_buf_release(&b);
}

static void a_gpu_is_its_card_and_driver(void **state)
{
	char one[] = "driver 580.1, CUDA 13.0, cuBLAS 13.1", two[] = "driver 580.1, CUDA 13.0, cuBLAS 13.2";
	char three[] = "driver 590.2, CUDA 13.0", a_card[] = "GPU-1", other_card[] = "GPU-2";
	char a[256], b[256], text[128];
	struct facts m;

	(void)state;
	describe_gpu(&m, one, a_card);
	machine_of(&m, a, sizeof(a));
	assert_string_equal(a, "device=NVIDIA H200\nuuid=GPU-1\ndriver=580.1"); /* no CPU, no libraries */
	describe_gpu(&m, two, a_card);
	machine_of(&m, b, sizeof(b));
	assert_null(sb_fingerprint_difference(a, b, text, sizeof(text)));
	describe_gpu(&m, three, a_card);
	machine_of(&m, b, sizeof(b));
	assert_string_equal(sb_fingerprint_difference(a, b, text, sizeof(text)), "driver: 580.1 and 590.2");
	describe_gpu(&m, one, other_card);
	machine_of(&m, b, sizeof(b));
	assert_string_equal(sb_fingerprint_difference(a, b, text, sizeof(text)), "uuid: GPU-1 and GPU-2");
}

static void a_gpu_whose_clocks_are_held_otherwise_is_another_machine(void **state)
{
	char software[] = "driver 580.1, CUDA 13.0", card[] = "GPU-1", watts[] = "700", fewer[] = "500", mhz[] = "1980",
	     lower[] = "1500", k_limit[] = "gpu.power_limit_w", k_clock[] = "gpu.application_clock_mhz";
	char a[256], b[256], text[128];
	struct facts m;

	(void)state;
	describe_gpu(&m, software, card);
	add(&m, k_limit, watts);
	add(&m, k_clock, mhz);
	machine_of(&m, a, sizeof(a));
	describe_gpu(&m, software, card);
	add(&m, k_limit, fewer);
	add(&m, k_clock, mhz);
	machine_of(&m, b, sizeof(b));
	assert_string_equal(sb_fingerprint_difference(a, b, text, sizeof(text)), "power limit in W: 700 and 500");
	describe_gpu(&m, software, card);
	add(&m, k_limit, watts);
	add(&m, k_clock, lower);
	machine_of(&m, b, sizeof(b));
	assert_string_equal(
	        sb_fingerprint_difference(a, b, text, sizeof(text)), "application clock in MHz: 1980 and 1500");
}

static void a_part_that_only_one_has_is_a_difference_in_order(void **state)
{
	char text[64];

	(void)state;
	assert_null(sb_fingerprint_difference("a=1\nb=2", "b=2\na=1", text, sizeof(text)));
	assert_string_equal(sb_fingerprint_difference("a=1", "a=1\nb=2", text, sizeof(text)), "b: none and 2");
	assert_string_equal(sb_fingerprint_difference("a=1\nb=2", "a=1", text, sizeof(text)), "b: 2 and none");
	assert_string_equal(sb_fingerprint_difference("a=12", "a=1", text, sizeof(text)), "a: 12 and 1");
	assert_string_equal(sb_fingerprint_difference("a=1", "aa=1", text, sizeof(text)), "a: 1 and none");
	assert_null(sb_fingerprint_difference("", "", text, sizeof(text)));
}

static void a_case_is_not_the_name_of_its_clip(void **state)
{
	char workload[] = "tracker", preset[] = "tiny", digest[] = "cafe";
	char here[] = "{\"clip\": \"/a.mp4\", \"frames\": 4}", there[] = "{\"clip\": \"/b.mp4\", \"frames\": 4}";
	char longer[] = "{\"clip\": \"/a.mp4\", \"frames\": 5}";
	struct sb_run run = { .workload = workload, .preset = preset, .clip_digest = digest, .params = here };
	struct sb_buf a = { 0 }, b = { 0 };
	char text[64];

	(void)state;
	sb_fingerprint_case(&run, &a);
	run.params = there;
	sb_fingerprint_case(&run, &b);
	assert_null(sb_fingerprint_difference(sb_buf_str(&a), sb_buf_str(&b), text, sizeof(text)));
	b.len = 0;
	run.params = longer;
	sb_fingerprint_case(&run, &b);
	assert_string_equal(
	        sb_fingerprint_difference(sb_buf_str(&a), sb_buf_str(&b), text, sizeof(text)), "frames: 4 and 5");
	sb_buf_release(&a);
	sb_buf_release(&b);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(a_baseline_is_kept_for_each_machine),
		T(a_baseline_without_its_run_is_told_and_found_by_the_check),
		T(an_older_format_has_none_and_gets_the_tables_when_written_to),
		T(a_calibration_takes_the_place_of_an_older_one),
		cmocka_unit_test(a_gpu_is_its_card_and_driver),
		cmocka_unit_test(a_gpu_whose_clocks_are_held_otherwise_is_another_machine),
		cmocka_unit_test(a_part_that_only_one_has_is_a_difference_in_order),
		cmocka_unit_test(a_case_is_not_the_name_of_its_clip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
