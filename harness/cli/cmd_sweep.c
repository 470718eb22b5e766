/* sweep: a parameter of the case over a list of values, an ordinary run each. */
#include "case_options.h"
#include "run_data.h"
#include "run_part.h"
#include "sb_cli.h"
#include "sb_sweep_report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What may be a list comes first; what stands behind OPT_FORMAT is handed to every run as it is. */
enum {
	OPT_FRAMES,
	OPT_GRID,
	OPT_POINTS,
	OPT_SIZE,
	N_LISTS,
	OPT_ARMS = N_LISTS,
	OPT_FORMAT,
	OPT_QUIET,
	OPT_DB,
	OPT_BLOCKS,
	OPT_TRACE_BLOCKS,
	OPT_BUDGET
};

const struct sb_option sb_sweep_options[] = {
	[OPT_FRAMES] = { "frames", "LIST", "frames of the clip, 8,16,32; exactly one of these four is a list" },
	[OPT_GRID] = { "grid", "LIST", "grids of N x N points" },
	[OPT_POINTS] = { "points", "LIST", "about N points: the square grid nearest to that" },
	[OPT_SIZE] = { "size", "LIST", "network sizes, 252x140,518x294" },
	[OPT_ARMS] = { "arms", "LIST", "arms by name, comma-separated [before,+attention]" },
	[OPT_FORMAT] = { "format", "text|markdown|csv|json", "how to print the table [text]" },
	[OPT_QUIET] = { "quiet", NULL, "no progress" },
	[OPT_DB] = { "db", "FILE", "the database [$SPABENCH_DB, else ./spabench.db]" },
	[OPT_BLOCKS] = { "blocks", "N", "timing blocks at each value; fewer than 6 give no interval [6]" },
	[OPT_TRACE_BLOCKS] = { "trace-blocks", "N", "trace blocks at each value [0]" },
	[OPT_BUDGET] = { "budget", "SECONDS", "at each value, stop after about so long [no limit]" },
	{ "video", "PATH", "a folder of PNG images, a .y4m file or any video that ffmpeg decodes [built-in]" },
	{ "raw", "WxH", "--video is a file of packed 8-bit RGB frames of this size" },
	{ "preset", "NAME", "the network: tiny, small or full [tiny; full on a GPU]" },
	{ "stride", "N", "take every N-th frame [1]" },
	{ "weights", "FILE", "safetensors [synthetic weights]" },
	{ "weights-front", "FILE", "safetensors of the front end [synthetic weights]" },
	{ "weights-track", "FILE", "safetensors of the tracker [synthetic weights]" },
	{ "queries", "FILE", "points to track, as for 'spabench run'" },
	{ "support", "N", "points that the tracker adds in each window [the preset's]" },
	{ "cameras", "WORD", "fixed, procrustes or ba [ba]" },
	{ "iterations", "N", "refinement iterations of the tracker [the preset's; published: 4]" },
	{ "mode", "offline|online", "windows of 500 frames, overlap 4, or of 20, overlap 6 [offline]" },
	{ "window", "N", "frames of a window [the mode's]" },
	{ "overlap", "N", "frames that windows share [the mode's]" },
	{ "device", "auto|cpu|cuda:N", "where to run [auto: the GPU if there is one]" },
	{ "set", "F[.PART]=LEVEL", "fix a level in every arm, e.g. precision=tf32; may be repeated" },
	{ "no-counters", NULL, "no pass that counts TF32 operations in the hardware (GPU only)" },
	{ "seed", "N", "of the random order and the support points [random; points: 0]" },
	{ "threads", "N", "CPU threads of a worker [all]" },
	{ "timeout", "SECONDS", "a trial that takes longer is killed and stored as such [600]" },
	{ "vram-limit", "SIZE", "pretend the device has so much memory, e.g. 512M" },
	{ "alloc-conf", "STRING", "settings of the allocators, as in PYTORCH_CUDA_ALLOC_CONF [PyTorch's]" },
	{ "offload-budget", "SIZE", "with offload: so much of its weights stays on the device [0]" },
	{ "note", "TEXT", "kept with every run" },
	{ "exe", "FILE", "the spabench whose workers run the trials [this one]" },
	{ NULL, NULL, NULL },
};

const char sb_sweep_details[] =
        "Every value, the smallest first, is a run of its own in the database, complete with its command; the facts\n"
        "'sweep' and 'sweep.by' say which belong together. 'spabench report' and 'spabench export plot sweep' draw\n"
        "the curves of the frames from any of them.\n"
        "Without --arms it is before and +attention: they differ in nothing but the attention, whose share of the\n"
        "work is what grows with the square of a clip's length; --arms before,after is the whole change.\n"
        "An arm that runs out of memory at a value is stored so and left out at larger ones. What is not swept stays\n"
        "as it is given, else as in the preset: no run makes itself shorter to fit into a GPU.\n"
        "Ctrl-C ends the sweep after the current trial and prints what there is; 'run --resume' completes that run.\n";

enum { VALUES_MAX = 64, ARGS_MAX = 160, VALUE_LEN = 32, PATCH = 14 };

struct sweep {
	const char *list, *by;
	int by_option;
	char value[VALUES_MAX][VALUE_LEN];
	int64_t rank[VALUES_MAX]; /* by which values are put in order */
	int n_values;
	struct sb_arm arms[SB_ARMS_MAX];
	char *spec[SB_ARMS_MAX]; /* of each, as it was typed */
	bool out[SB_ARMS_MAX];   /* it ran out of memory at an earlier value */
	int n_arms;
	const char *arm_list, *db;
	int format;
	bool quiet, blocks, trace_blocks;
	char *args[ARGS_MAX]; /* of every run; owned */
	int n_args;
	char id[33];
	char run_id[VALUES_MAX][33];
	char device[128], preset[64];
	struct sb_sweep_row *rows; /* [n_values * n_arms] */
	char **why;                /* the same; owned */
};

/* ---- what is asked for ----------------------------------------------------------------------------------------- */

static enum sb_status add_arg(struct sweep *s, const char *name, const char *value, struct sb_error *err)
{
	struct sb_buf b = { 0 };

	if (s->n_args >= ARGS_MAX - 8) /* a run adds its own */
		return sb_fail(err, SB_E_USAGE, "too many options");
	sb_buf_addf(&b, "--%s%s%s", name, value ? "=" : "", value ? value : "");
	if (b.failed) {
		sb_buf_release(&b);
		return sb_fail(err, SB_E_NOMEM, "no memory for the options");
	}
	s->args[s->n_args++] = b.s;
	return SB_OK;
}

static enum sb_status apply(int option, const char *value, struct sweep *s, struct sb_error *err)
{
	const char *name = sb_sweep_options[option].name;

	if (option < N_LISTS && strchr(value, ',')) {
		if (s->list)
			return sb_fail(
			        err, SB_E_USAGE, "--%s and --%s are both lists; one parameter is swept", s->by, name);
		s->list = value;
		s->by = name;
		s->by_option = option;
		return SB_OK;
	}
	if (option == OPT_ARMS) {
		s->arm_list = value;
		return SB_OK;
	}
	if (option == OPT_FORMAT)
		return sb_parse_word(value, "--format", sb_sweep_formats, &s->format, err);
	s->quiet |= option == OPT_QUIET;
	s->blocks |= option == OPT_BLOCKS || option == OPT_BUDGET;
	s->trace_blocks |= option == OPT_TRACE_BLOCKS;
	if (option == OPT_DB)
		s->db = value;
	if (!strcmp(name, "device") && !strcmp(value, "all"))
		return sb_fail(err, SB_E_USAGE, "a sweep runs on one device, not on 'all'");
	return add_arg(s, name, value, err);
}

/* As the run will take it, so that nothing is measured before a mistake is found. */
static enum sb_status rank_of(const struct sweep *s, const char *value, int64_t *rank, struct sb_error *err)
{
	struct sb_worker_setup *setup = calloc(1, sizeof(*setup));
	enum sb_status status;

	if (!setup)
		return sb_fail(err, SB_E_NOMEM, "no memory for the options");
	status = sb_case_option(s->by, value, setup, err);
	if (!status && setup->c.own_size)
		status = sb_fail(err, SB_E_USAGE, "--size 'native' has no place in a list: its size is the clip's");
	if (!status && s->by_option == OPT_SIZE && (setup->c.width % PATCH || setup->c.height % PATCH))
		status = sb_fail(err, SB_E_USAGE, "--size '%s': both sides are multiples of %d", value, PATCH);
	if (s->by_option == OPT_FRAMES)
		*rank = setup->c.frames;
	else if (s->by_option == OPT_SIZE) /* by pixels, and no two of different sides alike */
		*rank = (setup->c.width * setup->c.height << 16) + setup->c.width;
	else
		*rank = setup->c.grid;
	free(setup);
	return status;
}

static enum sb_status add_value(struct sweep *s, const char *text, size_t len, struct sb_error *err)
{
	char value[VALUE_LEN];
	int64_t rank = 0;
	int at = s->n_values;

	if (!len)
		return sb_fail(err, SB_E_USAGE, "--%s '%.64s': a value is empty", s->by, s->list);
	if (len >= sizeof(value))
		return sb_fail(err, SB_E_USAGE, "--%s '%.*s' is too long", s->by, VALUE_LEN, text);
	if (at == VALUES_MAX)
		return sb_fail(err, SB_E_USAGE, "--%s: more than %d values", s->by, VALUES_MAX);
	memcpy(value, text, len);
	value[len] = '\0';
	if (rank_of(s, value, &rank, err))
		return err->code;
	for (int i = 0; i < s->n_values; i++)
		if (s->rank[i] == rank)
			return sb_fail(err, SB_E_USAGE, "--%s: '%s' and '%s' are the same%s", s->by, s->value[i], value,
			        s->by_option == OPT_POINTS ? ": points are those of a square grid" : "");
	if (s->by_option == OPT_POINTS) /* of a square grid: what is measured is what the table says */
		snprintf(value, sizeof(value), "%lld", (long long)(rank * rank));
	for (; at > 0 && s->rank[at - 1] > rank; at--) {
		memcpy(s->value[at], s->value[at - 1], VALUE_LEN);
		s->rank[at] = s->rank[at - 1];
	}
	memcpy(s->value[at], value, VALUE_LEN);
	s->rank[at] = rank;
	s->n_values++;
	return SB_OK;
}

static enum sb_status read_values(struct sweep *s, struct sb_error *err)
{
	const char *p = s->list;
	size_t len;

	if (!s->list)
		return sb_fail(err, SB_E_USAGE,
		        "there is nothing to sweep: give one of --frames, --grid, --points and --size a list of two "
		        "values "
		        "or more, as --frames 8,16,32");
	for (;; p += len + 1) {
		len = strcspn(p, ",");
		if (add_value(s, p, len, err))
			return err->code;
		if (!p[len])
			return SB_OK;
	}
}

/* Their texts are kept: --arms of a later run has those that are left. */
static enum sb_status read_arms(struct sweep *s, struct sb_error *err)
{
	const char *p = s->arm_list;
	int n;

	if (sb_arms_parse(s->arm_list, s->arms, &n, err))
		return err->code;
	for (int i = 0; i < n; i++) {
		size_t len = strcspn(p, ",");

		s->spec[i] = malloc(len + 1);
		if (!s->spec[i])
			return sb_fail(err, SB_E_NOMEM, "no memory for the arms");
		memcpy(s->spec[i], p, len);
		s->spec[i][len] = '\0';
		s->n_arms++;
		p += len + (p[len] != '\0');
	}
	return SB_OK;
}

static enum sb_status parse(int argc, char **argv, struct sweep *s, struct sb_error *err)
{
	struct sb_option_parser p = { .next = 1 };
	const char *value;
	int i;

	while ((i = sb_options_next(&p, argc, argv, sb_sweep_options, &value, err)) >= 0)
		if (apply(i, value, s, err))
			return err->code;
	if (i == -2)
		return SB_E_USAGE;
	if (p.n_operands)
		return sb_fail(err, SB_E_USAGE, "sweep takes options only, not '%.64s'", p.operands[0]);
	if (read_values(s, err) || read_arms(s, err))
		return err->code;
	if (!s->blocks && add_arg(s, "blocks", "6", err))
		return err->code;
	return s->trace_blocks ? SB_OK : add_arg(s, "trace-blocks", "0", err);
}

/* ---- what came of a run ---------------------------------------------------------------------------------------- */

static struct sb_sweep_row *row_of(struct sweep *s, int value, int arm)
{
	return &s->rows[value * s->n_arms + arm];
}

static void set_why(struct sweep *s, int value, int arm, const char *text)
{
	char **why = &s->why[value * s->n_arms + arm];

	free(*why);
	*why = sb_strdup(text); /* without memory it is not said */
	row_of(s, value, arm)->why = *why;
}

static void begin_rows(struct sweep *s)
{
	for (int v = 0; v < s->n_values; v++)
		for (int a = 0; a < s->n_arms; a++)
			*row_of(s, v, a) = (struct sb_sweep_row){ .value = s->value[v],
				.arm = s->arms[a].name,
				.outcome = "not run",
				.run_id = "",
				.time_ns = { .mid = NAN, .lo = NAN, .hi = NAN, .coverage = NAN },
				.memory_bytes = sb_value_absent("not measured"),
				.reserved_bytes = sb_value_absent("not measured") };
}

static double sample(const struct sb_run_data *d, size_t trial, const char *metric)
{
	int m = sb_samples_metric(&d->samples, metric);

	return m < 0 ? NAN : d->samples.value[trial * d->samples.n_metrics + (size_t)m];
}

/* Over an arm's timing trials that were ok; `more` is added to each: NULL: nothing. */
static struct sb_interval median(
        const struct sb_run_data *d, int arm, const char *metric, const char *more, double *x, double *scratch)
{
	struct sb_interval out = { .mid = NAN, .lo = NAN, .hi = NAN, .coverage = NAN };
	double level = d->tables[0].level[0];
	int n = 0;

	for (size_t i = 0; i < d->trials.n; i++) {
		const struct sb_trial *t = &d->trials.v[i];
		double v = sample(d, i, metric) + (more ? sample(d, i, more) : 0.0);

		if (t->arm == arm && !t->trace && !t->counters && !strcmp(t->outcome, "ok") && isfinite(v))
			x[n++] = v;
	}
	if (n)
		sb_stats_median_interval(x, n, level >= 0.5 && level < 1 ? level : 0.95, scratch, &out);
	return out;
}

static struct sb_value value_of(const struct sb_interval *i)
{
	return isfinite(i->mid) ? sb_value_of(i->mid) : sb_value_absent("not measured");
}

static const struct sb_trial *bad_trial(const struct sb_run_data *d, int arm)
{
	const struct sb_trial *bad = NULL;

	for (size_t i = 0; i < d->trials.n; i++) {
		const struct sb_trial *t = &d->trials.v[i];

		if (t->arm == arm && !strcmp(t->outcome, "oom"))
			return t;
		if (t->arm == arm && !bad && strcmp(t->outcome, "ok") != 0)
			bad = t;
	}
	return bad;
}

static int arm_of(const struct sweep *s, const char *name)
{
	for (int a = 0; a < s->n_arms; a++)
		if (!strcmp(s->arms[a].name, name))
			return a;
	return -1;
}

static void take_arm(struct sweep *s, int value, const struct sb_run_data *d, int from, double *x)
{
	int arm = arm_of(s, d->run.arms[from].name);
	struct sb_sweep_row *r = arm < 0 ? NULL : row_of(s, value, arm);
	const struct sb_trial *bad = bad_trial(d, from);
	double *scratch = x + d->trials.n;
	struct sb_interval memory, reserved;

	if (!r)
		return;
	r->run_id = s->run_id[value];
	r->time_ns = median(d, from, "wall_ns", NULL, x, scratch);
	memory = median(d, from, "memory.weights_bytes", "memory.allocated_peak_bytes", x, scratch);
	reserved = median(d, from, "memory.weights_bytes", "memory.reserved_peak_bytes", x, scratch);
	r->memory_bytes = value_of(&memory);
	r->reserved_bytes = value_of(&reserved);
	if (bad) {
		r->outcome = sb_outcome_names[sb_outcome_by_name(bad->outcome)];
		set_why(s, value, arm, bad->message ? bad->message : "");
	} else if (isfinite(r->time_ns.mid)) {
		r->outcome = "ok";
	}
	if (strcmp(r->outcome, "oom") != 0)
		return;
	s->out[arm] = true;
	if (value + 1 < s->n_values)
		sb_log(SB_LOG_INFO, "arm %s ran out of memory at %s %s: it is left out at larger values",
		        s->arms[arm].name, s->by, s->value[value]);
}

static enum sb_status take_run(struct sweep *s, int value, struct sb_error *err)
{
	struct sb_run_data d;
	const char *device;
	double *x;

	if (sb_run_data_read(sb_database_path(s->db), s->run_id[value], NULL, &d, err))
		return err->code;
	x = calloc(2 * d.trials.n + 1, sizeof(*x));
	for (int a = 0; x && a < d.run.n_arms; a++)
		take_arm(s, value, &d, a, x);
	device = sb_run_fact(&d.run, "device.name");
	snprintf(s->device, sizeof(s->device), "%s", device ? device : "");
	snprintf(s->preset, sizeof(s->preset), "%s", d.run.preset);
	sb_run_data_release(&d);
	if (!x)
		return sb_fail(err, SB_E_NOMEM, "no memory for the run's figures");
	free(x);
	return SB_OK;
}

/* ---- the runs -------------------------------------------------------------------------------------------------- */

/* The arms that are left, as --arms has them; "": none. */
static void arms_left(struct sweep *s, int value, struct sb_buf *b)
{
	for (int a = 0; a < s->n_arms; a++) {
		if (s->out[a]) {
			row_of(s, value, a)->outcome = "skipped";
			set_why(s, value, a, "out of memory at a smaller value");
			continue;
		}
		sb_buf_addf(b, "%s%s", b->len ? "," : "--arms=", s->spec[a]);
	}
}

static enum sb_status run_arms(struct sweep *s, int value, char *arms, struct sb_error *err)
{
	struct sb_run_part part = { .sweep = s->id, .by = s->by, .value = s->value[value] };
	struct sb_buf by = { 0 };
	char name[] = "run", *argv[ARGS_MAX];
	enum sb_status status;
	int n = 0;

	sb_buf_addf(&by, "--%s=%s", s->by, s->value[value]);
	if (by.failed) {
		sb_buf_release(&by);
		return sb_fail(err, SB_E_NOMEM, "no memory for the options");
	}
	argv[n++] = name;
	for (int i = 0; i < s->n_args; i++)
		argv[n++] = s->args[i];
	argv[n++] = by.s;
	argv[n++] = arms;
	argv[n] = NULL;
	status = sb_run_part(n, argv, &part, err);
	sb_buf_release(&by);
	memcpy(s->run_id[value], part.run_id, sizeof(part.run_id));
	return status;
}

/* A run in which nothing succeeded is a result like another one, and told by its rows. */
static enum sb_status run_value(struct sweep *s, int value, struct sb_error *err)
{
	struct sb_buf arms = { 0 };
	struct sb_error why = { .msg = "" };
	enum sb_status status, read;

	arms_left(s, value, &arms);
	if (arms.failed) {
		sb_buf_release(&arms);
		return sb_fail(err, SB_E_NOMEM, "no memory for the arms");
	}
	if (!arms.len)
		return SB_OK;
	if (!s->quiet)
		sb_log(SB_LOG_INFO, "%s %s, %d of %d", s->by, s->value[value], value + 1, s->n_values);
	status = run_arms(s, value, arms.s, &why);
	sb_buf_release(&arms);
	read = s->run_id[value][0] ? take_run(s, value, err) : SB_OK;
	if (status == SB_E_DEVICE && s->run_id[value][0] && !read)
		return SB_OK;
	if (!status)
		return read;
	*err = why;
	return status == SB_E_INTERRUPTED ? status : sb_wrap(err, "%s %s", s->by, s->value[value]);
}

static bool any_time(const struct sweep *s)
{
	for (int i = 0; i < s->n_values * s->n_arms; i++)
		if (isfinite(s->rows[i].time_ns.mid))
			return true;
	return false;
}

static enum sb_status sweep(struct sweep *s, struct sb_error *err)
{
	struct sb_sweep_table table = { .id = s->id, .by = s->by };
	struct sb_error why = { .msg = "" };
	enum sb_status status = SB_OK;
	bool any = false;

	sb_random_id(s->id);
	begin_rows(s);
	for (int v = 0; v < s->n_values && !status; v++) {
		status = run_value(s, v, err);
		any |= s->run_id[v][0] != '\0';
	}
	if (!any)
		return status;
	table.device = s->device[0] ? s->device : NULL;
	table.preset = s->preset[0] ? s->preset : NULL;
	table.rows = s->rows;
	table.n = (size_t)(s->n_values * s->n_arms);
	if (sb_sweep_report(&table, s->format, stdout, &why) && !status) {
		*err = why;
		return why.code;
	}
	if (!status && !any_time(s))
		return sb_fail(err, SB_E_DEVICE, "no arm has a time at any value, see above");
	return status;
}

static void release(struct sweep *s)
{
	for (int i = 0; i < s->n_args; i++)
		free(s->args[i]);
	for (int i = 0; s->why && i < s->n_values * s->n_arms; i++)
		free(s->why[i]);
	for (int a = 0; a < SB_ARMS_MAX; a++)
		free(s->spec[a]);
	free(s->why);
	free(s->rows);
	free(s);
}

enum sb_status sb_cmd_sweep(int argc, char **argv, struct sb_error *err)
{
	struct sweep *s = calloc(1, sizeof(*s));
	enum sb_status status;

	if (!s)
		return sb_fail(err, SB_E_NOMEM, "no memory for the options");
	s->arm_list = "before,+attention";
	status = parse(argc, argv, s, err);
	if (!status) {
		s->rows = calloc((size_t)(s->n_values * s->n_arms), sizeof(*s->rows));
		s->why = calloc((size_t)(s->n_values * s->n_arms), sizeof(*s->why));
		status = s->rows && s->why ? sweep(s, err) : sb_fail(err, SB_E_NOMEM, "no memory for the table");
	}
	release(s);
	return status;
}
