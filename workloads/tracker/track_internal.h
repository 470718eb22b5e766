/* The prepared tracker: what track.c runs and track_weights.c builds. Pointers are device memory. */
#ifndef SB_TRACK_INTERNAL_H
#define SB_TRACK_INTERNAL_H

#include "sb_front.h"
#include "sb_track_net.h"
#include "weight_set.h"

#define SB_TRACK_LEVELS   4
#define SB_TRACK_DEPTH    3  /* time + space rounds of the update transformer */
#define SB_TRACK_VIRTUAL  64 /* virtual tracks */
#define SB_TRACK_HIDDEN   384
#define SB_TRACK_TOKEN2   1110 /* 2-D token: vis 1, conf 1, correlation 1024, motion 84 */
#define SB_TRACK_TOKEN3   1260 /* 3-D token: vis 1, conf 1, correlation 1024, motion 84, geometry 150 */
#define SB_TRACK_FEATURES 128
#define SB_TRACK_HEADS    8

/* An attention block of the tracker. norm_context.w NULL: a self block, whose keys take the queries' own norm. */
struct sb_track_block {
	struct sb_norm_weight norm_context;
	struct sb_linear_weight q, kv, out, fc1, fc2;
	int heads;
	float scale;
};

struct sb_mlp_weight {
	struct sb_linear_weight fc1, fc2;
};

struct sb_track_net {
	int64_t h, w; /* working resolution */

	struct {
		struct sb_conv_weight conv1, conv2, conv3;
		struct sb_conv_weight res[4][2][2], down[4]; /* [layer][unit][conv]; down of layers 1..3 */
	} fnet;
	struct sb_mlp_weight corr, corr_depth, rel_pos, corr_xyz, xyz, proj_xyz;
	struct {
		struct sb_track_block cross, aggr;
		struct sb_linear_weight out_proj;
	} pointformer;
	struct sb_linear_weight input_transform, flow_head, vis_conf_head, point_head, pro_head, residual_head;
	struct sb_track_block time2[SB_TRACK_DEPTH], time3[SB_TRACK_DEPTH];
	struct sb_track_block track2switcher[SB_TRACK_DEPTH], virtual2point[SB_TRACK_DEPTH],
	        virtual2switcher[SB_TRACK_DEPTH], switcher2virtual[SB_TRACK_DEPTH], self_virtual[SB_TRACK_DEPTH],
	        self_switcher[SB_TRACK_DEPTH], point2virtual[SB_TRACK_DEPTH], switcher2track[SB_TRACK_DEPTH];
	const float *virtual_tracks; /* [64, 384] */
	int time_len;                /* rows of the stored time embedding: 60 offline, 20 online */

	struct sb_weight_set set; /* holds everything above */
};

/*
 * The time embedding at t rows: [sin(p omega) | cos(p omega)], omega = 10000^(-k/(dim/2)), p = 0 .. len - 1, in double;
 * when t != len linearly interpolated along time (align_corners=False). out [t, dim], host. Source: 4.6.
 */
void sb_time_embedding(int64_t len, int64_t t, int64_t dim, float *out);

#endif
