/* What the files of ops share. */
#ifndef SB_OPS_INTERNAL_H
#define SB_OPS_INTERNAL_H

#include <jansson.h>

#include "sb_ops.h"
#include "summary_internal.h"

/* ---- ops_align.c ---------------------------------------------------------------------------------------------- */

/*
 * Line up two sequences of symbols: match[i] is the place in b of a[i], or -1; order is kept. A shortest edit script
 * (Myers, An O(ND) difference algorithm and its variations, Algorithmica 1, 1986); sequences that have more than 1,000
 * symbols of their own are lined up by each symbol's order of occurrence instead, as far as that keeps the order.
 * Errors: SB_E_NOMEM.
 */
enum sb_status sb_ops_align(
        const int64_t *a, size_t n, const int64_t *b, size_t m, int64_t *match, struct sb_error *err);

/* ---- ops_calls.c: a trace as calls of ops ---------------------------------------------------------------------- */

/* Texts by number, for names of two databases. */
struct sb_ops_words {
	json_t *index; /* text: number */
	const char **text;
	size_t n, cap;
	struct sb_summary_pool *pool; /* of the texts */
};
bool sb_ops_words_open(struct sb_ops_words *w, struct sb_summary_pool *pool);
void sb_ops_words_close(struct sb_ops_words *w);

struct sb_ops_part {
	int32_t name;  /* a word */
	int64_t count; /* launches */
	double ns;
};

struct sb_ops_call {
	int32_t stage, op;  /* words */
	uint64_t signature; /* of the names and launch shapes of its kernels; 0 where only sums were kept */
	size_t first, n;    /* of parts */
	double ns;
};

/* A pass. */
struct sb_ops_calls {
	enum sb_ops_by by;
	struct sb_ops_call *v;
	size_t n;
	struct sb_ops_part *parts;
	size_t n_parts;
	double ns; /* of all */
};
/* Errors: the store's, SB_E_NOMEM. */
enum sb_status sb_ops_read_calls(struct sb_store *st, int64_t trial_key, struct sb_ops_words *words,
        struct sb_ops_calls *out, struct sb_error *err);
void sb_ops_calls_release(struct sb_ops_calls *c);

/* ---- ops_kernels.c --------------------------------------------------------------------------------------------- */

/* A kernel of one side of a row. */
struct sb_ops_side_kernel {
	int32_t name;
	int64_t count;
	double ns;
};
/* -> row->kernels: the same names side by side, then the others by weight; sets and copies only with their like. */
void sb_ops_pair_kernels(struct sb_summary_pool *pool, const struct sb_ops_words *words,
        const struct sb_ops_side_kernel *before, size_t n_before, const struct sb_ops_side_kernel *after,
        size_t n_after, struct sb_ops_row *row);

#endif
