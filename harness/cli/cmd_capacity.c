/*
 * capacity: the longest clip, the most points or the largest frames that fit into a device's memory, per arm. Every try
 * is a worker of its own that runs the arm from the start, so nothing of one is left for the next.
 */
#include "capacity.h"
#include "capacity_case.h"
#include "capacity_store.h"
#include "case_options.h"
#include "sb_cli.h"
#include "sb_reports.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	OPT_BY,
	OPT_MOST,
	OPT_ARMS,
	OPT_VRAM_LIMIT,
	OPT_DEVICE,
	OPT_PRESET,
	OPT_VIDEO,
	OPT_FRAMES,
	OPT_SIZE,
	OPT_GRID,
	OPT_SUPPORT,
	OPT_CAMERAS,
	OPT_ITERATIONS,
	OPT_THREADS,
	OPT_TIMEOUT,
	OPT_FORMAT,
	OPT_QUIET,
	OPT_DB,
};

const struct sb_option sb_capacity_options[] = {
	[OPT_BY] = { "by", "frames|queries|grid|size",
	        "what grows: frames of the clip, points, the side of their grid, the size of a frame [frames]" },
	[OPT_MOST] = { "most", "N",
	        "do not try more [1000 frames, 100000 queries, a grid of 200, 2072 pixels of the longer side]" },
	[OPT_ARMS] = { "arms", "LIST", "arms by name, comma-separated [before,after]" },
	[OPT_VRAM_LIMIT] = { "vram-limit", "SIZE",
	        "for weights, results and workspaces, e.g. 24G for a card of that size [what the device has]" },
	[OPT_DEVICE] = { "device", "auto|cpu|cuda:N", "where to run [auto: the GPU if there is one]" },
	[OPT_PRESET] = { "preset", "NAME", "the network: tiny, small or full [tiny; full on a GPU]" },
	[OPT_VIDEO] = { "video", "PATH", "frames from here, forward and back when they are too few [built-in]" },
	[OPT_FRAMES] = { "frames", "N", "frames of the clip, where they do not grow [the preset's]" },
	[OPT_SIZE] = { "size", "WxH|native",
	        "network size, as for run; with --by size the aspect to keep [the preset's]" },
	[OPT_GRID] = { "grid", "N", "a grid of N x N points, where they do not grow [the preset's]" },
	[OPT_SUPPORT] = { "support", "N", "points that the tracker adds [the preset's]" },
	[OPT_CAMERAS] = { "cameras", "WORD", "fixed, procrustes or ba [ba]" },
	[OPT_ITERATIONS] = { "iterations", "N", "refinement iterations of the tracker; memory is the same with 1 [1]" },
	[OPT_THREADS] = { "threads", "N", "CPU threads of a worker [all]" },
	[OPT_TIMEOUT] = { "timeout", "SECONDS", "for one try, its start included [600]" },
	[OPT_FORMAT] = { "format", "text|markdown|csv|json", "how to print it [text]" },
	[OPT_QUIET] = { "quiet", NULL, "no progress" },
	[OPT_DB] = { "db", "FILE", "keep what was found in a database, for plots of reports [nowhere]" },
	{ NULL, NULL, NULL },
};

const char sb_capacity_details[] =
        "Finds by bisection the largest number that fits, tries the next one, and says why that one failed and what\n"
        "was asked for. A model of what a pass took chooses what to try, so that few tries are needed.\n"
        "Queries are found to 1 %, sizes in the network's steps of 14 pixels with the aspect kept.\n"
        "The limit covers weights, planted inputs, everything reserved and the libraries' workspaces, which are part\n"
        "of what is reserved; not the device's context.\n"
        "With --db the answer is kept as a run without trials: 'report' draws those of its case under several "
        "limits.\n";

enum { TEXT, MARKDOWN, CSV, JSON };
static const char *const formats[] = { "text", "markdown", "csv", "json", NULL };
struct request {
	struct sb_worker_setup setup;
	struct sb_arm arms[SB_ARMS_MAX];
	enum sb_grows by;
	int n_arms, format;
	int64_t most; /* 0: the parameter's */
	double timeout_s;
	bool quiet;
	const char *arm_list;
	const char *db;     /* NULL: nothing is kept */
	struct sb_buf line; /* the command line */
};

/* ---- options -------------------------------------------------------------------------------------------------- */

static enum sb_status apply(int option, const char *value, struct request *q, struct sb_error *err)
{
	int by;

	switch (option) {
	case OPT_BY:
		if (sb_parse_word(value, "--by", sb_grows_names, &by, err))
			return SB_E_USAGE;
		q->by = (enum sb_grows)by;
		return SB_OK;
	case OPT_MOST:
		return sb_parse_int(value, "--most", 1, 1000000, &q->most, err);
	case OPT_ARMS:
		q->arm_list = value;
		return SB_OK;
	case OPT_TIMEOUT:
		return sb_parse_double(value, "--timeout", 0.1, 1e7, &q->timeout_s, err);
	case OPT_FORMAT:
		return sb_parse_word(value, "--format", formats, &q->format, err);
	case OPT_QUIET:
		q->quiet = true;
		return SB_OK;
	case OPT_DB:
		q->db = value;
		return SB_OK;
	}
	return sb_case_option(sb_capacity_options[option].name, value, &q->setup, err);
}

static enum sb_status check(const struct request *q, struct sb_error *err)
{
	const struct sb_case *c = &q->setup.c;
	const struct sb_grows_info *g = &sb_grows_table[q->by];
	bool points = q->by == SB_GROWS_GRID || q->by == SB_GROWS_QUERIES;

	if (q->by == SB_GROWS_FRAMES && c->frames)
		return sb_fail(err, SB_E_USAGE, "--frames is what grows: it cannot be given as well");
	if (points && c->grid)
		return sb_fail(err, SB_E_USAGE, "--grid is what grows: it cannot be given as well");
	if (q->by == SB_GROWS_SIZE && c->own_size)
		return sb_fail(err, SB_E_USAGE, "--size native is one size: give the aspect to keep as WIDTHxHEIGHT");
	if (q->most && q->most / g->unit < g->least)
		return sb_fail(err, SB_E_USAGE, "--most %lld is less than the least that can be tried, %lld",
		        (long long)q->most, (long long)(g->least * g->unit));
	return SB_OK;
}

static enum sb_status parse(int argc, char **argv, struct request *q, struct sb_error *err)
{
	struct sb_option_parser p = { .next = 1 };
	const char *value;
	int i;

	while ((i = sb_options_next(&p, argc, argv, sb_capacity_options, &value, err)) >= 0)
		if (apply(i, value, q, err))
			return err->code;
	if (i == -2)
		return SB_E_USAGE;
	if (p.n_operands)
		return sb_fail(err, SB_E_USAGE, "capacity takes options only, not '%.64s'", p.operands[0]);
	return check(q, err) || sb_arms_parse(q->arm_list, q->arms, &q->n_arms, err)
	               ? err->code
	               : sb_case_check_files(&q->setup.c, err);
}

/* The device, and what hangs on it. */
static enum sb_status choose_defaults(struct request *q, struct sb_error *err)
{
	struct sb_case *c = &q->setup.c;
	struct sb_case_settings dropped;
	bool gpu;

	sb_case_drop_foreign_settings(&dropped);
	sb_case_choose_device(q->setup.device, sizeof(q->setup.device));
	sb_case_say_dropped(&dropped, q->setup.device);
	gpu = !strncmp(q->setup.device, "cuda", 4);
	if (!gpu && !q->setup.memory_limit_bytes)
		return sb_fail(err, SB_E_USAGE, "the CPU has no device memory that could be full: give --vram-limit");
	if (!c->preset[0])
		snprintf(c->preset, sizeof(c->preset), "%s", gpu ? "full" : "tiny");
	return SB_OK;
}

/* ---- the search ------------------------------------------------------------------------------------------------ */

static volatile sig_atomic_t stop_asked;

static void on_signal(int sig)
{
	(void)sig;
	stop_asked = 1;
}

static bool interrupted(void *self)
{
	(void)self;
	return stop_asked != 0;
}

/* What is known of an arm in the end. */
struct found {
	struct sb_capacity search;
	struct sb_fit_pass taken;              /* by the largest that fits */
	struct sb_capacity_point last, before; /* the two largest that fit; x 0: none */
	char reason[512];                      /* why the smallest that does not fit does not; "" */
};

struct search {
	const struct request *q;
	const char *exe;
	struct sb_worker_facts facts; /* of the last worker */
};

/* What the memory of a case grows with: the pixels of a frame, or what is counted. */
static double measure(enum sb_grows by, int64_t value)
{
	return by == SB_GROWS_SIZE ? (double)value * (double)value : (double)value;
}

static int64_t bytes_of(const struct sb_fit_pass *p)
{
	return p->weights_bytes + p->reserved_bytes;
}

static void note(struct search *s, int64_t value, struct found *f)
{
	const struct sb_fit_pass *taken = &s->facts.taken;

	if (taken->complete && value > f->search.good) {
		f->taken = *taken;
		f->before = f->last;
		f->last = (struct sb_capacity_point){ measure(s->q->by, value), (double)bytes_of(taken) };
	}
	if (!taken->complete && value < f->search.bad)
		snprintf(f->reason, sizeof(f->reason), "%s", s->facts.reference_note);
	sb_capacity_tell(&f->search, value, taken->complete);
}

/* "queries 4096" */
static void name_try(const struct search *s, int64_t value, char *out, size_t n)
{
	char shown[48];

	sb_grows_show(s->q->by, value, &s->q->setup.c, shown, sizeof(shown));
	snprintf(out, n, "%s %s", sb_grows_names[s->q->by], shown);
}

static enum sb_status try_value(
        struct search *s, const struct sb_levels *levels, int64_t value, struct found *f, struct sb_error *err)
{
	static const struct sb_loop_hooks hooks = { .interrupted = interrupted };
	struct sb_worker_setup setup = s->q->setup;
	struct sb_worker *w;
	enum sb_status status;
	char name[64];

	name_try(s, value, name, sizeof(name));
	if (sb_grows_apply(s->q->by, value, &setup.c, err))
		return sb_wrap(err, "%s", name);
	setup.reference = *levels;
	setup.purpose = SB_TIMING;
	status = sb_worker_start(s->exe, &setup, s->q->timeout_s, &hooks, &w, err);
	if (s->q->by == SB_GROWS_QUERIES)
		remove(setup.c.queries);
	if (status)
		return sb_wrap(err, "%s", name);
	sb_worker_facts_copy(sb_worker_facts(w), &s->facts);
	(void)sb_worker_stop(w);
	if (!s->facts.taken.complete && !s->facts.taken.free_bytes)
		return sb_fail(err, SB_E_DEVICE, "%s: %.400s", name, s->facts.reference_note);
	note(s, value, f);
	return SB_OK;
}

static double room_of(const struct search *s, const struct found *f)
{
	int64_t limit = s->q->setup.memory_limit_bytes;

	return (double)(limit ? limit : f->taken.free_bytes);
}

/* The most frames that the model of the last complete pass gives room to; 0: there is none. */
static int64_t guess_frames(const struct search *s, const struct found *f)
{
	int64_t n = f->search.good;

	if (!f->taken.frames)
		return 0;
	while (n < f->search.most && sb_fit_predict(&f->taken, n + 1) <= room_of(s, f))
		n++;
	return n;
}

/* The rest: a line through the two largest passes; at first what the preset has. 0: no idea. */
static int64_t guess(const struct search *s, const struct found *f)
{
	double x;

	if (s->q->by == SB_GROWS_FRAMES)
		return guess_frames(s, f);
	if (f->last.x == 0.0)
		return f->search.tries ? 0 : sb_grows_first(s->q->by, &s->q->setup.c);
	if (f->before.x == 0.0)
		return 0;
	x = sb_capacity_line(&f->before, &f->last, room_of(s, f));
	if (s->q->by == SB_GROWS_SIZE && x > 0)
		x = sqrt(x);
	return x < 0 ? 0 : x < (double)f->search.most ? (int64_t)x : f->search.most;
}

static enum sb_status search_arm(struct search *s, const struct sb_arm *arm, struct found *f, struct sb_error *err)
{
	const struct request *q = s->q;
	const struct sb_grows_info *g = &sb_grows_table[q->by];
	bool terminal = !q->quiet && isatty(STDERR_FILENO);
	int64_t next;
	char name[64];

	*f = (struct found){ .reason = "" };
	sb_capacity_init(&f->search, g->least, q->most ? q->most / g->unit : g->most, g->slack);
	while ((next = sb_capacity_next(&f->search, guess(s, f))) >= f->search.least) {
		name_try(s, next, name, sizeof(name));
		if (terminal)
			fprintf(stderr, "\r\033[K%s: %s", arm->name, name);
		if (try_value(s, &arm->levels, next, f, err))
			return err->code;
		if (!q->quiet && !terminal)
			fprintf(stderr, "%s: %s %s\n", arm->name, name,
			        s->facts.taken.complete ? "fits" : "does not fit");
	}
	if (terminal)
		fputs("\r\033[K", stderr);
	return SB_OK;
}

/* ---- the result ------------------------------------------------------------------------------------------------- */

enum { FACTS = 5, PER_ARM = 5 };

struct texts {
	char name[SB_ARM_NAME_MAX + 32], label[SB_ARM_NAME_MAX + 32], text[600];
};

struct list {
	struct sb_report_figure *v;
	struct texts *t;
	size_t n;
};

static struct sb_report_figure *add(struct list *l, const char *arm, const char *name, const char *label)
{
	struct texts *t = &l->t[l->n];
	struct sb_report_figure *f = &l->v[l->n++];

	snprintf(t->name, sizeof(t->name), "%s%s%s", arm, *arm ? "." : "", name);
	snprintf(t->label, sizeof(t->label), "%s%s%s", arm, *arm ? ": " : "", label);
	*f = (struct sb_report_figure){ .name = t->name, .label = t->label };
	return f;
}

static void add_text(struct list *l, const char *arm, const char *name, const char *label, const char *text)
{
	struct sb_report_figure *f = add(l, arm, name, label);

	snprintf(l->t[l->n - 1].text, sizeof(l->t[0].text), "%s", text);
	f->text = l->t[l->n - 1].text;
}

static void add_number(
        struct list *l, const char *arm, const char *name, const char *label, enum sb_unit unit, struct sb_value v)
{
	struct sb_report_figure *f = add(l, arm, name, label);

	f->unit = unit;
	f->value = v;
}

static void add_facts(struct list *l, const struct search *s)
{
	const struct sb_workload_info *i = &s->facts.info;
	char what[256], when[32];

	sb_time_iso(sb_wall_time_ns(), when);
	snprintf(what, sizeof(what), "%s, preset %s, %lldx%lld, %s weights", s->q->setup.c.workload,
	        s->q->setup.c.preset, (long long)i->width, (long long)i->height, s->facts.weights_kind);
	add_text(l, "", "case", "case", what);
	add_text(l, "", "device", "device", s->facts.device_name);
	add_text(l, "", "date", "date", when);
	add_text(l, "", "parameter", "what grows", sb_grows_names[s->q->by]);
	add_number(l, "", "limit_bytes", "limit", SB_UNIT_BYTES,
	        s->q->setup.memory_limit_bytes ? sb_value_of((double)s->q->setup.memory_limit_bytes)
	                                       : sb_value_absent("what the device has"));
}

static void add_arm(struct list *l, const struct request *q, const struct sb_arm *arm, const struct found *f)
{
	const struct sb_capacity *c = &f->search;
	bool none = c->good<c->least, open = c->bad> c->most;
	char text[600], shown[48];

	sb_grows_show(q->by, c->good, &q->setup.c, shown, sizeof(shown));
	if (q->by == SB_GROWS_SIZE && !none)
		add_text(l, arm->name, "largest", "largest that fits", shown);
	else
		add_number(l, arm->name, "largest", "largest that fits", SB_UNIT_COUNT,
		        none ? sb_value_absent("not even the least") : sb_value_of((double)c->good));
	add_number(l, arm->name, "taken_bytes", "taken by it", SB_UNIT_BYTES,
	        none ? sb_value_absent("nothing fits") : sb_value_of((double)bytes_of(&f->taken)));
	add_number(l, arm->name, "weights_bytes", "of that, weights", SB_UNIT_BYTES,
	        none ? sb_value_absent("nothing fits") : sb_value_of((double)f->taken.weights_bytes));
	sb_grows_show(q->by, open ? c->most : c->bad, &q->setup.c, shown, sizeof(shown));
	if (open)
		snprintf(text, sizeof(text), "nothing up to %s", shown);
	else
		snprintf(text, sizeof(text), "%s: %s", shown, f->reason);
	add_text(l, arm->name, "fails", "fails at", text);
	add_number(l, arm->name, "tries", "tries", SB_UNIT_COUNT, sb_value_of(c->tries));
}

static enum sb_status print(const struct search *s, const struct found *found, struct sb_error *err)
{
	size_t most = FACTS + PER_ARM * (size_t)s->q->n_arms;
	struct list l = { .v = calloc(most, sizeof(*l.v)), .t = calloc(most, sizeof(*l.t)) };
	struct sb_report_figures figures = { .format = "spabench-capacity", .v = l.v };
	enum sb_status status = SB_E_NOMEM;

	if (l.v && l.t) {
		add_facts(&l, s);
		for (int a = 0; a < s->q->n_arms; a++)
			add_arm(&l, s->q, &s->q->arms[a], &found[a]);
		figures.n = l.n;
		if (s->q->format == MARKDOWN)
			status = sb_report_figures_markdown(&figures, stdout, err);
		else if (s->q->format == CSV)
			status = sb_report_figures_csv(&figures, stdout, err);
		else if (s->q->format == JSON)
			status = sb_report_figures_json(&figures, stdout, err);
		else
			status = sb_report_figures_text(&figures, stdout, err);
	} else {
		sb_fail(err, SB_E_NOMEM, "no memory for the result");
	}
	free(l.v);
	free(l.t);
	return status;
}

static enum sb_status keep(const struct search *s, const struct found *found, struct sb_error *err)
{
	const struct request *q = s->q;
	const struct sb_grows_info *g = &sb_grows_table[q->by];
	struct sb_capacity_kept kept[SB_ARMS_MAX];
	struct sb_plan *plan = calloc(1, sizeof(*plan));
	enum sb_status status;

	if (!plan)
		return sb_fail(err, SB_E_NOMEM, "no memory for the result");
	plan->n_arms = q->n_arms;
	plan->timeout_s = q->timeout_s;
	for (int a = 0; a < q->n_arms; a++) {
		const struct sb_capacity *c = &found[a].search;
		bool none = c->good<c->least, open = c->bad> c->most;

		plan->arms[a] = q->arms[a];
		kept[a] = (struct sb_capacity_kept){ none ? 0 : c->good * g->unit, open ? 0 : c->bad * g->unit,
			found[a].reason, none ? 0 : bytes_of(&found[a].taken) };
	}
	status = sb_capacity_store(
	        q->db, sb_buf_str(&q->line), sb_grows_names[q->by], &q->setup, plan, &s->facts, kept, err);
	free(plan);
	return status;
}

static bool nothing_fits(const struct request *q, const struct found *found)
{
	for (int a = 0; a < q->n_arms; a++)
		if (found[a].search.good >= found[a].search.least)
			return false;
	return true;
}

static enum sb_status search_all(struct request *q, struct sb_error *err)
{
	struct found *found = calloc((size_t)q->n_arms, sizeof(*found));
	struct search s = { .q = q };
	char self[SB_PATH_MAX];
	enum sb_status status;

	if (!found)
		return sb_fail(err, SB_E_NOMEM, "no memory for the result");
	status = q->db ? sb_database_try(q->db, err) : SB_OK; /* before hours are spent */
	if (!status)
		status = sb_own_path(self, sizeof(self), err);
	s.exe = self;
	for (int a = 0; a < q->n_arms && !status; a++) {
		status = search_arm(&s, &q->arms[a], &found[a], err);
		if (status)
			sb_wrap(err, "arm '%s'", q->arms[a].name);
	}
	if (!status && q->db)
		status = keep(&s, found, err);
	if (!status)
		status = print(&s, found, err);
	if (!status && nothing_fits(q, found))
		status = sb_fail(
		        err, SB_E_ENV, "nothing fits, not even the least, in any arm; give more memory or less to do");
	free(found);
	return status;
}

enum sb_status sb_cmd_capacity(int argc, char **argv, struct sb_error *err)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct request *q = calloc(1, sizeof(*q));
	enum sb_status status;

	if (!q)
		return sb_fail(err, SB_E_NOMEM, "no memory for the options");
	q->arm_list = "before,after";
	q->timeout_s = 600.0;
	q->setup.c.iterations = 1;
	snprintf(q->setup.c.workload, sizeof(q->setup.c.workload), "tracker");
	snprintf(q->setup.device, sizeof(q->setup.device), "auto");
	status = parse(argc, argv, q, err);
	sb_add_command_line(argc, argv, &q->line);
	if (!status && q->line.failed)
		status = sb_fail(err, SB_E_NOMEM, "no memory for the command line");
	if (!status)
		status = choose_defaults(q, err);
	if (!status) {
		sigaction(SIGINT, &act, NULL);
		sigaction(SIGTERM, &act, NULL);
		status = search_all(q, err);
	}
	sb_buf_release(&q->line);
	free(q);
	return status;
}
