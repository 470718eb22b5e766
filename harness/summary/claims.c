/* The advertised claims (DESIGN section 6) as a table, and the judge. */
#include "summary_internal.h"

#include <math.h>
#include <string.h>

#include "sb_stats.h"

struct claim_info {
	const char *id, *label, *stated, *expected;
	double band_lo, band_hi;
	bool below;           /* "below band_hi": that edge itself is outside */
	const char *arm;      /* judged on this arm (its levels, not its name) against `before` */
	const char *metric;   /* name or pattern */
	bool of_value;        /* the arm's own value is judged, not its ratio to `before` */
	bool is_time;         /* means nothing between arms that differ in an emulated precision */
	bool is_quality;      /* means nothing with synthetic weights, nor measured from another arm than `before` */
	const char *workload; /* the only one it is judged on, and on any two arms that differ as `arm` and before do;
	                         NULL: any */
};

/* clang-format off */
static const struct claim_info claims[] = {
	{ "matrix_operations", "matrix operations", "2-3x faster", "0.333..0.500", 1.0 / 3.0, 1.0 / 2.0, false,
		"+precision", "op.gemm_ns+op.conv_ns", false, true, false, NULL },
	{ "attention_speed", "attention speed", "1.3-1.5x faster", "0.667..0.769", 1.0 / 1.5, 1.0 / 1.3, false,
		"+attention", "op.attention_ns", false, true, false, NULL },
	{ "attention_vram", "attention VRAM", "30-50 % less", "0.500..0.700", 0.50, 0.70, false,
		"+attention", "memory.attention_bytes", false, false, false, NULL },
	{ "total_time", "total time", "20-30 % less", "0.700..0.800", 0.70, 0.80, false,
		"after", "wall_ns", false, true, false, NULL },
	{ "fragmentation", "fragmentation", "none", "below 5 %", -HUGE_VAL, 0.05, true,
		"+alloc", "memory.fragmentation", true, false, false, "churn" },
	{ "quality_tracks", "quality, tracks", "same", "below 1 px", -HUGE_VAL, 1.0, true,
		"after", "quality.track*_px_median", true, false, true, NULL },
	{ "quality_depth", "quality, depth", "same", "below 1 %", -HUGE_VAL, 0.01, true,
		"after", "quality.depth_rel_median", true, false, true, NULL },
};
/* clang-format on */

static const char bf16_note[] =
        "The published application runs under bf16 autocast, where TF32 reaches only the FP32 islands: "
        "spabench has no bf16 level yet, so these figures are those of an FP32 pipeline.";

static const char *const verdicts[] = {
	[SB_VERDICT_MET] = "met",
	[SB_VERDICT_EXCEEDED] = "exceeded",
	[SB_VERDICT_MET_OR_EXCEEDED] = "met or exceeded",
	[SB_VERDICT_INCONCLUSIVE] = "inconclusive",
	[SB_VERDICT_NOT_MET] = "not met",
	[SB_VERDICT_NOT_TESTED] = "not tested",
};

const char *sb_verdict_name(enum sb_verdict verdict)
{
	return verdicts[verdict];
}

enum sb_verdict sb_claim_verdict(double lo, double hi, double band_lo, double band_hi)
{
	if (lo > band_hi)
		return SB_VERDICT_NOT_MET;
	if (hi < band_lo)
		return SB_VERDICT_EXCEEDED;
	if (lo >= band_lo && hi <= band_hi)
		return SB_VERDICT_MET;
	if (lo < band_lo && hi <= band_hi)
		return SB_VERDICT_MET_OR_EXCEEDED;
	return SB_VERDICT_INCONCLUSIVE;
}

/* By levels, since an arm may bear another name, and a name other levels (--set). */
static int arm_like(const struct sb_view *v, const char *name)
{
	struct sb_arm arm;

	if (sb_arm_by_name(name, &arm, NULL))
		return -1;
	for (int a = 0; a < v->n_arms; a++)
		if (sb_levels_equal(&v->levels[a], &arm.levels))
			return a;
	return -1;
}

/* The switches between the two arms of which this was found; NULL if there is none. */
static const char *switches_found(struct sb_view *v, int before, int after, enum sb_in_effect found)
{
	const char *names = NULL;

	for (size_t i = 0; i < v->out->n_switches; i++) {
		const struct sb_summary_switch *sw = &v->out->switches[i];
		bool differs = false;

		for (int p = 0; p < SB_PART_COUNT; p++)
			differs |= !strcmp(sb_parts[p].factor, sw->factor) &&
			           v->levels[before].part[p] != v->levels[after].part[p];
		if (differs && sw->in_effect == found)
			names = names ? sb_pool_fmt(v->pool, "%s, %s", names, sw->factor) : sw->factor;
	}
	return names;
}

static void measure(
        struct sb_view *v, const struct claim_info *info, int before, int after, struct sb_summary_claim *out)
{
	const struct sb_metric_info *metric = &sb_metric_table[sb_metric_find(info->metric)];
	const char *name = sb_view_metric(v, info->metric, &metric);
	struct sb_summary_row row;

	v->judging = true;
	sb_view_row(v, metric, name ? name : info->metric, before, after, &row);
	v->judging = false;
	out->unit = info->of_value ? row.unit : SB_UNIT_RATIO;
	out->effect = row.effect;
	out->cautions = info->of_value ? 0 : row.cautions;
	if (!info->of_value)
		return;
	/* sb_view_row() left the arm's values in its column. */
	sb_effect_value(v->col[1], v->n_blocks, sb_view_level(v, &row), v->work, &out->effect);
	if (row.after.absent)
		out->effect.estimate = row.after;
}

/* WHAT, and for an arm of several switches also which. */
static const char *about_switches(struct sb_view *v, const struct claim_info *info, const char *what, const char *names)
{
	return strcmp(info->arm, "after") ? what : sb_pool_fmt(v->pool, "%s: %s", what, names);
}

static const char *why_no_quality(struct sb_view *v)
{
	const struct sb_summary *s = v->out;

	if (s->weights_kind && !strncmp(s->weights_kind, "synthetic", 9)) /* or "synthetic file" */
		return "synthetic weights";
	if (v->reference_is_before)
		return NULL;
	return s->reference ? sb_pool_fmt(v->pool, "the reference is %s, not before", s->reference)
	                    : "the reference was not recorded";
}

/* Why a claim cannot be judged on these arms, or NULL. What no more blocks would change comes first. */
static const char *why_not(
        struct sb_view *v, const struct claim_info *info, int before, int after, const struct sb_summary_claim *c)
{
	const struct sb_summary *s = v->out;
	const char *names, *why;

	if (info->workload && strcmp(info->workload, s->workload ? s->workload : ""))
		return sb_pool_fmt(v->pool, "needs the %s workload", info->workload);
	if (s->alloc_conf && !strcmp(info->arm, "+alloc")) /* the claim is about PyTorch's own settings */
		return "allocator settings were changed";
	if (before < 0)
		return "needs arm before";
	if (after < 0)
		return sb_pool_fmt(v->pool, "needs arm %s", info->arm);
	if (info->is_time && sb_view_emulated_differs(v, before, after))
		return s->device_kind && !strcmp(s->device_kind, "cpu") ? "emulated on the CPU"
		                                                        : "emulated on this device";
	why = info->is_quality ? why_no_quality(v) : NULL;
	if (why)
		return why;
	names = switches_found(v, before, after, SB_EFFECT_NO);
	if (names)
		return about_switches(v, info, "switch not in effect", names);
	if (c->effect.estimate.absent)
		return c->effect.estimate.absent;
	/* Why it was not is the switch's own line. */
	names = switches_found(v, before, after, SB_EFFECT_UNKNOWN);
	if (names)
		return about_switches(v, info, "switch not checked", names);
	if (!c->effect.has_interval)
		return sb_pool_fmt(v->pool, "fewer than %d pairs", SB_STATS_MIN_PAIRS);
	return NULL;
}

/* The two arms that a claim compares; -1: not there. */
static void find_arms(const struct sb_view *v, const struct claim_info *info, int *before, int *after)
{
	*before = arm_like(v, "before");
	*after = arm_like(v, info->arm);
	if (!info->workload || (*before >= 0 && *after >= 0))
		return;
	for (int a = 0; a < v->n_arms; a++) {
		for (int b = 0; b < v->n_arms; b++) {
			struct sb_levels switched = v->levels[a];

			if (!sb_levels_switch_on(&switched, info->arm + 1) ||
			        !sb_levels_equal(&switched, &v->levels[b]) || a == b)
				continue;
			*before = a;
			*after = b;
			return;
		}
	}
}

static void say_behind(struct sb_view *v, struct sb_summary_claim *c)
{
	struct sb_buf text = { 0 };

	if (c->where)
		sb_buf_addf(&text, "%s%s", c->where, c->cautions ? "; " : "");
	if (!c->reason)
		sb_cautions_text(c->cautions, &text);
	c->behind = text.len ? sb_pool_take(v->pool, &text) : NULL;
}

static void judge(struct sb_view *v, const struct claim_info *info, struct sb_summary_claim *c)
{
	int before, after;

	find_arms(v, info, &before, &after);
	*c = (struct sb_summary_claim){
		.id = info->id,
		.label = info->label,
		.stated = info->stated,
		.expected = info->expected,
		.band_lo = info->band_lo,
		.band_hi = info->band_hi,
		.before = before < 0 ? "before" : v->out->arms[before].name,
		.after = after < 0 ? info->arm : v->out->arms[after].name,
		.unit = SB_UNIT_RATIO,
		.effect.estimate = sb_value_absent("not measured"),
		.verdict = SB_VERDICT_NOT_TESTED,
	};
	if (before >= 0 && after >= 0)
		measure(v, info, before, after, c);
	c->reason = why_not(v, info, before, after, c);
	if (!c->reason)
		c->verdict = sb_claim_verdict(c->effect.lo, c->effect.hi, info->band_lo,
		        info->below ? nextafter(info->band_hi, -HUGE_VAL) : info->band_hi);
	if (!c->reason && info->is_time && v->out->device_kind && !strcmp(v->out->device_kind, "cpu"))
		c->where = "on the CPU";
	if (!c->reason && info->workload && v->out->preset && strcmp(v->out->preset, "full") != 0)
		c->where = sb_pool_fmt(v->pool, "preset %s", v->out->preset); /* whole segments are large beside it */
	say_behind(v, c);
}

void sb_claims_judge(struct sb_view *v)
{
	struct sb_summary *s = v->out;

	s->claims_note = bf16_note;
	s->claims = sb_pool_alloc(v->pool, SB_ARRAY_LEN(claims) * sizeof(*s->claims));
	for (size_t i = 0; i < SB_ARRAY_LEN(claims) && s->claims; i++)
		judge(v, &claims[i], &s->claims[s->n_claims++]);
}
