/*
 * npz_file: arrays of float32 in one file as numpy reads them: a zip archive whose members are .npy files, stored
 * without compression (such values hardly shrink, and stored members can be mapped). Uses base and zlib.
 * Formats: PKWARE's APPNOTE 4.3 (local headers, central directory, end record); numpy's NPY version 1.0.
 */
#ifndef SB_NPZ_FILE_H
#define SB_NPZ_FILE_H

#include "sb_base.h"

#define SB_NPZ_MEMBERS_MAX 32
#define SB_NPZ_DIMS_MAX    8

struct sb_npz;

/*
 * One member after another: begin with its shape (row-major), append its values in pieces of any length, then begin the
 * next, and finish. The file appears under its name when it is complete. path: borrowed until the end. comment: of the
 * archive, at most 65,535 bytes (the rest is left out), NULL for none.
 * Errors: SB_E_DATA "cannot write 'PATH': reason", also for an archive of 4 GiB or more, which this form of the format
 * cannot hold; SB_E_NOMEM. Either finish(), whatever comes of it, or abandon() ends the writer; after an error nothing
 * but abandon() may follow. Nothing is left beside the file.
 * A wrong number of values, a name that is used twice or too many members: a bug.
 */
enum sb_status sb_npz_create(const char *path, struct sb_npz **out, struct sb_error *err);
enum sb_status sb_npz_begin(struct sb_npz *z, const char *name, int ndim, const int64_t *shape, struct sb_error *err);
enum sb_status sb_npz_append(struct sb_npz *z, const float *values, int64_t n, struct sb_error *err);
enum sb_status sb_npz_finish(struct sb_npz *z, const char *comment, struct sb_error *err);
void sb_npz_abandon(struct sb_npz *z); /* accepts NULL */

#endif
