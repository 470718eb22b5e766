/* doctor: what this machine can and cannot measure, or what a database is worth. */
#include "sb_cli.h"
#include "sb_doctor.h"
#include "sb_reports.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHECKS_MAX 48
#define NOISE_S    1.0

enum { OPT_DB, OPT_FORMAT };

const struct sb_option sb_doctor_options[] = {
	[OPT_DB] = { "db", "FILE", "look at this database instead of at the machine" },
	[OPT_FORMAT] = { "format", "text|json", "how to print it [text]" },
	{ NULL, NULL, NULL },
};

const char sb_doctor_details[] =
        "Without --db: a line for each thing that decides what can be measured here, how well it does, and the way "
        "out.\n"
        "It takes about a second, two with a GPU, and changes nothing. Exit code 0: 'spabench run' is possible; 3: it "
        "is not.\n"
        "With --db: whether the database is whole (pages, keys, the roll-up of every trace), and what is in it. Exit\n"
        "code 0, or 4 for a database that is broken.\n";

struct findings {
	const char *names[CHECKS_MAX];
	struct sb_finding v[CHECKS_MAX];
	int n;
};

static void count(const struct findings *f, int n[SB_HEALTH_BROKEN + 1], struct sb_buf *blocking)
{
	for (int i = 0; i < f->n; i++) {
		n[f->v[i].health]++;
		if (f->v[i].blocks_run)
			sb_buf_addf(blocking, "%s%s", blocking->len ? ", " : "", f->names[i]);
	}
}

static enum sb_status print(
        const struct findings *f, const char *subject, const char *verdict, bool ok, bool json, struct sb_error *err)
{
	struct sb_report_check rows[CHECKS_MAX];
	const struct sb_report_checks c = { subject, rows, (size_t)f->n, ok, verdict };

	for (int i = 0; i < f->n; i++)
		rows[i] = (struct sb_report_check){ f->names[i], sb_health_name(f->v[i].health), f->v[i].found,
			f->v[i].advice };
	if (json)
		return sb_report_checks_json(&c, stdout, err);
	return sb_report_checks_text(&c, stdout, sb_terminal_color(STDOUT_FILENO), err);
}

static enum sb_status examine_machine(struct findings *f, bool json, struct sb_error *err)
{
	struct sb_doctor_gpu *gpu = sb_doctor_gpu_look("");
	const struct sb_doctor d = { sb_database_path(NULL), "", NOISE_S, gpu };
	int n[SB_HEALTH_BROKEN + 1] = { 0 };
	struct sb_buf blocking = { 0 };
	enum sb_status status;
	char verdict[256];

	f->n = 0;
	for (const struct sb_doctor_check *c = sb_doctor_checks; c->name; c++) {
		if (f->n == CHECKS_MAX)
			SB_BUG("more than %d checks", CHECKS_MAX);
		f->names[f->n] = c->name;
		c->fn(&d, &f->v[f->n]);
		f->n += f->v[f->n].found[0] != '\0';
	}
	sb_doctor_gpu_free(gpu);
	count(f, n, &blocking);
	snprintf(verdict, sizeof(verdict), "'spabench run' is %s; %d ok, %d warning%s, %d missing",
	        blocking.len ? "not possible" : "possible", n[SB_HEALTH_OK], n[SB_HEALTH_WARNING],
	        n[SB_HEALTH_WARNING] == 1 ? "" : "s", n[SB_HEALTH_MISSING]);
	status = print(f, "machine", verdict, !blocking.len, json, err);
	if (!status && blocking.len)
		status = sb_fail(err, SB_E_ENV, "'spabench run' is not possible here: see %s", sb_buf_str(&blocking));
	sb_buf_release(&blocking);
	return status;
}

static enum sb_status examine_database(const char *path, struct findings *f, bool json, struct sb_error *err)
{
	int n[SB_HEALTH_BROKEN + 1] = { 0 };
	struct sb_buf none = { 0 };
	enum sb_status status;

	if (sb_doctor_database(path, f->names, f->v, &f->n, err))
		return err->code;
	count(f, n, &none);
	status = print(f, "database", n[SB_HEALTH_BROKEN] ? "the database is broken" : "the database is whole",
	        !n[SB_HEALTH_BROKEN], json, err);
	if (!status && n[SB_HEALTH_BROKEN])
		status = sb_fail(err, SB_E_DATA, "database '%.400s' is broken", path);
	return status;
}

enum sb_status sb_cmd_doctor(int argc, char **argv, struct sb_error *err)
{
	static const char *const formats[] = { "text", "json", NULL };
	static struct findings f; /* tens of kilobytes */
	struct sb_option_parser p = { .next = 1 };
	const char *value, *db = NULL;
	int i, format = 0;

	while ((i = sb_options_next(&p, argc, argv, sb_doctor_options, &value, err)) >= 0) {
		if (i == OPT_DB)
			db = value;
		else if (sb_parse_word(value, "--format", formats, &format, err))
			return SB_E_USAGE;
	}
	if (i == -2)
		return SB_E_USAGE;
	if (p.n_operands)
		return sb_fail(err, SB_E_USAGE, "doctor takes no argument '%.64s'; a database is given with --db",
		        p.operands[0]);
	return db ? examine_database(db, &f, format == 1, err) : examine_machine(&f, format == 1, err);
}
