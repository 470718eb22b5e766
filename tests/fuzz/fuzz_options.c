/* A command line made of the lines of the input, and every option's value as each kind of number. */
#include "fuzz.h"
#include "sb_cli.h"

#include <math.h>

#define ARGS_MAX 24

static const struct sb_option options[] = {
	{ "db", "FILE", "takes a value" },
	{ "blocks", "N", "takes a value" },
	{ "all", NULL, "takes none" },
	{ "a", NULL, "short, and the beginning of another" },
	{ NULL, NULL, NULL },
};

static int split(char *text, char **argv)
{
	int argc = 0;

	argv[argc++] = text;
	while (argc < ARGS_MAX && (text = strchr(text, '\n')) != NULL) {
		*text++ = '\0';
		argv[argc++] = text;
	}
	argv[argc] = NULL;
	return argc;
}

static void check_numbers(const char *value)
{
	struct sb_error err = { .msg = "" };
	int64_t i = 7;
	double d = 7.0;

	FUZZ_HOLDS(sb_parse_int(value, "n", -5, 1000, &i, &err) ? i == 7 : i >= -5 && i <= 1000);
	FUZZ_HOLDS(sb_parse_double(value, "x", -5.0, 1000.0, &d, &err) ? d == 7.0
	                                                               : isfinite(d) && d >= -5.0 && d <= 1000.0);
	i = 7;
	FUZZ_HOLDS(sb_parse_bytes(value, "size", &i, &err) ? i == 7 : i >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), *argv[ARGS_MAX + 1];
	struct sb_option_parser p = { .next = 1 };
	struct sb_error err = { .msg = "" };
	int argc = split(text, argv), i, seen = 0;
	const char *value = NULL;

	while ((i = sb_options_next(&p, argc, argv, options, &value, &err)) >= 0) {
		FUZZ_HOLDS(i < 4 && seen++ < ARGS_MAX);
		FUZZ_HOLDS((value != NULL) == (options[i].arg != NULL));
		if (value)
			check_numbers(value);
	}
	FUZZ_HOLDS(i == -1 || (i == -2 && err.code == SB_E_USAGE && err.msg[0]));
	FUZZ_HOLDS(p.next <= argc || argc == 1);
	for (int o = 0; o < p.n_operands; o++)
		FUZZ_HOLDS(p.operands[o]);
	free(text);
	return 0;
}
