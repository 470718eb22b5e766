/* Claims: the interval that was measured, and the band that was expected. */
#include "plots_internal.h"

#include <math.h>

enum { ROW_PX = 44, FRAME_PX = 96, REST_PX = 30 };

/* Claims with an upper limit alone have values of different units: they are drawn as parts of that limit. */
static bool is_limit(const struct sb_summary_claim *c)
{
	return !isfinite(c->band_lo);
}

static void add_text(struct sb_plot *p, const struct sb_summary_claim *c)
{
	struct sb_buf b = { 0 };

	if (!c->effect.estimate.absent && c->verdict != SB_VERDICT_NOT_TESTED) {
		sb_plot_effect(&b, &c->effect, c->unit, c->unit == SB_UNIT_RATIO ? SB_COMPARE_RATIO : SB_COMPARE_PLAIN);
		sb_buf_addf(&b, ", %d pairs, ", c->effect.pairs);
	}
	sb_buf_puts(&b, sb_verdict_name(c->verdict));
	sb_plot_cell(&p->data, sb_buf_str(&b), 60);
	p->data.failed |= b.failed;
	sb_buf_release(&b);
}

static void add_claim(struct sb_plot *p, const struct sb_summary_claim *c, int y, double *max)
{
	const struct sb_effect *e = &c->effect;
	double unit = is_limit(c) ? c->band_hi : 1.0;
	/* A claim that is not tested has no figure here, as in the table: it is not the claim's. */
	bool none = e->estimate.absent || c->verdict == SB_VERDICT_NOT_TESTED;
	double mid = none ? NAN : e->estimate.v / unit;
	double lo = e->has_interval && isfinite(mid) ? e->lo / unit : mid;
	double hi = e->has_interval && isfinite(mid) ? e->hi / unit : mid;

	sb_buf_addf(&p->data, "%d", y);
	sb_plot_cell(&p->data, c->label, 28);
	sb_plot_number(&p->data, is_limit(c) ? 0 : c->band_lo);
	sb_plot_number(&p->data, c->band_hi / unit);
	sb_plot_number(&p->data, mid);
	sb_plot_number(&p->data, lo);
	sb_plot_number(&p->data, hi);
	add_text(p, c);
	sb_buf_addf(&p->data, "\t%d", c->verdict == SB_VERDICT_NOT_TESTED);
	sb_plot_cell(&p->data, c->expected, 24);
	sb_buf_puts(&p->data, "\n");
	*max = fmax(*max, fmax(c->band_hi / unit, isfinite(hi) ? hi : 0));
}

static int add_panel(struct sb_plot *p, bool limits, double *max)
{
	const struct sb_summary *s = p->in->summary;
	int n = 0;

	for (size_t i = 0; i < s->n_claims; i++)
		if (is_limit(&s->claims[i]) == limits)
			add_claim(p, &s->claims[i], ++n, max);
	return n;
}

static bool any_figure(const struct sb_summary *s)
{
	for (size_t i = 0; i < s->n_claims; i++)
		if (!s->claims[i].effect.estimate.absent)
			return true;
	return false;
}

/* Of the claims that have a figure; those on ops rest on other blocks than the total. */
static void say_pairs(struct sb_plot *p)
{
	const struct sb_summary *s = p->in->summary;
	int least = 0, most = 0;

	for (size_t i = 0; i < s->n_claims; i++) {
		int n = s->claims[i].effect.pairs;

		if (s->claims[i].effect.estimate.absent || n < 1)
			continue;
		least = !least || n < least ? n : least;
		most = n > most ? n : most;
	}
	if (least < most)
		sb_buf_addf(&p->caption, "%d to ", least);
	sb_plot_how_many(&p->caption, (size_t)most, "pair");
	sb_buf_addf(&p->caption, ", %s",
	        least < SB_STATS_MIN_PAIRS && most >= SB_STATS_MIN_PAIRS ? "with 95 % intervals from six on"
	                                                                 : sb_plot_intervals((size_t)most));
}

bool sb_plot_claims(struct sb_plot *p)
{
	double max[2] = { 1.0, 1.0 };
	int n[2];

	if (!p->in->summary->n_claims || !any_figure(p->in->summary))
		return sb_plot_why(p, "no claim has a figure in this run");
	sb_buf_puts(&p->data,
	        "# columns: row, claim, band from, band to, estimate, interval from, interval to, in words, 1: not "
	        "tested, expected\n"
	        "# the first block: after / before; the second: values as parts of the limit that was claimed\n");
	n[0] = add_panel(p, false, &max[0]);
	sb_buf_puts(&p->data, "\n\n");
	n[1] = add_panel(p, true, &max[1]);
	sb_plot_count(p, "ratios", n[0]);
	sb_plot_count(p, "limits", n[1]);
	sb_plot_set(p, "max_ratio", 1.08 * max[0]);
	sb_plot_set(p, "max_limit", 1.2 * max[1]);
	sb_plot_set(p, "row_px", ROW_PX);
	sb_plot_set(p, "frame_px", FRAME_PX);
	sb_plot_count(p, "width", 940);
	sb_plot_count(p, "height", REST_PX + ROW_PX * (n[0] + n[1]) + FRAME_PX * ((n[0] > 0) + (n[1] > 0)));
	sb_buf_puts(&p->caption, "Shaded: what was expected. Points and bars: the estimate over ");
	say_pairs(p);
	sb_buf_puts(&p->caption,
	        "; without a mark: not tested, with the reason in the table of claims. Above: after / before, where "
	        "less is better. Below: values as parts of the limit that was claimed.");
	return true;
}
