#include "other_run.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct other {
	struct sb_run run;
	struct sb_trials trials;
	struct sb_samples samples;
};

static bool same_device(const struct sb_run *a, const struct sb_run *b)
{
	const char *x = sb_run_fact(a, "device.name"), *y = sb_run_fact(b, "device.name");

	return x && y && !strcmp(x, y);
}

static void release(struct other *o)
{
	sb_samples_release(&o->samples);
	sb_trials_release(&o->trials);
	sb_run_release(&o->run);
}

/* A run of the same device. A damaged one is none: the plot is of others, too. */
static bool read_other(const struct sb_plots_input *own, const char *id, struct other *o)
{
	struct sb_error err;
	int64_t key;

	if (sb_store_find_run(own->store, id, &key, &err) || sb_store_read_run(own->store, key, &o->run, &err))
		return false;
	return same_device(&o->run, own->run) && strcmp(o->run.id, own->run->id) != 0 &&
	       !sb_store_read_trials(own->store, key, &o->trials, &err) &&
	       !sb_store_read_samples(own->store, key, &o->trials, &o->samples, &err);
}

static void add_size(struct sb_plot *p, const struct sb_run *run)
{
	json_t *params = json_loads(run->params, 0, NULL);
	int frames = 0, width = 0, height = 0;

	if (params && !json_unpack(params, "{s:i, s:i, s:i}", "frames", &frames, "width", &width, "height", &height))
		sb_buf_addf(&p->caption, ", %d frames of %dx%d", frames, width, height);
	json_decref(params);
}

static bool draw_it(struct sb_plot *p, const struct sb_plots_input *other, sb_plot_draw *draw, const char *which)
{
	const struct sb_plots_input *own = p->in;
	bool made;

	sb_buf_addf(&p->caption, "Of run %.12s (%s %s", other->run->id, other->run->workload, other->run->preset);
	add_size(p, other->run);
	sb_buf_addf(&p->caption, "), the newest of this device in the database %s. ", which);
	snprintf(p->of_run, sizeof(p->of_run), "%.12s", other->run->id);
	p->in = other;
	made = draw(p);
	p->in = own;
	return made;
}

bool sb_plot_of_other(struct sb_plot *p, sb_plot_fits *fits, sb_plot_draw *draw, const char *which, bool *made)
{
	const struct sb_plots_input *own = p->in;
	struct sb_run_lines lines = { .v = NULL };
	struct sb_error err;
	bool found = false;

	*made = false;
	if (!own->store || sb_store_list_runs(own->store, &lines, &err))
		return false;
	for (size_t i = 0; i < lines.n && !found; i++) {
		struct other o = { .run = { .id = NULL } };
		const struct sb_plots_input other = { own->store, &o.run, &o.trials, &o.samples, own->summary };

		found = read_other(own, lines.v[i].id, &o) && fits(&other, own);
		if (found)
			*made = draw_it(p, &other, draw, which);
		release(&o);
	}
	sb_run_lines_release(&lines);
	return found;
}
