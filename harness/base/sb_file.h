/*
 * file: files that are read and files that are written. Part of base.
 */
#ifndef SB_FILE_H
#define SB_FILE_H

#include "sb_base.h"

#include <stdio.h>

/* ---- reading ------------------------------------------------------------------------------------------------ */

/* NULL for a file; what else there is of that mode (struct stat's st_mode): "it is a pipe, not a file", .. */
const char *sb_no_file(unsigned mode);

/*
 * Open a file for reading; never a pipe, which could keep us waiting for ever, a device, a socket or a folder.
 * -1: not opened, and *why says so (lives until the next call of strerror()).
 */
int sb_open_file(const char *path, const char **why);

/* ---- writing ------------------------------------------------------------------------------------------------ */

/*
 * A file that appears under its name only when it is complete: written beside it, then renamed. A file that
 * was there is replaced; a folder, a device or a pipe is not. Not synchronised to the disk.
 */
struct sb_out_file {
	FILE *f;          /* owned; seekable */
	const char *path; /* borrowed */
	char *temporary;
};

/* Errors of all of these: SB_E_DATA "cannot write 'PATH': reason", SB_E_NOMEM; nothing is left behind then. */
enum sb_status sb_out_file_open(struct sb_out_file *o, const char *path, struct sb_error *err);
enum sb_status sb_out_file_write(struct sb_out_file *o, const void *data, size_t n, struct sb_error *err);
enum sb_status sb_out_file_seek(struct sb_out_file *o, int64_t position, struct sb_error *err);
enum sb_status sb_out_file_finish(struct sb_out_file *o, struct sb_error *err); /* ends it, whatever comes of it */
void sb_out_file_abandon(struct sb_out_file *o); /* after a failure; nothing to do after finish() */

/* A whole file at once. */
enum sb_status sb_out_file_put(const char *path, const void *data, size_t n, struct sb_error *err);

/* The same words for what is no plain file: a folder, say. */
enum sb_status sb_cannot_write(const char *path, const char *why, struct sb_error *err);
enum sb_status sb_check_replaceable(const char *path, struct sb_error *err);

/*
 * The path of `name`, relative to the folder of the running program, into out[n]; true when that can be read. What is
 * installed is found so wherever it was moved to.
 */
bool sb_beside_program(const char *name, char *out, size_t n);

/* A folder for output: made unless it is there; *made when it was. Errors: SB_E_DATA. */
enum sb_status sb_out_folder(const char *path, bool *made, struct sb_error *err);

#endif
