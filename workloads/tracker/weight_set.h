/*
 * weight_set: the prepared weights of one network in one piece of device memory, and how its parts are found by name.
 * Both networks are built on it. Pointers handed out are device memory and live until the set is released.
 */
#ifndef SB_WEIGHT_SET_H
#define SB_WEIGHT_SET_H

#include "layer_stream.h"
#include "sb_backend.h"
#include "sb_weights.h"

struct sb_linear_weight {
	const float *w, *b; /* [out, in], [out] */
	int64_t in, out;
};

struct sb_norm_weight {
	const float *w, *b; /* [dim] */
};

struct sb_conv_weight {
	const float *w, *b; /* [cout, k, k, cin] or, transposed, [k, k, cout, cin]; b NULL when there is none */
	int64_t cin, cout;
	int k;
};

struct sb_weight_entry {
	char name[SB_TENSOR_NAME_MAX];
	int64_t shape[4];
	int ndim;
	enum sb_weight_use use;
	size_t offset; /* in the segment; a streamed one's is in slot 0 */
	int layer;     /* of `stream`; -1: resident */
};

/* Zero it, set `be`, then: add and reserve; load; find. */
struct sb_weight_set {
	struct sb_backend *be;
	struct sb_weight_entry *entries; /* sorted by name after load */
	size_t n, cap, bytes;
	bool failed; /* out of host memory while adding */
	void *segment;
	struct sb_layer_stream *stream; /* borrowed; NULL: everything is resident */
};

/* Room for a tensor of the network. */
void sb_weight_set_add(
        struct sb_weight_set *s, enum sb_weight_use use, const char *name, const int64_t *shape, int ndim);
/* The same in layer `layer` of the stream, behind what is in it. */
void sb_weight_set_add_streamed(
        struct sb_weight_set *s, enum sb_weight_use use, const char *name, const int64_t *shape, int ndim, int layer);
/* Bytes that a tensor takes. */
size_t sb_weight_set_size(const struct sb_weight_set *s, enum sb_weight_use use, const int64_t *shape, int ndim);
/* Room for a table of our own; returns its offset. */
size_t sb_weight_set_reserve(struct sb_weight_set *s, size_t bytes);
/* Take the device memory and prepare every tensor from `weights`. Errors: SB_E_NOMEM, and the source's. */
enum sb_status sb_weight_set_load(struct sb_weight_set *s, const struct sb_weights *weights, struct sb_error *err);
/* Fill a reserved table from the host. */
enum sb_status sb_weight_set_table(
        struct sb_weight_set *s, size_t offset, const float *host, int64_t n, struct sb_error *err);
void sb_weight_set_release(struct sb_weight_set *s);

/* Finding; `prefix` + `name` is the tensor's name (without .weight/.bias where both are meant). A wrong name is a bug.
 */
const float *sb_weight_set_at(const struct sb_weight_set *s, size_t offset);
const float *sb_weight_set_tensor(const struct sb_weight_set *s, const char *prefix, const char *name);
struct sb_norm_weight sb_weight_set_norm(const struct sb_weight_set *s, const char *prefix, const char *name);
struct sb_linear_weight sb_weight_set_linear(const struct sb_weight_set *s, const char *prefix, const char *name);
struct sb_conv_weight sb_weight_set_conv(const struct sb_weight_set *s, const char *prefix, const char *name);

#endif
