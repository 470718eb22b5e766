/* The combinations of switches that a run has, and what each switch brings in them (stats/sb_effects.h). */
#include "summary_internal.h"

#include <math.h>
#include <string.h>

#include "sb_effects.h"

enum { FACTORS_MAX = 8, MISSING_MAX = 3 /* combinations that are named one by one */ };
_Static_assert(SB_ARRAY_LEN(((struct sb_summary_lattice *)0)->factors) == SB_LATTICE_MAX, "one factor a switch");

/* Factors with two levels each: those of all factors, or of which there are arms with it on and arms with it off. */
struct switches {
	int n;
	const char *factor[FACTORS_MAX];
	struct sb_levels on[FACTORS_MAX]; /* at first levels but for this switch */
	int *arm; /* [1 << n]: the arm of a combination, -1: none; NULL where n is more than a lattice has */
};

/* Some of the switches in all combinations, the others at one level each. */
struct face {
	unsigned free, at; /* sets of switches: those that vary, and which of the others are on */
	int k;             /* number of those that vary */
	int which[SB_LATTICE_MAX];
	int arm[SB_LATTICE_ARMS_MAX];
};

static bool is_on(unsigned set, int i)
{
	return set >> i & 1u;
}

static int count(unsigned set)
{
	int n = 0;

	for (; set; set &= set - 1)
		n++;
	return n;
}

const char *sb_lattice_row_name(enum sb_lattice_row_kind kind)
{
	static const char *const names[] = {
		[SB_LATTICE_MAIN] = "effect",
		[SB_LATTICE_TOTAL] = "all together",
		[SB_LATTICE_PAIR] = "interaction",
		[SB_LATTICE_SHARE] = "share",
		[SB_LATTICE_AT] = "effect at a level",
	};

	return names[kind];
}

/* ---- which arms are combinations ------------------------------------------------------------------------------ */

/* Are a and b the same in the parts of `factor`? */
static bool same_in(const struct sb_levels *a, const struct sb_levels *b, const char *factor)
{
	for (int p = 0; p < SB_PART_COUNT; p++)
		if (!strcmp(sb_parts[p].factor, factor) && a->part[p] != b->part[p])
			return false;
	return true;
}

/* What "on" means: the level of `after` if any arm has it, else what the first arm has that is not at first levels. */
static struct sb_levels level_on(const struct sb_view *v, const char *factor)
{
	struct sb_levels off = { { 0 } }, on = off, other = off;
	bool found = false;

	sb_levels_switch_on(&on, factor);
	for (int a = 0; a < v->n_arms; a++) {
		if (same_in(&v->levels[a], &on, factor))
			return on;
		if (found || same_in(&v->levels[a], &off, factor))
			continue;
		found = true;
		for (int p = 0; p < SB_PART_COUNT; p++)
			if (!strcmp(sb_parts[p].factor, factor))
				other.part[p] = v->levels[a].part[p];
	}
	return found ? other : on;
}

/* The switches that arm `a` has on, of those in `sw`; false where one is at neither of its two levels. */
static bool combination(const struct sb_view *v, const struct switches *sw, int a, unsigned *set)
{
	static const struct sb_levels off = { { 0 } };

	*set = 0;
	for (int i = 0; i < sw->n; i++) {
		if (same_in(&v->levels[a], &sw->on[i], sw->factor[i]))
			*set |= 1u << i;
		else if (!same_in(&v->levels[a], &off, sw->factor[i]))
			return false;
	}
	return true;
}

/* Of those with arms on and arms off, the bits of `set` that stand for them, moved together. */
static unsigned keep(unsigned set, unsigned kept)
{
	unsigned out = 0;
	int n = 0;

	for (int i = 0; i < FACTORS_MAX; i++)
		if (is_on(kept, i))
			out |= (unsigned)is_on(set, i) << n++;
	return out;
}

/* all: every factor; sw: those that are switched in this run. */
static void find_switches(struct sb_view *v, struct switches *all, struct switches *sw)
{
	unsigned always = ~0u, ever = 0, set;

	*all = *sw = (struct switches){ 0 };
	for (int f = 0; sb_factor_names[f] && f < FACTORS_MAX; f++) {
		all->factor[all->n] = sb_factor_names[f];
		all->on[all->n++] = level_on(v, sb_factor_names[f]);
	}
	for (int a = 0; a < v->n_arms; a++) {
		if (!combination(v, all, a, &set))
			continue;
		always &= set;
		ever |= set;
	}
	for (int i = 0; i < all->n; i++) {
		if (!is_on(ever & ~always, i))
			continue;
		sw->factor[sw->n] = all->factor[i];
		sw->on[sw->n++] = all->on[i];
	}
	if (sw->n > SB_LATTICE_MAX)
		return;
	sw->arm = sb_pool_alloc(v->pool, sizeof(int) << sw->n);
	for (int m = 0; sw->arm && m < 1 << sw->n; m++)
		sw->arm[m] = -1;
	for (int a = v->n_arms - 1; sw->arm && a >= 0; a--) /* of two that are the same, the first */
		if (combination(v, all, a, &set))
			sw->arm[keep(set, ever & ~always)] = a;
}

/* ---- the largest part that is complete ------------------------------------------------------------------------ */

static bool is_measured(const struct sb_view *v, int arm)
{
	for (int b = 0; arm >= 0 && b < v->n_blocks; b++)
		if (v->trial[SB_KIND_TIMING][arm * v->n_blocks + b] >= 0)
			return true;
	return false;
}

/* The arms of a face -> *f; false if one was not measured. */
static bool make_face(const struct sb_view *v, const struct switches *sw, unsigned free, unsigned at, struct face *f)
{
	*f = (struct face){ .free = free, .at = at };
	for (int i = 0; i < sw->n; i++)
		if (is_on(free, i))
			f->which[f->k++] = i;
	for (int m = 0; m < 1 << f->k; m++) {
		unsigned set = at;

		for (int i = 0; i < f->k; i++)
			set |= is_on((unsigned)m, i) ? 1u << f->which[i] : 0u;
		f->arm[m] = sw->arm[set];
		if (!is_measured(v, f->arm[m]))
			return false;
	}
	return true;
}

/* The face in which exactly the switches `free` vary, with the fewest others on. */
static bool find_face(const struct sb_view *v, const struct switches *sw, unsigned free, struct face *f)
{
	for (unsigned at = 0; at < 1u << sw->n; at++)
		if (!(free & at) && make_face(v, sw, free, at, f))
			return true;
	return false;
}

/* ---- what there is to say about it ---------------------------------------------------------------------------- */

static void note(struct sb_view *v, struct sb_summary_lattice *l, const char *text)
{
	const char **bigger = sb_pool_alloc(v->pool, (l->n_notes + 1) * sizeof(*bigger));

	if (!bigger)
		return;
	for (size_t i = 0; i < l->n_notes; i++)
		bigger[i] = l->notes[i];
	bigger[l->n_notes++] = text;
	l->notes = bigger;
}

/* "efficient" */
static const char *level_name(const struct switches *sw, int i, bool on)
{
	static const struct sb_levels off = { { 0 } };

	for (int p = 0; p < SB_PART_COUNT; p++)
		if (!strcmp(sb_parts[p].factor, sw->factor[i]))
			return sb_level_name(on ? &sw->on[i] : &off, (enum sb_part)p);
	return "";
}

/* "attention=efficient, alloc=default", of the switches in `which` */
static const char *levels_text(struct sb_view *v, const struct switches *sw, unsigned which, unsigned on)
{
	struct sb_buf b = { 0 };

	for (int i = 0; i < sw->n; i++)
		if (is_on(which, i))
			sb_buf_addf(&b, "%s%s=%s", b.len ? ", " : "", sw->factor[i], level_name(sw, i, is_on(on, i)));
	return sb_pool_take(v->pool, &b);
}

/* Why an arm was not measured. */
static const char *arm_outcome(const struct sb_view *v, int a)
{
	for (int o = SB_OUTCOME_OK + 1; o < SB_OUTCOME_COUNT; o++)
		if (v->out->arms[a].n_trials[SB_KIND_TIMING][o])
			return sb_outcome_title((enum sb_outcome)o);
	return "no timing trial";
}

/* "before: out of memory; precision=tf32, attention=standard: not in the run"; of many of the latter their number. */
static const char *missing_text(struct sb_view *v, const struct switches *sw)
{
	struct sb_buf b = { 0 };
	int unknown = 0;

	for (unsigned set = 0; set < 1u << sw->n; set++)
		unknown += sw->arm[set] < 0;
	for (unsigned set = 0; set < 1u << sw->n; set++) {
		int a = sw->arm[set];

		if (a >= 0 && !is_measured(v, a))
			sb_buf_addf(&b, "%s%s: %s", b.len ? "; " : "", v->out->arms[a].name, arm_outcome(v, a));
		if (a < 0 && unknown <= MISSING_MAX)
			sb_buf_addf(&b, "%s%s: not in the run", b.len ? "; " : "",
			        levels_text(v, sw, (1u << sw->n) - 1, set));
	}
	if (unknown > MISSING_MAX)
		sb_buf_addf(&b, "%s%d of %d are not in the run", b.len ? "; " : "", unknown, 1 << sw->n);
	return sb_pool_take(v->pool, &b);
}

/* Arms that are no combination, with the parts that make them so: "best (precision.attention=tf32)". */
static const char *others_text(struct sb_view *v, const struct switches *all)
{
	struct sb_buf b = { 0 };
	unsigned set;

	for (int a = 0; a < v->n_arms; a++) {
		const struct sb_levels *l = &v->levels[a];
		size_t start;

		if (combination(v, all, a, &set))
			continue;
		sb_buf_addf(&b, "%s%s (", b.len ? ", " : "", v->out->arms[a].name);
		start = b.len;
		for (int i = 0; i < all->n; i++) {
			const struct sb_levels off = { { 0 } };

			if (same_in(l, &off, all->factor[i]))
				continue;
			for (int p = 0; p < SB_PART_COUNT; p++)
				if (!strcmp(sb_parts[p].factor, all->factor[i]) && l->part[p] != all->on[i].part[p])
					sb_buf_addf(&b, "%s%s=%s", b.len > start ? ", " : "", sb_parts[p].name,
					        sb_level_name(l, (enum sb_part)p));
		}
		sb_buf_puts(&b, ")");
	}
	return sb_pool_take(v->pool, &b);
}

static void describe(struct sb_view *v, const struct switches *all, const struct switches *sw, const struct face *f,
        struct sb_summary_lattice *l)
{
	const char *others = others_text(v, all);
	unsigned fixed = ((1u << sw->n) - 1) & ~f->free;

	l->n_factors = f->k;
	for (int i = 0; i < f->k; i++) {
		l->factors[i] = sw->factor[f->which[i]];
		l->title = i ? sb_pool_fmt(v->pool, "%s x %s", l->title, l->factors[i]) : l->factors[i];
		for (int on = 0; on < 2; on++)
			l->levels[i][on] = level_name(sw, f->which[i], on);
	}
	l->n_arms = 1 << f->k;
	l->first = v->out->arms[f->arm[0]].name;
	l->last = v->out->arms[f->arm[l->n_arms - 1]].name;
	l->only = levels_text(v, sw, fixed, f->at);
	if (v->out->n_lattices) /* what is said once */
		return;
	if (fixed)
		note(v, l, sb_pool_fmt(v->pool, "combinations are missing: %s", missing_text(v, sw)));
	if (*others)
		note(v, l, sb_pool_fmt(v->pool, "no combination of these switches, so not in here: %s", others));
}

/* ---- figures -------------------------------------------------------------------------------------------------- */

/* Of logarithms the ratio they mean. */
static struct sb_effect effect_of(const struct sb_interval *in, enum sb_compare compare)
{
	bool log = compare == SB_COMPARE_RATIO;

	return (struct sb_effect){
		.estimate = in->n && !isnan(in->mid) ? sb_value_of(log ? exp(in->mid) : in->mid)
		                                     : sb_value_absent("no block has every arm"),
		.lo = log ? exp(in->lo) : in->lo,
		.hi = log ? exp(in->hi) : in->hi,
		.has_interval = in->has_interval,
		.pairs = in->n,
	};
}

static void add_row(struct sb_summary_lattice_metric *m, enum sb_lattice_row_kind kind, int factor, int other, bool on,
        const char *label, struct sb_effect effect)
{
	m->rows[m->n_rows++] = (struct sb_summary_lattice_row){
		.kind = kind, .factor = factor, .other = other, .on = on, .label = label, .effect = effect
	};
}

static void add_rows(struct sb_view *v, const struct sb_summary_lattice *l, const struct sb_lattice_effects *e,
        struct sb_summary_lattice_metric *m)
{
	int k = l->n_factors;

	m->rows = sb_pool_alloc(v->pool, (size_t)(1 + 2 * k + 5 * k * (k - 1) / 2) * sizeof(*m->rows));
	if (!m->rows)
		return;
	for (int i = 0; i < k; i++)
		add_row(m, SB_LATTICE_MAIN, i, -1, false, l->factors[i], effect_of(&e->main[i], m->compare));
	add_row(m, SB_LATTICE_TOTAL, -1, -1, false, "all together", effect_of(&e->total, m->compare));
	for (int i = 0; i < k; i++)
		for (int j = i + 1; j < k; j++)
			add_row(m, SB_LATTICE_PAIR, i, j, false,
			        sb_pool_fmt(v->pool, "%s x %s", l->factors[i], l->factors[j]),
			        effect_of(&e->pair[i][j], m->compare));
	for (int i = 0; i < k; i++) {
		struct sb_effect share = effect_of(&e->share[i], SB_COMPARE_PLAIN);

		if (!e->has_shares && e->blocks)
			share.estimate = sb_value_absent("the whole change is not distinguishable from none");
		add_row(m, SB_LATTICE_SHARE, i, -1, false, l->factors[i], share);
	}
	for (int i = 0; i < k; i++)
		for (int j = 0; j < k; j++)
			for (int on = 0; on < 2 && j != i; on++)
				add_row(m, SB_LATTICE_AT, i, j, on,
				        sb_pool_fmt(
				                v->pool, "%s, %s=%s", l->factors[i], l->factors[j], l->levels[j][on]),
				        effect_of(&e->at[i][j][on], m->compare));
}

/* Blocks in which any arm of the face has a value -> y[blocks][1 << k], of times and cycles their logarithms. */
static int fill(struct sb_view *v, const struct face *f, const struct sb_metric_info *info, const char *metric,
        double *column, double *y)
{
	int arms = 1 << f->k, n = 0;

	for (int a = 0; a < arms; a++) {
		sb_view_column(v, info, metric, f->arm[a], column);
		for (int b = 0; b < v->n_blocks; b++)
			y[b * arms + a] = info->unit == SB_UNIT_BYTES ? column[b] : log(column[b]);
	}
	for (int b = 0; b < v->n_blocks; b++) {
		bool any = false;

		for (int a = 0; a < arms; a++)
			any |= !isnan(y[b * arms + a]);
		if (any)
			memmove(y + arms * n++, y + arms * b, (size_t)arms * sizeof(*y));
	}
	return n;
}

static bool is_emulated(const struct sb_view *v, const struct sb_summary_lattice *l)
{
	for (int i = 0; i < l->n_factors; i++)
		for (int p = 0; p < SB_PART_COUNT; p++)
			if (v->emulated[p] && !strcmp(sb_parts[p].factor, l->factors[i]))
				return true;
	return false;
}

/* A metric that no arm has is left out. */
static void add_metric(
        struct sb_view *v, const struct face *f, const char *name, double *work, struct sb_summary_lattice *l)
{
	const struct sb_metric_info *info = &sb_metric_table[sb_metric_find(name)];
	struct sb_summary_lattice_metric *m = &l->metrics[l->n_metrics];
	double *y = work + 2 * v->n_blocks;
	struct sb_lattice in = { .y = y, .k = f->k, .level = v->level[SB_KIND_TIMING] };
	struct sb_lattice_effects e;
	char label[128];

	in.n_blocks = fill(v, f, info, name, work, y);
	if (!in.n_blocks)
		return;
	sb_lattice_effects(&in, work, &e);
	sb_metric_label(info, name, label, sizeof(label));
	*m = (struct sb_summary_lattice_metric){
		.metric = sb_pool_str(v->pool, name),
		.label = sb_pool_str(v->pool, label),
		.unit = info->unit,
		.section = info->section,
		.compare = info->unit == SB_UNIT_BYTES ? SB_COMPARE_DIFFERENCE : SB_COMPARE_RATIO,
		.emulated = info->unit == SB_UNIT_TIME && is_emulated(v, l),
		.blocks = e.blocks,
		.left_out = e.left_out,
	};
	add_rows(v, l, &e, m);
	if (e.left_out && l->n_metrics == 0)
		note(v, l,
		        sb_pool_fmt(
		                v->pool, "%d of %d blocks lack an arm and are not in here", e.left_out, in.n_blocks));
	l->n_metrics++;
}

static void add_metrics(struct sb_view *v, const struct face *f, bool stages, struct sb_summary_lattice *l)
{
	const struct sb_samples *sm = v->samples;
	double *work = sb_pool_alloc(v->pool, (size_t)v->n_blocks * (2 + (1u << f->k)) * sizeof(*work));

	l->metrics = sb_pool_alloc(v->pool, (3 + sm->n_metrics) * sizeof(*l->metrics));
	if (!work || !l->metrics)
		return;
	add_metric(v, f, "wall_ns", work, l);
	add_metric(v, f, "sm_cycles", work, l);
	add_metric(v, f, "memory.trial_bytes", work, l);
	for (size_t i = 0; stages && i < sm->n_metrics; i++)
		if (sb_metric_match("stage.*_ns", sm->metrics[i]))
			add_metric(v, f, sm->metrics[i], work, l);
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

static bool is_planned(const struct switches *sw)
{
	for (int m = 0; m < 1 << sw->n; m++)
		if (sw->arm[m] < 0)
			return false;
	return true;
}

/* Why there is nothing to be said. */
static const char *why_nothing(struct sb_view *v, const struct switches *sw)
{
	if (sw->n < 2)
		return "the arms differ in fewer than two switches: what there is to know stands above";
	if (sw->n > SB_LATTICE_MAX)
		return "the arms differ in more switches than are taken apart; --factors leaves some out";
	if (v->out->blocks[SB_KIND_TIMING] + v->out->broken_off[SB_KIND_TIMING] == 0)
		return "there are no timing trials";
	return sb_pool_fmt(v->pool, "no two switches were measured in every combination (%s)%s", missing_text(v, sw),
	        is_planned(sw) ? "" : "; 'run --all', or '--arms' with such names as +precision+attention");
}

/* All faces of k switches, one for each choice of them. */
static void add_faces(struct sb_view *v, const struct switches *all, const struct switches *sw, int k, bool wanted)
{
	struct face f;

	for (unsigned free = 0; free < 1u << sw->n; free++) {
		struct sb_summary_lattice *l = &v->out->lattices[v->out->n_lattices];

		if (count(free) != k || !find_face(v, sw, free, &f))
			continue;
		l->detailed = wanted;
		describe(v, all, sw, &f, l);
		add_metrics(v, &f, wanted, l);
		v->out->n_lattices++;
	}
}

void sb_lattice_summarise(struct sb_view *v, bool wanted)
{
	struct sb_summary *s = v->out;
	struct switches all, sw;

	find_switches(v, &all, &sw);
	s->lattices = sb_pool_alloc(v->pool, sizeof(*s->lattices) << SB_LATTICE_MAX);
	if (!s->lattices || (sw.n <= SB_LATTICE_MAX && !sw.arm))
		return;
	for (int k = sw.n <= SB_LATTICE_MAX ? sw.n : 0; k >= 2 && s->n_lattices == 0; k--)
		add_faces(v, &all, &sw, k, wanted);
	/* That there are none is no news of a run which was never meant to have them. */
	if (s->n_lattices || (!wanted && (sw.n < 2 || sw.n > SB_LATTICE_MAX || !is_planned(&sw))))
		return;
	s->lattices[s->n_lattices++].absent = why_nothing(v, &sw);
}
