/* linear in double, with plain loops: what linear_cpu.c and linear.cu are checked against. */
#include "linear.h"

#include <math.h>

/* To TF32 by its definition: 11 significant bits, or the grid of the smallest exponent; round() takes ties away. */
static double tf32(double v)
{
	int exponent;

	if (!isfinite(v) || v == 0.0)
		return v;
	frexp(v, &exponent);
	exponent -= 11;
	if (exponent < -136)
		exponent = -136;
	return ldexp(round(ldexp(v, -exponent)), exponent);
}

static double activate(double v, enum sb_act act)
{
	switch (act) {
	case SB_ACT_NONE:
		return v;
	case SB_ACT_RELU:
		return v < 0.0 ? 0.0 : v;
	case SB_ACT_SILU:
		return v / (1.0 + exp(-v));
	case SB_ACT_GELU_ERF:
		return 0.5 * v * erfc(-v * sqrt(0.5));
	case SB_ACT_GELU_TANH:
		return 0.5 * v * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (v + 0.044715 * v * v * v)));
	}
	return NAN;
}

void sb_linear_ref(const struct sb_linear_args *a)
{
	for (int64_t r = 0; r < a->rows; r++) {
		for (int64_t c = 0; c < a->out; c++) {
			double sum = 0.0;

			for (int64_t k = 0; k < a->in; k++) {
				double x = (double)a->x[r * a->ldx + k], w = (double)a->w[c * a->ldw + k];

				sum += a->tf32 ? tf32(x) * tf32(w) : x * w;
			}
			if (a->bias)
				sum += (double)a->bias[c];
			sum = activate(sum, a->act);
			if (a->gamma)
				sum *= (double)a->gamma[c];
			if (a->residual)
				sum += (double)a->residual[r * a->ldr + c];
			a->y[r * a->ldy + c] = (float)sum;
		}
	}
}
