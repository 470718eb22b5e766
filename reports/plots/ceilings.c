#include "ceilings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of no more samples than 'spabench micro' makes. */
enum { SAMPLES_MAX = 64 };

static const char *fact(const struct sb_run *run, const char *name, const char *what)
{
	char key[64];

	snprintf(key, sizeof(key), "ceiling.%s.%s", name, what);
	return sb_run_fact(run, key);
}

static void read_ceiling(const struct sb_run *run, const char *name, struct sb_ceiling *c)
{
	const char *at = fact(run, name, "samples_ns"), *work_text = fact(run, name, "work"),
	           *shape = fact(run, name, "shape");
	double work = work_text ? strtod(work_text, NULL) : NAN, rate[SAMPLES_MAX], scratch[SAMPLES_MAX];
	int n = 0;

	for (char *end; at && n < SAMPLES_MAX; at = end) {
		rate[n] = work / strtod(at, &end) * 1e9;
		if (end == at)
			break;
		if (!(rate[n] > 0) || !isfinite(rate[n]))
			return;
		n++;
	}
	if (!n)
		return;
	*c = (struct sb_ceiling){ .n = n, .emulated = fact(run, name, "emulated") != NULL };
	for (int i = 0; i < n; i++)
		c->best = fmax(c->best, rate[i]);
	c->median = sb_stats_median(rate, n, scratch);
	snprintf(c->shape, sizeof(c->shape), "%s", shape ? shape : "?");
}

/* What both runs know and know differently. */
static void add_difference(struct sb_ceilings *c, const char *what, const char *there, const char *here)
{
	size_t used = strlen(c->differs);

	if (there && here && strcmp(there, here) != 0)
		snprintf(c->differs + used, sizeof(c->differs) - used, "%s%s '%.70s' there, '%.70s' here",
		        used ? "; " : "", what, there, here);
}

static const char *uuid_of(const struct sb_run *run)
{
	return run->n_workers ? run->workers[0].device_uuid : NULL;
}

static void compare(const struct sb_run *there, const struct sb_run *here, struct sb_ceilings *c)
{
	add_difference(c, "card", uuid_of(there), uuid_of(here));
	add_difference(c, "software", sb_run_fact(there, "software"), sb_run_fact(here, "software"));
	add_difference(
	        c, "power limit in W", sb_run_fact(there, "gpu.power_limit_w"), sb_run_fact(here, "gpu.power_limit_w"));
	add_difference(c, "application clock in MHz", sb_run_fact(there, "gpu.application_clock_mhz"),
	        sb_run_fact(here, "gpu.application_clock_mhz"));
}

static bool same_device(const struct sb_run *a, const struct sb_run *b)
{
	const char *x = sb_run_fact(a, "device.name"), *y = sb_run_fact(b, "device.name");

	return x && y && !strcmp(x, y);
}

static bool take(const struct sb_run *run, const struct sb_run *own, struct sb_ceilings *c)
{
	const char *others = sb_run_fact(run, "ceiling.others");

	*c = (struct sb_ceilings){ .others = others ? strtol(others, NULL, 10) : 0 };
	if (strcmp(run->workload, SB_STORE_CEILINGS) != 0 || !same_device(run, own))
		return false;
	read_ceiling(run, "copy", &c->copy);
	read_ceiling(run, "fp32", &c->product[0]);
	read_ceiling(run, "tf32", &c->product[1]);
	snprintf(c->run, sizeof(c->run), "%.12s", run->id);
	sb_time_iso(run->created_ns, c->date);
	compare(run, own, c);
	return c->copy.n && (c->product[0].n || c->product[1].n);
}

/* A damaged run is none: the plot is of others, too. */
static bool read_run(const struct sb_plots_input *in, const char *id, struct sb_ceilings *c)
{
	struct sb_run run;
	struct sb_error err;
	int64_t key;
	bool is;

	if (sb_store_find_run(in->store, id, &key, &err) || sb_store_read_run(in->store, key, &run, &err))
		return false;
	is = take(&run, in->run, c);
	sb_run_release(&run);
	return is;
}

bool sb_ceilings_find(const struct sb_plots_input *in, struct sb_ceilings *out)
{
	struct sb_run_lines lines = { .v = NULL };
	struct sb_error err;
	bool found = false, same = false;

	if (!in->store || sb_store_list_runs(in->store, &lines, &err))
		return false;
	for (size_t i = 0; i < lines.n && !same; i++) {
		struct sb_ceilings c;

		if (!read_run(in, lines.v[i].id, &c))
			continue;
		same = !*c.differs;
		if (same || !found)
			*out = c;
		found = true;
	}
	sb_run_lines_release(&lines);
	return found;
}

static void say_one(const struct sb_ceiling *c, const char *what, const char *unit, struct sb_buf *out)
{
	if (c->n)
		sb_buf_addf(out, "%s of %s %.4g T%s/s (best of n = %d, median %.4g)%s", what, c->shape, c->best / 1e12,
		        unit, c->n, c->median / 1e12, c->emulated ? ", emulated" : "");
	else
		sb_buf_addf(out, "no %s", what);
}

void sb_ceilings_say(const struct sb_ceilings *c, struct sb_buf *caption)
{
	sb_buf_puts(caption, "The ceilings are what this program reached on the device, by 'spabench micro': ");
	say_one(&c->copy, "a copy", "B", caption);
	sb_buf_puts(caption, ", ");
	say_one(&c->product[0], "an FP32 product", "FLOP", caption);
	sb_buf_puts(caption, ", ");
	say_one(&c->product[1], "a TF32 product", "FLOP", caption);
	sb_buf_addf(caption, "; run %s of %s", c->run, c->date);
	if (c->others > 0)
		sb_buf_addf(caption, ", while %ld other program%s on the GPU", c->others,
		        c->others == 1 ? " was" : "s were");
	if (*c->differs)
		sb_buf_addf(caption, ", not the same (%s)", c->differs);
	sb_buf_puts(caption, ".");
}
