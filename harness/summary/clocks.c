/* What a verdict on a time has to say of the samples it rests on. */
#include "summary_internal.h"

#include <math.h>

#include "sb_gate.h"

/* A change of cycles below this part of the change of time is none: they go on counting while memory is waited for. */
#define CYCLES_PART 0.1
enum { LOOKED_AT = 64 };

const char *const sb_caution_names[] = { "clock", "throttled", "drifting", "two modes", NULL };

void sb_cautions_text(unsigned cautions, struct sb_buf *out)
{
	const char *comma = "";

	for (int i = 0; sb_caution_names[i]; i++) {
		if (!(cautions >> i & 1))
			continue;
		sb_buf_addf(out, "%s%s", comma, sb_caution_names[i]);
		comma = ", ";
	}
}

/* Logs of quotients of the pairs that have both times, and of those the clock's; their number. */
struct logs {
	double time[SB_SAMPLE_MAX], clock[SB_SAMPLE_MAX];
	int n;
	bool clocks; /* every pair has its clock's */
};

static bool is_above_0(const double *const v[2], int i)
{
	return v[0] && v[1] && v[0][i] > 0.0 && v[1][i] > 0.0; /* false for NAN */
}

static void collect(const struct sb_caution_samples *s, struct logs *l)
{
	l->n = 0;
	l->clocks = true;
	for (int i = 0; i < s->n && l->n < SB_SAMPLE_MAX; i++) {
		if (!is_above_0(s->time, i))
			continue;
		l->clocks &= is_above_0(s->mhz, i);
		l->clock[l->n] = l->clocks ? log(s->mhz[1][i] / s->mhz[0][i]) : 0.0;
		l->time[l->n++] = log(s->time[1][i] / s->time[0][i]);
	}
}

static bool excludes_0(const struct sb_interval *i)
{
	return i->has_interval && (i->lo > 0.0 || i->hi < 0.0);
}

static bool is_the_clocks(const struct logs *l, double level)
{
	double cycles[SB_SAMPLE_MAX], scratch[SB_SAMPLE_MAX];
	struct sb_interval time, clock, work;

	if (!l->clocks)
		return false;
	for (int i = 0; i < l->n; i++)
		cycles[i] = l->time[i] + l->clock[i];
	sb_stats_median_interval(l->time, l->n, level, scratch, &time);
	sb_stats_median_interval(l->clock, l->n, level, scratch, &clock);
	sb_stats_median_interval(cycles, l->n, level, scratch, &work);
	return excludes_0(&time) && excludes_0(&clock) &&
	       (!excludes_0(&work) || fmax(fabs(work.lo), fabs(work.hi)) < CYCLES_PART * fabs(time.mid));
}

static bool was_held(const struct sb_caution_samples *s)
{
	for (int side = 0; side < 2; side++)
		for (int i = 0; s->held[side] && i < s->n; i++)
			if (s->held[side][i] > 0.0)
				return true;
	return false;
}

/* Evenly spaced ones of many pairs: 64 tell a drift, and 256 take sixteen times as long. */
static int thin(const struct logs *l, double *out)
{
	int n = l->n < LOOKED_AT ? l->n : LOOKED_AT;

	for (int i = 0; i < n; i++)
		out[i] = l->time[(int)((int64_t)i * l->n / n)];
	return n;
}

unsigned sb_cautions_of(const struct sb_caution_samples *s)
{
	struct sb_sample_flaws flaws;
	double looked[LOOKED_AT];
	unsigned found = 0;
	struct logs l;
	int n;

	collect(s, &l);
	if (l.n < SB_STATS_MIN_PAIRS)
		return was_held(s) ? SB_CAUTION_THROTTLED : 0;
	found |= is_the_clocks(&l, s->level) ? SB_CAUTION_CLOCK : 0;
	found |= was_held(s) ? SB_CAUTION_THROTTLED : 0;
	if (s->only_clock)
		return found;
	n = thin(&l, looked);
	sb_sample_look(looked, NULL, n, &flaws);
	found |= flaws.drifts ? SB_CAUTION_DRIFTING : 0;
	found |= flaws.bimodal ? SB_CAUTION_TWO_MODES : 0;
	return found;
}
