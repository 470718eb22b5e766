/*
 * cli: what users type. One row a command in main.c, one file a command; every command has a table of options from
 * which it is parsed and its help printed. stdout is the result alone, stderr the chatter. Uses everything.
 */
#ifndef SB_CLI_H
#define SB_CLI_H

#include "sb_base.h"

/* An option of a command. Tables end with a NULL name. */
struct sb_option {
	const char *name; /* without the dashes */
	const char *arg;  /* what its argument is called; NULL: it takes none */
	const char *help; /* one line; the default in brackets */
};

struct sb_command {
	const char *name;
	enum sb_status (*run)(int argc, char **argv, struct sb_error *err);
	const char *summary;             /* one line for the overview; NULL: not shown to users */
	const char *usage;               /* "[REF]": what comes after the name */
	const struct sb_option *options; /* NULL: none */
	const char *details;             /* paragraphs after the options, or NULL */
};
extern const struct sb_command sb_commands[]; /* ends with a NULL name */

/*
 * One option at a time: returns its index in `options` with *value set (NULL when it takes none), -1 at the end,
 * -2 after SB_E_USAGE was put into *err. "--name=value" and "--name value" both work; operands are left for
 * sb_options_operand(). Start with a zeroed parser.
 */
struct sb_option_parser {
	int next;
	int n_operands;
	const char *operands[8];
	const char **more; /* instead of operands, for n_more of them; NULL: 8 are enough */
	int n_more;
	bool only_operands; /* after "--" */
};
int sb_options_next(struct sb_option_parser *p, int argc, char **argv, const struct sb_option *options,
        const char **value, struct sb_error *err);

/* Help of one command, from its row. */
void sb_command_help(const struct sb_command *c);

/* --db, else $SPABENCH_DB, else ./spabench.db. */
const char *sb_database_path(const char *given);
/* Can it be written? For who will do so at the end. Errors: the store's. */
enum sb_status sb_database_try(const char *path, struct sb_error *err);

/* A reference to data, cut into pieces that point into `text`. */
struct sb_reference {
	char text[4096];
	const char *file, *run, *arm; /* NULL: not given; a run that is not given but could be is "" */
};
/* [FILE:][RUN][/ARM]. Errors: SB_E_USAGE. */
enum sb_status sb_reference_parse(const char *s, struct sb_reference *r, struct sb_error *err);

/* The index of `value` in a NULL-terminated list of words. Errors: SB_E_USAGE naming `option` and the words. */
enum sb_status sb_parse_word(
        const char *value, const char *option, const char *const *words, int *out, struct sb_error *err);

/* The path of this very program, for starting workers of it. Errors: SB_E_ENV. */
enum sb_status sb_own_path(char *out, size_t n, struct sb_error *err);

/* True when `fd` is a terminal that wants colour (NO_COLOR and TERM=dumb say no). */
bool sb_terminal_color(int fd);
int sb_terminal_width(int fd); /* columns; 0 when it is no terminal */
bool sb_terminal_utf8(void);   /* what the locale's variables say */

/* Append a word as a shell takes it for one: in quotes where it needs them. */
void sb_add_shell_word(const char *word, struct sb_buf *out);
/* "spabench" and the words of a command, escaped: what a run keeps of how it was started. */
void sb_add_command_line(int argc, char **argv, struct sb_buf *out);

/* The commands. */
extern const struct sb_option sb_pairs_options[], sb_gate_options[], sb_calibrate_options[], sb_baseline_options[],
        sb_run_options[], sb_compare_options[], sb_list_options[], sb_show_options[], sb_doctor_options[],
        sb_export_options[], sb_replay_options[], sb_micro_options[], sb_capacity_options[], sb_report_options[],
        sb_merge_options[], sb_sweep_options[], sb_worker_options[];
extern const char sb_pairs_details[], sb_gate_details[], sb_calibrate_details[], sb_baseline_details[],
        sb_run_details[], sb_compare_details[], sb_show_details[], sb_doctor_details[], sb_export_details[],
        sb_replay_details[], sb_micro_details[], sb_capacity_details[], sb_report_details[], sb_merge_details[],
        sb_sweep_details[];
enum sb_status sb_cmd_pairs(int argc, char **argv, struct sb_error *err);
enum sb_status sb_cmd_gate(int argc, char **argv, struct sb_error *err);
enum sb_status sb_cmd_calibrate(int argc, char **argv, struct sb_error *err);
enum sb_status sb_cmd_baseline(int argc, char **argv, struct sb_error *err);
enum sb_status sb_cmd_run(int argc, char **argv, struct sb_error *err);
enum sb_status sb_cmd_compare(int argc, char **argv, struct sb_error *err);
enum sb_status sb_cmd_list(int argc, char **argv, struct sb_error *err);
enum sb_status sb_cmd_show(int argc, char **argv, struct sb_error *err);
enum sb_status sb_cmd_doctor(int argc, char **argv, struct sb_error *err);
enum sb_status sb_cmd_export(int argc, char **argv, struct sb_error *err);
enum sb_status sb_cmd_micro(int argc, char **argv, struct sb_error *err);
enum sb_status sb_cmd_replay(int argc, char **argv, struct sb_error *err);
enum sb_status sb_cmd_capacity(int argc, char **argv, struct sb_error *err);
enum sb_status sb_cmd_report(int argc, char **argv, struct sb_error *err);
enum sb_status sb_cmd_merge(int argc, char **argv, struct sb_error *err);
enum sb_status sb_cmd_sweep(int argc, char **argv, struct sb_error *err);
enum sb_status sb_cmd_worker(int argc, char **argv, struct sb_error *err);

#endif
