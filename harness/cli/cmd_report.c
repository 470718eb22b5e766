/* report: a run as a document with plots, in HTML and Markdown, and in PDF where a program for that is found. */
#include "report_folder.h"
#include "report_pdf.h"
#include "run_data.h"
#include "report_plots.h"
#include "sb_cli.h"
#include "sb_ops.h"
#include "sb_report.h"
#include "sb_store.h"
#include "sb_summary.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPT_DB, OPT_OUT, OPT_PDF, OPT_FORCE };

const struct sb_option sb_report_options[] = {
	[OPT_DB] = { "db", "FILE", "the database [$SPABENCH_DB, else ./spabench.db]" },
	[OPT_OUT] = { "out", "DIR", "the folder to write to, made if it is not there [spabench-report]" },
	[OPT_PDF] = { "pdf", NULL, "report.pdf, too, by chromium, weasyprint or wkhtmltopdf" },
	[OPT_FORCE] = { "force", NULL, "put the report into a folder that holds other files, too" },
	{ NULL, NULL, NULL },
};

const char sb_report_details[] = "REF is [FILE:][RUN][/ARM]. RUN is the beginning of a run's id; without one the "
                                 "newest run is shown. With an ARM,\n"
                                 "that arm is set beside the first one.\n"
                                 "DIR gets index.html, which needs no other file, report.md, and plots/: each plot as "
                                 "SVG and PNG with its data\n"
                                 "and a script for gnuplot that draws it again.\n"
                                 "Of a folder that holds a report already, the report's own files are replaced.\n";

enum { PDF_SECONDS = 60 };

struct request {
	const char *db, *out;
	bool pdf, force;
	struct sb_reference ref;
};

static volatile sig_atomic_t stop_asked;

static void on_signal(int sig)
{
	(void)sig;
	stop_asked = 1;
}

static bool stop(void)
{
	return stop_asked != 0;
}

static enum sb_status parse(int argc, char **argv, struct request *q, struct sb_error *err)
{
	struct sb_option_parser p = { .next = 1 };
	const char *value;
	int i;

	while ((i = sb_options_next(&p, argc, argv, sb_report_options, &value, err)) >= 0) {
		switch (i) {
		case OPT_DB:
			q->db = value;
			break;
		case OPT_OUT:
			q->out = value;
			break;
		case OPT_PDF:
			q->pdf = true;
			break;
		case OPT_FORCE:
			q->force = true;
			break;
		}
	}
	if (i == -2)
		return SB_E_USAGE;
	if (p.n_operands > 1)
		return sb_fail(err, SB_E_USAGE, "report takes one reference, not %d", p.n_operands);
	if (!*q->out)
		return sb_fail(err, SB_E_USAGE, "--out '' names no folder");
	return p.n_operands ? sb_reference_parse(p.operands[0], &q->ref, err) : SB_OK;
}

/* ---- what is told ------------------------------------------------------------------------------------------------ */

struct loaded {
	struct sb_run run;
	struct sb_trials trials;
	struct sb_samples samples;
	struct sb_summary summary;
	struct sb_summary *arms; /* the main pair's first arm beside each other one */
	size_t n_arms;
	struct sb_ops ops; /* of the main pair; without a pool: there are none */
	char no_ops[512];  /* why not; "" where there is one arm */
	const char *db;
};

static void release(struct loaded *l)
{
	for (size_t i = 0; i < l->n_arms; i++)
		sb_summary_release(&l->arms[i]);
	free(l->arms);
	sb_ops_release(&l->ops);
	sb_summary_release(&l->summary);
	sb_samples_release(&l->samples);
	sb_trials_release(&l->trials);
	sb_run_release(&l->run);
}

static enum sb_status read_run(struct sb_store *st, const char *ref, struct loaded *l, struct sb_error *err)
{
	int64_t key;

	if (sb_store_find_run(st, ref, &key, err) || sb_store_read_run(st, key, &l->run, err) ||
	        sb_run_refuse_ceilings(&l->run, err) || sb_store_read_trials(st, key, &l->trials, err))
		return err->code;
	return sb_store_read_samples(st, key, &l->trials, &l->samples, err);
}

static enum sb_status summarise(struct loaded *l, const char *after, struct sb_error *err)
{
	struct sb_summary_options opt = { .after = after };
	const char *base;

	if (sb_summary_compute(&l->run, &l->trials, &l->samples, &opt, &l->summary, err))
		return err->code;
	base = l->summary.groups[0].before;
	l->arms = calloc((size_t)l->run.n_arms, sizeof(*l->arms));
	if (!l->arms)
		return sb_fail(err, SB_E_NOMEM, "no memory for the run's figures");
	for (int a = 0; a < l->run.n_arms; a++) {
		opt = (struct sb_summary_options){ .before = base, .after = l->run.arms[a].name };
		if (!strcmp(opt.after, base))
			continue;
		if (sb_summary_compute(&l->run, &l->trials, &l->samples, &opt, &l->arms[l->n_arms], err))
			return err->code;
		l->n_arms++;
	}
	return SB_OK;
}

/* A run without traces has none; what else is wrong with them stops no report. */
static enum sb_status line_up(struct sb_store *st, struct loaded *l, struct sb_error *err)
{
	const struct sb_summary_group *g = &l->summary.groups[0];
	struct sb_error why;
	int64_t key;
	enum sb_status status = g->after ? sb_store_find_run(st, l->run.id, &key, &why) : SB_OK;

	if (!g->after)
		return SB_OK;
	if (!status)
		status = sb_ops_build(st, key, g->before, g->after, &l->ops, &why);
	if (status == SB_E_NOMEM)
		return *err = why, status;
	if (status)
		snprintf(l->no_ops, sizeof(l->no_ops), "%.511s", why.msg);
	return SB_OK;
}

static enum sb_status load(const struct request *q, struct loaded *l, struct sb_error *err)
{
	struct sb_store *st;
	enum sb_status status;

	l->db = q->ref.file ? q->ref.file : sb_database_path(q->db);
	if (sb_store_open(l->db, SB_STORE_READ, &st, err))
		return err->code;
	status = read_run(st, q->ref.run, l, err);
	if (!status)
		status = summarise(l, q->ref.arm, err);
	if (!status)
		status = line_up(st, l, err);
	sb_store_close(st);
	return status;
}

/* ---- what is written -----------------------------------------------------------------------------------------------
 */

static void command_of(const struct request *q, const struct loaded *l, struct sb_buf *out)
{
	struct sb_buf ref = { 0 };

	sb_buf_addf(&ref, "%s%s%s", l->run.id, q->ref.arm ? "/" : "", q->ref.arm ? q->ref.arm : "");
	sb_buf_puts(out, "spabench report --db ");
	sb_add_shell_word(l->db, out);
	sb_buf_puts(out, " --out ");
	sb_add_shell_word(q->out, out);
	sb_buf_puts(out, " ");
	sb_add_shell_word(sb_buf_str(&ref), out);
	out->failed |= ref.failed;
	sb_buf_release(&ref);
}

/* The document as each of its files. */
static enum sb_status put_document(
        const struct sb_report_folder *f, const struct sb_report_input *in, struct sb_error *err)
{
	static const struct {
		const char *name;
		enum sb_status (*render)(const struct sb_doc *d, struct sb_buf *out, struct sb_error *err);
	} files[] = { { "index.html", sb_doc_html }, { "report.md", sb_doc_markdown } };
	struct sb_doc *doc = NULL;
	enum sb_status status = sb_report_build(in, &doc, err);

	for (size_t i = 0; i < SB_ARRAY_LEN(files) && !status; i++) {
		struct sb_buf b = { 0 };

		status = files[i].render(doc, &b, err);
		if (!status)
			status = sb_report_folder_put(f, files[i].name, b.s, b.len, err);
		sb_buf_release(&b);
	}
	sb_doc_free(doc);
	return status;
}

/* The page that was put there, as PDF. False: why not. */
static bool put_pdf(const struct sb_report_folder *f, char why[512])
{
	char here[4096] = "";
	struct sb_buf page = { 0 }, pdf = { 0 }, scratch = { 0 };
	bool done = false;

	if (f->temporary[0] != '/' && !getcwd(here, sizeof(here))) {
		snprintf(why, 512, "the current folder cannot be found: %s", strerror(errno));
		return false;
	}
	sb_buf_addf(&page, "%s%s%s/index.html", here, here[0] ? "/" : "", f->temporary);
	sb_buf_addf(&pdf, "%s%s%s/report.pdf", here, here[0] ? "/" : "", f->temporary);
	sb_buf_addf(&scratch, "%s%s%s/.printing", here, here[0] ? "/" : "", f->temporary);
	if (page.failed || pdf.failed || scratch.failed)
		snprintf(why, 512, "no memory for its name");
	else
		done = sb_report_pdf(page.s, pdf.s, scratch.s, PDF_SECONDS, stop, why);
	sb_buf_release(&page);
	sb_buf_release(&pdf);
	sb_buf_release(&scratch);
	return done;
}

/* The report says itself that the PDF is missing, so it is written again then. */
static enum sb_status put_all(const struct request *q, const struct sb_report_folder *f, struct sb_report_input *in,
        char no_pdf[512], struct sb_error *err)
{
	enum sb_status status = put_document(f, in, err);

	if (status || !q->pdf || put_pdf(f, no_pdf))
		return status;
	in->pdf_absent = no_pdf;
	return put_document(f, in, err);
}

/* The report says which; whoever made it hears that there are some. */
static void say_not_drawn(const struct sb_plots *plots)
{
	char why[512] = "";
	int n = 0;

	for (size_t i = 0; i < plots->n; i++) {
		if (!plots->v[i].failed)
			continue;
		if (!n++)
			sb_escape(plots->v[i].absent ? plots->v[i].absent : "no memory to say why", why, sizeof(why));
	}
	if (n)
		sb_log(SB_LOG_WARN, "%d plot%s could not be drawn: %s; the data and scripts are there", n,
		        n == 1 ? "" : "s", why);
}

/* The plots, then what tells of them. */
static enum sb_status put_plots_and_all(const struct request *q, const struct loaded *l,
        const struct sb_report_folder *f, struct sb_report_input *in, char no_pdf[512], struct sb_error *err)
{
	const struct sb_plots_input of = {
		.run = &l->run, .trials = &l->trials, .samples = &l->samples, .summary = &l->summary
	};
	struct sb_report_plots plots;
	enum sb_status status = sb_report_plots_make(l->db, &of, f->temporary, stop, &plots, err);

	if (status)
		return status;
	say_not_drawn(&plots.made);
	in->plots_absent = plots.absent;
	in->plots = plots.v;
	in->n_plots = plots.absent ? 0 : plots.n;
	status = put_all(q, f, in, no_pdf, err);
	in->plots = NULL;
	in->n_plots = 0;
	in->plots_absent = NULL;
	sb_report_plots_release(&plots);
	return status;
}

static enum sb_status write_report(
        const struct request *q, const struct loaded *l, char no_pdf[512], struct sb_error *err)
{
	struct sb_report_folder f;
	struct sb_buf command = { 0 };
	struct sb_report_input in = { .run = &l->run,
		.trials = &l->trials,
		.samples = &l->samples,
		.summary = &l->summary,
		.arms = l->arms,
		.n_arms = l->n_arms,
		.ops = l->ops.pool ? &l->ops : NULL,
		.ops_absent = l->no_ops[0] ? l->no_ops : NULL,
		.database = l->db };
	enum sb_status status;

	if (sb_report_folder_open(&f, q->out, q->force, err))
		return err->code;
	command_of(q, l, &command);
	in.command = sb_buf_str(&command);
	status = command.failed ? sb_fail(err, SB_E_NOMEM, "no memory for the report")
	                        : put_plots_and_all(q, l, &f, &in, no_pdf, err);
	if (!status && stop_asked)
		status = sb_fail(err, SB_E_INTERRUPTED, "interrupted; nothing was written");
	if (!status)
		status = sb_report_folder_publish(&f, err);
	else
		sb_report_folder_abandon(&f);
	sb_buf_release(&command);
	if (!in.pdf_absent)
		no_pdf[0] = '\0';
	return status;
}

enum sb_status sb_cmd_report(int argc, char **argv, struct sb_error *err)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct request q = { .out = "spabench-report" };
	struct loaded l = { .n_arms = 0 };
	char shown[512], no_pdf[512] = "";
	enum sb_status status;

	if (parse(argc, argv, &q, err))
		return err->code;
	status = load(&q, &l, err);
	sigaction(SIGINT, &act, NULL); /* so that nothing is left behind */
	sigaction(SIGTERM, &act, NULL);
	if (!status)
		status = write_report(&q, &l, no_pdf, err);
	release(&l);
	if (status)
		return status;
	sb_escape(q.out, shown, sizeof(shown));
	printf("%s%sindex.html\n", shown, shown[strlen(shown) - 1] == '/' ? "" : "/");
	if (no_pdf[0])
		return sb_fail(err, SB_E_ENV, "no report.pdf: %s; the rest of the report is there", no_pdf);
	return SB_OK;
}
