/* Where the time goes: the calls of ops that take most of it, those of two arms lined up; of one arm its kernels. */
#include "plots_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_times.h"
#include "sb_ops.h"

enum { ROWS = 12, ROW_PX = 62, FRAME_PX = 140, NAME_COLUMNS = 42 };

static void columns(struct sb_plot *p, const char *of_a_row)
{
	sb_buf_addf(&p->data,
	        "# columns: row, %s, kernel before, kernel after, then for each of the two: time in a pass, median, "
	        "interval from, to (ms); in words\n",
	        of_a_row);
}

static void add_times(struct sb_plot *p, double mid, double lo, double hi, double *max)
{
	sb_plot_number(&p->data, mid / 1e6);
	sb_plot_number(&p->data, lo / 1e6);
	sb_plot_number(&p->data, hi / 1e6);
	*max = isfinite(mid) ? fmax(*max, mid / 1e6) : *max;
	*max = isfinite(hi) ? fmax(*max, hi / 1e6) : *max;
}

static void frame(struct sb_plot *p, int rows, double max, bool two)
{
	sb_plot_count(p, "two", two);
	sb_plot_count(p, "rows", rows);
	sb_plot_set(p, "max", 1.04 * max);
	sb_plot_count(p, "width", 1000);
	sb_plot_count(p, "height", FRAME_PX + ROW_PX * rows);
}

static void say_bars(struct sb_plot *p)
{
	sb_buf_puts(&p->caption, "Bars: medians of the sums over ");
	sb_plot_how_many(&p->caption, p->n_trials, "trace trial");
	sb_buf_addf(&p->caption, " of an arm, which are slower than passes without the tracer, %s.",
	        sb_plot_intervals(p->n_trials));
}

/* ---- two arms --------------------------------------------------------------------------------------------------- */

static double ns_of(const struct sb_ops_row *r, int side)
{
	return r->ns[side].absent ? NAN : r->ns[side].v;
}

static double larger(const struct sb_ops_row *r)
{
	return fmax(ns_of(r, 0), ns_of(r, 1)); /* of a NAN and a number the number */
}

static int by_time(const void *a, const void *b)
{
	double x = larger(*(const struct sb_ops_row *const *)a), y = larger(*(const struct sb_ops_row *const *)b);

	return x > y ? -1 : x < y;
}

/* The heaviest kernel of a row in one arm. */
static const char *kernel_of(const struct sb_ops_row *r, int side)
{
	const struct sb_ops_kernel *best = NULL;

	for (size_t i = 0; i < r->n_kernels; i++)
		if (r->kernels[i].name[side] && (!best || r->kernels[i].ns[side].v > best->ns[side].v))
			best = &r->kernels[i];
	return best ? best->name[side] : "(none)";
}

static void add_change(struct sb_plot *p, double before_ns, double after_ns)
{
	struct sb_buf b = { 0 };

	if (isfinite(before_ns))
		sb_plot_figure(&b, before_ns / 1e6, 3);
	sb_buf_puts(&b, isfinite(before_ns) && isfinite(after_ns) ? " -> " : "");
	if (isfinite(after_ns))
		sb_plot_figure(&b, after_ns / 1e6, 3);
	sb_buf_puts(&b, " ms");
	if (isfinite(before_ns) != isfinite(after_ns))
		sb_buf_puts(&b, isfinite(after_ns) ? ", added" : ", vanished");
	if (before_ns > 0 && isfinite(after_ns)) {
		sb_buf_puts(&b, ", ratio ");
		sb_plot_figure(&b, after_ns / before_ns, 3);
	}
	sb_plot_cell(&p->data, sb_buf_str(&b), 0);
	p->data.failed |= b.failed;
	sb_buf_release(&b);
}

static void add_row(struct sb_plot *p, const struct sb_ops_row *r, int y, double *max)
{
	struct sb_buf where = { 0 };

	sb_buf_addf(&p->data, "%d", y);
	sb_buf_addf(&where, "%s, %s", r->stage, r->op);
	if (r->calls[0] || r->calls[1])
		sb_buf_addf(&where, " (%lld)", (long long)(r->calls[0] ? r->calls[0] : r->calls[1]));
	sb_plot_cell(&p->data, sb_buf_str(&where), NAME_COLUMNS);
	p->data.failed |= where.failed;
	sb_buf_release(&where);
	for (int side = 0; side < 2; side++)
		sb_plot_cell(&p->data, kernel_of(r, side), NAME_COLUMNS);
	for (int side = 0; side < 2; side++)
		add_times(p, ns_of(r, side), r->lo[side], r->hi[side], max);
	add_change(p, ns_of(r, 0), ns_of(r, 1));
	sb_buf_puts(&p->data, "\n");
}

/* What the picture has no room for, so that its bars can be added up. */
static void add_other_rows(
        struct sb_plot *p, const struct sb_ops_row *const *v, size_t from, size_t n, int y, double *max)
{
	double ns[2] = { 0, 0 };

	for (size_t i = from; i < n; i++)
		for (int side = 0; side < 2; side++)
			ns[side] += v[i]->ns[side].absent ? 0 : v[i]->ns[side].v;
	sb_buf_addf(&p->data, "%d\tall others\t%zu rows\t ", y, n - from);
	for (int side = 0; side < 2; side++)
		add_times(p, ns[side], NAN, NAN, max);
	add_change(p, ns[0], ns[1]);
	sb_buf_puts(&p->data, "\n");
}

static void say_two(struct sb_plot *p, const struct sb_ops *o, size_t shown)
{
	p->n_trials = (size_t)o->pairs;
	p->n_what = "trace trials per arm";
	sb_buf_addf(&p->caption,
	        "The %zu of %zu groups of calls of ops that take most time in a pass, those of the two arms lined up "
	        "by stage%s; beside each its heaviest kernel. ",
	        shown, o->n_rows,
	        o->by == SB_OPS_BY_TOTAL ? " and op, since no launch order was kept"
	                                 : ", op and order, in brackets how many calls");
	say_bars(p);
}

static bool write_ops(struct sb_plot *p, const int arms[2], const struct sb_ops *o)
{
	size_t shown = o->n_rows > ROWS ? ROWS : o->n_rows;
	const struct sb_ops_row **v = malloc((o->n_rows + 1) * sizeof(*v));
	int rows = (int)shown;
	double max = 0;

	p->data.failed |= !v;
	if (!v)
		return false;
	for (size_t i = 0; i < o->n_rows; i++)
		v[i] = &o->rows[i];
	qsort((void *)v, o->n_rows, sizeof(*v), by_time);
	columns(p, "stage, op and calls");
	for (size_t i = 0; i < shown; i++)
		add_row(p, v[i], (int)i + 1, &max);
	if (shown < o->n_rows)
		add_other_rows(p, v, shown, o->n_rows, ++rows, &max);
	sb_plot_say_side(p, "before", arms[0]);
	sb_plot_say_side(p, "after", arms[1]);
	frame(p, rows, max, true);
	say_two(p, o, shown);
	free((void *)v);
	return true;
}

/* ---- one arm ---------------------------------------------------------------------------------------------------- */

static int by_median(const void *a, const void *b)
{
	double x = ((const struct sb_kernel *)a)->median_ns, y = ((const struct sb_kernel *)b)->median_ns;

	return x > y ? -1 : x < y;
}

static void add_time(struct sb_plot *p, double ns)
{
	struct sb_buf b = { 0 };

	sb_plot_figure(&b, ns / 1e6, 3);
	sb_buf_puts(&b, " ms");
	sb_plot_cell(&p->data, sb_buf_str(&b), 0);
	p->data.failed |= b.failed;
	sb_buf_release(&b);
	sb_buf_puts(&p->data, "\n");
}

static void add_kernel(struct sb_plot *p, const struct sb_kernel *k, int y, int n_trials, double *max)
{
	struct sb_interval i = sb_plot_interval(p->in, k->ns, n_trials, SB_PLOT_TRACE);
	struct sb_buf where = { 0 };

	sb_buf_addf(&p->data, "%d", y);
	sb_buf_addf(&where, "%s, %s", k->stage, k->op);
	sb_plot_cell(&p->data, sb_buf_str(&where), NAME_COLUMNS);
	p->data.failed |= where.failed;
	sb_buf_release(&where);
	sb_plot_cell(&p->data, k->name, NAME_COLUMNS);
	sb_plot_cell(&p->data, " ", NAME_COLUMNS);
	add_times(p, i.mid, sb_plot_lo(&i), sb_plot_hi(&i), max);
	add_times(p, NAN, NAN, NAN, max);
	add_time(p, k->median_ns);
}

static bool write_kernels(struct sb_plot *p, int arm, struct sb_kernels *k)
{
	size_t shown = k->n > ROWS ? ROWS : k->n;
	int rows = (int)shown;
	double max = 0, rest = 0;

	qsort(k->v, k->n, sizeof(*k->v), by_median);
	columns(p, "stage and op");
	for (size_t i = 0; i < k->n; i++) {
		if (i < shown)
			add_kernel(p, &k->v[i], (int)i + 1, k->n_trials, &max);
		else
			rest += k->v[i].median_ns;
	}
	if (shown < k->n) {
		sb_buf_addf(&p->data, "%d\tall others\t%zu kernels\t ", ++rows, k->n - shown);
		add_times(p, rest, NAN, NAN, &max);
		add_times(p, NAN, NAN, NAN, &max);
		add_time(p, rest);
	}
	sb_plot_say_side(p, "before", arm);
	sb_plot_say_side(p, "after", -1);
	frame(p, rows, max, false);
	p->n_trials = (size_t)k->n_trials;
	p->n_what = "trace trials per arm";
	sb_buf_addf(
	        &p->caption, "The %zu kernels of %zu that take most time in a pass, by stage and op. ", shown, k->n);
	say_bars(p);
	return true;
}

/* The first of the two that was traced, which is one of them at most. */
static bool plot_one(struct sb_plot *p, const int arms[2])
{
	struct sb_error err = { .msg = "" };
	bool made = false;

	for (int i = 0; i < 2 && !made; i++) {
		struct sb_kernels k = { .n = 0 };

		if (arms[i] < 0)
			continue;
		if (sb_kernels_read(p->in, arms[i], &k, &err))
			return sb_plot_why(p, "%s", err.msg);
		made = k.n && write_kernels(p, arms[i], &k);
		sb_kernels_release(&k);
	}
	return made || sb_plot_why(p, "no trace trial that was complete; run with --trace-blocks 1 or more");
}

bool sb_plot_kernels(struct sb_plot *p)
{
	const struct sb_summary_group *g = &p->in->summary->groups[0];
	int arms[2] = { sb_plot_arm(p->in, g->before), sb_plot_arm(p->in, g->after) };
	struct sb_error err = { .msg = "" };
	enum sb_status status;
	struct sb_ops ops;
	int64_t key;
	bool made;

	if (!p->in->store)
		return sb_plot_why(p, "the database is not open");
	if (arms[0] < 0 || arms[1] < 0 || arms[0] == arms[1])
		return plot_one(p, arms);
	status = sb_store_find_run(p->in->store, p->in->run->id, &key, &err);
	if (!status)
		status = sb_ops_build(p->in->store, key, g->before, g->after, &ops, &err);
	if (status == SB_E_DATA) /* not both of them were traced */
		return plot_one(p, arms);
	if (status)
		return sb_plot_why(p, "%s", err.msg);
	made = write_ops(p, arms, &ops);
	sb_ops_release(&ops);
	return made;
}
