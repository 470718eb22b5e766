/* The tracker as a workload: a case becomes a clip, a preset's two networks and passes over them. */
#include "offload_measures.h"
#include "planted.h"
#include "prepare.h"
#include "quality.h"
#include "save.h"
#include "sb_clip.h"
#include "sb_front.h"
#include "sb_points.h"
#include "sb_tracker.h"
#include "track_quality.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Prepared weights of every level pair that the arms ask for: gemm x conv x offload. */
#define NETS 12

#define TIME_ROWS_MAX 4096 /* of a time embedding, in a file */

/* What a pass leaves in host memory. */
struct results {
	struct sb_front_outputs front;
	struct sb_track_outputs track;
};

struct sb_workload {
	struct sb_backend *be;
	const struct sb_preset *preset;
	struct sb_clip clip;
	struct sb_front_input input;
	struct sb_weight_file *front_file, *track_file; /* NULL: synthetic weights */
	struct {
		struct sb_front_net *front;
		struct sb_track_net *track;
	} nets[NETS], *net; /* net: of the current levels, or NULL */
	struct sb_points points;
	struct sb_prepare prepare;
	struct sb_planted planted;
	bool plant_inputs;          /* depth and cameras are planted: the front end's weights mean nothing */
	bool plant_scene;           /* bundle adjustment has a scene of ours: either network's weights mean nothing */
	const float *planted_depth; /* device */
	struct sb_track_room *room;
	struct results out, reference;
	float *scratch; /* for quality: it must not fail after a trial that did not */
	bool have_reference;
};

static void close_nets(struct sb_workload *w, int i)
{
	sb_front_net_close(w->nets[i].front);
	sb_track_net_close(w->nets[i].track);
	w->nets[i].front = NULL;
	w->nets[i].track = NULL;
}

static void release_results(struct results *r)
{
	sb_front_outputs_release(&r->front);
	sb_track_outputs_release(&r->track);
}

static void tracker_close(struct sb_workload *w)
{
	if (!w)
		return;
	for (int i = 0; i < NETS; i++)
		close_nets(w, i);
	release_results(&w->out);
	release_results(&w->reference);
	sb_track_room_close(w->room);
	sb_planted_release(&w->planted);
	sb_prepare_release(&w->prepare);
	sb_points_release(&w->points);
	free(w->scratch);
	sb_clip_release(&w->clip);
	sb_weight_file_close(w->front_file);
	sb_weight_file_close(w->track_file);
	free(w);
}

/* ---- weights ----------------------------------------------------------------------------------------------------- */

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

/* One network's weights: from a file, or by the rule. */
static enum sb_status load_part(const struct sb_network *net, const char *path, struct sb_weight_file **file,
        struct sb_weight_facts *facts, struct sb_error *err)
{
	struct tally t = { 0, SB_FNV1A_INIT + SB_SYNTHETIC_RULE };

	if (path[0])
		return sb_weight_file_open(path, file, err) || sb_weight_file_check(*file, net, facts, err) ? err->code
		                                                                                            : SB_OK;
	net->tensors(net->config, tally_tensor, &t);
	*facts = (struct sb_weight_facts){ .kind = "synthetic", .values = t.values, .digest = t.digest };
	return SB_OK;
}

static bool from_training(const struct sb_weight_facts *f)
{
	return !strcmp(f->kind, "file");
}

/* Of both networks in a word: the one that says less. */
static const char *kind_of(const struct sb_weight_facts *front, const struct sb_weight_facts *track)
{
	if (!strcmp(front->kind, "synthetic") || !strcmp(track->kind, "synthetic"))
		return "synthetic";
	return from_training(front) ? track->kind : front->kind;
}

static void add_note(char note[512], const char *text)
{
	size_t used = strlen(note);

	if (*text)
		snprintf(note + used, 512 - used, "%s%s", used ? "; " : "", text);
}

static void note_weights(const struct sb_case *c, const struct sb_workload *w, const struct sb_weight_facts *front,
        const struct sb_weight_facts *track, char note[512])
{
	size_t n_track = 0, n_others;

	add_note(note, front->note);
	add_note(note, track->note);
	if (from_training(front) != from_training(track))
		add_note(note, from_training(front) ? "weights: the tracker's are synthetic, the front end's are not"
		                                    : "weights: the front end's are synthetic, the tracker's are not");
	if (w->front_file)
		sb_weight_file_parts(w->front_file, &n_track, &n_others);
	if (n_track && strcmp(c->weights_front, c->weights_track) != 0)
		add_note(note, "weights: the file of the front end has tensors of the "
		               "tracker, which are not used");
}

static enum sb_status load_weights(
        struct sb_workload *w, const struct sb_case *c, struct sb_workload_info *info, struct sb_error *err)
{
	const struct sb_network front_net = sb_network_front(&w->preset->front), track_net = sb_network_track();
	struct sb_weight_facts front, track;

	if (load_part(&front_net, c->weights_front, &w->front_file, &front, err) ||
	        load_part(&track_net, c->weights_track, &w->track_file, &track, err))
		return err->code;
	info->weights_kind = kind_of(&front, &track);
	info->weights_digest = sb_fnv1a(front.digest, &track.digest, sizeof(track.digest));
	info->parameters = front.values + track.values;
	note_weights(c, w, &front, &track, info->weights_note);
	w->plant_inputs = !from_training(&front);
	w->plant_scene = !from_training(&front) || !from_training(&track);
	return SB_OK;
}

static const struct sb_weights *source_of(const struct sb_weight_file *file)
{
	return file ? sb_weight_file_source(file) : &sb_weights_synthetic;
}

/* ---- the case ---------------------------------------------------------------------------------------------------- */

static enum sb_status load_clip(
        struct sb_workload *w, const struct sb_case *c, struct sb_workload_info *info, struct sb_error *err)
{
	const struct sb_preset_case *dflt = &w->preset->dflt;
	struct sb_clip_request req = { .stride = c->stride };
	int64_t width = c->width, height = c->height;
	struct sb_geometry geo;

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
	        sb_clip_geometry(w->clip.height, w->clip.width, width, height, &geo, err))
		return err->code;
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
	return sb_prepare_init(&w->prepare, w->clip.n_frames, geo.out_h, geo.out_w, err);
}

/* What is made up, in a line. */
static void note_planted(const struct sb_workload *w, char note[512])
{
	char scene[160];

	if (w->plant_inputs)
		add_note(note, "planted (synthetic weights): the tracker's depth, intrinsics and cameras");
	if (!w->plant_scene || w->points.cameras != SB_CAMERAS_BA)
		return;
	snprintf(scene, sizeof(scene), "%sthe observations of the bundle adjustment (%lld points), %s",
	        w->plant_inputs ? "" : "planted (synthetic weights): ", (long long)w->planted.shape.points,
	        w->plant_inputs ? "so tracked poses say nothing of an arm" : "whose solution is dropped");
	add_note(note, scene);
}

static enum sb_status load_points(
        struct sb_workload *w, const struct sb_case *c, struct sb_workload_info *info, struct sb_error *err)
{
	const struct sb_prepare *s = &w->prepare;
	struct sb_planted_shape shape = { s->frames, s->h, s->w, s->hr, s->wr, 0, c->seed };
	struct sb_points *p = &w->points;
	int64_t rows;

	if (sb_points_read(c, w->preset, &(struct sb_points_frame){ s->frames, s->h, s->w, s->hr, s->wr }, p, err))
		return err->code;
	shape.points = p->n_support > SB_PLANTED_POINTS_MIN ? p->n_support : SB_PLANTED_POINTS_MIN;
	if (sb_planted_init(&w->planted, &shape, err))
		return err->code;
	w->planted.scene.apply = w->plant_inputs;
	rows = w->track_file ? sb_weight_file_rows(w->track_file, SB_TRACK_TIME) : 0;
	if (rows > 0 && rows <= TIME_ROWS_MAX)
		p->time_len = (int)rows; /* what it was trained with decides, not the mode */
	note_planted(w, info->inputs_note);
	info->points_digest = p->digest;
	info->n_queries = p->n_queries;
	info->n_support = p->n_support;
	info->iterations = p->iterations;
	info->windows = p->windows;
	info->window = p->window;
	info->overlap = p->overlap;
	info->track_width = s->wr;
	info->track_height = s->hr;
	info->cameras = sb_cameras_names[p->cameras];
	return SB_OK;
}

static enum sb_status open_room(struct sb_workload *w, const struct sb_case *c, struct sb_error *err)
{
	const struct sb_prepare *s = &w->prepare;
	const struct sb_points *p = &w->points;
	const struct sb_track_plan plan = {
		.frames = s->frames,
		.h = s->h,
		.w = s->w,
		.hr = s->hr,
		.wr = s->wr,
		.queries = p->queries,
		.n_queries = p->n_queries,
		.n_support = p->n_support,
		.support = p->support,
		.support_sets = p->support_sets,
		.seed = c->seed,
		.window = p->window,
		.overlap = p->overlap,
		.iterations = p->iterations,
		.cameras = p->cameras,
		.planted = w->plant_scene ? &w->planted.scene : NULL,
	};

	return sb_track_room_open(&plan, &w->room, err);
}

static enum sb_status init_results(const struct sb_workload *w, struct results *r, struct sb_error *err)
{
	const struct sb_prepare *s = &w->prepare;

	if (sb_front_outputs_init(&r->front, s->frames, s->h, s->w, err))
		return err->code;
	return sb_track_outputs_init(&r->track, sb_track_room_tracks(w->room), s->frames, err);
}

static enum sb_status load(
        struct sb_workload *w, const struct sb_case *c, struct sb_workload_info *info, struct sb_error *err)
{
	int64_t scratch;

	if (sb_preset_find(c->preset, &w->preset, err) || load_clip(w, c, info, err) || load_weights(w, c, info, err) ||
	        load_points(w, c, info, err) || open_room(w, c, err) || init_results(w, &w->out, err) ||
	        init_results(w, &w->reference, err))
		return err->code;
	scratch = w->prepare.frames * w->prepare.h * w->prepare.w;
	if (w->out.track.tracks * w->out.track.frames > scratch)
		scratch = w->out.track.tracks * w->out.track.frames;
	w->scratch = malloc((size_t)scratch * sizeof(*w->scratch));
	return w->scratch ? SB_OK
	                  : sb_fail(err, SB_E_NOMEM, "no memory to compare results of %lld frames",
	                            (long long)w->prepare.frames);
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

/* ---- passes ------------------------------------------------------------------------------------------------------ */

static enum sb_status open_nets(struct sb_workload *w, int i, struct sb_error *err)
{
	if (!w->nets[i].front && sb_front_net_open(w->be, &w->preset->front, w->prepare.h, w->prepare.w,
	                                 source_of(w->front_file), &w->nets[i].front, err))
		return err->code;
	if (!w->nets[i].track && sb_track_net_open(w->be, w->preset->track_h, w->preset->track_w,
	                                 source_of(w->track_file), &w->nets[i].track, err))
		return err->code;
	return w->plant_inputs ? sb_planted_depth(&w->planted, w->be, &w->planted_depth, err) : SB_OK;
}

static enum sb_status tracker_prepare(struct sb_workload *w, struct sb_error *err)
{
	const struct sb_levels *l = &w->be->levels;
	int i = (l->part[SB_PART_OFFLOAD] * 2 + l->part[SB_PART_PRECISION_GEMM]) * 2 + l->part[SB_PART_PRECISION_CONV];

	w->net = NULL;
	for (int other = 0; other < NETS && w->be->limited; other++)
		if (other != i) /* a device that small holds one set of weights, as the
		                   application would */
			close_nets(w, other);
	if (open_nets(w, i, err))
		return err->code;
	w->net = &w->nets[i];
	return SB_OK;
}

static int64_t tracker_weights_bytes(const struct sb_workload *w)
{
	return w->net ? sb_front_net_bytes(w->net->front) + sb_track_net_bytes(w->net->track) : 0;
}

/* The tracker reads the frames themselves, before the front end's normalisation: they are moved here. */
static enum sb_status perturb_video(struct sb_workload *w, float *video, struct sb_error *err)
{
	const float up = nextafterf(1.0f, 2.0f);
	struct sb_channel_affine_args a = {
		.x = video,
		.y = video,
		.n = w->prepare.frames * w->prepare.h * w->prepare.w,
		.scale = { up, up, up },
	};

	return SB_SUBMIT(w->be, CHANNEL_AFFINE, channel_affine, a, err);
}

static enum sb_status tracker_run(struct sb_workload *w, bool perturb, struct sb_error *err)
{
	struct sb_front_device kept = { .video = NULL };
	struct sb_front_input input = w->input;
	struct sb_front_outputs *front = &w->out.front;
	float *depth, *valid;

	input.perturb = perturb;
	input.keep = &kept;
	if (sb_front_run(w->be, w->net->front, &input, front, NULL, err))
		return err->code;
	struct sb_prepare_input in = {
		.depth = w->plant_inputs ? w->planted_depth : kept.depth,
		.conf = kept.conf,
		.k = w->plant_inputs ? w->planted.k : front->k,
		.c2w = w->plant_inputs ? w->planted.c2w : front->c2w,
		.planted = w->plant_inputs,
	};
	if (sb_prepare_run(&w->prepare, w->be, &in, &depth, &valid, err) ||
	        (perturb && perturb_video(w, kept.video, err)))
		return err->code;
	sb_device_free(w->be, kept.conf);
	sb_device_free(w->be, kept.depth);
	struct sb_track_clip clip = {
		.video = kept.video, .depth = depth, .valid = valid, .k = w->prepare.k, .cam = w->prepare.cam
	};
	if (sb_track_video_run(w->be, w->net->track, w->room, &clip, &w->out.track, NULL, err))
		return err->code;
	if (sb_track_video_info(w->room)->replaced < 0)
		return sb_fail(err, SB_E_DATA,
		        "none of the %lld queries lies on a valid depth: nothing can be tracked; give others with "
		        "--queries or --grid",
		        (long long)w->points.n_queries);
	sb_device_free(w->be, valid);
	sb_device_free(w->be, depth);
	sb_device_free(w->be, kept.video);
	return SB_OK;
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

static void tracker_set_reference(struct sb_workload *w)
{
	const struct results *o = &w->out;

	memcpy(w->reference.front.depth, o->front.depth, sb_front_outputs_floats(&o->front) * sizeof(float));
	memcpy(w->reference.track.xyz2, o->track.xyz2, sb_track_outputs_floats(&o->track) * sizeof(float));
	w->have_reference = true;
}

static int tracker_quality(const struct sb_workload *w, struct sb_measure out[SB_QUALITY_MAX])
{
	const struct sb_prepare *s = &w->prepare;
	int n;

	if (!w->have_reference)
		return 0;
	n = sb_front_quality(&w->reference.front, &w->out.front, w->scratch, out);
	return n + sb_track_quality(&w->reference.track, &w->out.track, (double)s->w / (double)s->wr,
	                   (double)s->h / (double)s->hr, w->scratch, out + n);
}

static struct sb_value steps_of(const struct sb_ba_result *ba)
{
	if (ba->outcome != SB_BA_SKIPPED)
		return sb_value_of((double)ba->iterations);
	return sb_value_absent(ba->points < SB_BA_MIN_POINTS ? "skipped: fewer than 50 points"
	                                                     : "skipped: nothing finite to start from");
}

/* Of bundle adjustments the last: the last window's, in its last iteration. */
static int tracker_measures(const struct sb_workload *w, struct sb_measure out[SB_QUALITY_MAX])
{
	const struct sb_track_video_info *met = sb_track_video_info(w->room);
	const struct sb_ba_result *ba = &met->ba;
	int n = 0;

	if (w->be->levels.part[SB_PART_OFFLOAD] != SB_OFFLOAD_OFF)
		n = sb_offload_measures(w->be, w->net->front, sb_front_net_bytes(w->net->front), out);
	if (!w->plant_inputs) /* a planted depth is valid everywhere */
		out[n++] = (struct sb_measure){ "track.replaced", sb_value_of((double)met->replaced) };
	else
		out[n++] = (struct sb_measure){ "memory.planted_bytes",
			sb_value_of((double)sb_planted_depth_bytes(&w->planted.shape)) };
	if (w->points.cameras == SB_CAMERAS_BA) {
		out[n++] = (struct sb_measure){ "bundle.points", sb_value_of((double)ba->points) };
		out[n++] = (struct sb_measure){ "bundle.steps", steps_of(ba) };
	}
	return n;
}

/*
 * What the tracker was given, once more: the pass does not bring it to the host, but what it is made of is there, and
 * the clean-up is exact on every device.
 */
static void prepared_depth(
        const struct sb_workload *w, float *planted, float *depth, float *valid, float *conf, void *scratch)
{
	const struct sb_prepare *s = &w->prepare;
	struct sb_resize_nearest_args r = { .x = w->out.front.conf,
		.y = conf,
		.n = s->frames,
		.h = s->h,
		.w = s->w,
		.c = 1,
		.out_h = s->hr,
		.out_w = s->wr };
	struct sb_depth_clean_args a = { .depth = depth,
		.valid = valid,
		.conf = conf,
		.frames = s->frames,
		.h = s->hr,
		.w = s->wr,
		.apply = !w->plant_inputs };

	sb_resize_nearest_cpu(&r);
	if (w->plant_inputs)
		sb_planted_depth_host(&w->planted.shape, planted);
	r.x = w->plant_inputs ? planted : w->out.front.depth;
	r.y = depth;
	sb_resize_nearest_cpu(&r);
	sb_depth_clean_cpu(&a, scratch);
}

static enum sb_status tracker_save(const struct sb_workload *w, const struct sb_save *to, struct sb_error *err)
{
	const struct sb_prepare *s = &w->prepare;
	const struct sb_track_video_info *met = sb_track_video_info(w->room);
	const size_t n = (size_t)(s->frames * s->hr * s->wr), planted = (size_t)(s->frames * s->h * s->w);
	const struct sb_depth_clean_args clean = { .frames = s->frames, .h = s->hr, .w = s->wr };
	float *maps = malloc((n * 3 + planted) * sizeof(*maps));
	void *scratch = malloc(sb_depth_clean_cpu_workspace(&clean) + 1);
	enum sb_status status = SB_E_NOMEM;

	if (maps && scratch) {
		const struct sb_track_results tracks = { .out = &w->out.track,
			.n_queries = w->points.n_queries,
			.queries = w->points.queries,
			.follows = met->follows,
			.hr = s->hr,
			.wr = s->wr,
			.depth = maps,
			.valid = maps + n,
			.k = s->k };

		prepared_depth(w, maps + 3 * n, maps, maps + n, maps + 2 * n, scratch);
		status = sb_results_save(&(struct sb_results){ &w->input, &w->out.front, &tracks }, to, err);
	} else {
		sb_fail(err, SB_E_NOMEM, "no memory for the depth of %lld frames", (long long)s->frames);
	}
	free(scratch);
	free(maps);
	return status;
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
	.measures = tracker_measures,
	.save = tracker_save,
};
