/*
 * factors: the switches, their levels and the arms made of them. The one table that every module reads: the backend for
 * what to run, the experiment for what to pair, the summary for what to compare. Uses base.
 */
#ifndef SB_FACTORS_H
#define SB_FACTORS_H

#include "sb_base.h"

/* A part is what can be set one by one; a factor is one part or several (precision). */
enum sb_part {
	SB_PART_PRECISION_GEMM,
	SB_PART_PRECISION_CONV,
	SB_PART_PRECISION_ATTENTION, /* governs `efficient` only; `standard` follows precision.gemm */
	SB_PART_ATTENTION,
	SB_PART_ALLOC,
	SB_PART_OFFLOAD,
	SB_PART_COUNT,
};

/* Level numbers are positions in the part's level list below. */
enum { SB_PRECISION_FP32, SB_PRECISION_TF32 };
enum { SB_ATTENTION_STANDARD, SB_ATTENTION_EFFICIENT };
enum {
	SB_ALLOC_DEFAULT,
	SB_ALLOC_EXPANDABLE,
	SB_ALLOC_STITCHED
}; /* the last: ours, experimental, in no arm of the default plan */

enum {
	SB_OFFLOAD_OFF,
	SB_OFFLOAD_LAYERS, /* blocks through two slots, copied while the one before is at work */
	SB_OFFLOAD_MODEL,  /* models one after the other, in the room of the largest */
};                         /* in no arm of the default plan, nor in `after`: it trades time for memory */

struct sb_levels {
	uint8_t part[SB_PART_COUNT];
};

struct sb_part_info {
	const char *name;          /* "precision.gemm" */
	const char *factor;        /* "precision" */
	const char *const *levels; /* NULL-terminated; the first is the `before` level */
};
extern const struct sb_part_info sb_parts[SB_PART_COUNT];

/* The distinct factors in table order: "precision", "attention", "alloc", "offload". NULL-terminated. */
extern const char *const sb_factor_names[];

#define SB_ARM_NAME_MAX 48
#define SB_ARMS_MAX     64

struct sb_arm {
	char name[SB_ARM_NAME_MAX]; /* "before", "+precision", .., "after", "best", or "tf32/efficient/default" */
	struct sb_levels levels;
};

const char *sb_level_name(const struct sb_levels *l, enum sb_part part);
bool sb_levels_equal(const struct sb_levels *a, const struct sb_levels *b);
/* True when a and b differ in parts of `factor` and in no other part. */
bool sb_levels_differ_only_in(const struct sb_levels *a, const struct sb_levels *b, const char *factor);

/* Switch `factor` on as `after` has it, where it is at its first level. True when that changed anything. */
bool sb_levels_switch_on(struct sb_levels *l, const char *factor);

/* Apply "FACTOR[.PART]=LEVEL" to *l. A factor name alone sets all its parts. Errors: SB_E_USAGE listing what exists. */
enum sb_status sb_levels_set(struct sb_levels *l, const char *assignment, struct sb_error *err);
/* "precision.gemm=fp32,precision.conv=fp32,precision.attention=fp32,attention=standard,alloc=default"; offload only
 * where it is on */
void sb_levels_format(const struct sb_levels *l, struct sb_buf *out);
/* The inverse of sb_levels_format(): comma-separated assignments on top of all-first levels. */
enum sb_status sb_levels_parse(const char *text, struct sb_levels *l, struct sb_error *err);

/* A named arm: before, +FACTOR or +FACTOR[.PART]=LEVEL, several as +FACTOR+FACTOR, after, best, and the
 * last two with more: best+offload. `after` and +precision
 * leave precision.attention at fp32 (DESIGN 2). */
enum sb_status sb_arm_by_name(const char *name, struct sb_arm *out, struct sb_error *err);
/*
 * Comma-separated arm names -> arms[0..*n). Refuses unknown and repeated names. Errors: SB_E_USAGE.
 */
enum sb_status sb_arms_parse(const char *list, struct sb_arm arms[SB_ARMS_MAX], int *n, struct sb_error *err);
/* The default plan: before, one arm for each of `factors` (NULL: all), after; with `best` when asked. offload: only
 * when it is listed. */
enum sb_status sb_arms_default(
        const char *factors, bool with_best, struct sb_arm arms[SB_ARMS_MAX], int *n, struct sb_error *err);
/* Every combination of the factors' levels (precision as one factor, without offload), named by their levels;
 * `before`/`after` keep their names. */
void sb_arms_all(struct sb_arm arms[SB_ARMS_MAX], int *n);

#endif
