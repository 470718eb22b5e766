#include "sb_clip.h"
#include "clip_internal.h"
#include "sb_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUILT_IN_VIDEO "pedestrians.mp4"
#define BUILT_IN_RAW   "pedestrians-8.ppm"

#define N_FRAMES_MAX 1000000
#define STRIDE_MAX   1000000

/* ---- where the built-in clip is ------------------------------------------------------------------------------ */

/* out = dir/name; true when that is a file one can read. */
static bool readable_in(const char *dir, const char *name, char *out, size_t n)
{
	struct stat st;
	int len = snprintf(out, n, "%s/%s", dir, name);

	return len > 0 && (size_t)len < n && !stat(out, &st) && S_ISREG(st.st_mode) && !access(out, R_OK);
}

/* Installed beside this program, wherever that is now; where it was to be installed; in the source tree. */
static bool find_data(const char *name, char *out, size_t n)
{
	char beside[4096];

	return (sb_beside_program("../share/spabench", beside, sizeof(beside)) && readable_in(beside, name, out, n)) ||
	       readable_in(SB_DATA_INSTALLED, name, out, n) || readable_in(SB_DATA_SOURCE, name, out, n);
}

enum sb_status sb_data_find(const char *name, const char *data_dir, char *out, size_t n, struct sb_error *err)
{
	const char *from_env = getenv("SPABENCH_DATA");
	char found[4096], shown[256];

	/* A folder that was named is the only one: falling back would measure another clip than the user thinks. */
	if (!data_dir && from_env && *from_env)
		data_dir = from_env;
	if (data_dir ? readable_in(data_dir, name, found, sizeof(found)) : find_data(name, found, sizeof(found))) {
		if (strlen(found) >= n)
			return sb_fail(err, SB_E_ENV, "the path of '%s' is too long", name);
		strcpy(out, found);
		return SB_OK;
	}
	sb_escape(data_dir ? data_dir : SB_DATA_INSTALLED, shown, sizeof(shown));
	return sb_fail(err, SB_E_ENV,
	        "cannot find the data file '%s' in '%s'; set SPABENCH_DATA to the folder it is in", name, shown);
}

/* ---- from frames to a clip ----------------------------------------------------------------------------------- */

/* Frame i of a clip of n played forward and back: 0 .. n-1, n-2 .. 1, 0 .. */
static int64_t forward_and_back(int64_t i, int64_t n)
{
	int64_t period = 2 * (n - 1);

	if (n == 1)
		return 0;
	i %= period;
	return i < n ? i : period - i;
}

static void add_note(struct sb_buf *note, const char *text)
{
	sb_buf_addf(note, "%s%s", note->len ? "; " : "", text);
}

/* Fill up to `wanted` frames, for which sb_ppm_read() has made room. */
static void repeat_frames(struct sb_ppm_frames *f, int64_t wanted, struct sb_buf *note)
{
	size_t frame_bytes = (size_t)(f->h * f->w * 3);
	int64_t decoded = f->n;

	if (wanted <= decoded)
		return;
	for (; f->n < wanted; f->n++)
		memcpy(f->rgb + (size_t)f->n * frame_bytes,
		        f->rgb + (size_t)forward_and_back(f->n, decoded) * frame_bytes, frame_bytes);
	add_note(note, "");
	sb_buf_addf(note, "the clip has only %lld frame%s of the %lld wanted and is played forward and back",
	        (long long)decoded, decoded == 1 ? "" : "s", (long long)wanted);
}

static uint64_t digest(const struct sb_ppm_frames *f)
{
	const int64_t dims[3] = { f->n, f->h, f->w };
	uint64_t hash = SB_FNV1A_INIT;

	for (size_t d = 0; d < SB_ARRAY_LEN(dims); d++) {
		unsigned char bytes[8];

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (unsigned char)((uint64_t)dims[d] >> (8 * i));
		hash = sb_fnv1a(hash, bytes, sizeof(bytes));
	}
	return sb_fnv1a(hash, f->rgb, (size_t)(f->n * f->h * f->w * 3));
}

/* The frames move into *out. */
static void finish(
        struct sb_ppm_frames *f, int64_t wanted, const char *source, struct sb_buf *note, struct sb_clip *out)
{
	int64_t decoded = f->n;
	uint8_t *fitting;

	repeat_frames(f, wanted, note);
	fitting = realloc(f->rgb, (size_t)(f->n * f->h * f->w * 3)); /* give back what was reserved in vain */
	if (fitting)
		f->rgb = fitting;
	*out = (struct sb_clip){ .rgb = f->rgb,
		.n_frames = f->n,
		.height = f->h,
		.width = f->w,
		.n_decoded = decoded,
		.digest = digest(f) };
	sb_escape(source, out->source, sizeof(out->source));
	snprintf(out->note, sizeof(out->note), "%s", sb_buf_str(note));
	*f = (struct sb_ppm_frames){ 0 };
}

/* ---- where frames come from ---------------------------------------------------------------------------------- */

static enum sb_status check_video(const char *path, const char *shown, struct stat *st, struct sb_error *err)
{
	if (stat(path, st))
		return errno == ENOENT || errno == ENOTDIR
		               ? sb_fail(err, SB_E_USAGE, "no such file '%s'", shown)
		               : sb_fail(err, SB_E_USAGE, "cannot read '%s': %s", shown, strerror(errno));
	if (!S_ISDIR(st->st_mode) && sb_no_file(st->st_mode)) /* whoever reads a pipe waits for its writer */
		return sb_fail(err, SB_E_USAGE, "cannot read '%s': %s; give a file, or a folder of images", shown,
		        sb_no_file(st->st_mode));
	if (access(path, R_OK))
		return sb_fail(err, SB_E_USAGE, "cannot read '%s': %s", shown, strerror(errno));
	return SB_OK;
}

static enum sb_status read_fd(void *ctx, void *buf, size_t n, size_t *got, struct sb_error *err)
{
	ssize_t r;

	do
		r = read(*(const int *)ctx, buf, n);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return sb_fail(err, SB_E_DATA, "cannot read: %s", strerror(errno));
	*got = (size_t)r;
	return SB_OK;
}

/* What the frames of a file that we read ourselves are. */
enum format { FORMAT_PPM, FORMAT_Y4M, FORMAT_RAW };

static enum sb_status read_file(const char *path, enum format format, const struct sb_clip_request *req,
        const struct sb_ppm_want *want, struct sb_ppm_frames *frames, struct sb_error *err)
{
	const char *why;
	int fd = sb_open_file(path, &why);
	struct sb_ppm_source source = { read_fd, &fd };
	enum sb_status status;
	struct stat st;

	if (fd < 0)
		return sb_fail(err, SB_E_DATA, "cannot open: %s", why);
	if (format == FORMAT_RAW)
		status = sb_raw_read(fd, req->raw_height, req->raw_width, want, frames, err);
	else if (format == FORMAT_Y4M)
		status = sb_y4m_read(
		        &source, !fstat(fd, &st) && S_ISREG(st.st_mode) ? st.st_size : -1, want, frames, err);
	else
		status = sb_ppm_read(&source, want, frames, err);
	close(fd);
	return status;
}

static enum sb_status load_built_in(const struct sb_clip_request *req, const struct sb_ppm_want *want,
        struct sb_ppm_frames *frames, const char **source, struct sb_buf *note, struct sb_error *err)
{
	char path[4096];
	enum sb_status status;

	*source = "built-in " BUILT_IN_VIDEO;
	status = sb_data_find(BUILT_IN_VIDEO, req->data_dir, path, sizeof(path), err);
	if (status)
		return status;
	status = sb_ffmpeg_decode(path, want, req->timeout_ms, frames, note, err);
	if (status != SB_E_ENV)
		return status ? sb_wrap(err, "built-in clip") : SB_OK;

	*source = "built-in " BUILT_IN_RAW;
	status = sb_data_find(BUILT_IN_RAW, req->data_dir, path, sizeof(path), err);
	if (status)
		return status;
	status = read_file(path, FORMAT_PPM, req, want, frames, err);
	if (status)
		return sb_wrap(err, "'%s'", path);
	add_note(note,
	        "ffmpeg is missing, so a small raw clip stands in for the built-in video; install ffmpeg for the "
	        "real one");
	return SB_OK;
}

/* By its name or its first bytes. */
static bool is_y4m(const char *path)
{
	char head[16];
	const char *why;
	ssize_t n = 0;
	int fd = sb_open_file(path, &why);

	if (fd >= 0) {
		n = read(fd, head, sizeof(head));
		close(fd);
	}
	return sb_y4m_is(path, head, n > 0 ? (size_t)n : 0);
}

static enum sb_status load_video(const struct sb_clip_request *req, const struct sb_ppm_want *want,
        struct sb_ppm_frames *frames, struct sb_buf *note, struct sb_error *err)
{
	char shown[256];
	enum sb_status status;
	struct stat st;

	sb_escape(req->video, shown, sizeof(shown));
	status = check_video(req->video, shown, &st, err);
	if (status)
		return status;
	if (S_ISDIR(st.st_mode) && req->raw_width)
		return sb_fail(err, SB_E_USAGE, "'%s' is a folder, not a file of raw frames", shown);
	if (S_ISDIR(st.st_mode))
		status = sb_images_read(req->video, want, req->timeout_ms, frames, note, err);
	else if (req->raw_width)
		status = read_file(req->video, FORMAT_RAW, req, want, frames, err);
	else if (is_y4m(req->video))
		status = read_file(req->video, FORMAT_Y4M, req, want, frames, err);
	else
		status = sb_ffmpeg_decode(req->video, want, req->timeout_ms, frames, note, err);
	return status ? sb_wrap(err, "video '%s'", shown) : SB_OK;
}

enum sb_status sb_clip_load(const struct sb_clip_request *req, struct sb_clip *out, struct sb_error *err)
{
	struct sb_ppm_want want = { req->n_frames, req->stride ? req->stride : 1 };
	struct sb_ppm_frames frames = { 0 };
	struct sb_buf note = { 0 };
	const char *source = req->video;
	enum sb_status status;
	char shown[256];

	if (want.n_frames < 0 || want.n_frames > N_FRAMES_MAX)
		return sb_fail(err, SB_E_USAGE, "cannot take %lld frames; from 1 to %d, or 0 for all",
		        (long long)want.n_frames, N_FRAMES_MAX);
	if (want.stride < 1 || want.stride > STRIDE_MAX)
		return sb_fail(err, SB_E_USAGE, "cannot take every %lld-th frame; from 1 to %d", (long long)want.stride,
		        STRIDE_MAX);
	if (req->raw_width || req->raw_height) {
		if (req->raw_width < 1 || req->raw_width > SB_SIDE_MAX || req->raw_height < 1 ||
		        req->raw_height > SB_SIDE_MAX)
			return sb_fail(err, SB_E_USAGE, "raw frames cannot be %lldx%lld; sides are from 1 to %d",
			        (long long)req->raw_width, (long long)req->raw_height, SB_SIDE_MAX);
		if (!req->video)
			return sb_fail(err, SB_E_USAGE, "raw frames need a file to come from");
	}
	status = req->video ? load_video(req, &want, &frames, &note, err)
	                    : load_built_in(req, &want, &frames, &source, &note, err);
	if (!status && frames.n == 0) {
		sb_escape(source, shown, sizeof(shown));
		status = sb_fail(err, SB_E_DATA, "no frames in '%s'", shown);
	}
	if (!status)
		finish(&frames, want.n_frames, source, &note, out);
	free(frames.rgb);
	sb_buf_release(&note);
	return status;
}

void sb_clip_release(struct sb_clip *clip)
{
	free(clip->rgb);
	*clip = (struct sb_clip){ 0 };
}

/* ---- the network's size -------------------------------------------------------------------------------------- */

#define PATCH        14
#define DEFAULT_SIDE 518 /* of the positional table: 37 patches */
#define SCALED_MAX   65536

static enum sb_status too_narrow(int64_t h0, int64_t w0, struct sb_error *err)
{
	return sb_fail(err, SB_E_USAGE, "frames of %lldx%lld are too narrow for the network; crop the video",
	        (long long)w0, (long long)h0);
}

static enum sb_status published_size(int64_t h0, int64_t w0, struct sb_geometry *geo, struct sb_error *err)
{
	/* Half to even, the default rounding mode, in exactly this order of operations. */
	double rows = nearbyint((double)h0 * ((double)DEFAULT_SIDE / (double)w0) / PATCH);
	struct sb_geometry g = { .full_w = DEFAULT_SIDE, .out_w = DEFAULT_SIDE };

	if (rows < 1 || rows * PATCH > SCALED_MAX)
		return too_narrow(h0, w0, err);
	g.full_h = g.out_h = (int64_t)rows * PATCH;
	if (g.full_h > DEFAULT_SIDE) {
		g.crop_y = (g.full_h - DEFAULT_SIDE) / 2;
		g.out_h = DEFAULT_SIDE;
	}
	*geo = g;
	return SB_OK;
}

static enum sb_status covering_size(
        int64_t h0, int64_t w0, int64_t want_w, int64_t want_h, struct sb_geometry *geo, struct sb_error *err)
{
	struct sb_geometry g = { .out_h = want_h, .out_w = want_w, .full_h = want_h, .full_w = want_w };
	double other;

	/* The side that needs the larger scale fits exactly, the other overhangs; compared without division. */
	if (want_w * h0 >= want_h * w0) {
		other = nearbyint((double)h0 * (double)want_w / (double)w0);
		if (other > SCALED_MAX)
			return too_narrow(h0, w0, err);
		g.full_h = (int64_t)other > want_h ? (int64_t)other : want_h;
	} else {
		other = nearbyint((double)w0 * (double)want_h / (double)h0);
		if (other > SCALED_MAX)
			return too_narrow(h0, w0, err);
		g.full_w = (int64_t)other > want_w ? (int64_t)other : want_w;
	}
	g.crop_y = (g.full_h - g.out_h) / 2;
	g.crop_x = (g.full_w - g.out_w) / 2;
	*geo = g;
	return SB_OK;
}

static bool allowed_side(int64_t side)
{
	return side >= SB_SIZE_MIN && side <= SB_SIZE_MAX && side % PATCH == 0;
}

enum sb_status sb_clip_geometry(
        int64_t h0, int64_t w0, int64_t want_w, int64_t want_h, struct sb_geometry *geo, struct sb_error *err)
{
	if (h0 < 1 || w0 < 1 || h0 > INT32_MAX || w0 > INT32_MAX)
		return sb_fail(err, SB_E_USAGE, "frames of %lldx%lld have no picture", (long long)w0, (long long)h0);
	if (want_w == 0 && want_h == 0)
		return published_size(h0, w0, geo, err);
	if (!allowed_side(want_w) || !allowed_side(want_h))
		return sb_fail(err, SB_E_USAGE,
		        "size '%lldx%lld' is not allowed; both sides are multiples of %d from %d to %d",
		        (long long)want_w, (long long)want_h, PATCH, SB_SIZE_MIN, SB_SIZE_MAX);
	return covering_size(h0, w0, want_w, want_h, geo, err);
}
