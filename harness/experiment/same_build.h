/* same_build: what differs between two builds' flags, for whoever has to find the build that a run was begun with. */
#ifndef SB_SAME_BUILD_H
#define SB_SAME_BUILD_H

#include "sb_base.h"

/*
 * Append what `is` has and `was` has not, and the reverse: "with -O2, without -O3"; "in another order" where the words
 * are the same. Nothing where the texts are equal. A word counts as often as it stands there.
 */
void sb_flags_difference(const char *was, const char *is, struct sb_buf *out);

#endif
