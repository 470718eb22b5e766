/* A source of picture bytes that gives them in pieces of a length chosen by the input. */
#ifndef SB_FUZZ_FRAMES_H
#define SB_FUZZ_FRAMES_H

#include "clip_internal.h"
#include "fuzz.h"

struct fuzz_bytes {
	const uint8_t *data;
	size_t left, piece;
};

static inline enum sb_status fuzz_read(void *ctx, void *buf, size_t n, size_t *got, struct sb_error *err)
{
	struct fuzz_bytes *b = ctx;

	(void)err;
	*got = n < b->piece ? n : b->piece;
	if (*got > b->left)
		*got = b->left;
	memcpy(buf, b->data, *got);
	b->data += *got;
	b->left -= *got;
	return SB_OK;
}

/* What must hold of frames read, and every byte of them is there. */
static inline void fuzz_check_frames(const struct sb_ppm_frames *f, const struct sb_ppm_want *want)
{
	size_t bytes = (size_t)(f->n * f->h * f->w * 3), sum = 0;

	FUZZ_HOLDS(f->n >= 0 && f->n <= f->capacity);
	FUZZ_HOLDS(!want->n_frames || f->n <= want->n_frames);
	for (size_t i = 0; i < bytes; i++)
		sum += f->rgb[i];
	FUZZ_HOLDS(sum <= 255 * bytes);
}

#endif
