/* The plan of a run, read back from a database that anybody may have made. */
#include "fuzz.h"
#include "sb_experiment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), *again;
	struct sb_plan *plan = calloc(2, sizeof(*plan));
	struct sb_worker_setup *setup = calloc(2, sizeof(*setup));
	struct sb_error err = { .msg = "" };

	if (!plan || !setup)
		abort();
	if (!sb_plan_parse(text, &plan[0], &setup[0], &err)) {
		again = sb_plan_format(&plan[0], &setup[0]);
		FUZZ_HOLDS(again && sb_plan_parse(again, &plan[1], &setup[1], &err) == SB_OK);
		FUZZ_HOLDS(!memcmp(&setup[0], &setup[1], sizeof(setup[0])) && plan[0].seed == plan[1].seed);
		free(again);
	}
	free(setup);
	free(plan);
	free(text);
	return 0;
}
