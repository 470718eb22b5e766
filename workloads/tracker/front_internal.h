/* The prepared network: what front.c runs and front_weights.c builds. Pointers are device memory, shapes as comments.
 */
#ifndef SB_FRONT_INTERNAL_H
#define SB_FRONT_INTERNAL_H

#include "sb_front.h"
#include "weight_set.h"

#define SB_FRONT_CAMERA_ITERATIONS 4

/* The models that the front end is made of, in the order of a pass: offload=model brings them in one by one. */
enum sb_front_part { SB_FRONT_BACKBONE, SB_FRONT_AGGREGATOR, SB_FRONT_CAMERA, SB_FRONT_DEPTH, SB_FRONT_PARTS };

struct sb_block_weight {
	struct sb_norm_weight norm1, norm2, q_norm, k_norm; /* q_norm.w NULL: neither q/k norm nor RoPE */
	struct sb_linear_weight qkv, proj, fc1, fc2;
	const float *ls1, *ls2; /* LayerScale [dim] */
	int heads;
	int layer; /* of the stream; -1: resident, or there with its model */
	float scale;
};

struct sb_camera_weight {
	struct sb_norm_weight token_norm, trunk_norm;
	struct sb_linear_weight embed, modulation, fc1, fc2;
	struct sb_block_weight *trunk;
	const float *empty_pose; /* [9] */
};

struct sb_position_code {
	const float *u, *v; /* [w, c/2], [h, c/2], the factor 0.1 included */
};

struct sb_rcu_weight {
	struct sb_conv_weight conv1, conv2;
};

struct sb_depth_weight {
	struct sb_norm_weight norm;
	struct sb_conv_weight project[4], resize[3], rn[4], out1, out2, out3;
	struct {
		struct sb_rcu_weight rcu1, rcu2; /* rcu1 not in refine[3] */
		struct sb_conv_weight out;
	} refine[4];
	struct sb_position_code project_code[4], out_code;
};

struct sb_front_net {
	struct sb_front_config cfg;
	int64_t h, w;
	struct sb_conv_weight patch;
	const float *pos;           /* [patches, dim] */
	const float *dino_specials; /* [2, 5, dim]: cls + its position, registers; twice */
	const float *specials;      /* [2, 5, dim]: camera and register tokens of frame 0, of the others */
	const float *rope;          /* [max_pos + 1, head_dim/4, 2] */
	struct sb_block_weight *dino, *frame, *global;
	struct sb_norm_weight dino_norm;
	struct sb_camera_weight camera;
	struct sb_depth_weight depth;

	struct sb_layer_stream stream; /* offload: what comes from the host; else empty */
	bool by_parts;                 /* offload=model: its layers are enum sb_front_part */
	bool borrows;                  /* weights and blocks are another net's: only the tables are its own */
	struct sb_weight_set set;      /* holds everything above */
};

#endif
