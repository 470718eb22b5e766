/* How much longer a wait may last here than on a machine of its own: SB_TEST_SLOWNESS, which CTest sets, or 1. */
#ifndef SLOWNESS_H
#define SLOWNESS_H

#include <stdint.h>
#include <stdlib.h>

static inline int64_t slowness(void)
{
	const char *said = getenv("SB_TEST_SLOWNESS");
	long factor = said ? strtol(said, NULL, 10) : 1;

	return factor < 1 ? 1 : factor;
}

#endif
