/* What the files of micro share. */
#ifndef SB_MICRO_INTERNAL_H
#define SB_MICRO_INTERNAL_H

#include "sb_micro.h"

/* ---- sizes that workloads/tracker has as well ----------------------------------------------------------------- */

enum {
	CAMERA_ITERATIONS = 4,
	DPT_CHUNK = 8,    /* frames at a time in the depth head */
	TILE_ROWS = 2048, /* (track, frame) pairs a tile of the neighbour attention */
	NEIGHBOURS = 16,
	TRACK_LEVELS = 4,
	TRACK_ROUNDS = 3,
	TRACK_HEADS = 8,
	VIRTUAL = 64, /* virtual tracks */
	HIDDEN = 384,
	TOKEN2 = 1110,
	TOKEN3 = 1260,
};
int64_t sb_micro_frame_tokens(const struct sb_micro_case *c);
int64_t sb_micro_tile_rows(const struct sb_micro_case *c); /* of a whole tile */
int64_t sb_micro_tiles(const struct sb_micro_case *c);

/* ---- operands.c: values on the device ------------------------------------------------------------------------- */

/*
 * All values come from one pool of uniform numbers in [-1, 1): element i of a tensor is pool[(offset + i) % POOL]. So
 * the host knows every value without holding a tensor. A prime: no row length divides it, and no two rows are alike.
 */
#define SB_MICRO_POOL 1000003

struct sb_micro_tensor {
	float *at;      /* device */
	int64_t n;      /* floats */
	int64_t offset; /* into the pool */
};

static inline int64_t sb_micro_pool_index(const struct sb_micro_tensor *t, int64_t i)
{
	return (t->offset + i) % SB_MICRO_POOL;
}

/* The operands of one op in memory of the arm's allocator, and the op itself. */
struct sb_micro_operands {
	const struct sb_micro_shape *shape;
	const float *pool; /* host, borrowed */
	struct sb_op op;
	struct sb_micro_tensor x, w, bias, gamma, residual, residual2, y; /* attention: x = q or [q|k|v], w = [k|v] */
	float *weight; /* host, as a checkpoint has it, for linear and conv; NULL for attention */
	float factor;  /* of the weight's values, so that outputs are of size 1 */
};

void sb_micro_pool_fill(float *pool, uint64_t seed); /* SB_MICRO_POOL floats */
/*
 * Allocate, fill and prepare for be's levels; an arm is running. The output is NaN, or values of the pool where it is
 * its own residual. pool_device: the pool on the device. Errors: SB_E_NOMEM; on failure release all the same.
 */
enum sb_status sb_micro_operands_open(struct sb_micro_operands *o, const struct sb_micro_shape *s,
        struct sb_backend *be, const float *pool, const float *pool_device, struct sb_error *err);
/* The device memory goes with the arm. */
void sb_micro_operands_release(struct sb_micro_operands *o);

/* ---- check.c: is it right? ------------------------------------------------------------------------------------ */

struct sb_micro_check {
	double error, limit; /* relative: root mean square, or an eighth of the largest if that is more */
	int64_t checked;
};
/*
 * Compare outputs of the op, which has run once on fresh operands, with sums in double over the very operands. The
 * limit is twice the mean error of the same formula written plainly in float, its operands rounded to TF32 where `tf32`
 * says so, and one rounding. Outputs are drawn by `seed`, the first and the last always among them; all of them where
 * that is cheap. Errors: the device's, SB_E_NOMEM for host memory.
 */
enum sb_status sb_micro_check_run(const struct sb_micro_operands *o, struct sb_backend *be, bool tf32, uint64_t seed,
        struct sb_micro_check *out, struct sb_error *err);

/* ---- timing.c ------------------------------------------------------------------------------------------------- */

/* How ops are timed on this device. */
struct sb_micro_clock {
	struct sb_backend *be;
	float *flush; /* written for a cold cache; memory of the running arm */
	int64_t flush_floats;
	double flush_ns, empty_ns;
	bool asynchronous;
};
/* Measure the clock itself. */
enum sb_status sb_micro_clock_open(struct sb_micro_clock *c, struct sb_error *err);
/*
 * Time op warm and, with `cold`, cold, in turn, for about seconds_left at most (0: no limit), SB_MICRO_SAMPLES_MAX
 * samples at most, one at least. times[SB_MICRO_CACHES].
 */
enum sb_status sb_micro_time(const struct sb_micro_clock *c, const struct sb_op *op, bool cold, double seconds_left,
        struct sb_micro_times *times, struct sb_error *err);

#endif
