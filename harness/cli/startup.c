/*
 * What must be seen to before any library is initialised. OpenBLAS asks for 128 MiB of address space for each of its
 * threads when it is loaded, and where a limit refuses them it asks for ever (0.3.21): no main() is reached to say
 * anything.
 */
#define _GNU_SOURCE /* sched_getaffinity() */
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define THREAD_BYTES ((uint64_t)128 << 20)
#define REST_BYTES   ((uint64_t)64 << 20) /* the program and its libraries, measured: 48 */

/* No sanitizer is there yet. */
#if defined(__clang__)
#define UNCHECKED __attribute__((no_sanitize("address", "undefined", "thread", "coverage")))
#else
#define UNCHECKED __attribute__((no_sanitize_address, no_sanitize_undefined, no_sanitize_thread))
#endif

UNCHECKED static long threads_of(char **env)
{
	static const char name[] = "OMP_NUM_THREADS=";
	cpu_set_t cpus;
	long n = 0;

	for (; *env && !n; env++)
		if (!strncmp(*env, name, sizeof(name) - 1))
			n = atol(*env + sizeof(name) - 1);
	if (n <= 0)
		n = sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : CPU_COUNT(&cpus);
	return n;
}

UNCHECKED static void refuse_little_memory(int argc, char **argv, char **env)
{
	long n = threads_of(env);
	uint64_t needed = (uint64_t)n * THREAD_BYTES + REST_BYTES;
	struct rlimit limit;
	char text[256];
	int len;

	(void)argc;
	(void)argv;
	if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= needed)
		return;
	len = snprintf(text, sizeof(text),
	        "spabench: the limit on address space (ulimit -v) is %llu MiB, and %ld threads need %llu MiB; raise it "
	        "or set "
	        "OMP_NUM_THREADS\n",
	        (unsigned long long)(limit.rlim_cur >> 20), n, (unsigned long long)(needed >> 20));
	if (len > 0 && write(STDERR_FILENO, text, (size_t)len) < 0)
		_exit(3);
	_exit(3);
}

__attribute__((section(".preinit_array"), used)) static void (*const before_libraries)(
        int, char **, char **) = refuse_little_memory;
