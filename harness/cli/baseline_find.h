/* Baselines as commands see them. Private to cli. */
#ifndef SB_CLI_BASELINE_FIND_H
#define SB_CLI_BASELINE_FIND_H

#include "sb_store.h"

/*
 * Digest of an executable and of the library beside it that drives GPUs, as 16 hex digits; false: it cannot be read.
 */
bool sb_exe_digest(const char *path, char out[17]);
/* One line of a fingerprint for people: its parts between commas. */
void sb_fingerprint_line(const char *fingerprint, struct sb_buf *out);

#endif
