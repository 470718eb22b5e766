#include "ops_internal.h"
#include "sb_fingerprint.h"
#include "sb_stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEVEL_OF_TRACE_BLOCKS sb_stats_level(SB_STATS_MIN_PAIRS, SB_STATS_STOP_MAX, SB_STATS_MIN_PAIRS)

const char *sb_ops_found_name(enum sb_ops_found found)
{
	return found == SB_OPS_BOTH ? "both" : found == SB_OPS_ADDED ? "added" : "vanished";
}

/* A kernel of one side of a row, over the trials of that side. */
struct slot {
	int32_t name;
	int64_t count; /* in the first trial */
};

/* What becomes a row. */
struct class
{
	int64_t example[2]; /* a call of the first trial of each side, or -1 */
	int64_t calls[2];
	size_t slot[2], n_slots[2];
};

/* A call of the one, or of the other, or both. */
struct pairing {
	const struct sb_ops_call *call[2];
	int64_t at[2]; /* -1: none */
};

struct side {
	struct sb_store *st;
	struct sb_run run;
	struct sb_trials trials;
	int arm;
	int64_t *key; /* of the trials that count */
	int n;
	struct sb_ops_calls first;
	int64_t *symbol;   /* of the first's calls */
	int32_t *class_of; /* the same */
	struct slot *slots;
	size_t n_slots;
	double *ns, *slot_ns, *total; /* [n][classes], [n][n_slots], [n] */
	int64_t odd_calls;            /* in other trials, that the first has no place for */
	int odd_trials;
};

struct work {
	struct side side[2];
	struct sb_ops_words words;
	struct class *classes;
	size_t n_classes;
	double *col[2], *scratch; /* [n], [n], [2 n] */
	struct sb_ops *out;
};

static enum sb_status no_memory(struct sb_error *err)
{
	return sb_fail(err, SB_E_NOMEM, "no memory for the calls of ops");
}

/* ---- lining up -------------------------------------------------------------------------------------------------- */

static int64_t *symbols_of(const struct sb_ops_calls *c)
{
	int64_t *s = malloc((c->n + 1) * sizeof(*s));

	for (size_t i = 0; s && i < c->n; i++)
		s[i] = (int64_t)c->v[i].stage * (INT64_C(1) << 32) + c->v[i].op;
	return s;
}

static int by_class(const void *a, const void *b)
{
	const struct pairing *x = a, *y = b;
	const struct sb_ops_call *p = x->call[x->call[0] ? 0 : 1], *q = y->call[y->call[0] ? 0 : 1];

	if (p->stage != q->stage)
		return p->stage < q->stage ? -1 : 1;
	if (p->op != q->op)
		return p->op < q->op ? -1 : 1;
	for (int side = 0; side < 2; side++) {
		bool u = x->call[side] != NULL, v = y->call[side] != NULL;

		if (u != v)
			return u ? -1 : 1;
		if (u && x->call[side]->signature != y->call[side]->signature)
			return x->call[side]->signature < y->call[side]->signature ? -1 : 1;
	}
	return 0;
}

/* Every call of both first trials once -> *out; their number, or -1 without memory. */
static int64_t make_pairings(struct work *w, const int64_t *match, struct pairing **out)
{
	const struct sb_ops_calls *a = &w->side[0].first, *b = &w->side[1].first;
	struct pairing *v = malloc((a->n + b->n + 1) * sizeof(*v));
	char *taken = calloc(b->n + 1, 1);
	int64_t n = 0;

	for (size_t i = 0; v && taken && i < a->n; i++) {
		int64_t j = match[i];

		v[n++] = (struct pairing){ { &a->v[i], j < 0 ? NULL : &b->v[j] }, { (int64_t)i, j } };
		if (j >= 0)
			taken[j] = 1;
		w->out->lined_up += j >= 0;
	}
	for (size_t j = 0; v && taken && j < b->n; j++)
		if (!taken[j])
			v[n++] = (struct pairing){ { NULL, &b->v[j] }, { -1, (int64_t)j } };
	if (!v || !taken)
		n = -1;
	free(taken);
	*out = v;
	return n;
}

static void number_classes(struct work *w, struct pairing *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_class);
	for (size_t i = 0; i < n; i++) {
		struct class *c;

		if (i == 0 || by_class(&v[i - 1], &v[i]))
			w->classes[w->n_classes++] = (struct class){ .example = { v[i].at[0], v[i].at[1] } };
		c = &w->classes[w->n_classes - 1];
		for (int side = 0; side < 2; side++) {
			if (v[i].at[side] < 0)
				continue;
			c->calls[side]++;
			w->side[side].class_of[v[i].at[side]] = (int32_t)(w->n_classes - 1);
		}
	}
}

static enum sb_status line_up(struct work *w, struct sb_error *err)
{
	struct side *a = &w->side[0], *b = &w->side[1];
	struct pairing *pairings = NULL;
	enum sb_status status = SB_OK;
	int64_t *match, n = -1;

	for (int side = 0; side < 2; side++) {
		struct side *s = &w->side[side];

		s->symbol = symbols_of(&s->first);
		s->class_of = malloc((s->first.n + 1) * sizeof(*s->class_of));
		w->out->calls[side] = (int64_t)s->first.n;
	}
	match = malloc((a->first.n + 1) * sizeof(*match));
	if (!match || !a->symbol || !b->symbol || !a->class_of || !b->class_of)
		status = no_memory(err);
	if (!status)
		status = sb_ops_align(a->symbol, a->first.n, b->symbol, b->first.n, match, err);
	if (!status && (n = make_pairings(w, match, &pairings)) < 0)
		status = no_memory(err);
	if (!status) {
		w->classes = malloc(((size_t)n + 1) * sizeof(*w->classes));
		status = w->classes ? SB_OK : no_memory(err);
	}
	if (!status)
		number_classes(w, pairings, (size_t)n);
	free(pairings);
	free(match);
	return status;
}

/* ---- sums over trials -------------------------------------------------------------------------------------------- */

static struct slot *find_slot(const struct side *s, const struct class *c, int side, int32_t name)
{
	for (size_t k = c->slot[side]; k < c->slot[side] + c->n_slots[side]; k++)
		if (s->slots[k].name == name)
			return &s->slots[k];
	return NULL;
}

static enum sb_status make_slots(struct work *w, int side, struct sb_error *err)
{
	struct side *s = &w->side[side];

	s->slots = malloc((s->first.n_parts + 1) * sizeof(*s->slots));
	if (!s->slots)
		return no_memory(err);
	for (size_t i = 0; i < w->n_classes; i++) {
		struct class *c = &w->classes[i];
		const struct sb_ops_call *call;

		c->slot[side] = s->n_slots;
		if (c->example[side] < 0)
			continue;
		call = &s->first.v[c->example[side]];
		for (size_t k = call->first; k < call->first + call->n; k++) {
			if (find_slot(s, c, side, s->first.parts[k].name))
				continue;
			s->slots[s->n_slots++] = (struct slot){ s->first.parts[k].name, 0 };
			c->n_slots[side]++;
		}
	}
	s->ns = calloc((size_t)s->n * w->n_classes + 1, sizeof(*s->ns));
	s->slot_ns = calloc((size_t)s->n * s->n_slots + 1, sizeof(*s->slot_ns));
	s->total = calloc((size_t)s->n + 1, sizeof(*s->total));
	return s->ns && s->slot_ns && s->total ? SB_OK : no_memory(err);
}

/* Add a trial's call to the class of the first trial's call at `place`. */
static void add_call(struct work *w, int side, int trial, const struct sb_ops_calls *calls, size_t i, int64_t place)
{
	struct side *s = &w->side[side];
	int32_t k = s->class_of[place];
	const struct class *c = &w->classes[k];
	const struct sb_ops_call *call = &calls->v[i];

	s->ns[(size_t)trial * w->n_classes + (size_t)k] += call->ns;
	for (size_t p = call->first; p < call->first + call->n; p++) {
		struct slot *slot = find_slot(s, c, side, calls->parts[p].name);

		if (!slot)
			continue;
		s->slot_ns[(size_t)trial * s->n_slots + (size_t)(slot - s->slots)] += calls->parts[p].ns;
		if (trial == 0)
			slot->count += calls->parts[p].count;
	}
}

static enum sb_status add_trial(
        struct work *w, int side, int trial, const struct sb_ops_calls *calls, struct sb_error *err)
{
	struct side *s = &w->side[side];
	int64_t *match = malloc((calls->n + 1) * sizeof(*match)), *symbol = symbols_of(calls), odd = 0;
	enum sb_status status = match && symbol ? SB_OK : no_memory(err);

	if (!status)
		status = sb_ops_align(symbol, calls->n, s->symbol, s->first.n, match, err);
	for (size_t i = 0; !status && i < calls->n; i++) {
		if (match[i] >= 0)
			add_call(w, side, trial, calls, i, match[i]);
		odd += match[i] < 0;
	}
	s->total[trial] = calls->ns;
	s->odd_calls += odd;
	s->odd_trials += odd > 0;
	free(match);
	free(symbol);
	return status;
}

static enum sb_status add_trials(struct work *w, int side, struct sb_error *err)
{
	struct side *s = &w->side[side];
	enum sb_status status = add_trial(w, side, 0, &s->first, err);

	for (int t = 1; !status && t < s->n; t++) {
		struct sb_ops_calls calls;

		status = sb_ops_read_calls(s->st, s->key[t], &w->words, &calls, err);
		if (status)
			break;
		if (calls.by != s->first.by)
			status = sb_fail(err, SB_E_DATA,
			        "run '%.12s': some of its traces have rows and others only their sums", s->run.id);
		else
			status = add_trial(w, side, t, &calls, err);
		sb_ops_calls_release(&calls);
	}
	return status;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static double median_of(struct work *w, const double *v, size_t stride, int n)
{
	for (int t = 0; t < n; t++)
		w->scratch[t] = v[(size_t)t * stride];
	return sb_stats_median(w->scratch, n, w->scratch + n);
}

static void set_median(struct work *w, const double *v, size_t stride, int side, struct sb_ops_row *row)
{
	int n = w->side[side].n;
	struct sb_interval i;

	row->ns[side] = sb_value_of(median_of(w, v, stride, n)); /* leaves the values in scratch */
	sb_stats_median_interval(w->scratch, n, LEVEL_OF_TRACE_BLOCKS, w->scratch + n, &i);
	row->lo[side] = i.lo;
	row->hi[side] = i.hi;
}

/* Figures of a row from values that lie `stride` apart, trial by trial. */
static void set_times(
        struct work *w, struct sb_ops_row *row, const double *before, const double *after, const size_t stride[2])
{
	const double *from[2] = { before, after };

	for (int side = 0; side < 2; side++) {
		row->lo[side] = row->hi[side] = NAN;
		if (from[side])
			set_median(w, from[side], stride[side], side, row);
		else
			row->ns[side] = sb_value_absent(sb_ops_found_name(row->found));
		row->change_ns += (side ? 1 : -1) * (from[side] ? row->ns[side].v : 0.0);
	}
	row->ratio.estimate = sb_value_absent(sb_ops_found_name(row->found));
	if (row->found != SB_OPS_BOTH)
		return;
	if (w->out->pairs) {
		for (int side = 0; side < 2; side++)
			for (int t = 0; t < w->out->pairs; t++)
				w->col[side][t] = from[side][(size_t)t * stride[side]];
		sb_effect_ratio(w->col[0], w->col[1], w->out->pairs, LEVEL_OF_TRACE_BLOCKS, w->scratch, &row->ratio);
	} else if (row->ns[0].v > 0) {
		row->ratio.estimate = sb_value_of(row->ns[1].v / row->ns[0].v);
	} else {
		row->ratio.estimate = sb_value_absent("before is 0");
	}
}

static enum sb_status set_kernels(struct work *w, const struct class *c, struct sb_ops_row *row, struct sb_error *err)
{
	struct sb_ops_side_kernel *v[2] = { NULL, NULL };
	bool lost = false;

	for (int side = 0; side < 2; side++) {
		struct side *s = &w->side[side];

		v[side] = malloc((c->n_slots[side] + 1) * sizeof(*v[side]));
		for (size_t k = 0; v[side] && k < c->n_slots[side]; k++) {
			size_t at = c->slot[side] + k;

			v[side][k] = (struct sb_ops_side_kernel){ s->slots[at].name, s->slots[at].count,
				median_of(w, s->slot_ns + at, s->n_slots, s->n) };
		}
		lost |= !v[side];
	}
	if (!lost)
		sb_ops_pair_kernels(w->out->pool, &w->words, v[0], c->n_slots[0], v[1], c->n_slots[1], row);
	free(v[0]);
	free(v[1]);
	return lost ? no_memory(err) : SB_OK;
}

static double size_of_change(const struct sb_ops_row *r)
{
	return r->change_ns < 0 ? -r->change_ns : r->change_ns;
}

static int by_change(const void *a, const void *b)
{
	const struct sb_ops_row *x = a, *y = b;
	double u = size_of_change(x), v = size_of_change(y);
	int order = strcmp(x->stage, y->stage);

	if (u != v)
		return u < v ? 1 : -1;
	return order ? order : strcmp(x->op, y->op);
}

/* Where the whole did not change, parts of its change say nothing. */
static bool whole_changed(const struct sb_ops_row *total)
{
	if (total->ratio.has_interval)
		return total->ratio.lo > 1.0 || total->ratio.hi < 1.0;
	return size_of_change(total) > 0.01 * total->ns[0].v;
}

static void set_shares(struct sb_ops *o)
{
	bool changed = whole_changed(&o->total);

	for (size_t i = 0; i < o->n_rows; i++)
		o->rows[i].share = changed ? sb_value_of(o->rows[i].change_ns / o->total.change_ns)
		                           : sb_value_absent("the whole has not changed measurably");
	o->total.share = sb_value_absent("the whole");
}

static enum sb_status make_rows(struct work *w, struct sb_error *err)
{
	const size_t one[2] = { 1, 1 }, all[2] = { w->n_classes, w->n_classes };
	struct sb_ops *o = w->out;
	enum sb_status status = SB_OK;

	o->rows = sb_pool_alloc(o->pool, (w->n_classes + 1) * sizeof(*o->rows));
	if (!o->rows)
		return no_memory(err);
	o->total = (struct sb_ops_row){ .found = SB_OPS_BOTH, .stage = "", .op = "" };
	for (int side = 0; side < 2 && o->by != SB_OPS_BY_TOTAL; side++)
		o->total.calls[side] = o->calls[side];
	set_times(w, &o->total, w->side[0].total, w->side[1].total, one);
	for (size_t i = 0; !status && i < w->n_classes; i++) {
		const struct class *c = &w->classes[i];
		int of = c->example[0] >= 0 ? 0 : 1;
		const struct sb_ops_call *call = &w->side[of].first.v[c->example[of]];
		struct sb_ops_row *row = &o->rows[o->n_rows++];

		row->found = c->example[1] < 0 ? SB_OPS_VANISHED : c->example[0] < 0 ? SB_OPS_ADDED : SB_OPS_BOTH;
		row->stage = w->words.text[call->stage];
		row->op = w->words.text[call->op];
		for (int side = 0; side < 2 && o->by != SB_OPS_BY_TOTAL; side++)
			row->calls[side] = c->calls[side];
		set_times(w, row, c->example[0] < 0 ? NULL : w->side[0].ns + i,
		        c->example[1] < 0 ? NULL : w->side[1].ns + i, all);
		status = set_kernels(w, c, row, err);
	}
	set_shares(o);
	qsort(o->rows, o->n_rows, sizeof(*o->rows), by_change);
	return status;
}

/* ---- notes ------------------------------------------------------------------------------------------------------ */

static void note(struct sb_ops *o, const char *text)
{
	o->notes[o->n_notes++] = text;
}

static enum sb_status make_notes(struct work *w, struct sb_error *err)
{
	struct sb_ops *o = w->out;

	o->notes = sb_pool_alloc(o->pool, 6 * sizeof(*o->notes));
	if (!o->notes)
		return no_memory(err);
	if (o->by == SB_OPS_BY_TURN)
		note(o, "this database does not say which rows of a trace are one call of an op (it is older than "
		        "that): calls of one op that follow each other count as one");
	if (o->by == SB_OPS_BY_TOTAL)
		note(o, "no rows of traces were kept here, only their sums: each op of a stage is one row, and its "
		        "kernels are lined up by name and weight");
	if (!o->pairs)
		note(o, "two runs of different times, so not pairs: medians, and no interval");
	else if (o->pairs < SB_STATS_MIN_PAIRS)
		note(o, sb_pool_fmt(o->pool,
		                "%d trace block%s with both arms: intervals need %d ('run --trace-blocks %d')",
		                o->pairs, o->pairs == 1 ? "" : "s", SB_STATS_MIN_PAIRS, SB_STATS_MIN_PAIRS));
	for (int side = 0; side < 2; side++)
		if (w->side[side].odd_calls)
			note(o, sb_pool_fmt(o->pool,
			                "%s: %lld calls of ops in %d of its traces have no place in the first one and "
			                "are "
			                "in the total alone",
			                o->arm[side], (long long)w->side[side].odd_calls, w->side[side].odd_trials));
	return SB_OK;
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

static enum sb_status compute(struct work *w, struct sb_error *err)
{
	size_t most = (size_t)(w->side[0].n > w->side[1].n ? w->side[0].n : w->side[1].n);
	enum sb_status status = SB_OK;

	if (!sb_ops_words_open(&w->words, w->out->pool))
		return no_memory(err);
	for (int i = 0; i < 2; i++)
		w->col[i] = sb_pool_alloc(w->out->pool, most * sizeof(double));
	w->scratch = sb_pool_alloc(w->out->pool, 2 * most * sizeof(double));
	if (!w->col[0] || !w->col[1] || !w->scratch)
		return no_memory(err);
	for (int side = 0; side < 2 && !status; side++)
		status =
		        sb_ops_read_calls(w->side[side].st, w->side[side].key[0], &w->words, &w->side[side].first, err);
	for (int side = 0; side < 2 && !status; side++)
		if (!w->side[side].first.n)
			status = sb_fail(err, SB_E_DATA, "run '%.12s': the trace of '%.64s' is empty",
			        w->side[side].run.id, w->side[side].run.arms[w->side[side].arm].name);
	if (!status && (w->side[0].first.by == SB_OPS_BY_TOTAL) != (w->side[1].first.by == SB_OPS_BY_TOTAL))
		status = sb_fail(err, SB_E_DATA,
		        "rows of traces were kept of one of the two alone, so their calls cannot be lined up");
	if (!status) {
		w->out->by = w->side[0].first.by > w->side[1].first.by ? w->side[0].first.by : w->side[1].first.by;
		status = line_up(w, err);
	}
	for (int side = 0; side < 2 && !status; side++)
		status = make_slots(w, side, err);
	for (int side = 0; side < 2 && !status; side++)
		status = add_trials(w, side, err);
	if (!status)
		status = make_rows(w, err);
	if (!status)
		status = make_notes(w, err);
	if (!status && sb_pool_failed(w->out->pool))
		status = no_memory(err);
	return status;
}

static void close_side(struct side *s)
{
	sb_trials_release(&s->trials);
	sb_run_release(&s->run);
	sb_ops_calls_release(&s->first);
	free(s->key);
	free(s->symbol);
	free(s->class_of);
	free(s->slots);
	free(s->ns);
	free(s->slot_ns);
	free(s->total);
}

static bool is_usable(const struct side *s, const struct sb_trial *t)
{
	return t->arm == s->arm && t->trace && t->trace_complete && !t->counters &&
	       !strcmp(t->outcome, sb_outcome_names[SB_OUTCOME_OK]);
}

/* The last usable trial of the arm in a block, as everywhere; NULL: none. */
static const struct sb_trial *trial_of(const struct side *s, int block)
{
	for (size_t i = s->trials.n; i-- > 0;)
		if (s->trials.v[i].block == block && is_usable(s, &s->trials.v[i]))
			return &s->trials.v[i];
	return NULL;
}

static enum sb_status open_side(
        struct side *s, struct sb_store *st, int64_t run_key, const char *arm, struct sb_error *err)
{
	enum sb_status status = sb_store_read_run(st, run_key, &s->run, err);

	s->st = st;
	if (!status)
		status = sb_store_read_trials(st, run_key, &s->trials, err);
	if (status)
		return status;
	s->key = malloc((s->trials.n + 1) * sizeof(*s->key));
	if (!s->key)
		return no_memory(err);
	for (s->arm = 0; s->arm < s->run.n_arms; s->arm++)
		if (!strcmp(s->run.arms[s->arm].name, arm))
			return SB_OK;
	return sb_fail(err, SB_E_USAGE, "run '%.12s' has no arm '%s'; 'spabench show' lists them", s->run.id, arm);
}

static enum sb_status begin(struct work *w, struct sb_ops *out, struct sb_error *err)
{
	*w = (struct work){ .out = out };
	*out = (struct sb_ops){ .pool = sb_pool_new() };
	return out->pool ? SB_OK : no_memory(err);
}

static enum sb_status finish(struct work *w, enum sb_status status, struct sb_error *err)
{
	for (int side = 0; !status && side < 2; side++) {
		struct side *s = &w->side[side];

		w->out->run_id[side] = sb_pool_str(w->out->pool, s->run.id);
		w->out->arm[side] = sb_pool_str(w->out->pool, s->run.arms[s->arm].name);
		w->out->trials[side] = s->n;
	}
	if (!status)
		status = compute(w, err);
	sb_ops_words_close(&w->words);
	free(w->classes);
	close_side(&w->side[0]);
	close_side(&w->side[1]);
	if (status)
		sb_ops_release(w->out);
	return status;
}

/* The blocks in which both arms have a trace. */
static enum sb_status choose_pairs(struct work *w, struct sb_error *err)
{
	struct side *a = &w->side[0], *b = &w->side[1];

	for (size_t i = 0; i < a->trials.n; i++) {
		const struct sb_trial *t = &a->trials.v[i], *other;

		if (!is_usable(a, t) || trial_of(a, t->block) != t || !(other = trial_of(b, t->block)))
			continue;
		a->key[a->n++] = t->key;
		b->key[b->n++] = other->key;
	}
	w->out->pairs = a->n;
	if (a->n)
		return SB_OK;
	return sb_fail(err, SB_E_DATA,
	        "run '%.12s' has no block with a complete trace of both '%.64s' and '%.64s': nothing to line up; 'run "
	        "--trace-blocks' makes them",
	        a->run.id, a->run.arms[a->arm].name, b->run.arms[b->arm].name);
}

enum sb_status sb_ops_build(struct sb_store *st, int64_t run_key, const char *before, const char *after,
        struct sb_ops *out, struct sb_error *err)
{
	const char *arm[2] = { before, after };
	struct work w;
	enum sb_status status = begin(&w, out, err);

	for (int side = 0; side < 2 && !status; side++)
		status = open_side(&w.side[side], st, run_key, arm[side], err);
	if (!status && w.side[0].arm == w.side[1].arm)
		status = sb_fail(err, SB_E_USAGE, "arm '%.40s' cannot be compared with itself", before);
	if (!status)
		status = choose_pairs(&w, err);
	return finish(&w, status, err);
}

/* ---- two runs --------------------------------------------------------------------------------------------------- */

static enum sb_status open_old(struct side *s, const struct sb_old_ref *ref, struct sb_error *err)
{
	const char *arm = ref->arm ? ref->arm : "after";
	enum sb_status status = open_side(s, ref->st, ref->run_key, arm, err);

	if (status == SB_E_USAGE && !ref->arm && s->run.n_arms == 1) {
		s->arm = 0;
		status = SB_OK;
	}
	if (status)
		return status;
	for (size_t i = 0; i < s->trials.n; i++)
		if (is_usable(s, &s->trials.v[i]))
			s->key[s->n++] = s->trials.v[i].key;
	if (!s->n)
		status = sb_fail(err, SB_E_DATA, "run '%.12s': arm '%.64s' has no complete trace", s->run.id,
		        s->run.arms[s->arm].name);
	return status;
}

static enum sb_status check_cases(struct work *w, struct sb_error *err)
{
	struct sb_buf a = { 0 }, b = { 0 };
	enum sb_status status = SB_OK;
	char text[320];

	sb_fingerprint_case(&w->side[0].run, &a);
	sb_fingerprint_case(&w->side[1].run, &b);
	if (a.failed || b.failed)
		status = no_memory(err);
	else if (sb_fingerprint_difference(sb_buf_str(&a), sb_buf_str(&b), text, sizeof(text)))
		status = sb_fail(err, SB_E_USAGE, "runs %.8s and %.8s measured different things: %s", w->side[0].run.id,
		        w->side[1].run.id, text);
	sb_buf_release(&a);
	sb_buf_release(&b);
	return status;
}

enum sb_status sb_ops_build_two(const struct sb_old_ref ref[2], struct sb_ops *out, struct sb_error *err)
{
	struct work w;
	enum sb_status status = begin(&w, out, err);

	for (int side = 0; side < 2 && !status; side++)
		status = open_old(&w.side[side], &ref[side], err);
	if (!status)
		status = check_cases(&w, err);
	if (!status && !strcmp(w.side[0].run.id, w.side[1].run.id) && w.side[0].arm == w.side[1].arm)
		status = sb_fail(err, SB_E_USAGE, "arm '%.40s' of run %.8s cannot be compared with itself",
		        w.side[0].run.arms[w.side[0].arm].name, w.side[0].run.id);
	return finish(&w, status, err);
}

void sb_ops_release(struct sb_ops *o)
{
	sb_pool_free(o->pool);
	*o = (struct sb_ops){ .pool = NULL };
}
