/* tracker: the workload that the mission is about: front end, data preparation, tracker. Uses workload and backend. */
#ifndef SB_TRACKER_H
#define SB_TRACKER_H

#include "sb_workload.h"

extern const struct sb_workload_ops sb_workload_tracker;

#endif
