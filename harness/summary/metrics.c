#include "summary_internal.h"

#include <stdio.h>
#include <string.h>

/* Pattern, label, and how the row is read. */
#define SHOWN(pat, lab, u, sec, how) \
	.pattern = pat, .label = lab, .unit = SB_UNIT_##u, .section = SB_SECTION_##sec, .compare = SB_COMPARE_##how

/* clang-format off */
const struct sb_metric_info sb_metric_table[] = {
	{ SHOWN("wall_ns", "total", TIME, TOTAL, RATIO) },
	{ SHOWN("sm_cycles", "SM cycles", COUNT, TOTAL, RATIO) },
	{ SHOWN("sm_mhz", "SM clock, MHz", COUNT, TOTAL, RATIO) },
	{ SHOWN("stage.*_ns", NULL, TIME, STAGES, RATIO) },
	{ SHOWN("op.gemm_ns+op.conv_ns", "gemm + conv", TIME, OPS, RATIO), .trace = true,
		.sum = { "op.gemm_ns", "op.conv_ns" } },
	{ SHOWN("op.*_ns", NULL, TIME, OPS, RATIO), .trace = true },
	{ SHOWN("cold_ns", "cold pass", TIME, COLD, RATIO) },
	{ SHOWN("cold_driver*calls", "cold driver calls", COUNT, COLD, RATIO) },
	{ SHOWN("cold_driver*_ns", "cold driver time", TIME, COLD, RATIO) },
	{ SHOWN("memory.trial_bytes", "memory of a trial", BYTES, MEMORY, RATIO),
		.sum = { "memory.weights_bytes", "memory.allocated_peak_bytes" } },
	{ SHOWN("memory.weights_bytes", "weights", BYTES, MEMORY, RATIO) },
	{ SHOWN("memory.planted_bytes", "planted inputs, apart", BYTES, MEMORY, RATIO) },
	{ SHOWN("memory.requested_peak_bytes", "peak requested", BYTES, MEMORY, RATIO) },
	{ SHOWN("memory.allocated_peak_bytes", "peak allocated", BYTES, MEMORY, RATIO) },
	{ SHOWN("memory.active_peak_bytes", "peak active", BYTES, MEMORY, RATIO) },
	{ SHOWN("memory.reserved_peak_bytes", "peak reserved", BYTES, MEMORY, RATIO) },
	{ SHOWN("memory.attention_bytes", "attention memory", BYTES, MEMORY, RATIO) },
	{ SHOWN("memory.attention_workspace_bytes", "attention workspace", BYTES, MEMORY, RATIO) },
	{ SHOWN("memory.workspace_bytes", "library workspace", BYTES, MEMORY, RATIO) },
	{ SHOWN("memory.device_used_bytes", "device-wide used", BYTES, MEMORY, RATIO) },
	{ SHOWN("memory.overhead", "reserved over allocated", PERCENT, MEMORY, DIFFERENCE) },
	{ SHOWN("memory.fragmentation", "fragmentation", PERCENT, MEMORY, DIFFERENCE) },
	{ SHOWN("memory.fragmentation_at_peak_reserved", "fragmentation at that peak", PERCENT, MEMORY, DIFFERENCE) },
	{ SHOWN("memory.largest_free_at_peak_reserved", "largest free / free, then", PERCENT, MEMORY, DIFFERENCE) },
	{ SHOWN("memory.largest_free_at_end", "the same at the end", PERCENT, MEMORY, DIFFERENCE) },
	{ SHOWN("driver.calls", "driver calls", COUNT, DRIVER, RATIO) },
	{ SHOWN("driver_ns", "driver time", TIME, DRIVER, RATIO) },
	{ SHOWN("memory.retries", "allocations retried", COUNT, DRIVER, RATIO) },
	{ SHOWN("memory.out_of_memory", "out of memory, in a pass", COUNT, DRIVER, RATIO) },
	{ SHOWN("offload.moved_bytes", "weights moved in a pass", BYTES, DRIVER, PLAIN) },
	{ SHOWN("offload.copy_ns", "copies of weights", TIME, DRIVER, PLAIN) },
	{ SHOWN("offload.hidden", "of that hidden by work", PERCENT, DRIVER, PLAIN) },
	{ SHOWN("quality.track*_px_median", "tracks, median", PIXELS, ACCURACY, PLAIN) },
	{ SHOWN("quality.track*_px_p95", "tracks, 95 %", PIXELS, ACCURACY, PLAIN) },
	{ SHOWN("quality.track_depth_rel_median", "depth of tracks, median", PERCENT, ACCURACY, PLAIN) },
	{ SHOWN("quality.track_depth_rel_p95", "depth of tracks, 95 %", PERCENT, ACCURACY, PLAIN) },
	{ SHOWN("quality.track_xyz_rel_median", "points in 3-D, median", PERCENT, ACCURACY, PLAIN) },
	{ SHOWN("quality.track_xyz_rel_p95", "points in 3-D, 95 %", PERCENT, ACCURACY, PLAIN) },
	{ SHOWN("quality.track_vis_changed", "visibility, changed", PERCENT, ACCURACY, PLAIN) },
	{ SHOWN("quality.track_pose_deg_max", "tracked poses, largest turn", DEGREES, ACCURACY, PLAIN) },
	{ SHOWN("quality.track_pose_rel_max", "tracked poses, largest shift", PERCENT, ACCURACY, PLAIN) },
	{ SHOWN("quality.depth_rel_median", "depth, median", PERCENT, ACCURACY, PLAIN) },
	{ SHOWN("quality.depth_rel_p95", "depth, 95 %", PERCENT, ACCURACY, PLAIN) },
	{ SHOWN("quality.pose_deg_max", "poses, largest turn", DEGREES, ACCURACY, PLAIN) },
	{ SHOWN("quality.pose_rel_max", "poses, largest shift", PERCENT, ACCURACY, PLAIN) },
	{ SHOWN("quality.focal_rel_max", "focal length, largest", PERCENT, ACCURACY, PLAIN) },
	{ SHOWN("quality.conf_abs_max", "confidence, largest", RATIO, ACCURACY, PLAIN) },
	{ SHOWN("track.replaced", "queries that follow others", COUNT, ACCURACY, PLAIN) },
	{ SHOWN("quality.*_px*", NULL, PIXELS, ACCURACY, PLAIN) },
	{ SHOWN("quality.*_deg*", NULL, DEGREES, ACCURACY, PLAIN) },
	{ SHOWN("quality.*_rel*", NULL, PERCENT, ACCURACY, PLAIN) },
	{ SHOWN("quality.track_identical", "tracks: every bit the same", COUNT, OTHER, PLAIN) },
	{ SHOWN("quality.identical", "every bit the same (1: yes)", COUNT, OTHER, PLAIN) },
	{ SHOWN("bundle.points", "bundle adjustment: points", COUNT, OTHER, PLAIN) },
	{ SHOWN("bundle.steps", "bundle adjustment: steps", COUNT, OTHER, PLAIN) },
	{ SHOWN("device.throttled*", NULL, COUNT, OTHER, PLAIN) },
	{ SHOWN("memory.stitches", "growths that moved pages", COUNT, OTHER, RATIO) },
	{ SHOWN("driver.cold_*_calls", NULL, COUNT, OTHER, RATIO) },
	{ SHOWN("*_ns", NULL, TIME, OTHER, RATIO) },
	{ SHOWN("*_bytes", NULL, BYTES, OTHER, RATIO) },
	{ SHOWN("*", NULL, UNKNOWN, OTHER, RATIO) },
};
/* clang-format on */
#undef SHOWN
const int sb_metric_table_len = SB_ARRAY_LEN(sb_metric_table);

/* What a switch acts on. Total and accuracy stand in every group. */
static const struct {
	const char *factor;
	const char *const *rows;
} factor_rows[] = {
	{ "precision", (const char *const[]){ "wall_ns", "op.gemm_ns+op.conv_ns", "op.gemm_ns", "op.conv_ns",
	                       "quality.*", NULL } },
	{ "attention", (const char *const[]){ "wall_ns", "op.attention_ns", "memory.attention_bytes",
	                       "memory.attention_workspace_bytes", "memory.allocated_peak_bytes",
	                       "memory.reserved_peak_bytes", "quality.*", NULL } },
	{ "alloc", (const char *const[]){ "wall_ns", "cold_*", "memory.reserved_peak_bytes", "memory.overhead",
	                   "memory.fragmentation", "driver.calls", "driver_ns", "quality.*", NULL } },
	{ "offload", (const char *const[]){ "wall_ns", "memory.weights_bytes", "memory.trial_bytes", "offload.*",
	                     "quality.*", NULL } },
};

const char *const sb_metric_rows_of_arm[] = { "wall_ns", "op.*", "memory.trial_bytes", "memory.reserved_peak_bytes",
	NULL };
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
	[SB_SECTION_ACCURACY] = { "accuracy", "accuracy: drift from reference" },
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
