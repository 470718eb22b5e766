/* Values of a run, arm by arm, and how an arm looks. */
#include "plots_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool sb_plot_counts(const struct sb_trial *t, enum sb_plot_trials kind)
{
	if (t->counters || strcmp(t->outcome, "ok") != 0)
		return false;
	return kind == SB_PLOT_TRACE ? t->trace && t->trace_complete : !t->trace;
}

static double one_sample(const struct sb_plots_input *in, size_t trial, const char *metric, size_t n)
{
	char name[128];
	int m;

	if (n >= sizeof(name))
		return NAN;
	memcpy(name, metric, n);
	name[n] = '\0';
	m = sb_samples_metric(in->samples, name);
	return m < 0 ? NAN : in->samples->value[trial * in->samples->n_metrics + (size_t)m];
}

double sb_plot_sample(const struct sb_plots_input *in, size_t trial, const char *metric)
{
	double sum = 0;

	for (;;) {
		size_t n = strcspn(metric, "+");

		sum += one_sample(in, trial, metric, n);
		if (!metric[n])
			return sum;
		metric += n + 1;
	}
}

int sb_plot_values(const struct sb_plots_input *in, int arm, const char *metric, enum sb_plot_trials kind, double *out)
{
	int n = 0;

	for (size_t i = 0; i < in->trials->n; i++) {
		const struct sb_trial *t = &in->trials->v[i];
		double x = t->arm == arm && sb_plot_counts(t, kind) ? sb_plot_sample(in, i, metric) : NAN;

		if (isfinite(x))
			out[n++] = x;
	}
	return n;
}

struct sb_interval sb_plot_interval(const struct sb_plots_input *in, const double *x, int n, enum sb_plot_trials kind)
{
	struct sb_interval none = { .mid = NAN, .lo = NAN, .hi = NAN, .coverage = NAN }, out = none;
	double level = in->summary->level[kind == SB_PLOT_TRACE];
	double *scratch = n ? malloc((size_t)n * sizeof(*scratch)) : NULL;

	if (!scratch)
		return none;
	sb_stats_median_interval(x, n, level >= 0.5 && level < 1 ? level : 0.95, scratch, &out);
	free(scratch);
	return out;
}

struct sb_interval sb_plot_median(
        const struct sb_plots_input *in, int arm, const char *metric, enum sb_plot_trials kind)
{
	struct sb_interval out = { .mid = NAN, .lo = NAN, .hi = NAN, .coverage = NAN };
	double *x = in->trials->n ? malloc(in->trials->n * sizeof(*x)) : NULL;

	if (x)
		out = sb_plot_interval(in, x, sb_plot_values(in, arm, metric, kind, x), kind);
	free(x);
	return out;
}

double sb_plot_lo(const struct sb_interval *i)
{
	return i->has_interval ? i->lo : i->mid;
}

double sb_plot_hi(const struct sb_interval *i)
{
	return i->has_interval ? i->hi : i->mid;
}

int sb_plot_arm(const struct sb_plots_input *in, const char *name)
{
	for (int a = 0; name && a < in->run->n_arms; a++)
		if (!strcmp(in->run->arms[a].name, name))
			return a;
	return -1;
}

/* ---- looks ------------------------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
	const char *arm;
	struct sb_plot_look look;
} looks[] = {
	{ "before", { 0x767676, 7 } },
	{ "after", { 0x0072b2, 5 } },
	{ "best", { 0xd55e00, 13 } },
	{ "+precision", { 0xe69f00, 9 } },
	{ "+attention", { 0x009e73, 11 } },
	{ "+alloc", { 0xcc79a7, 15 } },
	{ "+precision+attention", { 0x56b4e9, 4 } },
	{ "+precision+alloc", { 0xb8a900, 6 } },
	{ "+attention+alloc", { 0x8b5a2b, 8 } },
};
/* clang-format on */

static int look_of_name(const char *name)
{
	for (size_t i = 0; i < SB_ARRAY_LEN(looks); i++)
		if (!strcmp(looks[i].arm, name))
			return (int)i;
	return -1;
}

static bool is_taken(const struct sb_run *run, size_t look)
{
	for (int a = 0; a < run->n_arms; a++)
		if (look_of_name(run->arms[a].name) == (int)look)
			return true;
	return false;
}

/* An arm of another name takes a look that no arm of the run has; when there are none left, a mark of its own. */
struct sb_plot_look sb_plot_look(const struct sb_run *run, int arm)
{
	int known = look_of_name(run->arms[arm].name), before = 0;

	if (known >= 0)
		return looks[known].look;
	for (int a = 0; a < arm; a++)
		before += look_of_name(run->arms[a].name) < 0;
	for (size_t i = 1; i < SB_ARRAY_LEN(looks); i++)
		if (!is_taken(run, i) && before-- == 0)
			return looks[i].look;
	return (struct sb_plot_look){ looks[(size_t)arm % SB_ARRAY_LEN(looks)].look.rgb, 1 + arm % 15 };
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

enum { NAME_COLUMNS = 34 };

void sb_plot_key(struct sb_plot *p, int n)
{
	sb_buf_addf(&p->vars, "array arm[%d]\narray colour[%d]\narray mark[%d]\n", n, n, n);
}

void sb_plot_key_row(struct sb_plot *p, int row, const char *arm, struct sb_plot_look look)
{
	struct sb_buf shown = { 0 };

	sb_plot_field(&shown, arm, NAME_COLUMNS);
	sb_buf_addf(&p->vars, "arm[%d] = '%s'\ncolour[%d] = %u\nmark[%d] = %d\n", row, sb_buf_str(&shown), row,
	        look.rgb, row, look.mark);
	p->vars.failed |= shown.failed;
	sb_buf_release(&shown);
}

void sb_plot_say_side(struct sb_plot *p, const char *side, int arm)
{
	struct sb_buf shown = { 0 };

	if (arm >= 0)
		sb_plot_field(&shown, p->in->run->arms[arm].name, NAME_COLUMNS);
	sb_buf_addf(&p->vars, "%s_name = '%s'\n%s_colour = '#%06x'\n", side, sb_buf_str(&shown), side,
	        arm >= 0 ? sb_plot_look(p->in->run, arm).rgb : 0);
	p->vars.failed |= shown.failed;
	sb_buf_release(&shown);
}

void sb_plot_say_arms(struct sb_plot *p)
{
	const struct sb_run *run = p->in->run;

	sb_buf_addf(&p->vars, "arms = %d\n", run->n_arms);
	sb_plot_key(p, run->n_arms);
	for (int a = 0; a < run->n_arms; a++)
		sb_plot_key_row(p, a + 1, run->arms[a].name, sb_plot_look(run, a));
}
