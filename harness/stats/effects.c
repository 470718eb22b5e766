#include "sb_effects.h"

#include <math.h>

static bool is_on(unsigned arm, int i)
{
	return arm >> i & 1u;
}

static void check_size(int k)
{
	if (k < 1 || k > SB_LATTICE_MAX)
		SB_BUG("a lattice of %d switches", k);
}

/* ---- one block ------------------------------------------------------------------------------------------------ */

double sb_lattice_contrast(const double *y, int k, unsigned set)
{
	double sum = 0.0;

	check_size(k);
	if (!set || set >> k)
		SB_BUG("contrast of set %#x in a lattice of %d switches", set, k);
	for (unsigned arm = 0; arm < 1u << k; arm++) {
		bool odd = false;

		for (int i = 0; i < k; i++)
			odd ^= is_on(set, i) && !is_on(arm, i);
		sum += odd ? -y[arm] : y[arm];
	}
	return sum / (double)(1u << (k - 1));
}

double sb_lattice_effect_at(const double *y, int k, int i, int j, bool on)
{
	double sum = 0.0;

	check_size(k);
	if (i < 0 || i >= k || j < 0 || j >= k || i == j)
		SB_BUG("effect of switch %d at switch %d of %d", i, j, k);
	for (unsigned arm = 0; arm < 1u << k; arm++)
		if (is_on(arm, j) == on)
			sum += is_on(arm, i) ? y[arm] : -y[arm];
	return sum / (double)(1u << (k - 2));
}

static int count(unsigned set)
{
	int n = 0;

	for (; set; set &= set - 1)
		n++;
	return n;
}

static double factorial(int n)
{
	double product = 1.0;

	while (n > 1)
		product *= n--;
	return product;
}

void sb_lattice_shapley(const double *y, int k, double *value)
{
	check_size(k);
	for (int i = 0; i < k; i++) {
		value[i] = 0.0;
		for (unsigned before = 0; before < 1u << k; before++) {
			int n = count(before);

			/* Of the k! orders, n! (k - n - 1)! have exactly these switches ahead of i. */
			if (!is_on(before, i))
				value[i] += factorial(n) * factorial(k - n - 1) * (y[before | 1u << i] - y[before]);
		}
		value[i] /= factorial(k);
	}
}

/* ---- all blocks ----------------------------------------------------------------------------------------------- */

/* Which number is taken of each block. */
enum what { TOTAL, MAIN, AT_OFF, AT_ON, PAIR, SHARE };

static double number_of(const double *y, int k, enum what what, int i, int j)
{
	double value[SB_LATTICE_MAX];

	switch (what) {
	case TOTAL:
		return y[(1 << k) - 1] - y[0];
	case MAIN:
		return sb_lattice_contrast(y, k, 1u << i);
	case AT_OFF:
	case AT_ON:
		return sb_lattice_effect_at(y, k, i, j, what == AT_ON);
	case PAIR:
		return 2.0 * sb_lattice_contrast(y, k, 1u << i | 1u << j);
	case SHARE:
		sb_lattice_shapley(y, k, value);
		return value[i] / (y[(1 << k) - 1] - y[0]);
	}
	return NAN;
}

static bool is_whole(const double *y, int k)
{
	for (int a = 0; a < 1 << k; a++)
		if (!isfinite(y[a]))
			return false;
	return true;
}

static void take(const struct sb_lattice *l, double *scratch, enum what what, int i, int j, struct sb_interval *out)
{
	int n = 0;

	for (int b = 0; b < l->n_blocks; b++) {
		const double *y = l->y + ((size_t)b << l->k);
		double x = is_whole(y, l->k) ? number_of(y, l->k, what, i, j) : NAN;

		if (isfinite(x))                /* a share of a block whose total is 0 is none */
			scratch[n++] = x + 0.0; /* no -0: it would be printed */
	}
	sb_stats_median_interval(scratch, n, l->level, scratch + l->n_blocks, out);
}

static void take_shares(const struct sb_lattice *l, double *scratch, struct sb_lattice_effects *out)
{
	const struct sb_interval *total = &out->total;

	out->share_sum = 0.0;
	for (int i = 0; i < l->k; i++) {
		take(l, scratch, SHARE, i, i, &out->share[i]);
		out->share_sum += out->share[i].mid;
	}
	out->has_shares = total->mid != 0.0 && out->share_sum > 0.0 &&
	                  (!total->has_interval || total->lo > 0.0 || total->hi < 0.0);
	for (int i = 0; i < l->k; i++) {
		struct sb_interval *s = &out->share[i];
		double by = out->has_shares ? out->share_sum : NAN;

		s->mid /= by;
		s->lo /= by;
		s->hi /= by;
		s->has_interval &= out->has_shares;
	}
}

void sb_lattice_effects(const struct sb_lattice *l, double *scratch, struct sb_lattice_effects *out)
{
	check_size(l->k);
	*out = (struct sb_lattice_effects){ 0 };
	for (int b = 0; b < l->n_blocks; b++)
		out->blocks += is_whole(l->y + ((size_t)b << l->k), l->k);
	out->left_out = l->n_blocks - out->blocks;
	take(l, scratch, TOTAL, 0, 0, &out->total);
	for (int i = 0; i < l->k; i++) {
		take(l, scratch, MAIN, i, i, &out->main[i]);
		for (int j = 0; j < l->k; j++) {
			if (j == i)
				continue;
			take(l, scratch, AT_OFF, i, j, &out->at[i][j][0]);
			take(l, scratch, AT_ON, i, j, &out->at[i][j][1]);
			take(l, scratch, PAIR, i, j, &out->pair[i][j]);
		}
	}
	take_shares(l, scratch, out);
}
