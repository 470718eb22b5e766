/* What can grow in `spabench capacity`, and the case of one try. Private to cli. */
#ifndef SB_CAPACITY_CASE_H
#define SB_CAPACITY_CASE_H

#include "sb_experiment.h"

enum sb_grows { SB_GROWS_FRAMES, SB_GROWS_GRID, SB_GROWS_QUERIES, SB_GROWS_SIZE };

struct sb_grows_info {
	int64_t least, most; /* of the numbers that are tried; a size has the number of its longer side's steps */
	int64_t unit;        /* what --most counts for one of them */
	double slack;        /* share of the answer to which it is looked for; 0: to the last one */
};

extern const char *const sb_grows_names[]; /* the words after --by; NULL */
extern const struct sb_grows_info sb_grows_table[];

/* Where a try is to begin: what the preset has; 0: at the least. The preset is known to be there, or 0. */
int64_t sb_grows_first(enum sb_grows by, const struct sb_case *c);

/*
 * Make *c the case of `value`. Queries need a file: one is made, its path is then c->queries, and the caller removes
 * it after the try. Sizes keep the aspect of what *c has, else of the preset's.
 * Errors: SB_E_USAGE for an unknown preset, SB_E_ENV for a file that cannot be made.
 */
enum sb_status sb_grows_apply(enum sb_grows by, int64_t value, struct sb_case *c, struct sb_error *err);

/* `value` as people read it: "518x294", "24". */
void sb_grows_show(enum sb_grows by, int64_t value, const struct sb_case *c, char *out, size_t n);

#endif
