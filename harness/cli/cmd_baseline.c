#define _XOPEN_SOURCE 700 /* realpath() */

/* baseline: runs that gates are held against, by name. */
#include "baseline_find.h"
#include "sb_cli.h"
#include "sb_file.h"
#include "sb_fingerprint.h"
#include "sb_workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPT_DB, OPT_EXE };

const struct sb_option sb_baseline_options[] = {
	[OPT_DB] = { "db", "FILE", "the database [$SPABENCH_DB, else ./spabench.db]" },
	[OPT_EXE] = { "exe", "FILE", "set: the binary that gates run as the baseline [the one that ran]" },
	{ NULL, NULL, NULL },
};

const char sb_baseline_details[] =
        "set NAME [REF]  keep a run's arm as NAME, for its machine and case; REF is [FILE:][RUN][/ARM], without it "
        "the\n"
        "                newest run, its last arm. A gate runs the baseline's binary again beside the new one, so "
        "keep\n"
        "                it: copy it away from where the next build writes, and name it with --exe.\n"
        "list            what there is, and whether its binary still is what it was\n"
        "drop NAME       forget it, for every machine and case; its run stays\n"
        "One name may stand for several machines and cases: 'spabench gate' takes the one that fits.\n";

#define LIBRARY "libspabench_cuda.so"

static bool add_file(const char *path, uint64_t *h)
{
	unsigned char bytes[65536];
	const char *why;
	ssize_t n;
	int fd = sb_open_file(path, &why);

	if (fd < 0)
		return false;
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		*h = sb_fnv1a(*h, bytes, (size_t)n);
	close(fd);
	return n == 0;
}

bool sb_exe_digest(const char *path, char out[17])
{
	const char *slash = strrchr(path, '/');
	struct sb_buf library = { 0 };
	uint64_t h = SB_FNV1A_INIT;
	bool ok = add_file(path, &h);

	sb_buf_addf(&library, "%.*s" LIBRARY, slash ? (int)(slash + 1 - path) : 0, path);
	if (ok && !library.failed && !access(sb_buf_str(&library), F_OK))
		ok = add_file(sb_buf_str(&library), &h);
	sb_buf_release(&library);
	snprintf(out, 17, "%016llx", (unsigned long long)h);
	return ok;
}

void sb_fingerprint_line(const char *fingerprint, struct sb_buf *out)
{
	for (; *fingerprint; fingerprint++) {
		if (*fingerprint == '\n')
			sb_buf_puts(out, ", ");
		else
			sb_buf_add(out, *fingerprint == '=' ? " " : fingerprint, 1);
	}
}

/* ---- set ------------------------------------------------------------------------------------------------------- */

static enum sb_status choose_arm(const struct sb_run *run, const char *name, int *arm, struct sb_error *err)
{
	*arm = run->n_arms - 1;
	for (int a = 0; name && a < run->n_arms; a++)
		if (!strcmp(run->arms[a].name, name)) {
			*arm = a;
			return SB_OK;
		}
	if (name || run->n_arms < 1)
		return sb_fail(err, SB_E_USAGE, "run '%.12s' has no arm '%.64s'; 'spabench show' lists them", run->id,
		        name ? name : "");
	return SB_OK;
}

/* A run that measured nothing, or was refused on its way, is no base. */
static enum sb_status check_measured(
        struct sb_store *st, int64_t key, const struct sb_run *run, int arm, struct sb_error *err)
{
	struct sb_trials trials;
	size_t good = 0;

	if (!strcmp(run->status, "failed"))
		return sb_fail(err, SB_E_USAGE, "run '%.12s' failed; name one that did not ('spabench list')", run->id);

	if (sb_store_read_trials(st, key, &trials, err))
		return err->code;
	for (size_t i = 0; i < trials.n; i++)
		good += trials.v[i].arm == arm && !trials.v[i].trace && !strcmp(trials.v[i].outcome, "ok");
	sb_trials_release(&trials);
	return good ? SB_OK
	            : sb_fail(err, SB_E_USAGE, "run '%.12s' has no timing trial of arm '%.64s' that went well", run->id,
	                      run->arms[arm].name);
}

/* The binary of the arm's first trial is that of the run's first worker: arms of pairs name their own. */
static const char *exe_of(const struct sb_run *run, const struct sb_trials *trials, int arm)
{
	for (size_t i = 0; i < trials->n; i++)
		for (size_t w = 0; trials->v[i].arm == arm && w < run->n_workers; w++)
			if (run->workers[w].key == trials->v[i].worker)
				return run->workers[w].exe;
	return run->n_workers ? run->workers[0].exe : "";
}

static enum sb_status store_baseline(struct sb_store *st, int64_t key, const struct sb_run *run, int arm,
        const char *name, const char *exe, struct sb_error *err)
{
	struct sb_buf machine = { 0 }, of_case = { 0 };
	struct sb_trials trials = { .v = NULL };
	char digest[17], absolute[SB_PATH_MAX], shown[256];
	enum sb_status status = sb_store_read_trials(st, key, &trials, err);

	if (status)
		return status;
	exe = exe ? exe : exe_of(run, &trials, arm);
	if (!realpath(exe, absolute))
		snprintf(absolute, sizeof(absolute), "%s", exe);
	sb_fingerprint_machine(run, &machine);
	sb_fingerprint_case(run, &of_case);
	if (machine.failed || of_case.failed)
		status = sb_fail(err, SB_E_NOMEM, "no memory for a baseline");
	if (!status && !sb_exe_digest(absolute, digest))
		status =
		        sb_fail(err, SB_E_USAGE, "cannot read the baseline's binary '%.200s'; name it with --exe", exe);
	if (!status) {
		const struct sb_baseline b = { .name = (char *)(uintptr_t)name,
			.machine = (char *)(uintptr_t)sb_buf_str(&machine),
			.case_key = (char *)(uintptr_t)sb_buf_str(&of_case),
			.run = key,
			.arm = arm,
			.exe = absolute,
			.exe_digest = digest,
			.created_ns = sb_wall_time_ns() };

		status = sb_store_set_baseline(st, &b, err);
	}
	if (!status) {
		sb_escape(absolute, shown, sizeof(shown));
		printf("baseline %s: run %.12s, arm %s, binary %s (%s)\n", name, run->id, run->arms[arm].name, shown,
		        digest);
	}
	sb_trials_release(&trials);
	sb_buf_release(&machine);
	sb_buf_release(&of_case);
	return status;
}

/* Names are typed again, printed as they are and may name folders of scripts. */
static bool is_name(const char *name)
{
	for (const unsigned char *c = (const unsigned char *)name; *c; c++)
		if (*c <= ' ' || *c == 0x7f || *c == '/' || *c == ':')
			return false;
	return *name && *name != '-' && strlen(name) <= 64 && sb_is_utf8(name);
}

static enum sb_status set(
        const char *db, const struct sb_reference *ref, const char *name, const char *exe, struct sb_error *err)
{
	struct sb_run run = { .id = NULL };
	struct sb_store *st;
	int64_t key;
	int arm = 0;
	enum sb_status status;

	if (!is_name(name))
		return sb_fail(err, SB_E_USAGE,
		        "'%.80s' is no name of a baseline: up to 64 characters without blanks, / and :", name);
	if (access(db, F_OK))
		return sb_fail(
		        err, SB_E_DATA, "no database '%.200s'; make one with 'spabench run' or 'spabench pairs'", db);
	status = sb_store_open(db, SB_STORE_WRITE, &st, err);
	if (status)
		return status;
	status = sb_store_find_run(st, ref->run, &key, err);
	if (!status)
		status = sb_store_read_run(st, key, &run, err);
	if (!status)
		status = choose_arm(&run, ref->arm, &arm, err);
	if (!status)
		status = check_measured(st, key, &run, arm, err);
	if (!status)
		status = store_baseline(st, key, &run, arm, name, exe, err);
	sb_run_release(&run);
	sb_store_close(st);
	return status;
}

/* ---- list, drop ------------------------------------------------------------------------------------------------ */

static const char *state_of(const struct sb_baseline *b)
{
	char digest[17];

	if (!b->run_id[0])
		return "its run is gone";
	if (!sb_exe_digest(b->exe, digest))
		return "its binary is gone";
	return strcmp(digest, b->exe_digest) ? "its binary has changed" : "its binary is there";
}

static void print_line(const struct sb_baseline *b)
{
	struct sb_buf line = { 0 };
	char iso[32], shown[512];

	sb_time_iso(b->created_ns, iso);
	sb_escape(b->name, shown, sizeof(shown));
	printf("%s  %s  run %.12s arm %s  %s\n", shown, iso, b->run_id[0] ? b->run_id : "-", b->arm_name, state_of(b));
	sb_fingerprint_line(b->machine, &line);
	sb_escape(sb_buf_str(&line), shown, sizeof(shown));
	printf("  machine  %s\n", shown);
	line.len = 0;
	sb_fingerprint_line(b->case_key, &line);
	sb_escape(sb_buf_str(&line), shown, sizeof(shown));
	printf("  case     %s\n", shown);
	sb_escape(b->exe, shown, sizeof(shown));
	printf("  binary   %s\n", shown);
	sb_buf_release(&line);
}

static enum sb_status list(const char *db, struct sb_error *err)
{
	struct sb_baselines all;
	struct sb_store *st;
	enum sb_status status = sb_store_open(db, SB_STORE_READ, &st, err);

	if (status)
		return status;
	status = sb_store_list_baselines(st, &all, err);
	sb_store_close(st);
	if (status)
		return status;
	for (size_t i = 0; i < all.n; i++)
		print_line(&all.v[i]);
	if (!all.n)
		puts("no baseline; 'spabench baseline set NAME' makes one of the newest run");
	sb_baselines_release(&all);
	return SB_OK;
}

static enum sb_status drop(const char *db, const char *name, struct sb_error *err)
{
	struct sb_store *st;
	enum sb_status status;
	int n = 0;

	if (access(db, F_OK))
		return sb_fail(err, SB_E_DATA, "no database '%.200s'", db);
	status = sb_store_open(db, SB_STORE_WRITE, &st, err);
	if (status)
		return status;
	status = sb_store_drop_baseline(st, name, &n, err);
	if (!status && !n)
		status = sb_fail(err, SB_E_USAGE, "no baseline '%.80s'; 'spabench baseline list' shows them", name);
	if (!status)
		printf("dropped %d\n", n);
	sb_store_close(st);
	return status;
}

/* ---- the command ----------------------------------------------------------------------------------------------- */

enum sb_status sb_cmd_baseline(int argc, char **argv, struct sb_error *err)
{
	struct sb_option_parser p = { .next = 1 };
	struct sb_reference ref = { .run = NULL };
	const char *value, *db = NULL, *exe = NULL, *verb;
	int i;

	while ((i = sb_options_next(&p, argc, argv, sb_baseline_options, &value, err)) >= 0)
		*(i == OPT_DB ? &db : &exe) = value;
	if (i == -2)
		return SB_E_USAGE;
	verb = p.n_operands ? p.operands[0] : "";
	if (!strcmp(verb, "list") && p.n_operands == 1 && !exe)
		return list(sb_database_path(db), err);
	if (!strcmp(verb, "drop") && p.n_operands == 2 && !exe)
		return drop(sb_database_path(db), p.operands[1], err);
	if (strcmp(verb, "set") != 0 || p.n_operands < 2 || p.n_operands > 3)
		return sb_fail(
		        err, SB_E_USAGE, "write 'baseline set NAME [REF]', 'baseline list' or 'baseline drop NAME'");
	if (p.n_operands == 3 && sb_reference_parse(p.operands[2], &ref, err))
		return SB_E_USAGE;
	return set(ref.file ? ref.file : sb_database_path(db), &ref, p.operands[1], exe, err);
}
