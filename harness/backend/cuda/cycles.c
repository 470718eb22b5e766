#include "cycles.h"

#include <stdlib.h>

#define SMS_MAX 1024 /* numbers of multiprocessors; the largest device has some two hundred */

static int by_value(const void *pa, const void *pb)
{
	int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;

	return (a > b) - (a < b);
}

static int64_t median(int64_t *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), by_value);
	return n % 2 ? v[n / 2] : v[n / 2 - 1] + (v[n / 2] - v[n / 2 - 1]) / 2;
}

static bool is_number(const struct sb_marker *m)
{
	return m->sm >= 0 && m->sm < SMS_MAX;
}

void sb_cycles_between(const struct sb_marker *begin, const struct sb_marker *end, int n, struct sb_device_cycles *out)
{
	int from[SMS_MAX] = { 0 }, to[SMS_MAX] = { 0 }; /* 1 + index; 0: not seen */
	int64_t cycles[SMS_MAX], ns[SMS_MAX];
	int sms = 0;

	for (int i = 0; i < n; i++) {
		const struct sb_marker *b = &begin[i], *e = &end[i];

		if (is_number(b) && (!from[b->sm] || begin[from[b->sm] - 1].clock < b->clock))
			from[b->sm] = i + 1;
		if (is_number(e) && (!to[e->sm] || end[to[e->sm] - 1].clock > e->clock))
			to[e->sm] = i + 1;
	}
	for (int s = 0; s < SMS_MAX; s++) {
		const struct sb_marker *b, *e;

		if (!from[s] || !to[s])
			continue;
		b = &begin[from[s] - 1];
		e = &end[to[s] - 1];
		if (e->clock <= b->clock || e->time_ns <= b->time_ns)
			continue;
		cycles[sms] = e->clock - b->clock;
		ns[sms++] = e->time_ns - b->time_ns;
	}
	*out = (struct sb_device_cycles){ .sms = sms };
	if (sms) {
		out->cycles = median(cycles, sms);
		out->ns = median(ns, sms);
	}
}
