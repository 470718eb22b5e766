/* One run: what it was, what became of its arms and workers, every metric. As text; its raw samples as JSON and CSV. */
#include "json_parts.h"
#include "reports_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A row of medians: 2 + 28 label, 4 unit, then arms of 11 columns each: 6 of them in 100 columns. */
enum {
	WIDTH = 100,
	KEY = 10,
	LABEL = 28,
	UNIT = 4,
	MEDIAN = 11,
	ARMS_IN_A_TABLE = 6,
	ARM_NAME = 16,
	ARM_NAME_MAX = 40
};

static bool has_arm(const struct sb_report_run *r, int arm)
{
	return r->arm < 0 || r->arm == arm;
}

/* The rows of all tables are the same ones in the same order; an arm's medians are a column of one of them. */
static const struct sb_summary_group *rows_of(const struct sb_report_run *r)
{
	return &r->tables[0].groups[0];
}

static struct sb_value median_of(const struct sb_report_run *r, int arm, size_t row)
{
	return arm == 0 ? r->tables[0].groups[0].rows[row].before : r->tables[arm - 1].groups[0].rows[row].after;
}

/* ---- text ------------------------------------------------------------------------------------------------------ */

static void title(struct sb_page *p, const char *text)
{
	sb_page_end(p);
	sb_page_cell(p, text, p->width, false, SB_TINT_BOLD);
	sb_page_end(p);
}

static void item_buf(struct sb_page *p, const char *key, int columns, struct sb_buf *text)
{
	sb_page_item(p, key, columns, sb_buf_str(text));
	p->buf.failed |= text->failed;
	sb_buf_release(text);
}

static void add(struct sb_buf *b, const char *separator, const char *before, const char *text)
{
	if (text && *text)
		sb_buf_addf(b, "%s%s%s", b->len ? separator : "", before, text);
}

static void print_identity(struct sb_page *p, const struct sb_run *run, const char *alloc_note)
{
	char begun[32], ended[32], seed[24];
	struct sb_buf b = { 0 };

	sb_buf_addf(&b, "run %s", run->id);
	sb_page_cell(p, sb_buf_str(&b), p->width, false, SB_TINT_BOLD);
	sb_page_end(p);
	sb_buf_release(&b);
	sb_time_iso(run->created_ns, begun);
	sb_buf_addf(&b, "%s, begun %s", run->status, begun);
	if (run->ended_ns) {
		sb_time_iso(run->ended_ns, ended);
		sb_buf_addf(&b, ", ended %s", ended);
	}
	item_buf(p, "status", KEY, &b);
	sb_page_item(p, "command", KEY, run->command);
	sb_page_item(p, "note", KEY, run->note);
	add(&b, ", ", "", run->workload);
	add(&b, ", ", "preset ", run->preset);
	item_buf(p, "case", KEY, &b);
	sb_show_case(p, run, KEY);
	sb_page_item(p, "alloc-conf", KEY, alloc_note);
	add(&b, ", ", "", run->weights_kind);
	add(&b, ", ", "", run->weights_digest);
	item_buf(p, "weights", KEY, &b);
	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)run->seed);
	sb_page_item(p, "seed", KEY, seed);
}

/* "cpu.model" belongs to "cpu". */
static size_t family(const char *key)
{
	size_t n = strcspn(key, ".");

	return key[n] ? n : 0;
}

static void add_fact(struct sb_buf *b, const struct sb_run_fact *f)
{
	size_t n = family(f->key);

	sb_buf_addf(b, "%s%s: ", b->len ? "; " : "", f->key + n + (n > 0));
	if (f->value)
		sb_buf_puts(b, *f->value ? f->value : "none");
	else
		sb_buf_addf(b, "- (%s)", f->absent ? f->absent : "");
}

/* Facts come by key, so those of a family stand together; those of none are one. */
static void print_facts(struct sb_page *p, const struct sb_run *run)
{
	struct sb_buf b = { 0 };
	char name[KEY + 16];

	if (run->n_facts)
		title(p, "facts");
	for (size_t i = 0; i < run->n_facts; i++) {
		const char *key = run->facts[i].key;
		size_t n = family(key);

		if (!n)
			continue;
		add_fact(&b, &run->facts[i]);
		if (i + 1 < run->n_facts && family(run->facts[i + 1].key) == n &&
		        !strncmp(run->facts[i + 1].key, key, n))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)n, key);
		item_buf(p, name, KEY, &b);
	}
	for (size_t i = 0; i < run->n_facts; i++)
		if (!family(run->facts[i].key))
			add_fact(&b, &run->facts[i]);
	item_buf(p, "run", KEY, &b);
}

static void outcomes(const int n[SB_OUTCOME_COUNT], const char *kind, struct sb_buf *b)
{
	int any = 0;

	sb_buf_puts(b, kind);
	for (int o = 0; o < SB_OUTCOME_COUNT; o++)
		if (n[o])
			sb_buf_addf(b, "%s %d %s", any++ ? "," : "", n[o], sb_outcome_names[o]);
	if (!any)
		sb_buf_puts(b, " none");
}

/* "a=x,b=y" with blanks, where a line may end. */
static void levels(const char *text, struct sb_buf *b)
{
	const char *separator = "; ";

	while (*text) {
		size_t len = strcspn(text, ",");

		sb_buf_puts(b, separator);
		sb_buf_add(b, text, len);
		text += len + (text[len] == ',');
		separator = ", ";
	}
}

/* Of each way in which trials ended; which one it is, where there are several. */
static void print_messages(struct sb_page *p, const struct sb_summary_arm *arm, int columns)
{
	int n = 0;

	for (int o = 0; o < SB_OUTCOME_COUNT; o++)
		n += arm->messages[o] != NULL;
	for (int o = 0; o < SB_OUTCOME_COUNT; o++) {
		struct sb_buf b = { 0 };

		if (!arm->messages[o])
			continue;
		if (n > 1)
			sb_buf_addf(&b, "%s: ", sb_outcome_title((enum sb_outcome)o));
		sb_buf_puts(&b, arm->messages[o]);
		item_buf(p, "  !", columns, &b);
	}
}

/* Columns of the longest name, within reason. */
static int name_columns(const struct sb_report_run *r)
{
	int columns = ARM_NAME;

	for (int a = 0; a < r->run->n_arms; a++) {
		int width = sb_display_width(r->run->arms[a].name);

		if (has_arm(r, a) && width > columns)
			columns = width < ARM_NAME_MAX ? width : ARM_NAME_MAX;
	}
	return columns;
}

static void print_arms(struct sb_page *p, const struct sb_report_run *r, char (*heads)[SB_ARM_HEAD_MAX])
{
	const struct sb_summary *s = &r->tables[0];
	int columns = name_columns(r);

	title(p, "arms");
	for (size_t a = 0; a < s->n_arms; a++) {
		const struct sb_summary_arm *arm = &s->arms[a];
		struct sb_buf b = { 0 };

		if (!has_arm(r, (int)a))
			continue;
		sb_page_blanks(p, 2);
		sb_page_cell(p, arm->name, columns, false, SB_TINT_PLAIN);
		if (sb_report_arm_is_numbered(arm->name, heads[a]))
			sb_buf_addf(&b, "(%s) ", heads[a]);
		outcomes(arm->n_trials[0], "timing", &b);
		outcomes(arm->n_trials[1], "; trace", &b);
		levels(arm->levels, &b);
		sb_page_blanks(p, 1);
		sb_page_paragraph(p, sb_buf_str(&b), columns + 3, columns + 3);
		sb_buf_release(&b);
		print_messages(p, arm, columns);
	}
	sb_page_item(p, "  clocks", columns, s->throttled);
}

static int trials_of(const struct sb_report_run *r, int64_t worker)
{
	int n = 0;

	for (size_t i = 0; i < r->trials->n; i++)
		n += r->trials->v[i].worker == worker;
	return n;
}

static void print_workers(struct sb_page *p, const struct sb_report_run *r)
{
	title(p, "workers");
	for (size_t i = 0; i < r->run->n_workers; i++) {
		const struct sb_run_worker *w = &r->run->workers[i];
		struct sb_buf b = { 0 };
		char number[24], when[32];

		snprintf(number, sizeof(number), "%zu", i + 1);
		sb_buf_addf(&b, "%s on %s, %d trials, pid %lld: ", w->purpose, w->device_name, trials_of(r, w->key),
		        (long long)w->pid);
		sb_buf_puts(&b, w->ending ? w->ending : "no ending recorded");
		sb_time_iso(w->started_ns, when);
		sb_buf_addf(&b, "; begun %s", when);
		if (w->ended_ns)
			sb_time_iso(w->ended_ns, when);
		add(&b, ", ", "ended ", w->ended_ns ? when : "");
		add(&b, "; ", "build ", w->build_id);
		add(&b, ", ", "", w->device_uuid);
		add(&b, ", ", "", w->exe);
		item_buf(p, number, KEY, &b);
	}
	if (!r->run->n_workers)
		sb_page_item(p, "none", KEY, "none was started");
}

/* One unit for all arms of a row. */
static struct sb_scale scale_of_row(const struct sb_report_run *r, size_t row)
{
	double largest = 0, smallest = HUGE_VAL;

	for (int a = 0; a < r->run->n_arms; a++) {
		struct sb_value v = median_of(r, a, row);

		if (v.absent || !has_arm(r, a))
			continue;
		largest = fabs(v.v) > largest ? fabs(v.v) : largest;
		smallest = v.v != 0 && fabs(v.v) < smallest ? fabs(v.v) : smallest;
	}
	return sb_report_scale(rows_of(r)->rows[row].unit, largest, smallest);
}

static bool is_measured(const struct sb_report_run *r, size_t row)
{
	for (int a = 0; a < r->run->n_arms; a++)
		if (has_arm(r, a) && !median_of(r, a, row).absent)
			return true;
	return false;
}

static void print_median_row(struct sb_page *p, const struct sb_report_run *r, size_t row, const int *arms, int n)
{
	const struct sb_summary_row *info = &rows_of(r)->rows[row];
	struct sb_scale scale = scale_of_row(r, row);

	sb_page_blanks(p, 2);
	sb_page_cell(p, info->label, LABEL, false, SB_TINT_PLAIN);
	sb_page_blanks(p, 1);
	sb_page_cell(p, scale.unit, UNIT - 1, false, SB_TINT_PLAIN);
	for (int i = 0; i < n; i++) {
		struct sb_value v = median_of(r, arms[i], row);
		char text[32] = "-";

		if (!v.absent)
			sb_report_number(v.v / scale.factor, 4, scale.factor == 1, text);
		sb_page_number(p, text, MEDIAN, SB_TINT_PLAIN);
	}
	sb_page_end(p);
}

static void print_medians_of(
        struct sb_page *p, const struct sb_report_run *r, char (*heads)[SB_ARM_HEAD_MAX], const int *arms, int n)
{
	enum sb_section section = SB_SECTION_TOTAL;

	title(p, "medians of the trials that were ok");
	sb_page_blanks(p, 2 + LABEL + UNIT);
	for (int i = 0; i < n; i++) {
		sb_page_blanks(p, 1);
		sb_page_cell(p, heads[arms[i]], MEDIAN - 1, true, SB_TINT_PLAIN);
	}
	sb_page_end(p);
	for (size_t i = 0; i < rows_of(r)->n_rows; i++) {
		if (!is_measured(r, i))
			continue;
		if (rows_of(r)->rows[i].section != section) {
			section = rows_of(r)->rows[i].section;
			sb_page_blanks(p, 1);
			sb_page_cell(
			        p, sb_summary_section_title(&r->tables[0], section), WIDTH / 2, false, SB_TINT_PLAIN);
			sb_page_end(p);
		}
		print_median_row(p, r, i, arms, n);
	}
}

enum sb_status sb_report_run_text(const struct sb_report_run *r, FILE *out, bool color, struct sb_error *err)
{
	struct sb_page p = { .width = WIDTH, .color = color };
	char(*heads)[SB_ARM_HEAD_MAX] = sb_report_summary_heads(&r->tables[0], MEDIAN - 1);
	enum sb_status status;
	int arms[ARMS_IN_A_TABLE], n = 0;

	if (!heads)
		return sb_fail(err, SB_E_NOMEM, "out of memory for the report");
	print_identity(&p, r->run, r->tables[0].alloc_note);
	print_facts(&p, r->run);
	print_arms(&p, r, heads);
	print_workers(&p, r);
	for (int a = 0; a < r->run->n_arms; a++) {
		if (has_arm(r, a))
			arms[n++] = a;
		if (n == ARMS_IN_A_TABLE || (n && a + 1 == r->run->n_arms)) {
			print_medians_of(&p, r, heads, arms, n);
			n = 0;
		}
	}
	status = sb_report_write(&p.buf, out, err);
	sb_buf_release(&p.buf);
	free(heads);
	return status;
}

/* ---- raw samples ----------------------------------------------------------------------------------------------- */

static bool is_stored(const struct sb_samples *s, size_t trial, size_t metric)
{
	const char *absent = s->absent[trial * s->n_metrics + metric];

	return !absent || strcmp(absent, "not recorded") != 0;
}

static int worker_number(const struct sb_run *run, int64_t key)
{
	for (size_t i = 0; i < run->n_workers; i++)
		if (run->workers[i].key == key)
			return (int)i + 1;
	return 0;
}

static const char *unit_of(const struct sb_report_run *r, const char *metric)
{
	const struct sb_summary_group *g = rows_of(r);

	for (size_t i = 0; i < g->n_rows; i++)
		if (!strcmp(g->rows[i].metric, metric))
			return sb_unit_name(g->rows[i].unit);
	return "";
}

static void csv_row(struct sb_csv *c, const struct sb_report_run *r, size_t trial, const char *metric, const char *unit,
        double value, const char *absent)
{
	const struct sb_trial *t = &r->trials->v[trial];

	sb_csv_text(c, r->run->id);
	sb_csv_number(c, (double)trial + 1);
	sb_csv_text(c, r->run->arms[t->arm].name);
	sb_csv_number(c, t->block);
	sb_csv_number(c, t->position);
	sb_csv_text(c, sb_trial_kind(t));
	sb_csv_text(c, t->outcome);
	sb_csv_number(c, worker_number(r->run, t->worker));
	sb_csv_text(c, metric);
	sb_csv_text(c, unit);
	sb_csv_number(c, value);
	sb_csv_text(c, absent);
	sb_csv_text(c, t->message);
	sb_csv_end(c);
}

enum sb_status sb_report_run_csv(const struct sb_report_run *r, FILE *out, struct sb_error *err)
{
	static const char *const columns[] = { "run", "trial", "arm", "block", "position", "kind", "outcome", "worker",
		"metric", "unit", "value", "absent", "message", NULL };
	const struct sb_samples *s = r->samples;
	const char **unit = calloc(s->n_metrics + 1, sizeof(*unit));
	struct sb_csv c = { .column = 0 };
	enum sb_status status;

	if (!unit)
		return sb_fail(err, SB_E_NOMEM, "out of memory for the report");
	for (size_t m = 0; m < s->n_metrics; m++)
		unit[m] = unit_of(r, s->metrics[m]);
	sb_csv_header(&c, columns);
	for (size_t t = 0; t < r->trials->n; t++) {
		bool any = false;

		if (!has_arm(r, r->trials->v[t].arm))
			continue;
		for (size_t m = 0; m < s->n_metrics; m++) {
			if (!is_stored(s, t, m))
				continue;
			csv_row(&c, r, t, s->metrics[m], unit[m], s->value[t * s->n_metrics + m],
			        s->absent[t * s->n_metrics + m]);
			any = true;
		}
		if (!any) /* a trial that gave nothing happened all the same */
			csv_row(&c, r, t, NULL, NULL, NAN, NULL);
	}
	status = sb_report_write(&c.buf, out, err);
	sb_buf_release(&c.buf);
	free(unit);
	return status;
}

static json_t *run_json(const struct sb_run *run)
{
	json_t *o = json_object();
	char seed[24];

	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)run->seed);
	sb_json_put(o, "id", sb_json_text(run->id));
	sb_json_put(o, "status", sb_json_text(run->status));
	sb_json_put(o, "created", sb_json_time(run->created_ns));
	sb_json_put(o, "ended", sb_json_time(run->ended_ns));
	sb_json_put(o, "command", sb_json_text(run->command));
	sb_json_put(o, "note", sb_json_text(run->note));
	sb_json_put(o, "seed", json_string(seed)); /* 64 bits: more than a number of JSON holds everywhere */
	sb_json_put(o, "plan", sb_json_stored(run->plan));
	sb_json_put(o, "workload", sb_json_text(run->workload));
	sb_json_put(o, "preset", sb_json_text(run->preset));
	sb_json_put(o, "params", sb_json_stored(run->params));
	sb_json_put(o, "clip_digest", sb_json_text(run->clip_digest));
	sb_json_put(o, "weights", sb_json_text(run->weights_kind));
	sb_json_put(o, "weights_digest", sb_json_text(run->weights_digest));
	return o;
}

static json_t *facts_json(const struct sb_run *run)
{
	json_t *list = json_array();

	for (size_t i = 0; i < run->n_facts; i++) {
		json_t *o = json_object();

		sb_json_put(o, "key", sb_json_text(run->facts[i].key));
		sb_json_put(o, "value", sb_json_text(run->facts[i].value));
		if (!run->facts[i].value)
			sb_json_put(o, "value_absent", sb_json_text(run->facts[i].absent));
		sb_json_push(list, o);
	}
	return list;
}

static json_t *arms_json(const struct sb_report_run *r)
{
	json_t *list = json_array();

	for (int a = 0; a < r->run->n_arms; a++) {
		json_t *o;

		if (!has_arm(r, a))
			continue;
		o = json_object();
		sb_json_put(o, "name", sb_json_text(r->run->arms[a].name));
		sb_json_put(o, "levels", sb_json_text(r->run->arms[a].levels));
		sb_json_push(list, o);
	}
	return list;
}

static json_t *workers_json(const struct sb_run *run)
{
	json_t *list = json_array();

	for (size_t i = 0; i < run->n_workers; i++) {
		const struct sb_run_worker *w = &run->workers[i];
		json_t *o = json_object();

		sb_json_put(o, "number", json_integer((json_int_t)i + 1));
		sb_json_put(o, "purpose", sb_json_text(w->purpose));
		sb_json_put(o, "pid", json_integer(w->pid));
		sb_json_put(o, "exe", sb_json_text(w->exe));
		sb_json_put(o, "build_id", sb_json_text(w->build_id));
		sb_json_put(o, "device_name", sb_json_text(w->device_name));
		sb_json_put(o, "device_uuid", sb_json_text(w->device_uuid));
		sb_json_put(o, "started", sb_json_time(w->started_ns));
		sb_json_put(o, "ended", sb_json_time(w->ended_ns));
		sb_json_put(o, "ending", sb_json_text(w->ending));
		sb_json_push(list, o);
	}
	return list;
}

/* A key of JSON is UTF-8; a metric's name in a database may be anything. */
static void put_metric(json_t *o, const char *metric, json_t *value)
{
	struct sb_buf key = { 0 };

	sb_report_escape(&key, metric);
	sb_json_put(o, sb_buf_str(&key), value);
	sb_buf_release(&key);
}

/* Metric -> value; for one that is missing, null here and why in `absent`. */
static void put_samples(json_t *o, const struct sb_samples *s, size_t trial)
{
	json_t *values = json_object(), *absent = json_object();

	for (size_t m = 0; m < s->n_metrics; m++) {
		size_t at = trial * s->n_metrics + m;

		if (!is_stored(s, trial, m))
			continue;
		put_metric(values, s->metrics[m], s->absent[at] ? json_null() : sb_json_number(s->value[at]));
		if (s->absent[at])
			put_metric(absent, s->metrics[m], sb_json_text(s->absent[at]));
	}
	sb_json_put(o, "samples", values);
	sb_json_put(o, "absent", absent);
}

static json_t *trials_json(const struct sb_report_run *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->trials->n; i++) {
		const struct sb_trial *t = &r->trials->v[i];
		json_t *o;

		if (!has_arm(r, t->arm))
			continue;
		o = json_object();
		sb_json_put(o, "trial", json_integer((json_int_t)i + 1));
		sb_json_put(o, "arm", sb_json_text(r->run->arms[t->arm].name));
		sb_json_put(o, "block", json_integer(t->block));
		sb_json_put(o, "position", json_integer(t->position));
		sb_json_put(o, "kind", sb_json_text(sb_trial_kind(t)));
		if (t->trace)
			sb_json_put(o, "trace_complete", json_boolean(t->trace_complete));
		sb_json_put(o, "started", sb_json_time(t->started_ns));
		sb_json_put(o, "worker", json_integer(worker_number(r->run, t->worker)));
		sb_json_put(o, "outcome", sb_json_text(t->outcome));
		sb_json_put(o, "message", sb_json_text(t->message));
		put_samples(o, r->samples, i);
		sb_json_push(list, o);
	}
	return list;
}

static json_t *units_json(const struct sb_report_run *r)
{
	json_t *o = json_object();

	for (size_t m = 0; m < r->samples->n_metrics; m++)
		put_metric(o, r->samples->metrics[m], sb_json_text(unit_of(r, r->samples->metrics[m])));
	return o;
}

enum sb_status sb_report_run_json(const struct sb_report_run *r, FILE *out, struct sb_error *err)
{
	json_t *root;

	sb_json_begin();
	root = json_object();
	sb_json_put(root, "format", json_string("spabench-run"));
	sb_json_put(root, "schema_version", json_integer(SB_REPORT_JSON_VERSION));
	sb_json_put(root, "run", run_json(r->run));
	sb_json_put(root, "facts", facts_json(r->run));
	sb_json_put(root, "arms", arms_json(r));
	sb_json_put(root, "workers", workers_json(r->run));
	sb_json_put(root, "units", units_json(r));
	sb_json_put(root, "trials", trials_json(r));
	return sb_json_write(root, out, err);
}
