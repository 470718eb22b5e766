/*
 * messages: what the frames carry, read from bytes that another process wrote: it may be of another build, or dying.
 * Nothing here reads a descriptor, so that the fuzz targets reach all of it.
 */
#ifndef SB_MESSAGES_H
#define SB_MESSAGES_H

#include "protocol.h"
#include "sb_experiment.h"

#include <jansson.h>

/*
 * JSON, or NULL: it is none, or *no_memory. (jansson's own functions give a wrong value when memory is short for a
 * moment.)
 */
json_t *sb_message_load(const char *data, size_t size, bool *no_memory);

/* The text of a message, which it takes; NULL when out of memory or given NULL. The same of jansson's json_dumps(). */
char *sb_message_text(json_t *j);

/*
 * A frame of the wanted type as JSON. Caller: json_decref(*out).
 * Errors: the worker's own, from an ERROR frame; SB_E_DATA for anything else.
 */
enum sb_status sb_message_open(const struct sb_frame *f, enum sb_frame_type want, json_t **out, struct sb_error *err);

/* What the parent wants of a worker. Errors, *out untouched: SB_E_DATA; those of sb_levels_parse(). */
enum sb_status sb_message_setup(const struct sb_frame *f, struct sb_worker_setup *out, struct sb_error *err);

void sb_message_hello(json_t *j, struct sb_worker_facts *f);
void sb_message_ready(json_t *j, struct sb_worker_facts *f);
/*
 * Fill *r; *rows is how many trace rows follow in a frame of their own. The caller releases *r, after a failure too.
 * Errors: SB_E_NOMEM, SB_E_DATA.
 */
enum sb_status sb_message_result(json_t *j, struct sb_trial_result *r, size_t *rows, struct sb_error *err);
/*
 * The trace rows announced by the result in *r. Takes f->data, always.
 * Errors: SB_E_DATA: another number of rows, or a row whose name or launch shape is none of the result's.
 */
enum sb_status sb_message_rows(struct sb_frame *f, size_t rows, struct sb_trial_result *r, struct sb_error *err);
/*
 * The memory timeline announced by the result in *r (r->timeline_bytes > 0). Takes f->data, always. What is in it is
 * not looked at: whoever reads it later does. Errors: SB_E_DATA: another frame or another length.
 */
enum sb_status sb_message_timeline(struct sb_frame *f, struct sb_trial_result *r, struct sb_error *err);

#endif
