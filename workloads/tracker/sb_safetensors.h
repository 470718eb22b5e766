/*
 * safetensors: named tensors in one file, as released checkpoints and our golden outputs come. Uses base.
 * Format: 8 bytes header length (little-endian), a JSON object name -> {dtype, shape, data_offsets}, then the values.
 */
#ifndef SB_SAFETENSORS_H
#define SB_SAFETENSORS_H

#include "sb_base.h"

#define SB_TENSOR_DIMS_MAX 8

/* X(word in the file, bytes of a value). The values of the first three can be read as float32. */
#define SB_DTYPES(X)  \
	X(F32, 4)     \
	X(F16, 2)     \
	X(BF16, 2)    \
	X(F64, 8)     \
	X(I64, 8)     \
	X(I32, 4)     \
	X(I16, 2)     \
	X(I8, 1)      \
	X(U64, 8)     \
	X(U32, 4)     \
	X(U16, 2)     \
	X(U8, 1)      \
	X(BOOL, 1)    \
	X(F8_E4M3, 1) \
	X(F8_E5M2, 1) \
	X(F8_E8M0, 1) \
	X(C64, 8)

enum sb_dtype {
#define SB_DTYPE_ENUM(word, bytes) SB_DTYPE_##word,
	SB_DTYPES(SB_DTYPE_ENUM)
#undef SB_DTYPE_ENUM
	        SB_DTYPE_COUNT,
};
extern const char *const sb_dtype_names[SB_DTYPE_COUNT];

struct sb_safetensor {
	const char *name;
	enum sb_dtype dtype;
	int ndim; /* 0: a scalar, n = 1 */
	int64_t shape[SB_TENSOR_DIMS_MAX];
	int64_t n;         /* product of the shape */
	const float *data; /* n values, row-major, where the file has them as aligned F32; else NULL */
	const void *bytes; /* the values as in the file, at any address; NULL when n is 0 */
	size_t index;      /* its number for sb_safetensors_at() */
};

struct sb_safetensors;

/*
 * Map the file and check all of it that is not tensor values: nothing is read outside the file whatever it says, names
 * are unique, every tensor has exactly its bytes, and together they fill the file without overlap or hole.
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
 * The tensor's values as float32: t->data, else F32, F16 or BF16 brought into scratch [n] (exactly; NaN stays NaN).
 * NULL for any other dtype.
 */
const float *sb_safetensors_values(const struct sb_safetensor *t, float *scratch);
/* Have the tensor's values read from the disk at once: page by page, as they are touched, takes several times as long.
 */
void sb_safetensors_prefetch(const struct sb_safetensors *st, const struct sb_safetensor *t);
/*
 * Let go of the memory that holds the tensor's mapped values; the next use reads them from the file again. So a file
 * that is read tensor by tensor is never in memory as a whole.
 */
void sb_safetensors_drop(const struct sb_safetensors *st, const struct sb_safetensor *t);

/*
 * Write tensors[n] in the given order, as F32; only name, shape and data are read.
 * metadata: NULL, or key, value, key, value, .., NULL. The file appears under its name only when it is complete: it is
 * written beside it and renamed. Not synchronised to the disk.
 * Errors: SB_E_USAGE for a repeated name, "__metadata__", text that is not UTF-8 or a shape that makes no sense;
 * SB_E_DATA when the file cannot be written (nothing is left behind, an older file stays as it was); SB_E_NOMEM.
 */
enum sb_status sb_safetensors_write(const char *path, const struct sb_safetensor *tensors, size_t n,
        const char *const *metadata, struct sb_error *err);

/*
 * The same piece by piece, for files larger than memory: create with the shapes alone (data is not read), append the
 * values in the order of `tensors`, in pieces of any length, then finish. Either finish() or abandon() ends the writer;
 * after both, and after a failure of create(), nothing is left beside the file.
 * Errors of append() and finish(): SB_E_DATA when the file cannot be written. Too many or too few values: a bug.
 */
struct sb_safetensors_writer;
enum sb_status sb_safetensors_create(const char *path, const struct sb_safetensor *tensors, size_t n,
        const char *const *metadata, struct sb_safetensors_writer **out, struct sb_error *err);
enum sb_status sb_safetensors_append(
        struct sb_safetensors_writer *w, const float *values, int64_t n, struct sb_error *err);
enum sb_status sb_safetensors_finish(struct sb_safetensors_writer *w, struct sb_error *err); /* takes w, always */
void sb_safetensors_abandon(struct sb_safetensors_writer *w);                                /* accepts NULL */

#endif
