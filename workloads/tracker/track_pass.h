/*
 * One window in the making: what the files track_*.c share. Everything in struct sb_pass is device memory unless it
 * says otherwise; functions that fail leave what they allocated to the arm's end.
 */
#ifndef SB_TRACK_PASS_H
#define SB_TRACK_PASS_H

#include "sb_camera_chain.h"
#include "sb_track_video.h"
#include "track_internal.h"

/* What a window is given. */
struct sb_window {
	const float *video, *depth, *valid; /* device, from the window's first frame on */
	int64_t h, w, hr, wr;
	int64_t frames, real; /* behind `real` frames the last one repeats */
	/* host */
	const float *cam, *k; /* [frames, 4, 4] relative to the window's first frame, [frames, 3, 3] */
	const float *queries; /* [n, 3] t in the window, x, y in pixels of hr x wr: carried, new, support */
	int64_t n_carried, n_queries, n_support; /* the carried ones are queries too */
	const float *carried;                    /* [n_carried, overlap, 6]: x, y, z as results are; point */
	int64_t overlap;
	bool last;     /* no window comes after it */
	int64_t keep;  /* tracks whose results are wanted, the first ones */
	int64_t first; /* its first frame in the clip */
	int64_t iterations;
	enum sb_cameras cameras;
};

/* Host memory of a window, made beforehand. */
struct sb_pass_host {
	int64_t tracks, frames; /* room for so many */
	float *q;               /* [n, 3] at working resolution */
	float *keep_z;          /* [n] NAN: as sampled */
	float *q_geometry;      /* [n, 3] what the geometry token takes for q */
	float *z_geometry;      /* [n_carried] .. for z0 */
	float *uv, *z, *X;      /* first state of the carried, [n_carried, t, ..] */
	float *k_m, *k, *cam;   /* [t, 9] at working resolution, [t, 9] = K_r, [t, 16] = C */
	float *time;            /* [t, 1110] of the two lengths below */
	int64_t time_len, time_frames;
	float *logits, *A, *px, *z0, *u0; /* the small state, for the cameras: [4, n, t], .. */
	float *block;                     /* results, as struct sb_track_outputs orders them */
	struct sb_camera_chain *chain;    /* NULL: cameras stay fixed */
	struct sb_camera_result cameras;
	struct sb_planted_room *planted; /* or NULL */
	float *memory;
};
enum sb_status sb_pass_host_open(int64_t tracks, int64_t frames, enum sb_cameras cameras,
        const struct sb_track_planted *planted, int64_t clip_frames, struct sb_pass_host *out, struct sb_error *err);
void sb_pass_host_release(struct sb_pass_host *h);

/* What goes from window to window on the device; all zero before the first. */
struct sb_carry {
	float *features; /* [overlap, h/4, w/4, 128] of the last frames */
	struct {
		float *query, *points; /* [tracks, 49, 128]; [tracks, 49, 3], not normalised */
	} level[SB_TRACK_LEVELS];
};

struct sb_pass_level {
	float *map, *pmap; /* features [t, h, w, 128], normalised points [t, h, w, 3] */
	int64_t h, w;
	float *query, *points; /* [n, 49, 128], [n, 49, 3] normalised */
	float *q_x, *q_q;      /* the query side: tokens [n, 16, 128] and their projected queries */
};

struct sb_pass {
	struct sb_backend *be;
	const struct sb_track_net *net;
	const struct sb_window *in;
	struct sb_pass_host *host;
	struct sb_carry *carry;
	const struct sb_front_tap *tap;
	struct sb_error *err;
	int64_t n, t, rows; /* tracks, frames, tracks x frames */
	int64_t fh, fw;     /* features: working resolution / 4 */
	float fx, fy;       /* pixels of hr x wr times these are pixels of the working resolution */
	int iteration;

	/* a window's constants */
	struct sb_pass_level level[SB_TRACK_LEVELS];
	float *q, *z0, *u0, *p0, *rgb, *box, *time;
	float *q_geometry, *z_geometry; /* q and z0 themselves where nothing is carried */
	float *k_m;                     /* intrinsics at working resolution */
	float *pmap_r;                  /* point map at hr x wr */
	float *valid_r;                 /* `valid` with frames repeated; NULL: in->valid does */
	int32_t *frame;
	/* the state, track-major */
	float *uv, *z, *X, *vis, *conf, *dyn, *pro, *A, *px;
	float *cam, *k_r; /* C, K_r */
};

#define SB_TRY(call)                          \
	do {                                  \
		enum sb_status try_ = (call); \
		if (try_)                     \
			return try_;          \
	} while (0)

/* ---- track_pass.c: memory and layers ------------------------------------------------------------------------- */

enum sb_status sb_pass_get(struct sb_pass *p, int64_t floats, float **out);
void sb_pass_put(struct sb_pass *p, void *ptr);
void sb_pass_tap(struct sb_pass *p, const char *name, int index, const float *data, int64_t n);

struct sb_out_place {
	float *y;
	int64_t ld;            /* 0: dense */
	const float *residual; /* dense, or NULL */
};
enum sb_status sb_pass_linear(struct sb_pass *p, const float *x, int64_t rows, const struct sb_linear_weight *l,
        struct sb_out_place to, enum sb_act act);
/* y := fc2(GELUe(fc1(x))) */
enum sb_status sb_pass_mlp(
        struct sb_pass *p, const float *x, int64_t rows, const struct sb_mlp_weight *m, struct sb_out_place to);
/* norm NULL: without affine, eps 1e-6; norm_context: 1e-5. */
enum sb_status sb_pass_layer_norm(
        struct sb_pass *p, const float *x, float *y, int64_t rows, int64_t dim, const struct sb_norm_weight *norm);
enum sb_status sb_pass_posenc(
        struct sb_pass *p, const float *x, int64_t rows, int64_t d, int64_t degrees, float *y, int64_t ldy);
enum sb_status sb_pass_copy(
        struct sb_pass *p, const float *src, int64_t rows, int64_t cols, int64_t ld_src, float *dst, int64_t ld_dst);
/* y[n, every frame of the window, len] = x[n, len] */
enum sb_status sb_pass_repeat(struct sb_pass *p, const float *x, float *y, int64_t n, int64_t len);
enum sb_status sb_pass_fill(struct sb_pass *p, float *x, int64_t n, float value);
/* Points to the normalisation box, or back; y may be x. */
enum sb_status sb_pass_box_map(struct sb_pass *p, const float *x, float *y, int64_t rows, int inverse);

/* Sequences for an attention: how many, and where their rows lie in a dense [rows, dim] buffer. */
struct sb_sequences {
	int64_t batch, lq, lk;
	int64_t q_batch, q_row, k_batch, k_row; /* in rows */
};
/*
 * x += Attn(LN0(x), LNc(c)); x += fc2(GELUt(fc1(LN0(x)))), in place; x [rows, dim], c [c_rows, ctx] (c = x and the same
 * norm for a self block).
 */
enum sb_status sb_pass_attend(struct sb_pass *p, const struct sb_track_block *b, float *x, int64_t rows, const float *c,
        int64_t c_rows, const struct sb_sequences *s);

/* y[k, len] = x[len], k < times */
enum sb_status sb_pass_replicate(struct sb_pass *p, const float *x, float *y, int64_t times, int64_t len);
enum sb_status sb_pass_upload(struct sb_pass *p, float *dst, const float *host, int64_t floats);
enum sb_status sb_pass_download(struct sb_pass *p, float *host, const float *src, int64_t floats);
enum sb_status sb_pass_sync(struct sb_pass *p);
/*
 * Frames at working resolution: x [real, h, w, c] -> *out, room for all frames of the window; clamped to lo .. hi where
 * lo < hi.
 */
enum sb_status sb_pass_nearest(
        struct sb_pass *p, const float *x, int64_t h, int64_t w, int64_t c, float lo, float hi, float **out);
/* Behind the window's real frames, `floats` each, the last one again. */
enum sb_status sb_pass_pad(struct sb_pass *p, float *x, int64_t floats);

/* ---- the steps, in their order ------------------------------------------------------------------------------- */

/* *image [t, h, w, 3] at working resolution, 0..255; features [t, h/4, w/4, 128], L2-normalised: carried or made. */
enum sb_status sb_pass_features(struct sb_pass *p, float **image, float **features);
/* image [frames, h, w, 3] -> *out [frames, h/4, w/4, 128] */
enum sb_status sb_pass_fnet(struct sb_pass *p, float *image, int64_t frames, float **out);
/* Frees image, takes features. */
enum sb_status sb_pass_prepare(struct sb_pass *p, float *image, float *features);
/* Once a window and level: the query patches, the query side of the neighbour attention and its projected queries. */
enum sb_status sb_pass_query_side(struct sb_pass *p, int l);
/* Columns 2 .. 1025 of both tokens, [rows, 1110] and [rows, 1260]. */
enum sb_status sb_pass_correlations(struct sb_pass *p, float *tokens2, float *tokens3);
/* Completes both tokens; tokens3 [rows, 1260] is freed, *projected [rows, 1110] takes its place. */
enum sb_status sb_pass_tokens(struct sb_pass *p, float *tokens2, float *tokens3, float **projected);
struct sb_deltas {
	float *d2, *d3, *dp; /* [rows, 4], [rows, 4], [rows] */
};
/* tokens2 and tokens3 [rows, 1110] are freed. */
enum sb_status sb_pass_transformer(struct sb_pass *p, float *tokens2, float *tokens3, struct sb_deltas *d);

/* The end of an iteration (4.9): C and K_r, on both sides. */
enum sb_status sb_pass_cameras(struct sb_pass *p);
/* The end of a window: what the next one needs goes to *p->carry. */
enum sb_status sb_pass_carry(struct sb_pass *p);

/* One window from end to end; afterwards host->block has its results, host->cam and ->k its cameras. */
enum sb_status sb_pass_window(struct sb_pass *p);
/* Points of the block of `keep` tracks: [keep, t, 3], [keep, t, 6], three of [keep, t]. */
struct sb_block {
	const float *xyz2, *xyz3, *vis, *conf, *dyn;
};
struct sb_block sb_pass_block(const struct sb_pass *p);

/* ---- track_bundle.c: bundle adjustment of planted observations ---------------------------------------------- */

struct sb_planted_room;
enum sb_status sb_planted_room_open(const struct sb_track_planted *planted, int64_t clip_frames, int64_t max_frames,
        struct sb_planted_room **out, struct sb_error *err);
void sb_planted_room_close(struct sb_planted_room *r);
/* Frames first .. first + frames of the clip, behind its end the last again; cam and k as sb_camera_chain_bundle(). */
void sb_planted_bundle(struct sb_planted_room *r, int64_t first, int64_t frames, float *cam, float *k,
        struct sb_camera_result *result);

#endif
