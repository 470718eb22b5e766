/* The natural order of file names is an order: of any three names, none contradicts the others. */
#include "clip_internal.h"
#include "fuzz.h"

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), *name[3] = { text, NULL, NULL };

	for (int i = 1; i < 3; i++) {
		name[i] = strchr(name[i - 1], '\n');
		if (!name[i])
			break;
		*name[i]++ = '\0';
	}
	if (name[1] && name[2]) {
		int ab = sb_natural_order(name[0], name[1]), bc = sb_natural_order(name[1], name[2]),
		    ac = sb_natural_order(name[0], name[2]);

		FUZZ_HOLDS(sign(sb_natural_order(name[1], name[0])) == -sign(ab));
		FUZZ_HOLDS((ab == 0) == !strcmp(name[0], name[1]));
		FUZZ_HOLDS(!(ab <= 0 && bc <= 0) || ac <= 0);
		FUZZ_HOLDS(!(ab >= 0 && bc >= 0) || ac >= 0);
	}
	free(text);
	return 0;
}
