#include "save.h"
#include "overlay.h"
#include "png_file.h"
#include "save_npz.h"
#include "save_tracks.h"
#include "sb_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- tensors ------------------------------------------------------------------------------------------------- */

#define FRONT_TENSORS  7
#define METADATA_PAIRS 24

static void front_tensors(const struct sb_front_outputs *o, struct sb_safetensor v[FRONT_TENSORS])
{
	const int64_t t = o->frames, h = o->h, w = o->w;
	const struct sb_safetensor tensors[FRONT_TENSORS] = {
		{ .name = "depth", .ndim = 3, .shape = { t, h, w }, .data = o->depth },
		{ .name = "confidence", .ndim = 3, .shape = { t, h, w }, .data = o->conf },
		{ .name = "points", .ndim = 4, .shape = { t, h, w, 3 }, .data = o->points },
		{ .name = "pose_enc", .ndim = 2, .shape = { t, 9 }, .data = o->pose_enc },
		{ .name = "c2w", .ndim = 3, .shape = { t, 4, 4 }, .data = o->c2w },
		{ .name = "w2c", .ndim = 3, .shape = { t, 4, 4 }, .data = o->w2c },
		{ .name = "intrinsics", .ndim = 3, .shape = { t, 3, 3 }, .data = o->k },
	};

	memcpy(v, tensors, sizeof(tensors));
}

static enum sb_status save_tensors(const struct sb_results *r, const struct sb_save *to, struct sb_error *err)
{
	const char *metadata[2 * METADATA_PAIRS + 3] = { NULL };
	struct sb_safetensor v[FRONT_TENSORS + SB_SAVED_TRACKS];
	struct sb_saved_tracks tracks = { .block = NULL };
	enum sb_status status = sb_check_replaceable(to->file, err);
	char not_finite[24];
	int n = 0;

	if (status)
		return status;
	front_tensors(r->front, v);
	for (const char *const *m = to->metadata; m && m[0] && n < 2 * METADATA_PAIRS; m++)
		metadata[n++] = *m;
	if (r->tracks) {
		status = sb_saved_tracks_init(&tracks, r, err);
		memcpy(v + FRONT_TENSORS, tracks.v, sizeof(tracks.v));
		snprintf(not_finite, sizeof(not_finite), "%lld", (long long)tracks.not_finite);
		metadata[n++] = "tracks_not_finite";
		metadata[n++] = not_finite;
	}
	if (!status)
		status = sb_safetensors_write(
		        to->file, v, FRONT_TENSORS + (r->tracks ? SB_SAVED_TRACKS : 0), metadata, err);
	sb_saved_tracks_release(&tracks);
	return status;
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

const char *sb_save_metadata(const struct sb_save *to, const char *key)
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
		sb_save_metadata(to, "run"), "arm", sb_save_metadata(to, "arm"), NULL };
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
	uint16_t *gray = malloc((size_t)(o->h * o->w) * sizeof(*gray));
	enum sb_status status = SB_OK;

	if (!gray)
		return sb_fail(err, SB_E_NOMEM, "no memory for a depth image");
	for (int64_t frame = 0; !status && frame < o->frames; frame++)
		status = save_picture(o, frame, &r, to, gray, err);
	free(gray);
	return status;
}

/* ---- all ----------------------------------------------------------------------------------------------------- */

/* Which folders for pictures were not there before. */
struct made {
	bool depth, overlay;
};

/* Pictures of both kinds have the same names. The folders are there after this. */
static enum sb_status make_folders(const struct sb_save *to, struct made *made, struct sb_error *err)
{
	struct stat a, b;
	char shown[256];

	*made = (struct made){ false, false };
	if (to->depth_dir && sb_out_folder(to->depth_dir, &made->depth, err))
		return err->code;
	if (to->overlay_dir && sb_out_folder(to->overlay_dir, &made->overlay, err))
		return err->code;
	if (!to->depth_dir || !to->overlay_dir || stat(to->depth_dir, &a) || stat(to->overlay_dir, &b) ||
	        a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return SB_OK;
	sb_escape(to->overlay_dir, shown, sizeof(shown));
	return sb_fail(err, SB_E_USAGE, "depth images and overlay would overwrite each other in '%s': name two folders",
	        shown);
}

/* Folders that we made and nothing came into. */
static void remove_empty(const struct sb_save *to, const struct made *made)
{
	if (made->overlay)
		rmdir(to->overlay_dir);
	if (made->depth)
		rmdir(to->depth_dir);
}

enum sb_status sb_results_save(const struct sb_results *r, const struct sb_save *to, struct sb_error *err)
{
	enum sb_status status;
	struct made made;

	if (!r->tracks && (to->npz || to->overlay_dir))
		return sb_fail(err, SB_E_USAGE, "there are no tracks to save: the tracker did not run");
	status = make_folders(to, &made, err);
	if (!status && to->file)
		status = save_tensors(r, to, err);
	if (!status && to->npz)
		status = sb_npz_save(r, to, err);
	if (!status && to->depth_dir)
		status = save_pictures(r->front, to, err);
	if (!status && to->overlay_dir)
		status = sb_overlay_save(r, to, err);
	if (status)
		remove_empty(to, &made);
	return status;
}

enum sb_status sb_front_save(const struct sb_front_outputs *o, const struct sb_save *to, struct sb_error *err)
{
	return sb_results_save(&(struct sb_results){ .front = o }, to, err);
}
