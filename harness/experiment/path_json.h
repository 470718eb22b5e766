/*
 * path_json: names of files in JSON. A name is bytes, JSON is UTF-8: a name that is UTF-8 is a string, any other
 * {"hex": ".."}. Private to this folder.
 */
#ifndef SB_PATH_JSON_H
#define SB_PATH_JSON_H

#include "sb_base.h"

#include <jansson.h>

/* A new value; NULL when out of memory. */
json_t *sb_path_json(const char *path);
/* The inverse, into out[n]. False, out untouched, for what sb_path_json() did not make or what does not fit. */
bool sb_path_from_json(const json_t *j, char *out, size_t n);

#endif
