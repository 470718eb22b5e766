/*
 * report: a run as a document for people, from its verdict to the command that repeats it. Says in sentences and tables
 * what summary/ gives, with the plots that there are; what is missing is named with its reason. Computes no statistics.
 */
#ifndef SB_REPORT_H
#define SB_REPORT_H

#include "document.h"

/* A plot as it was made; names of files are relative to the report's folder. */
struct sb_report_plot {
	const char *id, *title, *caption;
	struct sb_picture files;
	const char *absent; /* why it is missing; NULL: it is there */
};

struct sb_ops;

struct sb_report_input {
	const struct sb_run *run;
	const struct sb_trials *trials;
	const struct sb_samples *samples;
	const struct sb_summary *summary;
	/* The run summarised with the main pair's first arm set beside each other arm: a row of the table of all arms.
	 */
	const struct sb_summary *arms;
	size_t n_arms;
	const struct sb_ops *ops; /* calls of ops of the main pair, lined up; NULL: there are none */
	const char *ops_absent;   /* why there are none where there might be; NULL: there are, or there is one arm */
	const struct sb_report_plot *plots;
	size_t n_plots;
	const char *plots_absent; /* why there are no plots at all; NULL: there are */
	const char *pdf_absent;   /* why the PDF that was asked for is missing; NULL: it is not */
	const char *command;      /* what makes this report again */
	const char *database;     /* as it was named */
};

/* Errors: SB_E_NOMEM. The caller ends *out with sb_doc_free(). */
enum sb_status sb_report_build(const struct sb_report_input *in, struct sb_doc **out, struct sb_error *err);

#endif
