/* What is run and where: the options of a case and its worker, for the commands that start workers. Private to cli. */
#ifndef SB_CASE_OPTIONS_H
#define SB_CASE_OPTIONS_H

#include "sb_experiment.h"

/* Apply option `name` (as in the command's table, e.g. "frames") to *s. Errors: SB_E_USAGE; of weights, SB_E_DATA. */
enum sb_status sb_case_option(const char *name, const char *value, struct sb_worker_setup *s, struct sb_error *err);
/* `auto` in device[n] becomes the GPU where one opens; where one might have been expected it is said why not. */
void sb_case_choose_device(char *device, size_t n);
/* What sb_backend_foreign_setting() named, each as NAME=value. */
struct sb_case_settings {
	char text[4][64];
	int n;
};
/* Takes them out of the environment, of workers of other builds too. Before a device is opened, which does the same. */
void sb_case_drop_foreign_settings(struct sb_case_settings *out);
/* Warns of each that was dropped, where `device` ("cuda", "cuda:N") is one that would have read it. */
void sb_case_say_dropped(const struct sb_case_settings *s, const char *device);
/* Words that contradict each other; the rest is known when the clip is. Errors: SB_E_USAGE. */
enum sb_status sb_case_check_words(const struct sb_case *c, struct sb_error *err);
/* Files that are not there, and weights of another part. Errors: SB_E_USAGE, SB_E_DATA. */
enum sb_status sb_case_check_files(const struct sb_case *c, struct sb_error *err);

#endif
