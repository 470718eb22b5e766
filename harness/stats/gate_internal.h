/* What the files behind sb_gate.h share. */
#ifndef SB_GATE_INTERNAL_H
#define SB_GATE_INTERNAL_H

#include "sb_gate.h"

#define SB_GATE_MAX_RANK_SUM (SB_GATE_MAX_PAIRS * (SB_GATE_MAX_PAIRS + 1) / 2)

/* Ends the program for n > SB_GATE_MAX_PAIRS. */
bool sb_gate_all_finite(const double *x, int n);

/* tail[w] = P(signed rank sum of n >= w) without ties or zeros, w = 0 .. n (n + 1) / 2. */
void sb_gate_rank_tail(int n, double *tail);
/* sb_pairs_signed_rank() with the tail of n from above, where the caller has it (else NULL). */
void sb_gate_signed_rank(const double *d, int n, double shift, const double *tail, struct sb_rank_test *out);

/* 1 + 1/2 + .. + 1/m: what Benjamini and Yekutieli's correction costs beyond Benjamini and Hochberg's. */
double sb_gate_dependence(int m);

#endif
