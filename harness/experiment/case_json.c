#include "case_json.h"
#include "path_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *key;
	size_t place; /* of an int64_t */
	int64_t min;
} numbers[] = {
	{ "grid", offsetof(struct sb_case, grid), 0 },
	{ "support", offsetof(struct sb_case, support), -1 },
	{ "iterations", offsetof(struct sb_case, iterations), 0 },
	{ "window", offsetof(struct sb_case, window), 0 },
	{ "overlap", offsetof(struct sb_case, overlap), 0 },
};

bool sb_case_points_to_json(json_t *j, const struct sb_case *c)
{
	char seed[24];
	bool lost = false;

	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)c->seed); /* JSON's numbers end at 2^53 */
	lost |= json_object_set_new(j, "queries", sb_path_json(c->queries)) != 0;
	lost |= json_object_set_new(j, "support_file", sb_path_json(c->support_file)) != 0;
	lost |= json_object_set_new(j, "mode", json_string(c->mode)) != 0;
	lost |= json_object_set_new(j, "cameras", json_string(c->cameras)) != 0;
	lost |= json_object_set_new(j, "points_seed", json_string(seed)) != 0;
	for (size_t i = 0; i < SB_ARRAY_LEN(numbers); i++) {
		const int64_t *v = (const int64_t *)(const void *)((const char *)c + numbers[i].place);

		lost |= json_object_set_new(j, numbers[i].key, json_integer((json_int_t)*v)) != 0;
	}
	return !lost;
}

static bool path_into(const json_t *j, const char *key, char out[SB_PATH_MAX])
{
	const json_t *path = json_object_get(j, key);

	out[0] = '\0';
	return !path || sb_path_from_json(path, out, SB_PATH_MAX);
}

static bool word_into(const json_t *j, const char *key, char *out, size_t n)
{
	const json_t *v = json_object_get(j, key);
	const char *s = json_string_value(v);

	out[0] = '\0';
	if (!v)
		return true;
	if (!s || strlen(s) >= n)
		return false;
	strcpy(out, s);
	return true;
}

static bool seed_into(const json_t *j, uint64_t *out)
{
	char text[24], *end;

	if (!word_into(j, "points_seed", text, sizeof(text)))
		return false;
	*out = strtoull(text, &end, 10);
	return !*end;
}

bool sb_case_points_from_json(const json_t *j, struct sb_case *c)
{
	bool sound = path_into(j, "queries", c->queries);

	sound &= path_into(j, "support_file", c->support_file);
	sound &= word_into(j, "mode", c->mode, sizeof(c->mode));
	sound &= word_into(j, "cameras", c->cameras, sizeof(c->cameras));
	sound &= seed_into(j, &c->seed);
	for (size_t i = 0; i < SB_ARRAY_LEN(numbers); i++) {
		const json_t *v = json_object_get(j, numbers[i].key);
		int64_t n = json_integer_value(v);

		sound &= !v || (json_is_integer(v) && n >= numbers[i].min && n <= INT32_MAX);
		*(int64_t *)(void *)((char *)c + numbers[i].place) = n;
	}
	return sound;
}
