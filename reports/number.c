/* Figures as people read them: one unit for what stands side by side, and no more digits than mean something. */
#include "reports_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * The unit of the larger value, so that it has 1 to 4 digits before the point, or a smaller one where the other value
 * would lose itself behind the point (85985 MiB and 98.00 MiB, not 0.0957 GiB).
 */
struct sb_scale sb_report_scale(enum sb_unit unit, double a, double b)
{
	static const struct sb_scale time[] = { { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "us" }, { 1, "ns" } };
	static const struct sb_scale bytes[] = { { 1099511627776.0, "TiB" }, { 1073741824.0, "GiB" },
		{ 1048576.0, "MiB" }, { 1024.0, "KiB" }, { 1, "B" } };
	const struct sb_scale *list = unit == SB_UNIT_TIME ? time : bytes;
	double largest = a > b ? a : b, smallest = a > b ? b : a;

	switch (unit) {
	case SB_UNIT_TIME:
	case SB_UNIT_BYTES:
		while (list->factor > 1 && largest < list->factor)
			list++;
		while (list->factor > 1 && smallest > 0 && smallest < 0.1 * list->factor &&
		        largest < 1e6 * list[1].factor)
			list++;
		return *list;
	case SB_UNIT_PERCENT:
		return (struct sb_scale){ 0.01, "%" };
	case SB_UNIT_PIXELS:
		return (struct sb_scale){ 1, "px" };
	case SB_UNIT_DEGREES:
		return (struct sb_scale){ 1, "deg" };
	case SB_UNIT_COUNT: /* cycles */
		return largest >= 1e6 ? (struct sb_scale){ 1e6, "M" } : (struct sb_scale){ 1, "" };
	case SB_UNIT_RATIO:
	case SB_UNIT_UNKNOWN:
		break;
	}
	return (struct sb_scale){ 1, "" };
}

void sb_report_number(double x, int digits, bool counts, char out[32])
{
	int exponent, decimals;

	if (!isfinite(x)) {
		snprintf(out, 32, "-");
		return;
	}
	if (x == 0 || (counts && x == floor(x) && fabs(x) < 1e6)) {
		snprintf(out, 32, "%.0f", x);
		return;
	}
	/* Asked of printf and not of log10(), which does not know that 0.09999 will be 0.100. */
	snprintf(out, 32, "%.*e", digits - 1, x);
	exponent = atoi(strchr(out, 'e') + 1);
	decimals = digits - 1 - exponent;
	if (exponent < -3 || exponent > 6)
		snprintf(out, 32, "%.1e", x);
	else
		snprintf(out, 32, "%.*f", decimals < 0 ? 0 : decimals > 5 ? 5 : decimals, x);
}

void sb_report_value(struct sb_value v, struct sb_scale scale, int digits, char out[48])
{
	char number[32];

	snprintf(out, 48, "-");
	if (v.absent)
		return;
	sb_report_number(v.v / scale.factor, digits, scale.factor == 1, number);
	snprintf(out, 48, "%s%s%s", number, *scale.unit ? " " : "", scale.unit);
}

/* Decimals that leave three significant digits of a ratio, for it and for both ends of its interval. */
static int ratio_decimals(double r)
{
	return r >= 100 ? 1 : r >= 10 ? 2 : r >= 0.1 || r <= 0 ? 3 : r >= 0.01 ? 4 : 5;
}

/* From here on a ratio has an exponent, or no decimals. */
#define LARGE_RATIO 1e5

static void ratio_text(const struct sb_effect *e, char estimate[48], char interval[96])
{
	int d = ratio_decimals(e->estimate.v);
	char lo[32], hi[32];

	if (e->estimate.v >= LARGE_RATIO || (e->has_interval && e->hi >= LARGE_RATIO)) {
		sb_report_number(e->estimate.v, 2, false, estimate);
		sb_report_number(e->lo, 2, false, lo);
		sb_report_number(e->hi, 2, false, hi);
		if (e->has_interval)
			snprintf(interval, 96, "%s..%s", lo, hi);
		return;
	}
	snprintf(estimate, 48, "%.*f", d, e->estimate.v);
	if (e->has_interval)
		snprintf(interval, 96, "%.*f..%.*f", d, e->lo, d, e->hi);
}

void sb_report_effect(const struct sb_effect *e, enum sb_unit unit, enum sb_compare compare, bool exact,
        char estimate[48], char interval[96])
{
	double x = fabs(e->estimate.v);
	struct sb_scale scale;
	char lo[32], hi[32];

	snprintf(estimate, 48, "-");
	snprintf(interval, 96, "-");
	if (e->estimate.absent)
		return;
	if (compare == SB_COMPARE_RATIO) {
		ratio_text(e, estimate, interval);
	} else {
		scale = sb_report_scale(unit, x, x);
		if (compare == SB_COMPARE_DIFFERENCE && unit == SB_UNIT_PERCENT)
			scale.unit = "pp"; /* percentage points */
		sb_report_number(e->estimate.v / scale.factor, 3, false, lo);
		snprintf(estimate, 48, "%s %s", lo, scale.unit);
		if (e->has_interval) { /* its ends are not numbers otherwise */
			sb_report_number(e->lo / scale.factor, 3, false, lo);
			sb_report_number(e->hi / scale.factor, 3, false, hi);
			snprintf(interval, 96, "%s..%s", lo, hi);
		}
	}
	if (exact || (e->has_interval && e->lo == e->hi))
		snprintf(interval, 96, "exact");
}

void sb_report_blocks(struct sb_buf *b, const struct sb_summary *s)
{
	static const char *const kinds[] = { "timing", "trace" };
	/* Of a run that has not ended, the last one may be under way. */
	const char *what = strcmp(s->status, "running") ? "broken off" : "not whole";

	for (int k = 0; k < 2; k++) {
		sb_buf_addf(b, "%s%d %s", k ? ", " : "", s->blocks[k], kinds[k]);
		if (s->broken_off[k])
			sb_buf_addf(b, " (%d %s)", s->broken_off[k], what);
	}
}

void sb_report_escape(struct sb_buf *b, const char *s)
{
	size_t room = 4 * strlen(s) + 1;
	char *clean = malloc(room);

	if (!clean) {
		b->failed = true;
		return;
	}
	sb_escape(s, clean, room);
	sb_buf_puts(b, clean);
	free(clean);
}
