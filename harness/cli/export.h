/* export: what its kinds share. One row a kind in cmd_export.c, one file a kind. */
#ifndef SB_CLI_EXPORT_H
#define SB_CLI_EXPORT_H

#include "sb_base.h"
#include "sb_file.h"

#include <stdio.h>

/* What was asked for. NULL: not given. */
struct sb_export {
	const char *db, *run, *arm; /* of the reference; run NULL or "": the newest */
	const char *out;            /* "-": standard output */
	const char *preset, *part;  /* weights */
	const char *stage;          /* timeline */
	const char *plot;           /* plot: its id */
	double from_ms, to_ms;      /* timeline; to_ms NAN: to the end */
	int block;                  /* timeline; -1: the first complete one */
};

enum sb_status sb_export_weights(const struct sb_export *e, struct sb_error *err);
enum sb_status sb_export_timeline(const struct sb_export *e, struct sb_error *err);
enum sb_status sb_export_csv(const struct sb_export *e, struct sb_error *err);
enum sb_status sb_export_json(const struct sb_export *e, struct sb_error *err);
enum sb_status sb_export_plot(const struct sb_export *e, struct sb_error *err);

/*
 * Where the result goes: a file that appears when it is complete, or standard output. finish() ends it, also after a
 * failure, whose status is handed through.
 */
struct sb_export_target {
	struct sb_out_file file;
	bool to_file;
	FILE *f; /* where to write, in either case */
};
enum sb_status sb_export_begin(const struct sb_export *e, struct sb_export_target *t, struct sb_error *err);
enum sb_status sb_export_finish(struct sb_export_target *t, enum sb_status status, struct sb_error *err);

#endif
