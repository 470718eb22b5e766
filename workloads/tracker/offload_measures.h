/* What offload did in a pass, as samples: for every workload that runs the front end. */
#ifndef SB_OFFLOAD_MEASURES_H
#define SB_OFFLOAD_MEASURES_H

#include "sb_front.h"
#include "sb_workload.h"

#define SB_OFFLOAD_MEASURES 7

/*
 * Of the backend's last pass, whose weights are `net`'s: bytes that it took off the device and bytes it moved, and what
 * that cost. `resident_bytes`: what is on the device of that network, tables of other sizes included. Returns how many.
 */
int sb_offload_measures(struct sb_backend *be, const struct sb_front_net *net, int64_t resident_bytes,
        struct sb_measure out[SB_OFFLOAD_MEASURES]);

#endif
