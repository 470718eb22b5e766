/* The search for the most frames that fit, on memory that is a formula. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fit.h"

#define MIB ((int64_t)1 << 20)

/* What a network takes: at few frames something linear makes the peak, later the scores do. */
struct network {
	int64_t weights, early, late, scores; /* MiB; the last three a frame, a frame, and a square of frames */
	int64_t free;
};

static int64_t reserved(const struct network *n, int64_t frames)
{
	int64_t at_attention = n->late * frames + n->scores * frames * frames, elsewhere = n->early * frames;

	return (at_attention > elsewhere ? at_attention : elsewhere) * MIB;
}

static struct sb_fit_pass run(const struct network *n, int64_t frames)
{
	struct sb_fit_pass p = { .frames = frames, .free_bytes = n->free * MIB };

	p.complete = n->weights * MIB + reserved(n, frames) <= p.free_bytes;
	if (!p.complete) /* it then tells nothing else */
		return p;
	p.weights_bytes = n->weights * MIB;
	p.reserved_bytes = reserved(n, frames);
	p.attention_bytes = n->scores * frames * frames * MIB;
	return p;
}

static bool is_in_share(const struct network *n, int64_t frames)
{
	return (double)(n->weights * MIB + reserved(n, frames)) <= SB_FIT_SHARE * (double)(n->free * MIB);
}

static int64_t search(const struct network *n, int64_t wanted, int *passes)
{
	int64_t frames = wanted;
	struct sb_fit f;

	sb_fit_init(&f, wanted, 3);
	while (frames) {
		struct sb_fit_pass p = run(n, frames);

		assert_true(f.passes < 20);
		assert_in_range(frames, 3, wanted);
		frames = sb_fit_next(&f, &p);
	}
	*passes = f.passes;
	return f.good;
}

static void where_all_fits_one_pass_decides(void **state)
{
	const struct network n = { 4500, 300, 40, 75, 140000 };
	int passes;

	(void)state;
	assert_int_equal(search(&n, 24, &passes), 24);
	assert_int_equal(passes, 1);
}

/* The full network on cards of 8 to 80 GiB: the answer is the largest, after at most five passes. */
static void the_most_that_fits_is_found_on_cards_of_every_size(void **state)
{
	(void)state;
	for (int64_t gib = 8; gib <= 80; gib++) {
		const struct network n = { 4500, 300, 40, 75, gib * 1024 - 600 };
		int passes;
		int64_t got = search(&n, 24, &passes), best = 24;

		while (best >= 3 && !is_in_share(&n, best))
			best--;
		if (best < 3)
			best = 0;
		if (got != best)
			fail_msg("%d GiB: %d frames instead of %d", (int)gib, (int)got, (int)best);
		assert_in_range(passes, 1, 5);
	}
}

static void formulas_of_every_sort_are_searched_and_end(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		struct network n = { (int64_t)sb_random_below(&random, 5000), (int64_t)sb_random_below(&random, 2000),
			(int64_t)sb_random_below(&random, 2000), (int64_t)sb_random_below(&random, 200),
			1000 + (int64_t)sb_random_below(&random, 80000) };
		int passes;
		int64_t wanted = 3 + (int64_t)sb_random_below(&random, 200), got = search(&n, wanted, &passes);

		/* What is found fits. Where the linear part rules, the model may stop short of the last frames. */
		if (got)
			assert_true(is_in_share(&n, got));
		else
			assert_false(is_in_share(&n, 3));
		assert_in_range(passes, 1, 12);
	}
}

static void where_not_even_the_least_fits_it_says_none(void **state)
{
	const struct network n = { 4500, 300, 40, 75, 4000 };
	int passes;

	(void)state;
	assert_int_equal(search(&n, 24, &passes), 0);
	assert_int_equal(search(&n, 3, &passes), 0);
	assert_int_equal(passes, 1);
}

/* While nothing is known, a third: half of it would be a further pass on most cards, a tenth teaches too little. */
static void a_clip_that_does_not_fit_is_tried_with_a_third(void **state)
{
	struct sb_fit_pass p = { .frames = 24, .free_bytes = MIB };
	struct sb_fit f;

	(void)state;
	sb_fit_init(&f, 24, 3);
	assert_int_equal(sb_fit_next(&f, &p), 8);
	p.frames = 8;
	assert_int_equal(sb_fit_next(&f, &p), 3); /* not 2: a clip has that many */
	p.frames = 3;
	assert_int_equal(sb_fit_next(&f, &p), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_all_fits_one_pass_decides),
		cmocka_unit_test(the_most_that_fits_is_found_on_cards_of_every_size),
		cmocka_unit_test(formulas_of_every_sort_are_searched_and_end),
		cmocka_unit_test(where_not_even_the_least_fits_it_says_none),
		cmocka_unit_test(a_clip_that_does_not_fit_is_tried_with_a_third),
	};
	return cmocka_run_group_tests_name("fit", tests, NULL, NULL);
}
