/* What `spabench micro --db` saw a device reach: the roofs of a roofline. */
#ifndef SB_PLOT_CEILINGS_H
#define SB_PLOT_CEILINGS_H

#include "plots_internal.h"

struct sb_ceiling {
	int n;               /* samples; 0: not measured */
	double best, median; /* bytes or FLOP per second, over the samples */
	char shape[40];
	bool emulated;
};

struct sb_ceilings {
	struct sb_ceiling copy, product[2]; /* fp32, tf32 */
	char run[16], date[32];
	char differs[256]; /* "driver ..": in what the two runs' devices or software are not the same, as far as known;
	                      "" */
	long others;       /* programs that were on the same GPU */
};

/*
 * The newest of this run's kind of device in its database that have a copy and a product; of the very same card and
 * software before others. False: there are none.
 */
bool sb_ceilings_find(const struct sb_plots_input *in, struct sb_ceilings *out);

/* "Ceilings by 'spabench micro': a copy of 512 MiB ..": for a caption. */
void sb_ceilings_say(const struct sb_ceilings *c, struct sb_buf *caption);

#endif
