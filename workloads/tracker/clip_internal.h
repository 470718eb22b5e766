/* What clip.c and the clip_*.c, one for each kind of input, share. */
#ifndef SB_CLIP_INTERNAL_H
#define SB_CLIP_INTERNAL_H

#include "sb_clip.h"

/* Where picture bytes come from: read() gives 1 .. n bytes, or 0 at the end. */
struct sb_ppm_source {
	enum sb_status (*read)(void *ctx, void *buf, size_t n, size_t *got, struct sb_error *err);
	void *ctx;
};

/* Bytes of a source, buffered. Starts with {src}; 64 KiB, so not on the stack. */
struct sb_reader {
	const struct sb_ppm_source *src;
	size_t pos, len;
	unsigned char buf[1 << 16];
};

/* The next byte, or -1 at the end. */
enum sb_status sb_reader_byte(struct sb_reader *r, int *c, struct sb_error *err);
/* n bytes into dst; *got < n only at the end of the source. */
enum sb_status sb_reader_bytes(struct sb_reader *r, void *dst, size_t n, size_t *got, struct sb_error *err);

#define SB_SIDE_MAX 99999 /* of a frame, so that height x width x 3 fits easily into 64 bits */

/* What of the pictures is kept. */
struct sb_ppm_want {
	int64_t n_frames; /* room is made for so many and reading stops there; 0: all */
	int64_t stride;   /* at least 1 */
};

/* clip->rgb, n_decoded (= n_frames), height and width of a growing clip. */
struct sb_ppm_frames {
	uint8_t *rgb; /* owned by the caller, also after a failure */
	int64_t n, capacity, h, w;
};

/* Host memory that one clip's frames may take: SB_CLIP_MAX_BYTES, on a small machine half of what it has. */
int64_t sb_clip_limit_bytes(void);

/*
 * Room for one more frame; f->h and f->w are set. Where want->n_frames is known all of it is made at once.
 * Errors: SB_E_DATA naming how many frames fit, SB_E_NOMEM.
 */
enum sb_status sb_frames_reserve(struct sb_ppm_frames *f, const struct sb_ppm_want *want, struct sb_error *err);

/* What is wanted of a source known to have `there` frames: with a number, so that memory is checked before decoding. */
struct sb_ppm_want sb_want_of(const struct sb_ppm_want *want, int64_t there);

/*
 * Read concatenated binary PPM pictures (P6, maxval 255, one size, no comments) to the end of the source or until
 * enough are kept. *frames starts as {0}; after success it holds n >= 0 frames and, when want->n_frames is set and n >
 * 0, room for all of those. Errors: SB_E_DATA naming the frame, from 0 on: not such a picture, truncated, another size,
 * too much memory; SB_E_NOMEM.
 */
enum sb_status sb_ppm_read(const struct sb_ppm_source *src, const struct sb_ppm_want *want,
        struct sb_ppm_frames *frames, struct sb_error *err);

/*
 * Decode `path` with ffmpeg. `note` gets what ffmpeg complained of although it succeeded.
 * Errors: SB_E_ENV when there is no ffmpeg, and those of sb_clip_load().
 */
enum sb_status sb_ffmpeg_decode(const char *path, const struct sb_ppm_want *want, int64_t timeout_ms,
        struct sb_ppm_frames *frames, struct sb_buf *note, struct sb_error *err);

/*
 * Read a Y4M stream (8 bits; 4:2:0, 4:2:2, 4:4:4 or mono; progressive) and convert it to RGB by BT.601, limited range
 * unless the stream says XCOLORRANGE=FULL. A chroma sample holds for the whole block of pixels that shares it, as in
 * ffmpeg's default conversion. size: bytes of the stream, so that memory is checked before frames are read; -1:
 * unknown. Contract of *frames and errors: as sb_ppm_read().
 */
enum sb_status sb_y4m_read(const struct sb_ppm_source *src, int64_t size, const struct sb_ppm_want *want,
        struct sb_ppm_frames *frames, struct sb_error *err);
/* True when a file of this name, beginning with these bytes, is to be read as Y4M. */
bool sb_y4m_is(const char *path, const void *head, size_t n);

/*
 * Read a file of packed RGB24 frames, h x w each, which must be a whole number of them.
 * Errors: SB_E_DATA, SB_E_NOMEM.
 */
enum sb_status sb_raw_read(int fd, int64_t h, int64_t w, const struct sb_ppm_want *want, struct sb_ppm_frames *frames,
        struct sb_error *err);

/*
 * Read the images of a folder in the natural order of their names (2 before 10): its *.png, or where there are none
 * its *.jpg and *.jpeg, through ffmpeg. Other files are ignored, and `note` says how many.
 * Errors: SB_E_USAGE when there are no images; SB_E_DATA naming the file that cannot be read or has another size;
 * SB_E_ENV for JPEG without ffmpeg; SB_E_NOMEM.
 */
enum sb_status sb_images_read(const char *path, const struct sb_ppm_want *want, int64_t timeout_ms,
        struct sb_ppm_frames *frames, struct sb_buf *note, struct sb_error *err);
/* Order of file names: runs of digits by their value, everything else by its bytes. 0 only for equal names. */
int sb_natural_order(const char *a, const char *b);

#endif
