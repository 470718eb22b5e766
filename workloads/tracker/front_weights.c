/* Prepared weights of the front end: every live tensor of the table, then the tables that follow from the size. */
#include "front_internal.h"
#include "sb_weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DINO "aggregator.patch_embed."
struct loader {
	struct sb_front_net *net;
	struct sb_weight_set *set;
	const struct sb_weights *weights;
};

static bool has(const char *name, const char *part)
{
	return strstr(name, part) != NULL;
}

static enum sb_weight_use use_of(const char *name, int ndim)
{
	if (ndim == 2)
		return SB_WEIGHT_LINEAR;
	if (ndim == 4 && (has(name, "resize_layers.0") || has(name, "resize_layers.1")))
		return SB_WEIGHT_CONV_TRANSPOSE;
	return ndim == 4 && has(name, ".weight") ? SB_WEIGHT_CONV : SB_WEIGHT_PLAIN;
}

/* The number of the block that a tensor belongs to, in the order of a pass; -1: none. */
static int layer_of(const struct sb_front_config *cfg, const char *name)
{
	const struct {
		const char *list;
		int first, step;
	} lists[] = {
		{ DINO "blocks.", 0, 1 },
		{ "aggregator.frame_blocks.", cfg->vit_depth, 2 },
		{ "aggregator.global_blocks.", cfg->vit_depth + 1, 2 },
		{ "camera_head.trunk.", cfg->vit_depth + 2 * cfg->depth, 1 },
	};

	for (size_t i = 0; i < SB_ARRAY_LEN(lists); i++) {
		size_t n = strlen(lists[i].list);

		if (!strncmp(name, lists[i].list, n))
			return lists[i].first + lists[i].step * (int)strtol(name + n, NULL, 10);
	}
	return -1;
}

/* The model that a tensor belongs to. */
static enum sb_front_part part_of(const char *name)
{
	if (!strncmp(name, DINO, sizeof(DINO) - 1))
		return SB_FRONT_BACKBONE;
	if (!strncmp(name, "aggregator.", sizeof("aggregator.") - 1))
		return SB_FRONT_AGGREGATOR;
	return !strncmp(name, "camera_head.", sizeof("camera_head.") - 1) ? SB_FRONT_CAMERA : SB_FRONT_DEPTH;
}

/* Tokens and positional tables are not prepared one by one: fill_tables() makes ours of them. */
static bool is_table(const char *name)
{
	return !has(name, "empty_pose_tokens") && (has(name, "_token") || has(name, "pos_embed"));
}

/* What of the stream a tensor comes with; -1: nothing. */
static int stream_layer(const struct sb_front_net *net, const char *name)
{
	if (!net->stream.n_layers || is_table(name))
		return -1;
	return net->by_parts ? (int)part_of(name) : layer_of(&net->cfg, name);
}

static void measure_entry(void *ctx, const char *name, const int64_t *shape, int ndim)
{
	struct loader *l = ctx;
	int layer = stream_layer(l->net, name);

	if (layer >= 0)
		l->net->stream.layers[layer].bytes += sb_weight_set_size(l->set, use_of(name, ndim), shape, ndim);
}

/* offload=layers: block after block, those of the camera head's trunk in every iteration. */
static enum sb_status plan_blocks(struct loader *l, struct sb_error *err)
{
	struct sb_front_net *net = l->net;
	int once = net->cfg.vit_depth + 2 * net->cfg.depth, n = 0;
	enum sb_status status;
	int *visits;

	visits = calloc((size_t)(once + SB_FRONT_CAMERA_ITERATIONS * net->cfg.trunk) + 1, sizeof(*visits));
	if (!visits)
		return sb_fail(err, SB_E_NOMEM, "no memory for the order of layers");
	for (; n < once; n++)
		visits[n] = n;
	for (int i = 0; i < SB_FRONT_CAMERA_ITERATIONS * net->cfg.trunk; i++)
		visits[n++] = once + i % net->cfg.trunk;
	status = sb_stream_init(&net->stream, l->set->be, once + net->cfg.trunk, visits, n, err);
	free(visits);
	return status;
}

/* offload=model: one model after the other. */
static enum sb_status plan_parts(struct loader *l, struct sb_error *err)
{
	static const int visits[] = { SB_FRONT_BACKBONE, SB_FRONT_AGGREGATOR, SB_FRONT_CAMERA, SB_FRONT_DEPTH };
	static const char *const names[] = { "backbone", "aggregator", "camera head", "depth head" };

	l->net->by_parts = true;
	if (sb_stream_init(&l->net->stream, l->set->be, SB_FRONT_PARTS, visits, SB_FRONT_PARTS, err))
		return err->code;
	l->net->stream.names = names;
	return SB_OK;
}

/* Which weights come from the host, and how. */
static enum sb_status plan_stream(struct loader *l, struct sb_error *err)
{
	struct sb_front_net *net = l->net;
	const struct sb_backend *be = l->set->be;
	int offload = be->levels.part[SB_PART_OFFLOAD];

	if (offload == SB_OFFLOAD_OFF)
		return SB_OK;
	if (offload == SB_OFFLOAD_MODEL ? plan_parts(l, err) : plan_blocks(l, err))
		return err->code;
	sb_front_tensors(&net->cfg, measure_entry, l);
	sb_stream_choose(&net->stream, be->offload_budget, net->by_parts ? 1 : SB_STREAM_SLOTS);
	l->set->stream = &net->stream;
	return SB_OK;
}

/* Called for each live tensor. */
static void add_entry(void *ctx, const char *name, const int64_t *shape, int ndim)
{
	struct loader *l = ctx;
	int layer = stream_layer(l->net, name);

	if (layer >= 0 && l->net->stream.layers[layer].streamed)
		sb_weight_set_add_streamed(l->set, use_of(name, ndim), name, shape, ndim, layer);
	else if (!is_table(name))
		sb_weight_set_add(l->set, use_of(name, ndim), name, shape, ndim);
}

static struct sb_block_weight block(const struct loader *l, const char *list, int i, bool qk_norm)
{
	const struct sb_weight_set *s = l->set;
	const int heads = l->net->cfg.heads;
	char p[SB_TENSOR_NAME_MAX];
	struct sb_block_weight b = { .heads = heads, .layer = -1 };

	snprintf(p, sizeof(p), "%s.%d.", list, i);
	if (s->stream && !l->net->by_parts && s->stream->layers[layer_of(&l->net->cfg, p)].streamed)
		b.layer = layer_of(&l->net->cfg, p);
	b.norm1 = sb_weight_set_norm(s, p, "norm1");
	b.norm2 = sb_weight_set_norm(s, p, "norm2");
	b.qkv = sb_weight_set_linear(s, p, "attn.qkv");
	b.proj = sb_weight_set_linear(s, p, "attn.proj");
	b.fc1 = sb_weight_set_linear(s, p, "mlp.fc1");
	b.fc2 = sb_weight_set_linear(s, p, "mlp.fc2");
	b.ls1 = sb_weight_set_tensor(s, p, "ls1.gamma");
	b.ls2 = sb_weight_set_tensor(s, p, "ls2.gamma");
	b.scale = (float)(1.0 / sqrt((double)b.qkv.in / heads));
	if (qk_norm) {
		b.q_norm = sb_weight_set_norm(s, p, "attn.q_norm");
		b.k_norm = sb_weight_set_norm(s, p, "attn.k_norm");
	}
	return b;
}

static bool blocks(const struct loader *l, const char *list, int n, bool qk_norm, struct sb_block_weight **out)
{
	*out = calloc((size_t)n, sizeof(**out));
	for (int i = 0; *out && i < n; i++)
		(*out)[i] = block(l, list, i, qk_norm);
	return *out != NULL;
}

/* ---- tables that follow from weights and size, made on the host -------------------------------------------- */

struct tables {
	size_t pos, dino_specials, specials, rope, code_u[5], code_v[5];
};

struct code_shape {
	int64_t w, h, c;
};

/* The five position codes: after the four projections, and before the last convolutions. */
static struct code_shape code_shape(const struct sb_front_net *net, int i)
{
	if (i == 4)
		return (struct code_shape){ net->w, net->h, net->cfg.feat / 2 };
	return (struct code_shape){ net->w / 14, net->h / 14, net->cfg.outc[i] };
}

static int64_t rope_positions(const struct sb_front_net *net)
{
	return (net->h > net->w ? net->h : net->w) / 14 + 1;
}

static void reserve_tables(struct loader *l, struct tables *t)
{
	const struct sb_front_net *net = l->net;
	size_t dim = (size_t)net->cfg.dim, patches = (size_t)(net->h / 14 * (net->w / 14));
	size_t head_dim = dim / (size_t)net->cfg.heads;

	t->pos = sb_weight_set_reserve(l->set, patches * dim * sizeof(float));
	t->dino_specials = sb_weight_set_reserve(l->set, 2 * SB_FRONT_SPECIAL * dim * sizeof(float));
	t->specials = sb_weight_set_reserve(l->set, 2 * SB_FRONT_SPECIAL * dim * sizeof(float));
	t->rope = sb_weight_set_reserve(l->set, (size_t)rope_positions(net) * head_dim / 2 * sizeof(float));
	for (int i = 0; i < 5; i++) {
		struct code_shape s = code_shape(net, i);

		t->code_u[i] = sb_weight_set_reserve(l->set, (size_t)(s.w * s.c / 2) * sizeof(float));
		t->code_v[i] = sb_weight_set_reserve(l->set, (size_t)(s.h * s.c / 2) * sizeof(float));
	}
}

/* cos and sin of pos * 100^(-2j/(dim/2)), j < dim/4. */
static void fill_rope(const struct sb_front_net *net, float *out)
{
	int pairs = net->cfg.dim / net->cfg.heads / 4;

	for (int64_t pos = 0; pos < rope_positions(net); pos++) {
		for (int j = 0; j < pairs; j++) {
			double angle = (double)pos * pow(100.0, -(double)j / pairs);

			*out++ = (float)cos(angle);
			*out++ = (float)sin(angle);
		}
	}
}

/*
 * One axis of the DPT head's position code: n values from -(extent)(n-1)/n to +(extent)(n-1)/n, each giving
 * [sin(u omega_k) | cos(u omega_k)], omega_k = 100^(-k/(c/4)), k < c/4; times 0.1.
 */
static void fill_code(double extent, int64_t n, int64_t c, float *out)
{
	int64_t quarter = c / 4;
	double end = extent * (double)(n - 1) / (double)n;

	for (int64_t i = 0; i < n; i++) {
		double u = n > 1 ? -end + 2.0 * end * (double)i / (double)(n - 1) : -end;

		for (int64_t k = 0; k < quarter; k++) {
			double angle = u * pow(100.0, -(double)k / (double)quarter);

			out[i * 2 * quarter + k] = (float)(0.1 * sin(angle));
			out[i * 2 * quarter + quarter + k] = (float)(0.1 * cos(angle));
		}
	}
}

/*
 * Rows of special tokens [2, 5, dim], for frame 0 and for the others, from tensors [1, 2, rows, dim] (per frame) or
 * [1, rows, dim]. tmp: room for 8 rows.
 */
static enum sb_status specials_from(const struct sb_weights *weights, const char *first, const char *rest,
        bool per_frame, int64_t dim, float *out, float *tmp, struct sb_error *err)
{
	const int64_t one[4] = { 1, 2, 1, dim }, four[4] = { 1, 2, 4, dim }, one_for_all[3] = { 1, 1, dim };
	const int64_t four_for_all[3] = { 1, 4, dim };
	size_t row = (size_t)dim * sizeof(float);
	const float *values;

	if (sb_weights_get(weights, first, per_frame ? one : one_for_all, per_frame ? 4 : 3, tmp, &values, err))
		return err->code;
	for (int64_t i = 0; i < 2; i++)
		memcpy(out + i * SB_FRONT_SPECIAL * dim, values + (per_frame ? i * dim : 0), row);
	if (sb_weights_get(weights, rest, per_frame ? four : four_for_all, per_frame ? 4 : 3, tmp, &values, err))
		return err->code;
	for (int64_t i = 0; i < 2; i++)
		memcpy(out + (i * SB_FRONT_SPECIAL + 1) * dim, values + (per_frame ? i * 4 * dim : 0), 4 * row);
	return SB_OK;
}

/* The position table of this size, and the tokens that get a position with it: the first of tables and specials. */
static enum sb_status fill_positions(
        struct loader *l, const struct tables *t, float *table, float *pos, float *specials, struct sb_error *err)
{
	const struct sb_front_net *net = l->net;
	const int64_t dim = net->cfg.dim, ph = net->h / 14, pw = net->w / 14, side = net->cfg.img / 14;
	const int64_t shape[3] = { 1, side * side + 1, dim };
	const float *values;

	if (specials_from(l->weights, DINO "cls_token", DINO "register_tokens", false, dim, specials,
	            specials + 10 * dim, err) ||
	        sb_weights_get(l->weights, DINO "pos_embed", shape, 3, table, &values, err))
		return err->code;
	for (int64_t i = 0; i < dim; i++) { /* the class token's own position; registers have none */
		specials[i] += values[i];
		specials[SB_FRONT_SPECIAL * dim + i] += values[i];
	}
	sb_pos_embed_resize(values + dim, (int)ph, (int)pw, (int)dim, pos);
	sb_weights_drop(l->weights, DINO "pos_embed");
	if (sb_weight_set_table(l->set, t->pos, pos, ph * pw * dim, err))
		return err->code;
	return sb_weight_set_table(l->set, t->dino_specials, specials, 2 * SB_FRONT_SPECIAL * dim, err);
}

static enum sb_status fill_tables(struct loader *l, const struct tables *t, struct sb_error *err)
{
	struct sb_front_net *net = l->net;
	int64_t dim = net->cfg.dim, ph = net->h / 14, pw = net->w / 14, side = net->cfg.img / 14;
	double aspect = (double)net->w / (double)net->h, diagonal = sqrt(aspect * aspect + 1.0);
	size_t floats = (size_t)((side * side + 1 + ph * pw + 20) * dim);
	enum sb_status status = SB_OK;
	float *table, *pos, *specials;

	for (int i = 0; i < 5; i++) {
		struct code_shape s = code_shape(net, i);
		size_t n = (size_t)((s.w > s.h ? s.w : s.h) * s.c);

		floats = n > floats ? n : floats;
	}
	table = malloc(floats * sizeof(float));
	if (!table)
		return sb_fail(err, SB_E_NOMEM, "no memory for the position tables");
	pos = table + (side * side + 1) * dim;
	specials = pos + ph * pw * dim;
	status = fill_positions(l, t, table, pos, specials, err);
	if (!status)
		status = specials_from(l->weights, "aggregator.camera_token", "aggregator.register_token", true, dim,
		        specials, specials + 10 * dim, err);
	if (!status)
		status = sb_weight_set_table(l->set, t->specials, specials, 2 * SB_FRONT_SPECIAL * dim, err);
	fill_rope(net, table);
	if (!status)
		status = sb_weight_set_table(
		        l->set, t->rope, table, rope_positions(net) * dim / net->cfg.heads / 2, err);
	for (int i = 0; i < 5 && !status; i++) {
		struct code_shape s = code_shape(net, i);

		fill_code(aspect / diagonal, s.w, s.c, table);
		status = sb_weight_set_table(l->set, t->code_u[i], table, s.w * s.c / 2, err);
		fill_code(1.0 / diagonal, s.h, s.c, table);
		if (!status)
			status = sb_weight_set_table(l->set, t->code_v[i], table, s.h * s.c / 2, err);
	}
	free(table);
	return status;
}

/* ---- putting it together ------------------------------------------------------------------------------------- */

static struct sb_position_code code_at(const struct sb_weight_set *s, const struct tables *t, int i)
{
	return (struct sb_position_code){ sb_weight_set_at(s, t->code_u[i]), sb_weight_set_at(s, t->code_v[i]) };
}

/* What depends on the size. */
static void wire_tables(const struct loader *l, const struct tables *t)
{
	struct sb_front_net *net = l->net;
	const struct sb_weight_set *s = l->set;

	net->pos = sb_weight_set_at(s, t->pos);
	net->dino_specials = sb_weight_set_at(s, t->dino_specials);
	net->specials = sb_weight_set_at(s, t->specials);
	net->rope = sb_weight_set_at(s, t->rope);
	for (int k = 0; k < 4; k++)
		net->depth.project_code[k] = code_at(s, t, k);
	net->depth.out_code = code_at(s, t, 4);
}

static void wire_depth(const struct loader *l)
{
	struct sb_depth_weight *d = &l->net->depth;
	const struct sb_weight_set *s = l->set;
	char name[64];

	d->norm = sb_weight_set_norm(s, "depth_head.", "norm");
	for (int k = 0; k < 4; k++) {
		snprintf(name, sizeof(name), "projects.%d", k);
		d->project[k] = sb_weight_set_conv(s, "depth_head.", name);
		snprintf(name, sizeof(name), "layer%d_rn", k + 1);
		d->rn[k] = sb_weight_set_conv(s, "depth_head.scratch.", name);
		snprintf(name, sizeof(name), "depth_head.scratch.refinenet%d.", k + 1);
		if (k < 3) {
			d->refine[k].rcu1.conv1 = sb_weight_set_conv(s, name, "resConfUnit1.conv1");
			d->refine[k].rcu1.conv2 = sb_weight_set_conv(s, name, "resConfUnit1.conv2");
		}
		d->refine[k].rcu2.conv1 = sb_weight_set_conv(s, name, "resConfUnit2.conv1");
		d->refine[k].rcu2.conv2 = sb_weight_set_conv(s, name, "resConfUnit2.conv2");
		d->refine[k].out = sb_weight_set_conv(s, name, "out_conv");
	}
	d->resize[0] = sb_weight_set_conv(s, "depth_head.", "resize_layers.0");
	d->resize[1] = sb_weight_set_conv(s, "depth_head.", "resize_layers.1");
	d->resize[2] = sb_weight_set_conv(s, "depth_head.", "resize_layers.3");
	d->out1 = sb_weight_set_conv(s, "depth_head.scratch.", "output_conv1");
	d->out2 = sb_weight_set_conv(s, "depth_head.scratch.", "output_conv2.0");
	d->out3 = sb_weight_set_conv(s, "depth_head.scratch.", "output_conv2.2");
}

static enum sb_status wire(const struct loader *l, struct sb_error *err)
{
	struct sb_front_net *net = l->net;
	struct sb_camera_weight *cam = &net->camera;
	const struct sb_weight_set *s = l->set;
	const char *p = "camera_head.";

	net->patch = sb_weight_set_conv(s, DINO, "patch_embed.proj");
	net->dino_norm = sb_weight_set_norm(s, DINO, "norm");
	cam->token_norm = sb_weight_set_norm(s, p, "token_norm");
	cam->trunk_norm = sb_weight_set_norm(s, p, "trunk_norm");
	cam->embed = sb_weight_set_linear(s, p, "embed_pose");
	cam->modulation = sb_weight_set_linear(s, p, "poseLN_modulation.1");
	cam->fc1 = sb_weight_set_linear(s, p, "pose_branch.fc1");
	cam->fc2 = sb_weight_set_linear(s, p, "pose_branch.fc2");
	cam->empty_pose = sb_weight_set_tensor(s, p, "empty_pose_tokens");
	wire_depth(l);
	if (!blocks(l, DINO "blocks", net->cfg.vit_depth, false, &net->dino) ||
	        !blocks(l, "aggregator.frame_blocks", net->cfg.depth, true, &net->frame) ||
	        !blocks(l, "aggregator.global_blocks", net->cfg.depth, true, &net->global) ||
	        !blocks(l, "camera_head.trunk", net->cfg.trunk, false, &cam->trunk))
		return sb_fail(err, SB_E_NOMEM, "no memory for the network's tables");
	return SB_OK;
}

enum sb_status sb_front_net_open(struct sb_backend *be, const struct sb_front_config *cfg, int64_t h, int64_t w,
        const struct sb_weights *weights, struct sb_front_net **out, struct sb_error *err)
{
	struct sb_front_net *net = calloc(1, sizeof(*net));
	struct loader l = { .net = net, .weights = weights };
	struct tables t;
	enum sb_status status;

	if (!net)
		return sb_fail(err, SB_E_NOMEM, "no memory for the network");
	*net = (struct sb_front_net){ .cfg = *cfg, .h = h, .w = w, .set = { .be = be } };
	l.set = &net->set;
	status = plan_stream(&l, err);
	if (!status) {
		sb_front_tensors(cfg, add_entry, &l);
		reserve_tables(&l, &t);
		status = sb_weight_set_load(&net->set, weights, err);
	}
	if (!status)
		status = fill_tables(&l, &t, err);
	if (!status)
		status = wire(&l, err);
	if (status) {
		sb_front_net_close(net);
		return status;
	}
	wire_tables(&l, &t);
	*out = net;
	return SB_OK;
}

enum sb_status sb_front_net_resize(const struct sb_front_net *base, int64_t h, int64_t w,
        const struct sb_weights *weights, struct sb_front_net **out, struct sb_error *err)
{
	struct sb_front_net *net = calloc(1, sizeof(*net));
	struct loader l = { .net = net, .weights = weights };
	struct tables t;
	enum sb_status status;

	if (!net)
		return sb_fail(err, SB_E_NOMEM, "no memory for the network");
	*net = *base;
	net->h = h;
	net->w = w;
	net->borrows = true;
	net->set = (struct sb_weight_set){ .be = base->set.be };
	l.set = &net->set;
	reserve_tables(&l, &t);
	status = sb_weight_set_load(&net->set, weights, err);
	if (!status)
		status = fill_tables(&l, &t, err);
	if (status) {
		sb_front_net_close(net);
		return status;
	}
	wire_tables(&l, &t);
	*out = net;
	return SB_OK;
}

void sb_front_net_close(struct sb_front_net *net)
{
	if (!net)
		return;
	sb_weight_set_release(&net->set);
	if (!net->borrows) {
		sb_stream_release(&net->stream);
		free(net->dino);
		free(net->frame);
		free(net->global);
		free(net->camera.trunk);
	}
	free(net);
}

int64_t sb_front_net_host_bytes(const struct sb_front_net *net)
{
	return net->borrows ? 0 : (int64_t)sb_stream_host_bytes(&net->stream);
}

int64_t sb_front_net_saved_bytes(const struct sb_front_net *net)
{
	return sb_front_net_host_bytes(net) - (net->borrows ? 0 : (int64_t)sb_stream_slots_bytes(&net->stream));
}

int64_t sb_front_net_bytes(const struct sb_front_net *net)
{
	return (int64_t)net->set.bytes;
}
