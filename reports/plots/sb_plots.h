/*
 * plots: a run as pictures, by gnuplot. Each plot is one row of a table (plots.c): a writer turns what summary/ and
 * store/ give into a file of data, a script of ours draws it. Data (NAME.dat), what the script has to be told
 * (NAME.var) and the script (NAME.gp) stay beside the pictures, so that `gnuplot NAME.gp` in that folder draws it
 * again.
 *
 * A plot that cannot be made is told with its reason and stops no other one. Without gnuplot the data and scripts are
 * there, and every plot says what is missing.
 */
#ifndef SB_PLOTS_H
#define SB_PLOTS_H

#include "sb_store.h"
#include "sb_summary.h"

/* A run that has been read, and its summary. All borrowed. */
struct sb_plots_input {
	struct sb_store *store; /* for traces, timelines and other runs; NULL: those plots are missing */
	const struct sb_run *run;
	const struct sb_trials *trials;
	const struct sb_samples *samples;
	const struct sb_summary *summary;
};

/* All zero: every plot, two processes side by side, ten seconds each. */
struct sb_plots_options {
	const char *only;    /* the id of the one plot that is wanted; NULL: all */
	const char *gnuplot; /* the program; NULL: found in PATH */
	const char *scripts; /* the folder of the scripts; NULL: where they were installed, else in the source tree */
	int limit_ms;        /* for one plot, after which gnuplot is ended */
	int jobs;
	bool (*stop)(void); /* true: end what runs and start no more; NULL: never */
};

struct sb_plot_made {
	const char *id, *title; /* static */
	char *caption;          /* units, n, what the intervals are, device and run; "" where there is no plot */
	char *svg_text;         /* the SVG file's text; NULL: there is none */
	/* File names relative to the folder; NULL: not made. */
	char *svg, *png, *data, *script;
	char *absent; /* why there is no picture; NULL: there is */
	bool failed;  /* there could be one, but gnuplot did not draw it */
};

struct sb_plots {
	struct sb_plot_made *v; /* in the order in which a reader wants them */
	size_t n;
	char *absent; /* why there is no picture at all, "gnuplot is not installed"; NULL: there may be */
};

/*
 * Make the plots of a run in `folder`, which is made unless it is there. Errors: SB_E_USAGE: opt->only is no plot;
 * SB_E_DATA: the folder cannot be written; SB_E_NOMEM; SB_E_INTERRUPTED: opt->stop said so. opt may be NULL.
 */
enum sb_status sb_plots_make(const struct sb_plots_input *in, const char *folder, const struct sb_plots_options *opt,
        struct sb_plots *out, struct sb_error *err);
void sb_plots_release(struct sb_plots *p);

/* The plots there are, for a list of choices; NULL behind the last. */
const char *sb_plot_id(size_t i);
const char *sb_plot_title(size_t i);

#endif
