/*
 * Rows of `micro`: a wrong kernel is found and has no time, what does not fit or fails is a row, and times are what the
 * device's clock says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sb_micro.h"

/* ---- a CPU device that can be made to misbehave ---------------------------------------------------------------- */

static const struct sb_backend_ops *real;
static struct sb_backend_ops ops;

static struct {
	void (*after)(struct sb_backend *be, const struct sb_op *op); /* what it does to a finished op */
	bool secretly_tf32;
	int fail_at;    /* the n-th linear fails; 0: none */
	bool lose;      /* and the device is lost */
	bool clock;     /* time is made up: */
	int64_t now_ns; /* it goes on by ops */
	bool cold;      /* the last op was a fill */
	bool uneven;    /* no two passes take the same time */
	int pass;
	float off; /* what is added to one output */
	int64_t marks[SB_MARKS_MAX];
} fake;

static bool is_product(const struct sb_op *op)
{
	return op->id == SB_OP_LINEAR || op->id == SB_OP_CONV || op->id == SB_OP_CONV_TRANSPOSE ||
	       op->id == SB_OP_ATTENTION;
}

static void go_on(const struct sb_op *op)
{
	if (op->id == SB_OP_FILL)
		fake.now_ns += 5000;
	else if (is_product(op))
		fake.now_ns += fake.cold ? 3000 : 1000;
	if (fake.uneven && op->id != SB_OP_FILL)
		fake.now_ns += 1000 + fake.pass * 37 % 101;
	fake.cold = op->id == SB_OP_FILL;
}

static enum sb_status submit(struct sb_backend *be, const struct sb_op *op, struct sb_error *err)
{
	struct sb_levels levels = be->levels;
	enum sb_status status;

	if (op->id == SB_OP_LINEAR && fake.fail_at && --fake.fail_at == 0) {
		be->lost = fake.lose;
		return sb_fail(err, SB_E_DEVICE, "made to fail");
	}
	if (fake.secretly_tf32)
		be->levels.part[SB_PART_PRECISION_GEMM] = be->levels.part[SB_PART_PRECISION_CONV] =
		        be->levels.part[SB_PART_PRECISION_ATTENTION] = SB_PRECISION_TF32;
	status = real->submit(be, op, err);
	be->levels = levels;
	if (!status && fake.after && is_product(op))
		fake.after(be, op);
	go_on(op);
	return status;
}

static void mark(struct sb_backend *be, int index)
{
	fake.marks[index] = fake.now_ns;
	fake.pass += index == 0;
	if (!fake.clock)
		real->mark(be, index);
}

static int64_t mark_ns(struct sb_backend *be, int index)
{
	return fake.clock ? fake.marks[index] : real->mark_ns(be, index);
}

static struct sb_backend *open_fake(int64_t limit)
{
	struct sb_error err = { .msg = "" };
	struct sb_backend *be;

	memset(&fake, 0, sizeof(fake));
	if (sb_backend_open("cpu", limit, &be, &err))
		fail_msg("%s", err.msg);
	real = be->ops;
	ops = *real;
	ops.submit = submit;
	ops.mark = mark;
	ops.mark_ns = mark_ns;
	be->ops = &ops;
	return be;
}

static void close_fake(struct sb_backend *be)
{
	be->ops = real;
	sb_backend_close(be);
}

static struct sb_micro_options options(enum sb_micro_op op, const char *shape)
{
	struct sb_micro_options o = { .op = op,
		.shape = shape,
		.precision = SB_PRECISION_FP32,
		.attention = -1,
		.budget_s = 2.0,
		.flush_bytes = 1 << 16,
		.product = 32,
		.copy_bytes = 1 << 16,
		.seed = 1 };

	assert_int_equal(sb_micro_case_find("tiny", NULL, &o.c, NULL), SB_OK);
	return o;
}

static struct sb_micro_result run(struct sb_backend *be, const struct sb_micro_options *o)
{
	struct sb_error err = { .msg = "" };
	struct sb_micro_result r;

	if (sb_micro_run(be, o, &r, &err))
		fail_msg("%s", err.msg);
	return r;
}

/* ---- right and wrong ------------------------------------------------------------------------------------------- */

static const struct {
	enum sb_micro_op op;
	const char *shape;
} kinds[] = {
	{ SB_MICRO_GEMM, "front.block.qkv" },
	{ SB_MICRO_GEMM, "front.block.fc" }, /* GELU; scale and residual in place */
	{ SB_MICRO_GEMM, "track.corr.fc2" }, /* columns of something wider */
	{ SB_MICRO_CONV, "front.depth.refine4" },
	{ SB_MICRO_CONV, "front.depth.resize" },
	{ SB_MICRO_CONV, "track.fnet.layer4" },
	{ SB_MICRO_ATTENTION, "front.camera" },
	{ SB_MICRO_ATTENTION, "track.switcher2virtual" },
};

static void assert_outcomes(void (*after)(struct sb_backend *, const struct sb_op *), enum sb_micro_outcome outcome)
{
	for (size_t i = 0; i < SB_ARRAY_LEN(kinds); i++) {
		struct sb_micro_options o = options(kinds[i].op, kinds[i].shape);
		struct sb_backend *be = open_fake(0);
		struct sb_micro_result r;

		fake.after = after;
		o.precision = -1;
		r = run(be, &o);
		assert_true(r.n > 0);
		for (size_t k = 0; k < r.n; k++) {
			const struct sb_micro_row *row = &r.rows[k];

			if (row->outcome != outcome)
				fail_msg("%s %s: %s, error %g, limit %g", row->shape.name, row->tf32 ? "tf32" : "fp32",
				        sb_micro_outcome_names[row->outcome], row->error, row->limit);
			for (int cache = 0; cache < SB_MICRO_CACHES; cache++)
				assert_true((row->times[cache].n > 0) == (outcome == SB_MICRO_OK));
			assert_true((row->detail[0] != '\0') == (outcome != SB_MICRO_OK));
		}
		sb_micro_result_release(&r);
		close_fake(be);
	}
}

static void right_kernels_pass_and_are_timed(void **state)
{
	(void)state;
	assert_outcomes(NULL, SB_MICRO_OK);
}

static float *output(const struct sb_op *op, int64_t *n)
{
	const struct sb_attention_args *a = &op->u.attention;
	const struct sb_conv_args *c = &op->u.conv;
	const struct sb_conv_transpose_args *t = &op->u.conv_transpose;

	switch (op->id) {
	case SB_OP_LINEAR:
		*n = op->u.linear.out; /* of the first row */
		return op->u.linear.y;
	case SB_OP_CONV:
		*n = c->n * ((c->h + 2 * c->pad - c->kh) / c->stride + 1) *
		     ((c->width + 2 * c->pad - c->kw) / c->stride + 1) * c->cout;
		return c->y;
	case SB_OP_CONV_TRANSPOSE:
		*n = t->n * t->h * t->width * t->k * t->k * t->cout;
		return t->y;
	default:
		*n = a->batch * a->heads * a->lq * a->dim;
		return a->o;
	}
}

/* One output off by a fiftieth of what is usual: the first, which is always looked at. */
static void one_output_is_off(struct sb_backend *be, const struct sb_op *op)
{
	int64_t n;
	float *y = output(op, &n);

	(void)be;
	y[0] += 0.02f;
}

static void a_wrong_output_is_found_and_has_no_time(void **state)
{
	(void)state;
	assert_outcomes(one_output_is_off, SB_MICRO_WRONG);
}

/* As if a tile of a fiftieth of the outputs had been forgotten. */
static void a_tile_is_not_written(struct sb_backend *be, const struct sb_op *op)
{
	int64_t n;
	float *y = output(op, &n);

	(void)be;
	for (int64_t i = n / 2; i < n / 2 + n / 50 + 1; i++)
		y[i] = NAN;
}

static void a_tile_that_was_forgotten_is_found(void **state)
{
	struct sb_micro_options o = options(SB_MICRO_CONV, "front.depth.refine1");
	struct sb_backend *be = open_fake(0);
	struct sb_micro_result r;

	(void)state;
	fake.after = a_tile_is_not_written;
	r = run(be, &o);
	for (size_t k = 0; k < r.n; k++)
		assert_int_equal(r.rows[k].outcome, SB_MICRO_WRONG);
	sb_micro_result_release(&r);
	close_fake(be);
}

static void one_output_is_a_little_off(struct sb_backend *be, const struct sb_op *op)
{
	int64_t n;

	(void)be;
	output(op, &n)[0] += fake.off;
}

/* So little that the mean error of all outputs stays within the limit. */
static void one_bad_output_among_many_is_found(void **state)
{
	struct sb_micro_options o = options(SB_MICRO_GEMM, "front.block.qkv");
	struct sb_backend *be = open_fake(0);
	struct sb_micro_result r;
	double limit;

	(void)state;
	o.budget_s = 20.0; /* a machine that is busy has to get to the row, too */
	r = run(be, &o);
	limit = r.rows[0].limit;
	assert_int_equal(r.rows[0].outcome, SB_MICRO_OK);
	assert_true(14.0 * limit / sqrt((double)r.rows[0].checked) < 0.5 * limit);
	sb_micro_result_release(&r);
	fake.after = one_output_is_a_little_off;
	fake.off = (float)(14.0 * limit);
	r = run(be, &o);
	assert_int_equal(r.rows[0].outcome, SB_MICRO_WRONG);
	sb_micro_result_release(&r);
	close_fake(be);
}

static void tf32_in_place_of_fp32_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(kinds); i++) {
		struct sb_micro_options o = options(kinds[i].op, kinds[i].shape);
		struct sb_backend *be = open_fake(0);
		struct sb_micro_result r;

		fake.secretly_tf32 = true;
		r = run(be, &o);
		for (size_t k = 0; k < r.n; k++) {
			assert_int_equal(r.rows[k].outcome, SB_MICRO_WRONG);
			assert_true(r.rows[k].error > 1e-5 && r.rows[k].limit < 1e-5);
		}
		sb_micro_result_release(&r);
		close_fake(be);
	}
}

/* ---- what fails ------------------------------------------------------------------------------------------------ */

static void what_does_not_fit_is_a_row_and_the_rest_goes_on(void **state)
{
	struct sb_micro_options o = options(SB_MICRO_ATTENTION, "front.global");
	struct sb_backend *be = open_fake(24 << 20); /* two score matrices are 16.7 MiB, and there is a pool of 4 MB */
	struct sb_micro_result r;

	(void)state;
	r = run(be, &o);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.rows[0].outcome, SB_MICRO_OOM);
	assert_non_null(strstr(r.rows[0].detail, "asked for"));
	assert_int_equal(r.rows[1].outcome, SB_MICRO_OK);
	assert_true(r.rows[1].times[SB_MICRO_WARM].n > 0);
	sb_micro_result_release(&r);
	close_fake(be);
}

static void progress_fails_next(void *self, int done, int all, const struct sb_micro_row *row)
{
	(void)self;
	(void)all;
	(void)row;
	if (done == 1)
		fake.fail_at = 2;
}

static void a_failure_is_a_row_and_the_rest_goes_on(void **state)
{
	struct sb_micro_options o = options(SB_MICRO_GEMM, "track.head");
	struct sb_backend *be = open_fake(0);
	struct sb_micro_result r;

	(void)state;
	o.progress = progress_fails_next;
	r = run(be, &o);
	assert_int_equal(r.n, 3);
	assert_int_equal(r.rows[0].outcome, SB_MICRO_OK);
	assert_int_equal(r.rows[1].outcome, SB_MICRO_FAILED);
	assert_non_null(strstr(r.rows[1].detail, "made to fail"));
	assert_int_equal(r.rows[1].times[SB_MICRO_WARM].n, 0);
	assert_int_equal(r.rows[2].outcome, SB_MICRO_OK);
	sb_micro_result_release(&r);
	close_fake(be);
}

static void after_the_device_is_lost_nothing_is_tried(void **state)
{
	struct sb_micro_options o = options(SB_MICRO_GEMM, "track.head");
	struct sb_backend *be = open_fake(0);
	struct sb_micro_result r;

	(void)state;
	o.progress = progress_fails_next;
	fake.lose = true;
	r = run(be, &o);
	assert_int_equal(r.rows[1].outcome, SB_MICRO_FAILED);
	assert_int_equal(r.rows[2].outcome, SB_MICRO_SKIPPED);
	assert_false(r.cut_short);
	sb_micro_result_release(&r);
	close_fake(be);
}

static bool always(void *self)
{
	(void)self;
	return true;
}

static void an_interrupt_keeps_what_there_is(void **state)
{
	struct sb_micro_options o = options(SB_MICRO_GEMM, "track.head");
	struct sb_backend *be = open_fake(0);
	struct sb_micro_result r;

	(void)state;
	o.interrupted = always;
	r = run(be, &o);
	assert_true(r.cut_short);
	for (size_t i = 0; i < r.n; i++)
		assert_int_equal(r.rows[i].outcome, SB_MICRO_SKIPPED);
	sb_micro_result_release(&r);
	close_fake(be);
}

/* ---- time ------------------------------------------------------------------------------------------------------ */

static void times_are_the_devices(void **state)
{
	struct sb_micro_options o = options(SB_MICRO_GEMM, "track.head.pro");
	struct sb_backend *be = open_fake(0);
	struct sb_micro_result r;

	(void)state;
	fake.clock = true;
	o.budget_s = 0.0;
	r = run(be, &o);
	for (int cache = 0; cache < SB_MICRO_CACHES; cache++) {
		const struct sb_micro_times *t = &r.rows[0].times[cache];
		double ns = cache == SB_MICRO_COLD ? 3000.0 : 1000.0;

		assert_int_equal(t->n, SB_MICRO_SAMPLES_MAX);
		assert_true(t->launches > 1); /* one alone is too short for a clock */
		assert_true(t->median == ns && t->lo == ns && t->hi == ns);
		assert_true(t->coverage >= 0.95 && t->coverage < 1.0);
	}
	assert_true(r.flush_ns == 5000.0 && r.empty_ns == 0.0);
	sb_micro_result_release(&r);
	close_fake(be);
}

static double least(const struct sb_micro_times *t)
{
	double ns = INFINITY;

	for (int i = 0; i < t->n; i++)
		ns = t->ns[i] < ns ? t->ns[i] : ns;
	return ns;
}

/* The interval's ends leave out as many samples on either side; a ceiling is the best of them. */
static void what_is_said_of_uneven_times(void **state)
{
	struct sb_micro_options o = options(SB_MICRO_GEMM, "track.head.pro");
	struct sb_backend *be = open_fake(0);
	const struct sb_micro_ceilings *c;
	const struct sb_micro_row *product;
	const struct sb_micro_times *t;
	struct sb_micro_result r;
	int below = 0, above = 0;

	(void)state;
	fake.clock = fake.uneven = true;
	o.budget_s = 0.0;
	r = run(be, &o);
	t = &r.rows[0].times[SB_MICRO_WARM];
	assert_int_equal(t->n, SB_MICRO_SAMPLES_MAX);
	for (int i = 0; i < t->n; i++) {
		below += t->ns[i] < t->lo;
		above += t->ns[i] > t->hi;
	}
	assert_int_equal(below, 5); /* the 6th of 20 from either end: 95.9 % */
	assert_int_equal(above, 5);
	c = &r.ceilings;
	product = &c->product[0];
	assert_true(least(&c->copy) < c->copy.median);
	assert_true(c->bytes_per_s.v == c->copy_bytes / least(&c->copy) * 1e9);
	assert_true(c->flop_per_s[0].v == product->flop / least(&product->times[SB_MICRO_WARM]) * 1e9);
	sb_micro_result_release(&r);
	close_fake(be);
}

/* A fiftieth of the budget: 2 ms here, in which no 20 samples of half a millisecond fit. */
static void a_ceiling_takes_a_small_part_of_the_budget(void **state)
{
	struct sb_micro_options o = options(SB_MICRO_GEMM, "track.head.pro");
	struct sb_backend *be = open_fake(0);
	struct sb_micro_result r;

	(void)state;
	fake.clock = fake.uneven = true;
	o.budget_s = 0.1;
	r = run(be, &o);
	assert_in_range(r.ceilings.copy.n, 1, SB_MICRO_SAMPLES_MAX - 1);
	sb_micro_result_release(&r);
	close_fake(be);
}

static void no_time_is_said(void **state)
{
	struct sb_micro_options o = options(SB_MICRO_GEMM, "track.head");
	struct sb_backend *be = open_fake(0);
	struct sb_micro_result r;

	(void)state;
	o.budget_s = 1e-6;
	r = run(be, &o);
	for (size_t i = 0; i < r.n; i++)
		assert_int_equal(r.rows[i].outcome, SB_MICRO_NO_TIME);
	sb_micro_result_release(&r);
	close_fake(be);
}

static void a_name_that_is_in_no_shape_is_a_mistake(void **state)
{
	struct sb_micro_options o = options(SB_MICRO_GEMM, "no such");
	struct sb_backend *be = open_fake(0);
	struct sb_error err = { .msg = "" };
	struct sb_micro_result r;

	(void)state;
	assert_int_equal(sb_micro_run(be, &o, &r, &err), SB_E_USAGE);
	close_fake(be);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(right_kernels_pass_and_are_timed),
		cmocka_unit_test(a_wrong_output_is_found_and_has_no_time),
		cmocka_unit_test(a_tile_that_was_forgotten_is_found),
		cmocka_unit_test(one_bad_output_among_many_is_found),
		cmocka_unit_test(tf32_in_place_of_fp32_is_found),
		cmocka_unit_test(what_does_not_fit_is_a_row_and_the_rest_goes_on),
		cmocka_unit_test(a_failure_is_a_row_and_the_rest_goes_on),
		cmocka_unit_test(after_the_device_is_lost_nothing_is_tried),
		cmocka_unit_test(an_interrupt_keeps_what_there_is),
		cmocka_unit_test(times_are_the_devices),
		cmocka_unit_test(what_is_said_of_uneven_times),
		cmocka_unit_test(a_ceiling_takes_a_small_part_of_the_budget),
		cmocka_unit_test(no_time_is_said),
		cmocka_unit_test(a_name_that_is_in_no_shape_is_a_mistake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
