#include "sb_base.h"

#include <stdio.h>
#include <unistd.h>
#include <fcntl.h>

uint64_t sb_fnv1a(uint64_t h, const void *data, size_t n)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

uint64_t sb_splitmix64(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

uint64_t sb_random_below(uint64_t *state, uint64_t n)
{
	uint64_t limit = UINT64_MAX - UINT64_MAX % n, z;

	do
		z = sb_splitmix64(state);
	while (z >= limit);
	return z % n;
}

double sb_random_unit(uint64_t *state)
{
	return (double)(sb_splitmix64(state) >> 11) * 0x1p-53;
}

void sb_shuffle(uint64_t *state, int *idx, int n)
{
	for (int i = n - 1; i > 0; i--) {
		int j = (int)sb_random_below(state, (uint64_t)i + 1), t = idx[i];

		idx[i] = idx[j];
		idx[j] = t;
	}
}

void sb_random_id(char out[33])
{
	unsigned char bytes[16];
	uint64_t mixed[2];
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && read(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes);

	if (fd >= 0)
		close(fd);
	if (!ok) { /* no random device: time and process still make it unlike any other */
		uint64_t state = (uint64_t)sb_wall_time_ns() ^ ((uint64_t)getpid() << 32);

		mixed[0] = sb_splitmix64(&state);
		mixed[1] = sb_splitmix64(&state);
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (unsigned char)(mixed[i / 8] >> (8 * (i % 8)));
	}
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}
