/*
 * clip: the frames a workload is given, decoded to host memory before any clock starts, and the network's size that
 * follows from theirs. Uses base; the external program ffmpeg when there is one.
 */
#ifndef SB_CLIP_H
#define SB_CLIP_H

#include "sb_base.h"

/*
 * Decoded frames of one clip may take this much host memory, and at most half of what the machine has; a longer clip is
 * refused, never cut silently.
 */
#define SB_CLIP_MAX_BYTES (INT64_C(4) << 30)

struct sb_clip_request {
	const char *video;             /* path (never an URL) of a video file or a folder; NULL: the built-in clip */
	int64_t n_frames;              /* frames wanted; 0: all there are */
	int64_t stride;                /* keep every stride-th frame, from the first on; 0 is 1 */
	const char *data_dir;          /* folder of the built-in clip; NULL: see sb_clip_load() */
	int64_t timeout_ms;            /* ffmpeg is killed after so long without a byte from it; 0: 30 s */
	int64_t raw_width, raw_height; /* the video is a file of packed RGB24 frames of this size; 0: it is not */
};

struct sb_clip {
	uint8_t *rgb; /* [n_frames, height, width, 3], owned */
	int64_t n_frames, height, width;
	int64_t n_decoded; /* the first so many frames are distinct pictures, later ones repeat them */
	uint64_t digest;   /* FNV-1a 64 of n_frames, height, width (8 bytes each, little-endian), then of the pixels */
	char source[256];  /* "built-in pedestrians.mp4", or the path as given, control characters escaped */
	char note[512];    /* what the user should know of these frames, in one line; "" when there is nothing */
};

/*
 * Decode a clip. Without any other program: a folder of PNG images (in the natural order of their names, all of one
 * size), a Y4M file (named .y4m or beginning like one; 8 bits), a file of raw frames. Everything else, JPEG images
 * included, by ffmpeg (found on PATH, started without a shell): frames come as the decoder gives them, none
 * dropped or doubled for the frame rate, converted to RGB by ffmpeg's default scaler. Where a video changes its size
 * half-way, ffmpeg scales the later frames to the size of the first; images are then refused, naming the file.
 *
 * A clip with fewer than n_frames frames is played forward and back (0 .. n-1, n-2 .. 1, 0 ..) and `note` says so.
 * The built-in clip is looked for in data_dir, else in $SPABENCH_DATA (either must have it then), else in the data
 * folder installed with the program and the source tree. Without ffmpeg its first frames come from a small raw file,
 * and `note` says so.
 *
 * Errors: SB_E_USAGE for a file that is not there, a folder without images, or a request that makes no sense; SB_E_ENV
 * when ffmpeg is needed and missing, or the built-in clip is; SB_E_DATA for files that are not what they should be,
 * when ffmpeg fails (its last line), falls silent or gives no frame, and for more memory than a clip may take, saying
 * how many frames fit (checked before decoding where number and size are known); SB_E_NOMEM. *out is untouched
 * on failure.
 */
enum sb_status sb_clip_load(const struct sb_clip_request *req, struct sb_clip *out, struct sb_error *err);
void sb_clip_release(struct sb_clip *clip);

/* The path of file `name` in the data folders (order: sb_clip_load()) into out[n]. Errors: SB_E_ENV. */
enum sb_status sb_data_find(const char *name, const char *data_dir, char *out, size_t n, struct sb_error *err);

/* How frames become the network's input, in the terms of kernels/resize.h: scale to full, keep a window of it. */
struct sb_geometry {
	int64_t full_h, full_w;
	int64_t crop_y, crop_x;
	int64_t out_h, out_w; /* multiples of 14 */
};

#define SB_SIZE_MIN 28
#define SB_SIZE_MAX 2072

/*
 * Network size for frames of h0 x w0. want_w = want_h = 0: the published rule (width 518, height to the nearest
 * multiple of 14, rows cropped to the middle 518). Otherwise want_w x want_h, multiples of 14 from SB_SIZE_MIN to
 * SB_SIZE_MAX, is covered by the scaled frame and cut out of its middle.
 * Errors: SB_E_USAGE for a size that is not allowed, and for frames so narrow that the rule leaves nothing or
 * scales them beyond 65536.
 * Source: ARCHITECTURE section 2.1.
 */
enum sb_status sb_clip_geometry(
        int64_t h0, int64_t w0, int64_t want_w, int64_t want_h, struct sb_geometry *geo, struct sb_error *err);

#endif
