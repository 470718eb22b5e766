/*
 * capacity: the largest clip, or the most points, that fit into a device's memory, per arm. Every try is a worker of
 * its own that runs the arm from the start, so nothing of one is left for the next.
 */
#include "capacity.h"
#include "case_options.h"
#include "sb_cli.h"
#include "sb_reports.h"

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
};

const struct sb_option sb_capacity_options[] = {
	[OPT_BY] = { "by", "frames|grid",
	        "what grows: frames of the clip, or the side of the grid of points [frames]" },
	[OPT_MOST] = { "most", "N", "do not try more [1000 frames, a grid of 200]" },
	[OPT_ARMS] = { "arms", "LIST", "arms by name, comma-separated [before,after]" },
	[OPT_VRAM_LIMIT] = { "vram-limit", "SIZE",
	        "for weights, results and workspaces, e.g. 24G for a card of that size [what the device has]" },
	[OPT_DEVICE] = { "device", "auto|cpu|cuda:N", "where to run [auto: the GPU if there is one]" },
	[OPT_PRESET] = { "preset", "NAME", "the network: tiny, small or full [tiny; full on a GPU]" },
	[OPT_VIDEO] = { "video", "PATH", "frames from here, forward and back when they are too few [built-in]" },
	[OPT_FRAMES] = { "frames", "N", "frames of the clip, with --by grid [the preset's]" },
	[OPT_SIZE] = { "size", "WxH|native", "network size, as for run [the preset's]" },
	[OPT_GRID] = { "grid", "N", "a grid of N x N points, with --by frames [the preset's]" },
	[OPT_SUPPORT] = { "support", "N", "points that the tracker adds [the preset's]" },
	[OPT_CAMERAS] = { "cameras", "WORD", "fixed, procrustes or ba [ba]" },
	[OPT_ITERATIONS] = { "iterations", "N", "refinement iterations of the tracker; memory is the same with 1 [1]" },
	[OPT_THREADS] = { "threads", "N", "CPU threads of a worker [all]" },
	[OPT_TIMEOUT] = { "timeout", "SECONDS", "for one try, its start included [600]" },
	[OPT_FORMAT] = { "format", "text|markdown|csv|json", "how to print it [text]" },
	[OPT_QUIET] = { "quiet", NULL, "no progress" },
	{ NULL, NULL, NULL },
};

const char sb_capacity_details[] =
        "Finds by bisection the largest number that fits, tries the next one, and says why that one failed and what\n"
        "was asked for. A model of what a pass took chooses what to try, so that few tries are needed.\n"
        "The limit covers weights, everything reserved and the libraries' workspaces, not the device's context.\n";

enum { TEXT, MARKDOWN, CSV, JSON };
static const char *const formats[] = { "text", "markdown", "csv", "json", NULL };
enum { BY_FRAMES, BY_GRID };
static const char *const parameters[] = { "frames", "grid", NULL };
static const struct {
	int64_t least, most;
} ranges[] = { [BY_FRAMES] = { 3, 1000 }, [BY_GRID] = { 1, 200 } };

struct request {
	struct sb_worker_setup setup;
	struct sb_arm arms[SB_ARMS_MAX];
	int n_arms, by, format;
	int64_t most; /* 0: the parameter's */
	double timeout_s;
	bool quiet;
	const char *arm_list;
};

/* ---- options -------------------------------------------------------------------------------------------------- */

static enum sb_status apply(int option, const char *value, struct request *q, struct sb_error *err)
{
	switch (option) {
	case OPT_BY:
		return sb_parse_word(value, "--by", parameters, &q->by, err);
	case OPT_MOST:
		return sb_parse_int(value, "--most", 1, 10000, &q->most, err);
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
	}
	return sb_case_option(sb_capacity_options[option].name, value, &q->setup, err);
}

static enum sb_status check(const struct request *q, struct sb_error *err)
{
	const struct sb_case *c = &q->setup.c;

	if (q->by == BY_FRAMES ? c->frames != 0 : c->grid != 0)
		return sb_fail(err, SB_E_USAGE, "--%s is what grows: it cannot be given as well", parameters[q->by]);
	if (q->most && q->most < ranges[q->by].least)
		return sb_fail(err, SB_E_USAGE, "--most %lld is less than the least that can be tried, %lld",
		        (long long)q->most, (long long)ranges[q->by].least);
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
	bool gpu;

	sb_case_choose_device(q->setup.device, sizeof(q->setup.device));
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
	struct sb_fit_pass taken; /* of the largest that fits */
	char reason[512];         /* why the smallest that does not fit does not; "" */
};

struct search {
	const struct request *q;
	const char *exe;
	struct sb_worker_facts facts; /* of the last worker */
};

static int64_t *parameter_of(struct sb_case *c, int by)
{
	return by == BY_FRAMES ? &c->frames : &c->grid;
}

static enum sb_status try_value(
        struct search *s, const struct sb_levels *levels, int64_t value, struct found *f, struct sb_error *err)
{
	static const struct sb_loop_hooks hooks = { .interrupted = interrupted };
	struct sb_worker_setup setup = s->q->setup;
	struct sb_worker *w;
	bool fits;

	*parameter_of(&setup.c, s->q->by) = value;
	setup.reference = *levels;
	setup.purpose = SB_TIMING;
	if (sb_worker_start(s->exe, &setup, s->q->timeout_s, &hooks, &w, err))
		return sb_wrap(err, "%s %lld", parameters[s->q->by], (long long)value);
	s->facts = *sb_worker_facts(w);
	(void)sb_worker_stop(w);
	fits = s->facts.taken.complete;
	if (!fits && !s->facts.taken.free_bytes)
		return sb_fail(err, SB_E_DEVICE, "%s %lld: %.400s", parameters[s->q->by], (long long)value,
		        s->facts.reference_note);
	if (fits && value > f->search.good)
		f->taken = s->facts.taken;
	if (!fits && value < f->search.bad)
		snprintf(f->reason, sizeof(f->reason), "%s", s->facts.reference_note);
	sb_capacity_tell(&f->search, value, fits);
	return SB_OK;
}

/* The most frames that the model of the last complete pass gives room to; 0: there is none, or it is not of frames. */
static int64_t guess(const struct search *s, const struct found *f)
{
	const struct sb_fit_pass *p = &f->taken;
	double room = (double)(s->q->setup.memory_limit_bytes ? s->q->setup.memory_limit_bytes : p->free_bytes);
	int64_t n = f->search.good;

	if (s->q->by != BY_FRAMES || !p->frames)
		return 0;
	while (n < f->search.most && sb_fit_predict(p, n + 1) <= room)
		n++;
	return n;
}

static enum sb_status search_arm(struct search *s, const struct sb_arm *arm, struct found *f, struct sb_error *err)
{
	const struct request *q = s->q;
	bool terminal = !q->quiet && isatty(STDERR_FILENO);
	int64_t next;

	*f = (struct found){ .reason = "" };
	sb_capacity_init(&f->search, ranges[q->by].least, q->most ? q->most : ranges[q->by].most);
	while ((next = sb_capacity_next(&f->search, guess(s, f))) >= f->search.least) {
		if (terminal)
			fprintf(stderr, "\r\033[K%s: %lld %s", arm->name, (long long)next, parameters[q->by]);
		if (try_value(s, &arm->levels, next, f, err))
			return err->code;
		if (!q->quiet && !terminal)
			fprintf(stderr, "%s: %s %lld %s\n", arm->name, parameters[q->by], (long long)next,
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
	add_text(l, "", "parameter", "what grows", parameters[s->q->by]);
	add_number(l, "", "limit_bytes", "limit", SB_UNIT_BYTES,
	        s->q->setup.memory_limit_bytes ? sb_value_of((double)s->q->setup.memory_limit_bytes)
	                                       : sb_value_absent("what the device has"));
}

static void add_arm(struct list *l, const struct sb_arm *arm, const struct found *f)
{
	const struct sb_capacity *c = &f->search;
	bool none = c->good<c->least, open = c->bad> c->most;
	char text[600];

	add_number(l, arm->name, "largest", "largest that fits", SB_UNIT_COUNT,
	        none ? sb_value_absent("not even the least") : sb_value_of((double)c->good));
	add_number(l, arm->name, "taken_bytes", "taken by it", SB_UNIT_BYTES,
	        none ? sb_value_absent("nothing fits")
	             : sb_value_of((double)(f->taken.weights_bytes + f->taken.reserved_bytes)));
	add_number(l, arm->name, "weights_bytes", "of that, weights", SB_UNIT_BYTES,
	        none ? sb_value_absent("nothing fits") : sb_value_of((double)f->taken.weights_bytes));
	if (open)
		snprintf(text, sizeof(text), "nothing up to %lld", (long long)c->most);
	else
		snprintf(text, sizeof(text), "%lld: %s", (long long)c->bad, f->reason);
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
			add_arm(&l, &s->q->arms[a], &found[a]);
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

static enum sb_status search_all(struct request *q, struct sb_error *err)
{
	struct found *found = calloc((size_t)q->n_arms, sizeof(*found));
	struct search s = { .q = q };
	char self[SB_PATH_MAX];
	enum sb_status status;

	if (!found)
		return sb_fail(err, SB_E_NOMEM, "no memory for the result");
	status = sb_own_path(self, sizeof(self), err);
	s.exe = self;
	for (int a = 0; a < q->n_arms && !status; a++) {
		status = search_arm(&s, &q->arms[a], &found[a], err);
		if (status)
			sb_wrap(err, "arm '%s'", q->arms[a].name);
	}
	if (!status)
		status = print(&s, found, err);
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
	if (!status)
		status = choose_defaults(q, err);
	if (!status) {
		sigaction(SIGINT, &act, NULL);
		sigaction(SIGTERM, &act, NULL);
		status = search_all(q, err);
	}
	free(q);
	return status;
}
