#include "save.h"
#include "out_file.h"
#include "png_file.h"
#include "sb_safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tensors ------------------------------------------------------------------------------------------------- */

static enum sb_status save_tensors(const struct sb_front_outputs *o, const struct sb_save *to, struct sb_error *err)
{
	const int64_t t = o->frames, h = o->h, w = o->w;
	const struct sb_safetensor tensors[] = {
		{ .name = "depth", .ndim = 3, .shape = { t, h, w }, .data = o->depth },
		{ .name = "confidence", .ndim = 3, .shape = { t, h, w }, .data = o->conf },
		{ .name = "points", .ndim = 4, .shape = { t, h, w, 3 }, .data = o->points },
		{ .name = "pose_enc", .ndim = 2, .shape = { t, 9 }, .data = o->pose_enc },
		{ .name = "c2w", .ndim = 3, .shape = { t, 4, 4 }, .data = o->c2w },
		{ .name = "w2c", .ndim = 3, .shape = { t, 4, 4 }, .data = o->w2c },
		{ .name = "intrinsics", .ndim = 3, .shape = { t, 3, 3 }, .data = o->k },
	};

	if (sb_check_replaceable(to->file, err))
		return err->code;
	return sb_safetensors_write(to->file, tensors, SB_ARRAY_LEN(tensors), to->metadata, err);
}

/* ---- depth as pictures --------------------------------------------------------------------------------------- */

struct range {
	float min, max;
	int64_t not_finite;
};

static struct range range_of(const float *v, int64_t n)
{
	struct range r = { INFINITY, -INFINITY, 0 };

	for (int64_t i = 0; i < n; i++) {
		if (!isfinite(v[i])) {
			r.not_finite++;
			continue;
		}
		r.min = v[i] < r.min ? v[i] : r.min;
		r.max = v[i] > r.max ? v[i] : r.max;
	}
	if (r.not_finite == n)
		r.min = r.max = 0.0f;
	return r;
}

static void to_gray(const float *depth, int64_t n, const struct range *r, uint16_t *gray)
{
	double span = (double)r->max - (double)r->min, scale = span > 0.0 ? 65535.0 / span : 0.0;

	for (int64_t i = 0; i < n; i++)
		gray[i] = isfinite(depth[i]) ? (uint16_t)(((double)depth[i] - (double)r->min) * scale + 0.5) : 0;
}

static const char *metadata_of(const struct sb_save *to, const char *key)
{
	for (const char *const *m = to->metadata; m && m[0]; m += 2)
		if (!strcmp(m[0], key))
			return m[1];
	return "";
}

static enum sb_status save_picture(const struct sb_front_outputs *o, int64_t frame, const struct range *r,
        const struct sb_save *to, uint16_t *gray, struct sb_error *err)
{
	char min[32], max[32], lost[24];
	const char *const text[] = { "depth_min", min, "depth_max", max, "not_finite", lost, "run",
		metadata_of(to, "run"), "arm", metadata_of(to, "arm"), NULL };
	struct sb_buf png = { 0 }, path = { 0 };
	enum sb_status status;

	snprintf(min, sizeof(min), "%.9g", (double)r->min);
	snprintf(max, sizeof(max), "%.9g", (double)r->max);
	snprintf(lost, sizeof(lost), "%lld", (long long)r->not_finite);
	sb_buf_addf(&path, "%s/frame_%04lld.png", to->depth_dir, (long long)frame);
	to_gray(o->depth + frame * o->h * o->w, o->h * o->w, r, gray);
	status = path.failed ? sb_fail(err, SB_E_NOMEM, "no memory for a file name")
	                     : sb_png_encode_gray16(gray, o->h, o->w, text, &png, err);
	if (!status)
		status = sb_out_file_put(path.s, png.s, png.len, err);
	sb_buf_release(&path);
	sb_buf_release(&png);
	return status;
}

static enum sb_status save_pictures(const struct sb_front_outputs *o, const struct sb_save *to, struct sb_error *err)
{
	struct range r = range_of(o->depth, o->frames * o->h * o->w);
	enum sb_status status = sb_out_folder(to->depth_dir, err);
	uint16_t *gray;

	if (status)
		return status;
	gray = malloc((size_t)(o->h * o->w) * sizeof(*gray));
	if (!gray)
		return sb_fail(err, SB_E_NOMEM, "no memory for a depth image");
	for (int64_t frame = 0; !status && frame < o->frames; frame++)
		status = save_picture(o, frame, &r, to, gray, err);
	free(gray);
	return status;
}

enum sb_status sb_front_save(const struct sb_front_outputs *o, const struct sb_save *to, struct sb_error *err)
{
	enum sb_status status = to->file ? save_tensors(o, to, err) : SB_OK;

	return !status && to->depth_dir ? save_pictures(o, to, err) : status;
}
