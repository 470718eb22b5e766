#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sb_queries.h"

static void a_grid_has_the_reference_s_margins(void **state)
{
	float q[9 * 3];

	(void)state;
	sb_query_grid(3, 294, 518, q); /* m = floor(518 / 64) = 8 */
	assert_true(q[0] == 0.0f && q[1] == 8.0f && q[2] == 8.0f);
	assert_true(q[3 + 1] == 8.0f + 0.5f * 502.0f && q[3 + 2] == 8.0f); /* x is fast */
	assert_true(q[24 + 1] == 510.0f && q[24 + 2] == 286.0f);
	sb_query_grid(1, 294, 518, q);
	assert_true(q[1] == 259.0f && q[2] == 147.0f);
}

static char *file_with_bytes(const char *text, size_t n)
{
	static char path[] = "/tmp/sb_queries_XXXXXX";
	FILE *f;
	int fd;

	strcpy(path + strlen(path) - 6, "XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	fclose(f);
	return path;
}

static char *file_with(const char *text)
{
	return file_with_bytes(text, strlen(text));
}

static void a_file_of_queries_is_read_in_its_order(void **state)
{
	char *path = file_with("# my points\n0, 10.5, 20\n\n 2,0,0\r\n1,99,49");
	struct sb_error err;
	float *q;
	int64_t n;

	(void)state;
	assert_int_equal(sb_queries_read(path, 3, 50, 100, &q, &n, &err), SB_OK);
	unlink(path);
	assert_int_equal(n, 3);
	assert_true(q[1] == 10.5f && q[3] == 2.0f && q[7] == 99.0f);
	free(q);
}

static void a_mark_before_the_text_is_passed_over(void **state)
{
	char *path = file_with("\xef\xbb\xbf 1,2,3\r\n");
	struct sb_error err;
	float *q;
	int64_t n;

	(void)state;
	assert_int_equal(sb_queries_read(path, 3, 50, 100, &q, &n, &err), SB_OK);
	unlink(path);
	assert_int_equal(n, 1);
	assert_true(q[0] == 1.0f && q[1] == 2.0f && q[2] == 3.0f);
	free(q);
}

static void what_stands_behind_a_nul_is_not_lost_in_silence(void **state)
{
	static const char text[] = "0,1,2\n0,3,4\0,5,6";
	struct sb_error err;
	float *q = NULL;
	int64_t n;

	(void)state;
	for (size_t bytes = 12; bytes < sizeof(text); bytes++) { /* the NUL last, or something behind it */
		char *path = file_with_bytes(text, bytes);

		assert_int_equal(sb_queries_read(path, 3, 50, 100, &q, &n, &err), SB_E_DATA);
		assert_non_null(strstr(err.msg, "line 2 has a NUL byte"));
		unlink(path);
	}
	assert_null(q);
}

static void bad_lines_are_named(void **state)
{
	static const struct {
		const char *text, *part;
	} bad[] = {
		{ "0,1,2\n0,1\n", "line 2 is not" },
		{ "0;1;2\n", "line 1 is not" },
		{ "0,1,2 3\n", "line 1 is not" },
		{ "0,1,2\n\xef\xbb\xbf 0,1,2\n", "line 2 is not" },
		{ "0,nan,2\n", "line 1 is not 't,x,y' with three decimal numbers" },
		{ "0,0x10,2\n", "line 1 is not" },
		{ "0,1,2\n0x0,1,2\n", "line 2 is not" },
		{ "0,1,0X1p3\n", "line 1 is not" },
		{ "0,inf,2\n", "line 1 is not" },
		{ "0,1,infinity\n", "line 1 is not" },
		{ "0,1,nan(3)\n", "line 1 is not" },
		{ "0,1e,2\n", "line 1 is not" },
		{ "0,1-2,2\n", "line 1 is not" },
		{ "0,1e999,2\n", "line 1 is not" },
		{ "3,1,2\n", "frame 3 is none of 0 to 2" },
		{ "-1,1,2\n", "frame -1" },
		{ "0.5,1,2\n", "frame 0.5" },
		{ "0,100,2\n", "outside the frame of 100x50" },
		{ "0,1,-0.1\n", "outside" },
		{ "", "has no query" },
		{ "# nothing\n", "has no query" },
	};
	struct sb_error err;
	float *q = NULL;
	int64_t n = 77;
	char huge[600];

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
		char *path = file_with(bad[i].text);

		assert_int_equal(sb_queries_read(path, 3, 50, 100, &q, &n, &err), SB_E_DATA);
		unlink(path);
		if (!strstr(err.msg, bad[i].part))
			fail_msg("'%s' gave '%s'", bad[i].text, err.msg);
	}
	memset(huge, '1', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	char *path = file_with(huge);
	assert_int_equal(sb_queries_read(path, 3, 50, 100, &q, &n, &err), SB_E_DATA);
	assert_non_null(strstr(err.msg, "line 1 is too long"));
	unlink(path);
	assert_int_equal(sb_queries_read("/nonexistent/q.txt", 3, 50, 100, &q, &n, &err), SB_E_USAGE);
	assert_null(q);
	assert_int_equal(n, 77);
}

static void numbers_are_decimal_with_or_without_exponent(void **state)
{
	char *path = file_with("+0,.5,2.\n0e0, 1.25E+1 ,3e1\n");
	struct sb_error err = { .msg = "" };
	float *q;
	int64_t n;

	(void)state;
	assert_int_equal(sb_queries_read(path, 3, 50, 100, &q, &n, &err), SB_OK);
	unlink(path);
	assert_int_equal(n, 2);
	assert_true(q[1] == 0.5f && q[2] == 2.0f && q[4] == 12.5f && q[5] == 30.0f);
	free(q);
}

static void what_is_no_file_is_refused_and_not_waited_for(void **state)
{
	char *path = file_with("");
	struct sb_error err = { .msg = "" };
	float *q = NULL;
	int64_t n;

	(void)state;
	assert_int_equal(sb_queries_read("/tmp", 3, 50, 100, &q, &n, &err), SB_E_USAGE);
	assert_non_null(strstr(err.msg, "it is a folder, not a file"));
	assert_int_equal(sb_queries_read("/dev/zero", 3, 50, 100, &q, &n, &err), SB_E_USAGE);
	assert_non_null(strstr(err.msg, "it is a device, not a file"));
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	alarm(20);
	assert_int_equal(sb_queries_read(path, 3, 50, 100, &q, &n, &err), SB_E_USAGE);
	alarm(0);
	assert_non_null(strstr(err.msg, "it is a pipe, not a file"));
	unlink(path);
	assert_null(q);
}

static void a_file_has_its_limits(void **state)
{
	enum { LINE = 6 };
	char *text = malloc((size_t)(SB_QUERIES_MAX + 1) * LINE + 1), *path;
	struct sb_error err = { .msg = "" };
	float *q = NULL;
	int64_t n = 0;

	(void)state;
	assert_non_null(text);
	for (int i = 0; i <= SB_QUERIES_MAX; i++)
		memcpy(text + (size_t)i * LINE, "0,1,2\n", LINE);
	path = file_with_bytes(text, (size_t)SB_QUERIES_MAX * LINE);
	assert_int_equal(sb_queries_read(path, 3, 50, 100, &q, &n, &err), SB_OK);
	unlink(path);
	assert_int_equal(n, SB_QUERIES_MAX);
	free(q);
	q = NULL;
	path = file_with_bytes(text, (size_t)(SB_QUERIES_MAX + 1) * LINE);
	free(text);
	assert_int_equal(sb_queries_read(path, 3, 50, 100, &q, &n, &err), SB_E_DATA);
	unlink(path);
	assert_non_null(strstr(err.msg, "line 1000001: more than 1000000 points; give fewer"));
	path = file_with("0,1,2\n");
	assert_int_equal(truncate(path, SB_QUERIES_BYTES_MAX + 1), 0);
	assert_int_equal(sb_queries_read(path, 3, 50, 100, &q, &n, &err), SB_E_DATA);
	unlink(path);
	assert_non_null(strstr(err.msg, "has 67108865 bytes; at most 67108864 (64 MiB) are read"));
	assert_null(q);
}

static void order_is_by_frame_and_stable(void **state)
{
	float q[7 * 3] = { 0 };
	const float t[7] = { 2, 0, 1, 0, 2, 1, 0 };
	const int32_t want[7] = { 1, 3, 6, 2, 5, 0, 4 };
	int32_t order[7];
	struct sb_error err;

	(void)state;
	for (int i = 0; i < 7; i++)
		q[i * 3] = t[i];
	assert_int_equal(sb_queries_order(q, 7, order, &err), SB_OK);
	assert_memory_equal(order, want, sizeof(want));
}

static void validity_is_trilinear_with_clamped_borders(void **state)
{
	const float valid[8] = { 0, 1, 0, 1, 1, 1, 1, 1 };
	struct sb_valid_map m = { valid, 2, 2, 2 };

	(void)state;
	assert_true(sb_valid_at(&m, 0, 0.25f, 0.5f) == 0.25f);
	assert_true(sb_valid_at(&m, 0.5f, 0, 0) == 0.5f);
	assert_true(sb_valid_at(&m, -3, 9, -9) == 1.0f);
	assert_true(sb_valid_at(&m, 9, -9, 0) == 1.0f);
	assert_true(sb_valid_at(&m, 0.5f, 1, 1) == sb_valid_at(&m, 0.5f, 1.0000001f, 1));
}

static void dropped_queries_become_copies_of_kept_ones_at_the_end(void **state)
{
	float valid[4] = { 1, 1, 0, 0 }; /* one frame of 4 x 1: left half is good */
	struct sb_valid_map m = { valid, 1, 1, 4 };
	float q[5 * 3] = { 0, 3, 0, 0, 0, 0, 0, 2, 0, 0, 1, 0, 0, 1.5f, 0 }; /* 1.5 is exactly half: dropped */
	int32_t source[5];
	uint64_t random = 3;
	float scratch[15];

	(void)state;
	assert_int_equal(sb_queries_replace(&m, q, 5, &random, source, scratch), 3);
	assert_int_equal(source[0], 1);
	assert_int_equal(source[1], 3);
	for (int i = 0; i < 5; i++) {
		assert_true(source[i] == 1 || source[i] == 3);
		assert_true(q[i * 3 + 1] == (source[i] == 1 ? 0.0f : 1.0f));
	}
	valid[0] = valid[1] = 0.0f;
	assert_int_equal(sb_queries_replace(&m, q, 5, &random, source, scratch), -1);
	assert_int_equal(source[4], 4);
}

static void support_points_are_valid_seeded_and_mostly_on_the_last_frame_or_at_random(void **state)
{
	enum { T = 6, H = 60, W = 80, N = 2000 };
	float *valid = calloc(T * H * W, sizeof(*valid)), *a = malloc(N * 3 * sizeof(*a)),
	      *b = malloc(N * 3 * sizeof(*b));
	struct sb_valid_map m = { valid, T, H, W };
	uint64_t s1 = 5, s2 = 5, s3 = 6;
	struct sb_support_scratch *scratch = malloc(sizeof(*scratch));
	int last = 0;

	(void)state;
	assert_non_null(valid);
	assert_non_null(scratch);
	for (int t = 0; t < T; t++)
		for (int y = 0; y < H; y++)
			for (int x = 0; x < W / 2; x++)
				valid[(t * H + y) * W + x] = 1.0f;
	sb_support_points(&m, N, &s1, scratch, a);
	sb_support_points(&m, N, &s2, scratch, b);
	assert_memory_equal(a, b, N * 3 * sizeof(*a));
	for (int i = 0; i < N; i++) {
		assert_true(sb_valid_at(&m, a[i * 3], a[i * 3 + 1], a[i * 3 + 2]) > 0.5f);
		assert_true(a[i * 3 + 1] == nearbyintf(a[i * 3 + 1]));
		last += a[i * 3] == T - 1;
	}
	/* a third is on the last frame, and a sixth of the other two thirds: 44 % */
	assert_in_range(last, N * 38 / 100, N * 51 / 100);
	sb_support_points(&m, N, &s3, scratch, b);
	assert_memory_not_equal(a, b, N * 3 * sizeof(*a));
	memset(valid, 0, T * H * W * sizeof(*valid)); /* nothing valid: all are taken */
	sb_support_points(&m, 10, &s1, scratch, a);
	free(scratch);
	free(valid);
	free(a);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_grid_has_the_reference_s_margins),
		cmocka_unit_test(a_file_of_queries_is_read_in_its_order),
		cmocka_unit_test(a_mark_before_the_text_is_passed_over),
		cmocka_unit_test(what_stands_behind_a_nul_is_not_lost_in_silence),
		cmocka_unit_test(bad_lines_are_named),
		cmocka_unit_test(numbers_are_decimal_with_or_without_exponent),
		cmocka_unit_test(what_is_no_file_is_refused_and_not_waited_for),
		cmocka_unit_test(a_file_has_its_limits),
		cmocka_unit_test(order_is_by_frame_and_stable),
		cmocka_unit_test(validity_is_trilinear_with_clamped_borders),
		cmocka_unit_test(dropped_queries_become_copies_of_kept_ones_at_the_end),
		cmocka_unit_test(support_points_are_valid_seeded_and_mostly_on_the_last_frame_or_at_random),
	};
	return cmocka_run_group_tests_name("queries", tests, NULL, NULL);
}
