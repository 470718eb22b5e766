/*
 * reports: a summary as text, Markdown, CSV or JSON, and what a database holds. Renders what summary/ and store/ give
 * and computes nothing; the database stays closed.
 *
 * Every renderer writes the whole document to `out` and flushes it. Errors: SB_E_DATA when it cannot be written (full
 * disk, closed pipe: whoever owns main() ignores SIGPIPE), SB_E_NOMEM.
 */
#ifndef SB_REPORTS_H
#define SB_REPORTS_H

#include <stdio.h>

#include "sb_base.h"
#include "sb_summary.h"

struct sb_text_options {
	int width;  /* display columns, kept to 80..100; 0: 100 */
	bool color; /* green: better, red: worse, yellow: the interval includes 1. Only where times can be judged */
};

/*
 * The table for people: what was run, one block of rows for each pair of arms, the claims. No line is wider than the
 * width, whatever names are in the database; they are escaped and cut with "..". opt may be NULL.
 */
enum sb_status sb_report_text(
        const struct sb_summary *s, FILE *out, const struct sb_text_options *opt, struct sb_error *err);

struct sb_bars_options {
	int width; /* display columns, kept to 60..200 */
	bool color, utf8;
};

/*
 * A look: every arm's total and every pair's ratios as bars with their intervals, in plain characters. The bars of a
 * pair are drawn on one axis, from 0 to 1.1 or as far as 2; the figures stand beside them.
 */
enum sb_status sb_report_bars(
        const struct sb_summary *s, FILE *out, const struct sb_bars_options *opt, struct sb_error *err);

/* The same groups, rows and claims as GitHub's Markdown, to be pasted into an issue. */
enum sb_status sb_report_markdown(const struct sb_summary *s, FILE *out, struct sb_error *err);

/*
 * One line for each (group, row) as RFC 4180 has it, numbers in base units; a missing number is an empty cell, and the
 * column *_absent says why. Text that a spreadsheet would run (= + - @) has an apostrophe before it: "'+precision".
 */
enum sb_status sb_report_csv(const struct sb_summary *s, FILE *out, struct sb_error *err);

#define SB_REPORT_JSON_VERSION 1

/*
 * The same for programs: {"format": "spabench-summary", "schema_version": 1, ..}, keys always in the same order,
 * numbers in base units (ns, bytes, fractions). A missing number is null, and KEY_absent beside it says why.
 */
enum sb_status sb_report_json(const struct sb_summary *s, FILE *out, struct sb_error *err);

/* ---- what a database holds ---------------------------------------------------------------------------------- */

/* A line for each run, in the order given, the note cut to the width (80..200; 0: 100). */
enum sb_status sb_report_list_text(const struct sb_run_lines *runs, FILE *out, int width, struct sb_error *err);
enum sb_status sb_report_list_json(const struct sb_run_lines *runs, FILE *out, struct sb_error *err);

/* One run as it is stored. */
struct sb_report_run {
	const struct sb_run *run;
	const struct sb_trials *trials;
	const struct sb_samples *samples;
	/*
	 * For the medians and units: the run summarised with its first arm set beside the second, the third, ..; one
	 * summary where there is one arm.
	 */
	const struct sb_summary *tables;
	int arm; /* this arm alone; -1: all */
};

/* On one screen: what was run and on what, whether its switches were in effect, the arms' totals and memory. 80
 * columns. */
enum sb_status sb_report_run_short(const struct sb_report_run *r, FILE *out, bool color, struct sb_error *err);
/* For people: identification, facts, arms, workers, the median of every metric. At most 100 columns. */
enum sb_status sb_report_run_text(const struct sb_report_run *r, FILE *out, bool color, struct sb_error *err);
/* Raw samples for other programs: a line for each trial and metric. A trial without a sample has one line of its own.
 */
enum sb_status sb_report_run_csv(const struct sb_report_run *r, FILE *out, struct sb_error *err);
/* Everything: {"format": "spabench-run", "schema_version": 1, ..}. */
enum sb_status sb_report_run_json(const struct sb_report_run *r, FILE *out, struct sb_error *err);

/* ---- what doctor found ------------------------------------------------------------------------------------------ */

struct sb_report_check {
	const char *name, *state;   /* "ffmpeg", "warning" */
	const char *found, *advice; /* advice: "" when there is none */
};
struct sb_report_checks {
	const char *subject; /* "machine", "database" */
	const struct sb_report_check *v;
	size_t n;
	bool ok;
	const char *verdict; /* a sentence below it all */
};
/* A line for each check, wrapped at 100 columns. */
enum sb_status sb_report_checks_text(const struct sb_report_checks *c, FILE *out, bool color, struct sb_error *err);
enum sb_status sb_report_checks_json(const struct sb_report_checks *c, FILE *out, struct sb_error *err);

/* ---- what micro measured ---------------------------------------------------------------------------------------- */

struct sb_report_micro_time {
	const char *cache; /* "cold", "warm" */
	int n, launches;   /* samples, each the mean of so many launches */
	const double *samples_ns;
	double median_ns, lo_ns, hi_ns, coverage;          /* NAN: no interval */
	struct sb_value flop_per_s, bytes_per_s;           /* of the least that the op must do */
	struct sb_value flop_of_ceiling, bytes_of_ceiling; /* 1: what the device reaches */
};
struct sb_report_micro_row {
	const char *name, *shape, *note;       /* note: NULL for none */
	const char *precision, *attention;     /* attention: NULL where it has no say */
	const char *outcome, *detail, *kernel; /* "ok"; why not, or ""; NULL: nothing ran */
	bool ok, emulated;
	int64_t calls, checked, memory_bytes;
	double flop, bytes, error, limit; /* NAN: not checked */
	struct sb_report_micro_time times[2];
	int n_times;
};
struct sb_report_fact {
	const char *key, *value;
};
struct sb_report_micro {
	const char *title, *verdict;
	int64_t created_ns;
	const struct sb_report_fact *facts;
	size_t n_facts;
	struct sb_value copy_bytes_per_s, product_flop_per_s[2]; /* the ceilings; fp32, tf32 */
	const struct sb_report_micro_row *rows;
	size_t n_rows;
};
/* Rows of one shape stand together. Text is 100 columns wide. */
enum sb_status sb_report_micro_text(const struct sb_report_micro *m, FILE *out, bool color, struct sb_error *err);
enum sb_status sb_report_micro_markdown(const struct sb_report_micro *m, FILE *out, struct sb_error *err);
enum sb_status sb_report_micro_csv(const struct sb_report_micro *m, FILE *out, struct sb_error *err);
/* With every sample: {"format": "spabench-micro", "schema_version": 1, ..}. */
enum sb_status sb_report_micro_json(const struct sb_report_micro *m, FILE *out, struct sb_error *err);

/* ---- a list of figures (replay) --------------------------------------------------------------------------------- */

struct sb_report_figure {
	const char *name, *label; /* "peak_reserved" in CSV and JSON, "peak reserved" for people */
	const char *text;         /* instead of a value, or NULL */
	enum sb_unit unit;
	struct sb_value value;
};
struct sb_report_figures {
	const char *format; /* "spabench-replay", in JSON */
	const struct sb_report_figure *v;
	size_t n;
};
enum sb_status sb_report_figures_text(const struct sb_report_figures *r, FILE *out, struct sb_error *err);
enum sb_status sb_report_figures_markdown(const struct sb_report_figures *r, FILE *out, struct sb_error *err);
enum sb_status sb_report_figures_csv(const struct sb_report_figures *r, FILE *out, struct sb_error *err);
enum sb_status sb_report_figures_json(const struct sb_report_figures *r, FILE *out, struct sb_error *err);

#endif
