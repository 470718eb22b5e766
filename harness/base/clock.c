#include "sb_base.h"

#include <time.h>

#define NS_PER_S INT64_C(1000000000)

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t sb_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t sb_wall_time_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

void sb_time_iso(int64_t wall_ns, char out[32])
{
	time_t t = (time_t)(wall_ns / NS_PER_S);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void sb_sleep_ns(int64_t ns)
{
	struct timespec ts = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };

	while (nanosleep(&ts, &ts))
		;
}
