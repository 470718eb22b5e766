/*
 * presets: the networks and cases that have names. Uses base and weights.
 */
#ifndef SB_PRESETS_H
#define SB_PRESETS_H

#include "sb_weights.h"

/* What is run with a network. */
struct sb_preset_case {
	int64_t n_frames;
	int64_t width, height; /* of the network's input, pixels */
	int64_t n_queries;     /* the user's points */
	int64_t n_support;     /* points the tracker adds for the cameras */
	int64_t n_iterations;  /* refinement iterations of the tracker */
};

struct sb_preset {
	const char *name; /* the word after --preset */
	struct sb_front_config front;
	int64_t track_h, track_w;   /* working resolution of the tracker */
	struct sb_preset_case dflt; /* what runs when nothing else is asked for */
};

extern const struct sb_preset sb_presets[];
extern const size_t sb_n_presets;

/* The preset lives for ever. Errors: SB_E_USAGE listing what exists. */
enum sb_status sb_preset_find(const char *name, const struct sb_preset **out, struct sb_error *err);

#endif
