#include "save.h"
#include "png_file.h"
#include "sb_safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum sb_status cannot_write(const char *path, const char *why, struct sb_error *err)
{
	char shown[256];

	sb_escape(path, shown, sizeof(shown));
	return sb_fail(err, SB_E_DATA, "cannot write '%s': %s", shown, why);
}

/* A rename would put a file in the place of a device or a pipe. */
static enum sb_status check_replaceable(const char *path, struct sb_error *err)
{
	struct stat st;

	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return cannot_write(path, S_ISDIR(st.st_mode) ? "it is a folder" : "it is no plain file", err);
	return SB_OK;
}

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

	if (check_replaceable(to->file, err))
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

static bool write_all(int fd, const char *data, size_t n)
{
	while (n) {
		ssize_t w = write(fd, data, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return false;
		data += w;
		n -= (size_t)w;
	}
	return true;
}

/* Beside it first, so that no half-written picture ever has the name. */
static enum sb_status write_file(const char *path, const struct sb_buf *bytes, struct sb_error *err)
{
	struct sb_buf temporary = { 0 };
	enum sb_status status = check_replaceable(path, err);
	int fd = -1, why = 0;
	char id[33];

	if (status)
		return status;
	sb_random_id(id);
	sb_buf_addf(&temporary, "%s.%.8s.tmp", path, id);
	if (temporary.failed)
		return sb_fail(err, SB_E_NOMEM, "no memory for a file name");
	fd = open(temporary.s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0 || !write_all(fd, bytes->s, bytes->len))
		why = errno;
	if (fd >= 0 && close(fd) && !why) /* some file systems report a full disk only now */
		why = errno;
	if (!why && rename(temporary.s, path))
		why = errno;
	if (why) {
		if (fd >= 0)
			unlink(temporary.s);
		status = cannot_write(path, strerror(why), err);
	}
	sb_buf_release(&temporary);
	return status;
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
		status = write_file(path.s, &png, err);
	sb_buf_release(&path);
	sb_buf_release(&png);
	return status;
}

static enum sb_status save_pictures(const struct sb_front_outputs *o, const struct sb_save *to, struct sb_error *err)
{
	struct range r = range_of(o->depth, o->frames * o->h * o->w);
	enum sb_status status = SB_OK;
	uint16_t *gray;

	if (mkdir(to->depth_dir, 0777) && errno != EEXIST)
		return cannot_write(to->depth_dir, strerror(errno), err);
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
