/*
 * case_json: what a case tracks, and how, as members of a JSON object: the same in a worker's setup and in the plan
 * that is stored. Private to this folder.
 */
#ifndef SB_CASE_JSON_H
#define SB_CASE_JSON_H

#include "sb_workload.h"

#include <jansson.h>

/* Adds the members. False: no memory. */
bool sb_case_points_to_json(json_t *object, const struct sb_case *c);
/* A member that is not there, as earlier versions left it out, is the default. False: one that is not what it should
 * be. */
bool sb_case_points_from_json(const json_t *object, struct sb_case *c);

#endif
