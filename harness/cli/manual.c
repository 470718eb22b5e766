/* Manual pages from the tables of commands and options, in roff. */
#include "manual.h"
#include "sb_cli.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text of ours in running text. Quotes and dashes stay what they are, so that commands can be copied. */
static void add_text(const char *s, size_t n, struct sb_buf *out)
{
	for (size_t i = 0; i < n; i++) {
		switch (s[i]) {
		case '\\':
			sb_buf_puts(out, "\\e");
			break;
		case '-':
			sb_buf_puts(out, "\\-");
			break;
		case '\'':
			sb_buf_puts(out, "\\(aq");
			break;
		case '`':
			sb_buf_puts(out, "\\(ga");
			break;
		case '^':
			sb_buf_puts(out, "\\(ha");
			break;
		case '~':
			sb_buf_puts(out, "\\(ti");
			break;
		default:
			if (s[i] == '.' && (i == 0 || s[i - 1] == '\n'))
				sb_buf_puts(out, "\\&");
			sb_buf_add(out, &s[i], 1);
		}
	}
}

static void add(const char *s, struct sb_buf *out)
{
	add_text(s, strlen(s), out);
}

/* Where a line's second column begins: what is behind its first two blanks. NULL: it has one. */
static const char *second_column(const char *line, size_t n)
{
	for (size_t i = 1; i + 2 < n; i++)
		if (line[i] == ' ' && line[i + 1] == ' ') {
			while (i < n && line[i] == ' ')
				i++;
			return line + i;
		}
	return NULL;
}

/*
 * The paragraphs below a command's options. They are filled; lines of two columns become items, what is indented below
 * one goes on with it.
 */
static void add_details(const char *text, struct sb_buf *out)
{
	bool item = true; /* nothing of this paragraph yet */

	while (*text) {
		size_t n = strcspn(text, "\n");
		const char *second = text[0] == ' ' ? NULL : second_column(text, n);

		if (second) {
			size_t tag = (size_t)(second - text);

			while (tag && text[tag - 1] == ' ')
				tag--;
			sb_buf_puts(out, ".TP\n\\fB");
			add_text(text, tag, out);
			sb_buf_puts(out, "\\fR\n");
			add_text(second, n - (size_t)(second - text), out);
		} else {
			size_t blanks = strspn(text, " ");

			if (item && !blanks)
				sb_buf_puts(out, ".PP\n");
			add_text(text + blanks, n - blanks, out);
		}
		item = second || (item && text[0] == ' ');
		sb_buf_puts(out, "\n");
		text += n + (text[n] == '\n');
	}
}

/* Of the text, for builds that can be repeated; else today. */
static void add_date(struct sb_buf *out)
{
	const char *given = getenv("SOURCE_DATE_EPOCH");
	int64_t seconds = given ? strtoll(given, NULL, 10) : 0;
	char text[32];

	sb_time_iso(seconds > 0 && seconds < INT64_MAX / 1000000000 ? seconds * 1000000000 : sb_wall_time_ns(), text);
	sb_buf_add(out, text, strlen("2026-11-22"));
}

static void add_head(const char *name, const char *summary, struct sb_buf *out)
{
	sb_buf_puts(out, ".TH SPABENCH");
	if (name)
		sb_buf_puts(out, "-");
	for (const char *s = name; s && *s; s++) {
		char upper = (char)toupper((unsigned char)*s);

		sb_buf_add(out, &upper, 1);
	}
	sb_buf_puts(out, " 1 ");
	add_date(out);
	sb_buf_puts(out, " spabench \"User Commands\"\n.SH NAME\nspabench");
	if (name) {
		sb_buf_puts(out, "\\-");
		add(name, out);
	}
	sb_buf_puts(out, " \\- ");
	add(summary, out);
	sb_buf_puts(out, "\n");
}

/* A line for each way to call it: "set NAME [REF] | list" are two. A bar without blanks is a choice of words. */
static void add_synopsis(const struct sb_command *c, struct sb_buf *out)
{
	const char *usage = c->usage;

	sb_buf_puts(out, ".SH SYNOPSIS\n");
	for (bool more = true; more;) {
		const char *end = strstr(usage, " | ");
		size_t n = end ? (size_t)(end - usage) : strlen(usage);

		sb_buf_addf(out, "\\fBspabench %s\\fR ", c->name);
		add_text(usage, n, out);
		sb_buf_puts(out, end ? "\n.br\n" : "\n");
		more = end != NULL;
		usage += n + (end ? 3 : 0);
	}
}

static void add_options(const struct sb_option *options, struct sb_buf *out)
{
	sb_buf_puts(out, ".SH OPTIONS\n");
	for (const struct sb_option *o = options; o->name; o++) {
		sb_buf_puts(out, ".TP\n\\fB\\-\\-");
		add(o->name, out);
		sb_buf_puts(out, "\\fR");
		if (o->arg) {
			sb_buf_puts(out, " \\fI");
			add(o->arg, out);
			sb_buf_puts(out, "\\fR");
		}
		sb_buf_puts(out, "\n");
		add(o->help, out);
		sb_buf_puts(out, "\n");
	}
	sb_buf_puts(out, ".TP\n\\fB\\-\\-help\\fR\nwhat is on this page, shorter\n");
}

static void add_items(const char *const items[][2], struct sb_buf *out)
{
	for (int i = 0; items[i][0]; i++) {
		sb_buf_puts(out, ".TP\n\\fB");
		add(items[i][0], out);
		sb_buf_puts(out, "\\fR\n");
		add(items[i][1], out);
		sb_buf_puts(out, "\n");
	}
}

static void add_exit(struct sb_buf *out)
{
	static const char *const codes[][2] = {
		{ "0", "ok" },
		{ "1", "a check says no" },
		{ "2", "usage: the command line is wrong" },
		{ "3", "this machine cannot" },
		{ "4", "failed" },
		{ "5", "a gate cannot say" },
		{ "130", "interrupted" },
		{ NULL, NULL },
	};

	sb_buf_puts(out, ".SH EXIT STATUS\n");
	add_items(codes, out);
}

static void add_see_also(const struct sb_command *but, struct sb_buf *out)
{
	const char *comma = "";

	sb_buf_puts(out, ".SH SEE ALSO\n");
	if (but) {
		sb_buf_puts(out, "\\fBspabench\\fR(1)");
		comma = ",\n";
	}
	for (const struct sb_command *c = sb_commands; c->name; c++) {
		if (c == but || !c->summary)
			continue;
		sb_buf_addf(out, "%s\\fBspabench\\-%s\\fR(1)", comma, c->name);
		comma = ",\n";
	}
	sb_buf_puts(out, "\n");
}

static void add_sentence(const char *s, struct sb_buf *out)
{
	char first = (char)toupper((unsigned char)s[0]);

	sb_buf_add(out, &first, 1);
	add(s + 1, out);
	sb_buf_puts(out, ".\n");
}

static void add_command(const struct sb_command *c, struct sb_buf *out)
{
	add_head(c->name, c->summary ? c->summary : "what run starts for itself", out);
	add_synopsis(c, out);
	sb_buf_puts(out, ".SH DESCRIPTION\n");
	add_sentence(c->summary ? c->summary : "what run starts for itself", out);
	if (c->details)
		add_details(c->details, out);
	if (c->options)
		add_options(c->options, out);
	add_exit(out);
	add_see_also(c, out);
}

static void add_references(struct sb_buf *out)
{
	sb_buf_puts(out, ".SH REFERENCES TO DATA\n");
	add("A reference is [FILE:][RUN][/ARM]: a database, the beginning of a run's id, an arm. Without a FILE the\n"
	    "database is that of --db, else of $SPABENCH_DB, else ./spabench.db; without a RUN, the newest run.\n",
	        out);
}

static void add_environment(struct sb_buf *out)
{
	static const char *const variables[][2] = {
		{ "SPABENCH_DB", "the database, where --db does not say" },
		{ "SPABENCH_DATA", "the folder of the built-in clip" },
		{ "SPABENCH_CUDA_LIB",
		        "the CUDA backend, where it is not the libspabench_cuda.so installed with the program; none: "
		        "no GPU" },
		{ "SPABENCH_CUDA_CONV", "auto, own or cudnn: what does convolutions on a GPU" },
		{ "SPABENCH_CUDNN", "cuDNN's library, or none" },
		{ "NO_COLOR", "no colour, whatever the terminal can do" },
		{ NULL, NULL },
	};

	sb_buf_puts(out, ".SH ENVIRONMENT\n");
	add_items(variables, out);
}

static void add_overview(struct sb_buf *out)
{
	add_head(NULL, "what an optimisation really brings, on your GPU, on your video", out);
	sb_buf_puts(out, ".SH SYNOPSIS\n\\fBspabench\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n"
	                 ".br\n\\fBspabench help\\fR [\\fICOMMAND\\fR]\n"
	                 ".br\n\\fBspabench \\-\\-version\\fR\n.SH DESCRIPTION\n");
	add("Measures TF32, memory-efficient attention and expandable allocator segments on the SpatialTrackerV2 "
	    "pipeline,\n"
	    "and proves that each switch was in effect. Every sample is kept in one SQLite file. "
	    "'spabench run && spabench\n"
	    "compare' needs no options.\n",
	        out);
	sb_buf_puts(out, ".SH COMMANDS\n");
	for (const struct sb_command *c = sb_commands; c->name; c++) {
		if (!c->summary)
			continue;
		sb_buf_addf(out, ".TP\n\\fBspabench\\-%s\\fR(1)\n", c->name);
		add(c->summary, out);
		sb_buf_puts(out, "\n");
	}
	add_references(out);
	add_environment(out);
	add_exit(out);
	sb_buf_puts(out, ".SH WEIGHTS\n");
	add("Weights are synthetic unless 'spabench run' is given files. The released checkpoints of SpatialTrackerV2\n"
	    "have a licence of their own, which is non-commercial; none of them comes with spabench.\n",
	        out);
	add_see_also(NULL, out);
}

void sb_manual_page(const struct sb_command *c, struct sb_buf *out)
{
	sb_buf_puts(out, ".\\\" Made from the program's own tables by 'spabench help --man'.\n");
	if (c)
		add_command(c, out);
	else
		add_overview(out);
}
