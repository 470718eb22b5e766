/*
 * weights: which tensors a network has, and where their values come from: a rule, so that nothing need be downloaded to
 * measure, or a safetensors file. Uses base.
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
/* The same as a rule, for whoever makes the values elsewhere; false: this tensor has others, too. */
bool sb_synthetic_rule(const char *name, const int64_t *shape, int ndim, struct sb_value_rule *out);

/* ---- sources ------------------------------------------------------------------------------------------------- */

/* Where values come from; one comment a member, called through sb_weights_get() and sb_weights_drop(). */
struct sb_weights {
	/* See sb_weights_get(). */
	enum sb_status (*get)(const struct sb_weights *w, const char *name, const int64_t *shape, int ndim,
	        float *scratch, const float **values, struct sb_error *err);
	/* Optional. See sb_weights_drop(). */
	void (*drop)(const struct sb_weights *w, const char *name);
	/* Optional. See sb_weights_rule(). */
	bool (*rule)(const char *name, const int64_t *shape, int ndim, struct sb_value_rule *out);
};

/*
 * The values of one tensor: made in scratch [product of shape], or where they lie already, row-major f32. They live
 * until the tensor is dropped or scratch is used again.
 * Errors: SB_E_DATA when the source has no such tensor; never the synthetic one.
 */
enum sb_status sb_weights_get(const struct sb_weights *w, const char *name, const int64_t *shape, int ndim,
        float *scratch, const float **values, struct sb_error *err);
/* The values are not needed any more: what holds them in memory may go. */
void sb_weights_drop(const struct sb_weights *w, const char *name);

/* Whether all values of the tensor follow a rule, and which. */
bool sb_weights_rule(
        const struct sb_weights *w, const char *name, const int64_t *shape, int ndim, struct sb_value_rule *out);

extern const struct sb_weights sb_weights_synthetic;

/* Tensors of the tracker have this in front of their names, those of the front end nothing. */
#define SB_TRACK_PREFIX "spatrack.Track3D."

/* What a file or an export holds of a network. */
struct sb_weight_facts {
	const char *kind; /* "file"; "synthetic file" for one that says it was made by sb_weights_export() */
	int64_t tensors, values;
	uint64_t digest; /* names, shapes and values as float32, in the order of the table */
	char note[512];  /* what of the file is not used, or "" */
};

/*
 * A network as a list of tensors, for reading and writing files of them. Get one from sb_network_front() or, in
 * sb_track_net.h, sb_network_track().
 */
struct sb_network {
	bool track;                                                       /* its names have SB_TRACK_PREFIX */
	void (*tensors)(const void *config, sb_tensor_fn *fn, void *ctx); /* what it reads */
	void (*extra)(const void *config, sb_tensor_fn *fn, void *ctx);   /* what an export has besides */
	void (*fill_extra)(const int64_t *shape, float *out);             /* NULL: by the rule */
	const void *config;                                               /* borrowed */
	const char *const *idle; /* beginnings of names that files have and nobody needs; NULL-terminated */
};
struct sb_network sb_network_front(const struct sb_front_config *cfg);

struct sb_weight_file;

/*
 * Map a safetensors file. It must not change while it is open: the values are read from it each time.
 * Errors: those of sb_safetensors_open().
 */
enum sb_status sb_weight_file_open(const char *path, struct sb_weight_file **out, struct sb_error *err);
void sb_weight_file_close(struct sb_weight_file *f);
/* Tensors of the tracker, by their prefix, and others. */
void sb_weight_file_parts(const struct sb_weight_file *f, size_t *track, size_t *others);
/*
 * Read the network's part of it once: the file has every tensor in its shape, as F32, F16 or BF16, and every value is
 * finite. In memory at a time: the largest tensor. Tensors of the other part are none of its business.
 * Errors: SB_E_DATA naming the first tensor that is not so.
 */
enum sb_status sb_weight_file_check(const struct sb_weight_file *f, const struct sb_network *net,
        struct sb_weight_facts *out, struct sb_error *err);
/* Last size but one of a tensor, 0 when there is no such tensor. */
int64_t sb_weight_file_rows(const struct sb_weight_file *f, const char *name);
/* The file as a source; lives as long as it. */
const struct sb_weights *sb_weight_file_source(const struct sb_weight_file *f);

/*
 * Write the synthetic weights of a network as safetensors, with its `extra` tensors; `preset` goes into the metadata.
 * In memory at a time: the largest tensor. stop: asked between tensors, or NULL.
 * Errors: SB_E_DATA when the file cannot be written, SB_E_INTERRUPTED; nothing is left behind then. *out: the tensors
 * that the network reads, as sb_weight_file_check() would find them; `tensors` and `values` count all.
 */
enum sb_status sb_weights_export(const struct sb_network *net, const char *preset, const char *path, bool (*stop)(void),
        struct sb_weight_facts *out, struct sb_error *err);

#endif
