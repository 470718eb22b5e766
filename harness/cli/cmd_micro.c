/*
 * micro: the tracker's products, convolutions and attention calls one by one. Runs in this process and stores no row:
 * a shape is no trial of an arm, and rows of one table are not pairs. What the device reaches can be kept.
 */
#include "sb_card.h"
#include "case_options.h"
#include "ceiling_store.h"
#include "sb_cli.h"
#include "sb_experiment.h"
#include "sb_micro.h"
#include "sb_reports.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	OPT_PRESET,
	OPT_CASE,
	OPT_SHAPE,
	OPT_PRECISION,
	OPT_ATTENTION,
	OPT_DEVICE,
	OPT_BUDGET,
	OPT_FLUSH,
	OPT_VRAM_LIMIT,
	OPT_THREADS,
	OPT_SEED,
	OPT_DB,
	OPT_FORMAT,
	OPT_QUIET,
};

const struct sb_option sb_micro_options[] = {
	[OPT_PRESET] = { "preset", "NAME", "shapes of the network tiny, small or full [tiny; full on a GPU]" },
	[OPT_CASE] = { "case", "i|ii|iii", "of --preset full: 24 frames of 518x294, 60 of 518x392, 8 of 252x140 [i]" },
	[OPT_SHAPE] = { "shape", "TEXT", "only shapes with TEXT in their name, e.g. front.global [all]" },
	[OPT_PRECISION] = { "precision", "fp32|tf32", "this level only [both]" },
	[OPT_ATTENTION] = { "attention", "standard|efficient", "this level only [both]" },
	[OPT_DEVICE] = { "device", "auto|cpu|cuda:N", "where to run [auto: the GPU if there is one]" },
	[OPT_BUDGET] = { "budget", "SECONDS", "stop after about so long; 0: no limit [30; 25 on a GPU]" },
	[OPT_FLUSH] = { "flush", "SIZE", "written for a cold cache: more than the cache holds [64M; 256M on a GPU]" },
	[OPT_VRAM_LIMIT] = { "vram-limit", "SIZE", "pretend the device has so much memory, e.g. 512M" },
	[OPT_THREADS] = { "threads", "N", "CPU threads [all]" },
	[OPT_SEED] = { "seed", "N", "of the values and of the outputs that are checked [1]" },
	[OPT_DB] = { "db", "FILE", "keep the ceilings in a database, for rooflines of reports [nowhere]" },
	[OPT_FORMAT] = { "format", "text|markdown|csv|json", "how to print it [text]" },
	[OPT_QUIET] = { "quiet", NULL, "no progress" },
	{ NULL, NULL, NULL },
};

const char sb_micro_details[] =
        "OP is gemm, conv or attention. Every shape that the pipeline submits, with its strides and epilogue, at "
        "every\n"
        "level; values are made up. A row is checked first, against sums in double; a row that fails the check is not\n"
        "timed, and the exit code is 4. One that does not fit into memory says so.\n"
        "n: samples x launches of which each is the mean; the interval is that of the median, by ranks, and covers\n"
        "95 % or more. TFLOP/s and GB/s count what the op must do at least, GB/s each operand once. `of`: that part\n"
        "of what the same device did in the same run: a large product of the row's precision, a large copy.\n"
        "cold: a buffer larger than the cache is written before every launch; warm: launch after launch.\n"
        "Rows are not stored; --format json has every sample. With --db the ceilings are a run of their own, and the\n"
        "roofline of a report takes the newest of its device.\n";

struct request {
	const char *preset, *case_name, *device, *db;
	const char *line; /* the command line */
	char kept[33];    /* the run of the ceilings; "" */
	int format, threads;
	bool quiet, budget_given;
	unsigned others; /* programs on the same GPU, the most that were seen */
	int64_t vram_limit;
	struct sb_micro_options o;
};

/* ---- options -------------------------------------------------------------------------------------------------- */

static const char *const formats[] = { "text", "markdown", "csv", "json", NULL };

static enum sb_status parse_size(const char *value, const char *option, int64_t min, int64_t *out, struct sb_error *err)
{
	if (sb_parse_bytes(value, option, out, err))
		return SB_E_USAGE;
	return *out < min ? sb_fail(err, SB_E_USAGE, "%s is less than 1 MiB", option) : SB_OK;
}

static enum sb_status apply(int option, const char *value, struct request *q, struct sb_error *err)
{
	static const char *const precisions[] = { "fp32", "tf32", NULL };
	static const char *const attentions[] = { "standard", "efficient", NULL };
	int64_t v = 0;
	enum sb_status status = SB_OK;

	switch (option) {
	case OPT_PRESET:
		q->preset = value;
		break;
	case OPT_CASE:
		q->case_name = value;
		break;
	case OPT_SHAPE:
		q->o.shape = value;
		break;
	case OPT_PRECISION:
		return sb_parse_word(value, "--precision", precisions, &q->o.precision, err);
	case OPT_ATTENTION:
		return sb_parse_word(value, "--attention", attentions, &q->o.attention, err);
	case OPT_DEVICE:
		q->device = value;
		break;
	case OPT_BUDGET:
		q->budget_given = true;
		return sb_parse_double(value, "--budget", 0.0, 1e7, &q->o.budget_s, err);
	case OPT_FLUSH:
		return parse_size(value, "--flush", 1 << 20, &q->o.flush_bytes, err);
	case OPT_VRAM_LIMIT:
		return parse_size(value, "--vram-limit", 1 << 20, &q->vram_limit, err);
	case OPT_THREADS:
		status = sb_parse_int(value, "--threads", 1, 4096, &v, err);
		q->threads = (int)v;
		break;
	case OPT_SEED:
		status = sb_parse_int(value, "--seed", 0, INT64_MAX, &v, err);
		q->o.seed = (uint64_t)v;
		break;
	case OPT_DB:
		q->db = value;
		break;
	case OPT_FORMAT:
		return sb_parse_word(value, "--format", formats, &q->format, err);
	case OPT_QUIET:
		q->quiet = true;
		break;
	}
	return status;
}

static enum sb_status parse(int argc, char **argv, struct request *q, struct sb_error *err)
{
	struct sb_option_parser p = { .next = 1 };
	const char *value;
	int i, op = 0;

	while ((i = sb_options_next(&p, argc, argv, sb_micro_options, &value, err)) >= 0)
		if (apply(i, value, q, err))
			return SB_E_USAGE;
	if (i == -2)
		return SB_E_USAGE;
	if (p.n_operands == 0)
		return sb_fail(err, SB_E_USAGE, "micro needs to know what: gemm, conv or attention");
	if (p.n_operands > 1)
		return sb_fail(err, SB_E_USAGE, "micro takes one of gemm, conv and attention, not '%.40s' as well",
		        p.operands[1]);
	if (sb_parse_word(p.operands[0], "micro", sb_micro_op_names, &op, err))
		return SB_E_USAGE;
	q->o.op = (enum sb_micro_op)op;
	if (q->o.op != SB_MICRO_ATTENTION && q->o.attention >= 0)
		return sb_fail(err, SB_E_USAGE, "--attention goes with 'micro attention'");
	return SB_OK;
}

/* What hangs on the device: a GPU does more in less time. */
static enum sb_status choose_defaults(struct request *q, const struct sb_device_info *info, struct sb_error *err)
{
	bool gpu = strcmp(info->kind, "cpu") != 0;

	if (!q->budget_given)
		q->o.budget_s = gpu ? 25.0 : 30.0;
	if (!q->o.flush_bytes)
		q->o.flush_bytes = (int64_t)(gpu ? 256 : 64) << 20;
	q->o.product = gpu ? 8192 : 1024;
	q->o.copy_bytes = (int64_t)(gpu ? 512 : 64) << 20;
	return sb_micro_case_find(q->preset ? q->preset : gpu ? "full" : "tiny", q->case_name, &q->o.c, err);
}

/* ---- threads -------------------------------------------------------------------------------------------------- */

/*
 * The number of threads and how they wait are read when the libraries are loaded, so this program starts itself again
 * with them: threads that sleep while they wait, as those of run's workers, unless the user decided.
 */
static enum sb_status start_with_threads(int threads, char **argv, struct sb_error *err)
{
	const char *now = getenv("OMP_NUM_THREADS");
	bool again = false;
	char path[4096], text[16];

	snprintf(text, sizeof(text), "%d", threads);
	if (threads > 0 && (!now || strcmp(now, text) != 0))
		again = setenv("OMP_NUM_THREADS", text, 1) == 0;
	if (!getenv("OMP_WAIT_POLICY") && !getenv("GOMP_SPINCOUNT"))
		again |= setenv("OMP_WAIT_POLICY", "passive", 1) == 0;
	if (!again)
		return SB_OK;
	if (sb_own_path(path, sizeof(path), err))
		return err->code;
	execv(path, argv - 1); /* the words before the command's own: the program's name */
	return sb_fail(err, SB_E_ENV, "cannot start '%.200s' again: %s", path, strerror(errno));
}

/* ---- while it runs --------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

static bool interrupted(void *self)
{
	(void)self;
	return stopped;
}

static void progress(void *self, int done, int all, const struct sb_micro_row *row)
{
	(void)self;
	fprintf(stderr, "\r\033[K%d of %d: %s, %s", done, all, row->shape.name, sb_micro_outcome_names[row->outcome]);
	if (done == all)
		fputs("\r\033[K", stderr);
}

/* ---- who else is on the card ------------------------------------------------------------------------------------ */

/*
 * Programs beside this one with work on the same GPU; this one has a context there and is counted, under whatever
 * number the driver knows it by. 0 where nothing is told.
 */
static unsigned others(const struct sb_device_info *info)
{
	struct sb_card card = { .count = 0 };

	if (!info->uuid[0] || sb_card_read(info->uuid, "", &card, NULL) || !card.processes_told)
		return 0;
	return card.n_processes > 1 ? card.n_processes - 1 : 0;
}

/* ---- from a result to a report ---------------------------------------------------------------------------------- */

static struct sb_value part_of(struct sb_value v, struct sb_value whole)
{
	return v.absent || whole.absent ? sb_value_absent("the ceiling was not measured") : sb_value_of(v.v / whole.v);
}

static void report_time(const struct sb_micro_row *r, const struct sb_micro_ceilings *c, enum sb_micro_cache cache,
        struct sb_report_micro_row *out)
{
	const struct sb_micro_times *t = &r->times[cache];
	struct sb_value flop = sb_value_of(r->flop / t->median * 1e9), bytes = sb_value_of(r->bytes / t->median * 1e9);

	if (t->n == 0)
		return;
	out->times[out->n_times++] = (struct sb_report_micro_time){
		.cache = sb_micro_cache_names[cache],
		.n = t->n,
		.launches = t->launches,
		.samples_ns = t->ns,
		.median_ns = t->median,
		.lo_ns = t->lo,
		.hi_ns = t->hi,
		.coverage = t->coverage,
		.flop_per_s = flop,
		.bytes_per_s = bytes,
		.flop_of_ceiling = part_of(flop, c->flop_per_s[r->tf32]),
		.bytes_of_ceiling = part_of(bytes, c->bytes_per_s),
	};
}

/* shape: room for its words. */
static struct sb_report_micro_row report_row(
        const struct sb_micro_row *r, const struct sb_micro_ceilings *c, char shape[96])
{
	struct sb_report_micro_row out = {
		.name = r->shape.name,
		.shape = shape,
		.note = r->shape.note,
		.precision = r->tf32 ? "tf32" : "fp32",
		.attention = r->shape.op == SB_MICRO_ATTENTION ? sb_level_name(&r->levels, SB_PART_ATTENTION) : NULL,
		.outcome = sb_micro_outcome_names[r->outcome],
		.detail = r->detail,
		.kernel = r->kernel,
		.ok = r->outcome == SB_MICRO_OK,
		.emulated = r->emulated,
		.calls = r->shape.calls,
		.checked = r->checked,
		.memory_bytes = r->memory_bytes,
		.flop = r->flop,
		.bytes = r->bytes,
		.error = r->error,
		.limit = r->limit,
	};

	sb_micro_describe(&r->shape, shape, 96);
	for (int cache = 0; cache < SB_MICRO_CACHES; cache++)
		report_time(r, c, (enum sb_micro_cache)cache, &out);
	return out;
}

enum { FACTS_MAX = 14 };

struct facts {
	struct sb_report_fact v[FACTS_MAX];
	char text[FACTS_MAX][512];
	size_t n;
};

static void fact(struct facts *f, const char *key, const char *fmt, ...) SB_PRINTF(3, 4);
static void fact(struct facts *f, const char *key, const char *fmt, ...)
{
	va_list ap;

	if (f->n == FACTS_MAX)
		SB_BUG("more than %d facts", FACTS_MAX);
	va_start(ap, fmt);
	vsnprintf(f->text[f->n], sizeof(f->text[f->n]), fmt, ap);
	va_end(ap);
	f->v[f->n] = (struct sb_report_fact){ key, f->text[f->n] };
	f->n++;
}

static void rate(struct sb_value v, double unit, const char *name, char out[48])
{
	if (v.absent)
		snprintf(out, 48, "- (%s)", v.absent);
	else
		snprintf(out, 48, "%.4g %s", v.v / unit, name);
}

static void state_facts(struct facts *f, struct sb_backend *be)
{
	struct sb_device_state s;

	if (!be->ops->state)
		return;
	be->ops->state(be, &s);
	if (!s.sm_mhz.absent && !s.power_w.absent && !s.temperature_c.absent)
		fact(f, "card", "at the end %.0f MHz, %.0f W, %.0f C%s%s", s.sm_mhz.v, s.power_w.v, s.temperature_c.v,
		        s.reasons[0] ? ", throttled: " : "", s.reasons);
}

/* What the rows of a level come to in a pass, if all were timed: their calls, launch after launch. */
static void pass_text(const struct sb_micro_result *r, int precision, int attention, struct sb_buf *out)
{
	const char *word = NULL;
	double ns = 0.0;

	for (size_t i = 0; i < r->n; i++) {
		const struct sb_micro_row *row = &r->rows[i];

		if (row->tf32 != precision || row->levels.part[SB_PART_ATTENTION] != attention || row->shape.note)
			continue;
		if (row->outcome != SB_MICRO_OK)
			return;
		word = row->shape.op == SB_MICRO_ATTENTION ? sb_level_name(&row->levels, SB_PART_ATTENTION) : "";
		ns += (double)row->shape.calls * row->times[SB_MICRO_WARM].median;
	}
	if (word)
		sb_buf_addf(out, "%s %s%s%s %.4g ms", out->len ? "," : "", word, *word ? " " : "",
		        precision ? "tf32" : "fp32", ns * 1e-6);
}

static void pass_fact(struct facts *f, const struct sb_micro_result *r)
{
	struct sb_buf list = { 0 };

	for (int level = 0; level < 4; level++)
		pass_text(r, level % 2, level / 2, &list);
	if (list.len && !list.failed)
		fact(f, "in a pass", "the calls of all rows, warm:%s", sb_buf_str(&list));
	sb_buf_release(&list);
}

static void add_facts(struct facts *f, const struct request *q, const struct sb_device_info *info,
        const struct sb_micro_result *r, struct sb_backend *be, int64_t created_ns)
{
	const struct sb_micro_ceilings *c = &r->ceilings;
	char host[256], when[32], copy[48], fp32[48], tf32[48];

	sb_time_iso(created_ns, when);
	if (!sb_host_name(host, sizeof(host)))
		snprintf(host, sizeof(host), "unnamed");
	rate(c->bytes_per_s, 1e9, "GB/s", copy);
	rate(c->flop_per_s[0], 1e12, "TFLOP/s", fp32);
	rate(c->flop_per_s[1], 1e12, "TFLOP/s", tf32);
	fact(f, "device", "%s%s%s (host %.64s)", info->name, info->uuid[0] ? ", " : "", info->uuid, host);
	fact(f, "software", "%s", info->software);
	fact(f, "build", "%s, %s", sb_build_id, when);
	fact(f, "ceilings", "copy of %lld MiB: %s; product of %lld x %lld x %lld: fp32 %s, tf32 %s%s",
	        (long long)(c->copy_bytes / 2) >> 20, copy, (long long)q->o.product, (long long)q->o.product,
	        (long long)q->o.product, fp32, tf32, c->product[1].emulated ? " e" : "");
	fact(f, "cold", "%lld MiB are written before every launch, in %.3g ms", (long long)(q->o.flush_bytes >> 20),
	        r->flush_ns * 1e-6);
	fact(f, "clock", "%.3g us between two marks with nothing between: so much of a cold time is the clock's",
	        r->empty_ns * 1e-3);
	fact(f, "options", "seed %llu, budget %.0f s%s", (unsigned long long)q->o.seed, q->o.budget_s,
	        q->vram_limit ? ", memory limited" : "");
	state_facts(f, be);
	pass_fact(f, r);
	if (*q->kept)
		fact(f, "kept", "the ceilings, as run %.12s of '%.200s'", q->kept, q->db);
	if (q->others)
		fact(f, "!", "%u other program%s on the GPU: what shares its time takes part of every figure",
		        q->others, q->others == 1 ? "" : "s");
	if (info->emulated_parts)
		fact(f, "e", "this device imitates the level: its numerics, not its speed");
}

struct counts {
	int of[SB_MICRO_OUTCOMES];
	double worst; /* largest error / limit of the rows that were timed */
	double outputs;
};

static void count_row(struct counts *n, const struct sb_micro_row *r)
{
	n->of[r->outcome]++;
	if (r->outcome != SB_MICRO_OK)
		return;
	n->outputs += (double)r->checked;
	n->worst = fmax(n->worst, r->error / r->limit);
}

static void verdict_text(const struct counts *n, size_t all, struct sb_buf *out)
{
	static const char *const words[] = {
		[SB_MICRO_OOM] = "out of memory",
		[SB_MICRO_WRONG] = "wrong",
		[SB_MICRO_FAILED] = "failed",
		[SB_MICRO_NO_TIME] = "without time",
		[SB_MICRO_SKIPPED] = "skipped",
	};

	sb_buf_addf(out, "%d of %zu rows timed", n->of[SB_MICRO_OK], all);
	if (n->of[SB_MICRO_OK])
		sb_buf_addf(
		        out, ", %.0f outputs of theirs checked: error at most %.2f of the limit", n->outputs, n->worst);
	for (int i = SB_MICRO_OOM; i < SB_MICRO_OUTCOMES; i++)
		if (n->of[i])
			sb_buf_addf(out, "; %d %s", n->of[i], words[i]);
}

static void title_text(const struct request *q, struct sb_buf *out)
{
	const struct sb_micro_case *c = &q->o.c;

	sb_buf_addf(out, "micro %s, preset %s%s%s%s: T=%lld, %lldx%lld, %lld points, %lld iteration%s",
	        sb_micro_op_names[q->o.op], c->preset->name, c->name[0] ? " (" : "", c->name, c->name[0] ? ")" : "",
	        (long long)c->frames, (long long)c->width, (long long)c->height, (long long)c->points,
	        (long long)c->iterations, c->iterations == 1 ? "" : "s");
}

static enum sb_status print(const struct sb_report_micro *m, int format, struct sb_error *err)
{
	switch (format) {
	case 1:
		return sb_report_micro_markdown(m, stdout, err);
	case 2:
		return sb_report_micro_csv(m, stdout, err);
	case 3:
		return sb_report_micro_json(m, stdout, err);
	default:
		return sb_report_micro_text(m, stdout, sb_terminal_color(STDOUT_FILENO), err);
	}
}

/* What the exit code is about, once everything is printed. */
static enum sb_status verdict(const struct counts *n, bool cut_short, struct sb_error *err)
{
	if (n->of[SB_MICRO_WRONG])
		return sb_fail(err, SB_E_DEVICE, "%d row%s wrong results: no time of theirs is shown",
		        n->of[SB_MICRO_WRONG], n->of[SB_MICRO_WRONG] == 1 ? " gives" : "s give");
	if (n->of[SB_MICRO_FAILED])
		return sb_fail(err, SB_E_DEVICE, "%d row%s failed", n->of[SB_MICRO_FAILED],
		        n->of[SB_MICRO_FAILED] == 1 ? "" : "s");
	if (cut_short)
		return sb_fail(err, SB_E_INTERRUPTED, "interrupted after %d rows", n->of[SB_MICRO_OK]);
	if (!n->of[SB_MICRO_OK])
		return sb_fail(err, n->of[SB_MICRO_OOM] ? SB_E_NOMEM : SB_E_DEVICE, "no row could be timed");
	return SB_OK;
}

static enum sb_status report(const struct request *q, const struct sb_device_info *info,
        const struct sb_micro_result *r, struct sb_backend *be, int64_t created_ns, struct sb_error *err)
{
	struct sb_report_micro_row *rows = calloc(r->n, sizeof(*rows));
	char(*shapes)[96] = calloc(r->n, sizeof(*shapes));
	struct facts *f = calloc(1, sizeof(*f));
	struct sb_buf title = { 0 }, last = { 0 };
	struct counts n = { .worst = 0.0 };
	enum sb_status status = SB_E_NOMEM;

	title_text(q, &title);
	for (int i = 0; i < 2; i++)
		if (r->ceilings.product[i].outcome == SB_MICRO_WRONG)
			n.of[SB_MICRO_WRONG]++;
	for (size_t i = 0; rows && shapes && i < r->n; i++) {
		rows[i] = report_row(&r->rows[i], &r->ceilings, shapes[i]);
		count_row(&n, &r->rows[i]);
	}
	verdict_text(&n, r->n, &last);
	if (rows && shapes && f && !title.failed && !last.failed) {
		add_facts(f, q, info, r, be, created_ns);
		const struct sb_report_micro m = { sb_buf_str(&title), sb_buf_str(&last), created_ns, f->v, f->n,
			r->ceilings.bytes_per_s, { r->ceilings.flop_per_s[0], r->ceilings.flop_per_s[1] }, rows, r->n };

		status = print(&m, q->format, err);
	} else {
		sb_fail(err, SB_E_NOMEM, "no memory for the report");
	}
	free(rows);
	free(shapes);
	free(f);
	sb_buf_release(&title);
	sb_buf_release(&last);
	return status ? status : verdict(&n, r->cut_short, err);
}

/* The ceilings, if there is one and they are wanted. */
static enum sb_status keep(struct request *q, const struct sb_device_info *info, const struct sb_micro_result *r,
        struct sb_backend *be, int64_t created_ns, struct sb_error *err)
{
	const struct sb_micro_ceilings *c = &r->ceilings;
	struct sb_ceiling_record record = { .command = q->line,
		.options = &q->o,
		.info = info,
		.c = c,
		.created_ns = created_ns,
		.memory_limit_bytes = q->vram_limit,
		.threads = q->threads,
		.others = q->others,
		.sm_mhz = sb_value_absent("the device does not say") };
	struct sb_device_state s;

	if (!q->db)
		return SB_OK;
	if (c->bytes_per_s.absent && c->flop_per_s[0].absent && c->flop_per_s[1].absent) {
		fputs("spabench micro: no ceiling was measured: nothing is kept\n", stderr);
		return SB_OK;
	}
	if (be->ops->state) {
		be->ops->state(be, &s);
		record.sm_mhz = s.sm_mhz;
	}
	return sb_ceiling_store(q->db, &record, q->kept, err);
}

static enum sb_status measure(struct request *q, struct sb_error *err)
{
	const int64_t created_ns = sb_wall_time_ns();
	struct sigaction act = { .sa_handler = on_signal };
	struct sb_case_settings dropped;
	struct sb_micro_result result;
	struct sb_device_info info;
	struct sb_backend *be;
	enum sb_status status;

	sb_case_drop_foreign_settings(&dropped);
	if (q->db && sb_database_try(q->db, err))
		return err->code;
	if (sb_backend_open(q->device, q->vram_limit, &be, err))
		return err->code;
	sb_backend_info(be, &info);
	sb_case_say_dropped(&dropped, info.kind);
	status = choose_defaults(q, &info, err);
	if (!q->quiet && isatty(STDERR_FILENO))
		q->o.progress = progress;
	q->o.interrupted = interrupted;
	sigaction(SIGINT, &act, NULL); /* what was measured is printed */
	sigaction(SIGTERM, &act, NULL);
	q->others = others(&info);
	if (!status)
		status = sb_micro_run(be, &q->o, &result, err);
	if (!status) {
		unsigned later = others(&info);

		q->others = later > q->others ? later : q->others;
		status = keep(q, &info, &result, be, created_ns, err);
		if (!status)
			status = report(q, &info, &result, be, created_ns, err);
		sb_micro_result_release(&result);
	}
	sb_backend_close(be);
	return status;
}

enum sb_status sb_cmd_micro(int argc, char **argv, struct sb_error *err)
{
	struct request q = { .device = "auto", .o = { .precision = -1, .attention = -1, .seed = 1 } };
	struct sb_micro_case unused;
	struct sb_buf line = { 0 };
	enum sb_status status;

	if (parse(argc, argv, &q, err))
		return err->code;
	/* A mistake is told before a device is opened. */
	if ((q.preset || q.case_name) && sb_micro_case_find(q.preset ? q.preset : "full", q.case_name, &unused, err))
		return err->code;
	if (start_with_threads(q.threads, argv, err))
		return err->code;
	sb_add_command_line(argc, argv, &line);
	q.line = sb_buf_str(&line);
	status = line.failed ? sb_fail(err, SB_E_NOMEM, "no memory for the command line") : measure(&q, err);
	sb_buf_release(&line);
	return status;
}
