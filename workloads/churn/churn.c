#include "sb_churn.h"

#include "offload_measures.h"
#include "sb_clip.h"
#include "sb_front.h"
#include "sb_presets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS      12 /* gemm x conv x offload */
#define HEIGHTS_MAX SB_CHURN_CLIPS

struct sized_net {
	int64_t height;
	struct sb_front_net *net;
};

struct sb_workload {
	struct sb_backend *be;
	const struct sb_preset *preset;
	struct sb_churn_clip list[SB_CHURN_CLIPS];
	struct sb_front_input input[SB_CHURN_CLIPS]; /* frames and geometry of each */
	bool as_modules;                             /* of the requests for memory; see sb_churn.h */
	int64_t width;
	struct sb_clip clip; /* the longest; the others take its first frames */
	struct {
		struct sized_net sized[HEIGHTS_MAX]; /* the first holds the weights, the others tables */
		int n;
	} levels[LEVELS];
	int current; /* of levels, or -1 */
	struct sb_front_outputs room;
};

static void close_level(struct sb_workload *w, int level)
{
	for (int i = w->levels[level].n - 1; i >= 0; i--)
		sb_front_net_close(w->levels[level].sized[i].net);
	w->levels[level].n = 0;
}

static void churn_close(struct sb_workload *w)
{
	if (!w)
		return;
	for (int level = 0; level < LEVELS; level++)
		close_level(w, level);
	sb_front_outputs_release(&w->room);
	sb_clip_release(&w->clip);
	free(w);
}

/* ---- the case ------------------------------------------------------------------------------------------------ */

static enum sb_status check_case(const struct sb_case *c, struct sb_error *err)
{
	const struct {
		bool given;
		const char *option;
	} foreign[] = { { c->weights_front[0] || c->weights_track[0], "--weights" }, { c->frames != 0, "--frames" },
		{ c->height != 0 || c->own_size, "--size" },
		{ c->queries[0] || c->grid || c->support || c->support_file[0], "points to track" },
		{ c->iterations || c->window || c->overlap || c->mode[0] || c->cameras[0],
		        "settings of the tracker" } };

	for (size_t i = 0; i < SB_ARRAY_LEN(foreign); i++)
		if (foreign[i].given)
			return sb_fail(err, SB_E_USAGE,
			        "the churn workload has a list of clips and synthetic weights of its own: no %s",
			        foreign[i].option);
	return SB_OK;
}

static int64_t longest(const struct sb_workload *w)
{
	int64_t frames = 0;

	for (int i = 0; i < SB_CHURN_CLIPS; i++)
		frames = w->list[i].frames > frames ? w->list[i].frames : frames;
	return frames;
}

static enum sb_status load_clip(struct sb_workload *w, const struct sb_case *c, struct sb_error *err)
{
	const struct sb_clip_request req = { .video = c->video[0] ? c->video : NULL,
		.data_dir = c->data_dir[0] ? c->data_dir : NULL,
		.raw_width = c->raw_width,
		.raw_height = c->raw_height,
		.stride = c->stride,
		.n_frames = longest(w) };

	if (sb_clip_load(&req, &w->clip, err))
		return err->code;
	for (int i = 0; i < SB_CHURN_CLIPS; i++) {
		struct sb_front_input *in = &w->input[i];

		*in = (struct sb_front_input){
			.rgb = w->clip.rgb, .frames = w->list[i].frames, .h = w->clip.height, .w = w->clip.width
		};
		if (sb_clip_geometry(w->clip.height, w->clip.width, w->width, w->list[i].height, &in->geo, err))
			return err->code;
	}
	return SB_OK;
}

/* Room for the largest results. */
static enum sb_status make_room(struct sb_workload *w, struct sb_error *err)
{
	int64_t frames = 0, height = 0, most = 0;

	for (int i = 0; i < SB_CHURN_CLIPS; i++) {
		const struct sb_churn_clip *c = &w->list[i];
		const struct sb_front_outputs o = { .frames = c->frames, .h = c->height, .w = w->width };

		if ((int64_t)sb_front_outputs_floats(&o) <= most)
			continue;
		most = (int64_t)sb_front_outputs_floats(&o);
		frames = c->frames;
		height = c->height;
	}
	return sb_front_outputs_init(&w->room, frames, height, w->width, err);
}

static void fill_info(const struct sb_workload *w, struct sb_workload_info *info)
{
	int64_t low = w->list[0].height, high = low, few = w->list[0].frames;

	for (int i = 1; i < SB_CHURN_CLIPS; i++) {
		low = w->list[i].height < low ? w->list[i].height : low;
		high = w->list[i].height > high ? w->list[i].height : high;
		few = w->list[i].frames < few ? w->list[i].frames : few;
	}
	*info = (struct sb_workload_info){ .frames = longest(w),
		.stride = 1,
		.width = w->width,
		.height = high,
		.clip_width = w->clip.width,
		.clip_height = w->clip.height,
		.clip_digest = w->clip.digest,
		.weights_kind = "synthetic" };
	snprintf(info->clip_source, sizeof(info->clip_source), "%s", w->clip.source);
	snprintf(info->clip_note, sizeof(info->clip_note), "%s", w->clip.note);
	snprintf(info->inputs_note, sizeof(info->inputs_note),
	        "%d clips a pass, one after the other: %lld to %lld frames, %lld to %lld pixels high; memory is asked "
	        "for %s",
	        SB_CHURN_CLIPS, (long long)few, (long long)info->frames, (long long)low, (long long)high,
	        w->as_modules ? "as PyTorch's modules do" : "as spabench's own ops need it");
}

static enum sb_status load(
        struct sb_workload *w, const struct sb_case *c, struct sb_workload_info *info, struct sb_error *err)
{
	bool full;

	if (check_case(c, err) || sb_preset_find(c->preset, &w->preset, err))
		return err->code;
	full = !strcmp(w->preset->name, "full");
	w->width = w->preset->dflt.width;
	sb_churn_list(c->seed, w->width, full ? 1 : 8, w->list);
	if (load_clip(w, c, err) || make_room(w, err))
		return err->code;
	fill_info(w, info);
	return SB_OK;
}

static enum sb_status open_as(bool as_modules, const struct sb_case *c, struct sb_backend *be, struct sb_workload **out,
        struct sb_workload_info *info, struct sb_error *err)
{
	struct sb_workload *w = calloc(1, sizeof(*w));

	if (!w)
		return sb_fail(err, SB_E_NOMEM, "no memory for the workload");
	w->be = be;
	w->current = -1;
	w->as_modules = as_modules;
	if (load(w, c, info, err)) {
		churn_close(w);
		return err->code;
	}
	*out = w;
	return SB_OK;
}

static enum sb_status churn_open(const struct sb_case *c, struct sb_backend *be, struct sb_workload **out,
        struct sb_workload_info *info, struct sb_error *err)
{
	return open_as(true, c, be, out, info, err);
}

static enum sb_status churn_own_open(const struct sb_case *c, struct sb_backend *be, struct sb_workload **out,
        struct sb_workload_info *info, struct sb_error *err)
{
	return open_as(false, c, be, out, info, err);
}

/* ---- passes -------------------------------------------------------------------------------------------------- */

static struct sb_front_net *net_for(const struct sb_workload *w, int level, int64_t height)
{
	for (int i = 0; i < w->levels[level].n; i++)
		if (w->levels[level].sized[i].height == height)
			return w->levels[level].sized[i].net;
	return NULL;
}

static enum sb_status add_net(struct sb_workload *w, int level, int64_t height, struct sb_error *err)
{
	int n = w->levels[level].n;
	struct sized_net *s = &w->levels[level].sized[n];
	enum sb_status status;

	if (n)
		status = sb_front_net_resize(
		        w->levels[level].sized[0].net, height, w->width, &sb_weights_synthetic, &s->net, err);
	else
		status = sb_front_net_open(
		        w->be, &w->preset->front, height, w->width, &sb_weights_synthetic, &s->net, err);
	if (status)
		return status;
	s->height = height;
	w->levels[level].n++;
	return SB_OK;
}

static enum sb_status churn_prepare(struct sb_workload *w, struct sb_error *err)
{
	const struct sb_levels *l = &w->be->levels;
	int level =
	        (l->part[SB_PART_OFFLOAD] * 2 + l->part[SB_PART_PRECISION_GEMM]) * 2 + l->part[SB_PART_PRECISION_CONV];

	w->current = -1;
	for (int other = 0; other < LEVELS && w->be->limited; other++)
		if (other != level)
			close_level(w, other);
	for (int i = 0; i < SB_CHURN_CLIPS; i++)
		if (!net_for(w, level, w->list[i].height) && add_net(w, level, w->list[i].height, err))
			return err->code;
	w->current = level;
	return SB_OK;
}

static int64_t churn_weights_bytes(const struct sb_workload *w)
{
	int64_t bytes = 0;

	if (w->current < 0)
		return 0;
	for (int i = 0; i < w->levels[w->current].n; i++)
		bytes += sb_front_net_bytes(w->levels[w->current].sized[i].net);
	return bytes;
}

/* Nothing is left to say of a pass without offload. */
static int churn_measures(const struct sb_workload *w, struct sb_measure out[SB_QUALITY_MAX])
{
	if (w->be->levels.part[SB_PART_OFFLOAD] == SB_OFFLOAD_OFF || w->current < 0)
		return 0;
	return sb_offload_measures(w->be, w->levels[w->current].sized[0].net, churn_weights_bytes(w), out);
}

static enum sb_status churn_run(struct sb_workload *w, bool perturb, struct sb_error *err)
{
	for (int i = 0; i < SB_CHURN_CLIPS; i++) {
		const struct sb_churn_clip *c = &w->list[i];
		struct sb_front_input in = w->input[i];
		struct sb_front_outputs out = sb_front_outputs_as(&w->room, c->frames, c->height, w->width);

		in.perturb = perturb;
		in.as_modules = w->as_modules;
		if (sb_front_run(w->be, net_for(w, w->current, c->height), &in, &out, NULL, err))
			return sb_wrap(err, "clip %d of %d (%lld frames of %lldx%lld)", i + 1, SB_CHURN_CLIPS,
			        (long long)c->frames, (long long)w->width, (long long)c->height);
	}
	return SB_OK;
}

const struct sb_workload_ops sb_workload_churn = {
	.name = "churn",
	.fresh_memory = true,
	.open = churn_open,
	.close = churn_close,
	.prepare = churn_prepare,
	.weights_bytes = churn_weights_bytes,
	.run = churn_run,
	.measures = churn_measures,
};

const struct sb_workload_ops sb_workload_churn_own = {
	.name = "churn-own",
	.fresh_memory = true,
	.open = churn_own_open,
	.close = churn_close,
	.prepare = churn_prepare,
	.weights_bytes = churn_weights_bytes,
	.run = churn_run,
	.measures = churn_measures,
};
