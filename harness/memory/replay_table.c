/* Addresses of a trace -> blocks of its replay: open addressing, at most half full. */
#include "replay_internal.h"

#include <stdlib.h>

#define FIRST_SLOTS 1024 /* a power of two */

static size_t home(const struct sb_replay_table *t, uintptr_t addr)
{
	return (size_t)((addr / SB_ALLOC_ALIGN * UINT64_C(0x9e3779b97f4a7c15)) >> t->shift);
}

static size_t find(const struct sb_replay_table *t, uintptr_t addr)
{
	size_t i = home(t, addr);

	while (t->slot[i].addr && t->slot[i].addr != addr)
		i = (i + 1) & t->mask;
	return i;
}

struct sb_replay_block *sb_replay_table_find(const struct sb_replay_table *t, uintptr_t addr)
{
	size_t i;

	if (!t->slot)
		return NULL;
	i = find(t, addr);
	return t->slot[i].addr ? &t->slot[i] : NULL;
}

static enum sb_status grow(struct sb_replay_table *t, struct sb_error *err)
{
	struct sb_replay_table old = *t;
	size_t n = old.slot ? 2 * (old.mask + 1) : FIRST_SLOTS;
	struct sb_replay_block *slot = calloc(n, sizeof(*slot));

	if (!slot)
		return sb_fail(err, SB_E_NOMEM, "out of memory for %zu blocks of a trace", n / 2);
	t->slot = slot;
	t->mask = n - 1;
	t->shift = 64;
	for (size_t k = n; k > 1; k /= 2)
		t->shift--;
	for (size_t i = 0; old.slot && i <= old.mask; i++)
		if (old.slot[i].addr)
			t->slot[find(t, old.slot[i].addr)] = old.slot[i];
	free(old.slot);
	return SB_OK;
}

enum sb_status sb_replay_table_add(struct sb_replay_table *t, uintptr_t addr, void *ptr, struct sb_error *err)
{
	if (!t->slot || (t->n + 1) * 2 > t->mask + 1) {
		enum sb_status status = grow(t, err);

		if (status)
			return status;
	}
	t->slot[find(t, addr)] = (struct sb_replay_block){ addr, ptr, false, 0 };
	t->n++;
	return SB_OK;
}

void sb_replay_table_remove(struct sb_replay_table *t, struct sb_replay_block *b)
{
	size_t hole = (size_t)(b - t->slot);

	/* Move back whatever was pushed past the hole, so that no search ends early. */
	for (size_t i = (hole + 1) & t->mask; t->slot[i].addr; i = (i + 1) & t->mask) {
		if (((i - home(t, t->slot[i].addr)) & t->mask) < ((i - hole) & t->mask))
			continue;
		t->slot[hole] = t->slot[i];
		hole = i;
	}
	t->slot[hole].addr = 0;
	t->n--;
}

void sb_replay_table_release(struct sb_replay_table *t)
{
	free(t->slot);
}
