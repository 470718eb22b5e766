/* Do two runs measure the same thing? */
#include "sb_machines.h"

#include <stdio.h>
#include <string.h>

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : !a && !b;
}

static const char *differ(const char *what, const char *a, const char *b, char *text, size_t n)
{
	snprintf(text, n, "%s: %.120s and %.120s", what, a ? a : "none", b ? b : "none");
	return text;
}

static const char *differ_numbers(const char *what, int64_t a, int64_t b, char *text, size_t n)
{
	snprintf(text, n, "%s: %lld and %lld", what, (long long)a, (long long)b);
	return text;
}

static const char *arms_differ(const struct sb_summary *a, const struct sb_summary *b, char *text, size_t n)
{
	if (a->n_arms != b->n_arms)
		return differ_numbers("number of arms", (int64_t)a->n_arms, (int64_t)b->n_arms, text, n);
	for (size_t i = 0; i < a->n_arms; i++) {
		if (strcmp(a->arms[i].name, b->arms[i].name) != 0)
			return differ("arms", a->arms[i].name, b->arms[i].name, text, n);
		if (strcmp(a->arms[i].levels, b->arms[i].levels) != 0)
			return differ("levels of an arm", a->arms[i].levels, b->arms[i].levels, text, n);
	}
	return NULL;
}

const char *sb_same_case(const struct sb_summary *a, const struct sb_summary *b, char *text, size_t n)
{
	const struct {
		const char *what, *a, *b;
	} words[] = {
		{ "workload", a->workload, b->workload },
		{ "preset", a->preset, b->preset },
		{ "clip", a->clip_digest, b->clip_digest },
		{ "points", a->points, b->points },
		{ "weights", a->weights_kind, b->weights_kind },
		{ "weights", a->weights_digest, b->weights_digest },
		{ "settings of the allocators", a->alloc_conf, b->alloc_conf },
	};
	const struct {
		const char *what;
		int64_t a, b;
	} numbers[] = {
		{ "frames", a->frames, b->frames },
		{ "width", a->width, b->width },
		{ "height", a->height, b->height },
		{ "pretended memory", a->memory_limit_bytes, b->memory_limit_bytes },
	};

	for (size_t i = 0; i < SB_ARRAY_LEN(words); i++)
		if (!same_text(words[i].a, words[i].b))
			return differ(words[i].what, words[i].a, words[i].b, text, n);
	for (size_t i = 0; i < SB_ARRAY_LEN(numbers); i++)
		if (numbers[i].a != numbers[i].b)
			return differ_numbers(numbers[i].what, numbers[i].a, numbers[i].b, text, n);
	return arms_differ(a, b, text, n);
}
