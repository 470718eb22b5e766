/*
 * The shapes of `micro` against what a pass really submits, and against the work that the network is known to be.
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
#include "sb_tracker.h"

/* ---- what a pass submits ------------------------------------------------------------------------------------- */

#define OPS_MAX 8192

static struct sb_op seen[OPS_MAX];
static int n_seen;
static const struct sb_backend_ops *real;

/* With fixed cameras nothing hangs on what the products give, so they need not be computed. */
static bool skip_products;

static bool is_product(const struct sb_op *op)
{
	enum sb_op_kind kind = sb_op_table[op->id].kind;

	return kind == SB_KIND_GEMM || kind == SB_KIND_CONV || kind == SB_KIND_ATTENTION || op->id == SB_OP_NEIGHBOURS;
}

static enum sb_status watch(struct sb_backend *be, const struct sb_op *op, struct sb_error *err)
{
	assert_true(n_seen < OPS_MAX);
	seen[n_seen++] = *op;
	return skip_products && is_product(op) ? SB_OK : real->submit(be, op, err);
}

static void run_pass(const struct sb_case *c)
{
	const struct sb_workload_ops *w = &sb_workload_tracker;
	struct sb_backend_ops ops;
	struct sb_error err = { .msg = "" };
	struct sb_workload_info info;
	struct sb_workload *workload = NULL;
	struct sb_levels levels;
	struct sb_backend *be;

	n_seen = 0;
	assert_int_equal(sb_levels_parse("attention=efficient", &levels, &err), SB_OK);
	if (sb_backend_open("cpu", 0, &be, &err) || w->open(c, be, &workload, &info, &err))
		fail_msg("%s", err.msg);
	real = be->ops;
	ops = *real;
	ops.submit = watch;
	sb_backend_set_levels(be, &levels);
	if (w->prepare(workload, &err) || sb_backend_begin_arm(be, &err) || sb_backend_begin_pass(be, 0, &err))
		fail_msg("%s", err.msg);
	be->ops = &ops;
	if (w->run(workload, false, &err) || sb_backend_end_pass(be, &err))
		fail_msg("%s", err.msg);
	be->ops = real;
	sb_backend_end_arm(be);
	w->close(workload);
	sb_backend_close(be);
}

/* What a loop's last piece is of a whole one: num / den in its first dimension; num 0: there is none. */
struct last_piece {
	int64_t num, den;
};

static bool of_rows(int64_t rows, int64_t whole, struct last_piece last)
{
	return last.num ? rows * last.den == whole * last.num : rows == whole;
}

static bool is_linear(const struct sb_micro_shape *s, const struct sb_op *op, struct last_piece last)
{
	const struct sb_micro_linear *m = &s->u.linear;
	const struct sb_linear_args *a = &op->u.linear;

	return op->id == SB_OP_LINEAR && of_rows(a->rows, m->rows, last) && a->in == m->in && a->out == m->out &&
	       a->ldy == m->ld && a->ldx == m->in && a->ldw == m->in && a->act == m->act && a->bias &&
	       (a->gamma != NULL) == m->gamma && a->residual == (m->residual ? a->y : NULL);
}

static bool is_conv(const struct sb_micro_shape *s, const struct sb_op *op, struct last_piece last)
{
	const struct sb_micro_conv *m = &s->u.conv;
	const struct sb_conv_args *a = &op->u.conv;
	const struct sb_conv_transpose_args *t = &op->u.conv_transpose;

	if (op->id == SB_OP_CONV_TRANSPOSE)
		return m->transposed && of_rows(t->n, m->n, last) && t->h == m->h && t->width == m->w &&
		       t->cin == m->cin && t->cout == m->cout && t->k == m->k && (t->bias != NULL) == m->bias;
	return op->id == SB_OP_CONV && !m->transposed && of_rows(a->n, m->n, last) && a->h == m->h &&
	       a->width == m->w && a->cin == m->cin && a->cout == m->cout && a->kh == m->k && a->kw == m->k &&
	       a->stride == m->stride && a->pad == m->pad && (a->bias != NULL) == m->bias &&
	       !a->relu_in == !m->relu_in && !a->relu_out == !m->relu_out && (a->residual != NULL) == m->residual &&
	       !a->residual_relu == !m->residual && (a->residual2 != NULL) == m->residual2;
}

static bool is_attention(const struct sb_micro_shape *s, const struct sb_op *op, struct last_piece last)
{
	const struct sb_micro_attention *m = &s->u.attention;
	const struct sb_attention_args *a = &op->u.attention;
	int64_t inner = m->heads * m->dim, q = m->packed ? 3 * inner : inner, k = m->packed ? q : 2 * inner;

	return op->id == SB_OP_ATTENTION && of_rows(a->batch, m->batch, last) && a->heads == m->heads &&
	       a->lq == m->lq && a->lk == m->lk && a->dim == m->dim && a->qs.batch == m->q_batch * q &&
	       a->qs.head == m->dim && a->qs.row == m->q_row * q && a->ks.batch == m->k_batch * k &&
	       a->ks.head == m->dim && a->ks.row == m->k_row * k && a->vs.batch == a->ks.batch &&
	       a->vs.row == a->ks.row && a->os.batch == m->q_batch * inner && a->os.row == m->q_row * inner &&
	       a->v - a->k == inner && (a->k - a->q == inner) == m->packed;
}

static bool of_op(const struct sb_op *op, enum sb_micro_op kind)
{
	if (kind == SB_MICRO_GEMM)
		return op->id == SB_OP_LINEAR;
	if (kind == SB_MICRO_ATTENTION)
		return op->id == SB_OP_ATTENTION;
	return op->id == SB_OP_CONV || op->id == SB_OP_CONV_TRANSPOSE;
}

static bool matches(const struct sb_micro_shape *s, const struct sb_op *op, struct last_piece last)
{
	if (s->op == SB_MICRO_GEMM)
		return is_linear(s, op, last);
	return s->op == SB_MICRO_CONV ? is_conv(s, op, last) : is_attention(s, op, last);
}

static struct last_piece last_piece_of(const struct sb_micro_case *c, const struct sb_micro_shape *s)
{
	int64_t tile = 2048 / c->frames < c->points ? 2048 / c->frames : c->points, chunk = 8;

	if (!strncmp(s->name, "track.near.", 11))
		return (struct last_piece){ c->points % tile, tile };
	if (!strncmp(s->name, "front.depth.", 12) && c->frames > chunk)
		return (struct last_piece){ c->frames % chunk, chunk };
	return (struct last_piece){ 0, 0 };
}

/* The shape if there is one that still expects calls, else one it is the last piece of. */
static int find(const struct sb_micro_case *c, const struct sb_micro_shape *shapes, int n, const int64_t *found,
        const struct sb_op *op)
{
	const struct last_piece none = { 0, 0 };

	for (int i = 0; i < n; i++)
		if (matches(&shapes[i], op, none) && found[i] < shapes[i].calls)
			return i;
	for (int i = 0; i < n; i++) {
		struct last_piece last = last_piece_of(c, &shapes[i]);

		if (last.num && matches(&shapes[i], op, last) && found[i] < shapes[i].calls)
			return i;
	}
	return -1;
}

static void assert_complete(const struct sb_micro_case *c, enum sb_micro_op kind)
{
	static struct sb_micro_shape shapes[SB_MICRO_SHAPES_MAX];
	int64_t found[SB_MICRO_SHAPES_MAX] = { 0 };
	int n = sb_micro_shapes(c, kind, shapes), ops = 0;

	assert_true(n > 0);
	for (int i = 0; i < n_seen; i++) {
		int at;

		if (!of_op(&seen[i], kind))
			continue;
		at = find(c, shapes, n, found, &seen[i]);
		if (at < 0)
			fail_msg("%s %d of the pass is in no row: %lld x %lld -> %lld", sb_micro_op_names[kind], ops,
			        (long long)seen[i].u.linear.rows, (long long)seen[i].u.linear.in,
			        (long long)seen[i].u.linear.out);
		found[at]++;
		ops++;
	}
	for (int i = 0; i < n; i++)
		if (found[i] != (shapes[i].note ? 0 : shapes[i].calls))
			fail_msg("%s: %lld calls in the table, %lld in the pass", shapes[i].name,
			        (long long)shapes[i].calls, (long long)found[i]);
}

/* The first layer of the correlation is another op. */
static void assert_correlation(const struct sb_micro_case *c)
{
	static struct sb_micro_shape shapes[SB_MICRO_SHAPES_MAX];
	int n = sb_micro_shapes(c, SB_MICRO_GEMM, shapes), found = 0;

	for (int i = 0; i < n; i++) {
		const struct sb_micro_linear *m = &shapes[i].u.linear;

		if (!shapes[i].note)
			continue;
		for (int k = 0; k < n_seen; k++) {
			const struct sb_corr_args *a = &seen[k].u.corr;

			if (seen[k].id == SB_OP_CORR && a->n * a->frames == m->rows && a->ldw == m->in &&
			        a->out == m->out)
				found++;
		}
		assert_int_equal(found, shapes[i].calls);
	}
	assert_true(found > 0);
}

static void every_op_of_a_pass_is_a_row(void **state)
{
	/* Ten frames: two pieces of the depth head; more tracks than a tile of 2048 / 10 holds. */
	static const struct sb_case passes[] = {
		{ .preset = "tiny" },
		{ .preset = "tiny",
		        .frames = 10,
		        .width = 84,
		        .height = 56,
		        .grid = 10,
		        .support = 110,
		        .iterations = 2,
		        .cameras = "fixed" },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(passes); i++) {
		struct sb_micro_case c;

		assert_int_equal(sb_micro_case_find("tiny", NULL, &c, NULL), SB_OK);
		if (passes[i].frames) {
			c.frames = passes[i].frames;
			c.width = passes[i].width;
			c.height = passes[i].height;
			c.points = passes[i].grid * passes[i].grid + passes[i].support;
			c.iterations = passes[i].iterations;
		}
		skip_products = passes[i].cameras[0];
		run_pass(&passes[i]);
		for (int kind = SB_MICRO_GEMM; kind <= SB_MICRO_ATTENTION; kind++)
			assert_complete(&c, (enum sb_micro_op)kind);
		assert_correlation(&c);
	}
}

/* ---- the released network ------------------------------------------------------------------------------------- */

static double flop(const struct sb_micro_shape *s)
{
	const struct sb_micro_linear *l = &s->u.linear;
	const struct sb_micro_conv *c = &s->u.conv;
	const struct sb_micro_attention *a = &s->u.attention;
	double pixels;

	if (s->op == SB_MICRO_GEMM)
		return 2.0 * (double)l->rows * (double)l->in * (double)l->out;
	if (s->op == SB_MICRO_ATTENTION)
		return 4.0 * (double)(a->batch * a->heads * a->dim) * (double)a->lq * (double)a->lk;
	pixels = c->transposed ? (double)(c->n * c->h * c->w)
	                       : (double)(c->n * ((c->h + 2 * c->pad - c->k) / c->stride + 1) *
	                                  ((c->w + 2 * c->pad - c->k) / c->stride + 1));
	return 2.0 * pixels * c->k * c->k * (double)(c->cin * c->cout);
}

/* TFLOP of a pass in rows whose name begins so. */
static double tflop(const char *case_name, enum sb_micro_op kind, const char *prefix)
{
	static struct sb_micro_shape shapes[SB_MICRO_SHAPES_MAX];
	struct sb_micro_case c;
	double sum = 0.0;
	int n;

	assert_int_equal(sb_micro_case_find("full", case_name, &c, NULL), SB_OK);
	n = sb_micro_shapes(&c, kind, shapes);
	for (int i = 0; i < n; i++)
		if (!strncmp(shapes[i].name, prefix, strlen(prefix)))
			sum += (double)shapes[i].calls * flop(&shapes[i]);
	return sum * 1e-12;
}

/* Source: ARCHITECTURE 6, rounded to three decimals. */
static void assert_work(double got, double want)
{
	if (fabs(got - want) > 0.0006 + 1e-5 * want)
		fail_msg("%.4f TFLOP instead of %.4f", got, want);
}

static void the_released_network_does_the_work_it_is_known_for(void **state)
{
	(void)state;
	assert_work(tflop("i", SB_MICRO_GEMM, "front.block.") + tflop("i", SB_MICRO_ATTENTION, "front.frame") +
	                    tflop("i", SB_MICRO_ATTENTION, "front.global"),
	        12.778 + 12.778 + 45.962);
	assert_work(tflop("ii", SB_MICRO_GEMM, "front.block.") + tflop("ii", SB_MICRO_ATTENTION, "front.frame") +
	                    tflop("ii", SB_MICRO_ATTENTION, "front.global"),
	        44.116 + 44.116 + 421.233);
	assert_work(tflop("i", SB_MICRO_ATTENTION, "front.global"), 34.626);
	assert_work(tflop("i", SB_MICRO_GEMM, "front.camera.") + tflop("i", SB_MICRO_ATTENTION, "front.camera"), 0.042);
	assert_work(tflop("i", SB_MICRO_CONV, "front.patch"), 0.022);
	assert_work(tflop("ii", SB_MICRO_CONV, "track.fnet."), 3.109);
	assert_work(tflop("i", SB_MICRO_GEMM, "track.corr."), 0.793);
	/* Space blocks, heads' outputs apart: all of 4.7 but time, where the 3-D stream's shapes are the points'. */
	assert_work(tflop("i", SB_MICRO_GEMM, "track.time.") + tflop("i", SB_MICRO_ATTENTION, "track.time2"), 1.108);
}

static void global_attention_is_the_known_shape(void **state)
{
	static struct sb_micro_shape shapes[SB_MICRO_SHAPES_MAX];
	struct sb_micro_case c;
	char text[96];

	(void)state;
	assert_int_equal(sb_micro_case_find("full", "ii", &c, NULL), SB_OK);
	sb_micro_shapes(&c, SB_MICRO_ATTENTION, shapes);
	assert_string_equal(shapes[1].name, "front.global");
	assert_int_equal(shapes[1].calls, 24);
	sb_micro_describe(&shapes[1], text, sizeof(text));
	assert_string_equal(text, "1 x 16 heads x 62460 x 62460 x 64");
}

static void names_are_unique(void **state)
{
	static struct sb_micro_shape shapes[SB_MICRO_SHAPES_MAX];
	struct sb_micro_case c;

	(void)state;
	for (size_t p = 0; p < sb_n_presets; p++) {
		assert_int_equal(sb_micro_case_find(sb_presets[p].name, NULL, &c, NULL), SB_OK);
		for (int kind = SB_MICRO_GEMM; kind <= SB_MICRO_ATTENTION; kind++) {
			int n = sb_micro_shapes(&c, (enum sb_micro_op)kind, shapes);

			for (int i = 0; i < n; i++)
				for (int k = 0; k < i; k++)
					assert_string_not_equal(shapes[i].name, shapes[k].name);
		}
	}
}

static void cases_go_with_the_released_network(void **state)
{
	struct sb_error err = { .msg = "" };
	struct sb_micro_case c;

	(void)state;
	assert_int_equal(sb_micro_case_find("full", NULL, &c, &err), SB_OK);
	assert_string_equal(c.name, "i");
	assert_int_equal(c.points, 1012);
	assert_int_equal(sb_micro_case_find("small", NULL, &c, &err), SB_OK);
	assert_string_equal(c.name, "");
	assert_int_equal(c.points, 192);
	assert_int_equal(sb_micro_case_find("small", "ii", &c, &err), SB_E_USAGE);
	assert_int_equal(sb_micro_case_find("full", "iv", &c, &err), SB_E_USAGE);
	assert_int_equal(sb_micro_case_find("none", NULL, &c, &err), SB_E_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_op_of_a_pass_is_a_row),
		cmocka_unit_test(the_released_network_does_the_work_it_is_known_for),
		cmocka_unit_test(global_attention_is_the_known_shape),
		cmocka_unit_test(names_are_unique),
		cmocka_unit_test(cases_go_with_the_released_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
