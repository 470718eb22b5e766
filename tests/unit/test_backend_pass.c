/* What a pass begins with, and a look at a device that hangs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "sb_backend.h"

/* One attention of so many queries and keys, in a pass of its own; what it counted. */
static int64_t attention_bytes(struct sb_backend *be, int64_t length)
{
	struct sb_error err = { .msg = "" };
	const struct sb_attention_strides strides = { length * 64, 64, 64 };
	float *data;
	void *at;

	if (sb_device_alloc(be, (size_t)(length * 64) * sizeof(float), &at, &err))
		fail_msg("%s", err.msg);
	data = at;
	if (SB_SUBMIT(be, FILL, fill, ((struct sb_fill_args){ data, length * 64, 0.5f }), &err) ||
	        sb_backend_begin_pass(be, 0, &err) ||
	        SB_SUBMIT(be, ATTENTION, attention,
	                ((struct sb_attention_args){ .q = data,
	                        .k = data,
	                        .v = data,
	                        .o = data,
	                        .qs = strides,
	                        .ks = strides,
	                        .vs = strides,
	                        .os = strides,
	                        .batch = 1,
	                        .heads = 1,
	                        .lq = length,
	                        .lk = length,
	                        .dim = 64,
	                        .scale = 0.125f }),
	                &err) ||
	        sb_backend_end_pass(be, &err))
		fail_msg("%s", err.msg);
	sb_device_free(be, at);
	return be->attention_bytes;
}

static void the_memory_of_attention_is_that_of_this_pass(void **state)
{
	struct sb_levels levels = { { 0 } };
	struct sb_error err = { .msg = "" };
	struct sb_backend *be;
	int64_t small;

	(void)state;
	assert_int_equal(sb_backend_open("cpu", 0, &be, &err), SB_OK);
	sb_backend_set_levels(be, &levels);
	assert_int_equal(sb_backend_begin_arm(be, &err), SB_OK);
	small = attention_bytes(be, 16);
	assert_true(small > 0);
	assert_true(attention_bytes(be, 256) > small);
	assert_true(attention_bytes(be, 16) == small);
	assert_int_equal(sb_backend_end_arm(be), 0);
	sb_backend_close(be);
}

static void work_is_counted_by_class_and_in_all(void **state)
{
	struct sb_levels levels = { { 0 } };
	struct sb_error err = { .msg = "" };
	double flop = 4.0 * 16 * 16 * 64;
	struct sb_backend *be;
	float data[8] = { 0 };

	(void)state;
	assert_int_equal(sb_backend_open("cpu", 0, &be, &err), SB_OK);
	sb_backend_set_levels(be, &levels);
	assert_int_equal(sb_backend_begin_arm(be, &err), SB_OK);
	be->counters = true;
	attention_bytes(be, 16);
	assert_true(be->attention_scores_bytes == 16 * 16 * 4);
	assert_true(be->class_flop[SB_COUNT_ATTENTION] == flop);
	assert_true(be->class_flop[SB_COUNT_ALL] == flop);
	/* an op of no class */
	if (SB_SUBMIT(be, SCALE, scale, ((struct sb_scale_args){ data, data, 8, 2.0f }), &err))
		fail_msg("%s", err.msg);
	assert_true(be->class_flop[SB_COUNT_ATTENTION] == flop);
	assert_true(be->class_flop[SB_COUNT_ALL] == flop + 8.0);
	attention_bytes(be, 4);
	assert_true(be->attention_scores_bytes == 4 * 4 * 4);
	assert_true(be->class_flop[SB_COUNT_ALL] == 4.0 * 4 * 4 * 64);
	assert_int_equal(sb_backend_end_arm(be), 0);
	sb_backend_close(be);
}

static int abandoned, syncs;

static void count_abandoned(struct sb_backend *be)
{
	(void)be;
	abandoned++;
}

static enum sb_status count_sync(struct sb_backend *be, struct sb_error *err)
{
	(void)err;
	assert_non_null(be->alloc);
	assert_int_equal(abandoned, 1); /* before what is on its way arrives */
	syncs++;
	return SB_OK;
}

static void the_end_of_an_arm_wants_nothing_that_is_on_its_way(void **state)
{
	struct sb_levels levels = { { 0 } };
	struct sb_error err = { .msg = "" };
	struct sb_backend_ops ops;
	struct sb_backend *be;

	(void)state;
	assert_int_equal(sb_backend_open("cpu", 0, &be, &err), SB_OK);
	ops = *be->ops;
	ops.abandon = count_abandoned;
	ops.sync = count_sync;
	be->ops = &ops;
	sb_backend_set_levels(be, &levels);
	assert_int_equal(sb_backend_begin_arm(be, &err), SB_OK);
	assert_int_equal(sb_backend_end_arm(be), 0);
	assert_int_equal(syncs, 1);
	sb_backend_close(be);
}

static void a_library_sees_no_setting_of_precision(void **state)
{
	struct sb_error err = { .msg = "" };
	struct sb_device_info info;
	struct sb_backend *be;

	(void)state;
	assert_int_equal(setenv("CUBLAS_EMULATION_STRATEGY", "eager", 1), 0);
	assert_int_equal(setenv("NVIDIA_TF32_OVERRIDE", "1", 1), 0);
	assert_string_equal(sb_backend_foreign_setting(0), "NVIDIA_TF32_OVERRIDE");
	assert_string_equal(sb_backend_foreign_setting(1), "CUBLAS_EMULATION_STRATEGY");
	assert_null(sb_backend_foreign_setting(2));
	if (sb_backend_open("cuda:0", 0, &be, &err))
		fail_msg("%s", err.msg);
	sb_backend_info(be, &info);
	assert_string_equal(info.software, "driver 0, CUDA 0");
	assert_null(sb_backend_foreign_setting(0));
	sb_backend_close(be);
}

static bool hanging;

/* In the child, before fork() returns: as a driver that never answers. It ends by itself if nobody ends it. */
static void hang(void)
{
	if (!hanging)
		return;
	sb_sleep_ns(INT64_C(8000000000));
	_exit(0);
}

static void a_device_that_hangs_is_left_after_the_time_given(void **state)
{
	struct sb_error err = { .msg = "" };
	struct sb_device_look look;
	int64_t start;

	(void)state;
	assert_int_equal(sb_backend_look("cpu", 20.0, &look, &err), SB_OK);
	hanging = true;
	start = sb_now_ns();
	assert_int_equal(sb_backend_look("cpu", 0.05, &look, &err), SB_E_DEVICE);
	hanging = false;
	assert_true(sb_now_ns() - start < INT64_C(6000000000));
	assert_string_equal(err.msg, "device 'cpu' could not be opened within 0.05 s; if its driver hangs, start the "
	                             "machine again");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_memory_of_attention_is_that_of_this_pass),
		cmocka_unit_test(work_is_counted_by_class_and_in_all),
		cmocka_unit_test(the_end_of_an_arm_wants_nothing_that_is_on_its_way),
		cmocka_unit_test(a_library_sees_no_setting_of_precision),
		cmocka_unit_test(a_device_that_hangs_is_left_after_the_time_given),
	};

	if (pthread_atfork(NULL, NULL, hang))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
