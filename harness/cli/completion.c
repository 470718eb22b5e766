/*
 * Completion for shells, from the tables of commands and options. Words of arguments are read off the tables: "a|b" is
 * a choice; arms, factors, presets and cameras have tables of their own.
 */
#include "manual.h"
#include "sb_cli.h"
#include "sb_factors.h"
#include "sb_presets.h"
#include "sb_track_video.h"

#include <ctype.h>
#include <string.h>

static void add_word(const char *word, size_t n, struct sb_buf *out)
{
	sb_buf_add(out, word, n);
	sb_buf_puts(out, " ");
}

static void arm_words(struct sb_buf *out)
{
	struct sb_arm arms[SB_ARMS_MAX];
	struct sb_error ignored;
	int n = 0;

	if (sb_arms_default(NULL, true, arms, &n, &ignored))
		return;
	for (int i = 0; i < n; i++)
		add_word(arms[i].name, strlen(arms[i].name), out);
	sb_buf_puts(out, "+offload +alloc=stitched best+offload ");
}

static void factor_words(struct sb_buf *out)
{
	for (int i = 0; sb_factor_names[i]; i++)
		add_word(sb_factor_names[i], strlen(sb_factor_names[i]), out);
}

static void level_words(struct sb_buf *out)
{
	for (int p = 0; p < SB_PART_COUNT; p++) {
		const struct sb_part_info *part = &sb_parts[p];

		/* The factor's name alone sets all its parts; it is said once. */
		for (int l = 0; part->levels[l] && (p == 0 || strcmp(part[-1].factor, part->factor) != 0); l++)
			sb_buf_addf(out, "%s=%s ", part->factor, part->levels[l]);
		for (int l = 0; part->levels[l] && strcmp(part->name, part->factor) != 0; l++)
			sb_buf_addf(out, "%s=%s ", part->name, part->levels[l]);
	}
}

static void preset_words(struct sb_buf *out)
{
	for (size_t i = 0; i < sb_n_presets; i++)
		add_word(sb_presets[i].name, strlen(sb_presets[i].name), out);
}

static void camera_words(struct sb_buf *out)
{
	for (int i = 0; i < SB_CAMERAS_COUNT; i++)
		add_word(sb_cameras_names[i], strlen(sb_cameras_names[i]), out);
}

static void workload_words(struct sb_buf *out)
{
	sb_buf_puts(out, "tracker churn churn-own ");
}

static void format_words(struct sb_buf *out)
{
	sb_buf_puts(out, "text markdown csv json ");
}

/* Options whose words stand in no table of options. */
static const struct {
	const char *option, *arg;
	void (*words)(struct sb_buf *out);
	enum sb_argument kind;
} known[] = {
	{ "arms", "LIST", arm_words, SB_ARGUMENT_LIST },
	{ "arms", "A[,B]", arm_words, SB_ARGUMENT_LIST },
	{ "arm", "NAME", arm_words, SB_ARGUMENT_WORD },
	{ "save-arm", "NAME", arm_words, SB_ARGUMENT_WORD },
	{ "factors", "LIST", factor_words, SB_ARGUMENT_LIST },
	{ "set", "F[.PART]=LEVEL", level_words, SB_ARGUMENT_WORD },
	{ "preset", "NAME", preset_words, SB_ARGUMENT_WORD },
	{ "cameras", "WORD", camera_words, SB_ARGUMENT_WORD },
	{ "workload", "NAME", workload_words, SB_ARGUMENT_WORD },
	{ "format", "FORMAT", format_words, SB_ARGUMENT_WORD },
};

/* "auto|cpu|cuda:N" -> auto, cpu, cuda:0. What is in capitals is no word. */
static void choice_words(const char *choice, size_t n, struct sb_buf *out)
{
	for (const char *end = choice + n; choice < end;) {
		size_t len = strcspn(choice, "|");
		bool word = len > 0;

		if (len > (size_t)(end - choice))
			len = (size_t)(end - choice);
		if (len > 2 && !strncmp(choice + len - 2, ":N", 2))
			sb_buf_addf(out, "%.*s:0 ", (int)(len - 2), choice);
		else {
			for (size_t i = 0; i < len; i++)
				word = word && !isupper((unsigned char)choice[i]);
			if (word)
				add_word(choice, len, out);
		}
		choice += len + 1;
	}
}

enum sb_argument sb_option_words(const struct sb_option *o, struct sb_buf *words)
{
	if (!o->arg)
		return SB_ARGUMENT_ANY;
	for (size_t i = 0; i < SB_ARRAY_LEN(known); i++)
		if (!strcmp(known[i].option, o->name) && !strcmp(known[i].arg, o->arg)) {
			known[i].words(words);
			return known[i].kind;
		}
	if (!strcmp(o->arg, "FILE") || !strcmp(o->arg, "PATH"))
		return SB_ARGUMENT_FILE;
	if (!strcmp(o->arg, "DIR"))
		return SB_ARGUMENT_FOLDER;
	if (!strchr(o->arg, '|'))
		return SB_ARGUMENT_ANY;
	choice_words(o->arg, strlen(o->arg), words);
	return SB_ARGUMENT_WORD;
}

enum sb_argument sb_operand_words(const struct sb_command *c, struct sb_buf *words)
{
	size_t before = words->len;

	/* The first word of each way to call it: "gemm|conv [OPTIONS]", "set NAME | list". */
	for (const char *way = c->usage; way;) {
		const char *next = strstr(way, " | ");
		size_t n = strcspn(way, " ");

		if (islower((unsigned char)way[0]))
			choice_words(way, n, words);
		way = next ? next + 3 : NULL;
	}
	if (words->len > before)
		return SB_ARGUMENT_WORD;
	return strstr(c->usage, "REF") || strstr(c->usage, "FILE") || strstr(c->usage, "TRACE") ? SB_ARGUMENT_FILE
	                                                                                        : SB_ARGUMENT_ANY;
}

/* ---- bash -------------------------------------------------------------------------------------------------------- */

/* Readline's words end at = and :, so the word under the cursor is taken from the line, and what readline has is cut
 * off. */
static const char bash_head[] = "# Completion of spabench for bash, made by 'spabench help --completion bash'.\n\n"
                                "# _spabench_of COMMAND [--OPTION]: what may follow, as KIND WORD..\n"
                                "_spabench_of() {\n"
                                "\tcase \"$*\" in\n";
static const char bash_tail[] =
        "\tesac\n"
        "}\n\n"
        "_spabench() {\n"
        "\tlocal line=${COMP_LINE:0:COMP_POINT} cur prev of kind list= part word\n"
        "\tlocal -a words\n"
        "\n"
        "\tCOMPREPLY=()\n"
        "\tread -ra words <<<\"$line\"\n"
        "\tcase $line in *[[:blank:]]) words+=('') ;; esac\n"
        "\tcur=${words[${#words[@]} - 1]}\n"
        "\tprev=${words[${#words[@]} - 2]}\n"
        "\tif [ ${#words[@]} -le 2 ]; then\n"
        "\t\tof=$(_spabench_of)\n"
        "\telif [ ${#words[@]} -eq 3 ] && [ \"${words[1]}\" = help ]; then\n"
        "\t\tof=$(_spabench_of help)\n"
        "\telif [[ $cur == --*=* ]]; then\n"
        "\t\tof=$(_spabench_of \"${words[1]}\" \"${cur%%=*}\")\n"
        "\t\tlist=${cur%%=*}=\n"
        "\telif [[ $prev == --* && $prev != *=* ]] && of=$(_spabench_of \"${words[1]}\" \"$prev\") && [ -n \"$of\" ]; "
        "then\n"
        "\t\t:\n"
        "\telif [[ $cur == -* ]]; then\n"
        "\t\tof=$(_spabench_of \"${words[1]}\" --)\n"
        "\telse\n"
        "\t\tof=$(_spabench_of \"${words[1]}\")\n"
        "\tfi\n"
        "\tkind=${of%% *}\n"
        "\tpart=${cur#\"$list\"}\n"
        "\tcase $kind in\n"
        "\tfile) COMPREPLY=($(compgen -f -- \"$part\")); compopt -o filenames 2>/dev/null ;;\n"
        "\tfolder) COMPREPLY=($(compgen -d -- \"$part\")); compopt -o filenames 2>/dev/null ;;\n"
        "\tlist)\n"
        "\t\tcase $part in *,*) list=$list${part%,*},; part=${part##*,} ;; esac\n"
        "\t\t;;&\n"
        "\tword | list)\n"
        "\t\tfor word in ${of#\"$kind\"}; do\n"
        "\t\t\t[[ $word == \"$part\"* ]] && COMPREPLY+=(\"$list$word\")\n"
        "\t\tdone\n"
        "\t\t# Readline replaces what is behind the last of these alone.\n"
        "\t\tpart=\n"
        "\t\t[[ $COMP_WORDBREAKS == *=* && $cur == *=* ]] && part=${cur%\"${cur##*=}\"}\n"
        "\t\t[[ $COMP_WORDBREAKS == *:* && ${cur#\"$part\"} == *:* ]] && part=${cur%\"${cur##*:}\"}\n"
        "\t\tCOMPREPLY=(\"${COMPREPLY[@]#\"$part\"}\")\n"
        "\t\t;;\n"
        "\tesac\n"
        "}\n"
        "complete -F _spabench spabench\n";

static const char *kind_name(enum sb_argument kind)
{
	static const char *const names[] = { "any", "word", "list", "file", "folder" };

	return names[kind];
}

static void add_bash_case(
        const char *command, const char *option, enum sb_argument kind, const char *words, struct sb_buf *out)
{
	sb_buf_addf(out, "\t'%s%s%s') echo '%s %s' ;;\n", command, option ? " --" : "", option ? option : "",
	        kind_name(kind), words);
}

static void add_bash_command(const struct sb_command *c, struct sb_buf *out)
{
	struct sb_buf words = { 0 };
	enum sb_argument kind = sb_operand_words(c, &words);

	add_bash_case(c->name, NULL, kind, sb_buf_str(&words), out);
	sb_buf_release(&words);
	for (const struct sb_option *o = c->options; o && o->name; o++) {
		sb_buf_addf(&words, "--%s ", o->name);
	}
	sb_buf_puts(&words, "--help");
	add_bash_case(c->name, "", SB_ARGUMENT_WORD, sb_buf_str(&words), out);
	sb_buf_release(&words);
	for (const struct sb_option *o = c->options; o && o->name; o++) {
		if (!o->arg)
			continue;
		kind = sb_option_words(o, &words);
		add_bash_case(c->name, o->name, kind, sb_buf_str(&words), out);
		sb_buf_release(&words);
	}
}

static void command_words(struct sb_buf *out)
{
	for (const struct sb_command *c = sb_commands; c->name; c++)
		if (c->summary)
			add_word(c->name, strlen(c->name), out);
}

static void bash(struct sb_buf *out)
{
	struct sb_buf words = { 0 };

	sb_buf_puts(out, bash_head);
	command_words(&words);
	add_bash_case("help", NULL, SB_ARGUMENT_WORD, sb_buf_str(&words), out);
	sb_buf_puts(&words, "help --help --version");
	add_bash_case("", NULL, SB_ARGUMENT_WORD, sb_buf_str(&words), out);
	sb_buf_release(&words);
	for (const struct sb_command *c = sb_commands; c->name; c++)
		if (c->summary)
			add_bash_command(c, out);
	sb_buf_puts(out, bash_tail);
}

/* ---- zsh --------------------------------------------------------------------------------------------------------- */

/* Inside '..' of zsh's _arguments: brackets and colons end things. */
static void add_zsh_text(const char *s, struct sb_buf *out)
{
	for (; *s; s++) {
		if (*s == '\'')
			sb_buf_puts(out, "'\\''");
		else if (strchr("[]:\\", *s))
			sb_buf_addf(out, "\\%c", *s);
		else
			sb_buf_add(out, s, 1);
	}
}

static void add_zsh_action(enum sb_argument kind, const char *words, struct sb_buf *out)
{
	switch (kind) {
	case SB_ARGUMENT_FILE:
		sb_buf_puts(out, "_files");
		break;
	case SB_ARGUMENT_FOLDER:
		sb_buf_puts(out, "_files -/");
		break;
	case SB_ARGUMENT_LIST:
	case SB_ARGUMENT_WORD:
		sb_buf_puts(out, kind == SB_ARGUMENT_LIST ? "_sequence compadd - " : "compadd - ");
		for (; *words; words++)
			sb_buf_addf(out, *words == ':' ? "\\%c" : "%c", *words);
		break;
	case SB_ARGUMENT_ANY:
		sb_buf_puts(out, " ");
	}
}

static void add_zsh_command(const struct sb_command *c, struct sb_buf *out)
{
	struct sb_buf words = { 0 };
	enum sb_argument kind;

	sb_buf_addf(out, "\t%s)\n\t\t_arguments -S \\\n", c->name);
	for (const struct sb_option *o = c->options; o && o->name; o++) {
		/* What may be given several times is nowhere in the table; the last one counts, or all do. */
		sb_buf_addf(out, "\t\t\t'*--%s%s[", o->name, o->arg ? "=" : "");
		add_zsh_text(o->help, out);
		sb_buf_puts(out, "]");
		if (o->arg) {
			sb_buf_puts(out, ":");
			add_zsh_text(o->arg, out);
			sb_buf_puts(out, ":");
			kind = sb_option_words(o, &words);
			add_zsh_action(kind, sb_buf_str(&words), out);
			sb_buf_release(&words);
		}
		sb_buf_puts(out, "' \\\n");
	}
	kind = sb_operand_words(c, &words);
	sb_buf_puts(out, "\t\t\t'--help[what the command does]' \\\n\t\t\t'*:operand:");
	add_zsh_action(kind, sb_buf_str(&words), out);
	sb_buf_puts(out, "'\n\t\t;;\n");
	sb_buf_release(&words);
}

static void zsh(struct sb_buf *out)
{
	sb_buf_puts(out, "#compdef spabench\n# Made by 'spabench help --completion zsh'.\n\n"
	                 "_spabench() {\n\tlocal -a commands\n\n\tcommands=(\n");
	for (const struct sb_command *c = sb_commands; c->name; c++) {
		if (!c->summary)
			continue;
		sb_buf_addf(out, "\t\t'%s:", c->name);
		add_zsh_text(c->summary, out);
		sb_buf_puts(out, "'\n");
	}
	sb_buf_puts(out, "\t\t'help:describe a command'\n\t)\n"
	                 "\tif ((CURRENT == 2)); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n"
	                 "\tshift words\n\t((CURRENT--))\n\tcase $words[1] in\n"
	                 "\thelp) _describe command commands ;;\n");
	for (const struct sb_command *c = sb_commands; c->name; c++)
		if (c->summary)
			add_zsh_command(c, out);
	/* Either autoloaded as the function itself, or sourced. */
	sb_buf_puts(out, "\tesac\n}\n\nif [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n\t_spabench \"$@\"\nelse\n"
	                 "\tcompdef _spabench spabench\nfi\n");
}

/* ---- fish -------------------------------------------------------------------------------------------------------- */

static void add_fish_text(const char *s, struct sb_buf *out)
{
	sb_buf_puts(out, "'");
	for (; *s; s++)
		sb_buf_addf(out, *s == '\'' || *s == '\\' ? "\\%c" : "%c", *s);
	sb_buf_puts(out, "'");
}

static void add_fish_words(enum sb_argument kind, const char *words, struct sb_buf *out)
{
	switch (kind) {
	case SB_ARGUMENT_FILE:
		sb_buf_puts(out, " -F");
		break;
	case SB_ARGUMENT_FOLDER:
		sb_buf_puts(out, " -f -a '(__fish_complete_directories)'");
		break;
	case SB_ARGUMENT_LIST:
		sb_buf_addf(out, " -f -a '(__fish_append , (string split -n \" \" \"%s\"))'", words);
		break;
	case SB_ARGUMENT_WORD:
		sb_buf_puts(out, " -f -a ");
		add_fish_text(words, out);
		break;
	case SB_ARGUMENT_ANY:
		sb_buf_puts(out, " -f");
	}
}

static void add_fish_command(const struct sb_command *c, struct sb_buf *out)
{
	struct sb_buf words = { 0 };
	enum sb_argument kind = sb_operand_words(c, &words);

	sb_buf_addf(out, "complete -c spabench -n '__fish_use_subcommand' -f -a %s -d ", c->name);
	add_fish_text(c->summary, out);
	sb_buf_addf(out, "\ncomplete -c spabench -n '__fish_seen_subcommand_from %s'", c->name);
	add_fish_words(kind, sb_buf_str(&words), out);
	sb_buf_puts(out, "\n");
	sb_buf_release(&words);
	for (const struct sb_option *o = c->options; o && o->name; o++) {
		sb_buf_addf(out, "complete -c spabench -n '__fish_seen_subcommand_from %s' -l %s", c->name, o->name);
		if (o->arg) {
			sb_buf_puts(out, " -r");
			kind = sb_option_words(o, &words);
			add_fish_words(kind, sb_buf_str(&words), out);
			sb_buf_release(&words);
		}
		sb_buf_puts(out, " -d ");
		add_fish_text(o->help, out);
		sb_buf_puts(out, "\n");
	}
}

static void fish(struct sb_buf *out)
{
	struct sb_buf words = { 0 };

	sb_buf_puts(out, "# Completion of spabench for fish, made by 'spabench help --completion fish'.\n"
	                 "complete -c spabench -n '__fish_use_subcommand' -f -a help -d 'describe a command'\n"
	                 "complete -c spabench -l help -d 'what the command does'\n");
	command_words(&words);
	sb_buf_addf(out, "complete -c spabench -n '__fish_seen_subcommand_from help' -f -a '%s'\n", sb_buf_str(&words));
	sb_buf_release(&words);
	for (const struct sb_command *c = sb_commands; c->name; c++)
		if (c->summary)
			add_fish_command(c, out);
}

enum sb_status sb_completion(const char *shell, struct sb_buf *out, struct sb_error *err)
{
	static const char *const names[] = { "bash", "zsh", "fish", NULL };
	static void (*const makers[])(struct sb_buf * out) = { bash, zsh, fish };
	int i;

	if (sb_parse_word(shell, "--completion", names, &i, err))
		return SB_E_USAGE;
	makers[i](out);
	return SB_OK;
}
