/*
 * front: the front end (DINOv2 -> aggregator -> camera head -> DPT head) against the device interface, written once for
 * every backend. All dimensions come from the preset. Dead and doubled work of the reference is left out: four pair
 * outputs are kept instead of all, the second frame resize and the last resize (identities here) are not done, and the
 * 1x1 convolution after each upsampling of the DPT head is done before it (both are linear and the bilinear weights sum
 * to one, so only rounding differs; a quarter of the work).
 * Source: ARCHITECTURE sections 2.1, 2.2, 3.
 */
#ifndef SB_FRONT_H
#define SB_FRONT_H

#include "sb_backend.h"
#include "sb_clip.h"
#include "sb_presets.h"

/* Tokens before the patches in every frame: camera (or cls) and 4 registers. */
#define SB_FRONT_SPECIAL 5

struct sb_front_net; /* prepared weights of one level set, on the device */

/*
 * Prepare all weights for the backend's current levels (be->levels), outside the arm's allocator, and the tables that
 * depend on the network size h x w (position table, RoPE, position codes). Tensors go from `weights` to the device one
 * by one: the host holds the largest one, no second set. Errors: SB_E_NOMEM (device memory), SB_E_USAGE (a size that is
 * not a multiple of 14), those of sb_weights_get().
 */
enum sb_status sb_front_net_open(struct sb_backend *be, const struct sb_front_config *cfg, int64_t h, int64_t w,
        const struct sb_weights *weights, struct sb_front_net **out, struct sb_error *err);
/*
 * The same network for another size: tables of its own (a few MiB) beside the weights of `base`, which must live as
 * long. `weights` and the levels are those that base was opened with. Errors: as sb_front_net_open().
 */
enum sb_status sb_front_net_resize(const struct sb_front_net *base, int64_t h, int64_t w,
        const struct sb_weights *weights, struct sb_front_net **out, struct sb_error *err);
void sb_front_net_close(struct sb_front_net *net);
int64_t sb_front_net_bytes(const struct sb_front_net *net); /* device bytes of weights and tables */
/* Host bytes of weights that are streamed (offload=layers); 0: none are. Release nets before their backend. */
int64_t sb_front_net_host_bytes(const struct sb_front_net *net);
/* The same less the slots they pass through: what the device is spared. */
int64_t sb_front_net_saved_bytes(const struct sb_front_net *net);

/* Results in host memory, allocated once per case. */
struct sb_front_outputs {
	int64_t frames, h, w;
	float *depth, *conf; /* [frames, h, w] */
	float *points;       /* [frames, h, w, 3] */
	float *pose_enc;     /* [frames, 9] activated */
	float *w2c, *c2w;    /* [frames, 4, 4] */
	float *k;            /* [frames, 3, 3] */
};
enum sb_status sb_front_outputs_init(
        struct sb_front_outputs *o, int64_t frames, int64_t h, int64_t w, struct sb_error *err);
/* The same memory laid out for fewer or smaller frames; never released by itself. */
struct sb_front_outputs sb_front_outputs_as(const struct sb_front_outputs *o, int64_t frames, int64_t h, int64_t w);
void sb_front_outputs_release(struct sb_front_outputs *o);
size_t sb_front_outputs_floats(const struct sb_front_outputs *o); /* all of them lie in one block from depth on */

/* What the tracker reads on: kept on the device, in memory of the arm's allocator, the caller's to free. */
struct sb_front_device {
	float *video;        /* [frames, h, w, 3], 0..255, not clamped */
	float *depth, *conf; /* [frames, h, w] */
};

struct sb_front_input {
	const uint8_t *rgb; /* [frames, h, w, 3], host */
	int64_t frames, h, w;
	struct sb_geometry geo; /* to the network's size */
	/*
	 * 1: the normalisation factors are moved by one unit in the last place, and with them every input value: the
	 * drift of the results then says what rounding alone does to them.
	 */
	int perturb;
	struct sb_front_device *keep; /* or NULL */
	/*
	 * Every buffer comes and goes as in PyTorch, whose modules have a result for each operation, and whose
	 * variables live until their function returns: what the allocator is asked for is then what an application asks
	 * for. The results are the same to the bit where no library chooses by alignment. Not with `keep` or a tap.
	 */
	bool as_modules;
};

/* For tests: called with every intermediate that the goldens hold. `data` is device memory, valid during the call. */
struct sb_front_tap {
	void (*fn)(void *ctx, const char *name, int index, const float *data, int64_t n);
	void *ctx;
};

/*
 * One pass: frames in host memory -> results in host memory. Stages front.preprocess, .patch, .dino, .aggregator,
 * .camera, .depth, .output. On failure device memory may still be allocated: end the arm, which returns it.
 */
enum sb_status sb_front_run(struct sb_backend *be, const struct sb_front_net *net, const struct sb_front_input *in,
        struct sb_front_outputs *out, const struct sb_front_tap *tap, struct sb_error *err);

#endif
