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

/* Of changes as logs: the clock's is one where time and clock changed and work, in cycles, did not. */
static bool without_work(
        const struct sb_interval *time, const struct sb_interval *clock, const struct sb_interval *work)
{
	return excludes_0(time) && excludes_0(clock) &&
	       (!excludes_0(work) || fmax(fabs(work->lo), fabs(work->hi)) < CYCLES_PART * fabs(time->mid));
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
	return without_work(&time, &clock, &work);
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
static int thin(const double *v, int n_v, double *out)
{
	int n = n_v < LOOKED_AT ? n_v : LOOKED_AT;

	for (int i = 0; i < n; i++)
		out[i] = v[(int)((int64_t)i * n_v / n)];
	return n;
}

static unsigned look(const double *v, int n_v)
{
	struct sb_sample_flaws flaws;
	double looked[LOOKED_AT];

	sb_sample_look(looked, NULL, thin(v, n_v, looked), &flaws);
	return (flaws.drifts ? SB_CAUTION_DRIFTING : 0) | (flaws.bimodal ? SB_CAUTION_TWO_MODES : 0);
}

unsigned sb_cautions_of(const struct sb_caution_samples *s)
{
	unsigned found = 0;
	struct logs l;

	collect(s, &l);
	if (l.n < SB_STATS_MIN_PAIRS)
		return was_held(s) ? SB_CAUTION_THROTTLED : 0;
	found |= is_the_clocks(&l, s->level) ? SB_CAUTION_CLOCK : 0;
	found |= was_held(s) ? SB_CAUTION_THROTTLED : 0;
	return s->only_clock ? found : found | look(l.time, l.n);
}

/* ---- two series ------------------------------------------------------------------------------------------------ */

static void collect_series(const struct sb_caution_series *s, struct logs *l)
{
	const double *const both[2] = { s->time, s->time }, *const clock[2] = { s->mhz, s->mhz };

	l->n = 0;
	l->clocks = true;
	for (int i = 0; i < s->n && l->n < SB_SAMPLE_MAX; i++) {
		if (!is_above_0(both, i))
			continue;
		l->clocks &= is_above_0(clock, i);
		l->clock[l->n] = l->clocks ? log(s->mhz[i]) : 0.0;
		l->time[l->n++] = log(s->time[i]);
	}
}

static bool are_the_clocks(const struct logs l[2], double level)
{
	double cycles[2][SB_SAMPLE_MAX];
	struct sb_interval time, clock, work;

	if (!l[0].clocks || !l[1].clocks)
		return false;
	for (int side = 0; side < 2; side++)
		for (int i = 0; i < l[side].n; i++)
			cycles[side][i] = l[side].time[i] + l[side].clock[i];
	sb_samples_compare(l[0].time, l[0].n, l[1].time, l[1].n, level, &time);
	sb_samples_compare(l[0].clock, l[0].n, l[1].clock, l[1].n, level, &clock);
	sb_samples_compare(cycles[0], l[0].n, cycles[1], l[1].n, level, &work);
	return without_work(&time, &clock, &work);
}

unsigned sb_cautions_of_two(const struct sb_caution_series side[2], double level)
{
	unsigned found = side[0].held || side[1].held ? SB_CAUTION_THROTTLED : 0;
	struct logs l[2];

	for (int s = 0; s < 2; s++) {
		collect_series(&side[s], &l[s]);
		found |= l[s].n < SB_STATS_MIN_PAIRS ? 0 : look(l[s].time, l[s].n);
	}
	return found | (are_the_clocks(l, level) ? SB_CAUTION_CLOCK : 0);
}
