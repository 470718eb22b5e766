#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "sb_safetensors.h"

static char folder[64], file[128];

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/spabench-test-st-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(file, sizeof(file), "%s/t.safetensors", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(folder);
}

static int files_in_folder(void)
{
	DIR *d = opendir(folder);
	int n = 0;

	assert_non_null(d);
	for (const struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* header length, header, `values` floats 0, 1, 2, .. */
static struct sb_buf file_of(const char *header, size_t values)
{
	struct sb_buf b = { 0 };
	size_t n = strlen(header);

	for (int i = 0; i < 8; i++)
		sb_buf_add(&b, &(char){ (char)(n >> (8 * i)) }, 1);
	sb_buf_puts(&b, header);
	for (size_t i = 0; i < values; i++) {
		float v = (float)i;

		sb_buf_add(&b, (const char *)&v, sizeof(v));
	}
	return b;
}

/*
 * Parse a copy that ends where readable memory ends, so that one step beyond it is a fault, in the JSON library too,
 * which no sanitizer of ours sees into.
 */
static enum sb_status parse_copy(const struct sb_buf *b, size_t size, struct sb_error *err)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (size / page + 1) * page;
	struct sb_safetensors *st = NULL;
	int zero = open("/dev/zero", O_RDONLY);
	char *pages, *copy;
	enum sb_status status;

	assert_true(zero >= 0);
	pages = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
	assert_ptr_not_equal(pages, MAP_FAILED);
	close(zero);
	assert_int_equal(mprotect(pages + room, page, PROT_NONE), 0);
	copy = pages + room - size;
	if (size)
		memcpy(copy, b->s, size);
	status = sb_safetensors_parse(copy, size, &st, err);
	assert_true((status == SB_OK) == (st != NULL));
	sb_safetensors_close(st);
	munmap(pages, room + page);
	return status;
}

#define T(name, shape, begin, end) \
	"\"" name "\":{\"dtype\":\"F32\",\"shape\":[" shape "],\"data_offsets\":[" #begin "," #end "]}"

static void golden_file_of_the_reference_is_read(void **state)
{
	struct sb_safetensors *st = NULL;
	const struct sb_safetensor *t;
	double sum = 0.0;

	(void)state;
	assert_int_equal(sb_safetensors_open("data/front_tiny.safetensors", &st, NULL), SB_OK);
	assert_int_equal(sb_safetensors_count(st), 15);
	for (size_t i = 1; i < sb_safetensors_count(st); i++)
		assert_true(strcmp(sb_safetensors_at(st, i - 1)->name, sb_safetensors_at(st, i)->name) < 0);
	t = sb_safetensors_find(st, "pose_enc.3");
	assert_non_null(t);
	assert_int_equal(t->ndim, 3);
	assert_int_equal(t->shape[0], 1);
	assert_int_equal(t->shape[1], 2);
	assert_int_equal(t->shape[2], 9);
	assert_int_equal(t->n, 18);
	t = sb_safetensors_find(st, "depth");
	assert_non_null(t);
	assert_int_equal(t->n, 58016);
	for (int64_t i = 0; i < t->n; i++)
		sum += (double)t->data[i];
	/* a sample of the tensor; its metadata give the mean of all of it */
	assert_true(fabs(sum / (double)t->n - 0.23075816) < 2e-3);
	assert_string_equal(sb_safetensors_metadata(st, "depth"),
	        "shape=[1, 2, 392, 518, 1] stride=7 mean=0.23075816 absmax=0.922438085");
	assert_non_null(strstr(sb_safetensors_metadata(st, "config"), "\"vit_depth\": 2"));
	assert_null(sb_safetensors_metadata(st, "no such key"));
	assert_null(sb_safetensors_find(st, "no such tensor"));
	assert_null(sb_safetensors_find(st, "__metadata__"));
	sb_safetensors_close(st);
	sb_safetensors_close(NULL);
}

static void thinned_golden_file_of_the_tracker_is_read(void **state)
{
	struct sb_safetensors *st = NULL;
	const struct sb_safetensor *t;

	(void)state;
	assert_int_equal(sb_safetensors_open("data/track_small.safetensors", &st, NULL), SB_OK);
	t = sb_safetensors_find(st, "fnet.call0.out0");
	assert_non_null(t);
	assert_int_equal(t->n, (4 * 128 * 24 * 32 + 56) / 57);
	assert_non_null(strstr(sb_safetensors_metadata(st, "fnet.call0.out0"), "shape=[4, 128, 24, 32] stride=57 "));
	assert_int_equal(sb_safetensors_find(st, "in.queries")->n, 16 * 3);
	sb_safetensors_close(st);
}

static void what_is_written_is_read_back(void **state)
{
	static const float a[6] = { 0.0f, -1.5f, 1e-40f, 3.0f, 4.0f, 5.0f }, one = 7.0f;
	const struct sb_safetensor tensors[] = {
		{ .name = "z.weight", .ndim = 2, .shape = { 2, 3 }, .data = a },
		{ .name = "empty", .ndim = 2, .shape = { 0, 5 } },
		{ .name = "a \"scalar\" \xc3\xa9", .ndim = 0, .data = &one },
	};
	static const char *const metadata[] = { "made by", "a test", "note", "line\nbreak", NULL };
	struct sb_safetensors *st = NULL;
	const struct sb_safetensor *t;

	(void)state;
	for (int round = 0; round < 2; round++) { /* the second time over the first file */
		assert_int_equal(sb_safetensors_write(file, tensors, 3, metadata, NULL), SB_OK);
		assert_int_equal(files_in_folder(), 1);
	}
	assert_int_equal(sb_safetensors_open(file, &st, NULL), SB_OK);
	assert_int_equal(sb_safetensors_count(st), 3);
	t = sb_safetensors_find(st, "z.weight");
	assert_int_equal(t->n, 6);
	assert_memory_equal(t->data, a, sizeof(a));
	t = sb_safetensors_find(st, "empty");
	assert_int_equal(t->n, 0);
	assert_int_equal(t->shape[1], 5);
	t = sb_safetensors_find(st, tensors[2].name);
	assert_int_equal(t->ndim, 0);
	assert_true(t->n == 1 && t->data[0] == 7.0f);
	assert_string_equal(sb_safetensors_metadata(st, "note"), "line\nbreak");
	sb_safetensors_close(st);

	assert_int_equal(sb_safetensors_write(file, NULL, 0, NULL, NULL), SB_OK);
	assert_int_equal(sb_safetensors_open(file, &st, NULL), SB_OK);
	assert_int_equal(sb_safetensors_count(st), 0);
	assert_null(sb_safetensors_find(st, "x"));
	assert_null(sb_safetensors_metadata(st, "x"));
	sb_safetensors_close(st);
}

static void values_that_the_header_does_not_align_are_read_too(void **state)
{
	struct sb_safetensors *st = NULL;
	const struct sb_safetensor *t;
	const float *values;
	float scratch[4];
	int n_copied = 0;

	(void)state;
	for (int pad = 0; pad < 4; pad++) {
		char header[256];
		struct sb_buf b;

		snprintf(header, sizeof(header), "{%s}%*s", T("x", "2,2", 0, 16), pad, "");
		b = file_of(header, 4);
		assert_int_equal(sb_safetensors_parse(b.s, b.len, &st, NULL), SB_OK);
		t = sb_safetensors_find(st, "x");
		assert_true((t->data != NULL) == ((uintptr_t)t->bytes % sizeof(float) == 0));
		n_copied += t->data == NULL;
		values = sb_safetensors_values(t, scratch);
		assert_ptr_equal(values, t->data ? t->data : scratch);
		for (int i = 0; i < 4; i++)
			assert_true(values[i] == (float)i);
		sb_safetensors_close(st);
		sb_buf_release(&b);
	}
	assert_int_equal(n_copied, 3);
}

static void a_file_cut_anywhere_is_refused(void **state)
{
	struct sb_buf b = file_of("{\"__metadata__\":{\"k\":\"v\"}," T("a", "2", 0, 8) "," T("b", "1,1", 8, 12) "}", 3);

	(void)state;
	assert_int_equal(parse_copy(&b, b.len, NULL), SB_OK);
	for (size_t size = 0; size < b.len; size++)
		assert_int_equal(parse_copy(&b, size, NULL), SB_E_DATA);
	sb_buf_release(&b);
}

static void a_header_of_any_length_reads_nothing_outside_the_file(void **state)
{
	struct sb_buf b = file_of("{}", 0);

	(void)state;
	for (int byte = 0; byte < 8; byte++) {
		for (int bit = 0; bit < 8; bit++) {
			b.s[byte] = (char)(b.s[byte] ^ (1 << bit));
			assert_int_equal(parse_copy(&b, b.len, NULL), SB_E_DATA);
			b.s[byte] = (char)(b.s[byte] ^ (1 << bit));
		}
	}
	assert_int_equal(parse_copy(&b, b.len, NULL), SB_OK);
	sb_buf_release(&b);
}

/* The format's own limit, in a file (with holes) that is long enough for more. */
static void a_header_of_more_than_100_mib_is_refused_unread(void **state)
{
	static const char length[8] = { 1, 0, 0x40, 6 }; /* 100 MiB and a byte */
	struct sb_safetensors *st = NULL;
	struct sb_error err;
	char path[512];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/long.safetensors", folder);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(length, 1, sizeof(length), f), sizeof(length));
	assert_int_equal(fflush(f), 0);
	assert_int_equal(ftruncate(fileno(f), (off_t)200 << 20), 0);
	fclose(f);
	assert_int_equal(sb_safetensors_open(path, &st, &err), SB_E_DATA);
	assert_non_null(strstr(err.msg, "a header of 104857601 bytes"));
	remove(path);
}

static void headers_that_lie_are_refused_with_the_reason(void **state)
{
	static const struct {
		const char *header, *says; /* for a file of 4 values */
	} bad[] = {
		{ "{" T("a", "4", 0, 16) "," T("a", "4", 0, 16) "}", "duplicate" },
		{ "{" T("a", "4", 0, 20) "}", "outside the file" },
		{ "{" T("a", "1", 16, 20) "}", "outside the file" },
		{ "{" T("a", "4", -16, 0) "}", "outside the file" },
		{ "{" T("a", "4", 16, 0) "}", "outside the file" },
		{ "{" T("a", "3", 0, 16) "}", "16 bytes for 3 values" },
		{ "{" T("a", "2,1", 0, 16) "}", "16 bytes for 2 values" },
		{ "{" T("a", "2", 0, 8) "," T("b", "3", 4, 16) "}", "'b' overlaps" },
		{ "{" T("a", "4", 0, 16) "," T("b", "4", 0, 16) "}", "overlaps" },
		{ "{" T("a", "1", 0, 4) "," T("b", "2", 8, 16) "}", "'b' leaves a hole" },
		{ "{" T("a", "3", 0, 12) "}", "4 bytes at the end" },
		{ "{}", "16 bytes at the end" },
		{ "{" T("a", "4294967296,4294967296,4294967296,4294967296", 0, 16) "}", "cannot hold" },
		{ "{" T("a", "-2,-2", 0, 16) "}", "cannot hold" },
		{ "{" T("a", "4.0", 0, 16) "}", "cannot hold" },
		{ "{" T("a", "1,1,1,1,1,1,1,1,4", 0, 16) "}", "at most 8" },
		{ "{" T("a", "4", 0.0, 16) "}", "no data_offsets" },
		{ "{" T("a", "4", 0, 99999999999999999999) "}", "JSON" },
		{ "{\"a\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[0,16]}}", "16 bytes for 4 values" },
		{ "{\"a\":{\"dtype\":\"F4\",\"shape\":[32],\"data_offsets\":[0,16]}}",
		        "'a' has dtype 'F4', which is not known" },
		{ "{\"a\\u001b\":{\"dtype\":\"f32\\u001b\",\"shape\":[4],\"data_offsets\":[0,16]}}",
		        "'a\\x1b' has dtype 'f32\\x1b'" },
		{ "{\"a\":{\"shape\":[4],\"data_offsets\":[0,16]}}", "no dtype" },
		{ "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,16]}}", "no shape" },
		{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[4]}}", "no data_offsets" },
		{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,8,16]}}", "no data_offsets" },
		{ "{\"a\":7}", "no dtype" },
		{ "{\"__metadata__\":{\"k\":1}," T("a", "4", 0, 16) "}", "not a string" },
		{ "{\"__metadata__\":[]," T("a", "4", 0, 16) "}", "not an object" },
		{ "[]", "not a JSON object" },
		{ "{" T("a", "4", 0, 16) "}}", "not JSON" },
		{ "{\"a\\u0000\":7}", "not JSON" },
		{ "", "not JSON" },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
		struct sb_buf b = file_of(bad[i].header, 4);
		struct sb_error err;

		if (parse_copy(&b, b.len, &err) != SB_E_DATA || !strstr(err.msg, bad[i].says))
			fail_msg("%s: '%s'", bad[i].header, err.msg);
		sb_buf_release(&b);
	}
}

static void a_file_that_is_not_there_is_the_users_mistake(void **state)
{
	struct sb_safetensors *st = NULL;
	struct sb_error err;
	FILE *f;

	(void)state;
	assert_int_equal(sb_safetensors_open("/no/such/file", &st, &err), SB_E_USAGE);
	assert_string_equal(err.msg, "cannot open '/no/such/file': No such file or directory");
	assert_int_equal(sb_safetensors_open(folder, &st, &err), SB_E_USAGE);
	f = fopen(file, "wb");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(sb_safetensors_open(file, &st, &err), SB_E_DATA);
	assert_non_null(strstr(err.msg, "t.safetensors': 0 bytes are too short"));
	assert_null(st);
}

static void tensors_that_cannot_be_written_are_refused(void **state)
{
	static const float v[2] = { 1.0f, 2.0f };
	const struct sb_safetensor ok = { .name = "a", .ndim = 1, .shape = { 2 }, .data = v };
	const struct sb_safetensor twice[] = { ok, ok };
	struct sb_safetensor bad[] = { ok, ok, ok, ok };

	(void)state;
	unlink(file);
	bad[0].name = "__metadata__";
	bad[1].name = "\xff";
	bad[2].shape[0] = -2;
	bad[3].ndim = 9;
	for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++)
		assert_int_equal(sb_safetensors_write(file, &bad[i], 1, NULL, NULL), SB_E_USAGE);
	assert_int_equal(sb_safetensors_write(file, twice, 2, NULL, NULL), SB_E_USAGE);
	assert_int_equal(
	        sb_safetensors_write(file, &ok, 1, (const char *const[]){ "k", "\xff", NULL }, NULL), SB_E_USAGE);
	assert_int_equal(sb_safetensors_write("/no/such/folder/x", &ok, 1, NULL, NULL), SB_E_DATA);
	assert_int_equal(files_in_folder(), 0);
}

static void a_full_disk_leaves_the_older_file_and_nothing_else(void **state)
{
	static float values[4096];
	const struct sb_safetensor small = { .name = "old", .ndim = 1, .shape = { 2 }, .data = values };
	const struct sb_safetensor large = { .name = "new", .ndim = 1, .shape = { 4096 }, .data = values };
	struct sb_safetensors *st = NULL;
	struct rlimit before, limit;
	struct sb_error err;
	enum sb_status status;

	(void)state;
	assert_int_equal(sb_safetensors_write(file, &small, 1, NULL, NULL), SB_OK);
	/* a limit on the size of files fails a write() half-way, as a full disk does */
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 8000;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	status = sb_safetensors_write(file, &large, 1, NULL, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(status, SB_E_DATA);
	assert_non_null(strstr(err.msg, "cannot write '"));
	assert_int_equal(files_in_folder(), 1);
	assert_int_equal(sb_safetensors_open(file, &st, NULL), SB_OK);
	assert_non_null(sb_safetensors_find(st, "old"));
	sb_safetensors_close(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_file_of_the_reference_is_read),
		cmocka_unit_test(thinned_golden_file_of_the_tracker_is_read),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(values_that_the_header_does_not_align_are_read_too),
		cmocka_unit_test(a_file_cut_anywhere_is_refused),
		cmocka_unit_test(a_header_of_any_length_reads_nothing_outside_the_file),
		cmocka_unit_test(a_header_of_more_than_100_mib_is_refused_unread),
		cmocka_unit_test(headers_that_lie_are_refused_with_the_reason),
		cmocka_unit_test(a_file_that_is_not_there_is_the_users_mistake),
		cmocka_unit_test(tensors_that_cannot_be_written_are_refused),
		cmocka_unit_test(a_full_disk_leaves_the_older_file_and_nothing_else),
	};
	return cmocka_run_group_tests_name("safetensors", tests, set_up, tear_down);
}
