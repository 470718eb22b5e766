/* Outputs that cannot be written, or would be over an input, the database or each other. Private to cli. */
#ifndef SB_OUTPUTS_H
#define SB_OUTPUTS_H

#include "sb_base.h"

struct sb_named_path {
	const char *what; /* "--save", "the database" */
	const char *path; /* NULL or "": not given */
	bool folder;      /* an output that is a folder, made when it is not there */
};

/*
 * True when both name one file: the same device and inode where both are there, else the same name in the same folder.
 */
bool sb_same_file(const char *a, const char *b);
/*
 * Every output must have a folder to lie in and not be in the way of what is there already, and none may be another
 * output or one of `taken`. Errors: SB_E_USAGE naming them. What can still go wrong, as a full disk, shows when
 * writing.
 */
enum sb_status sb_outputs_check(const struct sb_named_path *outputs, size_t n, const struct sb_named_path *taken,
        size_t n_taken, struct sb_error *err);

#endif
