#include "layer_stream.h"

#include <stdlib.h>
#include <string.h>

enum sb_status sb_stream_init(struct sb_layer_stream *s, struct sb_backend *be, int n_layers, const int *visits,
        int n_visits, struct sb_error *err)
{
	struct sb_stream_layer *layers = calloc((size_t)n_layers + 1, sizeof(*layers));
	int *copy = calloc((size_t)n_visits + 1, sizeof(*copy));

	if (!layers || !copy) {
		free(layers);
		free(copy);
		return sb_fail(err, SB_E_NOMEM, "no memory for the table of streamed layers");
	}
	for (int v = 0; v < n_visits; v++) {
		copy[v] = visits[v];
		layers[visits[v]].visits++;
	}
	*s = (struct sb_layer_stream){
		.be = be, .layers = layers, .visits = copy, .n_layers = n_layers, .n_visits = n_visits
	};
	return SB_OK;
}

void sb_stream_release(struct sb_layer_stream *s)
{
	for (int i = 0; i < s->n_layers; i++)
		sb_backend_host_free(s->be, s->layers[i].host);
	free(s->layers);
	free(s->visits);
	*s = (struct sb_layer_stream){ .be = NULL };
}

/* The resident candidate: most visits, the first of them; -1: none fits. */
static int next_resident(const struct sb_layer_stream *s, int64_t left)
{
	int best = -1;

	for (int i = 0; i < s->n_layers; i++) {
		const struct sb_stream_layer *l = &s->layers[i];

		if (l->streamed && (int64_t)l->bytes <= left && (best < 0 || l->visits > s->layers[best].visits))
			best = i;
	}
	return best;
}

void sb_stream_choose(struct sb_layer_stream *s, int64_t budget, int slots)
{
	int kept = 0, i;

	for (i = 0; i < s->n_layers; i++)
		s->layers[i].streamed = true;
	while ((i = next_resident(s, budget)) >= 0) {
		s->layers[i].streamed = false;
		budget -= (int64_t)s->layers[i].bytes;
	}
	for (int v = 0; v < s->n_visits; v++) {
		const struct sb_stream_layer *l = &s->layers[s->visits[v]];

		if (!l->streamed)
			continue;
		s->visits[kept++] = s->visits[v];
		if (l->bytes > s->slot_bytes)
			s->slot_bytes = l->bytes;
	}
	s->n_visits = kept;
	if (slots < 1 || slots > SB_STREAM_SLOTS)
		SB_BUG("%d slots", slots);
	s->n_slots = kept < slots ? kept : slots;
}

size_t sb_stream_slots_bytes(const struct sb_layer_stream *s)
{
	return (size_t)s->n_slots * s->slot_bytes;
}

size_t sb_stream_host_bytes(const struct sb_layer_stream *s)
{
	size_t sum = 0;

	for (int i = 0; i < s->n_layers; i++)
		sum += s->layers[i].host ? s->layers[i].bytes : 0;
	return sum;
}

enum sb_status sb_stream_store(struct sb_layer_stream *s, int layer, struct sb_error *err)
{
	struct sb_stream_layer *l = &s->layers[layer];
	struct sb_op op = { .id = SB_OP_DOWNLOAD };

	if (!l->host && sb_backend_host_alloc(s->be, l->bytes, &l->host, err))
		return s->names ? sb_wrap(err, "offload of the %s", s->names[layer])
		                : sb_wrap(err, "offload of layer %d", layer);
	op.u.download = (struct sb_transfer_args){ l->host, s->slots, l->bytes };
	if (s->be->ops->submit(s->be, &op, err) || s->be->ops->sync(s->be, err))
		return err->code;
	return SB_OK;
}

static int slot_of(const struct sb_layer_stream *s, int visit)
{
	return visit % s->n_slots;
}

static enum sb_status fetch(const struct sb_layer_stream *s, int visit, struct sb_error *err)
{
	const struct sb_stream_layer *l;
	struct sb_stream_args a;

	if (visit >= s->n_visits)
		return SB_OK;
	l = &s->layers[s->visits[visit]];
	a = (struct sb_stream_args){
		.dst = s->slots + (size_t)slot_of(s, visit) * s->slot_bytes,
		.src = l->host,
		.bytes = l->bytes,
		.slot = slot_of(s, visit),
	};
	s->be->streamed_bytes += (int64_t)l->bytes;
	return SB_SUBMIT(s->be, STREAM, stream, a, err);
}

enum sb_status sb_stream_start(const struct sb_layer_stream *s, struct sb_error *err)
{
	for (int v = 0; v < s->n_slots; v++)
		if (fetch(s, v, err))
			return err->code;
	return SB_OK;
}

enum sb_status sb_stream_enter(
        const struct sb_layer_stream *s, int visit, int layer, size_t *shift, struct sb_error *err)
{
	if (visit >= s->n_visits || s->visits[visit] != layer)
		SB_BUG("layer %d is not the one of visit %d", layer, visit);
	*shift = (size_t)slot_of(s, visit) * s->slot_bytes;
	return s->be->ops->stream_wait ? s->be->ops->stream_wait(s->be, slot_of(s, visit), err) : SB_OK;
}

enum sb_status sb_stream_leave(const struct sb_layer_stream *s, int visit, struct sb_error *err)
{
	if (s->be->ops->stream_done && s->be->ops->stream_done(s->be, slot_of(s, visit), err))
		return err->code;
	return fetch(s, visit + s->n_slots, err);
}
