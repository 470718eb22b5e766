/* One shape at one level: operands, check, time. And what the device reaches at most. */
#include "micro_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRY(call)                             \
	do {                                  \
		enum sb_status try_ = (call); \
		if (try_)                     \
			return try_;          \
	} while (0)

const char *const sb_micro_cache_names[SB_MICRO_CACHES] = { [SB_MICRO_COLD] = "cold", [SB_MICRO_WARM] = "warm" };
const char *const sb_micro_outcome_names[SB_MICRO_OUTCOMES] = {
	[SB_MICRO_OK] = "ok",
	[SB_MICRO_OOM] = "oom",
	[SB_MICRO_WRONG] = "wrong",
	[SB_MICRO_FAILED] = "failed",
	[SB_MICRO_NO_TIME] = "no time",
	[SB_MICRO_SKIPPED] = "skipped",
};

struct run {
	struct sb_backend *be;
	const struct sb_micro_options *o;
	struct sb_device_info info;
	float *pool;
	struct sb_micro_clock clock;
	struct sb_micro_result *out;
	int64_t start_ns;
	double timing_s; /* spent on it so far */
	bool stopped;    /* interrupted, or the device is lost */
};

/* ---- levels -------------------------------------------------------------------------------------------------- */

static bool is_tf32(const struct sb_levels *l, enum sb_micro_op op)
{
	enum sb_part part = SB_PART_PRECISION_GEMM;

	if (op == SB_MICRO_CONV)
		part = SB_PART_PRECISION_CONV;
	else if (op == SB_MICRO_ATTENTION && l->part[SB_PART_ATTENTION] == SB_ATTENTION_EFFICIENT)
		part = SB_PART_PRECISION_ATTENTION;
	return l->part[part] == SB_PRECISION_TF32;
}

static struct sb_levels levels_of(int precision, int attention)
{
	struct sb_levels l = { { 0 } };

	l.part[SB_PART_PRECISION_GEMM] = l.part[SB_PART_PRECISION_CONV] = l.part[SB_PART_PRECISION_ATTENTION] =
	        (uint8_t)precision;
	l.part[SB_PART_ATTENTION] = (uint8_t)attention;
	return l;
}

/* Whether the caller wants this level: -1 is all of them. */
static bool wanted(int asked, int level)
{
	return asked < 0 || asked == level;
}

/* Of the budget. */
static double left_s(const struct run *r)
{
	return r->o->budget_s - (double)(sb_now_ns() - r->start_ns) * 1e-9;
}

/* ---- one row ------------------------------------------------------------------------------------------------- */

static void say_oom(struct sb_micro_row *row, const struct sb_backend *be, const struct sb_error *err)
{
	const struct sb_oom *oom = sb_alloc_oom(be->alloc);

	row->outcome = SB_MICRO_OOM;
	if (!oom->asked)
		snprintf(row->detail, sizeof(row->detail), "%.300s", err->msg);
	else if (oom->device_free >= 0)
		snprintf(row->detail, sizeof(row->detail), "asked for %.2f GiB, %.2f GiB held, %.2f GiB free",
		        (double)oom->asked * 0x1p-30, (double)oom->reserved * 0x1p-30,
		        (double)oom->device_free * 0x1p-30);
	else
		snprintf(row->detail, sizeof(row->detail), "asked for %.2f GiB, %.2f GiB held",
		        (double)oom->asked * 0x1p-30, (double)oom->reserved * 0x1p-30);
}

static void say_failed(struct run *r, struct sb_micro_row *row, enum sb_status status, const struct sb_error *err)
{
	if (status == SB_E_NOMEM) {
		say_oom(row, r->be, err);
		return;
	}
	row->outcome = SB_MICRO_FAILED;
	snprintf(row->detail, sizeof(row->detail), "%.300s", err->msg);
	r->stopped |= r->be->lost;
}

/* The buffer for a cold cache, in memory of the arm. */
static enum sb_status open_clock(struct run *r, struct sb_error *err)
{
	void *at;

	TRY(sb_device_alloc(r->be, (size_t)r->o->flush_bytes, &at, err));
	r->clock.be = r->be;
	r->clock.flush = at;
	r->clock.flush_floats = r->o->flush_bytes / (int64_t)sizeof(float);
	return SB_OK;
}

static enum sb_status upload_pool(struct run *r, float **out, struct sb_error *err)
{
	const size_t bytes = SB_MICRO_POOL * sizeof(float);
	void *at;

	TRY(sb_device_alloc(r->be, bytes, &at, err));
	TRY(SB_SUBMIT(r->be, UPLOAD, upload, ((struct sb_transfer_args){ at, r->pool, bytes }), err));
	*out = at;
	return SB_OK;
}

/* launch_ns: of the first one, with all that is made once. */
static enum sb_status check(struct run *r, const struct sb_micro_operands *operands, struct sb_micro_row *row,
        double *launch_ns, struct sb_error *err)
{
	struct sb_micro_check c;
	int64_t start;

	TRY(r->be->ops->sync(r->be, err));
	start = sb_now_ns();
	TRY(sb_submit(r->be, &operands->op, err));
	TRY(r->be->ops->sync(r->be, err));
	*launch_ns = (double)(sb_now_ns() - start);
	row->kernel = r->be->kernel;
	TRY(sb_micro_check_run(operands, r->be, row->tf32, r->o->seed, &c, err));
	row->error = c.error;
	row->limit = c.limit;
	row->checked = c.checked;
	if (c.error <= c.limit) /* NaN is not */
		return SB_OK;
	row->outcome = SB_MICRO_WRONG;
	snprintf(row->detail, sizeof(row->detail),
	        "%s gives wrong results: error %.2g over %lld outputs, at most %.2g is right; not timed", row->kernel,
	        c.error, (long long)c.checked, c.limit);
	return SB_OK;
}

static enum sb_status measure(struct run *r, struct sb_micro_operands *operands, struct sb_micro_row *row, bool cold,
        double seconds, struct sb_error *err)
{
	struct sb_alloc_stats stats;
	struct sb_work work;
	double launch_ns;
	float *pool_device;
	int64_t start;

	TRY(open_clock(r, err));
	TRY(upload_pool(r, &pool_device, err));
	TRY(sb_micro_operands_open(operands, &row->shape, r->be, r->pool, pool_device, err));
	work = sb_op_table[operands->op.id].work(&operands->op);
	row->flop = work.flop;
	row->bytes = work.bytes;
	TRY(check(r, operands, row, &launch_ns, err));
	if (row->outcome == SB_MICRO_OK && r->o->budget_s > 0.0 && launch_ns * 1e-9 > left_s(r)) {
		row->outcome = SB_MICRO_NO_TIME;
		snprintf(row->detail, sizeof(row->detail), "right, but a launch takes %.3g s; --budget gives more",
		        launch_ns * 1e-9);
	}
	start = sb_now_ns();
	if (row->outcome == SB_MICRO_OK)
		TRY(sb_micro_time(&r->clock, &operands->op, cold, seconds, row->times, err));
	r->timing_s += (double)(sb_now_ns() - start) * 1e-9;
	sb_alloc_stats(r->be->alloc, &stats);
	row->memory_bytes = stats.of[SB_ALLOC_ALLOCATED_BYTES][SB_ALLOC_ALL].peak;
	return SB_OK;
}

static void describe_level(const struct run *r, struct sb_micro_row *row)
{
	row->error = row->limit = NAN;
	row->tf32 = is_tf32(&row->levels, row->shape.op);
	row->emulated = row->tf32 && r->info.emulated_parts & 1u << SB_PART_PRECISION_GEMM;
}

/* Everything in an arm of its own: what one row leaves behind does not matter to the next. */
static void run_row(struct run *r, struct sb_micro_row *row, bool cold, double seconds)
{
	struct sb_micro_operands operands = { .weight = NULL };
	struct sb_error err = { .msg = "" };
	enum sb_status status;

	sb_backend_set_levels(r->be, &row->levels);
	status = sb_backend_begin_arm(r->be, &err);
	if (status) {
		row->outcome = SB_MICRO_FAILED;
		snprintf(row->detail, sizeof(row->detail), "%.300s", err.msg);
		return;
	}
	status = sb_backend_begin_pass(r->be, 0, &err);
	if (!status)
		status = measure(r, &operands, row, cold, seconds, &err);
	if (status) {
		memset(row->times, 0, sizeof(row->times));
		say_failed(r, row, status, &err);
	}
	sb_micro_operands_release(&operands);
	sb_backend_end_arm(r->be);
}

/* ---- ceilings ------------------------------------------------------------------------------------------------ */

/* What a ceiling may take. */
static double ceiling_s(const struct run *r)
{
	return r->o->budget_s > 0.0 ? fmin(0.02 * r->o->budget_s, 1.0) : 1.0;
}

/* A ceiling is the best that was seen. */
static double fastest(const struct sb_micro_times *t)
{
	double ns = t->ns[0];

	for (int i = 1; i < t->n; i++)
		ns = fmin(ns, t->ns[i]);
	return ns;
}

static void ceiling_product(struct run *r, int precision)
{
	const int64_t n = r->o->product;
	struct sb_micro_row *row = &r->out->ceilings.product[precision];
	struct sb_value *rate = &r->out->ceilings.flop_per_s[precision];

	row->levels = levels_of(precision, SB_ATTENTION_STANDARD);
	row->shape = (struct sb_micro_shape){
		.name = "ceiling.product", .op = SB_MICRO_GEMM, .u.linear = { n, n, n, n, SB_ACT_NONE, false, false }
	};
	*rate = sb_value_absent("not measured");
	if (r->stopped)
		return;
	describe_level(r, row);
	run_row(r, row, false, ceiling_s(r));
	if (row->outcome == SB_MICRO_OK)
		*rate = sb_value_of(row->flop / fastest(&row->times[SB_MICRO_WARM]) * 1e9);
	else
		rate->absent = row->outcome == SB_MICRO_OOM ? "does not fit" : "the product failed";
}

#define COPY_ROW 4096 /* floats */

/* Of the copy in one direction: on a small device a quarter of what is free. Whole rows. */
static int64_t copy_floats(const struct run *r)
{
	const int64_t row = COPY_ROW * (int64_t)sizeof(float);
	int64_t bytes = r->o->copy_bytes, free_bytes, total_bytes;

	if (!sb_pages_info(r->be->pages, &free_bytes, &total_bytes, NULL) && free_bytes / 4 < bytes)
		bytes = free_bytes / 4;
	return (bytes < row ? row : bytes / row * row) / (int64_t)sizeof(float);
}

static enum sb_status copy_and_clock(struct run *r, struct sb_error *err)
{
	const int64_t n = copy_floats(r);
	const size_t bytes = (size_t)n * sizeof(float);
	struct sb_micro_times times[SB_MICRO_CACHES] = { 0 };
	struct sb_micro_ceilings *c = &r->out->ceilings;
	struct sb_op op = { .id = SB_OP_COPY2D };
	float last = 0.0f;
	void *src, *dst;

	TRY(open_clock(r, err));
	TRY(sb_device_alloc(r->be, bytes, &src, err));
	TRY(sb_device_alloc(r->be, bytes, &dst, err));
	TRY(SB_SUBMIT(r->be, FILL, fill, ((struct sb_fill_args){ src, n, 0.25f }), err));
	TRY(SB_SUBMIT(r->be, FILL, fill, ((struct sb_fill_args){ dst, n, NAN }), err));
	TRY(sb_micro_clock_open(&r->clock, err));
	op.u.copy2d = (struct sb_copy2d_args){
		.src = src, .dst = dst, .rows = n / COPY_ROW, .cols = COPY_ROW, .ld_src = COPY_ROW, .ld_dst = COPY_ROW
	};
	TRY(sb_micro_time(&r->clock, &op, false, ceiling_s(r), times, err));
	c->copy = times[SB_MICRO_WARM];
	c->copy_bytes = sb_op_table[op.id].work(&op).bytes;
	TRY(SB_SUBMIT(r->be, DOWNLOAD, download,
	        ((struct sb_transfer_args){ &last, (const float *)dst + n - 1, sizeof(last) }), err));
	TRY(r->be->ops->sync(r->be, err));
	c->bytes_per_s = last == 0.25f ? sb_value_of(c->copy_bytes / fastest(&c->copy) * 1e9)
	                               : sb_value_absent("the copy is wrong");
	r->out->flush_ns = r->clock.flush_ns;
	r->out->empty_ns = r->clock.empty_ns;
	r->out->asynchronous = r->clock.asynchronous;
	return SB_OK;
}

static enum sb_status ceilings(struct run *r, struct sb_error *err)
{
	const struct sb_levels levels = levels_of(SB_PRECISION_FP32, SB_ATTENTION_STANDARD);
	enum sb_status status;

	sb_backend_set_levels(r->be, &levels);
	TRY(sb_backend_begin_arm(r->be, err));
	status = copy_and_clock(r, err);
	sb_backend_end_arm(r->be);
	if (status)
		return sb_wrap(err, "measuring what the device copies");
	for (int precision = 0; precision < 2; precision++)
		ceiling_product(r, precision);
	return SB_OK;
}

/* ---- all rows ------------------------------------------------------------------------------------------------ */

/*
 * What timing the next row may take: its share of what is left of the budget, less what rows so far took beside it;
 * 0: no limit.
 */
static double share_s(const struct run *r, size_t done, double rows_s)
{
	double other_s = done ? (rows_s - r->timing_s) / (double)done : 0.0;
	double share = left_s(r) / (double)(r->out->n - done) - other_s;

	return r->o->budget_s > 0.0 ? fmax(share, 0.001) : 0.0;
}

static void skip(struct run *r, struct sb_micro_row *row)
{
	if (r->stopped) {
		row->outcome = SB_MICRO_SKIPPED;
		snprintf(row->detail, sizeof(row->detail), "%s",
		        r->be->lost ? "the device was lost" : "interrupted before");
		return;
	}
	row->outcome = SB_MICRO_NO_TIME;
	snprintf(
	        row->detail, sizeof(row->detail), "the budget of %.3g s is spent; --budget gives more", r->o->budget_s);
}

static void run_rows(struct run *r)
{
	const struct sb_micro_options *o = r->o;
	const int64_t start = sb_now_ns();

	r->timing_s = 0.0;
	for (size_t i = 0; i < r->out->n; i++) {
		struct sb_micro_row *row = &r->out->rows[i];

		if (!r->stopped && o->interrupted && o->interrupted(o->self))
			r->stopped = r->out->cut_short = true;
		describe_level(r, row);
		if (r->stopped || (o->budget_s > 0.0 && left_s(r) <= 0.0))
			skip(r, row);
		else
			run_row(r, row, true, share_s(r, i, (double)(sb_now_ns() - start) * 1e-9));
		if (o->progress)
			o->progress(o->self, (int)i + 1, (int)r->out->n, row);
	}
}

/* A row a shape and level. Returns their number; rows NULL: only counts. */
static size_t make_rows(
        const struct sb_micro_options *o, const struct sb_micro_shape *shapes, int n, struct sb_micro_row *rows)
{
	int attentions = o->op == SB_MICRO_ATTENTION ? 2 : 1;
	size_t used = 0;

	for (int s = 0; s < n; s++) {
		if (o->shape && !strstr(shapes[s].name, o->shape))
			continue;
		for (int level = 0; level < 2 * attentions; level++) {
			int precision = level % 2, attention = level / 2;

			if (!wanted(o->precision, precision) || (attentions == 2 && !wanted(o->attention, attention)))
				continue;
			if (rows) {
				rows[used].shape = shapes[s];
				rows[used].levels = levels_of(precision, attention);
			}
			used++;
		}
	}
	return used;
}

static enum sb_status plan_rows(const struct sb_micro_options *o, struct sb_micro_result *out, struct sb_error *err)
{
	struct sb_micro_shape *shapes = calloc(SB_MICRO_SHAPES_MAX, sizeof(*shapes));
	char shown[64];
	int n;

	if (!shapes)
		return sb_fail(err, SB_E_NOMEM, "no memory for the shapes");
	n = sb_micro_shapes(&o->c, o->op, shapes);
	out->n = make_rows(o, shapes, n, NULL);
	out->rows = out->n ? calloc(out->n, sizeof(*out->rows)) : NULL;
	if (out->rows)
		make_rows(o, shapes, n, out->rows);
	free(shapes);
	if (out->n)
		return out->rows ? SB_OK : sb_fail(err, SB_E_NOMEM, "no memory for %zu rows", out->n);
	sb_escape(o->shape, shown, sizeof(shown));
	return sb_fail(err, SB_E_USAGE, "no shape of %s has '%s' in its name", sb_micro_op_names[o->op], shown);
}

enum sb_status sb_micro_run(
        struct sb_backend *be, const struct sb_micro_options *o, struct sb_micro_result *out, struct sb_error *err)
{
	struct run r = { .be = be, .o = o, .out = out, .start_ns = sb_now_ns() };
	enum sb_status status;

	*out = (struct sb_micro_result){ .rows = NULL };
	TRY(plan_rows(o, out, err));
	sb_backend_info(be, &r.info);
	r.pool = malloc(SB_MICRO_POOL * sizeof(*r.pool));
	if (r.pool) {
		sb_micro_pool_fill(r.pool, o->seed);
		status = ceilings(&r, err);
	} else {
		status = sb_fail(err, SB_E_NOMEM, "no memory for %d values", SB_MICRO_POOL);
	}
	if (!status)
		run_rows(&r);
	else
		sb_micro_result_release(out);
	free(r.pool);
	return status;
}

void sb_micro_result_release(struct sb_micro_result *r)
{
	free(r->rows);
	*r = (struct sb_micro_result){ .rows = NULL };
}
