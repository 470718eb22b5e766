/*
 * safetensors: named float32 tensors in one file, as released checkpoints and our golden outputs come. Uses base.
 * Format: 8 bytes header length (little-endian), a JSON object name -> {dtype, shape, data_offsets}, then the values.
 */
#ifndef SB_SAFETENSORS_H
#define SB_SAFETENSORS_H

#include "sb_base.h"

#define SB_TENSOR_DIMS_MAX 8

struct sb_safetensor {
	const char *name;
	int ndim; /* 0: a scalar, n = 1 */
	int64_t shape[SB_TENSOR_DIMS_MAX];
	int64_t n;         /* product of the shape */
	const float *data; /* n values, row-major; 4-byte aligned; may be NULL when n is 0 */
};

struct sb_safetensors;

/*
 * Map the file and check all of it that is not tensor values: nothing is read outside the file whatever it says, names
 * are unique, every tensor has exactly its bytes, and together they fill the file without overlap or hole.
 * Only F32 is read.
 * The file must not be truncated while it is open (the values are mapped, not copied).
 * Errors: SB_E_USAGE when there is no such file, SB_E_DATA naming what is wrong, SB_E_NOMEM. *out untouched then.
 */
enum sb_status sb_safetensors_open(const char *path, struct sb_safetensors **out, struct sb_error *err);
/* The same for bytes in memory, which must outlive *out. */
enum sb_status sb_safetensors_parse(const void *data, size_t size, struct sb_safetensors **out, struct sb_error *err);
void sb_safetensors_close(struct sb_safetensors *st);

/* What these return lives until close. Tensors are in the order of their names (strcmp). */
size_t sb_safetensors_count(const struct sb_safetensors *st);
const struct sb_safetensor *sb_safetensors_at(const struct sb_safetensors *st, size_t i);           /* i < count */
const struct sb_safetensor *sb_safetensors_find(const struct sb_safetensors *st, const char *name); /* or NULL */
/* A string of `__metadata__`, or NULL. */
const char *sb_safetensors_metadata(const struct sb_safetensors *st, const char *key);

/*
 * Write tensors[n] in the given order; `n` of each tensor is computed from its shape, not read.
 * metadata: NULL, or key, value, key, value, .., NULL. The file appears under its name only when it is complete: it is
 * written beside it and renamed. Not synchronised to the disk.
 * Errors: SB_E_USAGE for a repeated name, "__metadata__", text that is not UTF-8 or a shape that makes no sense;
 * SB_E_DATA when the file cannot be written (nothing is left behind, an older file stays as it was); SB_E_NOMEM.
 */
enum sb_status sb_safetensors_write(const char *path, const struct sb_safetensor *tensors, size_t n,
        const char *const *metadata, struct sb_error *err);

#endif
