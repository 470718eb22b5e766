/* npz_reader: an .npz file taken apart and checked by its own records, for tests. Nothing of the writer is used. */
#ifndef NPZ_READER_H
#define NPZ_READER_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

struct npz_array {
	char name[32];
	int ndim;
	int64_t shape[8], n;
	float *values;
};

struct npz {
	unsigned char *bytes;
	size_t size;
	struct npz_array arrays[32];
	int n;
	char comment[1024];
};

static uint32_t npz_le(const unsigned char *p, int width)
{
	uint32_t v = 0;

	for (int i = 0; i < width; i++)
		v |= (uint32_t)p[i] << (8 * i);
	return v;
}

/* "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }" */
static void npz_read_npy(struct npz_array *a, const unsigned char *p, size_t size)
{
	size_t length = npz_le(p + 8, 2);
	char text[512], *s;

	assert_memory_equal(p, "\x93NUMPY\x01\x00", 8);
	assert_int_equal((10 + length) % 64, 0);
	assert_true(length < sizeof(text));
	memcpy(text, p + 10, length);
	text[length] = '\0';
	assert_int_equal(text[length - 1], '\n');
	assert_non_null(strstr(text, "'descr': '<f4'"));
	assert_non_null(strstr(text, "'fortran_order': False"));
	s = strstr(text, "'shape': (");
	assert_non_null(s);
	s += strlen("'shape': (");
	a->n = 1;
	for (a->ndim = 0; *s != ')'; a->ndim++) {
		assert_true(a->ndim < 8);
		a->shape[a->ndim] = strtoll(s, &s, 10);
		a->n *= a->shape[a->ndim];
		if (a->ndim == 0)
			assert_int_equal(*s, ','); /* (5,) is a shape, (5) a number */
		s += *s == ',';
		s += *s == ' ';
	}
	assert_true(!strncmp(s, "), }", 4));
	assert_int_equal(10 + length + (size_t)a->n * sizeof(float), size);
	a->values = malloc((size_t)a->n * sizeof(float) + 1);
	assert_non_null(a->values);
	memcpy(a->values, p + 10 + length, (size_t)a->n * sizeof(float));
}

static void npz_read_member(struct npz *z, const unsigned char *central)
{
	struct npz_array *a = &z->arrays[z->n++];
	size_t name = npz_le(central + 28, 2), size = npz_le(central + 24, 4), at = npz_le(central + 42, 4);
	const unsigned char *local = z->bytes + at, *data;

	assert_true(z->n <= 32 && name > 4 && name < sizeof(a->name));
	assert_int_equal(npz_le(local, 4), 0x04034b50);
	assert_memory_equal(local + 4, central + 6, 26); /* version .. length of the name, and no extra field */
	assert_memory_equal(local + 30, central + 46, name);
	assert_int_equal(npz_le(local + 8, 2), 0); /* stored */
	assert_int_equal(npz_le(local + 18, 4), size);
	assert_int_equal(npz_le(local + 28, 2), 0);
	data = local + 30 + name;
	assert_true(data + size <= central);
	assert_int_equal(crc32(0, data, (uInt)size), npz_le(local + 14, 4));
	assert_memory_equal(central + 46 + name - 4, ".npy", 4);
	memcpy(a->name, central + 46, name - 4);
	a->name[name - 4] = '\0';
	npz_read_npy(a, data, size);
}

static void npz_read(const char *path, struct npz *z)
{
	const unsigned char *end, *p;
	FILE *f = fopen(path, "rb");
	int n;

	memset(z, 0, sizeof(*z));
	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	z->size = (size_t)ftell(f);
	rewind(f);
	z->bytes = malloc(z->size);
	assert_non_null(z->bytes);
	assert_int_equal(fread(z->bytes, 1, z->size, f), z->size);
	fclose(f);
	for (end = z->bytes + z->size - 22; npz_le(end, 4) != 0x06054b50; end--)
		assert_true(end > z->bytes);
	assert_int_equal((size_t)(end - z->bytes) + 22 + npz_le(end + 20, 2), z->size);
	memcpy(z->comment, end + 22, npz_le(end + 20, 2) < 1023 ? npz_le(end + 20, 2) : 1023);
	n = (int)npz_le(end + 10, 2);
	assert_int_equal(npz_le(end + 8, 2), n);
	p = z->bytes + npz_le(end + 16, 4);
	assert_ptr_equal(p + npz_le(end + 12, 4), end);
	for (int i = 0; i < n; i++) {
		assert_int_equal(npz_le(p, 4), 0x02014b50);
		npz_read_member(z, p);
		p += 46 + npz_le(p + 28, 2) + npz_le(p + 30, 2) + npz_le(p + 32, 2);
	}
	assert_ptr_equal(p, end);
}

static const struct npz_array *npz_find(const struct npz *z, const char *name)
{
	for (int i = 0; i < z->n; i++)
		if (!strcmp(z->arrays[i].name, name))
			return &z->arrays[i];
	fail_msg("no member '%s'", name);
	return NULL;
}

static void npz_release(struct npz *z)
{
	for (int i = 0; i < z->n; i++)
		free(z->arrays[i].values);
	free(z->bytes);
}

#endif
