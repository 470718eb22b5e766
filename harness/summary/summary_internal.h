/* What the files of summary/ share. */
#ifndef SB_SUMMARY_INTERNAL_H
#define SB_SUMMARY_INTERNAL_H

#include "sb_summary.h"

/* ---- pool.c: one owner for everything a summary points to ---------------------------------------------------- */

/* Zeroed, aligned for any type; NULL when out of memory, and the pool remembers it. */
void *sb_pool_alloc(struct sb_summary_pool *p, size_t size);
/* Copies; NULL stays NULL. "" when out of memory, so that callers need not look until the end. */
const char *sb_pool_str(struct sb_summary_pool *p, const char *s);
const char *sb_pool_fmt(struct sb_summary_pool *p, const char *fmt, ...) SB_PRINTF(2, 3);
void sb_pool_fail(struct sb_summary_pool *p);
bool sb_pool_failed(const struct sb_summary_pool *p);
/* Takes the text of a buffer; a buffer that found no memory makes the pool fail. */
const char *sb_pool_take(struct sb_summary_pool *p, struct sb_buf *text);
struct sb_summary_pool *sb_pool_new(void);
void sb_pool_free(struct sb_summary_pool *p);

/* ---- metrics.c: the table of metrics -------------------------------------------------------------------------- */

/*
 * A new metric is one row. `pattern` is a name, or a pattern where '*' stands for any characters; the first row that
 * matches a name describes it, and rows are printed in the order of the table.
 */
struct sb_metric_info {
	const char *pattern;
	const char *label; /* NULL: what the first '*' stands for */
	enum sb_unit unit;
	enum sb_section section;
	enum sb_compare compare;
	bool trace; /* from trace trials only */
	const char *
	        sum[2]; /* not stored but the sum of these stored metrics (one that the run never has counts as none) */
};
extern const struct sb_metric_info sb_metric_table[];
extern const int sb_metric_table_len;

int sb_metric_find(const char *name); /* index of its row; every name has one */
bool sb_metric_match(const char *pattern, const char *name);
/* The part of `name` that the first '*' of `pattern` stands for, -> out[n]. */
void sb_metric_label(const struct sb_metric_info *info, const char *name, char *out, size_t n);

/* Patterns of the rows that stand in a group; NULL-terminated. NULL: no such factor. */
const char *const *sb_metric_rows_of_factor(const char *factor);
extern const char *const sb_metric_rows_of_arm[];
extern const char *const sb_metric_rows_of_best[];

/* ---- summary.c: a run, indexed for comparing ------------------------------------------------------------------ */

enum { SB_KIND_TIMING, SB_KIND_TRACE };

struct sb_view {
	const struct sb_run *run;
	const struct sb_samples *samples;
	struct sb_summary *out;
	struct sb_summary_pool *pool;
	int n_arms, n_blocks;
	struct sb_levels *levels; /* [n_arms] */
	int *trial[2];            /* [kind][arm * n_blocks + block]: index of the usable trial, or -1 */
	int *info;                /* [n_metrics]: row of the metric table */
	bool emulated[SB_PART_COUNT];
	double *col[2], *work;    /* scratch [n_blocks], [n_blocks], [2 n_blocks] */
	double *mhz[2], *held[2]; /* scratch [n_blocks] */
	bool judging;             /* of a row for a claim: look at its samples, whatever it is */
	double level[2];          /* [kind]: of its intervals, sb_stats_level() */
	bool reference_is_before; /* accuracy is measured from an arm of all-first levels */
};

/* trials.c: fill what of the view and the summary says which trials there are. Errors: SB_E_DATA, SB_E_NOMEM. */
enum sb_status sb_view_index_trials(struct sb_view *v, const struct sb_trials *t, struct sb_error *err);
/* One row of a group: `name` between two arms (after -1: none). */
void sb_view_row(struct sb_view *v, const struct sb_metric_info *info, const char *name, int before, int after,
        struct sb_summary_row *row);
/* Values of a metric in timing trials, NAN where a block has none -> out[n_blocks]. Their number. */
int sb_view_column(const struct sb_view *v, const struct sb_metric_info *info, const char *name, int arm, double *out);
/* The level of a row's intervals. */
double sb_view_level(const struct sb_view *v, const struct sb_summary_row *row);
/* The first stored or derived metric whose name matches `pattern`, NULL if none. *info: its row of the table. */
const char *sb_view_metric(const struct sb_view *v, const char *pattern, const struct sb_metric_info **info);
/* True when the arms differ in a part that this device emulates. */
bool sb_view_emulated_differs(const struct sb_view *v, int a, int b);

/* ---- throttled.c ---------------------------------------------------------------------------------------------- */

/* "2 of 60 trials ran while throttled: sw_power_cap"; NULL: none did, or nobody looked. */
const char *sb_throttled_text(struct sb_view *v);

/* ---- claims.c ------------------------------------------------------------------------------------------------- */

void sb_claims_judge(struct sb_view *v);

/* ---- pair_table.c --------------------------------------------------------------------------------------------- */

/* Metrics that can be slower or larger, and are measured in a timing trial. */
bool sb_pair_is_compared(const struct sb_metric_info *info, const char *name);
/* Bytes and counts, less what varies by itself. */
bool sb_pair_is_exact(const struct sb_metric_info *info, const char *name);

/* ---- lattice.c ------------------------------------------------------------------------------------------------ */

/* What switches bring in all their combinations -> out->lattices. wanted: on every stage, or why there is nothing. */
void sb_lattice_summarise(struct sb_view *v, bool wanted);

/* ---- effects.c: the arithmetic of a row ----------------------------------------------------------------------- */

/*
 * Values come by block, NAN where a block has none. work[2 n] is overwritten. `level` is that of sb_stats_level().
 * An estimate that is absent says what is wrong with the values; where there was no pair at all, the caller knows why.
 */

/* Median of the values there are -> *out, their number returned. */
int sb_effect_median(const double *v, int n, double *work, double *out);
/* At least two values, and all the same. */
bool sb_effect_exact(const double *v, int n);
void sb_effect_ratio(
        const double *before, const double *after, int n, double level, double *work, struct sb_effect *out);
void sb_effect_difference(
        const double *before, const double *after, int n, double level, double *work, struct sb_effect *out);
/* The median of v[n] itself; `pairs` is the number of values. */
void sb_effect_value(const double *v, int n, double level, double *work, struct sb_effect *out);

#endif
