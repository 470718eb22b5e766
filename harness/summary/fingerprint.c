#include "sb_fingerprint.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Parts are "name=value" between line feeds, which no value has. */
static void part(struct sb_buf *b, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	sb_buf_addf(b, "%s%s=", b->len ? "\n" : "", name);
	for (; *value; value++)
		sb_buf_add(b, *value == '\n' ? " " : value, 1);
}

/* "driver 580.159.04, CUDA 13.0, .." -> "580.159.04"; of a CPU nothing. */
static void driver(struct sb_buf *b, const char *software)
{
	static const char word[] = "driver ";
	char text[64];

	if (!software || strncmp(software, word, sizeof(word) - 1) != 0)
		return;
	software += sizeof(word) - 1;
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(software, ","), software);
	part(b, "driver", text);
}

static void number(struct sb_buf *b, const char *name, const json_t *v)
{
	char text[32];

	if (!json_is_integer(v) || !json_integer_value(v))
		return;
	snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(v));
	part(b, name, text);
}

void sb_fingerprint_machine(const struct sb_run *run, struct sb_buf *out)
{
	const char *kind = sb_run_fact(run, "device.kind");
	json_t *plan = json_loads(run->plan ? run->plan : "", 0, NULL);

	part(out, "device", sb_run_fact(run, "device.name"));
	if (run->n_workers)
		part(out, "uuid", run->workers[0].device_uuid);
	if (kind && !strcmp(kind, "cpu")) {
		part(out, "cpu", sb_run_fact(run, "cpu.model"));
		part(out, "cores", sb_run_fact(run, "cpu.online"));
		part(out, "governor", sb_run_fact(run, "cpu.governor"));
		number(out, "threads", json_object_get(plan, "threads"));
	} else {
		driver(out, sb_run_fact(run, "software"));
		part(out, "power limit in W", sb_run_fact(run, "gpu.power_limit_w"));
		part(out, "application clock in MHz", sb_run_fact(run, "gpu.application_clock_mhz"));
	}
	number(out, "pretended memory", json_object_get(plan, "memory_limit"));
	json_decref(plan);
}

void sb_fingerprint_case(const struct sb_run *run, struct sb_buf *out)
{
	static const char *const numbers[] = { "frames", "stride", "width", "height", "queries", "support",
		"iterations", "windows", "window", "overlap", "track_width", "track_height" };
	json_t *params = json_loads(run->params ? run->params : "", 0, NULL);
	json_t *plan = json_loads(run->plan ? run->plan : "", 0, NULL);

	part(out, "workload", run->workload);
	part(out, "preset", run->preset);
	for (size_t i = 0; i < SB_ARRAY_LEN(numbers); i++)
		number(out, numbers[i], json_object_get(params, numbers[i]));
	part(out, "cameras", json_string_value(json_object_get(params, "cameras")));
	part(out, "clip", run->clip_digest);
	part(out, "points", sb_run_fact(run, "points.digest"));
	part(out, "weights", run->weights_digest);
	part(out, "allocator settings", json_string_value(json_object_get(plan, "alloc_conf")));
	json_decref(params);
	json_decref(plan);
}

static size_t line_length(const char *s)
{
	return strcspn(s, "\n");
}

/* The value of a part that is named as the one at `at`; NULL: none. */
static const char *find_part(const char *in, const char *at, size_t *n)
{
	size_t name = strcspn(at, "=\n") + 1;

	for (; *in; in += line_length(in) + (in[line_length(in)] == '\n')) {
		if (strncmp(in, at, name) == 0) {
			*n = line_length(in) - name;
			return in + name;
		}
	}
	*n = 0;
	return NULL;
}

static const char *first_difference(const char *a, const char *b, bool swapped, char *text, size_t n)
{
	for (; *a; a += line_length(a) + (a[line_length(a)] == '\n')) {
		size_t name = strcspn(a, "=\n"), n_other, n_own = line_length(a) - name - 1;
		const char *other = find_part(b, a, &n_other), *own = a + name + 1;

		if (other && n_other == n_own && !memcmp(other, own, n_own))
			continue;
		other = other ? other : "none";
		n_other = n_other ? n_other : 4;
		snprintf(text, n, "%.*s: %.*s and %.*s", (int)name, a, (int)(swapped ? n_other : n_own),
		        swapped ? other : own, (int)(swapped ? n_own : n_other), swapped ? own : other);
		return text;
	}
	return NULL;
}

const char *sb_fingerprint_difference(const char *a, const char *b, char *text, size_t n)
{
	const char *found = first_difference(a, b, false, text, n);

	return found ? found : first_difference(b, a, true, text, n);
}
