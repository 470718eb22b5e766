/*
 * weights: which tensors a network has, and synthetic values for them, so that nothing need be downloaded to measure.
 * Uses base.
 */
#ifndef SB_WEIGHTS_H
#define SB_WEIGHTS_H

#include "sb_base.h"

/* The front end's dimensions. */
struct sb_front_config {
	int dim;       /* embedding width; a multiple of heads */
	int depth;     /* frame/global pairs of the aggregator */
	int heads;     /* attention heads, everywhere */
	int vit_depth; /* DINOv2 blocks */
	int trunk;     /* blocks of the camera head */
	int feat;      /* width of the depth head; even */
	int outc[4];   /* widths of its projections */
	int idx[4];    /* the pairs it reads, ascending; the camera head reads the last one */
	int img;       /* the positional table covers img x img pixels: (img/14)^2 + 1 rows */
};

#define SB_TENSOR_NAME_MAX 96

/* `name` and `shape` [ndim] live until the call returns. */
typedef void sb_tensor_fn(void *ctx, const char *name, const int64_t *shape, int ndim);

/*
 * Call fn for every tensor the front end reads, in the order of the released checkpoint, which has one more,
 * `mask_token`, that only training used.
 * Source: ARCHITECTURE section 3.
 */
void sb_front_tensors(const struct sb_front_config *cfg, sb_tensor_fn *fn, void *ctx);

/* Rows of the positional table behind its first (the cls token's): a square grid of this side. */
#define SB_POS_EMBED_SIDE 37

/*
 * Resize the positional table to a grid of ph x pw patches: bicubic with antialias, a = -0.5, as PyTorch does; weights
 * and sums in double, so that the result is within one rounding of the formula. 37 x 37 is an exact identity.
 * Shapes:  src [37 * 37, dim], dst [ph * pw, dim] f32, not overlapping; ph, pw, dim at least 1.
 * Source:  ARCHITECTURE section 3.1.
 */
void sb_pos_embed_resize(const float *src, int ph, int pw, int dim, float *dst);

/* Stored with results: values made by another version of the rule are other weights. */
#define SB_SYNTHETIC_RULE 1

/*
 * Synthetic values of the tensor `name` (its full state-dict name, tracker names with `spatrack.Track3D.`), bit for bit
 * the same on every machine and for every number of threads.
 * Shapes:  out [product of shape], row-major f32; ndim at least 1.
 * Source:  tests/data/README.md, "Synthetic weights".
 */
void sb_synthetic_fill(const char *name, const int64_t *shape, int ndim, float *out);

#endif
