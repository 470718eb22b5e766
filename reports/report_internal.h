/* What the files that build a report share. */
#ifndef SB_REPORTS_REPORT_INTERNAL_H
#define SB_REPORTS_REPORT_INTERNAL_H

#include "reports_internal.h"
#include "sb_report.h"

struct sb_report {
	struct sb_doc *d;
	const struct sb_report_input *in;
	const struct sb_summary *s;
	const struct sb_summary_group *main; /* the first group */
};

/* ---- report_words.c: figures as spans --------------------------------------------------------------------------- */

/* An effect to be told: what it is of, and how its numbers are written. */
struct sb_told {
	const char *metric, *arm, *after; /* of the data that stand behind the numbers */
	const char *what;                 /* "ratio" */
	const char *unit;
	const struct sb_effect *effect;
	enum sb_unit in;
	enum sb_compare compare;
	bool exact;
	const char *of; /* "pairs", "blocks" */
};
struct sb_told sb_told_row(const struct sb_summary_group *g, const struct sb_summary_row *row);

void sb_say_estimate(struct sb_report *r, const struct sb_told *t); /* "0.332"; "-" */
void sb_say_interval(struct sb_report *r, const struct sb_told *t); /* "0.331..0.333"; "exact"; "-" */
void sb_say_count(struct sb_report *r, const struct sb_told *t);    /* "10" */
/* "ratio 0.332 (0.331..0.333, 10 pairs)"; "no ratio (needs arm x)"; a difference or a value without that word. */
void sb_say_effect(struct sb_report *r, const struct sb_told *t);
/* ", 3.01 times as fast (3.00..3.02)", ", 0.26 % less time (..)", ", no measurable difference"; nothing where there is
 * no interval. */
void sb_say_times(struct sb_report *r, const struct sb_told *t);
/* A median of one column of a row; `digits` significant ones. */
void sb_say_median(struct sb_report *r, const struct sb_summary_group *g, const struct sb_summary_row *row, bool after,
        int digits);
/* "2.590 s -> 0.8578 s" */
void sb_say_change(struct sb_report *r, const struct sb_summary_group *g, const struct sb_summary_row *row);
/* A whole number that is no sample: "10 timing blocks". */
void sb_say_number(struct sb_report *r, const char *metric, const char *what, double value);

const struct sb_summary_row *sb_group_row(const struct sb_summary_group *g, const char *metric);
const struct sb_summary_group *sb_group_of_factor(const struct sb_summary *s, const char *factor);
/* Is it certain which way it goes: -1 less, 1 more, 0 not. Without an interval nothing is. */
int sb_effect_direction(const struct sb_effect *e, enum sb_compare compare);
/* "a, b, c" of words that were counted; for lists in sentences. */
void sb_say_separator(struct sb_report *r, int n);

/* ---- the parts ----------------------------------------------------------------------------------------------------
 */

void sb_report_first(struct sb_report *r);        /* report_first.c: the first screen */
void sb_report_claims(struct sb_report *r);       /* report_claims.c */
void sb_report_before_after(struct sb_report *r); /* report_tables.c */
void sb_report_kernels(struct sb_report *r);      /* report_kernels.c: a table, if they were lined up */
void sb_report_arms(struct sb_report *r);         /* report_arms.c: every arm, and each switch alone */
void sb_report_switches(struct sb_report *r);     /* report_switches.c: what each brings, were they in effect */
void sb_report_evidence(struct sb_report *r);
void sb_report_careful_line(struct sb_report *r); /* report_careful.c: what there is, in a line */
void sb_report_careful(struct sb_report *r);
void sb_report_repeat(struct sb_report *r); /* report_repeat.c: command, environment, files */
void sb_report_missing(struct sb_report *r);

/* A table of a group's rows of one section, or of all where section is SB_SECTION_COUNT. False: none is shown. */
bool sb_report_table(struct sb_report *r, const struct sb_summary_group *g, enum sb_section section, const char *id);
/* The plot of that name where it belongs; nothing if there is none. */
void sb_report_plot(struct sb_report *r, const char *id);
bool sb_report_plot_has_place(const char *id);

#endif
