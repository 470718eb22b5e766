/*
 * What doctor says of machines that are made up: files under a root of their own instead of /proc, /sys and /dev. And
 * of programs and databases as one may find them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "doctor_internal.h"
#include "sb_reports.h"
#include "store_fixture.h"

static struct sb_doctor doctor_of(const struct fixture *f)
{
	return (struct sb_doctor){ f->db, f->dir, 0.02, NULL };
}

static void make_folders(char *path)
{
	for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(path, 0755);
		*p = '/';
	}
}

/* A file of the made-up machine; text NULL: none. */
static void put(const struct fixture *f, const char *path, const char *text)
{
	char full[1024];

	snprintf(full, sizeof(full), "%s%s", f->dir, path);
	make_folders(full);
	if (text)
		fixture_write_file(full, text, strlen(text));
	else
		unlink(full);
}

static void put_program(const struct fixture *f, const char *name, const char *script)
{
	char path[64], full[1024];

	snprintf(path, sizeof(path), "/bin/%s", name);
	put(f, path, script);
	snprintf(full, sizeof(full), "%s%s", f->dir, path);
	assert_int_equal(chmod(full, 0755), 0);
}

static struct sb_finding check(const struct fixture *f, void (*fn)(const struct sb_doctor *, struct sb_finding *))
{
	const struct sb_doctor d = doctor_of(f);
	struct sb_finding finding = { .found = "" };

	fn(&d, &finding);
	assert_true(finding.found[0]);
	assert_int_equal(finding.health != SB_HEALTH_OK, finding.advice[0] != '\0');
	return finding;
}

#define assert_has(text, part)                                   \
	do {                                                     \
		if (!strstr(text, part))                         \
			fail_msg("no '%s' in '%s'", part, text); \
	} while (0)

/* ---- the machine ----------------------------------------------------------------------------------------------- */

static void a_cpu_without_avx2_is_a_warning(void **state)
{
	const struct fixture *f = *state;
	struct sb_finding r;

	put(f, "/proc/cpuinfo", "processor\t: 0\nmodel name\t: Old One\nflags\t\t: fpu sse2 avx avx2x\n");
	r = check(f, sb_check_cpu);
	assert_int_equal(r.health, SB_HEALTH_WARNING);
	assert_string_equal(r.found, "Old One");
	put(f, "/proc/cpuinfo", "model name\t: New One\nflags\t\t: fpu sse2 avx2 fma\n");
	r = check(f, sb_check_cpu);
	assert_int_equal(r.health, SB_HEALTH_OK);
	assert_string_equal(r.found, "New One (avx2, fma)");
	put(f, "/proc/cpuinfo", "Features\t: fp asimd\n");
	assert_string_equal(check(f, sb_check_cpu).found, "of unknown model (asimd)");
	put(f, "/proc/cpuinfo", NULL);
	assert_int_equal(check(f, sb_check_cpu).health, SB_HEALTH_OK);
}

static void a_container_with_less_time_than_cores_is_a_warning(void **state)
{
	const struct fixture *f = *state;
	struct sb_finding r;

	put(f, "/sys/fs/cgroup/cpu.max", "50000 100000\n");
	r = check(f, sb_check_cores);
	assert_int_equal(r.health, SB_HEALTH_WARNING);
	assert_has(r.found, "time of 0.5");
	assert_has(r.advice, "--threads 1");
	put(f, "/sys/fs/cgroup/cpu.max", "max 100000\n");
	assert_null(strstr(check(f, sb_check_cores).found, "time of"));
	put(f, "/sys/fs/cgroup/cpu.max", "100000 0\n");
	assert_null(strstr(check(f, sb_check_cores).found, "time of"));
}

static void memory_that_does_not_suffice_stops_the_run(void **state)
{
	const struct fixture *f = *state;
	struct sb_finding r;

	put(f, "/proc/meminfo", "MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:   8388608 kB\n");
	r = check(f, sb_check_memory);
	assert_string_equal(r.found, "8192 of 16384 MiB available");
	assert_int_equal(r.health, SB_HEALTH_OK);
	put(f, "/sys/fs/cgroup/memory.max", "629145600\n");
	put(f, "/sys/fs/cgroup/memory.current", "104857600\n");
	r = check(f, sb_check_memory);
	assert_int_equal(r.health, SB_HEALTH_WARNING);
	assert_has(r.found, "500 to this container");
	assert_false(r.blocks_run);
	put(f, "/sys/fs/cgroup/memory.max", "max\n");
	assert_int_equal(check(f, sb_check_memory).health, SB_HEALTH_OK);
	put(f, "/proc/meminfo", "MemTotal:       16777216 kB\nMemAvailable:   65536 kB\n");
	r = check(f, sb_check_memory);
	assert_int_equal(r.health, SB_HEALTH_MISSING);
	assert_true(r.blocks_run);
	put(f, "/proc/meminfo", "nonsense\n");
	assert_string_equal(check(f, sb_check_memory).found, "the system does not say");
}

static void only_the_governor_performance_is_good(void **state)
{
	static const char path[] = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
	const struct fixture *f = *state;

	assert_int_equal(check(f, sb_check_governor).health, SB_HEALTH_OK);
	put(f, path, "performance\n");
	assert_int_equal(check(f, sb_check_governor).health, SB_HEALTH_OK);
	put(f, path, "powersave\n");
	assert_int_equal(check(f, sb_check_governor).health, SB_HEALTH_WARNING);
	assert_string_equal(check(f, sb_check_governor).found, "powersave");
}

static void load_of_other_programs_is_a_warning(void **state)
{
	const struct fixture *f = *state;

	put(f, "/proc/loadavg", "0.12 9.00 9.00 1/100 1234\n");
	assert_int_equal(check(f, sb_check_load).health, SB_HEALTH_OK);
	put(f, "/proc/loadavg", "99999.00 0.00 0.00 1/100 1234\n");
	assert_int_equal(check(f, sb_check_load).health, SB_HEALTH_WARNING);
	put(f, "/proc/loadavg", "-\n");
	assert_string_equal(check(f, sb_check_load).found, "the system does not say");
}

static void a_virtual_machine_and_a_container_are_named(void **state)
{
	const struct fixture *f = *state;

	assert_string_equal(check(f, sb_check_virtual).found, "no virtual machine that shows");
	put(f, "/proc/cpuinfo", "flags\t: fpu hypervisor\n");
	put(f, "/sys/class/dmi/id/sys_vendor", "QEMU\n");
	put(f, "/sys/class/dmi/id/product_name", "Standard PC\n");
	put(f, "/.dockerenv", "x");
	assert_string_equal(check(f, sb_check_virtual).found, "a virtual machine, in a container, QEMU Standard PC");
}

static void the_clock_and_the_noise_are_measured(void **state)
{
	const struct fixture *f = *state;
	int64_t begin = sb_now_ns();

	put(f, "/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
	assert_has(check(f, sb_check_clock).found, "from hpet");
	assert_has(check(f, sb_check_noise).found, "longer than the median");
	assert_true(sb_now_ns() - begin < INT64_C(20000000000));
}

/* ---- programs and data ----------------------------------------------------------------------------------------- */

static void keep_path(char kept[4096])
{
	const char *path = getenv("PATH");

	snprintf(kept, 4096, "%s", path ? path : "");
}

static void a_program_that_is_not_there_is_a_warning_and_stops_nothing(void **state)
{
	static void (*const checks[])(
	        const struct sb_doctor *, struct sb_finding *) = { sb_check_ffmpeg, sb_check_gnuplot };
	const struct fixture *f = *state;
	char path[4096];

	keep_path(path);
	assert_int_equal(setenv("PATH", f->dir, 1), 0);
	for (size_t i = 0; i < SB_ARRAY_LEN(checks); i++) {
		struct sb_finding r = check(f, checks[i]);

		assert_int_equal(r.health, SB_HEALTH_WARNING);
		assert_string_equal(r.found, "not found on PATH");
		assert_has(r.advice, "install ");
		assert_false(r.blocks_run);
	}
	struct sb_finding clip = check(f, sb_check_clip); /* the raw clip stands in */
	assert_int_equal(clip.health, SB_HEALTH_WARNING);
	assert_false(clip.blocks_run);
	assert_int_equal(setenv("PATH", path, 1), 0);
}

static void programs_say_their_version_or_are_not_trusted(void **state)
{
	const struct fixture *f = *state;
	char path[4096], bin[512];
	struct sb_finding r;

	keep_path(path);
	snprintf(bin, sizeof(bin), "/nonexistent:%s/bin", f->dir);
	put_program(f, "ffmpeg", "#!/bin/sh\necho 'ffmpeg version 9.9 Copyright (c) somebody'\necho more\n");
	put_program(f, "gnuplot", "#!/bin/sh\necho gnuplot 9.9\nexit 1\n");
	assert_int_equal(setenv("PATH", bin, 1), 0);
	r = check(f, sb_check_ffmpeg);
	assert_int_equal(r.health, SB_HEALTH_OK);
	assert_has(r.found, "/bin/ffmpeg, ffmpeg version 9.9");
	assert_null(strstr(r.found, "Copyright"));
	r = check(f, sb_check_gnuplot);
	assert_int_equal(r.health, SB_HEALTH_WARNING);
	assert_has(r.found, "does not say its version");
	assert_int_equal(setenv("PATH", path, 1), 0);
}

static void a_program_that_hangs_is_killed(void **state)
{
	const struct fixture *f = *state;
	int64_t begin = sb_now_ns();
	char path[1024], out[64];

	put_program(f, "quiet", "#!/bin/sh\nexec sleep 60\n");
	snprintf(path, sizeof(path), "%s/bin/quiet", f->dir);
	assert_false(sb_probe_output(path, "-v", 0.2, out, sizeof(out)));
	put_program(f, "chatty", "#!/bin/sh\nexec yes\n");
	snprintf(path, sizeof(path), "%s/bin/chatty", f->dir);
	assert_false(sb_probe_output(path, "-v", 0.2, out, sizeof(out)));
	put_program(f, "closed", "#!/bin/sh\nexec sleep 60 >&-\n");
	snprintf(path, sizeof(path), "%s/bin/closed", f->dir);
	assert_false(sb_probe_output(path, "-v", 0.2, out, sizeof(out)));
	assert_true(sb_now_ns() - begin < INT64_C(20000000000));
	put_program(f, "long", "#!/bin/sh\nprintf 'a%.0s' 1 2 3 4 5 6 7 8 9\n");
	snprintf(path, sizeof(path), "%s/bin/long", f->dir);
	assert_true(sb_probe_output(path, "-v", 20, out, 5));
	assert_string_equal(out, "aaaa");
	assert_false(sb_probe_output("/nonexistent", "-v", 20, out, sizeof(out)));
}

static void without_the_clip_there_is_no_run(void **state)
{
	const struct fixture *f = *state;
	struct sb_finding r;

	assert_int_equal(setenv("SPABENCH_DATA", f->dir, 1), 0);
	r = check(f, sb_check_clip);
	assert_int_equal(unsetenv("SPABENCH_DATA"), 0);
	assert_int_equal(r.health, SB_HEALTH_MISSING);
	assert_true(r.blocks_run);
	assert_has(r.found, "pedestrians");
}

static void threads_that_spin_or_crowd_are_a_warning(void **state)
{
	const struct fixture *f = *state;
	struct sb_finding r;

	assert_int_equal(setenv("OMP_WAIT_POLICY", "active", 1), 0);
	r = check(f, sb_check_openmp);
	assert_int_equal(r.health, SB_HEALTH_WARNING);
	assert_has(r.advice, "unset OMP_WAIT_POLICY");
	assert_int_equal(unsetenv("OMP_WAIT_POLICY"), 0);
	r = check(f, sb_check_openmp);
	assert_has(r.found, "workers wait passively");
}

static void every_check_finds_something_on_this_machine(void **state)
{
	const struct fixture *f = *state;
	struct sb_doctor_gpu *gpu = sb_doctor_gpu_look("");
	struct sb_doctor d = { f->db, "", 0.02, gpu };
	int n = 0;

	for (const struct sb_doctor_check *c = sb_doctor_checks; c->name; c++) {
		struct sb_finding r = { .found = "" };

		c->fn(&d, &r);
		n += r.found[0] != '\0'; /* checks of a GPU say nothing where there is none */
		if (r.health != SB_HEALTH_OK && (!r.found[0] || !r.advice[0]))
			fail_msg("%s: '%s', '%s'", c->name, r.found, r.advice);
		assert_true(strlen(c->name) <= 10);
		if (r.blocks_run)
			assert_int_equal(r.health, SB_HEALTH_MISSING);
	}
	assert_true(n >= 17);
	sb_doctor_gpu_free(gpu);
}

/* ---- the place and the database -------------------------------------------------------------------------------- */

static void a_place_that_cannot_be_written_stops_the_run(void **state)
{
	struct fixture *f = *state;
	struct sb_finding r;
	char db[sizeof(f->db)];

	r = check(f, sb_check_disk);
	assert_false(r.blocks_run);
	assert_has(r.found, "MiB free in '");
	strcpy(db, f->db);
	strcpy(f->db, "/nonexistent/x.db");
	r = check(f, sb_check_disk);
	assert_true(r.blocks_run);
	assert_has(r.found, "cannot look at '/nonexistent': No such file or directory");
	if (geteuid() != 0) {
		strcpy(f->db, "/x.db");
		assert_true(check(f, sb_check_disk).blocks_run);
	}
	strcpy(f->db, db);
}

static void write_runs(const struct fixture *f, bool complete)
{
	struct sb_store *st;
	struct sb_error err;
	int64_t run, worker;

	assert_int_equal(sb_store_open(f->db, SB_STORE_WRITE, &st, &err), SB_OK);
	assert_int_equal(fixture_begin_run(st, "aaaa0000000000000000000000000001", &run, &worker, &err), SB_OK);
	assert_int_equal(fixture_add_trial(st, run, worker, 0, 0, &err), SB_OK);
	if (complete)
		assert_int_equal(sb_store_end_run(st, run, "complete", &err), SB_OK);
	sb_store_close(st);
}

static void a_whole_database_is_described(void **state)
{
	const char *names[SB_DOCTOR_DATABASE_FINDINGS];
	struct sb_finding r[SB_DOCTOR_DATABASE_FINDINGS];
	const struct fixture *f = *state;
	struct sb_error err;
	int n;

	write_runs(f, true);
	assert_int_equal(sb_doctor_database(f->db, names, r, &n, &err), SB_OK);
	assert_int_equal(n, 3);
	assert_string_equal(names[2], "runs");
	assert_string_equal(r[2].found, "1 with 1 trials; the newest is aaaa0000 of 1970-01-01T00:00:00Z");
	for (int i = 0; i < n; i++)
		assert_int_equal(r[i].health, SB_HEALTH_OK);
}

static void a_run_that_did_not_end_is_a_warning(void **state)
{
	const char *names[SB_DOCTOR_DATABASE_FINDINGS];
	struct sb_finding r[SB_DOCTOR_DATABASE_FINDINGS];
	const struct fixture *f = *state;
	struct sb_error err;
	int n;

	write_runs(f, false);
	assert_int_equal(sb_doctor_database(f->db, names, r, &n, &err), SB_OK);
	assert_int_equal(n, 4);
	assert_int_equal(r[3].health, SB_HEALTH_WARNING);
	assert_has(r[3].advice, "run --resume");
}

static void a_rollup_that_is_not_its_rows_is_broken(void **state)
{
	const char *names[SB_DOCTOR_DATABASE_FINDINGS];
	struct sb_finding r[SB_DOCTOR_DATABASE_FINDINGS];
	const struct fixture *f = *state;
	struct sb_error err;
	sqlite3 *db;
	int n;

	write_runs(f, true);
	assert_int_equal(sqlite3_open(f->db, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE rollup SET dur_ns = dur_ns + 1", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(sb_doctor_database(f->db, names, r, &n, &err), SB_OK);
	assert_int_equal(r[1].health, SB_HEALTH_BROKEN);
	assert_has(r[1].found, "x.db");
	assert_string_equal(r[2].found, "1 with 1 trials; the newest is aaaa0000 of 1970-01-01T00:00:00Z");
}

static void what_is_no_database_is_an_error(void **state)
{
	const char *names[SB_DOCTOR_DATABASE_FINDINGS];
	struct sb_finding r[SB_DOCTOR_DATABASE_FINDINGS];
	const struct fixture *f = *state;
	struct sb_error err;
	int n;

	assert_int_equal(sb_doctor_database(f->db, names, r, &n, &err), SB_E_DATA);
	assert_has(err.msg, "no database");
	fixture_write_file(f->db, "this is a letter to my aunt, and no database at all", 52);
	assert_int_equal(sb_doctor_database(f->db, names, r, &n, &err), SB_E_DATA);
	assert_int_equal(fixture_count(f->dir), 1);
}

/* ---- printing -------------------------------------------------------------------------------------------------- */

static void findings_are_printed_without_what_drives_a_terminal(void **state)
{
	const struct sb_report_check rows[] = {
		{ "cpu", "ok",
		        "a \033[31mmodel\a with a name that goes on and on until it can no longer stand in one "
		        "line of a hundred columns",
		        "" },
		{ "gpu", "missing", "none", "an advice \xc2\x9b" },
	};
	const struct sb_report_checks c = { "machine", rows, 2, true, "well" };
	struct sb_error err;
	char text[2048] = "";
	FILE *out = tmpfile();

	(void)state;
	assert_non_null(out);
	assert_int_equal(sb_report_checks_text(&c, out, false, &err), SB_OK);
	rewind(out);
	assert_true(fread(text, 1, sizeof(text) - 1, out) > 0);
	fclose(out);
	assert_string_equal(text,
	        "  ok       cpu        a \\x1b[31mmodel\\x07 with a name that goes on and on until it can no longer\n"
	        "                      stand in one line of a hundred columns\n"
	        "  missing  gpu        none\n"
	        "                      an advice \\xc2\\x9b\n"
	        "well\n");
	out = tmpfile();
	assert_int_equal(sb_report_checks_json(&c, out, &err), SB_OK);
	rewind(out);
	memset(text, 0, sizeof(text));
	assert_true(fread(text, 1, sizeof(text) - 1, out) > 0);
	fclose(out);
	assert_has(text, "\"format\": \"spabench-doctor\"");
	assert_has(text, "an advice \\u009b");
	assert_has(text, "\"ok\": true");
	assert_null(strchr(text, '\033'));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(a_cpu_without_avx2_is_a_warning),
		T(a_container_with_less_time_than_cores_is_a_warning),
		T(memory_that_does_not_suffice_stops_the_run),
		T(only_the_governor_performance_is_good),
		T(load_of_other_programs_is_a_warning),
		T(a_virtual_machine_and_a_container_are_named),
		T(the_clock_and_the_noise_are_measured),
		T(a_program_that_is_not_there_is_a_warning_and_stops_nothing),
		T(programs_say_their_version_or_are_not_trusted),
		T(a_program_that_hangs_is_killed),
		T(without_the_clip_there_is_no_run),
		T(threads_that_spin_or_crowd_are_a_warning),
		T(every_check_finds_something_on_this_machine),
		T(a_place_that_cannot_be_written_stops_the_run),
		T(a_whole_database_is_described),
		T(a_run_that_did_not_end_is_a_warning),
		T(a_rollup_that_is_not_its_rows_is_broken),
		T(what_is_no_database_is_an_error),
		T(findings_are_printed_without_what_drives_a_terminal),
	};
	return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
