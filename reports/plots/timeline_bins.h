/* A memory timeline thinned to as many columns as a picture has: the least and the largest of each, so no peak is lost.
 */
#ifndef SB_TIMELINE_BINS_H
#define SB_TIMELINE_BINS_H

#include "plots_internal.h"

enum { SB_BINS = 700, SB_STAGES_MAX = 256 };

struct sb_bin {
	int64_t allocated[2], active[2], reserved[2], requested[2]; /* least, largest */
	int64_t unused;                                             /* largest of reserved - active */
};

struct sb_stage_span {
	char name[64];
	int64_t from_ns, to_ns;
};

struct sb_bins {
	struct sb_bin v[SB_BINS];
	int n; /* up to the last event */
	int64_t end_ns, events, cut;
	bool requested; /* it is known */
	struct sb_stage_span stages[SB_STAGES_MAX];
	int n_stages;
};

/* The first complete trace trial of an arm that has a timeline: its index; -1: none, and *why says so. */
int sb_timeline_trial(const struct sb_plots_input *in, int arm, const char **why);
/* When the last event of a trial was; 0: its timeline cannot be read. */
int64_t sb_timeline_end(const struct sb_plots_input *in, int trial);
/* bins of bin_ns each. False: it cannot be read. */
bool sb_timeline_bins(const struct sb_plots_input *in, int trial, int64_t bin_ns, struct sb_bins *out);

#endif
