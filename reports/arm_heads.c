/* What stands above an arm's column: its name, or something shorter that is no other arm's. */
#include "reports_internal.h"

#include <stdlib.h>
#include <string.h>

/* The factors, as short as one still reads them. */
static const struct {
	const char *word, *brief;
} briefs[] = {
	{ "precision", "prec" },
	{ "attention", "attn" },
	{ "offload", "offl" },
};

/* "+precision+attention" -> "+prec+attn", "+alloc=stitched" -> "+stitched"; false when it does not fit into n bytes. */
static bool shorten(const char *name, char *out, size_t n)
{
	size_t used = 0;

	while (*name) {
		size_t plus = *name == '+', len = strcspn(name + plus, "+");
		const char *word = name + plus, *level = memchr(word, '=', len);
		size_t brief = len;

		if (level) {
			brief = (size_t)(word + len - (level + 1));
			word = level + 1;
		}
		for (size_t i = 0; i < SB_ARRAY_LEN(briefs); i++) {
			if (strlen(briefs[i].word) != len || strncmp(name + plus, briefs[i].word, len) != 0)
				continue;
			word = briefs[i].brief;
			brief = strlen(word);
		}
		if (used + plus + brief >= n)
			return false;
		memcpy(out + used, "+", plus);
		memcpy(out + used + plus, word, brief);
		used += plus + brief;
		name += plus + len;
	}
	out[used] = '\0';
	return true;
}

static int width_of(const char *text)
{
	char clean[4 * SB_ARM_HEAD_MAX + 1];

	if (strlen(text) >= SB_ARM_HEAD_MAX)
		return SB_ARM_HEAD_MAX;
	sb_escape(text, clean, sizeof(clean));
	return sb_display_width(clean);
}

static void choose(const char *name, int number, int columns, char out[SB_ARM_HEAD_MAX])
{
	char brief[SB_ARM_HEAD_MAX];

	if (width_of(name) <= columns) {
		snprintf(out, SB_ARM_HEAD_MAX, "%s", name);
		return;
	}
	if (name[0] == '+' && shorten(name, brief, sizeof(brief))) {
		/* Its plus is the first to go: what is switched on is told apart without. */
		const char *text = width_of(brief) <= columns ? brief : brief + 1;

		if (width_of(text) <= columns) {
			snprintf(out, SB_ARM_HEAD_MAX, "%s", text);
			return;
		}
	}
	snprintf(out, SB_ARM_HEAD_MAX, "arm %d", number);
}

void sb_report_arm_heads(const char *const *names, int n, int columns, char (*out)[SB_ARM_HEAD_MAX])
{
	for (int i = 0; i < n; i++)
		choose(names[i], i + 1, columns, out[i]);
	for (int i = 0; i < n; i++)
		for (int k = 0; k < n; k++)
			if (k != i && strcmp(out[i], names[i]) != 0 && !strcmp(out[i], out[k]))
				snprintf(out[i], SB_ARM_HEAD_MAX, "arm %d", i + 1);
}

char (*sb_report_summary_heads(const struct sb_summary *s, int columns))[SB_ARM_HEAD_MAX]
{
	char(*heads)[SB_ARM_HEAD_MAX] = malloc((s->n_arms + 1) * sizeof(*heads));
	const char **names = malloc((s->n_arms + 1) * sizeof(*names));

	for (size_t a = 0; heads && names && a < s->n_arms; a++)
		names[a] = s->arms[a].name;
	if (heads && names)
		sb_report_arm_heads(names, (int)s->n_arms, columns, heads);
	if (!names) {
		free(heads);
		heads = NULL;
	}
	free(names);
	return heads;
}

bool sb_report_arm_is_numbered(const char *name, const char *head)
{
	return strcmp(name, head) != 0 && !strncmp(head, "arm ", 4);
}
