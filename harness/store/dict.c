#include "store_internal.h"

#include <stdlib.h>
#include <string.h>

static size_t slot_of(const struct sb_store_dict *d, const char *text)
{
	size_t i = (size_t)sb_fnv1a(SB_FNV1A_INIT, text, strlen(text)) & (d->n_slots - 1);

	while (d->slot[i] && strcmp(d->word[d->slot[i] - 1].text, text) != 0)
		i = (i + 1) & (d->n_slots - 1);
	return i;
}

const struct sb_store_word *sb_store_dict_find(const struct sb_store_dict *d, const char *text)
{
	size_t i;

	if (!d->n_slots)
		return NULL;
	i = slot_of(d, text);
	return d->slot[i] ? &d->word[d->slot[i] - 1] : NULL;
}

static bool more_slots(struct sb_store_dict *d)
{
	struct sb_store_dict bigger = *d;

	bigger.n_slots = d->n_slots ? 2 * d->n_slots : 64;
	bigger.slot = calloc(bigger.n_slots, sizeof(*bigger.slot));
	if (!bigger.slot)
		return false;
	for (size_t i = 0; i < d->n; i++)
		bigger.slot[slot_of(&bigger, d->word[i].text)] = (uint32_t)(i + 1);
	free(d->slot);
	*d = bigger;
	return true;
}

bool sb_store_dict_add(struct sb_store_dict *d, const char *text, int64_t id)
{
	char *copy;

	/* At most half full, so that a search ends soon. */
	if (2 * (d->n + 1) > d->n_slots && !more_slots(d))
		return false;
	if (!sb_store_grow(&d->word, &d->cap, d->n, sizeof(*d->word)))
		return false;
	copy = sb_strdup(text);
	if (!copy)
		return false;
	d->slot[slot_of(d, text)] = (uint32_t)(d->n + 1);
	d->word[d->n++] = (struct sb_store_word){ copy, id };
	return true;
}

void sb_store_dict_release(struct sb_store_dict *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->word[i].text);
	free(d->word);
	free(d->slot);
	*d = (struct sb_store_dict){ 0 };
}
