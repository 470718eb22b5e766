/* What the files that write JSON share: values that may be missing, and text that is none. */
#ifndef SB_REPORTS_JSON_PARTS_H
#define SB_REPORTS_JSON_PARTS_H

#include <jansson.h>

#include "sb_reports.h"

/*
 * A document is built between sb_json_begin() and sb_json_write() in one thread; when memory for a part of it runs out,
 * it is not written. These take ownership of `value`.
 */
void sb_json_begin(void);
void sb_json_put(json_t *object, const char *key, json_t *value);
void sb_json_push(json_t *array, json_t *value);
/* Write the document and release it. No byte of it can drive a terminal. Errors: sb_report_write(). */
enum sb_status sb_json_write(json_t *root, FILE *out, struct sb_error *err);

/* Null for no text. Bytes that are not UTF-8 are escaped rather than lost. */
json_t *sb_json_text(const char *s);
/* Nanoseconds and bytes are whole numbers, and stay so as long as a double tells them apart. Null if not finite. */
json_t *sb_json_number(double x);
/* Wall clock, "2026-11-22T13:42:05Z"; null for 0. */
json_t *sb_json_time(int64_t ns);
/* Stored JSON as JSON; what is none stays text. */
json_t *sb_json_stored(const char *s);
/* "key": number, or "key": null and "key_absent": why. */
void sb_json_put_value(json_t *object, const char *key, struct sb_value v);

/* Words, a list. */
json_t *sb_json_cautions(unsigned cautions);

/* effects_data.c: what each switch brings, a list; see sb_summary.h. */
json_t *sb_json_effects(const struct sb_summary *s);

#endif
