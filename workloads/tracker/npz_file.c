#include "npz_file.h"
#include "sb_file.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#define LIMIT     INT64_C(0xffffffff) /* of sizes and positions in a zip archive without its 64-bit form */
#define VERSION   20                  /* of the format that a reader must know: the oldest that has folders */
#define DATE_1980 0x0021              /* 1 January 1980, as early as it goes: equal results are equal files */
#define NPY_ALIGN 64                  /* of the values in their member, by the NPY format */

/* Records of the archive. */
#define SIG_LOCAL   0x04034b50u
#define SIG_CENTRAL 0x02014b50u
#define SIG_END     0x06054b50u

struct member {
	char name[32]; /* with .npy */
	int64_t at;    /* of its local header */
	int64_t size;  /* of the member: NPY header and values */
	uint32_t crc;
};

struct sb_npz {
	struct sb_out_file file;
	const char *path; /* borrowed */
	struct member members[SB_NPZ_MEMBERS_MAX];
	int n;
	int64_t position, missing; /* end of the file; values that the last member still lacks */
};

/* ---- bytes --------------------------------------------------------------------------------------------------- */

struct bytes {
	unsigned char b[64];
	size_t n;
};

static void add(struct bytes *r, uint64_t v, int width)
{
	for (int i = 0; i < width; i++)
		r->b[r->n++] = (unsigned char)(v >> (8 * i));
}

/* Version, flags, method, time, date, checksum, sizes, length of the name, of extra fields: as in both headers. */
static void add_description(struct bytes *r, const struct member *m)
{
	add(r, VERSION, 2);
	add(r, 0, 2);
	add(r, 0, 2); /* stored */
	add(r, 0, 2);
	add(r, DATE_1980, 2);
	add(r, m->crc, 4);
	add(r, (uint64_t)m->size, 4);
	add(r, (uint64_t)m->size, 4);
	add(r, strlen(m->name), 2);
	add(r, 0, 2);
}

/* ---- writing ------------------------------------------------------------------------------------------------- */

void sb_npz_abandon(struct sb_npz *z)
{
	if (z)
		sb_out_file_abandon(&z->file);
	free(z);
}

static enum sb_status too_large(const struct sb_npz *z, struct sb_error *err)
{
	return sb_cannot_write(z->path, "an npz file of this kind holds less than 4 GiB; take fewer frames", err);
}

/* At the end of the file, as part of the archive. */
static enum sb_status put(struct sb_npz *z, const void *data, size_t n, struct sb_error *err)
{
	if (z->position > LIMIT - (int64_t)n)
		return too_large(z, err);
	z->position += (int64_t)n;
	return sb_out_file_write(&z->file, data, n, err);
}

/* At the end, as part of the last member. */
static enum sb_status put_in_member(struct sb_npz *z, const void *data, size_t n, struct sb_error *err)
{
	struct member *m = &z->members[z->n - 1];

	m->crc = (uint32_t)crc32_z(m->crc, data, n);
	return put(z, data, n, err);
}

enum sb_status sb_npz_create(const char *path, struct sb_npz **out, struct sb_error *err)
{
	struct sb_npz *z = calloc(1, sizeof(*z));

	if (!z)
		return sb_fail(err, SB_E_NOMEM, "no memory for an npz file");
	if (sb_out_file_open(&z->file, path, err)) {
		free(z);
		return err->code;
	}
	z->path = path;
	*out = z;
	return SB_OK;
}

static enum sb_status put_local_header(struct sb_npz *z, const struct member *m, struct sb_error *err)
{
	struct bytes r = { .n = 0 };

	add(&r, SIG_LOCAL, 4);
	add_description(&r, m);
	return put(z, r.b, r.n, err) ? err->code : put(z, m->name, strlen(m->name), err);
}

/* The checksum is known only now: the header is written a second time. */
static enum sb_status end_member(struct sb_npz *z, struct sb_error *err)
{
	struct bytes r = { .n = 0 };
	struct member *m;

	if (!z->n)
		return SB_OK;
	if (z->missing)
		SB_BUG("%lld values are missing", (long long)z->missing);
	m = &z->members[z->n - 1];
	add(&r, SIG_LOCAL, 4);
	add_description(&r, m);
	if (sb_out_file_seek(&z->file, m->at, err) || sb_out_file_write(&z->file, r.b, r.n, err))
		return err->code;
	return sb_out_file_seek(&z->file, z->position, err);
}

/* Magic, version 1.0, length of the text, the text: padded, so that the values begin at a multiple of 64. */
static enum sb_status npy_header(int ndim, const int64_t *shape, struct sb_buf *out, struct sb_error *err)
{
	struct bytes r = { .n = 0 };
	size_t length;

	sb_buf_add(out, "\x93NUMPY\x01\x00\x00\x00", 10);
	sb_buf_puts(out, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
	for (int i = 0; i < ndim; i++)
		sb_buf_addf(out, i ? " %lld," : "%lld,", (long long)shape[i]);
	if (ndim > 1 && !out->failed)
		out->len--; /* only a shape of one dimension ends in a comma */
	sb_buf_puts(out, "), }");
	while (!out->failed && (out->len + 1) % NPY_ALIGN)
		sb_buf_add(out, " ", 1);
	sb_buf_add(out, "\n", 1);
	if (out->failed)
		return sb_fail(err, SB_E_NOMEM, "no memory for a header");
	length = out->len - 10;
	add(&r, length, 2);
	memcpy(out->s + 8, r.b, 2);
	return SB_OK;
}

static struct member *next_member(struct sb_npz *z, const char *name)
{
	struct member *m = &z->members[z->n];

	if (z->n == SB_NPZ_MEMBERS_MAX || strlen(name) + sizeof(".npy") > sizeof(m->name))
		SB_BUG("no room for member '%s'", name);
	*m = (struct member){ .at = z->position };
	snprintf(m->name, sizeof(m->name), "%s.npy", name);
	for (int i = 0; i < z->n; i++)
		if (!strcmp(z->members[i].name, m->name))
			SB_BUG("member '%s' twice", name);
	return m;
}

enum sb_status sb_npz_begin(struct sb_npz *z, const char *name, int ndim, const int64_t *shape, struct sb_error *err)
{
	struct sb_buf header = { 0 };
	enum sb_status status = end_member(z, err);
	struct member *m;
	int64_t n = 1;

	if (status)
		return status;
	m = next_member(z, name);
	for (int i = 0; i < ndim; i++) {
		if (shape[i] && n > LIMIT / shape[i])
			return too_large(z, err);
		n *= shape[i];
	}
	status = npy_header(ndim, shape, &header, err);
	m->size = (int64_t)header.len + n * (int64_t)sizeof(float);
	if (!status && m->size > LIMIT)
		status = too_large(z, err);
	if (!status)
		status = put_local_header(z, m, err);
	if (!status) {
		z->n++;
		z->missing = n;
		status = put_in_member(z, header.s, header.len, err);
	}
	sb_buf_release(&header);
	return status;
}

/* The values go out as they lie in memory: hosts are little-endian, as for safetensors. */
enum sb_status sb_npz_append(struct sb_npz *z, const float *values, int64_t n, struct sb_error *err)
{
	if (!z->n || n > z->missing)
		SB_BUG("more values than the shape holds");
	z->missing -= n;
	return put_in_member(z, values, (size_t)n * sizeof(float), err);
}

/* ---- end ----------------------------------------------------------------------------------------------------- */

static enum sb_status put_central_header(struct sb_npz *z, const struct member *m, struct sb_error *err)
{
	struct bytes r = { .n = 0 };

	add(&r, SIG_CENTRAL, 4);
	add(&r, VERSION, 2); /* made by */
	add_description(&r, m);
	add(&r, 0, 2); /* comment */
	add(&r, 0, 2); /* disk */
	add(&r, 0, 2); /* attributes, internal and external */
	add(&r, 0, 4);
	add(&r, (uint64_t)m->at, 4);
	return put(z, r.b, r.n, err) ? err->code : put(z, m->name, strlen(m->name), err);
}

static enum sb_status put_end(struct sb_npz *z, int64_t directory, const char *comment, struct sb_error *err)
{
	size_t length = comment ? strlen(comment) : 0;
	struct bytes r = { .n = 0 };

	length = length > 0xffff ? 0xffff : length;
	add(&r, SIG_END, 4);
	add(&r, 0, 4); /* disks */
	add(&r, (uint64_t)z->n, 2);
	add(&r, (uint64_t)z->n, 2);
	add(&r, (uint64_t)(z->position - directory), 4);
	add(&r, (uint64_t)directory, 4);
	add(&r, length, 2);
	return put(z, r.b, r.n, err) ? err->code : put(z, comment ? comment : "", length, err);
}

static enum sb_status put_directory(struct sb_npz *z, const char *comment, struct sb_error *err)
{
	enum sb_status status = end_member(z, err);
	int64_t directory = z->position;

	for (int i = 0; !status && i < z->n; i++)
		status = put_central_header(z, &z->members[i], err);
	return status ? status : put_end(z, directory, comment, err);
}

enum sb_status sb_npz_finish(struct sb_npz *z, const char *comment, struct sb_error *err)
{
	enum sb_status status = put_directory(z, comment, err);

	if (!status)
		status = sb_out_file_finish(&z->file, err);
	sb_npz_abandon(z);
	return status;
}
