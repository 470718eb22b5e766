/*
 * The folder that a report is written to. Files are put into a folder of their own first and moved to their place when
 * all are there, so that no half of a report is ever to be seen. Private to cli.
 */
#ifndef SB_REPORT_FOLDER_H
#define SB_REPORT_FOLDER_H

#include "sb_base.h"

/* Names the files of a report, one a line: by it a folder is known as one of ours. */
#define SB_REPORT_LIST ".spabench-report"

struct sb_report_folder {
	const char *path; /* borrowed */
	char *temporary;  /* where the files are put meanwhile */
	bool there;       /* the folder was there already */
};

/*
 * A folder that is not there is made; one that is must be empty or hold a report, unless forced. Errors: SB_E_USAGE: it
 * is not to be used; SB_E_DATA: it cannot be written.
 */
enum sb_status sb_report_folder_open(struct sb_report_folder *f, const char *path, bool force, struct sb_error *err);
/* A file of the report, "plots/x.dat"; its folder is made. */
enum sb_status sb_report_folder_put(
        const struct sb_report_folder *f, const char *name, const void *data, size_t n, struct sb_error *err);
/*
 * Move everything to its place: files of an earlier report are replaced, or removed where there is no such file any
 * more; what else is in the folder stays. Ends it, whatever comes of it.
 */
enum sb_status sb_report_folder_publish(struct sb_report_folder *f, struct sb_error *err);
/* A folder and all that is in it, as far as that can be removed. */
void sb_report_remove_tree(const char *path);
void sb_report_folder_abandon(struct sb_report_folder *f); /* after a failure; nothing to do after publish() */

#endif
