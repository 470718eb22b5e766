#include "sb_cli.h"
#include "sb_experiment.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sqlite3.h>
#include <unistd.h>

const struct sb_command sb_commands[] = {
	{ "run", sb_cmd_run, "measure a workload into a database", "[OPTIONS] | --resume [RUN]", sb_run_options,
	        sb_run_details },
	{ "compare", sb_cmd_compare, "print the before/after table", "[REF [REF]] [OPTIONS]", sb_compare_options,
	        sb_compare_details },
	{ "list", sb_cmd_list, "list the runs of a database", "[OPTIONS]", sb_list_options, NULL },
	{ "show", sb_cmd_show, "print one run: environment, arms, workers, every metric", "[REF] [OPTIONS]",
	        sb_show_options, sb_show_details },
	{ "doctor", sb_cmd_doctor, "what this machine can measure; check a database", "[OPTIONS]", sb_doctor_options,
	        sb_doctor_details },
	{ "export", sb_cmd_export, "write synthetic weights for other programs", "weights --out FILE [OPTIONS]",
	        sb_export_options, sb_export_details },
	{ "worker", sb_cmd_worker, NULL, "--fd N", sb_worker_options, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL },
};

static void help(void)
{
	puts("usage: spabench COMMAND [OPTIONS]\n"
	     "What an optimisation really brings: measures TF32, memory-efficient attention and expandable\n"
	     "allocator segments on the SpatialTrackerV2 pipeline, and proves that each switch was in effect.\n"
	     "\ncommands:");
	for (const struct sb_command *c = sb_commands; c->name; c++)
		if (c->summary)
			printf("  %-10s %s\n", c->name, c->summary);
	puts("\n'spabench COMMAND --help' describes a command. 'spabench run && spabench compare' needs no options.\n"
	     "exit codes: 0 ok, 2 usage, 3 this machine cannot, 4 failed, 130 interrupted");
}

static int version(void)
{
	printf("spabench %s\nbuilt with %s, SQLite %s\n", sb_build_id, sb_build_flags, sqlite3_libversion());
	return 0;
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

static int dispatch(const struct sb_command *c, int argc, char **argv)
{
	struct sb_error err = { .msg = "" };
	enum sb_status status;
	char message[2 * sizeof(err.msg)];

	if (wants_help(argc, argv)) {
		sb_command_help(c);
		return 0;
	}
	status = c->run(argc, argv, &err);
	if (status && err.msg[0]) { /* a worker told its parent instead */
		sb_escape(err.msg, message, sizeof(message));
		fprintf(stderr, "spabench %s: %s\n", c->name, message);
	}
	return sb_exit_code(status);
}

/*
 * Closed standard descriptors would be given to the first files that are opened, and the table printed into the
 * database.
 * "/" is always there, and neither reading nor writing it works: a closed output stays an output that fails.
 */
static bool fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int main(int argc, char **argv)
{
	int code = 2;
	char name[128];

	if (!fill_standard_descriptors()) {
		fprintf(stderr, "spabench: cannot open any file: %s\n", strerror(errno));
		return 3;
	}
	signal(SIGPIPE, SIG_IGN); /* a closed pipe is a write error like any other */
	signal(SIGXFSZ, SIG_IGN); /* and so is a limit on the size of files */
	if (argc < 2) {
		fputs("usage: spabench COMMAND [OPTIONS]; see 'spabench --help'\n", stderr);
		return 2;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		help();
		code = 0;
	} else if (!strcmp(argv[1], "--version")) {
		code = version();
	} else {
		const struct sb_command *c = sb_commands;

		while (c->name && strcmp(c->name, argv[1]) != 0)
			c++;
		if (c->name) {
			code = dispatch(c, argc - 1, argv + 1);
		} else {
			sb_escape(argv[1], name, sizeof(name));
			fprintf(stderr, "spabench: no command '%s'; see 'spabench --help'\n", name);
		}
	}
	if (fflush(stdout) || ferror(stdout)) {
		if (code) /* said already */
			return code;
		fputs("spabench: cannot write to standard output\n", stderr);
		return 4;
	}
	return code;
}
