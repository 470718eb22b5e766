/*
 * weights: a layer's weights made by a rule on the device, in the layout in which ops read them. Only devices have this
 * family: on the CPU whoever wants such weights makes them in place.
 */
#ifndef SB_WEIGHTS_MADE_H
#define SB_WEIGHTS_MADE_H

#include <stdint.h>

enum sb_weights_layout {
	SB_WEIGHTS_PLAIN,         /* as the rule counts */
	SB_WEIGHTS_CHANNELS_LAST, /* out[a, c, b] = value[a, b, c] */
	SB_WEIGHTS_BLOCKS_FIRST,  /* out[c, b, a] = value[a, b, c] */
};

/*
 * Value i of [a, b, c], row-major: z = splitmix64's output from the state key + i gamma (gamma 0x9E3779B97F4A7C15,
 * added before it is mixed); u = (z >> 40) 2^-23 - 1; scale * u, then + offset, each rounded to float32. rounded: to
 * TF32 afterwards, to nearest, ties away from zero. Shapes:  out f32 of a * b * c values, in the layout. Source:
 * Steele, Lea, Flood 2014 (splitmix64).
 */
struct sb_weights_made_args {
	float *out;
	int64_t shape[3]; /* a, b, c */
	uint64_t key;
	float scale, offset;
	enum sb_weights_layout layout;
	int rounded;
};

#endif
