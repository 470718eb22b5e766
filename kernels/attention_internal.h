/* attention_internal: the versions of the efficient CPU path one by one, for tests. */
#ifndef SB_ATTENTION_INTERNAL_H
#define SB_ATTENTION_INTERNAL_H

#include "attention.h"

/* Name of the i-th version that this machine can run, fastest first; NULL behind the last. Static string. */
const char *sb_attention_efficient_cpu_version(int i);
/* sb_attention_efficient_cpu() by version i, which must exist; 0 is the one that it takes itself. */
void sb_attention_efficient_cpu_as(int version, const struct sb_attention_args *a, void *workspace);

#endif
