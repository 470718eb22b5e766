#include "clip_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIDE_DIGITS 5 /* SB_SIDE_MAX */
#define SPACES_MAX  16

enum sb_status sb_reader_byte(struct sb_reader *r, int *c, struct sb_error *err)
{
	if (r->pos == r->len) {
		r->pos = r->len = 0;
		enum sb_status status = r->src->read(r->src->ctx, r->buf, sizeof(r->buf), &r->len, err);
		if (status)
			return status;
	}
	*c = r->pos < r->len ? r->buf[r->pos++] : -1;
	return SB_OK;
}

enum sb_status sb_reader_bytes(struct sb_reader *r, void *dst, size_t n, size_t *got, struct sb_error *err)
{
	size_t have = r->len - r->pos;

	if (have > n)
		have = n;
	memcpy(dst, r->buf + r->pos, have);
	r->pos += have;
	while (have < n) { /* pixels go straight to their place */
		size_t more = 0;
		enum sb_status status = r->src->read(r->src->ctx, (char *)dst + have, n - have, &more, err);
		if (status)
			return status;
		if (!more)
			break;
		have += more;
	}
	*got = have;
	return SB_OK;
}

static enum sb_status not_a_picture(int64_t frame, struct sb_error *err)
{
	return sb_fail(
	        err, SB_E_DATA, "frame %lld is not a binary PPM picture with 8 bits a channel", (long long)frame);
}

/* White space, a decimal number, and the one character behind it (white space too). */
static enum sb_status next_number(struct sb_reader *r, int first, int64_t frame, int64_t *out, struct sb_error *err)
{
	enum sb_status status;
	int c = first;
	int64_t v = 0;

	for (int spaces = 0; c != -1 && isspace(c); spaces++) {
		if (spaces == SPACES_MAX)
			return not_a_picture(frame, err);
		status = sb_reader_byte(r, &c, err);
		if (status)
			return status;
	}
	for (int digits = 0; c >= '0' && c <= '9'; digits++) {
		if (digits == SIDE_DIGITS)
			return not_a_picture(frame, err);
		v = v * 10 + (c - '0');
		status = sb_reader_byte(r, &c, err);
		if (status)
			return status;
	}
	if (v == 0 || c == -1 || !isspace(c))
		return not_a_picture(frame, err);
	*out = v;
	return SB_OK;
}

/* One header. *end when the source ended where a picture would begin. */
static enum sb_status next_header(
        struct sb_reader *r, int64_t frame, int64_t *h, int64_t *w, bool *end, struct sb_error *err)
{
	enum sb_status status;
	int64_t maxval;
	int p, digit, space;

	status = sb_reader_byte(r, &p, err);
	if (status)
		return status;
	*end = p == -1;
	if (*end)
		return SB_OK;
	if ((status = sb_reader_byte(r, &digit, err)) || (status = sb_reader_byte(r, &space, err)))
		return status;
	if (p != 'P' || digit != '6' || space == -1 || !isspace(space))
		return not_a_picture(frame, err);
	/* next_number() eats the one white space behind a number; the following one may begin at once. */
	if ((status = next_number(r, ' ', frame, w, err)) || (status = next_number(r, ' ', frame, h, err)) ||
	        (status = next_number(r, ' ', frame, &maxval, err)))
		return status;
	return maxval == 255 ? SB_OK : not_a_picture(frame, err);
}

#define GIB ((double)(1 << 30))

int64_t sb_clip_limit_bytes(void)
{
	long page = sysconf(_SC_PAGESIZE), n_pages = sysconf(_SC_PHYS_PAGES);
	int64_t half = page > 0 && n_pages > 0 ? (int64_t)page * (n_pages / 2) : INT64_MAX;

	return half < SB_CLIP_MAX_BYTES ? half : SB_CLIP_MAX_BYTES;
}

struct sb_ppm_want sb_want_of(const struct sb_ppm_want *want, int64_t there)
{
	struct sb_ppm_want w = *want;

	if (!w.n_frames)
		w.n_frames = (there + w.stride - 1) / w.stride;
	return w;
}

static enum sb_status too_large(const struct sb_ppm_frames *f, int64_t n, int64_t most, struct sb_error *err)
{
	double limit = (double)sb_clip_limit_bytes() / GIB, frame = (double)(f->h * f->w * 3) / GIB;

	if (!most)
		return sb_fail(err, SB_E_DATA,
		        "one frame of %lldx%lld takes %.2f GiB decoded, and a clip may take %.2f GiB; scale it down",
		        (long long)f->w, (long long)f->h, frame, limit);
	return sb_fail(err, SB_E_DATA,
	        "%lld frames of %lldx%lld take %.2f GiB decoded, and a clip may take %.2f GiB; at most %lld frames fit",
	        (long long)n, (long long)f->w, (long long)f->h, frame * (double)n, limit, (long long)most);
}

enum sb_status sb_frames_reserve(struct sb_ppm_frames *f, const struct sb_ppm_want *want, struct sb_error *err)
{
	int64_t frame_bytes = f->h * f->w * 3, most = sb_clip_limit_bytes() / frame_bytes, capacity;
	uint8_t *rgb;

	if (f->n < f->capacity)
		return SB_OK;
	capacity = want->n_frames ? want->n_frames : f->capacity ? f->capacity + f->capacity / 2 + 1 : 8;
	if (!want->n_frames && capacity > most && most > f->n)
		capacity = most;
	if (capacity > most)
		return too_large(f, want->n_frames ? want->n_frames : f->n + 1, most, err);
	rgb = realloc(f->rgb, (size_t)(capacity * frame_bytes));
	if (!rgb)
		return sb_fail(err, SB_E_NOMEM, "no memory for %lld frames of %lldx%lld", (long long)capacity,
		        (long long)f->w, (long long)f->h);
	f->rgb = rgb;
	f->capacity = capacity;
	return SB_OK;
}

/* One picture's pixels, into the clip when it is kept, otherwise over the place of the next one. */
static enum sb_status next_pixels(struct sb_reader *r, const struct sb_ppm_want *want, int64_t frame,
        struct sb_ppm_frames *f, struct sb_error *err)
{
	size_t frame_bytes = (size_t)(f->h * f->w * 3), got = 0;
	enum sb_status status = sb_frames_reserve(f, want, err);

	if (status)
		return status;
	status = sb_reader_bytes(r, f->rgb + (size_t)f->n * frame_bytes, frame_bytes, &got, err);
	if (status)
		return status;
	if (got < frame_bytes)
		return sb_fail(err, SB_E_DATA, "frame %lld is truncated (%zu of %zu bytes)", (long long)frame, got,
		        frame_bytes);
	if (frame % want->stride == 0)
		f->n++;
	return SB_OK;
}

enum sb_status sb_ppm_read(const struct sb_ppm_source *src, const struct sb_ppm_want *want,
        struct sb_ppm_frames *frames, struct sb_error *err)
{
	enum sb_status status = SB_OK;
	struct sb_reader *r = malloc(sizeof(*r));

	if (!r)
		return sb_fail(err, SB_E_NOMEM, "no memory to read frames");
	r->src = src;
	r->pos = r->len = 0;
	for (int64_t frame = 0; !want->n_frames || frames->n < want->n_frames; frame++) {
		int64_t h = 0, w = 0;
		bool end = false;

		status = next_header(r, frame, &h, &w, &end, err);
		if (status || end)
			break;
		if (frame == 0) {
			frames->h = h;
			frames->w = w;
		} else if (h != frames->h || w != frames->w) {
			status = sb_fail(err, SB_E_DATA, "frame %lld is %lldx%lld, the ones before it are %lldx%lld",
			        (long long)frame, (long long)w, (long long)h, (long long)frames->w,
			        (long long)frames->h);
			break;
		}
		status = next_pixels(r, want, frame, frames, err);
		if (status)
			break;
	}
	free(r);
	return status;
}
