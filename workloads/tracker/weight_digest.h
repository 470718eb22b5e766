/* The digest of a network's weights, made while they are read or written. Private to this folder. */
#ifndef SB_WEIGHT_DIGEST_H
#define SB_WEIGHT_DIGEST_H

#include "sb_base.h"

/*
 * Continue `digest` (start with SB_FNV1A_INIT) with a tensor: FNV-1a of its name, its shape and a hash of its values.
 * That hash takes every bit of every value: 64 Ki values a chunk, eight interleaved chains of multiply and rotate in a
 * chunk, chunks combined with their numbers, so that threads share the work and their number changes nothing.
 * Identity, not security. values [product of shape].
 * Returns the index of the first value that is not finite, or -1.
 */
int64_t sb_weight_digest(uint64_t *digest, const char *name, const int64_t *shape, int ndim, const float *values);

#endif
