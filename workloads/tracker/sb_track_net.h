/*
 * track: the 3-D tracker (fnet, correlations, two-stream update transformer) over one window, against the device
 * interface, written once for every backend. Dead and doubled work of the reference is left out: the query side of the
 * 3-D correlation is made once a window, patches and correlation volumes are tiled, the mean over the 16 neighbours is
 * taken before the last layer, the 64 tokens that change nothing are not carried.
 * Layout: track-major, element (n, t) of a state at n*frames + t.
 * Source: ARCHITECTURE section 4. Cameras (4.9) and clips longer than a window: sb_track_video.h.
 */
#ifndef SB_TRACK_NETWORK_H
#define SB_TRACK_NETWORK_H

#include "sb_backend.h"
#include "sb_weights.h"

#define SB_TRACK_ITERATIONS 4

/* Call fn for every tensor that the tracker reads (names with SB_TRACK_PREFIX). Source: ARCHITECTURE 4.12, 4.13. */
void sb_track_tensors(sb_tensor_fn *fn, void *ctx);
/* The same as a network; an export has the time embedding of the offline checkpoint besides. */
struct sb_network sb_network_track(void);

#define SB_TRACK_TIME \
	SB_TRACK_PREFIX "time_emb" /* [1, rows, 1110]: computed, never read; its rows tell offline from online */

struct sb_track_net;

/* Prepare the tracker's weights for be->levels at working resolution h x w (384 x 512 as released). */
enum sb_status sb_track_net_open(struct sb_backend *be, int64_t h, int64_t w, const struct sb_weights *weights,
        struct sb_track_net **out, struct sb_error *err);
/* Rows of the time embedding: 60 of the offline checkpoint, unless told otherwise; 20 of the online one. */
void sb_track_net_set_time(struct sb_track_net *net, int rows);
void sb_track_net_close(struct sb_track_net *net);
int64_t sb_track_net_bytes(const struct sb_track_net *net);

/* One window. Device memory unless said otherwise; hr x wr is the tracker's resolution ("336"). */
struct sb_track_input {
	const float *video; /* [frames, h, w, 3], 0..255 */
	int64_t frames, h, w;
	const float *depth; /* [frames, hr, wr], cleaned (or planted) */
	const float *valid; /* [frames, hr, wr], 0 or 1 */
	const float *k;     /* [frames, 3, 3] in pixels of hr x wr */
	const float *cam;   /* [frames, 4, 4] camera to world, relative to frame 0 */
	int64_t hr, wr;
	const float *queries; /* host: [n_queries + n_support, 3] = t, x, y in pixels of hr x wr; the user's first */
	int64_t n_queries, n_support;
};

/* Results in host memory, of all n_queries + n_support tracks. */
struct sb_track_outputs {
	int64_t tracks, frames;
	float *xyz2;             /* [tracks, frames, 3]: x, y in pixels of hr x wr, depth */
	float *xyz3;             /* [tracks, frames, 6]: point in the camera of frame t, colour of the query */
	float *vis, *conf, *dyn; /* [tracks, frames] */
	float *c2w;              /* [frames, 4, 4] camera to world, relative to frame 0 */
	float *k;                /* [frames, 3, 3] in pixels of hr x wr */
};
enum sb_status sb_track_outputs_init(struct sb_track_outputs *o, int64_t tracks, int64_t frames, struct sb_error *err);
void sb_track_outputs_release(struct sb_track_outputs *o);
size_t sb_track_outputs_floats(const struct sb_track_outputs *o); /* one block from xyz2 on */

struct sb_front_tap; /* sb_front.h: called with the intermediates that the goldens hold */

/*
 * Stages track.fnet, .prepare, .correlation, .neighbours, .tokens, .transformer, .update, .output. Needs at least 3
 * frames (SB_E_USAGE otherwise). On failure device memory may still be allocated: end the arm.
 */
enum sb_status sb_track_run(struct sb_backend *be, const struct sb_track_net *net, const struct sb_track_input *in,
        struct sb_track_outputs *out, const struct sb_front_tap *tap, struct sb_error *err);

#endif
