/* export plot: one picture of a run. It is drawn in a folder of its own, which is removed. */
#include "export.h"
#include "report_folder.h"
#include "run_data.h"
#include "sb_plots.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && !strcmp(s + n - m, end);
}

static enum sb_status check(const struct sb_export *e, struct sb_error *err)
{
	struct sb_buf ids = { 0 };
	bool known = false;

	for (size_t i = 0; sb_plot_id(i); i++) {
		known |= !strcmp(sb_plot_id(i), e->plot);
		sb_buf_addf(&ids, "%s%s", i ? ", " : "", sb_plot_id(i));
	}
	if (!known)
		sb_fail(err, SB_E_USAGE, "no plot '%.64s'; there are %.600s", e->plot, sb_buf_str(&ids));
	sb_buf_release(&ids);
	if (!known)
		return SB_E_USAGE;
	if (!ends_in(e->out, ".svg") && !ends_in(e->out, ".png"))
		return sb_fail(err, SB_E_USAGE, "cannot draw '%.200s': its name must end in .svg or .png", e->out);
	return SB_OK;
}

/* Of the folder, or NULL: *err says why. Free it. */
static char *read_picture(const char *folder, const char *name, size_t *size, struct sb_error *err)
{
	struct sb_buf path = { 0 }, data = { 0 };
	char piece[65536];
	FILE *f = NULL;
	bool ok;
	size_t n;

	sb_buf_addf(&path, "%s/%s", folder, name);
	if (!path.failed)
		f = fopen(path.s, "rb");
	while (f && (n = fread(piece, 1, sizeof(piece), f)) > 0)
		sb_buf_add(&data, piece, n);
	ok = f && !ferror(f) && data.len && !data.failed;
	if (!ok)
		sb_fail(err, SB_E_DATA, "cannot read the picture '%.300s'", sb_buf_str(&path));
	if (f)
		fclose(f);
	sb_buf_release(&path);
	*size = data.len;
	if (ok)
		return data.s;
	sb_buf_release(&data);
	return NULL;
}

static enum sb_status take(
        const struct sb_export *e, const struct sb_plots *made, const char *folder, struct sb_error *err)
{
	const struct sb_plot_made *m = NULL;
	const char *name;
	enum sb_status status;
	size_t size;
	char *data;

	if (made->absent)
		return sb_fail(err, SB_E_ENV, "cannot draw plot '%s': %.600s", e->plot, made->absent);
	for (size_t i = 0; i < made->n; i++)
		if (!strcmp(made->v[i].id, e->plot))
			m = &made->v[i];
	name = !m ? NULL : ends_in(e->out, ".svg") ? m->svg : m->png;
	if (!name)
		return sb_fail(err, SB_E_DATA, "cannot draw plot '%s': %.600s", e->plot,
		        m && m->absent ? m->absent : "gnuplot made no such picture");
	data = read_picture(folder, name, &size, err);
	if (!data)
		return err->code;
	status = sb_out_file_put(e->out, data, size, err);
	free(data);
	return status;
}

static enum sb_status draw(
        const struct sb_export *e, const struct sb_run_data *d, const char *folder, struct sb_error *err)
{
	const struct sb_plots_options opt = { .only = e->plot };
	struct sb_summary summary;
	struct sb_plots_input in = {
		.store = d->st, .run = &d->run, .trials = &d->trials, .samples = &d->samples, .summary = &summary
	};
	struct sb_plots made = { .v = NULL };
	enum sb_status status = sb_summary_compute(&d->run, &d->trials, &d->samples, NULL, &summary, err);

	if (status)
		return status;
	status = sb_plots_make(&in, folder, &opt, &made, err);
	if (!status) {
		status = take(e, &made, folder, err);
		sb_plots_release(&made);
	}
	sb_summary_release(&summary);
	return status;
}

static enum sb_status in_a_folder(const struct sb_export *e, const struct sb_run_data *d, struct sb_error *err)
{
	const char *where = getenv("TMPDIR");
	struct sb_buf folder = { 0 };
	enum sb_status status;

	sb_buf_addf(&folder, "%s/spabench.XXXXXX", where && *where ? where : "/tmp");
	if (folder.failed) {
		status = sb_fail(err, SB_E_NOMEM, "no memory for the plot");
	} else if (!mkdtemp(folder.s)) {
		status = sb_fail(err, SB_E_ENV, "cannot make a folder '%.300s': %s; set TMPDIR to another one",
		        folder.s, strerror(errno));
	} else {
		status = draw(e, d, folder.s, err);
		sb_report_remove_tree(folder.s);
	}
	sb_buf_release(&folder);
	return status;
}

enum sb_status sb_export_plot(const struct sb_export *e, struct sb_error *err)
{
	struct sb_run_data d;
	enum sb_status status = check(e, err);

	if (!status)
		status = sb_check_replaceable(e->out, err);
	if (!status)
		status = sb_run_data_read(e->db, e->run, e->arm, &d, err);
	if (status)
		return status;
	status = in_a_folder(e, &d, err);
	sb_run_data_release(&d);
	return status;
}
