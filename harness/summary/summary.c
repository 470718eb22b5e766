#include "sb_summary.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sb_stats.h"
#include "summary_internal.h"

const char *sb_outcome_title(enum sb_outcome outcome)
{
	static const char *const titles[SB_OUTCOME_COUNT] = {
		[SB_OUTCOME_OK] = "ok",
		[SB_OUTCOME_OOM] = "out of memory",
		[SB_OUTCOME_CRASHED] = "crashed",
		[SB_OUTCOME_TIMEOUT] = "timed out",
		[SB_OUTCOME_FAILED] = "failed",
	};

	return titles[outcome];
}

/* ---- notes ---------------------------------------------------------------------------------------------------- */

/* Lists are short and grow by copying: the pool frees all at once. */
static void note(struct sb_view *v, const char ***notes, size_t *n, const char *text)
{
	const char **bigger = sb_pool_alloc(v->pool, (*n + 1) * sizeof(*bigger));

	if (!bigger)
		return;
	if (*n)
		memcpy(bigger, *notes, *n * sizeof(*bigger));
	bigger[(*n)++] = text;
	*notes = bigger;
}

/* ---- what was run --------------------------------------------------------------------------------------------- */

static const char *fact(struct sb_view *v, const char *key)
{
	return sb_pool_str(v->pool, sb_run_fact(v->run, key));
}

static int whole(const json_t *object, const char *key)
{
	const json_t *x = json_object_get(object, key);
	json_int_t i = json_is_integer(x) ? json_integer_value(x) : 0;

	return i > 0 && i < 1 << 30 ? (int)i : 0;
}

/* Stored JSON; NULL for none, and for what is no JSON. Without memory for it the pool fails. */
static json_t *load_json(struct sb_view *v, const char *text)
{
	uint64_t failures = sb_malloc_failures();
	json_t *root;

	json_set_alloc_funcs(sb_malloc_noted, free);
	root = text ? json_loads(text, 0, NULL) : NULL;
	if (sb_malloc_failures() != failures)
		sb_pool_fail(v->pool);
	return root;
}

/* "16 queries + 24 support points at 602x336, 4 iterations, cameras ba" */
static const char *points_text(struct sb_view *v, json_t *params)
{
	int queries = whole(params, "queries"), support = whole(params, "support");
	int iterations = whole(params, "iterations"), windows = whole(params, "windows");
	const char *cameras = json_string_value(json_object_get(params, "cameras")), *text;
	struct sb_buf b = { 0 };

	if (!queries)
		return NULL;
	sb_buf_addf(&b, "%d %s + %d support points at %dx%d, %d iteration%s", queries,
	        queries == 1 ? "query" : "queries", support, whole(params, "track_width"),
	        whole(params, "track_height"), iterations, iterations == 1 ? "" : "s");
	if (windows > 1)
		sb_buf_addf(&b, ", %d windows of %d frames (overlap %d)", windows, whole(params, "window"),
		        whole(params, "overlap"));
	if (cameras)
		sb_buf_addf(&b, ", cameras %s", cameras);
	if (b.failed)
		sb_pool_fail(v->pool);
	text = sb_pool_str(v->pool, sb_buf_str(&b));
	sb_buf_release(&b);
	return text;
}

/* The case's parameters are JSON; what is missing there is simply not shown. */
static void read_params(struct sb_view *v)
{
	struct sb_summary *s = v->out;
	json_t *root = load_json(v, s->params);

	s->frames = whole(root, "frames");
	s->width = whole(root, "width");
	s->height = whole(root, "height");
	s->clip = sb_pool_str(v->pool, json_string_value(json_object_get(root, "clip")));
	s->points = points_text(v, root);
	json_decref(root);
}

/* The stored reason begins with a word of sb_stats_stop_name(); a bare word becomes a sentence. */
static void read_stop(struct sb_view *v)
{
	static const struct {
		const char *word, *text;
	} bare[] = {
		{ "precise", "the interval of total is within +-1 %" },
		{ "budget", "the budget is spent" },
		{ "blocks", "all blocks were run" },
		{ "nothing", "every arm is out of memory" },
		{ "unfinished", "before it was done" },
	};
	const char *reason = sb_run_fact(v->run, "stop.reason"), *planned = sb_run_fact(v->run, "blocks");
	char word[16] = "";
	int64_t fixed = 0;

	v->out->stop_reason = sb_pool_str(v->pool, reason);
	for (size_t i = 0; reason && i < SB_ARRAY_LEN(bare); i++)
		if (!strcmp(bare[i].word, reason))
			v->out->stop_reason = bare[i].text;
	if (reason)
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(reason, " :,;("), reason);
	if (!planned || sb_parse_int(planned, "blocks", 0, INT32_MAX, &fixed, NULL))
		fixed = 0; /* "auto", or not recorded: the looks decided */
	v->level[SB_KIND_TIMING] =
	        sb_stats_level((int)fixed, sb_stats_stop_by_name(word), v->out->blocks[SB_KIND_TIMING]);
	/* Always so many, whatever the looks said. */
	v->level[SB_KIND_TRACE] = sb_stats_level(SB_STATS_MIN_PAIRS, SB_STATS_STOP_MAX, v->out->blocks[SB_KIND_TRACE]);
	memcpy(v->out->level, v->level, sizeof(v->level));
}

/* "100 MiB", in the largest unit that leaves a whole part. */
static const char *size_text(struct sb_view *v, int64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double size = (double)bytes;
	size_t u = 0;

	for (; size >= 1024.0 && u + 1 < SB_ARRAY_LEN(units); u++)
		size /= 1024.0;
	return sb_pool_fmt(v->pool, "%.5g %s", size, units[u]);
}

/* "..; 2 OpenMP threads" of the fact that names the libraries; 0 if it does not say. */
static int threads_of(const char *software)
{
	const char *end = software ? strstr(software, " OpenMP thread") : NULL, *at = end;

	while (at && at > software && at[-1] >= '0' && at[-1] <= '9')
		at--;
	return at && at < end ? (int)strtol(at, NULL, 10) : 0;
}

/* What `default` and `expandable` are in this run, where they are not PyTorch's. */
static void read_alloc_conf(struct sb_view *v, const char *conf)
{
	if (!conf || !*conf)
		return;
	v->out->alloc_conf = sb_pool_str(v->pool, conf);
	v->out->alloc_note = sb_pool_fmt(v->pool, "%s: not PyTorch's defaults", conf);
}

/* What the plan sets for the device: threads (0 there: as many as it has, which the worker says), a limit of memory. */
static void read_setting(struct sb_view *v)
{
	struct sb_summary *s = v->out;
	json_t *plan = load_json(v, v->run->plan);
	json_int_t limit = json_integer_value(json_object_get(plan, "memory_limit"));
	struct sb_buf text = { 0 };

	s->threads = threads_of(sb_run_fact(v->run, "software"));
	if (!s->threads)
		s->threads = whole(plan, "threads");
	s->memory_limit_bytes = limit > 0 ? limit : 0;
	read_alloc_conf(v, json_string_value(json_object_get(plan, "alloc_conf")));
	json_decref(plan);
	if (s->threads)
		sb_buf_addf(&text, "%d thread%s", s->threads, s->threads == 1 ? "" : "s");
	if (s->memory_limit_bytes)
		sb_buf_addf(&text, "%spretended device memory %s", text.len ? ", " : "",
		        size_text(v, s->memory_limit_bytes));
	s->setting = sb_pool_take(v->pool, &text);
}

static void read_identity(struct sb_view *v)
{
	const struct sb_run *run = v->run;
	struct sb_summary *s = v->out;

	s->run_id = sb_pool_str(v->pool, run->id);
	s->status = sb_pool_str(v->pool, run->status);
	s->command = sb_pool_str(v->pool, run->command);
	s->note = sb_pool_str(v->pool, run->note);
	s->created_ns = run->created_ns;
	s->ended_ns = run->ended_ns;
	s->device = fact(v, "device.name");
	if (!s->device && run->n_workers)
		s->device = sb_pool_str(v->pool, run->workers[0].device_name);
	s->device_kind = fact(v, "device.kind");
	s->cpu = fact(v, "cpu.model");
	s->host = fact(v, "host.name");
	s->workload = sb_pool_str(v->pool, run->workload);
	s->preset = sb_pool_str(v->pool, run->preset);
	s->params = sb_pool_str(v->pool, run->params);
	s->clip_note = fact(v, "clip.note");
	s->frames_note = fact(v, "frames.note");
	s->inputs_note = fact(v, "inputs.note");
	s->clip_digest = sb_pool_str(v->pool, run->clip_digest);
	s->weights_kind = sb_pool_str(v->pool, run->weights_kind);
	s->weights_digest = sb_pool_str(v->pool, run->weights_digest);
	s->blocks_planned = fact(v, "blocks");
	s->budget_s = fact(v, "budget_s");
	read_params(v);
	read_setting(v);
}

/* ---- arms and trials ------------------------------------------------------------------------------------------ */

/* The parts that this device can only imitate. On a CPU that is precision, also where the run does not say so. */
static void read_emulated(struct sb_view *v)
{
	const char *list = sb_run_fact(v->run, "emulated"), *kind = v->out->device_kind;

	if (!list)
		list = kind && !strcmp(kind, "cpu") ? "precision" : "";
	for (int p = 0; p < SB_PART_COUNT; p++)
		v->emulated[p] = sb_list_has(list, sb_parts[p].name) || sb_list_has(list, sb_parts[p].factor);
}

static enum sb_status read_arms(struct sb_view *v, struct sb_error *err)
{
	struct sb_summary *s = v->out;

	s->arms = sb_pool_alloc(v->pool, (size_t)v->n_arms * sizeof(*s->arms));
	v->levels = sb_pool_alloc(v->pool, (size_t)v->n_arms * sizeof(*v->levels));
	if (!s->arms || !v->levels)
		return sb_fail(err, SB_E_NOMEM, "out of memory");
	s->n_arms = (size_t)v->n_arms;
	for (int a = 0; a < v->n_arms; a++) {
		struct sb_summary_arm *arm = &s->arms[a];
		struct sb_buf parts = { 0 };

		arm->name = sb_pool_str(v->pool, v->run->arms[a].name);
		arm->levels = sb_pool_str(v->pool, v->run->arms[a].levels);
		if (sb_levels_parse(arm->levels, &v->levels[a], err)) {
			sb_wrap(err, "arm '%s'", arm->name);
			return sb_fail(err, SB_E_DATA, "%s", err ? err->msg : "");
		}
		for (int p = 0; p < SB_PART_COUNT; p++) {
			if (!v->emulated[p] || !v->levels[a].part[p])
				continue;
			arm->emulated = true;
			sb_buf_addf(&parts, "%s%s", parts.len ? "," : "", sb_parts[p].name);
		}
		arm->emulated_parts = sb_pool_take(v->pool, &parts);
	}
	return SB_OK;
}

static enum sb_status index_metrics(struct sb_view *v, struct sb_error *err)
{
	v->info = sb_pool_alloc(v->pool, (v->samples->n_metrics + 1) * sizeof(*v->info));
	if (!v->info)
		return sb_fail(err, SB_E_NOMEM, "out of memory");
	for (size_t m = 0; m < v->samples->n_metrics; m++)
		v->info[m] =
		        strncmp(v->samples->metrics[m], "counter.", 8) ? sb_metric_find(v->samples->metrics[m]) : -1;
	return SB_OK;
}

/* ---- switches, tracer, notes on the run ------------------------------------------------------------------------ */

static const char *fact_absent(const struct sb_run *run, const char *key)
{
	for (size_t i = 0; i < run->n_facts; i++)
		if (!strcmp(run->facts[i].key, key) && run->facts[i].absent)
			return run->facts[i].absent;
	return "not recorded";
}

static bool has_fact(const struct sb_run *run, const char *key)
{
	for (size_t i = 0; i < run->n_facts; i++)
		if (!strcmp(run->facts[i].key, key))
			return true;
	return false;
}

static bool is_switched(const struct sb_view *v, const char *factor)
{
	for (int a = 0; a < v->n_arms; a++)
		for (int p = 0; p < SB_PART_COUNT; p++)
			if (!strcmp(sb_parts[p].factor, factor) && v->levels[a].part[p])
				return true;
	return false;
}

static void read_switches(struct sb_view *v)
{
	struct sb_summary *s = v->out;
	size_t n = 0;

	while (sb_factor_names[n])
		n++;
	s->switches = sb_pool_alloc(v->pool, n * sizeof(*s->switches));
	for (size_t f = 0; f < n && s->switches; f++) {
		struct sb_summary_switch *sw = &s->switches[s->n_switches];
		const char *key = sb_pool_fmt(v->pool, "effect.%s", sb_factor_names[f]);

		if (!is_switched(v, sb_factor_names[f]))
			continue;
		sw->factor = sb_factor_names[f];
		sw->evidence = fact(v, key);
		if (!sw->evidence)
			sw->evidence = sb_pool_fmt(v->pool, "not checked (%s)", fact_absent(v->run, key));
		else if (!strncmp(sw->evidence, "not in effect", 13))
			sw->in_effect = SB_EFFECT_NO;
		else if (!strncmp(sw->evidence, "in effect", 9))
			sw->in_effect = SB_EFFECT_YES;
		s->n_switches++;
	}
}

static void describe_tracer(struct sb_view *v, double lo, double hi)
{
	const char *set = fact(v, "trace.set") ? "with every call of the API recorded, " : "";
	char least[32], largest[32];

	v->out->trace_to_timing_lo = sb_value_of(lo);
	v->out->trace_to_timing_hi = sb_value_of(hi);
	snprintf(least, sizeof(least), "%.2f", lo);
	snprintf(largest, sizeof(largest), "%.2f", hi);
	if (strcmp(least, largest) != 0)
		v->out->trace_to_timing = sb_pool_fmt(v->pool,
		        "%strace trials took %s to %s times as long as timing trials (per arm; other minutes, other "
		        "processes)",
		        set, least, largest);
	else
		v->out->trace_to_timing = sb_pool_fmt(v->pool,
		        "%strace trials took %s times as long as timing trials (other minutes, other processes)", set,
		        least);
}

/* How much longer trials took with the tracer on: each arm's median against its own. */
static void measure_tracer(struct sb_view *v)
{
	double lo = HUGE_VAL, hi = 0, median[2];
	int wall = sb_samples_metric(v->samples, "wall_ns");

	v->out->trace_to_timing_lo = v->out->trace_to_timing_hi = sb_value_absent("no trace trials");
	for (int a = 0; a < v->n_arms && a < SB_ARMS_MAX && wall >= 0; a++) {
		int have = 0;

		for (int kind = 0; kind < 2; kind++) {
			for (int b = 0; b < v->n_blocks; b++) {
				int t = v->trial[kind][a * v->n_blocks + b];

				v->col[kind][b] =
				        t < 0 ? NAN
				              : v->samples->value[(size_t)t * v->samples->n_metrics + (size_t)wall];
			}
			have += sb_effect_median(v->col[kind], v->n_blocks, v->work, &median[kind]) > 0;
		}
		if (have == 2 && median[SB_KIND_TIMING] > 0) {
			lo = fmin(lo, median[SB_KIND_TRACE] / median[SB_KIND_TIMING]);
			hi = fmax(hi, median[SB_KIND_TRACE] / median[SB_KIND_TIMING]);
		}
	}
	if (hi > 0)
		describe_tracer(v, lo, hi);
}

/* ---- what accuracy is measured from --------------------------------------------------------------------------- */

static void read_reference(struct sb_view *v)
{
	const char *text = sb_run_fact(v->run, "reference.levels");
	struct sb_levels levels, first = { { 0 } };
	struct sb_summary *s = v->out;

	s->reference = fact(v, "reference.arm");
	if (text && sb_levels_parse(text, &levels, NULL) == SB_OK) {
		v->reference_is_before = sb_levels_equal(&levels, &first);
		for (int a = 0; a < v->n_arms && !s->reference; a++)
			if (sb_levels_equal(&levels, &v->levels[a]))
				s->reference = s->arms[a].name;
	}
	s->accuracy_title = s->reference ? sb_pool_fmt(v->pool, "accuracy: drift from %s", s->reference)
	                                 : sb_section_title(SB_SECTION_ACCURACY);
}

const char *sb_summary_section_title(const struct sb_summary *s, enum sb_section section)
{
	return section == SB_SECTION_ACCURACY ? s->accuracy_title : sb_section_title(section);
}

static void note_on_run(struct sb_view *v)
{
	struct sb_summary *s = v->out;
	int traces = 0;

	for (size_t a = 0; a < s->n_arms; a++)
		for (int o = 0; o < SB_OUTCOME_COUNT; o++)
			traces += s->arms[a].n_trials[SB_KIND_TRACE][o];
	if (!strcmp(s->status, "running"))
		note(v, &s->notes, &s->n_notes, "the run has not ended: it goes on, or was killed");
	else if (!strcmp(s->status, "broken off"))
		note(v, &s->notes, &s->n_notes,
		        "the run was broken off: its process is gone; 'run --resume' completes it");
	else if (strcmp(s->status, "complete"))
		note(v, &s->notes, &s->n_notes, sb_pool_fmt(v->pool, "the run was not completed: %s", s->status));
	if (traces == 0)
		note(v, &s->notes, &s->n_notes, "no trace trials: kinds of op were not measured");
	if (s->incomplete_traces)
		note(v, &s->notes, &s->n_notes,
		        sb_pool_fmt(v->pool, "%d of %d trace trials lost records and are in no row",
		                s->incomplete_traces, traces));
	if (has_fact(v->run, "counters"))
		note(v, &s->notes, &s->n_notes,
		        sb_pool_fmt(v->pool, "no hardware counters: %s", fact_absent(v->run, "counters")));
	if (fact(v, "trace.note"))
		note(v, &s->notes, &s->n_notes, sb_pool_fmt(v->pool, "trace blocks: %s", fact(v, "trace.note")));
	if (s->n_trials[SB_OUTCOME_OK] == 0)
		note(v, &s->notes, &s->n_notes, "no trial succeeded");
	s->throttled = sb_throttled_text(v);
	if (s->throttled)
		note(v, &s->notes, &s->n_notes, s->throttled);
}

/* ---- groups --------------------------------------------------------------------------------------------------- */

/* "precision.gemm+conv fp32 -> tf32, alloc default -> expandable": parts that make the same step stand together. */
static const char *describe_change(struct sb_view *v, const struct sb_levels *a, const struct sb_levels *b)
{
	struct sb_buf text = { 0 };
	bool told[SB_PART_COUNT] = { false };

	for (int p = 0; p < SB_PART_COUNT; p++) {
		if (told[p] || a->part[p] == b->part[p])
			continue;
		sb_buf_addf(&text, "%s%s", text.len ? ", " : "", sb_parts[p].name);
		for (int q = p + 1; q < SB_PART_COUNT; q++) {
			if (strcmp(sb_parts[q].factor, sb_parts[p].factor) || a->part[q] != a->part[p] ||
			        b->part[q] != b->part[p])
				continue;
			told[q] = true;
			sb_buf_addf(&text, "+%s", strrchr(sb_parts[q].name, '.') + 1);
		}
		sb_buf_addf(&text, " %s -> %s", sb_level_name(a, (enum sb_part)p), sb_level_name(b, (enum sb_part)p));
	}
	return sb_pool_take(v->pool, &text);
}

/* What an arm's lost trials mean for the group it is in. */
static void note_on_arm(struct sb_view *v, struct sb_summary_group *g, int a)
{
	const struct sb_summary_arm *arm = &v->out->arms[a];
	static const char allocator_says[] = "out of device memory: ";

	for (int o = SB_OUTCOME_OK + 1; o < SB_OUTCOME_COUNT; o++) {
		const char *title = sb_outcome_title((enum sb_outcome)o), *text;
		const char *message = arm->messages[o] ? arm->messages[o] : "no message";
		const char *says = strstr(message, allocator_says);
		int lost = arm->n_trials[0][o] + arm->n_trials[1][o], all = 0;

		if (!lost)
			continue;
		for (int k = 0; k < SB_OUTCOME_COUNT; k++)
			all += arm->n_trials[0][k] + arm->n_trials[1][k];
		/* Not twice: what matters of the allocator's message is what was asked, held and free. */
		if (o == SB_OUTCOME_OOM && says)
			text = sb_pool_fmt(v->pool, "%s: %s (%s)", arm->name, title, says + sizeof(allocator_says) - 1);
		else
			text = sb_pool_fmt(v->pool, "%s: %s (%s)", arm->name, title, message);
		if (lost < all)
			text = sb_pool_fmt(v->pool, "%s; %d of %d trials", text, lost, all);
		note(v, &g->notes, &g->n_notes, text);
	}
}

static void begin_group(struct sb_view *v, struct sb_summary_group *g, enum sb_group_kind kind, const char *factor,
        int before, int after)
{
	struct sb_summary *s = v->out;

	*g = (struct sb_summary_group){ .kind = kind, .factor = factor, .before = s->arms[before].name, .change = "" };
	g->emulated = s->arms[before].emulated || (after >= 0 && s->arms[after].emulated);
	g->title = g->before;
	note_on_arm(v, g, before);
	if (after < 0) {
		note(v, &g->notes, &g->n_notes, "the run has one arm: there is nothing to compare it with");
		return;
	}
	g->after = s->arms[after].name;
	g->title = sb_pool_fmt(v->pool, "%s -> %s", g->before, g->after);
	g->change = describe_change(v, &v->levels[before], &v->levels[after]);
	note_on_arm(v, g, after);
	if (sb_view_emulated_differs(v, before, after))
		note(v, &g->notes, &g->n_notes,
		        "the arms differ in a precision that this device emulates: their times cannot be judged");
}

/* All that the run has, in the order of the table; total always. */
static void fill_main(struct sb_view *v, struct sb_summary_group *g, int before, int after)
{
	const struct sb_samples *sm = v->samples;

	g->rows = sb_pool_alloc(v->pool, (sm->n_metrics + (size_t)sb_metric_table_len) * sizeof(*g->rows));
	if (!g->rows)
		return;
	for (int i = 0; i < sb_metric_table_len; i++) {
		const struct sb_metric_info *info = &sb_metric_table[i];
		bool whole_sum = info->sum[0] && sb_samples_metric(sm, info->pattern) < 0, found = false;

		for (int k = 0; k < 2 && info->sum[k]; k++)
			whole_sum &= sb_samples_metric(sm, info->sum[k]) >= 0;
		if (whole_sum)
			sb_view_row(v, info, info->pattern, before, after, &g->rows[g->n_rows++]);
		for (size_t m = 0; m < sm->n_metrics; m++) {
			if (v->info[m] != i)
				continue;
			sb_view_row(v, info, sm->metrics[m], before, after, &g->rows[g->n_rows++]);
			found = true;
		}
		if (i == 0 && !found)
			sb_view_row(v, info, info->pattern, before, after, &g->rows[g->n_rows++]);
	}
}

/* The rows that are listed: a name stands there even without a value, a pattern for what there is. */
static void fill_listed(
        struct sb_view *v, struct sb_summary_group *g, const char *const *patterns, int before, int after)
{
	const struct sb_samples *sm = v->samples;

	g->rows = sb_pool_alloc(v->pool, (sm->n_metrics + (size_t)sb_metric_table_len) * sizeof(*g->rows));
	for (; *patterns && g->rows; patterns++) {
		if (!strchr(*patterns, '*')) {
			const struct sb_metric_info *info = &sb_metric_table[sb_metric_find(*patterns)];

			sb_view_row(v, info, *patterns, before, after, &g->rows[g->n_rows++]);
			continue;
		}
		for (int i = 0; i < sb_metric_table_len; i++)
			for (size_t m = 0; m < sm->n_metrics; m++)
				if (v->info[m] == i && sb_metric_match(*patterns, sm->metrics[m]))
					sb_view_row(v, &sb_metric_table[i], sm->metrics[m], before, after,
					        &g->rows[g->n_rows++]);
	}
}

static int arm_named(const struct sb_view *v, const char *name)
{
	for (int a = 0; a < v->n_arms; a++)
		if (!strcmp(v->out->arms[a].name, name))
			return a;
	return -1;
}

static enum sb_status choose_arm(const struct sb_view *v, const char *name, int *arm, struct sb_error *err)
{
	if (!name)
		return SB_OK;
	*arm = arm_named(v, name);
	if (*arm >= 0)
		return SB_OK;
	return sb_fail(err, SB_E_USAGE, "run '%.12s' has no arm '%s'; 'spabench show' lists them", v->run->id, name);
}

static enum sb_status choose_pair(
        const struct sb_view *v, const struct sb_summary_options *opt, int *before, int *after, struct sb_error *err)
{
	*before = arm_named(v, "before");
	if (*before < 0)
		*before = 0;
	if (opt && choose_arm(v, opt->before, before, err))
		return SB_E_USAGE;
	*after = arm_named(v, "after");
	if (*after == *before)
		*after = -1;
	for (int a = v->n_arms - 1; a >= 0 && *after < 0; a--)
		if (a != *before && (v->n_arms == 2 || strcmp(v->out->arms[a].name, "best")))
			*after = a;
	if (opt && choose_arm(v, opt->after, after, err))
		return SB_E_USAGE;
	return SB_OK;
}

/* The arm that makes `factor`'s step from `before` and no other: the one named after it if there are several. */
static int arm_of_factor(const struct sb_view *v, int before, const char *factor)
{
	int found = -1;

	for (int a = 0; a < v->n_arms; a++) {
		if (!sb_levels_differ_only_in(&v->levels[before], &v->levels[a], factor))
			continue;
		if (v->out->arms[a].name[0] == '+' && !strcmp(v->out->arms[a].name + 1, factor))
			return a;
		if (found < 0)
			found = a;
	}
	return found;
}

static bool has_group(const struct sb_summary *s, const char *arm)
{
	for (size_t i = 0; i < s->n_groups; i++)
		if (!strcmp(s->groups[i].before, arm) || (s->groups[i].after && !strcmp(s->groups[i].after, arm)))
			return true;
	return false;
}

/* A few rows; those of the factor where it is another level of that factor alone. */
static const char *const *rows_of_other(const struct sb_view *v, int before, int a)
{
	for (int f = 0; sb_factor_names[f]; f++)
		if (sb_levels_differ_only_in(&v->levels[before], &v->levels[a], sb_factor_names[f]))
			return sb_metric_rows_of_factor(sb_factor_names[f]);
	return sb_metric_rows_of_arm;
}

/* Arms that no group has shown yet, as every combination of the factors gives them: a few rows each. */
static void add_other_arms(struct sb_view *v, int before)
{
	struct sb_summary *s = v->out;

	for (int a = 0; a < v->n_arms; a++) {
		if (a == before || has_group(s, s->arms[a].name))
			continue;
		begin_group(v, &s->groups[s->n_groups], SB_GROUP_ARM, NULL, before, a);
		fill_listed(v, &s->groups[s->n_groups++], rows_of_other(v, before, a), before, a);
	}
}

static enum sb_status make_groups(struct sb_view *v, const struct sb_summary_options *opt, struct sb_error *err)
{
	struct sb_summary *s = v->out;
	size_t n_factors = 0;
	int before, after, best = arm_named(v, "best"), named_after = arm_named(v, "after");

	if (choose_pair(v, opt, &before, &after, err))
		return SB_E_USAGE;
	while (sb_factor_names[n_factors])
		n_factors++;
	s->groups = sb_pool_alloc(v->pool, (n_factors + 2 + (size_t)v->n_arms) * sizeof(*s->groups));
	if (!s->groups)
		return sb_fail(err, SB_E_NOMEM, "out of memory");
	begin_group(v, &s->groups[0], SB_GROUP_MAIN, NULL, before, after);
	fill_main(v, &s->groups[s->n_groups++], before, after);
	for (size_t f = 0; f < n_factors; f++) {
		int arm = arm_of_factor(v, before, sb_factor_names[f]);

		if (arm < 0 || arm == after)
			continue;
		begin_group(v, &s->groups[s->n_groups], SB_GROUP_FACTOR, sb_factor_names[f], before, arm);
		fill_listed(v, &s->groups[s->n_groups++], sb_metric_rows_of_factor(sb_factor_names[f]), before, arm);
	}
	if (best >= 0 && named_after >= 0 && !(before == named_after && after == best)) {
		begin_group(v, &s->groups[s->n_groups], SB_GROUP_BEST, NULL, named_after, best);
		fill_listed(v, &s->groups[s->n_groups++], sb_metric_rows_of_best, named_after, best);
	}
	if (!opt || !opt->after)
		add_other_arms(v, before);
	return SB_OK;
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

static enum sb_status compute(
        struct sb_view *v, const struct sb_trials *trials, const struct sb_summary_options *opt, struct sb_error *err)
{
	enum sb_status status;

	read_identity(v);
	read_emulated(v);
	status = read_arms(v, err);
	if (!status)
		status = sb_view_index_trials(v, trials, err);
	if (!status)
		status = index_metrics(v, err);
	if (status)
		return status;
	read_stop(v);
	read_switches(v);
	measure_tracer(v);
	read_reference(v);
	note_on_run(v);
	status = make_groups(v, opt, err);
	if (status)
		return status;
	sb_lattice_summarise(v, opt && opt->effects);
	sb_claims_judge(v);
	return sb_pool_failed(v->pool) ? sb_fail(err, SB_E_NOMEM, "out of memory") : SB_OK;
}

enum sb_status sb_summary_compute(const struct sb_run *run, const struct sb_trials *trials,
        const struct sb_samples *samples, const struct sb_summary_options *opt, struct sb_summary *out,
        struct sb_error *err)
{
	struct sb_summary s = { .pool = sb_pool_new() };
	struct sb_view v = { .run = run, .samples = samples, .out = &s, .pool = s.pool, .n_arms = run->n_arms };
	enum sb_status status;

	if (!s.pool)
		return sb_fail(err, SB_E_NOMEM, "out of memory");
	if (run->n_arms < 1)
		status = sb_fail(err, SB_E_DATA, "run '%s' has no arm", run->id);
	else if (samples->n_trials != trials->n)
		status = sb_fail(err, SB_E_DATA, "run '%s': samples of %zu trials, and there are %zu", run->id,
		        samples->n_trials, trials->n);
	else
		status = compute(&v, trials, opt, err);
	if (status) {
		sb_summary_release(&s);
		return status;
	}
	*out = s;
	return SB_OK;
}

enum sb_status sb_summary_build(struct sb_store *st, int64_t run_key, const struct sb_summary_options *opt,
        struct sb_summary *out, struct sb_error *err)
{
	struct sb_run run = { 0 };
	struct sb_trials trials = { 0 };
	struct sb_samples samples = { 0 };
	enum sb_status status = sb_store_read_run(st, run_key, &run, err);

	if (!status)
		status = sb_store_read_trials(st, run_key, &trials, err);
	if (!status)
		status = sb_store_read_samples(st, run_key, &trials, &samples, err);
	if (!status)
		status = sb_summary_compute(&run, &trials, &samples, opt, out, err);
	sb_samples_release(&samples);
	sb_trials_release(&trials);
	sb_run_release(&run);
	return status;
}

void sb_summary_release(struct sb_summary *s)
{
	sb_pool_free(s->pool);
	*s = (struct sb_summary){ 0 };
}
