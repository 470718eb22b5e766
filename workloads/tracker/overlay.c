#include "overlay.h"
#include "png_file.h"
#include "raster.h"
#include "save.h"
#include "track_quality.h"
#include "sb_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sizes are of a picture whose short side has 576 pixels, and grow with it; the smallest are still discs. */
#define RADIUS     4.0
#define RADIUS_MIN 2.0
#define SHORT_SIDE 576.0
#define TAIL       0.4 /* half the tail's width, in radii */
#define RIM        0.4 /* of dark around a disc, in radii */

#define ALPHA_TAIL 0.8
#define DIM        0.35 /* of what is hidden */

struct counts {
	int64_t shown, hidden, not_finite, absent;
};

struct drawing {
	const struct sb_results *r;
	struct sb_picture picture;
	struct sb_ink ink;
	double radius;
};

/* ---- where and how ------------------------------------------------------------------------------------------- */

void sb_overlay_place(const struct sb_results *r, const float *xy, double *x, double *y)
{
	const struct sb_front_input *in = r->input;
	const struct sb_geometry *geo = &in->geo;
	double net_x = (double)xy[0] * (double)r->front->w / (double)r->tracks->wr;
	double net_y = (double)xy[1] * (double)r->front->h / (double)r->tracks->hr;

	*x = (net_x + (double)geo->crop_x + 0.5) * (double)in->w / (double)geo->full_w - 0.5;
	*y = (net_y + (double)geo->crop_y + 0.5) * (double)in->h / (double)geo->full_h - 0.5;
}

/*
 * A scale whose lightness grows from end to end tells colours apart whatever the eye: stations of matplotlib's plasma
 * without its darkest part. Steps of the golden ratio are never near each other for long.
 */
void sb_overlay_colour(int64_t i, uint8_t colour[3])
{
	static const double stations[][3] = { { 106, 0, 168 }, { 143, 13, 164 }, { 177, 42, 144 }, { 204, 71, 120 },
		{ 225, 100, 98 }, { 242, 132, 75 }, { 252, 166, 54 }, { 252, 206, 37 }, { 240, 249, 33 } };
	double at = fmod(0.5 + (double)i * 0.6180339887498949, 1.0) * (double)(SB_ARRAY_LEN(stations) - 1);
	int s = (int)at;

	for (int c = 0; c < 3; c++)
		colour[c] = (uint8_t)(stations[s][c] + (at - s) * (stations[s + 1][c] - stations[s][c]) + 0.5);
}

/* Where a track is drawn in a frame; false where it is not. */
struct point {
	double x, y;
	bool visible;
};

static bool point_at(const struct sb_results *r, int64_t track, int64_t frame, struct point *p)
{
	const struct sb_track_outputs *o = r->tracks->out;
	const float *xy = o->xyz2 + (track * o->frames + frame) * 3;

	if (!sb_track_has_point(o, track, frame) || !isfinite(xy[0]) || !isfinite(xy[1]))
		return false;
	sb_overlay_place(r, xy, &p->x, &p->y);
	p->visible = o->vis[track * o->frames + frame] > SB_TRACK_VISIBLE;
	return true;
}

/* ---- drawing ------------------------------------------------------------------------------------------------- */

static void draw_tail(struct drawing *d, int64_t track, int64_t frame)
{
	int64_t from = frame > SB_OVERLAY_TAIL ? frame - SB_OVERLAY_TAIL : 0;
	uint8_t colour[3];
	struct point a, b;

	for (int64_t t = from; t < frame; t++) {
		struct sb_ink_end end[2];
		double dim;

		if (!point_at(d->r, track, t, &a) || !point_at(d->r, track, t + 1, &b))
			continue;
		dim = ALPHA_TAIL * (a.visible && b.visible ? 1.0 : DIM) / SB_OVERLAY_TAIL;
		end[0] = (struct sb_ink_end){ a.x, a.y, dim * (double)(SB_OVERLAY_TAIL - (frame - t)) };
		end[1] = (struct sb_ink_end){ b.x, b.y, dim * (double)(SB_OVERLAY_TAIL - (frame - t - 1)) };
		sb_ink_line(&d->ink, &end[0], &end[1], TAIL * d->radius);
	}
	sb_overlay_colour(track, colour);
	sb_ink_dry(&d->ink, colour, &d->picture);
}

static void draw_head(struct drawing *d, int64_t track, const struct point *p)
{
	static const uint8_t dark[3] = { 20, 20, 20 };
	double rim = RIM * d->radius;
	uint8_t colour[3];

	sb_overlay_colour(track, colour);
	if (!p->visible) {
		sb_ink_ring(&d->ink, p->x, p->y, d->radius, rim, 1.0 - DIM);
		sb_ink_dry(&d->ink, colour, &d->picture);
		return;
	}
	sb_ink_disc(&d->ink, p->x, p->y, d->radius + rim, 0.7);
	sb_ink_dry(&d->ink, dark, &d->picture);
	sb_ink_disc(&d->ink, p->x, p->y, d->radius, 1.0);
	sb_ink_dry(&d->ink, colour, &d->picture);
}

static struct counts draw_frame(struct drawing *d, int64_t frame)
{
	const struct sb_track_results *tracks = d->r->tracks;
	struct counts n = { 0 };
	struct point p;

	for (int64_t i = 0; i < tracks->n_queries; i++)
		draw_tail(d, i, frame);
	for (int64_t i = 0; i < tracks->n_queries; i++) {
		if (!point_at(d->r, i, frame, &p)) {
			*(sb_track_has_point(tracks->out, i, frame) ? &n.not_finite : &n.absent) += 1;
			continue;
		}
		draw_head(d, i, &p);
		*(p.visible ? &n.shown : &n.hidden) += 1;
	}
	return n;
}

/* ---- files --------------------------------------------------------------------------------------------------- */

static enum sb_status save_frame(struct drawing *d, int64_t frame, const struct sb_save *to, struct sb_error *err)
{
	size_t bytes = (size_t)(d->picture.h * d->picture.w * 3);
	struct sb_buf png = { 0 }, path = { 0 };
	char number[5][24];
	const char *const text[] = { "tracks", number[0], "shown", number[1], "hidden", number[2], "not_finite",
		number[3], "absent", number[4], "run", sb_save_metadata(to, "run"), "arm", sb_save_metadata(to, "arm"),
		NULL };
	enum sb_status status;
	struct counts n;

	memcpy(d->picture.rgb, d->r->input->rgb + (size_t)frame * bytes, bytes);
	n = draw_frame(d, frame);
	for (int i = 0; i < 5; i++) {
		const int64_t value[] = { d->r->tracks->n_queries, n.shown, n.hidden, n.not_finite, n.absent };

		snprintf(number[i], sizeof(number[i]), "%lld", (long long)value[i]);
	}
	sb_buf_addf(&path, "%s/frame_%04lld.png", to->overlay_dir, (long long)frame);
	status = path.failed ? sb_fail(err, SB_E_NOMEM, "no memory for a file name")
	                     : sb_png_encode_rgb8(d->picture.rgb, d->picture.h, d->picture.w, text, &png, err);
	if (!status)
		status = sb_out_file_put(path.s, png.s, png.len, err);
	sb_buf_release(&path);
	sb_buf_release(&png);
	return status;
}

enum sb_status sb_overlay_save(const struct sb_results *r, const struct sb_save *to, struct sb_error *err)
{
	int64_t h = r->input->h, w = r->input->w;
	struct drawing d = { .r = r, .picture = { .h = h, .w = w } };
	enum sb_status status;

	d.radius = fmax(RADIUS_MIN, RADIUS * (double)(h < w ? h : w) / SHORT_SIDE);
	d.picture.rgb = malloc((size_t)(h * w * 3));
	status = d.picture.rgb ? sb_ink_init(&d.ink, h, w, err) : sb_fail(err, SB_E_NOMEM, "no memory for a picture");
	for (int64_t frame = 0; !status && frame < r->input->frames; frame++)
		status = save_frame(&d, frame, to, err);
	sb_ink_release(&d.ink);
	free(d.picture.rgb);
	return status;
}
