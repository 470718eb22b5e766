/*
 * Kinds of op against what the device reaches. FLOP are those of the work models, as the counter trials stored them;
 * bytes are the least that the ops must move, as the roll-ups have them; the time is that of the trace trials. For a
 * whole pass bytes are what the counters saw in device memory.
 */
#include "plots_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ceilings.h"
#include "kernel_times.h"
#include "other_run.h"

/* An op smaller than this may live in a cache and prove nothing about memory. */
#define LARGE_BYTES (128.0 * 1024 * 1024)

static const char *const kinds[] = { "gemm", "conv", "attention" };

enum { NAMED_MAX = 256 };

/* Points nearer than this to one of the same kind, as a share of either figure, share its name in the picture. */
#define NEAR 0.1

/* Rates that the run itself saw, and the points that have their names in the picture. */
struct largest {
	double flop_s, bytes_s;
	struct sb_buf flop_of, bytes_of;
	struct {
		double x, y;
		const char *what;
	} named[NAMED_MAX];
	int n_named;
};

/* A sample that counter trials of an arm have: the first that is a number. */
static double counter(const struct sb_plots_input *in, int arm, const char *metric)
{
	for (size_t i = 0; i < in->trials->n; i++) {
		const struct sb_trial *t = &in->trials->v[i];
		double x = t->counters && t->arm == arm ? sb_plot_sample(in, i, metric) : NAN;

		if (isfinite(x))
			return x;
	}
	return NAN;
}

static double bytes_of_kind(const struct sb_kernels *k, const char *kind)
{
	double sum = 0;

	for (size_t i = 0; i < k->n; i++)
		if (!strcmp(k->v[i].kind, kind))
			sum += (double)k->v[i].bytes;
	return sum;
}

static bool is_memory_op(const struct sb_kernel *k)
{
	for (size_t i = 0; i < SB_ARRAY_LEN(kinds); i++)
		if (!strcmp(k->kind, kinds[i]))
			return false;
	return strcmp(k->op, "upload") != 0 && strcmp(k->op, "download") != 0 && *k->op;
}

/* Of a stage's op: all of its kernels, of which the first has the bytes. */
static void raise_bytes(const struct sb_kernels *k, struct largest *c)
{
	for (size_t i = 0, end; i < k->n; i = end) {
		double bytes = 0, ns = 0;
		int64_t launches = 0;

		for (end = i;
		        end < k->n && !strcmp(k->v[end].stage, k->v[i].stage) && !strcmp(k->v[end].op, k->v[i].op);
		        end++) {
			bytes += (double)k->v[end].bytes;
			ns += k->v[end].median_ns;
			launches += k->v[end].count;
		}
		if (!is_memory_op(&k->v[i]) || bytes < LARGE_BYTES * (double)launches || bytes / ns * 1e9 <= c->bytes_s)
			continue;
		c->bytes_s = bytes / ns * 1e9;
		sb_buf_release(&c->bytes_of);
		sb_buf_addf(&c->bytes_of, "%.40s in %.40s", k->v[i].op, k->v[i].stage);
	}
}

/* The name of a point, or none where one of the same name is too near for both to be read. */
static const char *name_of_point(struct largest *c, const char *what, double x, double y)
{
	for (int i = 0; i < c->n_named; i++)
		if (!strcmp(c->named[i].what, what) && fabs(x / c->named[i].x - 1) < NEAR &&
		        fabs(y / c->named[i].y - 1) < NEAR)
			return " ";
	if (c->n_named < NAMED_MAX) {
		c->named[c->n_named].x = x;
		c->named[c->n_named].y = y;
		c->named[c->n_named++].what = what;
	}
	return what;
}

static void add_point(
        struct sb_plot *p, int arm, const char *what, double flop, double bytes, double ns, struct largest *c, int *n)
{
	struct sb_plot_look look = sb_plot_look(p->in->run, arm);

	if (!(flop > 0) || !(bytes > 0) || !(ns > 0))
		return;
	sb_buf_addf(&p->data, "%.6g\t%.6g\t%u\t%d", flop / bytes, flop / ns * 1e9 / 1e12, look.rgb, look.mark);
	sb_plot_cell(&p->data, what, 24);
	sb_plot_cell(&p->data, p->in->run->arms[arm].name, 34);
	sb_plot_cell(&p->data, name_of_point(c, what, flop / bytes, flop / ns), 24);
	sb_buf_puts(&p->data, "\n");
	++*n;
	if (flop / ns * 1e9 > c->flop_s) {
		c->flop_s = flop / ns * 1e9;
		sb_buf_release(&c->flop_of);
		sb_buf_addf(&c->flop_of, "%s of %s", what, p->in->run->arms[arm].name);
	}
}

static int add_arm(struct sb_plot *p, int arm, const struct sb_kernels *k, struct largest *c)
{
	double all_ns = 0, read = counter(p->in, arm, "counter.all.dram_read_bytes"),
	       written = counter(p->in, arm, "counter.all.dram_write_bytes");
	int n = 0;

	for (size_t i = 0; i < SB_ARRAY_LEN(kinds); i++) {
		char flop[64], time[64];

		snprintf(flop, sizeof(flop), "counter.%s.flop", kinds[i]);
		snprintf(time, sizeof(time), "op.%s_ns", kinds[i]);
		add_point(p, arm, kinds[i], counter(p->in, arm, flop), bytes_of_kind(k, kinds[i]),
		        sb_plot_median(p->in, arm, time, SB_PLOT_TRACE).mid, c, &n);
	}
	for (size_t i = 0; i < k->n; i++)
		all_ns += k->v[i].median_ns;
	add_point(p, arm, "whole pass", counter(p->in, arm, "counter.all.flop"), read + written, all_ns, c, &n);
	raise_bytes(k, c);
	return n;
}

static int add_arms(struct sb_plot *p, struct largest *c, struct sb_error *err)
{
	int n = 0;

	for (int a = 0; a < p->in->run->n_arms; a++) {
		struct sb_kernels k;
		enum sb_status status = sb_kernels_read(p->in, a, &k, err);

		if (!status && k.n) {
			n += add_arm(p, a, &k, c);
			if ((size_t)k.n_trials > p->n_trials)
				p->n_trials = (size_t)k.n_trials;
		}
		sb_kernels_release(&k);
		if (status)
			return -1;
	}
	return n;
}

static bool is_counted(const struct sb_plots_input *in, int arm)
{
	return arm >= 0 &&
	       (isfinite(counter(in, arm, "counter.all.flop")) || isfinite(counter(in, arm, "counter.gemm.flop")));
}

static bool any_counters(const struct sb_plots_input *in)
{
	for (int a = 0; a < in->run->n_arms; a++)
		if (is_counted(in, a))
			return true;
	return false;
}

static const char rates[] = "Rates in FLOP of the work models over the time of trace trials; intensity by the least "
                            "bytes that the ops must "
                            "move, of a whole pass by the bytes that the counters saw in device memory. ";

/* The largest rates of the run itself. */
static void say_largest(struct sb_plot *p, const struct largest *c)
{
	sb_plot_set(p, "flop_s", c->flop_s / 1e12);
	sb_plot_set(p, "lower_s", 0.0);
	sb_plot_set(p, "bytes_s", c->bytes_s / 1e12);
	sb_plot_sayf(p, "flop_name", "%.1f TFLOP/s: %s", c->flop_s / 1e12, sb_buf_str(&c->flop_of));
	sb_plot_say(p, "lower_name", "");
	sb_plot_sayf(p, "bytes_name", "%.2f TB/s: %s", c->bytes_s / 1e12, sb_buf_str(&c->bytes_of));
	sb_plot_say(p, "roof_name", "largest measured");
	sb_buf_puts(&p->caption, rates);
	sb_buf_puts(&p->caption, "The ceilings are the largest rates measured in this run, not the device's: ");
	sb_buf_addf(&p->caption, "%.1f TFLOP/s (%s)", c->flop_s / 1e12, sb_buf_str(&c->flop_of));
	if (c->bytes_s > 0)
		sb_buf_addf(&p->caption, ", %.2f TB/s (%s, of ops that move 128 MiB and more)", c->bytes_s / 1e12,
		        sb_buf_str(&c->bytes_of));
	sb_buf_puts(&p->caption, ". 'spabench micro gemm --db FILE' measures the device's into this database.");
}

/* What 'spabench micro' kept. */
static void say_measured(struct sb_plot *p, const struct sb_ceilings *c)
{
	static const char *const names[] = { "FP32", "TF32" };
	int top = c->product[1].best > c->product[0].best;
	const struct sb_ceiling *upper = &c->product[top], *lower = &c->product[!top];

	sb_plot_set(p, "flop_s", upper->best / 1e12);
	sb_plot_set(p, "lower_s", lower->best / 1e12);
	sb_plot_set(p, "bytes_s", c->copy.best / 1e12);
	sb_plot_sayf(p, "flop_name", "%.1f TFLOP/s: %s product", upper->best / 1e12, names[top]);
	sb_plot_sayf(p, "lower_name", "%.1f TFLOP/s: %s product", lower->best / 1e12, names[!top]);
	sb_plot_sayf(p, "bytes_name", "%.2f TB/s: copy. Ceilings: run %s, %s", c->copy.best / 1e12, c->run, c->date);
	sb_plot_say(p, "roof_name", "measured ceilings");
	sb_buf_puts(&p->caption, rates);
	sb_ceilings_say(c, &p->caption);
}

static void say_ceilings(struct sb_plot *p, const struct largest *largest)
{
	struct sb_ceilings c;

	if (sb_ceilings_find(p->in, &c))
		say_measured(p, &c);
	else
		say_largest(p, largest);
}

static bool draw(struct sb_plot *p)
{
	struct largest c = { .flop_s = 0 };
	struct sb_error err = { .msg = "" };
	int n;
	bool made = false;

	sb_buf_puts(&p->data, "# columns: FLOP/byte, TFLOP/s, colour, mark, kind of op, arm, the name that is drawn\n");
	n = add_arms(p, &c, &err);
	if (n > 0) {
		say_ceilings(p, &c);
		sb_plot_say_arms(p);
		sb_plot_count(p, "width", 900);
		sb_plot_count(p, "height", 520);
		p->n_what = "trace trials per arm";
		made = true;
	} else if (n < 0) {
		sb_plot_why(p, "%s", err.msg);
	} else {
		sb_plot_why(p, "no arm has both counters and a complete trace trial");
	}
	sb_buf_release(&c.flop_of);
	sb_buf_release(&c.bytes_of);
	return made;
}

static bool counted_the_same(const struct sb_plots_input *other, const struct sb_plots_input *own)
{
	const struct sb_summary_group *g = &own->summary->groups[0];

	return !strcmp(other->run->workload, own->run->workload) && !strcmp(other->run->preset, own->run->preset) &&
	       is_counted(other, sb_plot_arm(other, g->before)) && is_counted(other, sb_plot_arm(other, g->after));
}

bool sb_plot_roofline(struct sb_plot *p)
{
	bool made;

	if (!p->in->store)
		return sb_plot_why(p, "the database is not open");
	if (any_counters(p->in))
		return draw(p);
	if (sb_plot_of_other(p, counted_the_same, draw, "that counted operations in the hardware", &made))
		return made;
	return sb_plot_why(p,
	        "the run has no counter trials, which hold the FLOP of the kinds of op, and the database has no other "
	        "of this device and network that does; they need a GPU and the permission to read its counters, see "
	        "'spabench doctor'");
}
