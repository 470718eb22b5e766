/* The same arms on several machines, in the formats of the other tables. Part of reports. */
#ifndef SB_MACHINES_REPORT_H
#define SB_MACHINES_REPORT_H

#include <stdio.h>

#include "sb_base.h"
#include "sb_machines.h"

enum sb_status sb_machines_text(const struct sb_machines *m, FILE *out, struct sb_error *err);
enum sb_status sb_machines_markdown(const struct sb_machines *m, FILE *out, struct sb_error *err);
enum sb_status sb_machines_csv(const struct sb_machines *m, FILE *out, struct sb_error *err);
/* {"format": "spabench-machines", "schema_version": 1, ..} */
enum sb_status sb_machines_json(const struct sb_machines *m, FILE *out, struct sb_error *err);

#endif
