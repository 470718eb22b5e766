/*
 * micro: the products, convolutions and attention calls of the tracker one by one, each checked against a reference in
 * double before it is timed, beside what the device reaches at most. Uses base, factors, memory, stats, backend and the
 * presets.
 *
 * What is run is what the pipeline submits: the same op with the same shape, strides and epilogue, on made-up values.
 */
#ifndef SB_MICRO_H
#define SB_MICRO_H

#include "sb_backend.h"
#include "sb_presets.h"

/* ---- what is run -------------------------------------------------------------------------------------------- */

enum sb_micro_op { SB_MICRO_GEMM, SB_MICRO_CONV, SB_MICRO_ATTENTION };
extern const char *const sb_micro_op_names[]; /* "gemm", "conv", "attention", NULL */

/* The cases that shapes are made for. */
struct sb_micro_case {
	const struct sb_preset *preset;
	const char *name; /* "i", "ii", "iii"; "" where the preset has one case */
	int64_t frames, width, height, points, iterations;
};
/*
 * `name` NULL: the preset's own; else one of sb_micro_case_names, which go with the preset `full`.
 * Errors: SB_E_USAGE for an unknown preset or case, or a case that the preset has not.
 */
enum sb_status sb_micro_case_find(
        const char *preset, const char *name, struct sb_micro_case *out, struct sb_error *err);
extern const char *const sb_micro_case_names[]; /* "i", "ii", "iii", NULL */

/* y = [residual +] [gamma *] act(x W^T + b); x dense, rows of y `ld` apart; the residual is y itself. */
struct sb_micro_linear {
	int64_t rows, in, out, ld;
	enum sb_act act;
	bool gamma, residual;
};

/* `transposed`: kernel = stride = k. The rest as struct sb_conv_args; residuals are tensors of their own. */
struct sb_micro_conv {
	int64_t n, h, w, cin, cout;
	int k, stride, pad;
	bool transposed, bias, relu_in, relu_out, residual, residual2; /* residual: its ReLU is added */
};

/*
 * Token i of sequence b is row b * batch + i * row of its tensor. `packed`: q, k and v share rows [q|k|v]; otherwise
 * q has rows of its own and k, v share [k|v].
 */
struct sb_micro_attention {
	int64_t batch, heads, lq, lk;
	int dim;
	int64_t q_batch, q_row, k_batch, k_row;
	bool packed;
};

#define SB_MICRO_NAME_MAX 40

struct sb_micro_shape {
	char name[SB_MICRO_NAME_MAX]; /* "front.block.qkv" */
	enum sb_micro_op op;
	int64_t calls;    /* of it in a pass; a loop's last, smaller piece counts as one */
	const char *note; /* or NULL; static */
	union {
		struct sb_micro_linear linear;
		struct sb_micro_conv conv;
		struct sb_micro_attention attention;
	} u;
};

#define SB_MICRO_SHAPES_MAX 80
/* The shapes of a case in the order of the pipeline, each once. Returns how many. Source: ARCHITECTURE 3, 4, 5. */
int sb_micro_shapes(const struct sb_micro_case *c, enum sb_micro_op op, struct sb_micro_shape out[SB_MICRO_SHAPES_MAX]);
/* "18768 x 1024 -> 3072 +gelu" */
void sb_micro_describe(const struct sb_micro_shape *s, char *out, size_t n);

/* ---- what came out ------------------------------------------------------------------------------------------ */

enum sb_micro_cache {
	SB_MICRO_COLD, /* a buffer larger than the cache is written before every launch */
	SB_MICRO_WARM, /* launch after launch on the same operands */
	SB_MICRO_CACHES,
};
extern const char *const sb_micro_cache_names[SB_MICRO_CACHES];

#define SB_MICRO_SAMPLES_MAX 20

/* Samples of one launch. A sample is the mean of `launches` of them. */
struct sb_micro_times {
	int n, launches;
	double ns[SB_MICRO_SAMPLES_MAX]; /* in order of time */
	double median, lo, hi; /* lo, hi: order statistics, so that coverage is at least 95 %; NAN with n < 6 */
	double coverage;       /* of lo..hi, a probability; NAN as they are */
};

enum sb_micro_outcome {
	SB_MICRO_OK,
	SB_MICRO_OOM,     /* does not fit */
	SB_MICRO_WRONG,   /* the check failed: not timed */
	SB_MICRO_FAILED,  /* the device, or its backend, did */
	SB_MICRO_NO_TIME, /* the budget is spent */
	SB_MICRO_SKIPPED, /* interrupted, or the device was lost before */
	SB_MICRO_OUTCOMES,
};
extern const char *const sb_micro_outcome_names[SB_MICRO_OUTCOMES];

/* One shape at one level. */
struct sb_micro_row {
	struct sb_micro_shape shape;
	struct sb_levels levels;
	bool tf32; /* of the products in it */
	bool emulated;
	enum sb_micro_outcome outcome;
	char detail[320];                             /* why it is not OK; "" */
	const char *kernel;                           /* what ran; NULL: nothing did */
	double flop, bytes;                           /* of one launch: what it must do at least */
	double error, limit;                          /* relative, over the checked outputs; NAN: not checked */
	int64_t checked;                              /* outputs */
	int64_t memory_bytes;                         /* peak of the arm's allocator: operands and workspace */
	struct sb_micro_times times[SB_MICRO_CACHES]; /* n = 0 unless OK */
};

/* What the device reaches, measured at the beginning of the same run. */
struct sb_micro_ceilings {
	struct sb_micro_row product[2]; /* fp32, tf32: a large linear */
	struct sb_micro_times copy;
	double copy_bytes; /* read and written by a launch */
	struct sb_value bytes_per_s, flop_per_s[2];
};

struct sb_micro_options {
	enum sb_micro_op op;
	struct sb_micro_case c;
	const char *shape;   /* only names that contain it; NULL: all */
	int precision;       /* SB_PRECISION_*, -1: both */
	int attention;       /* SB_ATTENTION_*, -1: both */
	double budget_s;     /* 0: none */
	int64_t flush_bytes; /* the buffer that is written for a cold cache */
	int64_t product;     /* rows, columns and depth of the ceiling's product */
	int64_t copy_bytes;  /* of the ceiling's copy, in one direction */
	uint64_t seed;       /* of the values and of the outputs that are checked */
	/* May be NULL. interrupted: asked between rows. */
	void (*progress)(void *self, int done, int all, const struct sb_micro_row *row);
	bool (*interrupted)(void *self);
	void *self;
};

struct sb_micro_result {
	struct sb_micro_ceilings ceilings;
	struct sb_micro_row *rows;
	size_t n;
	bool cut_short;    /* interrupted */
	bool asynchronous; /* the device works on while the host goes on */
	double flush_ns;   /* what writing the buffer takes */
	double empty_ns;   /* between two marks with nothing in between */
};
/*
 * Measure. No arm is running on `be`. A row that fails is a row; what cannot be measured at all is an error: SB_E_NOMEM
 * for host memory or a device without room for the buffer and the ceilings, SB_E_DEVICE. Options that leave nothing
 * to do are SB_E_USAGE. On SB_OK the caller releases *out.
 */
enum sb_status sb_micro_run(
        struct sb_backend *be, const struct sb_micro_options *o, struct sb_micro_result *out, struct sb_error *err);
void sb_micro_result_release(struct sb_micro_result *r);

#endif
