#include "ops_internal.h"

#include <stdlib.h>
#include <string.h>

#define KIND_OF_CALLS_OF_THE_API "api"

/* ---- words ----------------------------------------------------------------------------------------------------- */

bool sb_ops_words_open(struct sb_ops_words *w, struct sb_summary_pool *pool)
{
	*w = (struct sb_ops_words){ .index = json_object(), .pool = pool };
	return w->index != NULL;
}

void sb_ops_words_close(struct sb_ops_words *w)
{
	json_decref(w->index);
	free((void *)w->text);
	*w = (struct sb_ops_words){ .index = NULL };
}

/* The number of a text, new or not; -1 when out of memory. */
static int32_t word_of(struct sb_ops_words *w, const char *text)
{
	const json_t *known = json_object_get(w->index, text);

	if (known)
		return (int32_t)json_integer_value(known);
	if (w->n == w->cap) {
		size_t more = w->cap ? 2 * w->cap : 256;
		const char **v = realloc((void *)w->text, more * sizeof(*v));

		if (!v)
			return -1;
		w->text = v;
		w->cap = more;
	}
	w->text[w->n] = sb_pool_str(w->pool, text);
	if (json_object_set_new_nocheck(w->index, text, json_integer((json_int_t)w->n)))
		return -1;
	return (int32_t)w->n++;
}

/* ---- a trial's rows as calls ------------------------------------------------------------------------------------ */

struct reader {
	struct sb_ops_words *words;
	const struct sb_trace_rows *rows;
	int32_t *word;    /* of each of the rows' names */
	bool *of_the_api; /* the same */
	struct sb_ops_calls out;
	int32_t no_word;
};

/* Names of the trial's rows that are calls of the API. */
static void mark_api(struct reader *r, const struct sb_rollups *sums)
{
	for (size_t i = 0; i < sums->n; i++) {
		if (strcmp(sums->v[i].kind, KIND_OF_CALLS_OF_THE_API) != 0)
			continue;
		for (size_t k = 0; k < r->rows->n_names; k++)
			if (!strcmp(r->rows->names[k], sums->v[i].name))
				r->of_the_api[k] = true;
	}
}

static uint64_t signature(const struct reader *r, const struct sb_trace_row *row, uint64_t so_far)
{
	int32_t key[7] = { r->word[row->name] };

	if (row->launch > 0) {
		memcpy(&key[1], r->rows->launches[row->launch - 1].grid, 3 * sizeof(*key));
		memcpy(&key[4], r->rows->launches[row->launch - 1].block, 3 * sizeof(*key));
	}
	return sb_fnv1a(so_far, key, sizeof(key));
}

static bool same_call(const struct sb_trace_row *a, const struct sb_trace_row *b, enum sb_ops_by by)
{
	return a->stage == b->stage && a->op == b->op && (by != SB_OPS_BY_CALL || a->op_call == b->op_call);
}

static void add_rows(struct reader *r)
{
	const struct sb_trace_row *last = NULL;
	struct sb_ops_calls *out = &r->out;

	for (size_t i = 0; i < r->rows->n; i++) {
		const struct sb_trace_row *row = &r->rows->v[i];
		struct sb_ops_call *call;

		if (r->of_the_api[row->name])
			continue;
		if (!last || !same_call(last, row, out->by))
			out->v[out->n++] = (struct sb_ops_call){
				.stage = row->stage < 0 ? r->no_word : r->word[row->stage],
				.op = row->op < 0 ? r->no_word : r->word[row->op],
				.signature = SB_FNV1A_INIT,
				.first = out->n_parts,
			};
		last = row;
		call = &out->v[out->n - 1];
		call->signature = signature(r, row, call->signature);
		call->n++;
		call->ns += (double)row->dur_ns;
		out->ns += (double)row->dur_ns;
		out->parts[out->n_parts++] = (struct sb_ops_part){ r->word[row->name], 1, (double)row->dur_ns };
	}
}

/* Every row but those of the API knows its call. */
static enum sb_ops_by by_of(const struct reader *r)
{
	for (size_t i = 0; i < r->rows->n; i++)
		if (!r->rows->v[i].op_call && r->rows->v[i].op >= 0 && !r->of_the_api[r->rows->v[i].name])
			return SB_OPS_BY_TURN;
	return SB_OPS_BY_CALL;
}

static enum sb_status from_rows(struct reader *r, const struct sb_rollups *sums, struct sb_error *err)
{
	r->word = malloc((r->rows->n_names + 1) * sizeof(*r->word));
	r->of_the_api = calloc(r->rows->n_names + 1, sizeof(*r->of_the_api));
	r->out.v = malloc((r->rows->n + 1) * sizeof(*r->out.v));
	r->out.parts = malloc((r->rows->n + 1) * sizeof(*r->out.parts));
	if (!r->word || !r->of_the_api || !r->out.v || !r->out.parts)
		return sb_fail(err, SB_E_NOMEM, "no memory for %zu rows of a trace", r->rows->n);
	for (size_t i = 0; i < r->rows->n_names; i++) {
		r->word[i] = word_of(r->words, r->rows->names[i]);
		if (r->word[i] < 0)
			return sb_fail(err, SB_E_NOMEM, "out of memory");
	}
	mark_api(r, sums);
	r->out.by = by_of(r);
	add_rows(r);
	return SB_OK;
}

/* ---- a trial's sums as calls ------------------------------------------------------------------------------------ */

/* Sums of one stage and op become one call. They come sorted by time, so a stage and op may come again. */
static enum sb_status from_sums(struct reader *r, const struct sb_rollups *sums, struct sb_error *err)
{
	struct sb_ops_calls *out = &r->out;
	char *taken = calloc(sums->n + 1, 1);

	out->v = malloc((sums->n + 1) * sizeof(*out->v));
	out->parts = malloc((sums->n + 1) * sizeof(*out->parts));
	out->by = SB_OPS_BY_TOTAL;
	for (size_t i = 0; taken && out->v && out->parts && i < sums->n; i++) {
		const struct sb_rollup *head = &sums->v[i];
		struct sb_ops_call call = { word_of(r->words, head->stage), word_of(r->words, head->op), 0,
			out->n_parts, 0, 0 };

		if (taken[i] || !strcmp(head->kind, KIND_OF_CALLS_OF_THE_API))
			continue;
		for (size_t k = i; k < sums->n; k++) {
			const struct sb_rollup *s = &sums->v[k];

			if (strcmp(s->stage, head->stage) || strcmp(s->op, head->op) ||
			        !strcmp(s->kind, KIND_OF_CALLS_OF_THE_API))
				continue;
			taken[k] = 1;
			out->parts[out->n_parts++] =
			        (struct sb_ops_part){ word_of(r->words, s->name), s->count, (double)s->dur_ns };
			call.n++;
			call.ns += (double)s->dur_ns;
		}
		out->ns += call.ns;
		out->v[out->n++] = call;
	}
	for (size_t i = 0; out->v && out->parts && i < out->n_parts; i++)
		if (out->parts[i].name < 0)
			taken = (free(taken), NULL);
	if (!taken || !out->v || !out->parts)
		return free(taken), sb_fail(err, SB_E_NOMEM, "no memory for %zu sums of a trace", sums->n);
	free(taken);
	return SB_OK;
}

static int by_place(const void *a, const void *b)
{
	const struct sb_ops_call *x = a, *y = b;

	return x->stage != y->stage ? (x->stage > y->stage) - (x->stage < y->stage) : (x->op > y->op) - (x->op < y->op);
}

enum sb_status sb_ops_read_calls(struct sb_store *st, int64_t trial_key, struct sb_ops_words *words,
        struct sb_ops_calls *out, struct sb_error *err)
{
	struct sb_trace_rows rows = { 0 };
	struct sb_rollups sums = { 0 };
	struct reader r = { .words = words, .rows = &rows, .no_word = word_of(words, "") };
	enum sb_status status = sb_store_read_rollup(st, trial_key, &sums, err);

	if (!status && r.no_word < 0)
		status = sb_fail(err, SB_E_NOMEM, "out of memory");
	if (!status)
		status = sb_store_read_trace(st, trial_key, &rows, err);
	if (!status)
		status = rows.n ? from_rows(&r, &sums, err) : from_sums(&r, &sums, err);
	if (!status && r.out.by == SB_OPS_BY_TOTAL)
		qsort(r.out.v, r.out.n, sizeof(*r.out.v), by_place);
	free(r.word);
	free(r.of_the_api);
	sb_rollups_release(&sums);
	sb_trace_rows_release(&rows);
	if (status)
		sb_ops_calls_release(&r.out);
	else
		*out = r.out;
	return status;
}

void sb_ops_calls_release(struct sb_ops_calls *c)
{
	free(c->v);
	free(c->parts);
	*c = (struct sb_ops_calls){ .v = NULL };
}
