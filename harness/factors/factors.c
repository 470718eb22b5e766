#include "sb_factors.h"

#include <stdio.h>
#include <string.h>

static const char *const precision_levels[] = { "fp32", "tf32", NULL };
static const char *const attention_levels[] = { "standard", "efficient", NULL };
static const char *const alloc_levels[] = { "default", "expandable", "stitched", NULL };

static const char *const offload_levels[] = { "off", "layers", "model", NULL };

const struct sb_part_info sb_parts[SB_PART_COUNT] = {
	[SB_PART_PRECISION_GEMM] = { "precision.gemm", "precision", precision_levels },
	[SB_PART_PRECISION_CONV] = { "precision.conv", "precision", precision_levels },
	[SB_PART_PRECISION_ATTENTION] = { "precision.attention", "precision", precision_levels },
	[SB_PART_ATTENTION] = { "attention", "attention", attention_levels },
	[SB_PART_ALLOC] = { "alloc", "alloc", alloc_levels },
	[SB_PART_OFFLOAD] = { "offload", "offload", offload_levels },
};

const char *const sb_factor_names[] = { "precision", "attention", "alloc", "offload", NULL };

/* What the application advertises: the default plan and `after` are made of these. */
static bool advertised(const char *factor)
{
	return strcmp(factor, "offload") != 0;
}

const char *sb_level_name(const struct sb_levels *l, enum sb_part part)
{
	return sb_parts[part].levels[l->part[part]];
}

bool sb_levels_equal(const struct sb_levels *a, const struct sb_levels *b)
{
	return memcmp(a->part, b->part, sizeof(a->part)) == 0;
}

bool sb_levels_differ_only_in(const struct sb_levels *a, const struct sb_levels *b, const char *factor)
{
	bool differs = false;

	for (int p = 0; p < SB_PART_COUNT; p++) {
		if (a->part[p] == b->part[p])
			continue;
		if (strcmp(sb_parts[p].factor, factor))
			return false;
		differs = true;
	}
	return differs;
}

static int level_index(const struct sb_part_info *part, const char *level)
{
	for (int i = 0; part->levels[i]; i++)
		if (!strcmp(part->levels[i], level))
			return i;
	return -1;
}

static enum sb_status no_level(
        const struct sb_part_info *part, const char *name, const char *level, struct sb_error *err)
{
	char known[80] = "";
	size_t n = 0;

	for (int i = 0; part->levels[i] && n < sizeof(known); i++)
		n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s",
		        !i                    ? ""
		        : part->levels[i + 1] ? ", "
		                              : " and ",
		        part->levels[i]);
	return sb_fail(err, SB_E_USAGE, "factor '%s' has no level '%.32s'; it has %s", name, level, known);
}

enum sb_status sb_levels_set(struct sb_levels *l, const char *assignment, struct sb_error *err)
{
	const char *eq = strchr(assignment, '=');
	char name[32] = "";
	struct sb_levels out = *l;
	bool known = false;

	if (!eq || (size_t)(eq - assignment) >= sizeof(name))
		return sb_fail(err, SB_E_USAGE, "'%.64s' is not FACTOR[.PART]=LEVEL", assignment);
	memcpy(name, assignment, (size_t)(eq - assignment));
	for (int p = 0; p < SB_PART_COUNT; p++) {
		const struct sb_part_info *part = &sb_parts[p];
		int level;

		if (strcmp(name, part->name) && strcmp(name, part->factor))
			continue;
		level = level_index(part, eq + 1);
		if (level < 0)
			return no_level(part, name, eq + 1, err);
		out.part[p] = (uint8_t)level;
		known = true;
	}
	if (!known)
		return sb_fail(err, SB_E_USAGE,
		        "no factor '%s'; there are precision (.gemm, .conv, .attention), attention, alloc and offload",
		        name);
	*l = out;
	return SB_OK;
}

void sb_levels_format(const struct sb_levels *l, struct sb_buf *out)
{
	for (int p = 0; p < SB_PART_COUNT; p++)
		if (p != SB_PART_OFFLOAD || l->part[p]) /* runs from before the factor read the same */
			sb_buf_addf(out, "%s%s=%s", p ? "," : "", sb_parts[p].name, sb_level_name(l, (enum sb_part)p));
}

enum sb_status sb_levels_parse(const char *text, struct sb_levels *l, struct sb_error *err)
{
	struct sb_levels out = { { 0 } };

	while (*text) {
		size_t n = strcspn(text, ",");
		char item[80];

		if (n >= sizeof(item))
			return sb_fail(err, SB_E_USAGE, "'%.64s' is not FACTOR[.PART]=LEVEL", text);
		memcpy(item, text, n);
		item[n] = '\0';
		if (sb_levels_set(&out, item, err))
			return err ? err->code : SB_E_USAGE;
		text += n + (text[n] == ',');
	}
	*l = out;
	return SB_OK;
}

/*
 * `after` applies the switches as PyTorch and xFormers do: their FP32 attention kernel ignores the TF32 flag. What is
 * at another level than its first one is on already.
 */
static void switch_on(struct sb_levels *l, const char *factor)
{
	for (int p = 0; p < SB_PART_COUNT; p++)
		if (p != SB_PART_PRECISION_ATTENTION && !strcmp(sb_parts[p].factor, factor) && !l->part[p])
			l->part[p] = 1;
}

bool sb_levels_switch_on(struct sb_levels *l, const char *factor)
{
	struct sb_levels was = *l;

	switch_on(l, factor);
	return !sb_levels_equal(l, &was);
}

/* "FACTOR", or "FACTOR[.PART]=LEVEL" as --set has it; false when it is neither or changes nothing. */
static bool switch_word(struct sb_levels *l, const char *word)
{
	struct sb_levels was = *l;

	if (strchr(word, '='))
		return !sb_levels_set(l, word, NULL) && !sb_levels_equal(l, &was);
	for (int f = 0; sb_factor_names[f]; f++)
		if (!strcmp(sb_factor_names[f], word))
			return sb_levels_switch_on(l, word);
	return false;
}

/* "+WORD+WORD..", each of which changes something; false when it is something else. */
static bool switch_on_all(struct sb_levels *l, const char *name)
{
	while (*name == '+') {
		size_t len = strcspn(++name, "+");
		char word[SB_ARM_NAME_MAX];

		if (len >= sizeof(word))
			return false;
		memcpy(word, name, len);
		word[len] = '\0';
		if (!switch_word(l, word))
			return false;
		name += len;
	}
	return true;
}

/* Is `name` the arm `base`, or that with more switched on? */
static bool base_is(const char *name, const char *base)
{
	size_t n = strlen(base);

	return !strncmp(name, base, n) && (!name[n] || name[n] == '+');
}

enum sb_status sb_arm_by_name(const char *name, struct sb_arm *out, struct sb_error *err)
{
	struct sb_arm arm = { .name = "" };
	bool known = !strcmp(name, "before"), best = base_is(name, "best");
	const char *more = name[0] == '+' ? name : NULL;

	if (best || base_is(name, "after")) {
		for (int f = 0; sb_factor_names[f]; f++)
			if (advertised(sb_factor_names[f]))
				switch_on(&arm.levels, sb_factor_names[f]);
		if (best)
			arm.levels.part[SB_PART_PRECISION_ATTENTION] = SB_PRECISION_TF32;
		more = strchr(name, '+');
		known = true;
	}
	if (more)
		known = switch_on_all(&arm.levels, more);
	if (!known)
		return sb_fail(err, SB_E_USAGE,
		        "no arm '%.40s'; there are before, +precision, +attention, +alloc, +offload (several: "
		        "+precision+alloc; "
		        "one level: +alloc=stitched), after and best",
		        name);
	snprintf(arm.name, sizeof(arm.name), "%s", name);
	*out = arm;
	return SB_OK;
}

/* Append after checking that neither the name nor the levels are there already. */
static enum sb_status append_arm(struct sb_arm *arms, int *n, const struct sb_arm *arm, struct sb_error *err)
{
	for (int i = 0; i < *n; i++) {
		if (!strcmp(arms[i].name, arm->name))
			return sb_fail(err, SB_E_USAGE, "arm '%s' is named twice", arm->name);
		if (sb_levels_equal(&arms[i].levels, &arm->levels))
			return sb_fail(
			        err, SB_E_USAGE, "arms '%s' and '%s' have the same levels", arms[i].name, arm->name);
	}
	if (*n == SB_ARMS_MAX)
		return sb_fail(err, SB_E_USAGE, "more than %d arms", SB_ARMS_MAX);
	arms[(*n)++] = *arm;
	return SB_OK;
}

enum sb_status sb_arms_parse(const char *list, struct sb_arm arms[SB_ARMS_MAX], int *n, struct sb_error *err)
{
	*n = 0;
	do {
		size_t len = strcspn(list, ",");
		char name[SB_ARM_NAME_MAX];
		struct sb_arm arm;

		snprintf(name, sizeof(name), "%.*s", (int)(len < sizeof(name) ? len : sizeof(name) - 1), list);
		if (sb_arm_by_name(name, &arm, err) || append_arm(arms, n, &arm, err))
			return SB_E_USAGE;
		list += len;
	} while (*list++ == ','); /* behind a comma comes a name, be it empty */
	return SB_OK;
}

static enum sb_status check_factor_list(const char *list, struct sb_error *err)
{
	unsigned seen = 0; /* a bit for each factor */

	for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
		size_t len = strcspn(p, ",");
		int f = 0;

		while (sb_factor_names[f] && (strlen(sb_factor_names[f]) != len || strncmp(p, sb_factor_names[f], len)))
			f++;
		if (!sb_factor_names[f])
			return sb_fail(err, SB_E_USAGE,
			        "no factor '%.*s'; there are precision, attention, alloc and offload",
			        (int)(len < 40 ? len : 40), p);
		if (seen >> f & 1)
			return sb_fail(err, SB_E_USAGE, "factor '%s' is named twice", sb_factor_names[f]);
		seen |= 1u << f;
	}
	return SB_OK;
}

enum sb_status sb_arms_default(
        const char *factors, bool with_best, struct sb_arm arms[SB_ARMS_MAX], int *n, struct sb_error *err)
{
	struct sb_arm before, after, best;
	int used = 0;

	if (factors && check_factor_list(factors, err))
		return SB_E_USAGE;
	if (sb_arm_by_name("before", &before, err))
		return SB_E_USAGE;
	after = before;
	snprintf(after.name, sizeof(after.name), "after");
	*n = 0;
	arms[(*n)++] = before;
	for (int f = 0; sb_factor_names[f]; f++) {
		struct sb_arm arm = before;

		if (factors ? !sb_list_has(factors, sb_factor_names[f]) : !advertised(sb_factor_names[f]))
			continue;
		snprintf(arm.name, sizeof(arm.name), "+%s", sb_factor_names[f]);
		switch_on(&arm.levels, sb_factor_names[f]);
		switch_on(&after.levels, sb_factor_names[f]);
		arms[(*n)++] = arm;
		used++;
	}
	if (used > 1) /* with one factor, `after` is that factor's own arm */
		arms[(*n)++] = after;
	if (with_best && sb_arm_by_name("best", &best, err) == SB_OK)
		return append_arm(arms, n, &best, err);
	return SB_OK;
}

void sb_arms_all(struct sb_arm arms[SB_ARMS_MAX], int *n)
{
	int factors = 0;

	while (sb_factor_names[factors] && advertised(sb_factor_names[factors])) /* they come first */
		factors++;
	*n = 0;
	for (int mask = 0; mask < 1 << factors; mask++) {
		struct sb_arm *arm = &arms[(*n)++];
		size_t used = 0;

		*arm = (struct sb_arm){ .name = "" };
		for (int f = 0; f < factors; f++) {
			if (!(mask >> f & 1))
				continue;
			switch_on(&arm->levels, sb_factor_names[f]);
			used += (size_t)snprintf(arm->name + used, sizeof(arm->name) - used, "+%s", sb_factor_names[f]);
		}
		if (mask == 0)
			snprintf(arm->name, sizeof(arm->name), "before");
		if (mask == (1 << factors) - 1)
			snprintf(arm->name, sizeof(arm->name), "after");
	}
}
