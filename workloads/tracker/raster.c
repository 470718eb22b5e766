#include "raster.h"

#include <math.h>
#include <stdlib.h>

enum sb_status sb_ink_init(struct sb_ink *ink, int64_t h, int64_t w, struct sb_error *err)
{
	*ink = (struct sb_ink){ .h = h, .w = w, .alpha = calloc((size_t)(h * w), sizeof(float)) };
	return ink->alpha ? SB_OK : sb_fail(err, SB_E_NOMEM, "no memory for a picture");
}

void sb_ink_release(struct sb_ink *ink)
{
	free(ink->alpha);
	*ink = (struct sb_ink){ 0 };
}

/* ---- laying down --------------------------------------------------------------------------------------------- */

/* Whole numbers from first to last that lie in lo .. hi and in 0 .. n - 1; none: first > last. */
struct span {
	int64_t first, last;
};

static struct span span_of(double lo, double hi, int64_t n)
{
	struct span s;

	lo = lo > 0.0 ? lo : 0.0;
	hi = hi < (double)(n - 1) ? hi : (double)(n - 1);
	if (!(lo <= hi))
		return (struct span){ 0, -1 };
	s.first = (int64_t)ceil(lo);
	s.last = (int64_t)floor(hi);
	return s;
}

static void grow_box(struct sb_ink *ink, struct span x, int64_t y)
{
	bool empty = ink->x0 >= ink->x1;

	if (x.first > x.last)
		return;
	ink->x0 = empty || x.first < ink->x0 ? x.first : ink->x0;
	ink->x1 = empty || x.last >= ink->x1 ? x.last + 1 : ink->x1;
	ink->y0 = empty || y < ink->y0 ? y : ink->y0;
	ink->y1 = empty || y >= ink->y1 ? y + 1 : ink->y1;
}

/* How much of a pixel lies inside an edge that is so far away (negative: outside). */
static double covered(double inside)
{
	double c = inside + 0.5;

	return c < 0.0 ? 0.0 : c > 1.0 ? 1.0 : c;
}

static void lay(struct sb_ink *ink, int64_t x, int64_t y, double alpha)
{
	float *a = &ink->alpha[y * ink->w + x];

	if (alpha > (double)*a)
		*a = (float)alpha;
}

void sb_ink_ring(struct sb_ink *ink, double x, double y, double radius, double width, double alpha)
{
	double reach = radius + width / 2.0 + 0.5;
	struct span rows = span_of(y - reach, y + reach, ink->h), columns = span_of(x - reach, x + reach, ink->w);

	for (int64_t r = rows.first; r <= rows.last; r++) {
		grow_box(ink, columns, r);
		for (int64_t c = columns.first; c <= columns.last; c++) {
			double d = hypot((double)c - x, (double)r - y);

			lay(ink, c, r, alpha * covered(width / 2.0 - fabs(d - radius)));
		}
	}
}

void sb_ink_disc(struct sb_ink *ink, double x, double y, double radius, double alpha)
{
	struct sb_ink_end end = { x, y, alpha };

	sb_ink_line(ink, &end, &end, radius);
}

/* The columns of row y that can be within `reach` of the line: without this a long one would cost its whole box. */
static struct span columns_near(
        const struct sb_ink *ink, const struct sb_ink_end *a, const struct sb_ink_end *b, double y, double reach)
{
	double dx = b->x - a->x, dy = b->y - a->y;
	double lo = fmin(a->x, b->x) - reach, hi = fmax(a->x, b->x) + reach;

	if (fabs(dy) > 1e-9) {
		double middle = a->x + (y - a->y) * dx / dy, half = reach * hypot(dx, dy) / fabs(dy);

		lo = fmax(lo, middle - half);
		hi = fmin(hi, middle + half);
	}
	return span_of(lo, hi, ink->w);
}

void sb_ink_line(struct sb_ink *ink, const struct sb_ink_end *a, const struct sb_ink_end *b, double radius)
{
	double dx = b->x - a->x, dy = b->y - a->y, length2 = dx * dx + dy * dy, reach = radius + 0.5;
	struct span rows = span_of(fmin(a->y, b->y) - reach, fmax(a->y, b->y) + reach, ink->h);

	for (int64_t r = rows.first; r <= rows.last; r++) {
		struct span columns = columns_near(ink, a, b, (double)r, reach);

		grow_box(ink, columns, r);
		for (int64_t c = columns.first; c <= columns.last; c++) {
			double px = (double)c - a->x, py = (double)r - a->y;
			double u = length2 > 0.0 ? (px * dx + py * dy) / length2 : 0.0;

			u = u < 0.0 ? 0.0 : u > 1.0 ? 1.0 : u;
			lay(ink, c, r,
			        (a->alpha + (b->alpha - a->alpha) * u) *
			                covered(radius - hypot(px - u * dx, py - u * dy)));
		}
	}
}

/* ---- drying -------------------------------------------------------------------------------------------------- */

void sb_ink_dry(struct sb_ink *ink, const uint8_t colour[3], struct sb_picture *p)
{
	for (int64_t y = ink->y0; y < ink->y1; y++) {
		for (int64_t x = ink->x0; x < ink->x1; x++) {
			float *a = &ink->alpha[y * ink->w + x];
			uint8_t *rgb = p->rgb + (y * p->w + x) * 3;

			for (int c = 0; c < 3 && *a > 0.0f; c++)
				rgb[c] = (uint8_t)((float)rgb[c] + *a * ((float)colour[c] - (float)rgb[c]) + 0.5f);
			*a = 0.0f;
		}
	}
	ink->x0 = ink->y0 = ink->x1 = ink->y1 = 0;
}
