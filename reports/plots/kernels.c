/* The kernels that take most time, those of two arms side by side. */
#include "plots_internal.h"

#include <math.h>
#include <stdlib.h>

#include "kernel_times.h"

enum { ROWS = 12, ROW_PX = 62, FRAME_PX = 140, NAME_COLUMNS = 42 };

/* A kernel and its partner; either may be missing. */
struct pair {
	const struct sb_kernel *before, *after;
};

static double larger(const struct pair *p)
{
	return fmax(p->before ? p->before->median_ns : 0, p->after ? p->after->median_ns : 0);
}

static int by_time(const void *a, const void *b)
{
	double x = larger(a), y = larger(b);

	return x > y ? -1 : x < y;
}

static size_t list_pairs(const struct sb_kernels *before, const struct sb_kernels *after, struct pair *out)
{
	size_t n = 0;

	for (size_t i = 0; i < before->n; i++)
		out[n++] = (struct pair){ &before->v[i], before->v[i].partner };
	for (size_t i = 0; i < after->n; i++)
		if (!after->v[i].partner)
			out[n++] = (struct pair){ NULL, &after->v[i] };
	qsort(out, n, sizeof(*out), by_time);
	return n;
}

static void add_interval(struct sb_plot *p, const struct sb_interval *i, double *max)
{
	sb_plot_number(&p->data, i->mid / 1e6);
	sb_plot_number(&p->data, sb_plot_lo(i) / 1e6);
	sb_plot_number(&p->data, sb_plot_hi(i) / 1e6);
	if (isfinite(sb_plot_hi(i)))
		*max = fmax(*max, sb_plot_hi(i) / 1e6);
}

static void add_side(struct sb_plot *p, const struct sb_kernel *k, int n_trials, double *max)
{
	struct sb_interval i = { .mid = NAN, .lo = NAN, .hi = NAN };

	if (k)
		i = sb_plot_interval(p->in, k->ns, n_trials, SB_PLOT_TRACE);
	add_interval(p, &i, max);
}

static void add_words(struct sb_plot *p, double before_ns, double after_ns, bool two)
{
	struct sb_buf b = { 0 };

	if (isfinite(before_ns))
		sb_plot_figure(&b, before_ns / 1e6, 3);
	sb_buf_puts(&b, isfinite(before_ns) && isfinite(after_ns) ? " -> " : "");
	if (isfinite(after_ns))
		sb_plot_figure(&b, after_ns / 1e6, 3);
	sb_buf_puts(&b, " ms");
	if (isfinite(before_ns) != isfinite(after_ns) && two)
		sb_buf_puts(&b, isfinite(after_ns) ? ", new" : ", gone");
	if (before_ns > 0 && isfinite(after_ns)) {
		sb_buf_puts(&b, ", ratio ");
		sb_plot_figure(&b, after_ns / before_ns, 3);
	}
	sb_plot_cell(&p->data, sb_buf_str(&b), 0);
	p->data.failed |= b.failed;
	sb_buf_release(&b);
}

static void add_pair(struct sb_plot *p, const struct pair *x, int y, const int n_trials[2], double *max)
{
	const struct sb_kernel *any = x->before ? x->before : x->after;
	struct sb_buf where = { 0 };

	sb_buf_addf(&p->data, "%d", y);
	sb_buf_addf(&where, "%s, %s", any->stage, any->op);
	sb_plot_cell(&p->data, sb_buf_str(&where), NAME_COLUMNS);
	p->data.failed |= where.failed;
	sb_buf_release(&where);
	sb_plot_cell(&p->data, x->before ? x->before->name : "(none)", NAME_COLUMNS);
	sb_plot_cell(&p->data, x->after ? x->after->name : n_trials[1] ? "(none)" : " ", NAME_COLUMNS);
	add_side(p, x->before, n_trials[0], max);
	add_side(p, x->after, n_trials[1], max);
	if (n_trials[1])
		add_words(p, x->before ? x->before->median_ns : NAN, x->after ? x->after->median_ns : NAN, true);
	else
		add_words(p, NAN, any->median_ns, false);
	sb_buf_puts(&p->data, "\n");
}

/* What the picture has no room for, so that its bars can be added up. */
static void add_rest(struct sb_plot *p, const struct pair *v, size_t from, size_t n, int y, bool two, double *max)
{
	double before = 0, after = 0;
	struct sb_buf words = { 0 };

	for (size_t i = from; i < n; i++) {
		before += v[i].before ? v[i].before->median_ns : 0;
		after += v[i].after ? v[i].after->median_ns : 0;
	}
	sb_buf_addf(&p->data, "%d\tall others\t%zu kernels\t \t%.10g\tNaN\tNaN", y, n - from, before / 1e6);
	sb_plot_number(&p->data, two ? after / 1e6 : NAN);
	sb_buf_puts(&p->data, "\tNaN\tNaN");
	add_words(p, two ? before : NAN, two ? after : before, two);
	sb_buf_puts(&p->data, "\n");
	sb_buf_release(&words);
	*max = fmax(*max, fmax(before, two ? after : 0) / 1e6);
}

static bool write_pairs(struct sb_plot *p, int before, int after, struct sb_kernels *k, struct pair *v)
{
	const int n_trials[2] = { k[0].n_trials, k[1].n_trials };
	size_t n = list_pairs(&k[0], &k[1], v), shown = n > ROWS ? ROWS : n;
	double max = 0;
	int rows = (int)shown;

	sb_buf_puts(&p->data,
	        "# columns: row, stage and op, kernel before, kernel after, then for each of the two: time in a "
	        "pass, median, interval from, to (ms); in words\n");
	for (size_t i = 0; i < shown; i++)
		add_pair(p, &v[i], (int)i + 1, n_trials, &max);
	if (shown < n)
		add_rest(p, v, shown, n, ++rows, after >= 0, &max);
	sb_plot_say_side(p, "before", before);
	sb_plot_say_side(p, "after", after);
	sb_plot_count(p, "two", after >= 0);
	sb_plot_count(p, "rows", rows);
	sb_plot_set(p, "max", 1.04 * max);
	sb_plot_count(p, "width", 1000);
	sb_plot_count(p, "height", FRAME_PX + ROW_PX * rows);
	p->n_trials = (size_t)(after >= 0 && n_trials[1] < n_trials[0] ? n_trials[1] : n_trials[0]);
	p->n_what = "trace trials per arm";
	sb_buf_addf(&p->caption,
	        "The %zu kernels of %zu that take most time in a pass, by stage and op%s. Bars: medians of the sums "
	        "over %zu trace "
	        "trials an arm, which are slower than passes without the tracer, with 95 %% intervals.",
	        shown, n,
	        after >= 0 ? "; those of the two arms are set against each other by rank within their op, since their "
	                     "names differ"
	                   : "",
	        p->n_trials);
	return true;
}

bool sb_plot_kernels(struct sb_plot *p)
{
	const struct sb_summary_group *g = &p->in->summary->groups[0];
	int arms[2] = { sb_plot_arm(p->in, g->before), sb_plot_arm(p->in, g->after) };
	struct sb_kernels k[2] = { { .n = 0 }, { .n = 0 } };
	struct sb_error err = { .msg = "" };
	struct pair *v = NULL;
	bool made = false;
	enum sb_status status = SB_OK;

	if (!p->in->store)
		return sb_plot_why(p, "the database is not open");
	for (int i = 0; i < 2 && !status; i++)
		if (arms[i] >= 0)
			status = sb_kernels_read(p->in, arms[i], &k[i], &err);
	if (arms[0] >= 0 && !k[0].n && k[1].n) { /* only the second arm was traced */
		struct sb_kernels none = k[0];

		k[0] = k[1];
		k[1] = none;
		arms[0] = arms[1];
	}
	if (!k[1].n)
		arms[1] = -1;
	sb_kernels_match(&k[0], &k[1]);
	v = malloc((k[0].n + k[1].n + 1) * sizeof(*v));
	if (status)
		sb_plot_why(p, "%s", err.msg);
	else if (!k[0].n)
		sb_plot_why(p, "no trace trial that was complete; run with --trace-blocks 1 or more");
	else if (v)
		made = write_pairs(p, arms[0], arms[1], k, v);
	p->data.failed |= !v;
	free(v);
	sb_kernels_release(&k[0]);
	sb_kernels_release(&k[1]);
	return made;
}
