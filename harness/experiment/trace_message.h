/* trace_message: a trace as a worker sends it: names, roll-up and launch shapes as JSON, rows as they lie in memory. */
#ifndef SB_TRACE_MESSAGE_H
#define SB_TRACE_MESSAGE_H

#include "sb_store.h"

#include <jansson.h>

struct sb_trace;

/* Adds names, sums, launches, rows (their number) and complete to the result. False: out of memory. */
bool sb_trace_to_json(const struct sb_trace *t, json_t *result);
/* t->n_events rows, for the caller to free; NULL: out of memory. */
struct sb_trace_row *sb_trace_to_rows(const struct sb_trace *t);

#endif
