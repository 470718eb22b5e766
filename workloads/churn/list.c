#include "sb_churn.h"

#define RECORDED_WIDTH 518
#define PATCH          14

/* The runs that the recorded snapshots of PyTorch (tests/data) are of. */
static const struct sb_churn_clip recorded[SB_CHURN_CLIPS] = {
	{ 7, 392 },
	{ 23, 224 },
	{ 11, 392 },
	{ 16, 392 },
	{ 4, 392 },
	{ 4, 336 },
	{ 11, 392 },
	{ 7, 224 },
	{ 31, 336 },
	{ 23, 392 },
	{ 16, 336 },
	{ 31, 224 },
	{ 7, 224 },
	{ 40, 392 },
	{ 16, 182 },
	{ 31, 182 },
	{ 7, 392 },
	{ 4, 294 },
	{ 40, 182 },
	{ 40, 294 },
	{ 16, 392 },
	{ 31, 336 },
	{ 31, 336 },
	{ 16, 392 },
};

static const int64_t heights[] = { 182, 224, 294, 336, 392 };

static struct sb_churn_clip draw(uint64_t *state)
{
	struct sb_churn_clip c;

	c.frames = 4 + (int64_t)(sb_splitmix64(state) % 37);
	c.height = heights[sb_splitmix64(state) % SB_ARRAY_LEN(heights)];
	return c;
}

void sb_churn_list(uint64_t seed, int64_t width, int64_t divide, struct sb_churn_clip clips[SB_CHURN_CLIPS])
{
	uint64_t state = seed;

	for (int i = 0; i < SB_CHURN_CLIPS; i++) {
		struct sb_churn_clip c = seed ? draw(&state) : recorded[i];
		int64_t patches = (c.height * width + RECORDED_WIDTH * PATCH / 2) / (RECORDED_WIDTH * PATCH);

		clips[i].frames = (c.frames + divide - 1) / divide;
		clips[i].height = (patches > 2 ? patches : 2) * PATCH;
	}
}
