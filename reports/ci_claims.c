/* The claims of a table as cases. */
#include "reports_internal.h"
#include "sb_ci.h"

#include <stdio.h>
#include <string.h>

static enum sb_ci_outcome outcome_of(enum sb_verdict v)
{
	switch (v) {
	case SB_VERDICT_MET:
	case SB_VERDICT_EXCEEDED:
	case SB_VERDICT_MET_OR_EXCEEDED:
		return SB_CI_PASSED;
	case SB_VERDICT_NOT_MET:
		return SB_CI_FAILED;
	default:
		return SB_CI_OPEN;
	}
}

/*
 * "claimed 2-3x, expected 0.333..0.500; measured 0.412 (0.401..0.422), 6 pairs; before -> +precision". Why nothing was
 * tested comes first.
 */
static void sentence(const struct sb_summary_claim *c, struct sb_buf *b)
{
	char estimate[48], interval[96];

	sb_report_effect(&c->effect, c->unit, c->unit == SB_UNIT_RATIO ? SB_COMPARE_RATIO : SB_COMPARE_PLAIN, false,
	        estimate, interval);
	if (c->reason)
		sb_buf_addf(b, "%s; ", c->reason);
	sb_buf_addf(b, "claimed %s, expected %s", c->stated, c->expected);
	if (!c->effect.estimate.absent) {
		sb_buf_addf(b, "; measured %s", estimate);
		if (c->effect.has_interval)
			sb_buf_addf(b, " (%s)", interval);
		sb_buf_addf(b, ", %d pair%s", c->effect.pairs, c->effect.pairs == 1 ? "" : "s");
	}
	if (c->before && c->after)
		sb_buf_addf(b, "; %s -> %s", c->before, c->after);
	if (c->behind)
		sb_buf_addf(b, "; %s", c->behind);
}

static void add_claim(struct sb_ci_report *r, const struct sb_summary_claim *c)
{
	struct sb_buf text = { 0 };
	struct sb_ci_case *added;

	sentence(c, &text);
	added = sb_ci_add_case(
	        r, "claims", c->label, outcome_of(c->verdict), sb_verdict_name(c->verdict), sb_buf_str(&text));
	if (added && c->verdict == SB_VERDICT_NOT_TESTED)
		added->notable = false;
	r->failed |= text.failed;
	sb_buf_release(&text);
}

static void add_facts(struct sb_ci_report *r, const struct sb_summary *s)
{
	char size[96];

	sb_ci_add_fact(r, "run", s->run_id);
	sb_ci_add_fact(r, "status", s->status);
	sb_ci_add_fact(r, "device", s->device);
	sb_ci_add_fact(r, "workload", s->workload);
	sb_ci_add_fact(r, "preset", s->preset);
	sb_ci_add_fact(r, "weights", s->weights_kind);
	sb_ci_add_fact(r, "clip", s->clip);
	snprintf(size, sizeof(size), "%d frames of %dx%d", s->frames, s->width, s->height);
	sb_ci_add_fact(r, "size", s->frames ? size : NULL);
	sb_ci_add_fact(r, "note", s->note);
}

void sb_ci_of_claims(struct sb_ci_report *r, const struct sb_summary *s)
{
	size_t failed, open, undecided = 0;
	char verdict[160];

	sb_ci_begin(r, "spabench compare", s->created_ns, 0.0, s->host); /* comparing takes none */
	add_facts(r, s);
	for (size_t i = 0; i < s->n_claims; i++)
		add_claim(r, &s->claims[i]);
	for (size_t i = 0; i < r->n_cases; i++)
		undecided += r->cases[i].outcome == SB_CI_OPEN && r->cases[i].notable;
	failed = sb_ci_count(r, SB_CI_FAILED);
	open = sb_ci_count(r, SB_CI_OPEN);
	snprintf(verdict, sizeof(verdict),
	        "of %zu claims %zu met or exceeded, %zu not met, %zu inconclusive, %zu not tested", s->n_claims,
	        s->n_claims - failed - open, failed, undecided, open - undecided);
	sb_ci_set_verdict(r, failed ? SB_CI_FAILED : undecided ? SB_CI_OPEN : SB_CI_PASSED, verdict);
}
