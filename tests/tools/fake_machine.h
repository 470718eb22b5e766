/* A machine whose noise is one of several models: 0.5 % within and between processes. For simulations of gates. */
#ifndef FAKE_MACHINE_H
#define FAKE_MACHINE_H

#include <math.h>

#include "sb_stats.h"

enum { METRICS = 8, TRIALS = 5 };

static const double trial_s = 0.6;

struct machine {
	const struct model *model;
	uint64_t seed;
	double now_s;
	double next_step_s; /* of the clock */
	bool slow_clock;
};

struct model {
	const char *name;
	double (*noise)(uint64_t *seed); /* of processes and of trials, scale 1 */
	double drift_per_s;
	double modes_apart;
	double step, step_every_s; /* mean time between steps */
};

static inline double unit(uint64_t *s)
{
	return ((double)(sb_splitmix64(s) >> 12) + 0.5) * 0x1p-52; /* neither 0 nor 1 */
}

static inline double normal(uint64_t *s)
{
	double radius = sqrt(-2.0 * log(unit(s)));

	return radius * cos(6.283185307179586 * unit(s));
}

static inline double t2(uint64_t *s) /* chi^2 of 2 degrees of freedom / 2 is exponential */
{
	double z = normal(s);

	return z / sqrt(-log(unit(s)));
}

static const struct model models[] = {
	{ .name = "normal", .noise = normal },
	{ .name = "t, 2 df", .noise = t2 },
	{ .name = "drift", .noise = normal, .drift_per_s = 0.002 / 60.0 },
	{ .name = "two modes", .noise = normal, .modes_apart = 0.05 },
	{ .name = "clock steps", .noise = normal, .step = 0.03, .step_every_s = 20.0 },
};

/* Steps about as often as a pair takes: the two pairs of A B B A are not independent then. */
static const struct model fast_steps = { .name = "fast steps", .noise = normal, .step = 0.03, .step_every_s = 6.0 };

static inline double clock_effect(struct machine *m)
{
	const struct model *k = m->model;

	while (k->step > 0.0 && m->now_s >= m->next_step_s) {
		m->slow_clock = !m->slow_clock;
		m->next_step_s -= k->step_every_s * log(unit(&m->seed));
	}
	return m->now_s * k->drift_per_s + (m->slow_clock ? k->step : 0.0);
}

/* Logs of the medians of one process. */
static inline void run_process(struct machine *m, double out[METRICS])
{
	double process[METRICS], value[METRICS][TRIALS];
	double mode = unit(&m->seed) < 0.5 ? m->model->modes_apart : 0.0;

	for (int i = 0; i < METRICS; i++)
		process[i] = mode + 0.005 * m->model->noise(&m->seed);
	for (int t = 0; t < TRIALS; t++) {
		double clock = clock_effect(m);

		for (int i = 0; i < METRICS; i++)
			value[i][t] = process[i] + clock + 0.005 * m->model->noise(&m->seed);
		m->now_s += trial_s;
	}
	for (int i = 0; i < METRICS; i++)
		out[i] = sb_stats_median(value[i], TRIALS, NULL);
}

static inline struct machine new_machine(const struct model *model, uint64_t seed)
{
	struct machine m = { .model = model, .seed = seed };

	m.slow_clock = unit(&m.seed) < 0.5;
	m.next_step_s = -model->step_every_s * log(unit(&m.seed));
	return m;
}

#endif
