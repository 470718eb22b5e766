#include "save_npz.h"
#include "npz_file.h"
#include "resize.h"
#include "save_tracks.h"
#include "shrink.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_MAX 336

/* What every member is written with. */
struct job {
	const struct sb_results *r;
	struct sb_npz *npz;
	int64_t frames, n, h, w; /* as saved */
	double scale;            /* of the network's pixels, at most 1 */
	struct sb_shrink shrink;
	float *full;  /* [the network's h, w, 3] */
	float *small; /* two of [h, w] */
	float *rows;  /* [frames, n, 3], or what else goes by tracks and frames */
};

/* ---- by tracks and frames ------------------------------------------------------------------------------------ */

static enum sb_status put_coords(struct job *j, struct sb_error *err)
{
	const struct sb_track_outputs *o = j->r->tracks->out;

	if (sb_npz_begin(j->npz, "coords", 3, (const int64_t[]){ j->frames, j->n, 3 }, err))
		return err->code;
	for (int64_t f = 0; f < j->frames; f++) {
		const float *m = o->c2w + f * 16;

		for (int64_t n = 0; n < j->n; n++) {
			const float *p = o->xyz3 + (n * o->frames + f) * 6;

			for (int c = 0; c < 3; c++)
				j->rows[(f * j->n + n) * 3 + c] =
				        (float)((double)m[c * 4] * p[0] + (double)m[c * 4 + 1] * p[1] +
				                (double)m[c * 4 + 2] * p[2] + (double)m[c * 4 + 3]);
		}
	}
	return sb_npz_append(j->npz, j->rows, j->frames * j->n * 3, err);
}

static enum sb_status put_visibs(struct job *j, struct sb_error *err)
{
	const struct sb_track_outputs *o = j->r->tracks->out;

	if (sb_npz_begin(j->npz, "visibs", 2, (const int64_t[]){ j->frames, j->n }, err))
		return err->code;
	for (int64_t f = 0; f < j->frames; f++) {
		for (int64_t n = 0; n < j->n; n++) {
			float vis = o->vis[n * o->frames + f];

			j->rows[f * j->n + n] = sb_track_point_finite(o, n, f) && isfinite(vis) ? vis : 0.0f;
		}
	}
	return sb_npz_append(j->npz, j->rows, j->frames * j->n, err);
}

static enum sb_status put_extrinsics(struct job *j, struct sb_error *err)
{
	float inverse[16];

	if (sb_npz_begin(j->npz, "extrinsics", 3, (const int64_t[]){ j->frames, 4, 4 }, err))
		return err->code;
	for (int64_t f = 0; f < j->frames; f++) {
		sb_affine_inverse(j->r->tracks->out->c2w + f * 16, inverse);
		if (sb_npz_append(j->npz, inverse, 16, err))
			return err->code;
	}
	return SB_OK;
}

static enum sb_status put_intrinsics(struct job *j, struct sb_error *err)
{
	const struct sb_track_results *t = j->r->tracks;
	double sx = (double)j->r->front->w / (double)t->wr * j->scale;
	double sy = (double)j->r->front->h / (double)t->hr * j->scale;
	float k[9];

	if (sb_npz_begin(j->npz, "intrinsics", 3, (const int64_t[]){ j->frames, 3, 3 }, err))
		return err->code;
	for (int64_t f = 0; f < j->frames; f++) {
		for (int i = 0; i < 9; i++)
			k[i] = (float)(t->out->k[f * 9 + i] * (i < 3 ? sx : i < 6 ? sy : 1.0));
		if (sb_npz_append(j->npz, k, 9, err))
			return err->code;
	}
	return SB_OK;
}

/* ---- pictures ------------------------------------------------------------------------------------------------ */

/* A map at the tracker's resolution, as saved. */
static void map_as_saved(struct job *j, const float *map, float *out)
{
	sb_track_map_resize(j->r, map, 1, j->full);
	sb_shrink_run(&j->shrink, j->full, 1, out);
}

static enum sb_status put_maps(struct job *j, bool depth, struct sb_error *err)
{
	const struct sb_track_results *t = j->r->tracks;
	int64_t pixels = j->h * j->w, given = t->hr * t->wr;
	float *conf = j->small, *z = j->small + pixels;

	if (sb_npz_begin(j->npz, depth ? "depths" : "unc_metric", 3, (const int64_t[]){ j->frames, j->h, j->w }, err))
		return err->code;
	for (int64_t f = 0; f < j->frames; f++) {
		map_as_saved(j, t->valid + f * given, conf);
		if (depth)
			map_as_saved(j, t->depth + f * given, z);
		for (int64_t i = 0; depth && i < pixels; i++)
			z[i] = conf[i] < 0.5f ? 0.0f : z[i];
		if (sb_npz_append(j->npz, depth ? z : conf, pixels, err))
			return err->code;
	}
	return SB_OK;
}

static enum sb_status put_video(struct job *j, struct sb_error *err)
{
	const struct sb_front_input *in = j->r->input;
	struct sb_frames_resize_args a = { .dst = j->full,
		.n = 1,
		.h = in->h,
		.w = in->w,
		.full_h = in->geo.full_h,
		.full_w = in->geo.full_w,
		.crop_y = in->geo.crop_y,
		.crop_x = in->geo.crop_x,
		.out_h = in->geo.out_h,
		.out_w = in->geo.out_w };

	if (sb_npz_begin(j->npz, "video", 4, (const int64_t[]){ j->frames, 3, j->h, j->w }, err))
		return err->code;
	for (int64_t f = 0; f < j->frames; f++) {
		a.src = in->rgb + f * in->h * in->w * 3;
		sb_frames_resize_cpu(&a);
		for (int c = 0; c < 3; c++) {
			sb_shrink_run(&j->shrink, j->full + c, 3, j->small);
			for (int64_t i = 0; i < j->h * j->w; i++)
				j->small[i] = fminf(fmaxf(j->small[i] / 255.0f, 0.0f), 1.0f);
			if (sb_npz_append(j->npz, j->small, j->h * j->w, err))
				return err->code;
		}
	}
	return SB_OK;
}

/* ---- the file ------------------------------------------------------------------------------------------------ */

static enum sb_status finish(struct job *j, const struct sb_save *to, struct sb_error *err)
{
	struct sb_buf comment = { 0 };
	enum sb_status status;

	sb_buf_addf(&comment, "not_finite=%lld\n", (long long)sb_track_count_not_finite(j->r->tracks));
	for (const char *const *m = to->metadata; m && m[0]; m += 2)
		sb_buf_addf(&comment, "%s=%s\n", m[0], m[1]);
	if (comment.failed)
		return sb_fail(err, SB_E_NOMEM, "no memory for the results' description");
	status = sb_npz_finish(j->npz, sb_buf_str(&comment), err);
	j->npz = NULL;
	sb_buf_release(&comment);
	return status;
}

static enum sb_status put_all(struct job *j, const struct sb_save *to, struct sb_error *err)
{
	if (put_coords(j, err) || put_extrinsics(j, err) || put_intrinsics(j, err) || put_maps(j, true, err) ||
	        put_video(j, err) || put_visibs(j, err) || put_maps(j, false, err))
		return err->code;
	return finish(j, to, err);
}

static enum sb_status prepare(struct job *j, const char *path, struct sb_error *err)
{
	int64_t h = j->r->front->h, w = j->r->front->w;
	size_t pixels;

	j->scale = fmin((double)SIDE_MAX / (double)h, (double)SIDE_MAX / (double)w);
	j->scale = j->scale < 1.0 ? j->scale : 1.0;
	j->h = (int64_t)((double)h * j->scale);
	j->w = (int64_t)((double)w * j->scale);
	j->h = j->h ? j->h : 1; /* of a picture that is a line */
	j->w = j->w ? j->w : 1;
	pixels = (size_t)(j->h * j->w);
	j->full = malloc((size_t)(h * w) * 3 * sizeof(float));
	j->small = malloc(2 * pixels * sizeof(float));
	j->rows = malloc((size_t)(j->frames * j->n * 3 + 1) * sizeof(float));
	if (!j->full || !j->small || !j->rows)
		return sb_fail(err, SB_E_NOMEM, "no memory to save %lld tracks", (long long)j->n);
	return sb_shrink_init(&j->shrink, h, w, j->h, j->w, err) ? err->code : sb_npz_create(path, &j->npz, err);
}

enum sb_status sb_npz_save(const struct sb_results *r, const struct sb_save *to, struct sb_error *err)
{
	struct job j = { .r = r, .frames = r->tracks->out->frames, .n = r->tracks->n_queries };
	enum sb_status status = prepare(&j, to->npz, err);

	if (!status)
		status = put_all(&j, to, err);
	sb_npz_abandon(j.npz);
	sb_shrink_release(&j.shrink);
	free(j.full);
	free(j.small);
	free(j.rows);
	return status;
}
