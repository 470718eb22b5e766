/*
 * layer_stream: weights of layers that live in host memory and come to the device as their turn comes, through slots
 * of device memory. With two slots, while the layer in one is at work the next one is copied into the other. The host
 * waits for nothing. A budget keeps some layers resident. A "layer" is whatever comes and goes together: a block, or a
 * whole model.
 *
 * Layers have numbers; `visits` is the order in which a pass uses them, some more than once.
 */
#ifndef SB_LAYER_STREAM_H
#define SB_LAYER_STREAM_H

#include "sb_backend.h"

#define SB_STREAM_SLOTS 2

struct sb_stream_layer {
	size_t bytes;
	int visits; /* in a pass */
	bool streamed;
	size_t placed; /* bytes that its tensors take so far, while they are added */
	void *host;    /* its prepared weights, as they lie in a slot; NULL: resident */
};

struct sb_layer_stream {
	struct sb_backend *be;
	struct sb_stream_layer *layers;
	int *visits; /* after choose(): of streamed layers only */
	int n_layers, n_visits, n_slots;
	size_t slot_bytes;
	const char *const *names; /* of the layers, static; NULL: they have numbers */
	char *slots;              /* device; slot i begins at i * slot_bytes. Its owner's */
};

/* Zeroed before. `visits` is copied. Errors: SB_E_NOMEM. */
enum sb_status sb_stream_init(struct sb_layer_stream *s, struct sb_backend *be, int n_layers, const int *visits,
        int n_visits, struct sb_error *err);
void sb_stream_release(struct sb_layer_stream *s); /* accepts what was zeroed only */
/*
 * With all layers' bytes set: which stay on the device, at most `budget` bytes of them; those most visited first. The
 * others pass through `slots` slots, at most SB_STREAM_SLOTS; with one, a copy waits for the work on the layer before.
 */
void sb_stream_choose(struct sb_layer_stream *s, int64_t budget, int slots);
size_t sb_stream_slots_bytes(const struct sb_layer_stream *s);
size_t sb_stream_host_bytes(const struct sb_layer_stream *s);
/* While weights are prepared: the layer lies finished in slot 0; keep it in host memory. Errors: SB_E_NOMEM. */
enum sb_status sb_stream_store(struct sb_layer_stream *s, int layer, struct sb_error *err);

/*
 * In a pass: start() once, then for each visit in order enter(), the layer's work, leave(). enter() returns by how many
 * bytes the layer lies behind slot 0.
 */
enum sb_status sb_stream_start(const struct sb_layer_stream *s, struct sb_error *err);
enum sb_status sb_stream_enter(
        const struct sb_layer_stream *s, int visit, int layer, size_t *shift, struct sb_error *err);
enum sb_status sb_stream_leave(const struct sb_layer_stream *s, int visit, struct sb_error *err);

#endif
