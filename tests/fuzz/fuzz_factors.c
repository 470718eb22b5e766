/* Levels and arms as users and databases write them. */
#include "fuzz.h"
#include "sb_factors.h"

static void check_levels(const struct sb_levels *l)
{
	struct sb_error err = { .msg = "" };
	struct sb_buf text = { 0 };
	struct sb_levels back;

	for (int p = 0; p < SB_PART_COUNT; p++)
		FUZZ_HOLDS(l->part[p] <= (p == SB_PART_ALLOC ? 2 : 1) && sb_level_name(l, (enum sb_part)p));
	sb_levels_format(l, &text);
	FUZZ_HOLDS(sb_levels_parse(sb_buf_str(&text), &back, &err) == SB_OK);
	FUZZ_HOLDS(sb_levels_equal(l, &back));
	sb_buf_release(&text);
}

static void check_arms(const struct sb_arm *arms, int n)
{
	FUZZ_HOLDS(n >= 1 && n <= SB_ARMS_MAX);
	for (int a = 0; a < n; a++) {
		struct sb_error err = { .msg = "" };
		struct sb_arm same;

		FUZZ_HOLDS(sb_arm_by_name(arms[a].name, &same, &err) == SB_OK);
		FUZZ_HOLDS(sb_levels_equal(&arms[a].levels, &same.levels) || !strcmp(arms[a].name, "after"));
		for (int b = 0; b < a; b++)
			FUZZ_HOLDS(strcmp(arms[a].name, arms[b].name) != 0 &&
			           !sb_levels_equal(&arms[a].levels, &arms[b].levels));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct sb_arm arms[SB_ARMS_MAX];
	struct sb_levels levels = { { 0 } };
	struct sb_error err = { .msg = "" };
	int n;

	if (!sb_levels_parse(text, &levels, &err))
		check_levels(&levels);
	if (!sb_levels_set(&levels, text, &err))
		check_levels(&levels);
	if (!sb_arms_parse(text, arms, &n, &err))
		check_arms(arms, n);
	if (!sb_arms_default(text, size % 2 != 0, arms, &n, &err))
		check_arms(arms, n);
	free(text);
	return 0;
}
