/*
 * One window in the making: what the files track_*.c share. Everything in struct sb_pass is device memory unless it
 * says otherwise; functions that fail leave what they allocated to the arm's end.
 */
#ifndef SB_TRACK_PASS_H
#define SB_TRACK_PASS_H

#include "track_internal.h"

struct sb_pass_level {
	float *map, *pmap; /* features [t, h, w, 128], normalised points [t, h, w, 3] */
	int64_t h, w;
	float *query;     /* [n, 49, 128] */
	float *q_x, *q_q; /* the query side: tokens [n, 16, 128] and their projected queries */
};

struct sb_pass {
	struct sb_backend *be;
	const struct sb_track_net *net;
	const struct sb_track_input *in;
	const struct sb_front_tap *tap;
	struct sb_error *err;
	int64_t n, t, rows; /* tracks, frames, tracks x frames */
	int64_t fh, fw;     /* features: working resolution / 4 */
	int iteration;

	/* a window's constants */
	struct sb_pass_level level[SB_TRACK_LEVELS];
	float *q, *z0, *u0, *p0, *rgb, *box, *time;
	float *k_m;    /* intrinsics at working resolution */
	float *pmap_r; /* point map at hr x wr */
	int32_t *frame;
	/* the state, track-major */
	float *uv, *z, *X, *vis, *conf, *dyn, *pro, *A, *px;
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

/* The window's frames at working resolution: x [t, h, w, c] -> *out, clamped to lo .. hi where lo < hi. */
enum sb_status sb_pass_nearest(
        struct sb_pass *p, const float *x, int64_t h, int64_t w, int64_t c, float lo, float hi, float **out);

/* ---- the steps, in their order ------------------------------------------------------------------------------- */

/* image [t, h, w, 3] at working resolution, 0..255 -> features [t, h/4, w/4, 128], L2-normalised. */
enum sb_status sb_pass_fnet(struct sb_pass *p, float *image, float **out);
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

#endif
