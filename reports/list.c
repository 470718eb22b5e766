/* The runs of a database, a line each. */
#include "json_parts.h"
#include "reports_internal.h"

#include <string.h>

/* What a line is made of, with two blanks after each; the note has what is left. A narrow page shortens the device. */
enum { ID = 8, TIME = 20, STATUS = 11, PRESET = 6, DEVICE = 16, NARROW_DEVICE = 10, ARMS = 4, TRIALS = 6 };
enum { MIN_WIDTH = 80, FULL_WIDTH = 100, MAX_WIDTH = 200 };

static void gap_cell(struct sb_page *p, const char *text, int columns, bool right)
{
	sb_page_cell(p, text, columns, right, SB_TINT_PLAIN);
	sb_page_blanks(p, 2);
}

static void print_line(struct sb_page *p, const char *const cells[8])
{
	const int device = p->width < FULL_WIDTH ? NARROW_DEVICE : DEVICE;
	const int columns[] = { ID, TIME, STATUS, PRESET, device, ARMS, TRIALS };
	int left = p->width;

	for (int i = 0; i < (int)SB_ARRAY_LEN(columns); i++) {
		gap_cell(p, cells[i], columns[i], i >= 5);
		left -= columns[i] + 2;
	}
	if (left >= 3)
		sb_page_cell(p, cells[7], left, false, SB_TINT_PLAIN);
	sb_page_end(p);
}

static void print_run(struct sb_page *p, const struct sb_run_line *l)
{
	char id[ID + 1], when[32], arms[16], trials[16];

	snprintf(id, sizeof(id), "%s", l->id);
	sb_time_iso(l->created_ns, when);
	snprintf(arms, sizeof(arms), "%d", l->n_arms);
	snprintf(trials, sizeof(trials), "%d", l->n_trials);
	print_line(p, (const char *const[]){ id, when, l->status, l->preset, l->device ? l->device : "-", arms, trials,
	                      l->note ? l->note : "" });
}

enum sb_status sb_report_list_text(const struct sb_run_lines *runs, FILE *out, int width, struct sb_error *err)
{
	struct sb_page p = { .width = width ? width : FULL_WIDTH };
	enum sb_status status;

	p.width = p.width < MIN_WIDTH ? MIN_WIDTH : p.width > MAX_WIDTH ? MAX_WIDTH : p.width;
	if (runs->n)
		print_line(&p, (const char *const[]){
		                       "run", "begun", "status", "preset", "device", "arms", "trials", "note" });
	else
		sb_buf_puts(&p.buf, "no run yet; make one with 'spabench run'\n");
	for (size_t i = 0; i < runs->n; i++)
		print_run(&p, &runs->v[i]);
	status = sb_report_write(&p.buf, out, err);
	sb_buf_release(&p.buf);
	return status;
}

enum sb_status sb_report_list_json(const struct sb_run_lines *runs, FILE *out, struct sb_error *err)
{
	json_t *root, *list;

	sb_json_begin();
	root = json_object();
	list = json_array();
	sb_json_put(root, "format", json_string("spabench-list"));
	sb_json_put(root, "schema_version", json_integer(SB_REPORT_JSON_VERSION));
	for (size_t i = 0; i < runs->n; i++) {
		const struct sb_run_line *l = &runs->v[i];
		json_t *o = json_object();

		sb_json_put(o, "id", sb_json_text(l->id));
		sb_json_put(o, "created", sb_json_time(l->created_ns));
		sb_json_put(o, "status", sb_json_text(l->status));
		sb_json_put(o, "preset", sb_json_text(l->preset));
		sb_json_put(o, "device", sb_json_text(l->device));
		sb_json_put(o, "arms", json_integer(l->n_arms));
		sb_json_put(o, "trials", json_integer(l->n_trials));
		sb_json_put(o, "note", sb_json_text(l->note));
		sb_json_push(list, o);
	}
	sb_json_put(root, "runs", list);
	return sb_json_write(root, out, err);
}
