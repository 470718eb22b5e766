/* How to measure it again: command, environment, processes; the files beside the report. */
#include "report_internal.h"

#include <string.h>

static void item(struct sb_report *r, const char *key, const char *value, const char *absent)
{
	sb_doc_row(r->d, SB_ROW_BODY);
	sb_doc_cell(r->d);
	sb_doc_stored(r->d, key);
	sb_doc_cell(r->d);
	if (value)
		sb_doc_stored(r->d, *value ? value : "none");
	else if (absent) {
		sb_doc_text(r->d, "not recorded: ");
		sb_doc_stored(r->d, absent);
	}
}

static void command(struct sb_report *r)
{
	const struct sb_run *run = r->in->run;

	sb_doc_paragraph(r->d, SB_TONE_PLAIN);
	sb_doc_text(r->d,
	        "The run was made by this command. Paths are those of the machine it ran on; the clip and the weights "
	        "must have the digests below.");
	sb_doc_code(r->d, run->command);
	if (!r->in->command)
		return;
	sb_doc_paragraph(r->d, SB_TONE_PLAIN);
	sb_doc_text(r->d, "This report is made from the run's database by:");
	sb_doc_code(r->d, r->in->command);
}

static void environment(struct sb_report *r)
{
	static const char *const heads[] = { "", "as it was recorded", NULL };
	const struct sb_run *run = r->in->run;
	char seed[32];

	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)run->seed);
	sb_doc_table(r->d, "environment-table", "ll");
	sb_doc_text(r->d, "The run's case and environment.");
	sb_doc_heads(r->d, heads);
	item(r, "run", run->id, NULL);
	item(r, "workload", run->workload, NULL);
	item(r, "preset", run->preset, NULL);
	item(r, "parameters", run->params, NULL);
	item(r, "clip digest", run->clip_digest, "the clip has none");
	item(r, "weights", run->weights_kind, "not said");
	item(r, "weights digest", run->weights_digest, "the weights have none");
	item(r, "seed", seed, NULL);
	for (size_t i = 0; i < run->n_facts; i++)
		item(r, run->facts[i].key, run->facts[i].value, run->facts[i].absent);
}

static void workers(struct sb_report *r)
{
	static const char *const heads[] = { "worker", "device", "program", "begun", "ending", NULL };
	const struct sb_run *run = r->in->run;

	sb_doc_table(r->d, "workers-table", "lllll");
	sb_doc_text(r->d, "The processes that measured.");
	sb_doc_heads(r->d, heads);
	for (size_t i = 0; i < run->n_workers; i++) {
		const struct sb_run_worker *w = &run->workers[i];
		char when[32];

		sb_time_iso(w->started_ns, when);
		sb_doc_row(r->d, SB_ROW_BODY);
		sb_doc_cell(r->d);
		sb_doc_stored(r->d, w->purpose);
		sb_doc_cell(r->d);
		sb_doc_stored(r->d, w->device_name);
		if (w->device_uuid) {
			sb_doc_text(r->d, ", ");
			sb_doc_stored(r->d, w->device_uuid);
		}
		sb_doc_cell(r->d);
		sb_doc_stored(r->d, w->exe);
		sb_doc_text(r->d, ", ");
		sb_doc_stored(r->d, w->build_id);
		sb_doc_cell(r->d);
		sb_doc_stored(r->d, when);
		sb_doc_cell(r->d);
		sb_doc_stored(r->d, w->ending ? w->ending : "no ending recorded");
	}
}

void sb_report_repeat(struct sb_report *r)
{
	sb_doc_heading(r->d, 2, "repeat", "How to measure it again");
	command(r);
	environment(r);
	workers(r);
}

/* ---- plots ------------------------------------------------------------------------------------------------------- */

static const struct sb_report_plot *plot_named(const struct sb_report *r, const char *id)
{
	for (size_t i = 0; i < r->in->n_plots; i++)
		if (!strcmp(r->in->plots[i].id, id))
			return &r->in->plots[i];
	return NULL;
}

static void picture(struct sb_report *r, const struct sb_report_plot *p)
{
	sb_doc_figure(r->d, &p->files);
	sb_doc_strong(r->d, p->title);
	sb_doc_text(r->d, ". ");
	sb_doc_stored(r->d, p->caption);
}

void sb_report_plot(struct sb_report *r, const char *id)
{
	const struct sb_report_plot *p = plot_named(r, id);

	if (p && !p->absent)
		picture(r, p);
}

void sb_report_missing(struct sb_report *r)
{
	int absent = 0, homeless = 0;

	for (size_t i = 0; i < r->in->n_plots; i++) {
		absent += r->in->plots[i].absent != NULL;
		homeless += !r->in->plots[i].absent && !sb_report_plot_has_place(r->in->plots[i].id);
	}
	if (homeless) {
		sb_doc_heading(r->d, 2, "plots", "More plots");
		for (size_t i = 0; i < r->in->n_plots; i++)
			if (!r->in->plots[i].absent && !sb_report_plot_has_place(r->in->plots[i].id))
				picture(r, &r->in->plots[i]);
	}
	if (!absent && !r->in->plots_absent && !r->in->pdf_absent && !r->in->ops_absent)
		return;
	sb_doc_heading(r->d, 2, "missing", "What is missing here");
	sb_doc_list(r->d, SB_TONE_PLAIN);
	if (r->in->plots_absent) {
		sb_doc_item(r->d);
		sb_doc_text(r->d, "All plots: ");
		sb_doc_stored(r->d, r->in->plots_absent);
		sb_doc_text(r->d, ".");
	}
	for (size_t i = 0; i < r->in->n_plots && !r->in->plots_absent; i++) {
		if (!r->in->plots[i].absent)
			continue;
		sb_doc_item(r->d);
		sb_doc_text(r->d, "The plot \xe2\x80\x9c");
		sb_doc_text(r->d, r->in->plots[i].title);
		sb_doc_text(r->d, "\xe2\x80\x9d: ");
		sb_doc_stored(r->d, r->in->plots[i].absent);
		sb_doc_text(r->d, ".");
	}
	if (r->in->ops_absent) {
		sb_doc_item(r->d);
		sb_doc_text(r->d, "The table of kernels: ");
		sb_doc_stored(r->d, r->in->ops_absent);
		sb_doc_text(r->d, ".");
	}
	if (r->in->pdf_absent) {
		sb_doc_item(r->d);
		sb_doc_text(r->d, "report.pdf: ");
		sb_doc_stored(r->d, r->in->pdf_absent);
		sb_doc_text(r->d, ".");
	}
}
