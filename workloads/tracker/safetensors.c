#define _DEFAULT_SOURCE /* madvise(): glibc ignores POSIX_MADV_DONTNEED */
#include "sb_safetensors.h"
#include "sb_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the values are mapped as they lie in the file: little-endian hosts only"
#endif

#define LENGTH_BYTES 8
#define HEADER_MAX   (INT64_C(100) << 20) /* the format's own limit */
#define METADATA     "__metadata__"

struct entry {
	struct sb_safetensor tensor;
	int64_t begin, end; /* of its bytes, from the end of the header */
};

struct sb_safetensors {
	json_t *header; /* owns the names and the metadata */
	struct entry *entries;
	size_t n;
	void *map; /* NULL when the bytes are the caller's */
	size_t map_size;
};

const char *const sb_dtype_names[SB_DTYPE_COUNT] = {
#define DTYPE_NAME(word, bytes) [SB_DTYPE_##word] = #word,
	SB_DTYPES(DTYPE_NAME)
#undef DTYPE_NAME
};

static const int dtype_bytes[SB_DTYPE_COUNT] = {
#define DTYPE_BYTES(word, bytes) [SB_DTYPE_##word] = bytes,
	SB_DTYPES(DTYPE_BYTES)
#undef DTYPE_BYTES
};

/* A name as it may be shown. */
struct shown {
	char s[160];
};

static struct shown show(const char *name)
{
	struct shown out;

	sb_escape(name, out.s, sizeof(out.s));
	return out;
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

/* tensor->shape, ndim and n; the product may not exceed `most` (and so never overflows). */
static enum sb_status read_shape(const json_t *shape, int64_t most, struct sb_safetensor *t, struct sb_error *err)
{
	size_t ndim = json_array_size(shape);

	if (!json_is_array(shape) || ndim > SB_TENSOR_DIMS_MAX)
		return sb_fail(err, SB_E_DATA, "tensor '%s' has no shape of at most %d sizes", show(t->name).s,
		        SB_TENSOR_DIMS_MAX);
	t->ndim = (int)ndim;
	t->n = 1;
	for (size_t d = 0; d < ndim; d++) {
		const json_t *size = json_array_get(shape, d);
		int64_t v = json_integer_value(size);

		if (!json_is_integer(size) || v < 0 || (v > 0 && t->n > most / v))
			return sb_fail(
			        err, SB_E_DATA, "tensor '%s' has a shape that its file cannot hold", show(t->name).s);
		t->shape[d] = v;
		t->n *= v;
	}
	return SB_OK;
}

static enum sb_status read_dtype(const json_t *info, struct sb_safetensor *t, struct sb_error *err)
{
	const char *word = json_string_value(json_object_get(info, "dtype"));

	if (!word)
		return sb_fail(err, SB_E_DATA, "tensor '%s' has no dtype", show(t->name).s);
	for (int d = 0; d < SB_DTYPE_COUNT; d++) {
		if (!strcmp(word, sb_dtype_names[d])) {
			t->dtype = (enum sb_dtype)d;
			return SB_OK;
		}
	}
	return sb_fail(err, SB_E_DATA, "tensor '%s' has dtype '%s', which is not known", show(t->name).s, show(word).s);
}

static enum sb_status read_entry(
        const char *name, const json_t *info, int64_t data_size, struct entry *e, struct sb_error *err)
{
	const json_t *offsets = json_object_get(info, "data_offsets");
	const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
	enum sb_status status;
	int64_t size;

	e->tensor.name = name;
	status = read_dtype(info, &e->tensor, err);
	if (status)
		return status;
	size = dtype_bytes[e->tensor.dtype];
	status = read_shape(json_object_get(info, "shape"), data_size / size, &e->tensor, err);
	if (status)
		return status;
	if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
		return sb_fail(err, SB_E_DATA, "tensor '%s' has no data_offsets", show(name).s);
	e->begin = json_integer_value(begin);
	e->end = json_integer_value(end);
	if (e->begin < 0 || e->end < e->begin || e->end > data_size)
		return sb_fail(err, SB_E_DATA, "tensor '%s' lies outside the file (%lld to %lld of %lld bytes)",
		        show(name).s, (long long)e->begin, (long long)e->end, (long long)data_size);
	if (e->end - e->begin != e->tensor.n * size)
		return sb_fail(err, SB_E_DATA, "tensor '%s' has %lld bytes for %lld values", show(name).s,
		        (long long)(e->end - e->begin), (long long)e->tensor.n);
	return SB_OK;
}

static int by_place(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	return (x->end > y->end) - (x->end < y->end); /* an empty tensor before the one that begins where it is */
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->tensor.name, ((const struct entry *)b)->tensor.name);
}

/* Every byte of the values belongs to exactly one tensor. Leaves the entries in the order of their names. */
static enum sb_status check_places(struct sb_safetensors *st, int64_t data_size, struct sb_error *err)
{
	int64_t at = 0;

	if (st->n)
		qsort(st->entries, st->n, sizeof(*st->entries), by_place);
	for (size_t i = 0; i < st->n; at = st->entries[i++].end)
		if (st->entries[i].begin != at)
			return sb_fail(err, SB_E_DATA, "tensor '%s' %s", show(st->entries[i].tensor.name).s,
			        st->entries[i].begin < at ? "overlaps another one" : "leaves a hole before it");
	if (at != data_size)
		return sb_fail(
		        err, SB_E_DATA, "%lld bytes at the end belong to no tensor", (long long)(data_size - at));
	if (st->n)
		qsort(st->entries, st->n, sizeof(*st->entries), by_name);
	return SB_OK;
}

static enum sb_status check_metadata(const json_t *metadata, struct sb_error *err)
{
	const char *key;
	json_t *value;

	if (metadata && !json_is_object(metadata))
		return sb_fail(err, SB_E_DATA, METADATA " is not an object");
	json_object_foreach((json_t *)metadata, key, value) if (!json_is_string(value)) return sb_fail(
	        err, SB_E_DATA, METADATA " '%s' is not a string", show(key).s);
	return SB_OK;
}

static enum sb_status read_entries(struct sb_safetensors *st, int64_t data_size, struct sb_error *err)
{
	enum sb_status status = check_metadata(json_object_get(st->header, METADATA), err);
	const char *name;
	json_t *info;

	if (status)
		return status;
	st->entries = calloc(json_object_size(st->header) + 1, sizeof(*st->entries));
	if (!st->entries)
		return sb_fail(err, SB_E_NOMEM, "no memory for %zu tensors", json_object_size(st->header));
	json_object_foreach(st->header, name, info)
	{
		if (!strcmp(name, METADATA))
			continue;
		status = read_entry(name, info, data_size, &st->entries[st->n++], err);
		if (status)
			return status;
	}
	return check_places(st, data_size, err);
}

/* Give every tensor its values. Old writers did not align the header, and a float must be aligned. */
static void place_values(struct sb_safetensors *st, const unsigned char *values)
{
	for (size_t i = 0; i < st->n; i++) {
		struct sb_safetensor *t = &st->entries[i].tensor;
		const unsigned char *p = values + st->entries[i].begin;

		t->index = i;
		if (!t->n)
			continue;
		t->bytes = p;
		if (t->dtype == SB_DTYPE_F32 && (uintptr_t)p % sizeof(float) == 0)
			t->data = (const float *)t->bytes;
	}
}

static enum sb_status parse_into(
        struct sb_safetensors *st, const unsigned char *bytes, size_t size, struct sb_error *err)
{
	uint64_t header_size = 0, failures;
	json_error_t why;
	size_t data_size;
	enum sb_status status;

	if (size < LENGTH_BYTES)
		return sb_fail(err, SB_E_DATA, "%zu bytes are too short for a safetensors file", size);
	for (int i = LENGTH_BYTES - 1; i >= 0; i--)
		header_size = header_size << 8 | bytes[i];
	if (header_size > HEADER_MAX || header_size > size - LENGTH_BYTES)
		return sb_fail(err, SB_E_DATA,
		        "not a safetensors file, or truncated: a header of %llu bytes in a file of %zu",
		        (unsigned long long)header_size, size);
	data_size = size - LENGTH_BYTES - (size_t)header_size;
	failures = sb_malloc_failures();
	json_set_alloc_funcs(sb_malloc_noted, free);
	st->header = json_loadb((const char *)bytes + LENGTH_BYTES, (size_t)header_size, JSON_REJECT_DUPLICATES, &why);
	if (sb_malloc_failures() != failures) /* jansson may have left something out */
		return sb_fail(err, SB_E_NOMEM, "no memory for the header");
	if (!st->header)
		return sb_fail(err, SB_E_DATA, "header is not JSON as it should be: %s", show(why.text).s);
	if (!json_is_object(st->header))
		return sb_fail(err, SB_E_DATA, "header is not a JSON object");
	status = read_entries(st, (int64_t)data_size, err);
	if (!status)
		place_values(st, bytes + LENGTH_BYTES + header_size);
	return status;
}

enum sb_status sb_safetensors_parse(const void *data, size_t size, struct sb_safetensors **out, struct sb_error *err)
{
	struct sb_safetensors *st = calloc(1, sizeof(*st));
	enum sb_status status;

	if (!st)
		return sb_fail(err, SB_E_NOMEM, "no memory");
	status = parse_into(st, data, size, err);
	if (status)
		sb_safetensors_close(st);
	else
		*out = st;
	return status;
}

/* *map is NULL for an empty file. */
static enum sb_status map_file(const char *path, void **map, size_t *size, struct sb_error *err)
{
	const char *why;
	int fd = sb_open_file(path, &why);
	struct stat st;
	enum sb_status status = SB_OK;

	if (fd < 0)
		return sb_fail(err, SB_E_USAGE, "cannot open '%s': %s", show(path).s, why);
	if (fstat(fd, &st)) {
		status = sb_fail(err, SB_E_DATA, "cannot look at '%s': %s", show(path).s, strerror(errno));
	} else if (st.st_size > 0) {
		void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

		if (p == MAP_FAILED) {
			status = sb_fail(err, SB_E_DATA, "cannot map '%s': %s", show(path).s, strerror(errno));
		} else {
			*map = p;
			*size = (size_t)st.st_size;
		}
	}
	close(fd);
	return status;
}

enum sb_status sb_safetensors_open(const char *path, struct sb_safetensors **out, struct sb_error *err)
{
	struct sb_safetensors *st = NULL;
	void *map = NULL;
	size_t size = 0;
	enum sb_status status = map_file(path, &map, &size, err);

	if (status)
		return status;
	status = sb_safetensors_parse(map ? map : "", size, &st, err);
	if (status) {
		if (map)
			munmap(map, size);
		return sb_wrap(err, "'%s'", show(path).s);
	}
	st->map = map;
	st->map_size = size;
	*out = st;
	return SB_OK;
}

void sb_safetensors_close(struct sb_safetensors *st)
{
	if (!st)
		return;
	json_decref(st->header);
	free(st->entries);
	if (st->map)
		munmap(st->map, st->map_size);
	free(st);
}

size_t sb_safetensors_count(const struct sb_safetensors *st)
{
	return st->n;
}

const struct sb_safetensor *sb_safetensors_at(const struct sb_safetensors *st, size_t i)
{
	return &st->entries[i].tensor;
}

const struct sb_safetensor *sb_safetensors_find(const struct sb_safetensors *st, const char *name)
{
	struct entry key = { .tensor.name = name };
	const struct entry *e = bsearch(&key, st->entries, st->n, sizeof(key), by_name);

	return e ? &e->tensor : NULL;
}

const char *sb_safetensors_metadata(const struct sb_safetensors *st, const char *key)
{
	return json_string_value(json_object_get(json_object_get(st->header, METADATA), key));
}

/* Below this many values starting threads costs more than it saves. */
#define PARALLEL_MIN 65536

static uint16_t load16(const unsigned char *bytes, int64_t i)
{
	uint16_t v;

	memcpy(&v, bytes + i * (int64_t)sizeof(v), sizeof(v));
	return v;
}

static float from_bits(uint32_t bits)
{
	float v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

/* Both formats' exponents aligned, the value is 2^112 too small, subnormals included; only infinities and NaN are not.
 */
static float from_f16(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = (uint32_t)(h & 0x7fff) << 13;
	float v = from_bits(sign | rest) * 0x1p112f;

	return (h & 0x7c00) == 0x7c00 ? from_bits(sign | 0x7f800000 | rest) : v;
}

static void widen_f16(const unsigned char *bytes, int64_t n, float *out)
{
#pragma omp parallel for schedule(static) if (n >= PARALLEL_MIN)
	for (int64_t i = 0; i < n; i++)
		out[i] = from_f16(load16(bytes, i));
}

static void widen_bf16(const unsigned char *bytes, int64_t n, float *out)
{
#pragma omp parallel for schedule(static) if (n >= PARALLEL_MIN)
	for (int64_t i = 0; i < n; i++)
		out[i] = from_bits((uint32_t)load16(bytes, i) << 16);
}

const float *sb_safetensors_values(const struct sb_safetensor *t, float *scratch)
{
	if (t->data)
		return t->data;
	switch (t->dtype) {
	case SB_DTYPE_F32:
		if (t->n)
			memcpy(scratch, t->bytes, (size_t)t->n * sizeof(float));
		return scratch;
	case SB_DTYPE_F16:
		widen_f16(t->bytes, t->n, scratch);
		return scratch;
	case SB_DTYPE_BF16:
		widen_bf16(t->bytes, t->n, scratch);
		return scratch;
	default:
		return NULL;
	}
}

/* For all pages that the tensor is on. Only advice: if the system does not take it, things are slower or larger. */
static void advise(const struct sb_safetensors *st, const struct sb_safetensor *t, int advice)
{
	const struct entry *e = &st->entries[t->index];
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)t->bytes, first = begin / page * page;

	if (st->map && t->n)
		madvise((void *)first, begin + (size_t)(e->end - e->begin) - first, advice);
}

void sb_safetensors_prefetch(const struct sb_safetensors *st, const struct sb_safetensor *t)
{
	advise(st, t, MADV_WILLNEED);
}

/* A neighbour on the first or last page loses that page too, and gets it back when it is read. */
void sb_safetensors_drop(const struct sb_safetensors *st, const struct sb_safetensor *t)
{
	advise(st, t, MADV_DONTNEED);
}

/* ---- writing ------------------------------------------------------------------------------------------------- */

/* The bytes of a tensor's values, from its shape. */
static enum sb_status tensor_bytes(const struct sb_safetensor *t, int64_t *bytes, struct sb_error *err)
{
	int64_t n = sizeof(float);

	if (t->ndim < 0 || t->ndim > SB_TENSOR_DIMS_MAX)
		return sb_fail(err, SB_E_USAGE, "tensor '%s' has %d dimensions", show(t->name).s, t->ndim);
	for (int d = 0; d < t->ndim; d++) {
		if (t->shape[d] < 0 || (t->shape[d] > 0 && n > (INT64_MAX >> 8) / t->shape[d]))
			return sb_fail(err, SB_E_USAGE, "tensor '%s' has a shape that makes no sense", show(t->name).s);
		n *= t->shape[d];
	}
	*bytes = n;
	return SB_OK;
}

static enum sb_status add_tensor(json_t *header, const struct sb_safetensor *t, int64_t *at, struct sb_error *err)
{
	json_t *shape = NULL, *info;
	int64_t bytes = 0;
	enum sb_status status = tensor_bytes(t, &bytes, err);

	if (status)
		return status;
	if (!strcmp(t->name, METADATA) || json_object_get(header, t->name))
		return sb_fail(err, SB_E_USAGE, "tensor name '%s' is taken", show(t->name).s);
	if (*at > INT64_MAX - bytes)
		return sb_fail(err, SB_E_USAGE, "the tensors are too large for one file");
	shape = json_array();
	for (int d = 0; d < t->ndim; d++)
		json_array_append_new(shape, json_integer(t->shape[d]));
	/* "o" takes `shape`, also when packing fails. */
	info = json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets", (json_int_t)*at,
	        (json_int_t)(*at + bytes));
	if (!info)
		return sb_fail(err, SB_E_NOMEM, "no memory for the header");
	if (json_object_set_new(header, t->name, info)) /* takes `info`, also when it fails */
		return sb_fail(err, SB_E_USAGE, "tensor name '%s' is not UTF-8", show(t->name).s);
	*at += bytes;
	return SB_OK;
}

static enum sb_status add_metadata(json_t *header, const char *const *metadata, struct sb_error *err)
{
	json_t *object;

	if (!metadata)
		return SB_OK;
	object = json_object();
	for (; object && metadata[0]; metadata += 2)
		if (json_object_set_new(object, metadata[0], json_string(metadata[1]))) {
			json_decref(object);
			return sb_fail(err, SB_E_USAGE, "metadata '%s' is not UTF-8", show(metadata[0]).s);
		}
	if (json_object_set_new(header, METADATA, object))
		return sb_fail(err, SB_E_NOMEM, "no memory for the header");
	return SB_OK;
}

/* Length and JSON, padded with spaces so that the values are aligned. */
static enum sb_status make_header(const struct sb_safetensor *tensors, size_t n, const char *const *metadata,
        struct sb_buf *out, struct sb_error *err)
{
	uint64_t failures = sb_malloc_failures();
	json_t *header;
	char *text = NULL;
	int64_t at = 0;
	enum sb_status status;

	json_set_alloc_funcs(sb_malloc_noted, free);
	header = json_object();
	status = header ? add_metadata(header, metadata, err) : sb_fail(err, SB_E_NOMEM, "no memory");

	for (size_t i = 0; !status && i < n; i++)
		status = add_tensor(header, &tensors[i], &at, err);
	if (!status) {
		text = json_dumps(header, JSON_COMPACT);
		if (text) {
			size_t size = (strlen(text) + 7) / 8 * 8;
			unsigned char length[LENGTH_BYTES];

			for (int i = 0; i < LENGTH_BYTES; i++)
				length[i] = (unsigned char)((uint64_t)size >> (8 * i));
			sb_buf_add(out, (const char *)length, sizeof(length));
			sb_buf_addf(out, "%-*s", (int)size, text);
		}
		if (!text || out->failed)
			status = sb_fail(err, SB_E_NOMEM, "no memory for the header");
	}
	if (sb_malloc_failures() != failures) /* jansson may have left something out, or taken text for no UTF-8 */
		status = sb_fail(err, SB_E_NOMEM, "no memory for the header");
	free(text);
	json_decref(header);
	return status;
}

/* False with errno set. */
static bool write_all(int fd, const void *data, int64_t size)
{
	const char *p = data;

	while (size > 0) {
		/* Linux writes at most 2 GiB a call; smaller pieces cost nothing. */
		ssize_t w = write(fd, p, (size_t)(size < (INT64_C(1) << 30) ? size : INT64_C(1) << 30));

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return false;
		p += w;
		size -= w;
	}
	return true;
}

struct sb_safetensors_writer {
	char *path;
	struct sb_buf temporary; /* its name until it is complete */
	int fd;
	int64_t size, left; /* bytes of values: all, still to come */
};

static enum sb_status cannot_write(const struct sb_safetensors_writer *w, struct sb_error *err)
{
	if (errno == ENOSPC || errno == EFBIG || errno == EDQUOT)
		return sb_fail(err, SB_E_DATA, "cannot write '%s': %s; it needs %.1f MB", show(w->path).s,
		        strerror(errno), (double)w->size / 1e6);
	return sb_fail(err, SB_E_DATA, "cannot write '%s': %s", show(w->path).s, strerror(errno));
}

static enum sb_status start_file(struct sb_safetensors_writer *w, const struct sb_buf *header, struct sb_error *err)
{
	char id[33];

	sb_random_id(id);
	sb_buf_addf(&w->temporary, "%s.%.8s.tmp", w->path, id);
	if (w->temporary.failed)
		return sb_fail(err, SB_E_NOMEM, "no memory for a file name");
	w->fd = open(w->temporary.s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (w->fd < 0) {
		w->temporary.len = 0; /* not ours to remove */
		return cannot_write(w, err);
	}
	return write_all(w->fd, header->s, (int64_t)header->len) ? SB_OK : cannot_write(w, err);
}

enum sb_status sb_safetensors_create(const char *path, const struct sb_safetensor *tensors, size_t n,
        const char *const *metadata, struct sb_safetensors_writer **out, struct sb_error *err)
{
	struct sb_safetensors_writer *w = calloc(1, sizeof(*w));
	struct sb_buf header = { 0 };
	enum sb_status status;

	if (!w)
		return sb_fail(err, SB_E_NOMEM, "no memory for a writer");
	w->fd = -1;
	w->path = sb_strdup(path);
	status = w->path ? make_header(tensors, n, metadata, &header, err)
	                 : sb_fail(err, SB_E_NOMEM, "no memory for a file name");
	for (size_t i = 0; !status && i < n; i++) {
		int64_t bytes = 0;

		status = tensor_bytes(&tensors[i], &bytes, err);
		w->size += bytes;
	}
	w->left = w->size;
	if (!status)
		status = start_file(w, &header, err);
	sb_buf_release(&header);
	if (status)
		sb_safetensors_abandon(w);
	else
		*out = w;
	return status;
}

enum sb_status sb_safetensors_append(
        struct sb_safetensors_writer *w, const float *values, int64_t n, struct sb_error *err)
{
	if (n < 0 || n > w->left / (int64_t)sizeof(float))
		SB_BUG("%lld values where %lld bytes are left", (long long)n, (long long)w->left);
	w->left -= n * (int64_t)sizeof(float);
	return write_all(w->fd, values, n * (int64_t)sizeof(float)) ? SB_OK : cannot_write(w, err);
}

enum sb_status sb_safetensors_finish(struct sb_safetensors_writer *w, struct sb_error *err)
{
	enum sb_status status = SB_OK;
	int fd = w->fd;

	if (w->left)
		SB_BUG("%lld bytes were not written", (long long)w->left);
	w->fd = -1;
	if (close(fd) || rename(w->temporary.s, w->path)) /* some file systems report a full disk only in close() */
		status = cannot_write(w, err);
	else
		w->temporary.len = 0; /* it has no other name any more */
	sb_safetensors_abandon(w);
	return status;
}

void sb_safetensors_abandon(struct sb_safetensors_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0)
		close(w->fd);
	if (w->temporary.len)
		unlink(w->temporary.s);
	sb_buf_release(&w->temporary);
	free(w->path);
	free(w);
}

enum sb_status sb_safetensors_write(const char *path, const struct sb_safetensor *tensors, size_t n,
        const char *const *metadata, struct sb_error *err)
{
	struct sb_safetensors_writer *w;
	enum sb_status status = sb_safetensors_create(path, tensors, n, metadata, &w, err);

	if (status)
		return status;
	for (size_t i = 0; i < n; i++) {
		int64_t bytes = 0;

		tensor_bytes(&tensors[i], &bytes, NULL); /* create() has seen it succeed */
		status = sb_safetensors_append(w, tensors[i].data, bytes / (int64_t)sizeof(float), err);
		if (status) {
			sb_safetensors_abandon(w);
			return status;
		}
	}
	return sb_safetensors_finish(w, err);
}
