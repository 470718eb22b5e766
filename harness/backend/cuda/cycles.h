/* cycles: what lies between two readings of the multiprocessors' clocks. Without CUDA, so that it is tested anywhere.
 */
#ifndef SB_CUDA_CYCLES_H
#define SB_CUDA_CYCLES_H

#include "markers.h"
#include "sb_backend.h"

/*
 * begin, end [n]. A multiprocessor that was read twice counts from its last reading in `begin` to its first in `end`;
 * one that is in one of them alone, or whose clock did not advance, does not count.
 */
void sb_cycles_between(const struct sb_marker *begin, const struct sb_marker *end, int n, struct sb_device_cycles *out);

#endif
