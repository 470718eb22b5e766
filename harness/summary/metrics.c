#include "summary_internal.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
const struct sb_metric_info sb_metric_table[] = {
	/* pattern                           label                    unit              section              compare                trace  sum, ulp fact */
	{ "wall_ns",                         "total",                 SB_UNIT_TIME,     SB_SECTION_TOTAL,    SB_COMPARE_RATIO,      false, { NULL, NULL }, NULL },
	{ "stage.*_ns",                      NULL,                    SB_UNIT_TIME,     SB_SECTION_STAGES,   SB_COMPARE_RATIO,      false, { NULL, NULL }, NULL },
	{ "op.gemm_ns+op.conv_ns",           "gemm + conv",           SB_UNIT_TIME,     SB_SECTION_OPS,      SB_COMPARE_RATIO,      true,  { "op.gemm_ns", "op.conv_ns" }, NULL },
	{ "op.*_ns",                         NULL,                    SB_UNIT_TIME,     SB_SECTION_OPS,      SB_COMPARE_RATIO,      true,  { NULL, NULL }, NULL },
	{ "cold_ns",                         "cold pass",             SB_UNIT_TIME,     SB_SECTION_COLD,     SB_COMPARE_RATIO,      false, { NULL, NULL }, NULL },
	{ "cold_driver*calls",               "cold driver calls",     SB_UNIT_COUNT,    SB_SECTION_COLD,     SB_COMPARE_RATIO,      false, { NULL, NULL }, NULL },
	{ "cold_driver*_ns",                 "cold driver time",      SB_UNIT_TIME,     SB_SECTION_COLD,     SB_COMPARE_RATIO,      false, { NULL, NULL }, NULL },
	{ "memory.weights_bytes+memory.allocated_peak_bytes",
	                                     "memory of a trial",     SB_UNIT_BYTES,    SB_SECTION_MEMORY,   SB_COMPARE_RATIO,      false, { "memory.weights_bytes", "memory.allocated_peak_bytes" }, NULL },
	{ "memory.weights_bytes",            "weights",               SB_UNIT_BYTES,    SB_SECTION_MEMORY,   SB_COMPARE_RATIO,      false, { NULL, NULL }, NULL },
	{ "memory.requested_peak_bytes",     "peak requested",        SB_UNIT_BYTES,    SB_SECTION_MEMORY,   SB_COMPARE_RATIO,      false, { NULL, NULL }, NULL },
	{ "memory.allocated_peak_bytes",     "peak allocated",        SB_UNIT_BYTES,    SB_SECTION_MEMORY,   SB_COMPARE_RATIO,      false, { NULL, NULL }, NULL },
	{ "memory.active_peak_bytes",        "peak active",           SB_UNIT_BYTES,    SB_SECTION_MEMORY,   SB_COMPARE_RATIO,      false, { NULL, NULL }, NULL },
	{ "memory.reserved_peak_bytes",      "peak reserved",         SB_UNIT_BYTES,    SB_SECTION_MEMORY,   SB_COMPARE_RATIO,      false, { NULL, NULL }, NULL },
	{ "memory.attention_bytes",          "attention memory",      SB_UNIT_BYTES,    SB_SECTION_MEMORY,   SB_COMPARE_RATIO,      false, { NULL, NULL }, NULL },
	{ "memory.attention_workspace_bytes", "attention workspace",  SB_UNIT_BYTES,    SB_SECTION_MEMORY,   SB_COMPARE_RATIO,      false, { NULL, NULL }, NULL },
	{ "memory.workspace_bytes",          "library workspace",     SB_UNIT_BYTES,    SB_SECTION_MEMORY,   SB_COMPARE_RATIO,      false, { NULL, NULL }, NULL },
	{ "memory.device_used_bytes",        "device-wide used",      SB_UNIT_BYTES,    SB_SECTION_MEMORY,   SB_COMPARE_RATIO,      false, { NULL, NULL }, NULL },
	{ "memory.fragmentation",            "fragmentation",         SB_UNIT_PERCENT,  SB_SECTION_MEMORY,   SB_COMPARE_DIFFERENCE, false, { NULL, NULL }, NULL },
	{ "driver.calls",                    "driver calls",          SB_UNIT_COUNT,    SB_SECTION_DRIVER,   SB_COMPARE_RATIO,      false, { NULL, NULL }, NULL },
	{ "driver_ns",                       "driver time",           SB_UNIT_TIME,     SB_SECTION_DRIVER,   SB_COMPARE_RATIO,      false, { NULL, NULL }, NULL },
	{ "quality.track*_px_median",        "tracks, median",        SB_UNIT_PIXELS,   SB_SECTION_ACCURACY, SB_COMPARE_PLAIN,      false, { NULL, NULL }, "ulp.track_px_median" },
	{ "quality.track*_px_p95",           "tracks, 95 %",          SB_UNIT_PIXELS,   SB_SECTION_ACCURACY, SB_COMPARE_PLAIN,      false, { NULL, NULL }, "ulp.track_px_p95" },
	{ "quality.depth_rel_median",        "depth, median",         SB_UNIT_PERCENT,  SB_SECTION_ACCURACY, SB_COMPARE_PLAIN,      false, { NULL, NULL }, "ulp.depth_rel_median" },
	{ "quality.depth_rel_p95",           "depth, 95 %",           SB_UNIT_PERCENT,  SB_SECTION_ACCURACY, SB_COMPARE_PLAIN,      false, { NULL, NULL }, "ulp.depth_rel_p95" },
	{ "quality.pose_deg_max",            "poses, largest turn",   SB_UNIT_DEGREES,  SB_SECTION_ACCURACY, SB_COMPARE_PLAIN,      false, { NULL, NULL }, "ulp.pose_deg_max" },
	{ "quality.pose_rel_max",            "poses, largest shift",  SB_UNIT_PERCENT,  SB_SECTION_ACCURACY, SB_COMPARE_PLAIN,      false, { NULL, NULL }, "ulp.pose_rel_max" },
	{ "quality.*_px*",                   NULL,                    SB_UNIT_PIXELS,   SB_SECTION_ACCURACY, SB_COMPARE_PLAIN,      false, { NULL, NULL }, NULL },
	{ "quality.*_deg*",                  NULL,                    SB_UNIT_DEGREES,  SB_SECTION_ACCURACY, SB_COMPARE_PLAIN,      false, { NULL, NULL }, NULL },
	{ "quality.*_rel*",                  NULL,                    SB_UNIT_PERCENT,  SB_SECTION_ACCURACY, SB_COMPARE_PLAIN,      false, { NULL, NULL }, NULL },
	{ "*_ns",                            NULL,                    SB_UNIT_TIME,     SB_SECTION_OTHER,    SB_COMPARE_RATIO,      false, { NULL, NULL }, NULL },
	{ "*_bytes",                         NULL,                    SB_UNIT_BYTES,    SB_SECTION_OTHER,    SB_COMPARE_RATIO,      false, { NULL, NULL }, NULL },
	{ "*",                               NULL,                    SB_UNIT_UNKNOWN,  SB_SECTION_OTHER,    SB_COMPARE_RATIO,      false, { NULL, NULL }, NULL },
};
/* clang-format on */
const int sb_metric_table_len = SB_ARRAY_LEN(sb_metric_table);

/* What a switch acts on. Total and accuracy stand in every group. */
static const struct {
	const char *factor;
	const char *const *rows;
} factor_rows[] = {
	{ "precision", (const char *const[]){ "wall_ns", "op.gemm_ns", "op.conv_ns", "op.gemm_ns+op.conv_ns",
	                       "quality.*", NULL } },
	{ "attention", (const char *const[]){ "wall_ns", "op.attention_ns", "memory.attention_bytes",
	                       "memory.attention_workspace_bytes", "memory.allocated_peak_bytes",
	                       "memory.reserved_peak_bytes", "quality.*", NULL } },
	{ "alloc", (const char *const[]){ "wall_ns", "cold_*", "memory.reserved_peak_bytes", "memory.fragmentation",
	                   "driver.calls", "driver_ns", "quality.*", NULL } },
};

const char *const sb_metric_rows_of_best[] = { "wall_ns", "op.*", "memory.attention_bytes", "quality.*", NULL };

const char *const *sb_metric_rows_of_factor(const char *factor)
{
	/* A factor without a list of its own is still worth its total and its accuracy. */
	static const char *const any[] = { "wall_ns", "quality.*", NULL };

	for (size_t i = 0; i < SB_ARRAY_LEN(factor_rows); i++)
		if (!strcmp(factor_rows[i].factor, factor))
			return factor_rows[i].rows;
	return any;
}

bool sb_metric_match(const char *pattern, const char *name)
{
	for (; *pattern; pattern++, name++) {
		if (*pattern == '*') {
			for (;; name++) {
				if (sb_metric_match(pattern + 1, name))
					return true;
				if (!*name)
					return false;
			}
		}
		if (*pattern != *name)
			return false;
	}
	return !*name;
}

int sb_metric_find(const char *name)
{
	for (int i = 0; i < sb_metric_table_len; i++)
		if (sb_metric_match(sb_metric_table[i].pattern, name))
			return i;
	SB_BUG("the last row of the metric table matches every name");
}

void sb_metric_label(const struct sb_metric_info *info, const char *name, char *out, size_t n)
{
	const char *star = strchr(info->pattern, '*');
	size_t head, tail, len = strlen(name);

	if (info->label || !star || info->section == SB_SECTION_OTHER || strchr(star + 1, '*')) {
		snprintf(out, n, "%s", info->label ? info->label : name);
		return;
	}
	head = (size_t)(star - info->pattern);
	tail = strlen(star + 1);
	snprintf(out, n, "%.*s", (int)(len - head - tail), name + head);
}

const char *sb_unit_name(enum sb_unit unit)
{
	static const char *const names[] = {
		[SB_UNIT_TIME] = "ns",
		[SB_UNIT_BYTES] = "bytes",
		[SB_UNIT_COUNT] = "count",
		[SB_UNIT_RATIO] = "ratio",
		[SB_UNIT_PERCENT] = "fraction",
		[SB_UNIT_PIXELS] = "pixels",
		[SB_UNIT_DEGREES] = "degrees",
		[SB_UNIT_UNKNOWN] = "",
	};
	return names[unit];
}

static const struct {
	const char *name, *title;
} sections[SB_SECTION_COUNT] = {
	[SB_SECTION_TOTAL] = { "total", "total" },
	[SB_SECTION_STAGES] = { "stages", "stages" },
	[SB_SECTION_OPS] = { "ops", "kinds of op" },
	[SB_SECTION_COLD] = { "cold", "first pass of a fresh allocator" },
	[SB_SECTION_MEMORY] = { "memory", "memory" },
	[SB_SECTION_DRIVER] = { "driver", "driver" },
	[SB_SECTION_ACCURACY] = { "accuracy", "accuracy: drift from before" },
	[SB_SECTION_OTHER] = { "other", "other" },
};

const char *sb_section_name(enum sb_section section)
{
	return sections[section].name;
}

const char *sb_section_title(enum sb_section section)
{
	return sections[section].title;
}
