#include "shrink.h"

#include <math.h>
#include <stdlib.h>

/* The largest distance of a tap from the centre is c, so 2 c + 1 pixels can be met. */
static bool axis_init(struct sb_shrink_axis *a, int64_t in, int64_t out)
{
	double c = (double)in / (double)out;

	a->taps = (int64_t)ceil(c) * 2 + 1;
	a->first = malloc((size_t)out * sizeof(*a->first));
	a->count = malloc((size_t)out * sizeof(*a->count));
	a->weight = malloc((size_t)(out * a->taps) * sizeof(*a->weight));
	if (!a->first || !a->count || !a->weight)
		return false;
	for (int64_t i = 0; i < out; i++) {
		double centre = c * ((double)i + 0.5), sum = 0.0;
		int64_t from = (int64_t)fmax(centre - c + 0.5, 0.0);
		int64_t to = (int64_t)fmin(centre + c + 0.5, (double)in);

		for (int64_t j = from; j < to; j++)
			sum += fmax(1.0 - fabs((double)j + 0.5 - centre) / c, 0.0);
		for (int64_t j = from; j < to; j++)
			a->weight[i * a->taps + j - from] =
			        (float)(fmax(1.0 - fabs((double)j + 0.5 - centre) / c, 0.0) / sum);
		a->first[i] = from;
		a->count[i] = to - from;
	}
	return true;
}

static void axis_release(struct sb_shrink_axis *a)
{
	free(a->first);
	free(a->count);
	free(a->weight);
}

enum sb_status sb_shrink_init(
        struct sb_shrink *s, int64_t in_h, int64_t in_w, int64_t out_h, int64_t out_w, struct sb_error *err)
{
	*s = (struct sb_shrink){ .in_h = in_h, .in_w = in_w, .out_h = out_h, .out_w = out_w };
	s->rows = malloc((size_t)(in_h * out_w) * sizeof(*s->rows));
	if (s->rows && axis_init(&s->x, in_w, out_w) && axis_init(&s->y, in_h, out_h))
		return SB_OK;
	sb_shrink_release(s);
	return sb_fail(err, SB_E_NOMEM, "no memory to make pictures smaller");
}

void sb_shrink_release(struct sb_shrink *s)
{
	axis_release(&s->x);
	axis_release(&s->y);
	free(s->rows);
	*s = (struct sb_shrink){ 0 };
}

static float weighted(const struct sb_shrink_axis *a, int64_t i, const float *in, int64_t stride)
{
	const float *weight = a->weight + i * a->taps;
	float sum = 0.0f;

	in += a->first[i] * stride;
	for (int64_t j = 0; j < a->count[i]; j++)
		sum += weight[j] * in[j * stride];
	return sum;
}

void sb_shrink_run(struct sb_shrink *s, const float *in, int64_t step, float *out)
{
	for (int64_t y = 0; y < s->in_h; y++)
		for (int64_t x = 0; x < s->out_w; x++)
			s->rows[y * s->out_w + x] = weighted(&s->x, x, in + y * s->in_w * step, step);
	for (int64_t y = 0; y < s->out_h; y++)
		for (int64_t x = 0; x < s->out_w; x++)
			out[y * s->out_w + x] = weighted(&s->y, y, s->rows + x, s->out_w);
}
