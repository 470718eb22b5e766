/* A plot that a run cannot give itself, drawn of the newest run of the same device in the same database that can. */
#ifndef SB_OTHER_RUN_H
#define SB_OTHER_RUN_H

#include "plots_internal.h"

typedef bool sb_plot_fits(const struct sb_plots_input *other, const struct sb_plots_input *own);
typedef bool sb_plot_draw(struct sb_plot *p);

/*
 * False: there is no such run. Else *made is what draw() says; the caption begins with which run it is, `which` in
 * words: "that counted in the hardware". While draw() is called, p->in is that run, with the own one's summary.
 */
bool sb_plot_of_other(struct sb_plot *p, sb_plot_fits *fits, sb_plot_draw *draw, const char *which, bool *made);

#endif
