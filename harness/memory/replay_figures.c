/* The figures of torch.cuda.memory_stats(), by its names. */
#include "replay_internal.h"

#include <stddef.h>
#include <string.h>

static const char *const families[SB_ALLOC_FAMILY_COUNT] = {
	[SB_ALLOC_ALLOCATED_BYTES] = "allocated_bytes",
	[SB_ALLOC_REQUESTED_BYTES] = "requested_bytes",
	[SB_ALLOC_ACTIVE_BYTES] = "active_bytes",
	[SB_ALLOC_RESERVED_BYTES] = "reserved_bytes",
	[SB_ALLOC_INACTIVE_SPLIT_BYTES] = "inactive_split_bytes",
	[SB_ALLOC_ALLOCATIONS] = "allocation",
	[SB_ALLOC_ACTIVE_BLOCKS] = "active",
	[SB_ALLOC_SEGMENTS] = "segment",
	[SB_ALLOC_INACTIVE_SPLITS] = "inactive_split",
};
static const char *const pools[SB_ALLOC_POOL_COUNT] = {
	[SB_ALLOC_ALL] = "all",
	[SB_ALLOC_LARGE] = "large_pool",
	[SB_ALLOC_SMALL] = "small_pool",
};
static const struct {
	const char *name;
	size_t offset;
} sorts[] = {
	{ "current", offsetof(struct sb_alloc_stat, current) },
	{ "peak", offsetof(struct sb_alloc_stat, peak) },
	{ "allocated", offsetof(struct sb_alloc_stat, allocated) },
	{ "freed", offsetof(struct sb_alloc_stat, freed) },
};
static const struct {
	const char *name;
	size_t offset;
} counts[] = {
	{ "num_alloc_retries", offsetof(struct sb_alloc_stats, num_alloc_retries) },
	{ "num_ooms", offsetof(struct sb_alloc_stats, num_ooms) },
	{ "num_sync_all_streams", offsetof(struct sb_alloc_stats, num_sync_all_streams) },
	{ "num_device_alloc", offsetof(struct sb_alloc_stats, num_device_alloc) },
	{ "num_device_free", offsetof(struct sb_alloc_stats, num_device_free) },
};

static int64_t at(const void *base, size_t offset)
{
	int64_t n;

	memcpy(&n, (const char *)base + offset, sizeof(n));
	return n;
}

/* The index of the word of n that `text` begins with, followed by `end`; *text moves behind it. -1: none. */
static int word(const char *const *words, int n, const char **text, char end)
{
	for (int i = 0; i < n; i++) {
		size_t len = strlen(words[i]);

		if (strncmp(words[i], *text, len) != 0 || (*text)[len] != end)
			continue;
		*text += len + (end != 0);
		return i;
	}
	return -1;
}

bool sb_replay_figure(const struct sb_alloc_stats *st, const char *name, int64_t *out)
{
	int family, pool;

	for (size_t i = 0; i < SB_ARRAY_LEN(counts); i++) {
		if (strcmp(counts[i].name, name) != 0)
			continue;
		*out = at(st, counts[i].offset);
		return true;
	}
	family = word(families, SB_ALLOC_FAMILY_COUNT, &name, '.');
	pool = family < 0 ? -1 : word(pools, SB_ALLOC_POOL_COUNT, &name, '.');
	for (size_t i = 0; pool >= 0 && i < SB_ARRAY_LEN(sorts); i++) {
		if (strcmp(sorts[i].name, name) != 0)
			continue;
		*out = at(&st->of[family][pool], sorts[i].offset);
		return true;
	}
	return false;
}
