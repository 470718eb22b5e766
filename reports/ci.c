/* The list of cases that the formats of continuous integration are made from. */
#include "sb_ci.h"

#include <stdlib.h>
#include <string.h>

static char *copy(struct sb_ci_report *r, const char *text)
{
	char *out = text ? sb_strdup(text) : NULL;

	r->failed |= text && !out;
	return out;
}

/* Room for one element more. */
static bool grow(struct sb_ci_report *r, void **array, size_t *cap, size_t n, size_t size)
{
	size_t want = *cap ? 2 * *cap : 16;
	void *bigger;

	if (n < *cap)
		return true;
	bigger = realloc(*array, want * size);
	if (!bigger) {
		r->failed = true;
		return false;
	}
	*array = bigger;
	*cap = want;
	return true;
}

void sb_ci_begin(struct sb_ci_report *r, const char *name, int64_t created_ns, double seconds, const char *host)
{
	*r = (struct sb_ci_report){ .created_ns = created_ns, .seconds = seconds };
	r->name = copy(r, name);
	r->host = copy(r, host);
}

void sb_ci_set_verdict(struct sb_ci_report *r, enum sb_ci_outcome outcome, const char *sentence)
{
	free(r->verdict);
	r->verdict = copy(r, sentence);
	r->outcome = outcome;
}

void sb_ci_add_fact(struct sb_ci_report *r, const char *key, const char *value)
{
	void *array = r->facts;

	if (!value || !*value || !grow(r, &array, &r->facts_cap, r->n_facts, sizeof(*r->facts)))
		return;
	r->facts = array;
	r->facts[r->n_facts] = (struct sb_ci_fact){ copy(r, key), copy(r, value) };
	r->n_facts++;
}

struct sb_ci_case *sb_ci_add_case(struct sb_ci_report *r, const char *group, const char *name,
        enum sb_ci_outcome outcome, const char *word, const char *message)
{
	void *array = r->cases;
	struct sb_ci_case *c;

	if (!grow(r, &array, &r->cases_cap, r->n_cases, sizeof(*r->cases)))
		return NULL;
	r->cases = array;
	c = &r->cases[r->n_cases++];
	*c = (struct sb_ci_case){ .group = copy(r, group),
		.name = copy(r, name),
		.outcome = outcome,
		.word = copy(r, word),
		.message = copy(r, message),
		.notable = true };
	return c;
}

size_t sb_ci_count(const struct sb_ci_report *r, enum sb_ci_outcome outcome)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_cases; i++)
		n += r->cases[i].outcome == outcome;
	return n;
}

void sb_ci_release(struct sb_ci_report *r)
{
	for (size_t i = 0; i < r->n_cases; i++) {
		free(r->cases[i].group);
		free(r->cases[i].name);
		free(r->cases[i].word);
		free(r->cases[i].message);
	}
	for (size_t i = 0; i < r->n_facts; i++) {
		free(r->facts[i].key);
		free(r->facts[i].value);
	}
	free(r->cases);
	free(r->facts);
	free(r->name);
	free(r->host);
	free(r->verdict);
	*r = (struct sb_ci_report){ 0 };
}
