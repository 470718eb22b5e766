/* What the files of plots/ share. */
#ifndef SB_PLOTS_INTERNAL_H
#define SB_PLOTS_INTERNAL_H

#include "sb_plots.h"
#include "sb_stats.h"

/* A plot while it is written. */
struct sb_plot {
	const struct sb_plots_input *in;
	struct sb_buf data;    /* rows for gnuplot: fields between tabs, a # before comments */
	struct sb_buf vars;    /* assignments that the script loads */
	struct sb_buf caption; /* in words, a sentence or two; who made it is added */
	struct sb_buf why;     /* why there is no plot */
	size_t n_trials;       /* the n of the line below the picture; 0: it has none */
	const char *n_what;    /* "timing trials" */
	char of_run[16];       /* the run that it is of, where that is another one; "" */
};

/* Write everything; false: there is nothing to draw, and p->why says so. */
typedef bool sb_plot_writer(struct sb_plot *p);

sb_plot_writer sb_plot_claims, sb_plot_stages, sb_plot_trials, sb_plot_kernels, sb_plot_roofline, sb_plot_memory,
        sb_plot_fragmentation, sb_plot_arms, sb_plot_time_memory, sb_plot_effects, sb_plot_sweep, sb_plot_capacity;

/* ---- plot_text.c: what gnuplot is given -------------------------------------------------------------------------- */

/* Why there is none. Returns false, for the writer to return. */
bool sb_plot_why(struct sb_plot *p, const char *fmt, ...) SB_PRINTF(2, 3);

/*
 * Append stored text so that it is one field of a line whatever it holds: control characters escaped, no quote, no
 * backtick; cut to `columns` (0: not cut).
 */
void sb_plot_field(struct sb_buf *b, const char *text, int columns);
/* A field and the tab before it. */
void sb_plot_cell(struct sb_buf *b, const char *text, int columns);
void sb_plot_number(struct sb_buf *b, double x); /* the same for a number; NaN where there is none */

/* NAME = 'text', quoted and cut to 80 columns. */
void sb_plot_say(struct sb_plot *p, const char *name, const char *text);
void sb_plot_sayf(struct sb_plot *p, const char *name, const char *fmt, ...) SB_PRINTF(3, 4);
void sb_plot_set(struct sb_plot *p, const char *name, double value);
void sb_plot_count(struct sb_plot *p, const char *name, int value);

/* "12.3": for people, `digits` significant ones. */
void sb_plot_figure(struct sb_buf *b, double x, int digits);
/* "10 timing trials", "1 timing trial"; `what` in the singular. */
void sb_plot_how_many(struct sb_buf *b, size_t n, const char *what);
/* "with 95 % intervals", or that there are none: of medians over n. */
const char *sb_plot_intervals(size_t n);
/* "0.332 (0.331..0.333)", "-16.8 GiB"; "-" where there is no effect. */
void sb_plot_effect(struct sb_buf *b, const struct sb_effect *e, enum sb_unit unit, enum sb_compare compare);

/* ---- plot_series.c: what is drawn -------------------------------------------------------------------------------- */

enum sb_plot_trials { SB_PLOT_TIMING, SB_PLOT_TRACE };

/* Is it a trial of that kind that counts: ok, and a complete trace? */
bool sb_plot_counts(const struct sb_trial *t, enum sb_plot_trials kind);
/* A sample, or the sum of several ("a+b"); NAN where one is missing. */
double sb_plot_sample(const struct sb_plots_input *in, size_t trial, const char *metric);
/* Values of an arm's trials, those that are numbers; room for in->trials->n. Returns their number. */
int sb_plot_values(const struct sb_plots_input *in, int arm, const char *metric, enum sb_plot_trials kind, double *out);
/* Median and interval, at the level that the summary uses. n = 0: all NAN. */
struct sb_interval sb_plot_median(
        const struct sb_plots_input *in, int arm, const char *metric, enum sb_plot_trials kind);
struct sb_interval sb_plot_interval(const struct sb_plots_input *in, const double *x, int n, enum sb_plot_trials kind);
/* The ends of an interval, or where there is none the median. */
double sb_plot_lo(const struct sb_interval *i);
double sb_plot_hi(const struct sb_interval *i);
int sb_plot_arm(const struct sb_plots_input *in, const char *name); /* -1: none */

/*
 * Colour and mark of an arm: the same in every plot of every run. Colours are Okabe and Ito's, which colour-blind
 * readers can tell apart (Color Universal Design, 2008), but for grey, a yellow that is seen on white, and brown; marks
 * differ too.
 */
struct sb_plot_look {
	unsigned rgb;
	int mark; /* gnuplot's point type */
};
struct sb_plot_look sb_plot_look(const struct sb_run *run, int arm);

/* For a key, whose words cannot come from a file of data: arrays arm, colour and mark of n rows, from 1. */
void sb_plot_key(struct sb_plot *p, int n);
void sb_plot_key_row(struct sb_plot *p, int row, const char *arm, struct sb_plot_look look);
/* SIDE_name and SIDE_colour of an arm; -1: none. */
void sb_plot_say_side(struct sb_plot *p, const char *side, int arm);
void sb_plot_say_arms(struct sb_plot *p); /* the run's, all of them, and their number: arms */

/* ---- gnuplot.c --------------------------------------------------------------------------------------------------- */

struct sb_gnuplot_job {
	const char *script; /* its name in the folder */
	char *failed;       /* what went wrong, to be freed; NULL: nothing */
	bool hung;
};
/* The program's path, to be freed; NULL where it is not in PATH. */
char *sb_gnuplot_find(void);
/*
 * Run `program script` in `folder` for each job, at most `side_by_side` at once. What takes longer than limit_ms is
 * ended with all that it started, and after it nothing more is begun. False: stop() said so.
 */
bool sb_gnuplot_run(const char *program, const char *folder, struct sb_gnuplot_job *jobs, size_t n, int side_by_side,
        int limit_ms, bool (*stop)(void));

/* ---- svg.c ------------------------------------------------------------------------------------------------------- */

/*
 * gnuplot's SVG made fit for a page: without background, so that it stands on any; black, greys and grid change with
 * the reader's colour scheme; empty groups left out. False: it is no whole SVG.
 */
bool sb_plot_svg(const char *svg, struct sb_buf *out);

#endif
