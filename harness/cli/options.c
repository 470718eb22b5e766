/* Parsing and help from the option tables. */
#include "sb_cli.h"

#include <stdio.h>
#include <string.h>

static int find(const struct sb_option *options, const char *name, size_t len)
{
	for (int i = 0; options && options[i].name; i++)
		if (strlen(options[i].name) == len && !strncmp(options[i].name, name, len))
			return i;
	return -1;
}

int sb_options_next(struct sb_option_parser *p, int argc, char **argv, const struct sb_option *options,
        const char **value, struct sb_error *err)
{
	while (p->next < argc) {
		const char *arg = argv[p->next++], *eq;
		size_t len;
		int i;

		if (!p->only_operands && !strcmp(arg, "--")) {
			p->only_operands = true;
			continue;
		}
		if (p->only_operands || arg[0] != '-' || !arg[1]) {
			if (p->n_operands == (p->more ? p->n_more : (int)SB_ARRAY_LEN(p->operands))) {
				sb_fail(err, SB_E_USAGE, "too many arguments, from '%.64s' on", arg);
				return -2;
			}
			(p->more ? p->more : p->operands)[p->n_operands++] = arg;
			continue;
		}
		eq = strchr(arg, '=');
		len = eq ? (size_t)(eq - arg) : strlen(arg);
		i = len > 2 && arg[1] == '-' ? find(options, arg + 2, len - 2) : -1;
		if (i < 0) {
			sb_fail(err, SB_E_USAGE, "no option '%.*s'; see --help", (int)(len < 64 ? len : 64), arg);
			return -2;
		}
		*value = NULL;
		if (!options[i].arg && eq) {
			sb_fail(err, SB_E_USAGE, "option '--%s' takes no argument", options[i].name);
			return -2;
		}
		if (options[i].arg && !eq && p->next == argc) {
			sb_fail(err, SB_E_USAGE, "option '--%s' needs %s", options[i].name, options[i].arg);
			return -2;
		}
		if (options[i].arg)
			*value = eq ? eq + 1 : argv[p->next++];
		return i;
	}
	return -1;
}

enum sb_status sb_parse_word(
        const char *value, const char *option, const char *const *words, int *out, struct sb_error *err)
{
	struct sb_buf list = { 0 };

	for (int i = 0; words[i]; i++) {
		if (!strcmp(words[i], value)) {
			*out = i;
			sb_buf_release(&list);
			return SB_OK;
		}
		sb_buf_addf(&list, "%s%s", i ? ", " : "", words[i]);
	}
	sb_fail(err, SB_E_USAGE, "%s '%.40s' is none of %s", option, value, sb_buf_str(&list));
	sb_buf_release(&list);
	return SB_E_USAGE;
}

void sb_command_help(const struct sb_command *c)
{
	printf("usage: spabench %s %s\n%s.\n", c->name, c->usage,
	        c->summary ? c->summary : "what run starts for itself");
	if (c->options)
		puts("\noptions:");
	for (int i = 0; c->options && c->options[i].name; i++) {
		char left[48];

		snprintf(left, sizeof(left), "--%s %s", c->options[i].name, c->options[i].arg ? c->options[i].arg : "");
		printf("  %-26s %s\n", left, c->options[i].help);
	}
	if (c->details)
		printf("\n%s", c->details);
}
