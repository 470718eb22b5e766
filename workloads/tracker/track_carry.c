/* What goes from one window to the next on the device: features of the overlap, the first patches of every query. */
#include "track_pass.h"

/* Frames of one fnet pass; frames are independent, so this bounds memory and changes nothing else (4.1). */
#define FNET_FRAMES 200

/* Behind the carried features those of the window's new frames, then the last one's again. */
static enum sb_status join_features(struct sb_pass *p, float *image, int64_t old, float **features)
{
	int64_t frame = p->fh * p->fw * SB_TRACK_FEATURES, image_frame = p->net->h * p->net->w * 3;
	float *part;

	SB_TRY(sb_pass_get(p, p->t * frame, features));
	if (old) {
		SB_TRY(sb_pass_copy(p, p->carry->features, 1, old * frame, old * frame, *features, old * frame));
		sb_pass_put(p, p->carry->features);
		p->carry->features = NULL;
	}
	for (int64_t at = old; at < p->in->real; at += FNET_FRAMES) {
		int64_t frames = p->in->real - at < FNET_FRAMES ? p->in->real - at : FNET_FRAMES, n = frames * frame;

		SB_TRY(sb_pass_fnet(p, image + at * image_frame, frames, &part));
		SB_TRY(sb_pass_copy(p, part, 1, n, n, *features + at * frame, n));
		sb_pass_put(p, part);
	}
	return sb_pass_pad(p, *features, frame);
}

enum sb_status sb_pass_features(struct sb_pass *p, float **image, float **features)
{
	const struct sb_window *in = p->in;
	int64_t old = p->carry->features ? in->overlap : 0;

	sb_backend_stage(p->be, "track.fnet");
	SB_TRY(sb_pass_nearest(p, in->video, in->h, in->w, 3, 0.0f, 0.0f, image));
	sb_pass_tap(p, "fnet.in", 0, *image, in->real * p->net->h * p->net->w * 3);
	if (!old && in->real == p->t && p->t <= FNET_FRAMES) /* nothing to join: fnet's own memory will do */
		SB_TRY(sb_pass_fnet(p, *image, p->t, features));
	else
		SB_TRY(join_features(p, *image, old, features));
	sb_pass_tap(p, "features", 0, *features, p->t * p->fh * p->fw * SB_TRACK_FEATURES);
	return SB_OK;
}

static enum sb_status carry_level(struct sb_pass *p, int l)
{
	const struct sb_pass_level *v = &p->level[l];
	int64_t old = p->in->n_carried, n = p->in->n_queries, patch = SB_PATCH * SB_TRACK_FEATURES,
	        points = SB_PATCH * 3;
	float *first = p->carry->level[l].points;

	sb_pass_put(p, p->carry->level[l].query);
	SB_TRY(sb_pass_get(p, n * patch, &p->carry->level[l].query));
	SB_TRY(sb_pass_get(p, n * points, &p->carry->level[l].points));
	if (n)
		SB_TRY(sb_pass_copy(p, v->query, n, patch, patch, p->carry->level[l].query, patch));
	/* Points as they first were, not through one window's box after the other. */
	if (old)
		SB_TRY(sb_pass_copy(p, first, old, points, points, p->carry->level[l].points, points));
	if (n > old)
		SB_TRY(sb_pass_box_map(p, v->points + old * points, p->carry->level[l].points + old * points,
		        (n - old) * SB_PATCH, 1));
	sb_pass_put(p, first);
	sb_pass_tap(p, "carry.points", l, p->carry->level[l].points, n * points);
	return SB_OK;
}

enum sb_status sb_pass_carry(struct sb_pass *p)
{
	int64_t frame = p->fh * p->fw * SB_TRACK_FEATURES, n = p->in->overlap * frame;
	const float *from = p->level[0].map + (p->t - p->in->overlap) * frame;

	if (p->in->last) {
		for (int l = 0; l < SB_TRACK_LEVELS; l++) {
			sb_pass_put(p, p->carry->level[l].query);
			sb_pass_put(p, p->carry->level[l].points);
		}
		*p->carry = (struct sb_carry){ 0 };
		return SB_OK;
	}
	SB_TRY(sb_pass_get(p, n, &p->carry->features));
	SB_TRY(sb_pass_copy(p, from, 1, n, n, p->carry->features, n));
	for (int l = 0; l < SB_TRACK_LEVELS; l++)
		SB_TRY(carry_level(p, l));
	return SB_OK;
}
