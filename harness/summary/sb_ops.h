/*
 * ops: the calls of ops of one arm lined up with those of another, by stage, op and order: which product got how much
 * faster, what was added, what vanished. Kernels have other names in another arm, so names decide nothing but what is
 * called the same. Part of summary.
 *
 * The unit is the call of an op (a product, a norm, ..), with all the kernels, copies and sets it made. Calls that have
 * the same stage and op, the same kernels and launch shapes in the one arm and the same in the other make one row: the
 * 48 second products of a transformer's blocks are one. Times are the device's (on the CPU the host's), without the
 * gaps between kernels; calls of the API are in no row.
 */
#ifndef SB_OPS_H
#define SB_OPS_H

#include "sb_old_runs.h"
#include "sb_summary.h"

enum sb_ops_found { SB_OPS_BOTH, SB_OPS_ADDED, SB_OPS_VANISHED };
const char *sb_ops_found_name(enum sb_ops_found found); /* "both", "added", "vanished" */

/* What told one call from the next; the coarser of the two sides. */
enum sb_ops_by {
	SB_OPS_BY_CALL,  /* rows of the trace say which call they belong to */
	SB_OPS_BY_TURN,  /* they do not (older files): calls of one op that follow each other count as one */
	SB_OPS_BY_TOTAL, /* no rows were kept: each op of a stage is one row */
};

/* A kernel of a row in the one arm, and what stands in its place in the other: the same name, else as heavy a one. */
struct sb_ops_kernel {
	const char *name[2];   /* before, after; NULL: vanished, added */
	int64_t count[2];      /* launches a pass */
	struct sb_value ns[2]; /* a pass: medians */
};

struct sb_ops_row {
	enum sb_ops_found found;
	const char *stage, *op;        /* "" for none */
	int64_t calls[2];              /* a pass; 0 where only sums were kept */
	struct sb_value ns[2];         /* a pass: medians; absent where the arm has none of it */
	double lo[2], hi[2];           /* the interval of each; NAN with fewer than 6 trials */
	struct sb_effect ratio;        /* of BOTH */
	double change_ns;              /* after - before, of the medians */
	struct sb_value share;         /* change_ns / that of the whole */
	struct sb_ops_kernel *kernels; /* the heaviest first */
	size_t n_kernels;
};

struct sb_ops {
	const char *run_id[2], *arm[2];
	int trials[2]; /* that are in the figures */
	int pairs;     /* blocks; 0: two runs, which are no pairs */
	enum sb_ops_by by;
	int64_t calls[2], lined_up; /* a pass */
	struct sb_ops_row total;    /* all rows; no kernels */
	struct sb_ops_row *rows;    /* the largest change first */
	size_t n_rows;
	const char **notes;
	size_t n_notes;
	struct sb_summary_pool *pool;
};

/*
 * Of one run, over the blocks in which both arms have a complete trace; with fewer than 6 there are no intervals.
 * Errors: SB_E_USAGE: no such arm; SB_E_DATA: there is no such block, or a trace that cannot be; SB_E_NOMEM.
 */
enum sb_status sb_ops_build(struct sb_store *st, int64_t run_key, const char *before, const char *after,
        struct sb_ops *out, struct sb_error *err);
/*
 * Of two runs, of which all complete traces count: medians and no interval. ref[].arm as in sb_old_runs.h. Errors: as
 * above; SB_E_USAGE also where the runs measured different things, or are one arm of one run.
 */
enum sb_status sb_ops_build_two(const struct sb_old_ref ref[2], struct sb_ops *out, struct sb_error *err);
void sb_ops_release(struct sb_ops *o);

#endif
