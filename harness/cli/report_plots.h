/* The plots of a report, in the folder it is written to. Private to cli. */
#ifndef SB_REPORT_PLOTS_H
#define SB_REPORT_PLOTS_H

#include "sb_plots.h"
#include "sb_report.h"

struct sb_report_plots {
	struct sb_plots made;
	struct sb_report_plot *v; /* as a report wants them; names of files begin with plots/ */
	size_t n;
	char *absent; /* why there are none at all; NULL: there are */
	char **names; /* owner of the names */
};

/* Into FOLDER/plots. A machine that cannot make plots is no error: out->absent says why. */
enum sb_status sb_report_plots_make(const char *db, const struct sb_plots_input *in, const char *folder,
        bool (*stop)(void), struct sb_report_plots *out, struct sb_error *err);
void sb_report_plots_release(struct sb_report_plots *p);

#endif
