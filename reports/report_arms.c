/* Every arm set beside the first one, the fastest first. */
#include "report_internal.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	const struct sb_summary_arm *arm;
	const struct sb_summary_group *g; /* with the arm in its second column; NULL: the base itself */
};

static const struct sb_summary_group *group_with(const struct sb_report *r, const char *arm)
{
	for (size_t i = 0; i < r->in->n_arms; i++) {
		const struct sb_summary_group *g = &r->in->arms[i].groups[0];

		if (g->after && !strcmp(g->after, arm))
			return g;
	}
	return NULL;
}

static struct sb_value time_of(const struct sb_report *r, const struct entry *e)
{
	const struct sb_summary_row *row = sb_group_row(e->g ? e->g : r->main, "wall_ns");

	if (!row)
		return sb_value_absent("not recorded");
	return e->g ? row->after : row->before;
}

/* Arms without a time come last, in the order of the plan. */
static void sort(const struct sb_report *r, struct entry *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		for (size_t k = i; k > 0; k--) {
			struct sb_value a = time_of(r, &v[k - 1]), b = time_of(r, &v[k]);
			struct entry t = v[k];

			if (b.absent || (!a.absent && a.v <= b.v))
				break;
			v[k] = v[k - 1];
			v[k - 1] = t;
		}
	}
}

static void cells_of(struct sb_report *r, const struct entry *e, const char *metric)
{
	const struct sb_summary_group *g = e->g ? e->g : r->main;
	const struct sb_summary_row *row = sb_group_row(g, metric);

	sb_doc_cell(r->d);
	if (row)
		sb_say_median(r, g, row, e->g != NULL, 4);
	sb_doc_cell(r->d);
	if (row && e->g) {
		struct sb_told t = sb_told_row(g, row);

		sb_say_estimate(r, &t);
		if (t.effect->has_interval || t.exact) {
			sb_doc_text(r->d, " (");
			sb_say_interval(r, &t);
			sb_doc_text(r->d, ")");
		}
	}
}

static void remark_of(struct sb_report *r, const struct entry *e)
{
	char number[16];
	int n = 0;

	sb_doc_cell(r->d);
	if (e->arm->emulated) {
		sb_doc_text(r->d, "emulated: ");
		sb_doc_stored(r->d, e->arm->emulated_parts);
		n++;
	}
	for (int o = SB_OUTCOME_OK + 1; o < SB_OUTCOME_COUNT; o++) {
		int trials = e->arm->n_trials[0][o] + e->arm->n_trials[1][o];

		if (!trials)
			continue;
		sb_say_separator(r, n++);
		snprintf(number, sizeof(number), "%d", trials);
		sb_doc_number(r->d, number,
		        &(struct sb_datum){ .metric = "trials",
		                .arm = e->arm->name,
		                .what = sb_outcome_names[o],
		                .value = trials });
		sb_doc_textf(r->d, " %s", sb_outcome_title((enum sb_outcome)o));
	}
}

static void print(struct sb_report *r, const struct entry *v, size_t n)
{
	static const char *const heads[] = { "arm", "time", "ratio", "memory of a trial", "ratio", "peak reserved",
		"ratio", "trials", "", NULL };

	sb_doc_table(r->d, "arms-table", "lrrrrrrrl");
	sb_doc_text(r->d, "All arms, the fastest first. Medians; ratios are to ");
	sb_doc_stored(r->d, r->main->before);
	sb_doc_text(r->d, ", with 95 % intervals. The last figure counts the timing trials that were ok.");
	sb_doc_heads(r->d, heads);
	for (size_t i = 0; i < n; i++) {
		char trials[16];

		sb_doc_row(r->d, SB_ROW_BODY);
		sb_doc_cell(r->d);
		sb_doc_stored(r->d, v[i].arm->name);
		cells_of(r, &v[i], "wall_ns");
		cells_of(r, &v[i], "memory.trial_bytes");
		cells_of(r, &v[i], "memory.reserved_peak_bytes");
		sb_doc_cell(r->d);
		snprintf(trials, sizeof(trials), "%d", v[i].arm->n_trials[0][SB_OUTCOME_OK]);
		sb_doc_number(r->d, trials,
		        &(struct sb_datum){ .metric = "trials.timing",
		                .arm = v[i].arm->name,
		                .what = "ok",
		                .value = v[i].arm->n_trials[0][SB_OUTCOME_OK] });
		remark_of(r, &v[i]);
	}
}

static void levels(struct sb_report *r)
{
	static const char *const heads[] = { "arm", "levels", NULL };

	sb_doc_table(r->d, "levels-table", "ll");
	sb_doc_text(r->d, "What each arm is: its level of every switch.");
	sb_doc_heads(r->d, heads);
	for (size_t i = 0; i < r->s->n_arms; i++) {
		struct sb_buf b = { 0 };

		for (const char *s = r->s->arms[i].levels; *s; s++)
			sb_buf_addf(&b, *s == ',' ? ", " : "%c", *s);
		sb_doc_row(r->d, SB_ROW_BODY);
		sb_doc_cell(r->d);
		sb_doc_stored(r->d, r->s->arms[i].name);
		sb_doc_cell(r->d);
		sb_doc_stored(r->d, sb_buf_str(&b));
		sb_doc_release(r->d, &b);
	}
}

void sb_report_arms(struct sb_report *r)
{
	struct entry *v = calloc(r->s->n_arms + 1, sizeof(*v));
	size_t n = 0;

	sb_doc_heading(r->d, 2, "arms", "All arms");
	for (size_t i = 0; v && i < r->s->n_arms; i++) {
		const struct sb_summary_arm *arm = &r->s->arms[i];
		const struct sb_summary_group *g = group_with(r, arm->name);

		if (g || !strcmp(arm->name, r->main->before))
			v[n++] = (struct entry){ arm, g };
	}
	if (v) {
		sort(r, v, n);
		print(r, v, n);
	} else {
		sb_doc_fail(r->d);
	}
	free(v);
	sb_report_plot(r, "arms");
	sb_report_plot(r, "time-memory");
	sb_report_plot(r, "sweep");
	sb_report_plot(r, "capacity");
	levels(r);
}
