/*
 * How long one launch takes. Times are those of stages, which every device marks in its own stream of work; nothing but
 * ops is between two marks. A sample is the mean of so many launches that the clock's step, half a microsecond of
 * events, does not matter.
 */
#include "micro_internal.h"
#include "sb_stats.h"

#include <math.h>
#include <string.h>

#define TRY(call)                             \
	do {                                  \
		enum sb_status try_ = (call); \
		if (try_)                     \
			return try_;          \
	} while (0)

/* A warm sample takes about so long, and a cold one, whose launches are marked one by one, is the mean of so many. */
#define WARM_NS       5e5
#define WARM_MOST     200
#define COLD_NS       1e5
#define COLD_MOST     16
#define LEAD_MOST     32
#define EMPTY_MARKS   64
#define FLUSH_SAMPLES 3

static const char lead_stage[] = "micro.lead", timed_stage[] = "micro.timed";

static double stage_ns(const struct sb_backend *be, const char *name)
{
	for (int i = 0; i < be->n_stages; i++)
		if (!strcmp(be->stages[i].name, name))
			return (double)be->stages[i].ns;
	return 0.0;
}

static enum sb_status flush(const struct sb_micro_clock *c, struct sb_error *err)
{
	return SB_SUBMIT(c->be, FILL, fill, ((struct sb_fill_args){ c->flush, c->flush_floats, 0.5f }), err);
}

/* `lead` writes of the buffer and one launch go ahead, so that the host is done before the first mark is reached. */
static enum sb_status warm_sample(const struct sb_micro_clock *c, const struct sb_op *op, int lead, int launches,
        double *ns, struct sb_error *err)
{
	TRY(sb_backend_begin_pass(c->be, 0, err));
	for (int i = 0; i < lead; i++)
		TRY(flush(c, err));
	TRY(sb_submit(c->be, op, err));
	sb_backend_stage(c->be, timed_stage);
	for (int i = 0; i < launches; i++)
		TRY(sb_submit(c->be, op, err));
	TRY(sb_backend_end_pass(c->be, err));
	*ns = stage_ns(c->be, timed_stage) / launches;
	return SB_OK;
}

static enum sb_status cold_sample(
        const struct sb_micro_clock *c, const struct sb_op *op, int launches, double *ns, struct sb_error *err)
{
	TRY(sb_backend_begin_pass(c->be, 0, err));
	for (int i = 0; i < launches; i++) {
		sb_backend_stage(c->be, lead_stage);
		TRY(flush(c, err));
		sb_backend_stage(c->be, timed_stage);
		TRY(sb_submit(c->be, op, err));
	}
	TRY(sb_backend_end_pass(c->be, err));
	*ns = stage_ns(c->be, timed_stage) / launches;
	return SB_OK;
}

enum sb_status sb_micro_clock_open(struct sb_micro_clock *c, struct sb_error *err)
{
	int64_t start, submitted, ended;

	TRY(sb_backend_begin_pass(c->be, 0, err));
	for (int i = 0; i < EMPTY_MARKS; i++)
		sb_backend_stage(c->be, i % 2 ? timed_stage : lead_stage);
	TRY(sb_backend_end_pass(c->be, err));
	c->empty_ns = stage_ns(c->be, timed_stage) / (EMPTY_MARKS / 2);
	for (int i = 0; i < FLUSH_SAMPLES; i++) { /* the last one counts: pages are there, kernels are loaded */
		TRY(sb_backend_begin_pass(c->be, 0, err));
		sb_backend_stage(c->be, lead_stage);
		start = sb_now_ns();
		TRY(flush(c, err));
		submitted = sb_now_ns();
		TRY(sb_backend_end_pass(c->be, err));
		ended = sb_now_ns();
		c->flush_ns = stage_ns(c->be, lead_stage);
		c->asynchronous = submitted - start < (ended - start) / 2;
	}
	return SB_OK;
}

static int clamped(double x, int most)
{
	return x < 1.0 ? 1 : x > most ? most : (int)x;
}

/* Median, and the ranks around it that cover it with 95 % at least, whatever the distribution. */
static void summarise(struct sb_micro_times *t)
{
	double sorted[SB_MICRO_SAMPLES_MAX];
	int rank = t->n >= SB_STATS_MIN_PAIRS ? sb_stats_rank(t->n, 0.95) : 0;

	memcpy(sorted, t->ns, sizeof(sorted));
	sb_stats_sort(sorted, t->n);
	t->median = sb_stats_median(t->ns, t->n, NULL);
	t->lo = t->hi = t->coverage = NAN;
	if (!rank)
		return;
	t->lo = sorted[rank - 1];
	t->hi = sorted[t->n - rank];
	t->coverage = sb_stats_rank_coverage(t->n, rank);
}

/* One launch as the device and as the host see it; the second of two, and the mean of more where it is short. */
static enum sb_status calibrate(const struct sb_micro_clock *c, const struct sb_op *op, double *device_ns,
        double *host_ns, struct sb_error *err)
{
	int launches = 1;
	int64_t start;

	for (int i = 0; i < 2; i++) {
		TRY(sb_backend_begin_pass(c->be, 0, err));
		sb_backend_stage(c->be, timed_stage);
		start = sb_now_ns();
		for (int j = 0; j < launches; j++)
			TRY(sb_submit(c->be, op, err));
		*host_ns = (double)(sb_now_ns() - start) / launches;
		TRY(sb_backend_end_pass(c->be, err));
		*device_ns = stage_ns(c->be, timed_stage) / launches;
		if (*device_ns > WARM_NS)
			break;
		launches = 10;
	}
	return SB_OK;
}

struct plan {
	int warm, cold, lead, samples;
};

/* A round is one sample of each. */
static double round_ns(const struct sb_micro_clock *c, const struct plan *p, double device_ns)
{
	return p->lead * c->flush_ns + (p->warm + 1) * device_ns + p->cold * (c->flush_ns + device_ns);
}

static struct plan plan_of(
        const struct sb_micro_clock *c, bool cold, double device_ns, double host_ns, double seconds_left)
{
	struct plan p = { clamped(ceil(WARM_NS / device_ns), WARM_MOST), 0, 0, SB_MICRO_SAMPLES_MAX };

	if (cold)
		p.cold = clamped(ceil(COLD_NS / device_ns), COLD_MOST);
	for (;;) {
		double rounds = seconds_left * 1e9 / round_ns(c, &p, device_ns);

		p.lead = c->asynchronous ? clamped(ceil(1.5 * host_ns * (p.warm + 1) / c->flush_ns), LEAD_MOST) : 0;
		if (seconds_left <= 0.0)
			return p;
		p.samples = clamped(rounds, SB_MICRO_SAMPLES_MAX);
		if (rounds >= SB_STATS_MIN_PAIRS || (p.warm == 1 && p.cold <= 1))
			return p;
		p.warm = (p.warm + 1) / 2; /* rather fewer launches a sample than too few samples */
		p.cold = (p.cold + 1) / 2;
	}
}

enum sb_status sb_micro_time(const struct sb_micro_clock *c, const struct sb_op *op, bool cold, double seconds_left,
        struct sb_micro_times *times, struct sb_error *err)
{
	struct sb_micro_times *w = &times[SB_MICRO_WARM], *k = &times[SB_MICRO_COLD];
	double device_ns, host_ns;
	struct plan p;

	TRY(calibrate(c, op, &device_ns, &host_ns, err));
	p = plan_of(c, cold, device_ns > 1.0 ? device_ns : 1.0, host_ns, seconds_left);
	w->launches = p.warm;
	k->launches = p.cold;
	for (int i = 0; i < p.samples; i++) {
		if (cold)
			TRY(cold_sample(c, op, p.cold, &k->ns[i], err));
		TRY(warm_sample(c, op, p.lead, p.warm, &w->ns[i], err));
	}
	w->n = p.samples;
	k->n = cold ? p.samples : 0;
	summarise(w);
	if (cold)
		summarise(k);
	return SB_OK;
}
