#include "gate_internal.h"

#include <math.h>
#include <string.h>

/*
 * P(sum >= w) where each score is in the sum or not, as coins fall: scores are whole and >= 0. Only halves of what is
 * there are added, so a tail as small as 2^-64 keeps its digits.
 */
static void coin_tail(const int *score, int n, int total, double *tail)
{
	int top = 0;

	memset(tail, 0, ((size_t)total + 1) * sizeof(*tail));
	tail[0] = 1.0;
	for (int i = 0; i < n; i++) {
		top += score[i];
		for (int w = top; w >= 0; w--)
			tail[w] = 0.5 * tail[w] + (w >= score[i] ? 0.5 * tail[w - score[i]] : 0.0);
	}
	for (int w = total - 1; w >= 0; w--)
		tail[w] += tail[w + 1];
}

void sb_gate_rank_tail(int n, double *tail)
{
	int rank[SB_GATE_MAX_PAIRS];

	if (n < 0 || n > SB_GATE_MAX_PAIRS)
		SB_BUG("%d pairs", n);
	for (int i = 0; i < n; i++)
		rank[i] = i + 1;
	coin_tail(rank, n, n * (n + 1) / 2, tail);
}

/* Values by their distance from the shift. */
struct ranked {
	double value[SB_GATE_MAX_PAIRS]; /* d - shift, nearest first */
	int score[SB_GATE_MAX_PAIRS];    /* twice the rank, so that shared ranks are whole; 0 for what is 0 */
	int sum;                         /* of the scores of what is > 0 */
	int total;                       /* of all scores */
	bool plain;                      /* no ties, no zeros */
};

static void sort_by_distance(const double *d, int n, double shift, double *out)
{
	for (int i = 0; i < n; i++) {
		double v = d[i] - shift;
		int j = i;

		for (; j > 0 && fabs(out[j - 1]) > fabs(v); j--)
			out[j] = out[j - 1];
		out[j] = v;
	}
}

static void rank(const double *d, int n, double shift, struct ranked *r)
{
	r->sum = r->total = 0;
	r->plain = true;
	sort_by_distance(d, n, shift, r->value);
	for (int i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && fabs(r->value[end]) == fabs(r->value[i]); end++)
			;
		if (end > i + 1 || r->value[i] == 0.0)
			r->plain = false;
		for (int k = i; k < end; k++) {
			r->score[k] = r->value[k] == 0.0 ? 0 : i + 1 + end; /* ranks i + 1 to end */
			r->sum += r->value[k] > 0.0 ? r->score[k] : 0;
			r->total += r->score[k];
		}
	}
}

void sb_gate_signed_rank(const double *d, int n, double shift, const double *tail, struct sb_rank_test *out)
{
	double own[2 * SB_GATE_MAX_RANK_SUM + 1];
	struct ranked r;
	int step = 1;

	*out = (struct sb_rank_test){ NAN, NAN, NAN };
	if (!sb_gate_all_finite(d, n) || !isfinite(shift))
		return;
	rank(d, n, shift, &r);
	if (tail && r.plain) {
		step = 2;
	} else {
		coin_tail(r.score, n, r.total, own);
		tail = own;
	}
	out->p_greater = tail[r.sum / step];
	out->p_less = tail[(r.total - r.sum) / step];
	out->excess = n > 0 ? (2.0 * r.sum - r.total) / (2.0 * n * (n + 1)) : 0.0;
}

void sb_pairs_signed_rank(const double *d, int n, double shift, struct sb_rank_test *out)
{
	sb_gate_signed_rank(d, n, shift, NULL, out);
}
