/* The table of plots, and how one is made: data, script, picture. */
#include "plots_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sb_file.h"

enum { LIMIT_MS = 10000, JOBS = 2, SVG_MAX = 8 << 20 };

/* In the order of a report. The script is reports/plots/ID.gp. */
static const struct plot {
	const char *id, *title;
	sb_plot_writer *write;
} plots[] = {
	{ "claims", "The claims, and what was measured", sb_plot_claims },
	{ "stages", "Time by stage", sb_plot_stages },
	{ "trials", "Trials in the order they were run", sb_plot_trials },
	{ "kernels", "Ops that take most time, and their kernels", sb_plot_kernels },
	{ "roofline", "Roofline of the kinds of op", sb_plot_roofline },
	{ "memory", "Memory over a pass", sb_plot_memory },
	{ "fragmentation", "Fragmentation, by allocator", sb_plot_fragmentation },
	{ "arms", "All arms by time", sb_plot_arms },
	{ "time-memory", "Time against memory", sb_plot_time_memory },
	{ "effects", "What each switch brings", sb_plot_effects },
	{ "sweep", "Time and memory against frames", sb_plot_sweep },
	{ "capacity", "Largest clip by device memory", sb_plot_capacity },
};
_Static_assert(SB_ARRAY_LEN(plots) == 12, "a report has a place for each: reports/report_build.c");

const char *sb_plot_id(size_t i)
{
	return i < SB_ARRAY_LEN(plots) ? plots[i].id : NULL;
}

const char *sb_plot_title(size_t i)
{
	return i < SB_ARRAY_LEN(plots) ? plots[i].title : NULL;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static char *join(const char *folder, const char *name, const char *ending)
{
	struct sb_buf b = { 0 };

	sb_buf_addf(&b, "%s/%s%s", folder, name, ending);
	if (b.failed)
		sb_buf_release(&b);
	return b.s;
}

static char *read_file(const char *path, size_t max)
{
	FILE *f = fopen(path, "rb");
	struct sb_buf b = { 0 };
	char piece[8192];
	size_t n;

	while (f && b.len <= max && (n = fread(piece, 1, sizeof(piece), f)) > 0)
		sb_buf_add(&b, piece, n);
	if (f)
		fclose(f);
	if (b.failed || b.len > max || (b.s && strlen(b.s) != b.len))
		sb_buf_release(&b);
	return b.s;
}

static enum sb_status put(
        const char *folder, const char *name, const char *ending, const struct sb_buf *text, struct sb_error *err)
{
	char *path = join(folder, name, ending);
	enum sb_status status = !path || text->failed ? sb_fail(err, SB_E_NOMEM, "no memory for a plot")
	                                              : sb_out_file_put(path, sb_buf_str(text), text->len, err);

	free(path);
	return status;
}

/* Where the scripts are: as told, beside an installed program, where they were installed, or in the source tree. */
static char *find_scripts(const char *told)
{
	static const char *const places[] = { "/../share/spabench/plots", SB_PLOTS_INSTALLED, SB_PLOTS_SOURCE };
	char exe[4096] = "";
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	if (told)
		return sb_strdup(told);
	exe[n > 0 ? n : 0] = '\0';
	slash = strrchr(exe, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = 0; i < SB_ARRAY_LEN(places); i++) {
		char *folder = join(i == 0 ? exe : "", places[i] + 1, ""),
		     *style = folder ? join(folder, "style.gp", "") : NULL;
		bool there = style && !access(style, R_OK);

		free(style);
		if (there)
			return folder;
		free(folder);
	}
	return NULL;
}

static enum sb_status copy_script(const char *from, const char *name, const char *to, struct sb_error *err)
{
	char *path = join(from, name, ".gp"), *text = path ? read_file(path, 1 << 20) : NULL;
	struct sb_buf b = { .s = text, .len = text ? strlen(text) : 0 };
	enum sb_status status = SB_OK;

	if (!text)
		status = sb_fail(err, SB_E_ENV, "cannot read the script '%s'", path ? path : name);
	else
		status = put(to, name, ".gp", &b, err);
	free(text);
	free(path);
	return status;
}

/* ---- one plot ---------------------------------------------------------------------------------------------------- */

static const char *device_of(const struct sb_plots_input *in)
{
	return in->summary->device ? in->summary->device : "device not recorded";
}

static bool is_emulated(const struct sb_summary *s)
{
	for (size_t i = 0; i < s->n_arms; i++)
		if (s->arms[i].emulated)
			return true;
	return false;
}

/* What every plot tells: the line below the picture. */
static void add_common(struct sb_plot *p, const struct plot *row)
{
	struct sb_buf foot = { 0 };

	sb_plot_field(&foot, device_of(p->in), 60);
	sb_buf_addf(&foot, ", run %.12s", *p->of_run ? p->of_run : p->in->run->id);
	if (p->n_trials)
		sb_buf_addf(&foot, ", %s: %zu", p->n_what, p->n_trials);
	if (is_emulated(p->in->summary))
		sb_buf_puts(&foot, ", some levels emulated");
	sb_plot_say(p, "heading", row->title);
	sb_buf_addf(&p->vars, "foot = '%s'\n", sb_buf_str(&foot));
	p->vars.failed |= foot.failed;
	sb_buf_release(&foot);
}

static void add_who(struct sb_plot *p)
{
	const struct sb_summary *s = p->in->summary;

	sb_buf_addf(&p->caption, " %s", device_of(p->in));
	if (!*p->of_run) /* what the other one is was said */
		sb_buf_addf(&p->caption, ", run %.12s, %s %s", p->in->run->id, s->workload, s->preset);
	if (s->frames && !*p->of_run)
		sb_buf_addf(&p->caption, ", %d frames of %dx%d", s->frames, s->width, s->height);
	sb_buf_puts(&p->caption, ".");
	if (is_emulated(s))
		sb_buf_puts(
		        &p->caption, " Some levels are emulated on this device: times of their arms prove nothing.");
}

static void release(struct sb_plot *p)
{
	sb_buf_release(&p->data);
	sb_buf_release(&p->vars);
	sb_buf_release(&p->caption);
	sb_buf_release(&p->why);
}

static char *file_name(const char *id, const char *ending)
{
	struct sb_buf b = { 0 };

	sb_buf_addf(&b, "%s%s", id, ending);
	return b.s;
}

static bool failed(const struct sb_plot *p)
{
	return p->data.failed || p->vars.failed || p->caption.failed || p->why.failed;
}

/* The data, what the script is told, and the script; or why there is nothing to draw. */
static enum sb_status write_plot(const struct sb_plots_input *in, const struct plot *row, const char *scripts,
        const char *folder, struct sb_plot_made *m, struct sb_error *err)
{
	struct sb_plot p = { .in = in };
	enum sb_status status = SB_OK;
	bool there;

	sb_buf_addf(&p.data, "# %s\n", row->title);
	there = row->write(&p);
	if (failed(&p)) {
		status = sb_fail(err, SB_E_NOMEM, "no memory for the plot '%s'", row->id);
	} else if (!there) {
		m->absent = sb_strdup(sb_buf_str(&p.why));
		if (!m->absent)
			status = sb_fail(err, SB_E_NOMEM, "no memory for the plot '%s'", row->id);
	} else {
		add_common(&p, row);
		add_who(&p);
		status = put(folder, row->id, ".dat", &p.data, err);
		if (!status)
			status = put(folder, row->id, ".var", &p.vars, err);
		if (!status)
			status = copy_script(scripts, row->id, folder, err);
		m->caption = sb_strdup(sb_buf_str(&p.caption));
		m->data = file_name(row->id, ".dat");
		m->script = file_name(row->id, ".gp");
	}
	release(&p);
	if (!status && !m->absent && !(m->caption && m->data && m->script))
		status = sb_fail(err, SB_E_NOMEM, "no memory for the plot '%s'", row->id);
	return status;
}

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

/* A picture of an earlier call must not pass for one of this. */
static void remove_old(const char *folder, const char *id)
{
	static const char *const endings[] = { ".svg", ".png" };

	for (size_t i = 0; i < SB_ARRAY_LEN(endings); i++) {
		char *path = join(folder, id, endings[i]);

		if (path)
			unlink(path);
		free(path);
	}
}

static enum sb_status take_svg(const char *folder, struct sb_plot_made *m, struct sb_error *err)
{
	char *path = join(folder, m->id, ".svg"), *raw = path ? read_file(path, SVG_MAX) : NULL;
	struct sb_buf out = { 0 };
	enum sb_status status = SB_OK;

	if (!raw || !sb_plot_svg(raw, &out)) {
		m->absent = sb_strdup("gnuplot wrote no whole picture");
		m->failed = true;
		if (path)
			unlink(path);
	} else {
		status = put(folder, m->id, ".svg", &out, err);
		m->svg = file_name(m->id, ".svg");
		m->svg_text = out.s;
		out.s = NULL;
	}
	sb_buf_release(&out);
	free(raw);
	free(path);
	return status;
}

static enum sb_status take_pictures(
        const char *folder, struct sb_gnuplot_job *job, struct sb_plot_made *m, struct sb_error *err)
{
	enum sb_status status = SB_OK;
	char *png = join(folder, m->id, ".png");

	if (job->failed) {
		m->absent = job->failed;
		m->failed = true;
		remove_old(folder, m->id); /* half of one, maybe */
	} else {
		status = take_svg(folder, m, err);
		if (m->svg && png && !access(png, R_OK))
			m->png = file_name(m->id, ".png");
	}
	free(png);
	return status;
}

static enum sb_status draw(const char *program, const char *folder, const struct sb_plots_options *opt,
        struct sb_plots *out, struct sb_error *err)
{
	struct sb_gnuplot_job jobs[SB_ARRAY_LEN(plots)] = { { 0 } };
	struct sb_plot_made *of[SB_ARRAY_LEN(plots)];
	size_t n = 0;
	enum sb_status status = SB_OK;

	for (size_t i = 0; i < out->n; i++) {
		if (out->v[i].absent)
			continue;
		of[n] = &out->v[i];
		jobs[n++].script = out->v[i].script;
	}
	if (!sb_gnuplot_run(program, folder, jobs, n, opt->jobs > 0 ? opt->jobs : JOBS,
	            opt->limit_ms > 0 ? opt->limit_ms : LIMIT_MS, opt->stop))
		status = sb_fail(err, SB_E_INTERRUPTED, "interrupted while the plots were made");
	for (size_t i = 0; i < n; i++) {
		if (status)
			free(jobs[i].failed);
		else
			status = take_pictures(folder, &jobs[i], of[i], err);
	}
	return status;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static enum sb_status write_all(const struct sb_plots_input *in, const struct sb_plots_options *opt,
        const char *scripts, const char *folder, struct sb_plots *out, struct sb_error *err)
{
	enum sb_status status = SB_OK;

	for (size_t i = 0; i < SB_ARRAY_LEN(plots) && !status; i++) {
		struct sb_plot_made *m = &out->v[out->n];

		if (opt->only && strcmp(opt->only, plots[i].id) != 0)
			continue;
		out->n++;
		m->id = plots[i].id;
		m->title = plots[i].title;
		remove_old(folder, m->id);
		status = write_plot(in, &plots[i], scripts, folder, m, err);
		if (!status && !m->caption)
			m->caption = sb_strdup("");
	}
	return status ? status : copy_script(scripts, "style", folder, err);
}

/* Every plot that could have been made says why there is no picture. */
static void tell_all(struct sb_plots *out, const char *why)
{
	out->absent = sb_strdup(why);
	for (size_t i = 0; i < out->n; i++)
		if (!out->v[i].absent)
			out->v[i].absent = sb_strdup(why);
}

static enum sb_status make(const struct sb_plots_input *in, const char *folder, const struct sb_plots_options *opt,
        struct sb_plots *out, struct sb_error *err)
{
	char *scripts = find_scripts(opt->scripts), *program = NULL;
	enum sb_status status;
	bool made;

	if (!scripts)
		return sb_fail(err, SB_E_ENV, "the scripts of the plots are not where they were installed, '%s'",
		        SB_PLOTS_INSTALLED);
	status = sb_out_folder(folder, &made, err);
	if (!status)
		status = write_all(in, opt, scripts, folder, out, err);
	free(scripts);
	if (status)
		return status;
	program = opt->gnuplot ? sb_strdup(opt->gnuplot) : sb_gnuplot_find();
	if (!program)
		tell_all(out, "gnuplot is not installed");
	else
		status = draw(program, folder, opt, out, err);
	free(program);
	return status;
}

enum sb_status sb_plots_make(const struct sb_plots_input *in, const char *folder, const struct sb_plots_options *opt,
        struct sb_plots *out, struct sb_error *err)
{
	static const struct sb_plots_options all = { .jobs = 0 };
	struct sb_plots p = { .v = calloc(SB_ARRAY_LEN(plots), sizeof(*p.v)) };
	enum sb_status status;
	bool known;

	opt = opt ? opt : &all;
	known = !opt->only;
	for (size_t i = 0; i < SB_ARRAY_LEN(plots) && !known; i++)
		known = !strcmp(opt->only, plots[i].id);
	if (!p.v)
		return sb_fail(err, SB_E_NOMEM, "no memory for the plots");
	status = known ? make(in, folder, opt, &p, err)
	               : sb_fail(err, SB_E_USAGE, "there is no plot '%.64s'", opt->only);
	if (status)
		sb_plots_release(&p);
	else
		*out = p;
	return status;
}

void sb_plots_release(struct sb_plots *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct sb_plot_made *m = &p->v[i];
		char *const all[] = { m->caption, m->svg_text, m->svg, m->png, m->data, m->script, m->absent };

		for (size_t k = 0; k < SB_ARRAY_LEN(all); k++)
			free(all[k]);
	}
	free(p->v);
	free(p->absent);
	*p = (struct sb_plots){ .n = 0 };
}
