/* The tracker as a workload: a case becomes a clip, a preset's network and passes over them. */
#include "sb_tracker.h"
#include "sb_clip.h"
#include "sb_front.h"
#include "quality.h"
#include "save.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Prepared weights of every level pair that the arms ask for: gemm x conv. */
#define NETS 4

struct sb_workload {
	struct sb_backend *be;
	const struct sb_preset *preset;
	struct sb_clip clip;
	struct sb_front_input input;
	struct sb_weight_file *weight_file;    /* NULL: synthetic weights */
	struct sb_front_net *nets[NETS], *net; /* net: of the current levels */
	struct sb_front_outputs out, reference;
	float *scratch; /* [frames, h, w], for quality: it must not fail after a trial that did not */
	bool have_reference;
};

static void tracker_close(struct sb_workload *w)
{
	if (!w)
		return;
	for (int i = 0; i < NETS; i++)
		sb_front_net_close(w->nets[i]);
	sb_front_outputs_release(&w->out);
	sb_front_outputs_release(&w->reference);
	free(w->scratch);
	sb_clip_release(&w->clip);
	sb_weight_file_close(w->weight_file);
	free(w);
}

/* ---- weights ------------------------------------------------------------------------------------------------- */

struct tally {
	int64_t values;
	uint64_t digest;
};

/* Synthetic weights are identified by the rule and by what it is applied to: names and shapes. */
static void tally_tensor(void *ctx, const char *name, const int64_t *shape, int ndim)
{
	struct tally *t = ctx;
	int64_t n = 1;

	for (int i = 0; i < ndim; i++)
		n *= shape[i];
	t->values += n;
	t->digest = sb_fnv1a(t->digest, name, strlen(name) + 1);
	t->digest = sb_fnv1a(t->digest, shape, (size_t)ndim * sizeof(*shape));
}

static enum sb_status load_weights(
        struct sb_workload *w, const struct sb_case *c, struct sb_workload_info *info, struct sb_error *err)
{
	struct tally t = { 0, SB_FNV1A_INIT + SB_SYNTHETIC_RULE };
	struct sb_weight_facts facts;

	if (c->weights_track[0])
		return sb_fail(err, SB_E_USAGE, "weights of the tracker cannot be used: the tracker is not there yet");
	if (!c->weights_front[0]) {
		sb_front_tensors(&w->preset->front, tally_tensor, &t);
		info->weights_kind = "synthetic";
		info->weights_digest = t.digest;
		info->parameters = t.values;
		return SB_OK;
	}
	if (sb_weight_file_open(c->weights_front, &w->weight_file, err) ||
	        sb_weight_file_check(w->weight_file, &w->preset->front, &facts, err))
		return err->code;
	info->weights_kind = facts.kind;
	info->weights_digest = facts.digest;
	info->parameters = facts.values;
	snprintf(info->weights_note, sizeof(info->weights_note), "%s", facts.note);
	return SB_OK;
}

static const struct sb_weights *weights_of(const struct sb_workload *w)
{
	return w->weight_file ? sb_weight_file_source(w->weight_file) : &sb_weights_synthetic;
}

static enum sb_status load(
        struct sb_workload *w, const struct sb_case *c, struct sb_workload_info *info, struct sb_error *err)
{
	const struct sb_preset_case *dflt;
	struct sb_clip_request req = { .stride = c->stride };
	struct sb_geometry geo;
	int64_t width = c->width, height = c->height;

	if (sb_preset_find(c->preset, &w->preset, err))
		return err->code;
	dflt = &w->preset->dflt;
	if (!width && !c->own_size) {
		width = dflt->width;
		height = dflt->height;
	}
	req.video = c->video[0] ? c->video : NULL;
	req.data_dir = c->data_dir[0] ? c->data_dir : NULL;
	req.raw_width = c->raw_width;
	req.raw_height = c->raw_height;
	req.n_frames = c->frames ? c->frames : dflt->n_frames;
	if (sb_clip_load(&req, &w->clip, err) ||
	        sb_clip_geometry(w->clip.height, w->clip.width, width, height, &geo, err) ||
	        sb_front_outputs_init(&w->out, w->clip.n_frames, geo.out_h, geo.out_w, err) ||
	        sb_front_outputs_init(&w->reference, w->clip.n_frames, geo.out_h, geo.out_w, err))
		return err->code;
	w->scratch = malloc((size_t)(w->clip.n_frames * geo.out_h * geo.out_w) * sizeof(*w->scratch));
	if (!w->scratch)
		return sb_fail(
		        err, SB_E_NOMEM, "no memory to compare results of %lld frames", (long long)w->clip.n_frames);
	w->input = (struct sb_front_input){
		.rgb = w->clip.rgb, .frames = w->clip.n_frames, .h = w->clip.height, .w = w->clip.width, .geo = geo
	};
	*info = (struct sb_workload_info){ .frames = w->clip.n_frames,
		.stride = c->stride ? c->stride : 1,
		.width = geo.out_w,
		.height = geo.out_h,
		.clip_width = w->clip.width,
		.clip_height = w->clip.height,
		.clip_digest = w->clip.digest };
	snprintf(info->clip_source, sizeof(info->clip_source), "%s", w->clip.source);
	snprintf(info->clip_note, sizeof(info->clip_note), "%s", w->clip.note);
	return load_weights(w, c, info, err);
}

static enum sb_status tracker_open(const struct sb_case *c, struct sb_backend *be, struct sb_workload **out,
        struct sb_workload_info *info, struct sb_error *err)
{
	struct sb_workload *w = calloc(1, sizeof(*w));

	if (!w)
		return sb_fail(err, SB_E_NOMEM, "no memory for the workload");
	w->be = be;
	if (load(w, c, info, err)) {
		tracker_close(w);
		return err->code;
	}
	*out = w;
	return SB_OK;
}

static enum sb_status tracker_prepare(struct sb_workload *w, struct sb_error *err)
{
	const struct sb_levels *l = &w->be->levels;
	int i = l->part[SB_PART_PRECISION_GEMM] * 2 + l->part[SB_PART_PRECISION_CONV];
	enum sb_status status = SB_OK;

	w->net = NULL;
	for (int other = 0; other < NETS && w->be->limited; other++) {
		if (other != i) { /* a device that small holds one set of weights, as the application would */
			sb_front_net_close(w->nets[other]);
			w->nets[other] = NULL;
		}
	}
	if (!w->nets[i])
		status = sb_front_net_open(w->be, &w->preset->front, w->input.geo.out_h, w->input.geo.out_w,
		        weights_of(w), &w->nets[i], err);
	if (!status)
		w->net = w->nets[i];
	return status;
}

static int64_t tracker_weights_bytes(const struct sb_workload *w)
{
	return w->net ? sb_front_net_bytes(w->net) : 0;
}

static enum sb_status tracker_run(struct sb_workload *w, bool perturb, struct sb_error *err)
{
	w->input.perturb = perturb;
	return sb_front_run(w->be, w->net, &w->input, &w->out, NULL, err);
}

static void tracker_set_reference(struct sb_workload *w)
{
	memcpy(w->reference.depth, w->out.depth, sb_front_outputs_floats(&w->out) * sizeof(float));
	w->have_reference = true;
}

static int tracker_quality(const struct sb_workload *w, struct sb_measure out[SB_QUALITY_MAX])
{
	return w->have_reference ? sb_front_quality(&w->reference, &w->out, w->scratch, out) : 0;
}

static enum sb_status tracker_save(const struct sb_workload *w, const struct sb_save *to, struct sb_error *err)
{
	return sb_front_save(&w->out, to, err);
}

const struct sb_workload_ops sb_workload_tracker = {
	.name = "tracker",
	.open = tracker_open,
	.close = tracker_close,
	.prepare = tracker_prepare,
	.weights_bytes = tracker_weights_bytes,
	.run = tracker_run,
	.set_reference = tracker_set_reference,
	.quality = tracker_quality,
	.save = tracker_save,
};
