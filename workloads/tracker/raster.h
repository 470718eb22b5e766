/*
 * raster: discs, rings and lines with smooth edges on pictures of 8-bit RGB. A shape is first laid down as ink, where
 * shapes of one colour that overlap do not add up, then the ink is dried onto the picture. Uses base.
 */
#ifndef SB_RASTER_H
#define SB_RASTER_H

#include "sb_base.h"

struct sb_picture {
	uint8_t *rgb; /* [h, w, 3] */
	int64_t h, w;
};

struct sb_ink {
	float *alpha; /* [h, w], 0 outside of the box */
	int64_t h, w;
	int64_t x0, y0, x1, y1; /* the box with ink in it, the upper bounds beyond it; empty: x0 >= x1 */
};

enum sb_status sb_ink_init(struct sb_ink *ink, int64_t h, int64_t w, struct sb_error *err); /* SB_E_NOMEM */
void sb_ink_release(struct sb_ink *ink);

/*
 * Positions in pixels, the centre of the first is 0; anywhere, also far outside, but finite. alpha 0 .. 1. Each pixel
 * keeps the strongest ink that it got.
 */
void sb_ink_disc(struct sb_ink *ink, double x, double y, double radius, double alpha);
void sb_ink_ring(struct sb_ink *ink, double x, double y, double radius, double width, double alpha);
/* Round ends; alpha goes linearly from one end to the other. */
struct sb_ink_end {
	double x, y, alpha;
};
void sb_ink_line(struct sb_ink *ink, const struct sb_ink_end *a, const struct sb_ink_end *b, double radius);

/* Paint the ink in this colour over the picture of the same size, and be rid of it. */
void sb_ink_dry(struct sb_ink *ink, const uint8_t colour[3], struct sb_picture *p);

#endif
