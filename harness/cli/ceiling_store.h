/* What `spabench micro` saw a device reach, kept as a run without trials, for rooflines. Private to cli. */
#ifndef SB_CEILING_STORE_H
#define SB_CEILING_STORE_H

#include "sb_micro.h"
#include "sb_store.h"

struct sb_ceiling_record {
	const char *command;
	const struct sb_micro_options *options;
	const struct sb_device_info *info;
	const struct sb_micro_ceilings *c;
	int64_t created_ns, memory_limit_bytes; /* limit 0: what the device has */
	int threads;                            /* 0: all */
	unsigned others;                        /* programs on the same GPU, the most that were seen */
	struct sb_value sm_mhz;                 /* at the end */
};

/*
 * Facts of the run, WHAT being copy, fp32 and tf32 (a product's levels): ceiling.WHAT.per_s (bytes or FLOP; the best
 * sample, absent with the reason), and of one that was measured .samples_ns (of one launch, with blanks between),
 * .launches (of which each is the mean), .work (bytes or FLOP of a launch), .shape, .kernel; ceiling.tf32.emulated;
 * ceiling.others; ceiling.sm_mhz. -> its id. Errors: the store's.
 */
enum sb_status sb_ceiling_store(const char *db, const struct sb_ceiling_record *r, char id[33], struct sb_error *err);

#endif
