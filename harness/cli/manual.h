/* `spabench help --man`, `spabench help --completion`: from the tables that parse the command line, at build time. */
#ifndef SB_MANUAL_H
#define SB_MANUAL_H

#include "sb_base.h"

struct sb_command;
struct sb_option;

/* A page of section 1 as roff with man's macros; c: NULL for the page on spabench as a whole. */
void sb_manual_page(const struct sb_command *c, struct sb_buf *out);

/* Completion for "bash", "zsh" or "fish". Errors: SB_E_USAGE. */
enum sb_status sb_completion(const char *shell, struct sb_buf *out, struct sb_error *err);

/* ---- what the pages and the shells share ------------------------------------------------------------------------ */

/* What an argument may be. */
enum sb_argument {
	SB_ARGUMENT_ANY,  /* a number, a text */
	SB_ARGUMENT_WORD, /* one of the words */
	SB_ARGUMENT_LIST, /* several of the words, with commas between them */
	SB_ARGUMENT_FILE,
	SB_ARGUMENT_FOLDER,
};

/* Of an option, and its words, each with a blank behind it. SB_ARGUMENT_ANY where it takes none. */
enum sb_argument sb_option_words(const struct sb_option *o, struct sb_buf *words);
/* Of what comes after a command's name. A reference to data counts as a file, which it may begin with. */
enum sb_argument sb_operand_words(const struct sb_command *c, struct sb_buf *words);

#endif
