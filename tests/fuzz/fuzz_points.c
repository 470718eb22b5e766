/* A file of points to track: lines t,x,y. */
#define _GNU_SOURCE /* memfd_create() */
#include "fuzz.h"
#include "sb_queries.h"

#include <sys/mman.h>
#include <unistd.h>

#define FRAMES 8
#define HEIGHT 140
#define WIDTH  252

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sb_error err = { .msg = "" };
	float *points = NULL;
	int64_t n = 0;
	char path[64];
	int fd = memfd_create("points", 0);

	FUZZ_HOLDS(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (sb_queries_read(path, FRAMES, HEIGHT, WIDTH, &points, &n, &err)) {
		FUZZ_HOLDS(err.msg[0]);
	} else {
		FUZZ_HOLDS(n > 0);
		for (int64_t i = 0; i < n; i++) {
			const float *p = points + 3 * i;

			FUZZ_HOLDS(p[0] >= 0.0f && p[0] <= FRAMES - 1);
			FUZZ_HOLDS(p[1] >= 0.0f && p[1] <= WIDTH - 1);
			FUZZ_HOLDS(p[2] >= 0.0f && p[2] <= HEIGHT - 1);
		}
		free(points);
	}
	close(fd);
	return 0;
}
