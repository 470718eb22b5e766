#include "manual.h"
#include "sb_cli.h"
#include "sb_experiment.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
	{ "pairs", sb_cmd_pairs, "measure two arms or two builds by pairs of fresh processes", "[OPTIONS]",
	        sb_pairs_options, sb_pairs_details },
	{ "gate", sb_cmd_gate, "is a new build slower or larger than a baseline? pass, fail or inconclusive",
	        "[OPTIONS]", sb_gate_options, sb_gate_details },
	{ "calibrate", sb_cmd_calibrate, "find out what a gate can tell on this machine", "[OPTIONS]",
	        sb_calibrate_options, sb_calibrate_details },
	{ "baseline", sb_cmd_baseline, "keep, list and drop what gates are held against",
	        "set NAME [REF] | list | drop NAME", sb_baseline_options, sb_baseline_details },
	{ "list", sb_cmd_list, "list the runs of a database", "[OPTIONS]", sb_list_options, NULL },
	{ "show", sb_cmd_show, "print one run: on one screen, or all there is of it", "[REF] [OPTIONS]",
	        sb_show_options, sb_show_details },
	{ "report", sb_cmd_report, "write a run as a document with plots", "[REF] --out DIR [OPTIONS]",
	        sb_report_options, sb_report_details },
	{ "doctor", sb_cmd_doctor, "what this machine can measure; check a database", "[OPTIONS]", sb_doctor_options,
	        sb_doctor_details },
	{ "micro", sb_cmd_micro, "time the tracker's products, convolutions and attention calls one by one",
	        "gemm|conv|attention [OPTIONS]", sb_micro_options, sb_micro_details },
	{ "export", sb_cmd_export, "write a timeline for Perfetto, a run as csv or json, a plot, synthetic weights",
	        "timeline|csv|json [REF] --out FILE [OPTIONS] | plot ID [REF] --out FILE | weights --out FILE "
	        "[OPTIONS]",
	        sb_export_options, sb_export_details },
	{ "merge", sb_cmd_merge, "join the databases of several runners", "--into FILE FILE..", sb_merge_options,
	        sb_merge_details },
	{ "replay", sb_cmd_replay, "replay a recorded memory trace through an allocator", "TRACE [OPTIONS]",
	        sb_replay_options, sb_replay_details },
	{ "capacity", sb_cmd_capacity, "find the longest clip, the most points or the largest frames that fit",
	        "[OPTIONS]", sb_capacity_options, sb_capacity_details },
	{ "sweep", sb_cmd_sweep, "measure over a list of frames, points or sizes: a run each, and a table",
	        "--frames LIST | --grid LIST | --points LIST | --size LIST [OPTIONS]", sb_sweep_options,
	        sb_sweep_details },
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
	puts("\n'spabench help COMMAND' describes a command. 'spabench run && spabench compare' needs no options.\n"
	     "exit codes: 0 ok, 1 a check says no, 2 usage, 3 this machine cannot, 4 failed, 5 a gate cannot say,\n"
	     "130 interrupted");
}

static int version(void)
{
	printf("spabench %s\nbuilt with %s, SQLite %s\n", sb_build_id, sb_build_flags, sqlite3_libversion());
	return 0;
}

static const struct sb_command *find_command(const char *name)
{
	const struct sb_command *c = sb_commands;

	while (c->name && strcmp(c->name, name) != 0)
		c++;
	return c->name ? c : NULL;
}

static int no_command(const char *name)
{
	char shown[128];

	sb_escape(name, shown, sizeof(shown));
	fprintf(stderr, "spabench: no command '%s'; see 'spabench --help'\n", shown);
	return 2;
}

/* `help`, or the help of the command named after it. */
static int help_on(const char *name)
{
	const struct sb_command *c = name ? find_command(name) : NULL;

	if (name && !c)
		return no_command(name);
	if (c)
		sb_command_help(c);
	else
		help();
	return 0;
}

/* Not in the help: what the build asks to get manual pages and completion for shells. */
static int print_made(const char *option, const char *value)
{
	const struct sb_command *c = value ? find_command(value) : NULL;
	bool man = !strcmp(option, "--man");
	struct sb_error err = { .msg = "" };
	struct sb_buf out = { 0 };
	enum sb_status status = SB_OK;

	if (man && value && !c)
		return no_command(value);
	if (man)
		sb_manual_page(c, &out);
	else
		status = sb_completion(value ? value : "", &out, &err);
	if (!status && out.failed)
		status = sb_fail(&err, SB_E_NOMEM, "no memory for the text");
	if (status)
		fprintf(stderr, "spabench help: %s\n", err.msg);
	else
		fputs(sb_buf_str(&out), stdout);
	sb_buf_release(&out);
	return sb_exit_code(status);
}

/* What SIGPIPE did when this program was started. */
static void (*pipe_action)(int);

/* The reader of a pipe had enough, as `head` has: no failure to speak of. Asked after writing failed. */
static bool reader_left(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO };

	return ferror(stdout) && pipe_action != SIG_IGN && poll(&out, 1, 0) == 1 && out.revents & POLLERR;
}

/* Ends as a program ends that knows nothing of pipes. */
static int end_by_pipe(void)
{
	signal(SIGPIPE, SIG_DFL);
	raise(SIGPIPE);
	return 128 + SIGPIPE; /* it is blocked */
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
	if (status && reader_left())
		return end_by_pipe();
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
	int code;

	if (!fill_standard_descriptors()) {
		fprintf(stderr, "spabench: cannot open any file: %s\n", strerror(errno));
		return 3;
	}
	pipe_action = signal(SIGPIPE, SIG_IGN); /* what was begun is brought to its end; then see reader_left() */
	signal(SIGXFSZ, SIG_IGN);               /* and so is a limit on the size of files */
	if (argc < 2) {
		fputs("usage: spabench COMMAND [OPTIONS]; see 'spabench --help'\n", stderr);
		return 2;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		code = help_on(NULL);
	} else if (!strcmp(argv[1], "help") && argc > 2 &&
	           (!strcmp(argv[2], "--man") || !strcmp(argv[2], "--completion"))) {
		code = print_made(argv[2], argv[3]);
	} else if (!strcmp(argv[1], "help")) {
		code = help_on(argc > 2 && argv[2][0] != '-' ? argv[2] : NULL);
	} else if (!strcmp(argv[1], "--version")) {
		code = version();
	} else {
		const struct sb_command *c = find_command(argv[1]);

		code = c ? dispatch(c, argc - 1, argv + 1) : no_command(argv[1]);
	}
	if (fflush(stdout) || ferror(stdout)) {
		if (code) /* said already */
			return code;
		if (reader_left())
			return end_by_pipe();
		fputs("spabench: cannot write to standard output\n", stderr);
		return 4;
	}
	return code;
}
