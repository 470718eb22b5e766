/*
 * capacity: the largest value of a parameter that fits, found in few tries. Pure: it is told what fits and says what to
 * try next. Assumes that whatever is larger than what does not fit does not fit either. Uses base.
 */
#ifndef SB_CAPACITY_H
#define SB_CAPACITY_H

#include "sb_base.h"

struct sb_capacity {
	int64_t least, most; /* of the values that make sense */
	int64_t good, bad;   /* the largest that fits (least - 1: none yet), the smallest that does not (most + 1) */
	double slack;        /* share of the answer to which it is looked for; 0: to the last one */
	int tries;
};

void sb_capacity_init(struct sb_capacity *c, int64_t least, int64_t most, double slack);
/*
 * What to try next; least - 1 when it is decided: c->good is the answer, and c->bad, unless it is most + 1, is known
 * not to fit. guess: what a model expects to be the largest that fits; 0: no idea. A guess that is right is
 * confirmed by its neighbour; a wrong one costs no more than a bisection would.
 */
int64_t sb_capacity_next(const struct sb_capacity *c, int64_t guess);
void sb_capacity_tell(struct sb_capacity *c, int64_t value, bool fits);

/* What took how much: a model of what takes more. */
struct sb_capacity_point {
	double x, bytes;
};
/* Where the line through a and b, a.x < b.x, reaches `room`; -1 where it does not rise. */
double sb_capacity_line(const struct sb_capacity_point *a, const struct sb_capacity_point *b, double room);

#endif
