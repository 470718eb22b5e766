#include "report_plots.h"

#include <stdlib.h>
#include <string.h>

enum { NAMES = 4 };

static char *below(const char *name)
{
	struct sb_buf b = { 0 };

	if (!name)
		return NULL;
	sb_buf_addf(&b, "plots/%s", name);
	if (b.failed)
		sb_buf_release(&b);
	return b.s;
}

/* False: no memory. */
static bool take(struct sb_report_plots *p)
{
	p->v = calloc(p->made.n + 1, sizeof(*p->v));
	p->names = calloc(NAMES * p->made.n + 1, sizeof(*p->names));
	if (!p->v || !p->names)
		return false;
	for (; p->n < p->made.n; p->n++) {
		const struct sb_plot_made *m = &p->made.v[p->n];
		const char *const from[NAMES] = { m->svg, m->png, m->data, m->script };
		char **to = &p->names[NAMES * p->n];

		for (int i = 0; i < NAMES; i++)
			if (from[i] && !(to[i] = below(from[i])))
				return false;
		p->v[p->n] = (struct sb_report_plot){ .id = m->id,
			.title = m->title,
			.caption = m->caption,
			.files = { .id = m->id,
			        .alt = m->title,
			        .svg_text = m->svg_text,
			        .svg = to[0],
			        .png = to[1],
			        .data = to[2],
			        .script = to[3] },
			.absent = m->absent };
	}
	return true;
}

static enum sb_status make(const char *db, const struct sb_plots_input *in, const char *folder, bool (*stop)(void),
        struct sb_report_plots *out, struct sb_error *err)
{
	const struct sb_plots_options opt = { .stop = stop };
	struct sb_plots_input with_store = *in;
	enum sb_status status = sb_store_open(db, SB_STORE_READ, &with_store.store, err);

	if (!status)
		status = sb_plots_make(&with_store, folder, &opt, &out->made, err);
	sb_store_close(with_store.store);
	return status;
}

enum sb_status sb_report_plots_make(const char *db, const struct sb_plots_input *in, const char *folder,
        bool (*stop)(void), struct sb_report_plots *out, struct sb_error *err)
{
	struct sb_buf plots = { 0 };
	enum sb_status status;

	*out = (struct sb_report_plots){ .n = 0 };
	sb_buf_addf(&plots, "%s/plots", folder);
	status = plots.failed ? sb_fail(err, SB_E_NOMEM, "no memory for the plots")
	                      : make(db, in, plots.s, stop, out, err);
	sb_buf_release(&plots);
	if (status == SB_E_ENV) {
		out->absent = sb_strdup(err->msg);
		return SB_OK;
	}
	if (!status && out->made.absent)
		out->absent = sb_strdup(out->made.absent);
	if (!status && !take(out))
		status = sb_fail(err, SB_E_NOMEM, "no memory for the plots");
	if (status)
		sb_report_plots_release(out);
	return status;
}

void sb_report_plots_release(struct sb_report_plots *p)
{
	for (size_t i = 0; p->names && i < NAMES * p->made.n; i++)
		free(p->names[i]);
	free(p->names);
	free(p->v);
	free(p->absent);
	sb_plots_release(&p->made);
	*p = (struct sb_report_plots){ .n = 0 };
}
