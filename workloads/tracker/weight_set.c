#include "weight_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN 256 /* bytes; what every device's vector loads are content with */

static size_t count(const int64_t *shape, int ndim)
{
	size_t n = 1;

	for (int i = 0; i < ndim; i++)
		n *= (size_t)shape[i];
	return n;
}

static size_t aligned(size_t bytes)
{
	return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

size_t sb_weight_set_reserve(struct sb_weight_set *s, size_t bytes)
{
	size_t at = s->bytes;

	s->bytes += aligned(bytes);
	return at;
}

size_t sb_weight_set_size(const struct sb_weight_set *s, enum sb_weight_use use, const int64_t *shape, int ndim)
{
	return aligned(s->be->ops->weight_bytes(s->be, use, shape, ndim));
}

/* NULL: no memory for it. */
static struct sb_weight_entry *add_entry(
        struct sb_weight_set *s, enum sb_weight_use use, const char *name, const int64_t *shape, int ndim)
{
	struct sb_weight_entry *e;

	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 256;
		struct sb_weight_entry *more = realloc(s->entries, cap * sizeof(*more));

		if (!more) {
			s->failed = true;
			return NULL;
		}
		s->entries = more;
		s->cap = cap;
	}
	e = &s->entries[s->n++];
	*e = (struct sb_weight_entry){ .ndim = ndim, .use = use, .layer = -1 };
	snprintf(e->name, sizeof(e->name), "%s", name);
	memcpy(e->shape, shape, (size_t)ndim * sizeof(*shape));
	return e;
}

void sb_weight_set_add(
        struct sb_weight_set *s, enum sb_weight_use use, const char *name, const int64_t *shape, int ndim)
{
	struct sb_weight_entry *e = add_entry(s, use, name, shape, ndim);

	if (e)
		e->offset = sb_weight_set_reserve(s, sb_weight_set_size(s, use, shape, ndim));
}

void sb_weight_set_add_streamed(
        struct sb_weight_set *s, enum sb_weight_use use, const char *name, const int64_t *shape, int ndim, int layer)
{
	struct sb_weight_entry *e = add_entry(s, use, name, shape, ndim);

	if (!e)
		return;
	e->layer = layer;
	e->offset = s->stream->layers[layer].placed;
	s->stream->layers[layer].placed += sb_weight_set_size(s, use, shape, ndim);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct sb_weight_entry *)a)->name, ((const struct sb_weight_entry *)b)->name);
}

/* One tensor's values: made on the device where it can and a rule says how, else brought there. */
static enum sb_status fill_entry(struct sb_weight_set *s, const struct sb_weight_entry *e,
        const struct sb_weights *weights, float *scratch, struct sb_error *err)
{
	const struct sb_backend_ops *ops = s->be->ops;
	void *dst = (char *)s->segment + e->offset;
	struct sb_value_rule rule;
	const float *values;
	enum sb_status status;

	if (ops->weight_make && sb_weights_rule(weights, e->name, e->shape, e->ndim, &rule)) {
		status = ops->weight_make(s->be, e->use, e->shape, e->ndim, &rule, dst, err);
	} else {
		if (sb_weights_get(weights, e->name, e->shape, e->ndim, scratch, &values, err))
			return err->code;
		status = ops->weight_prepare(s->be, e->use, e->shape, e->ndim, values, dst, err);
		sb_weights_drop(weights, e->name);
	}
	return status ? sb_wrap(err, "weight '%s'", e->name) : SB_OK;
}

/* Tensors of a layer follow each other, for they have its name in front. */
static enum sb_status fill(
        struct sb_weight_set *s, const struct sb_weights *weights, float *scratch, struct sb_error *err)
{
	int layer = -1;

	for (size_t i = 0; i < s->n; i++) {
		const struct sb_weight_entry *e = &s->entries[i];

		if (layer >= 0 && e->layer != layer && sb_stream_store(s->stream, layer, err))
			return err->code;
		layer = e->layer;
		if (fill_entry(s, e, weights, scratch, err))
			return err->code;
	}
	return layer >= 0 ? sb_stream_store(s->stream, layer, err) : SB_OK;
}

/* The slots lie behind what is resident. Layers are prepared in slot 0, one by one, and kept by the host. */
static size_t place_slots(struct sb_weight_set *s)
{
	size_t slots = s->stream ? sb_weight_set_reserve(s, sb_stream_slots_bytes(s->stream)) : 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->entries[i].layer >= 0)
			s->entries[i].offset += slots;
	return slots;
}

enum sb_status sb_weight_set_load(struct sb_weight_set *s, const struct sb_weights *weights, struct sb_error *err)
{
	size_t largest = 0, slots;
	enum sb_status status;
	uintptr_t segment;
	float *scratch;

	if (s->failed)
		return sb_fail(err, SB_E_NOMEM, "no memory for the table of tensors");
	if (s->n) /* a workload without weights has no table */
		qsort(s->entries, s->n, sizeof(*s->entries), by_name);
	slots = place_slots(s);
	if (sb_pages_segment_alloc(s->be->pages, (int64_t)s->bytes, &segment, err))
		return sb_wrap(err, "weights of %zu bytes", s->bytes);
	s->segment = (void *)segment;
	if (s->stream)
		s->stream->slots = (char *)s->segment + slots;
	for (size_t i = 0; i < s->n; i++) {
		size_t n = count(s->entries[i].shape, s->entries[i].ndim);

		largest = n > largest ? n : largest;
	}
	scratch = malloc(largest * sizeof(float));
	if (!scratch)
		return sb_fail(err, SB_E_NOMEM, "no memory for a tensor of %zu values", largest);
	status = fill(s, weights, scratch, err);
	free(scratch);
	return status;
}

enum sb_status sb_weight_set_table(
        struct sb_weight_set *s, size_t offset, const float *host, int64_t n, struct sb_error *err)
{
	return s->be->ops->weight_prepare(s->be, SB_WEIGHT_PLAIN, &n, 1, host, (char *)s->segment + offset, err);
}

void sb_weight_set_release(struct sb_weight_set *s)
{
	if (s->segment) /* what the device says of earlier work has no meaning here */
		(void)sb_pages_segment_free(s->be->pages, (uintptr_t)s->segment, (int64_t)s->bytes, NULL);
	free(s->entries);
	*s = (struct sb_weight_set){ .be = NULL };
}

/* ---- finding ------------------------------------------------------------------------------------------------- */

/* a + b; every name of the tables fits. */
static void join(char out[SB_TENSOR_NAME_MAX], const char *a, const char *b)
{
	if (snprintf(out, SB_TENSOR_NAME_MAX, "%s%s", a, b) >= SB_TENSOR_NAME_MAX)
		SB_BUG("tensor name '%s%s' is too long", a, b);
}

static const struct sb_weight_entry *find(const struct sb_weight_set *s, const char *name)
{
	struct sb_weight_entry key;

	join(key.name, name, "");
	return bsearch(&key, s->entries, s->n, sizeof(key), by_name);
}

static const struct sb_weight_entry *need(const struct sb_weight_set *s, const char *prefix, const char *name)
{
	char full[SB_TENSOR_NAME_MAX];
	const struct sb_weight_entry *e;

	join(full, prefix, name);
	e = find(s, full);
	if (!e)
		SB_BUG("no tensor '%s' in the table", full);
	return e;
}

const float *sb_weight_set_at(const struct sb_weight_set *s, size_t offset)
{
	return (const float *)((const char *)s->segment + offset);
}

const float *sb_weight_set_tensor(const struct sb_weight_set *s, const char *prefix, const char *name)
{
	return sb_weight_set_at(s, need(s, prefix, name)->offset);
}

struct sb_norm_weight sb_weight_set_norm(const struct sb_weight_set *s, const char *prefix, const char *name)
{
	char base[SB_TENSOR_NAME_MAX];

	join(base, prefix, name);
	return (struct sb_norm_weight){ sb_weight_set_tensor(s, base, ".weight"),
		sb_weight_set_tensor(s, base, ".bias") };
}

struct sb_linear_weight sb_weight_set_linear(const struct sb_weight_set *s, const char *prefix, const char *name)
{
	char base[SB_TENSOR_NAME_MAX];
	const struct sb_weight_entry *w;

	join(base, prefix, name);
	w = need(s, base, ".weight");
	return (struct sb_linear_weight){ sb_weight_set_at(s, w->offset), sb_weight_set_tensor(s, base, ".bias"),
		w->shape[1], w->shape[0] };
}

struct sb_conv_weight sb_weight_set_conv(const struct sb_weight_set *s, const char *prefix, const char *name)
{
	char base[SB_TENSOR_NAME_MAX], full[SB_TENSOR_NAME_MAX];
	const struct sb_weight_entry *w, *b;
	bool transposed;

	join(base, prefix, name);
	w = need(s, base, ".weight");
	transposed = w->use == SB_WEIGHT_CONV_TRANSPOSE;
	join(full, base, ".bias");
	b = find(s, full);
	return (struct sb_conv_weight){ sb_weight_set_at(s, w->offset), b ? sb_weight_set_at(s, b->offset) : NULL,
		w->shape[transposed ? 0 : 1], w->shape[transposed ? 1 : 0], (int)w->shape[2] };
}
