/* Where the time goes: the calls of ops that take most of it, those of the two arms lined up. */
#include "report_internal.h"
#include "sb_ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 10, NAME_COLUMNS = 40 };

/* A row of the table: of calls, or of all together. */
struct told_row {
	const struct sb_ops *o;
	const struct sb_ops_row *row;
	char of[160]; /* which row it is, behind the figures' own words: "STAGE/OP#1", the first of its kind by time */
};

static double larger(const struct sb_ops_row *r)
{
	double a = r->ns[0].absent ? 0 : r->ns[0].v, b = r->ns[1].absent ? 0 : r->ns[1].v;

	return a > b ? a : b;
}

static int by_time(const void *a, const void *b)
{
	const struct sb_ops_row *x = *(const struct sb_ops_row *const *)a, *y = *(const struct sb_ops_row *const *)b;
	double u = larger(x), v = larger(y);
	int order = strcmp(x->stage, y->stage);

	if (u != v)
		return u < v ? 1 : -1;
	return order ? order : strcmp(x->op, y->op);
}

/* ---- cells ------------------------------------------------------------------------------------------------------ */

static void say_time(struct sb_report *r, const struct told_row *t, int side)
{
	const struct sb_ops_row *row = t->row;
	struct sb_value v = row->ns[side];
	double before = row->ns[0].absent ? 0 : row->ns[0].v, after = row->ns[1].absent ? 0 : row->ns[1].v;
	char text[48], what[200];

	sb_doc_cell(r->d);
	sb_report_value(v, sb_report_scale(SB_UNIT_TIME, before, after), 4, text);
	if (v.absent) {
		sb_doc_text(r->d, text);
		return;
	}
	snprintf(what, sizeof(what), "%s:%s", side ? "after" : "before", t->of);
	sb_doc_number(r->d, text,
	        &(struct sb_datum){ .metric = "ops",
	                .arm = t->o->arm[0],
	                .after = t->o->arm[1],
	                .what = what,
	                .unit = sb_unit_name(SB_UNIT_TIME),
	                .value = v.v });
}

static void say_ratio(struct sb_report *r, const struct told_row *t)
{
	char what[200];
	struct sb_told told = { .metric = "ops",
		.arm = t->o->arm[0],
		.after = t->o->arm[1],
		.what = what,
		.unit = "ratio",
		.effect = &t->row->ratio,
		.in = SB_UNIT_TIME,
		.compare = SB_COMPARE_RATIO };

	snprintf(what, sizeof(what), "ratio:%s", t->of);
	sb_doc_cell(r->d);
	if (t->row->found == SB_OPS_BOTH)
		sb_say_estimate(r, &told);
	else
		sb_doc_text(r->d, sb_ops_found_name(t->row->found));
	sb_doc_cell(r->d);
	sb_say_interval(r, &told);
}

static void say_calls(struct sb_report *r, const struct told_row *t)
{
	static const char *const sides[] = { "calls before", "calls after" };
	int n = 0;

	sb_doc_cell(r->d);
	for (int side = 0; side < 2; side++) {
		char text[32], what[200];

		if (!t->row->calls[side] || (side && t->row->calls[1] == t->row->calls[0]))
			continue;
		sb_say_separator(r, n++);
		snprintf(text, sizeof(text), "%lld", (long long)t->row->calls[side]);
		snprintf(what, sizeof(what), "%s:%s", sides[side], t->of);
		sb_doc_number(r->d, text,
		        &(struct sb_datum){ .metric = "ops",
		                .arm = t->o->arm[0],
		                .after = t->o->arm[1],
		                .what = what,
		                .value = (double)t->row->calls[side] });
	}
}

/* The heaviest kernel of a row in one arm; NULL: none. */
static const char *kernel_of(const struct sb_ops_row *r, int side)
{
	const struct sb_ops_kernel *best = NULL;

	for (size_t i = 0; i < r->n_kernels; i++)
		if (r->kernels[i].name[side] && (!best || r->kernels[i].ns[side].v > best->ns[side].v))
			best = &r->kernels[i];
	return best ? best->name[side] : NULL;
}

static void say_name(struct sb_report *r, const char *name)
{
	struct sb_buf shown = { 0 };

	sb_report_escape(&shown, name);
	if (shown.s && sb_display_width(shown.s) > NAME_COLUMNS) {
		shown.len = sb_display_head(shown.s, NAME_COLUMNS - 2);
		shown.s[shown.len] = '\0';
		sb_buf_puts(&shown, "..");
	}
	sb_doc_stored(r->d, sb_buf_str(&shown));
	sb_doc_release(r->d, &shown);
}

static void say_kernels(struct sb_report *r, const struct sb_ops_row *row)
{
	const char *before = kernel_of(row, 0), *after = kernel_of(row, 1);

	sb_doc_cell(r->d);
	if (before)
		say_name(r, before);
	if (before && after && !strcmp(before, after))
		return;
	if (before && after)
		sb_doc_text(r->d, " \xe2\x86\x92\xc2\xa0"); /* stays with the name after it */
	if (after)
		say_name(r, after);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static void table_row(struct sb_report *r, const struct told_row *t)
{
	if (t->o->by != SB_OPS_BY_TOTAL)
		say_calls(r, t);
	say_time(r, t, 0);
	say_time(r, t, 1);
	say_ratio(r, t);
}

/* The how-manieth of its stage and op the row is, in order of time. */
static int rank_of(const struct sb_ops_row *const *v, size_t i)
{
	int rank = 1;

	for (size_t k = 0; k < i; k++)
		rank += !strcmp(v[k]->stage, v[i]->stage) && !strcmp(v[k]->op, v[i]->op);
	return rank;
}

static void caption(struct sb_report *r, const struct sb_ops *o, size_t shown)
{
	sb_doc_text(r->d, "The calls of ops that take most time, ");
	sb_say_number(r, "ops", "shown", (double)shown);
	sb_doc_text(r->d, " of ");
	sb_say_number(r, "ops", "rows", (double)o->n_rows);
	sb_doc_text(r->d, " groups, those of the two arms lined up by stage");
	sb_doc_text(r->d, o->by == SB_OPS_BY_TOTAL
	                          ? " and op (no launch order was kept)"
	                          : ", op and order; calls with the same kernels and launch shapes are one group");
	sb_doc_text(r->d, ". Time of kernels, copies and sets in a pass: medians of ");
	sb_say_number(r, "ops", "trials", (double)o->pairs);
	sb_doc_text(r->d, o->pairs == 1 ? " trace trial. " : " trace trials of each arm. ");
	sb_doc_text(r->d, "The kernel is the heaviest of its row; ");
	sb_doc_code_span(r->d, "spabench compare --ops");
	sb_doc_text(r->d, " has them all.");
}

static void heads(struct sb_report *r, const struct sb_ops *o)
{
	static const char *const last[] = { "ratio", "95 % interval", "kernel" };

	sb_doc_row(r->d, SB_ROW_HEAD);
	sb_doc_cell(r->d);
	sb_doc_text(r->d, "stage");
	sb_doc_cell(r->d);
	sb_doc_text(r->d, "op");
	if (o->by != SB_OPS_BY_TOTAL) {
		sb_doc_cell(r->d);
		sb_doc_text(r->d, "calls");
	}
	for (int side = 0; side < 2; side++) {
		sb_doc_cell(r->d);
		sb_doc_stored(r->d, o->arm[side]);
	}
	for (size_t i = 0; i < SB_ARRAY_LEN(last); i++) {
		sb_doc_cell(r->d);
		sb_doc_text(r->d, last[i]);
	}
}

static void total_row(struct sb_report *r, const struct sb_ops *o)
{
	const struct told_row t = { .o = o, .row = &o->total };

	sb_doc_row(r->d, SB_ROW_BODY);
	sb_doc_cell(r->d);
	sb_doc_text(r->d, "all groups");
	sb_doc_cell(r->d);
	table_row(r, &t);
	sb_doc_cell(r->d);
}

void sb_report_kernels(struct sb_report *r)
{
	const struct sb_ops *o = r->in->ops;
	size_t shown = o && o->n_rows < ROWS ? o->n_rows : ROWS;
	const struct sb_ops_row **v;

	if (!o || !o->n_rows)
		return;
	v = malloc(o->n_rows * sizeof(*v));
	if (!v) {
		sb_doc_fail(r->d);
		return;
	}
	for (size_t i = 0; i < o->n_rows; i++)
		v[i] = &o->rows[i];
	qsort((void *)v, o->n_rows, sizeof(*v), by_time);
	sb_doc_table(r->d, "kernels-table", o->by == SB_OPS_BY_TOTAL ? "llrrrrl" : "llrrrrrl");
	caption(r, o, shown);
	heads(r, o);
	for (size_t i = 0; i < shown; i++) {
		struct told_row t = { .o = o, .row = v[i] };

		snprintf(t.of, sizeof(t.of), "%.60s/%.60s#%d", v[i]->stage, v[i]->op, rank_of(v, i));
		sb_doc_row(r->d, SB_ROW_BODY);
		sb_doc_cell(r->d);
		sb_doc_stored(r->d, *v[i]->stage ? v[i]->stage : "-");
		sb_doc_cell(r->d);
		sb_doc_stored(r->d, *v[i]->op ? v[i]->op : "-");
		table_row(r, &t);
		say_kernels(r, v[i]);
	}
	total_row(r, o);
	free((void *)v);
}
