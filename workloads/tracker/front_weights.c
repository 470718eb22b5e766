/* Prepared weights of the front end: every live tensor of the table, then the tables that follow from the size. */
#include "front_internal.h"
#include "sb_weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DINO   "aggregator.patch_embed."
#define ALIGN  256 /* bytes; what every device's vector loads are content with */

struct entry {
	char name[SB_TENSOR_NAME_MAX];
	int64_t shape[4];
	int ndim;
	enum sb_weight_use use;
	size_t offset; /* in the segment */
};

struct loader {
	struct sb_front_net *net;
	struct entry *entries;
	size_t n, cap, bytes;
	bool failed;
	const struct sb_weights *weights;
	float *scratch; /* host, the largest tensor */
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

static size_t count(const int64_t *shape, int ndim)
{
	size_t n = 1;

	for (int i = 0; i < ndim; i++)
		n *= (size_t)shape[i];
	return n;
}

static size_t reserve_bytes(struct loader *l, size_t bytes)
{
	size_t at = l->bytes;

	l->bytes += (bytes + ALIGN - 1) / ALIGN * ALIGN;
	return at;
}

/* Called for each live tensor. Tokens and positional tables are not prepared one by one: derived() makes ours of them. */
static void add_entry(void *ctx, const char *name, const int64_t *shape, int ndim)
{
	struct loader *l = ctx;
	struct entry *e;

	if (!has(name, "empty_pose_tokens") && (has(name, "_token") || has(name, "pos_embed")))
		return;
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 256;
		struct entry *more = realloc(l->entries, cap * sizeof(*more));

		if (!more) {
			l->failed = true;
			return;
		}
		l->entries = more;
		l->cap = cap;
	}
	e = &l->entries[l->n++];
	*e = (struct entry){ .ndim = ndim, .use = use_of(name, ndim) };
	snprintf(e->name, sizeof(e->name), "%s", name);
	memcpy(e->shape, shape, (size_t)ndim * sizeof(*shape));
	e->offset = reserve_bytes(l, l->net->be->ops->weight_bytes(l->net->be, e->use, shape, ndim));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* a + b; every name of the table fits. */
static void join(char out[SB_TENSOR_NAME_MAX], const char *a, const char *b)
{
	if (snprintf(out, SB_TENSOR_NAME_MAX, "%s%s", a, b) >= SB_TENSOR_NAME_MAX)
		SB_BUG("tensor name '%s%s' is too long", a, b);
}

static const struct entry *find(const struct loader *l, const char *name)
{
	struct entry key;

	join(key.name, name, "");
	return bsearch(&key, l->entries, l->n, sizeof(key), by_name);
}

static const struct entry *need(const struct loader *l, const char *prefix, const char *name)
{
	char full[SB_TENSOR_NAME_MAX];
	const struct entry *e;

	join(full, prefix, name);
	e = find(l, full);
	if (!e)
		SB_BUG("no tensor '%s' in the table", full);
	return e;
}

static const float *at(const struct loader *l, const struct entry *e)
{
	return (const float *)((const char *)l->net->segment + e->offset);
}

static const float *tensor(const struct loader *l, const char *prefix, const char *name)
{
	return at(l, need(l, prefix, name));
}

static struct sb_norm_weight norm(const struct loader *l, const char *prefix, const char *name)
{
	char base[SB_TENSOR_NAME_MAX];

	join(base, prefix, name);
	return (struct sb_norm_weight){ tensor(l, base, ".weight"), tensor(l, base, ".bias") };
}

static struct sb_linear_weight linear(const struct loader *l, const char *prefix, const char *name)
{
	char base[SB_TENSOR_NAME_MAX];
	const struct entry *w;

	join(base, prefix, name);
	w = need(l, base, ".weight");
	return (struct sb_linear_weight){ at(l, w), tensor(l, base, ".bias"), w->shape[1], w->shape[0] };
}

static struct sb_conv_weight conv(const struct loader *l, const char *prefix, const char *name)
{
	char base[SB_TENSOR_NAME_MAX], full[SB_TENSOR_NAME_MAX];
	const struct entry *w, *b;
	bool transposed;

	join(base, prefix, name);
	w = need(l, base, ".weight");
	transposed = w->use == SB_WEIGHT_CONV_TRANSPOSE;
	join(full, base, ".bias");
	b = find(l, full);
	return (struct sb_conv_weight){ at(l, w), b ? at(l, b) : NULL, w->shape[transposed ? 0 : 1],
		w->shape[transposed ? 1 : 0], (int)w->shape[2] };
}

static struct sb_block_weight block(const struct loader *l, const char *list, int i, int heads, bool qk_norm)
{
	char p[SB_TENSOR_NAME_MAX];
	struct sb_block_weight b = { .heads = heads };

	snprintf(p, sizeof(p), "%s.%d.", list, i);
	b.norm1 = norm(l, p, "norm1");
	b.norm2 = norm(l, p, "norm2");
	b.qkv = linear(l, p, "attn.qkv");
	b.proj = linear(l, p, "attn.proj");
	b.fc1 = linear(l, p, "mlp.fc1");
	b.fc2 = linear(l, p, "mlp.fc2");
	b.ls1 = tensor(l, p, "ls1.gamma");
	b.ls2 = tensor(l, p, "ls2.gamma");
	b.scale = (float)(1.0 / sqrt((double)b.qkv.in / heads));
	if (qk_norm) {
		b.q_norm = norm(l, p, "attn.q_norm");
		b.k_norm = norm(l, p, "attn.k_norm");
	}
	return b;
}

static bool blocks(const struct loader *l, const char *list, int n, bool qk_norm, struct sb_block_weight **out)
{
	*out = calloc((size_t)n, sizeof(**out));
	for (int i = 0; *out && i < n; i++)
		(*out)[i] = block(l, list, i, l->net->cfg.heads, qk_norm);
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

	t->pos = reserve_bytes(l, patches * dim * sizeof(float));
	t->dino_specials = reserve_bytes(l, 2 * SB_FRONT_SPECIAL * dim * sizeof(float));
	t->specials = reserve_bytes(l, 2 * SB_FRONT_SPECIAL * dim * sizeof(float));
	t->rope = reserve_bytes(l, (size_t)rope_positions(net) * head_dim / 2 * sizeof(float));
	for (int i = 0; i < 5; i++) {
		struct code_shape s = code_shape(net, i);

		t->code_u[i] = reserve_bytes(l, (size_t)(s.w * s.c / 2) * sizeof(float));
		t->code_v[i] = reserve_bytes(l, (size_t)(s.h * s.c / 2) * sizeof(float));
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

static enum sb_status prepare(struct loader *l, size_t offset, const float *host, int64_t n, struct sb_error *err)
{
	struct sb_backend *be = l->net->be;

	return be->ops->weight_prepare(be, SB_WEIGHT_PLAIN, &n, 1, host, (char *)l->net->segment + offset, err);
}

/*
 * Rows of special tokens [2, 5, dim], for frame 0 and for the others, from tensors [1, 2, rows, dim] (per frame) or
 * [1, rows, dim]. tmp: room for 8 rows.
 */
static enum sb_status specials_from(const struct sb_weights *weights, const char *first, const char *rest, bool per_frame,
		int64_t dim, float *out, float *tmp, struct sb_error *err)
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
static enum sb_status fill_positions(struct loader *l, const struct tables *t, float *table, float *pos, float *specials,
		struct sb_error *err)
{
	const struct sb_front_net *net = l->net;
	const int64_t dim = net->cfg.dim, ph = net->h / 14, pw = net->w / 14, side = net->cfg.img / 14;
	const int64_t shape[3] = { 1, side * side + 1, dim };
	const float *values;

	if (specials_from(l->weights, DINO "cls_token", DINO "register_tokens", false, dim, specials, specials + 10 * dim, err) ||
			sb_weights_get(l->weights, DINO "pos_embed", shape, 3, table, &values, err))
		return err->code;
	for (int64_t i = 0; i < dim; i++) { /* the class token's own position; registers have none */
		specials[i] += values[i];
		specials[SB_FRONT_SPECIAL * dim + i] += values[i];
	}
	sb_pos_embed_resize(values + dim, (int)ph, (int)pw, (int)dim, pos);
	sb_weights_drop(l->weights, DINO "pos_embed");
	if (prepare(l, t->pos, pos, ph * pw * dim, err))
		return err->code;
	return prepare(l, t->dino_specials, specials, 2 * SB_FRONT_SPECIAL * dim, err);
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
		status = specials_from(l->weights, "aggregator.camera_token", "aggregator.register_token", true, dim, specials,
				specials + 10 * dim, err);
	if (!status)
		status = prepare(l, t->specials, specials, 2 * SB_FRONT_SPECIAL * dim, err);
	fill_rope(net, table);
	if (!status)
		status = prepare(l, t->rope, table, rope_positions(net) * dim / net->cfg.heads / 2, err);
	for (int i = 0; i < 5 && !status; i++) {
		struct code_shape s = code_shape(net, i);

		fill_code(aspect / diagonal, s.w, s.c, table);
		status = prepare(l, t->code_u[i], table, s.w * s.c / 2, err);
		fill_code(1.0 / diagonal, s.h, s.c, table);
		if (!status)
			status = prepare(l, t->code_v[i], table, s.h * s.c / 2, err);
	}
	free(table);
	return status;
}

/* ---- putting it together ------------------------------------------------------------------------------------- */

static void wire_depth(const struct loader *l, const struct tables *t)
{
	struct sb_depth_weight *d = &l->net->depth;
	const char *segment = l->net->segment;
	char name[64];

	d->norm = norm(l, "depth_head.", "norm");
	for (int k = 0; k < 4; k++) {
		snprintf(name, sizeof(name), "projects.%d", k);
		d->project[k] = conv(l, "depth_head.", name);
		d->project_code[k] = (struct sb_position_code){ (const float *)(segment + t->code_u[k]),
			(const float *)(segment + t->code_v[k]) };
		snprintf(name, sizeof(name), "layer%d_rn", k + 1);
		d->rn[k] = conv(l, "depth_head.scratch.", name);
		snprintf(name, sizeof(name), "depth_head.scratch.refinenet%d.", k + 1);
		if (k < 3) {
			d->refine[k].rcu1.conv1 = conv(l, name, "resConfUnit1.conv1");
			d->refine[k].rcu1.conv2 = conv(l, name, "resConfUnit1.conv2");
		}
		d->refine[k].rcu2.conv1 = conv(l, name, "resConfUnit2.conv1");
		d->refine[k].rcu2.conv2 = conv(l, name, "resConfUnit2.conv2");
		d->refine[k].out = conv(l, name, "out_conv");
	}
	d->resize[0] = conv(l, "depth_head.", "resize_layers.0");
	d->resize[1] = conv(l, "depth_head.", "resize_layers.1");
	d->resize[2] = conv(l, "depth_head.", "resize_layers.3");
	d->out1 = conv(l, "depth_head.scratch.", "output_conv1");
	d->out2 = conv(l, "depth_head.scratch.", "output_conv2.0");
	d->out3 = conv(l, "depth_head.scratch.", "output_conv2.2");
	d->out_code = (struct sb_position_code){ (const float *)(segment + t->code_u[4]),
		(const float *)(segment + t->code_v[4]) };
}

static enum sb_status wire(const struct loader *l, const struct tables *t, struct sb_error *err)
{
	struct sb_front_net *net = l->net;
	struct sb_camera_weight *cam = &net->camera;
	const char *segment = net->segment, *p = "camera_head.";

	net->patch = conv(l, DINO, "patch_embed.proj");
	net->dino_norm = norm(l, DINO, "norm");
	net->pos = (const float *)(segment + t->pos);
	net->dino_specials = (const float *)(segment + t->dino_specials);
	net->specials = (const float *)(segment + t->specials);
	net->rope = (const float *)(segment + t->rope);
	cam->token_norm = norm(l, p, "token_norm");
	cam->trunk_norm = norm(l, p, "trunk_norm");
	cam->embed = linear(l, p, "embed_pose");
	cam->modulation = linear(l, p, "poseLN_modulation.1");
	cam->fc1 = linear(l, p, "pose_branch.fc1");
	cam->fc2 = linear(l, p, "pose_branch.fc2");
	cam->empty_pose = tensor(l, p, "empty_pose_tokens");
	wire_depth(l, t);
	if (!blocks(l, DINO "blocks", net->cfg.vit_depth, false, &net->dino) ||
			!blocks(l, "aggregator.frame_blocks", net->cfg.depth, true, &net->frame) ||
			!blocks(l, "aggregator.global_blocks", net->cfg.depth, true, &net->global) ||
			!blocks(l, "camera_head.trunk", net->cfg.trunk, false, &cam->trunk))
		return sb_fail(err, SB_E_NOMEM, "no memory for the network's tables");
	return SB_OK;
}

static enum sb_status fill_weights(struct loader *l, struct sb_error *err)
{
	struct sb_backend *be = l->net->be;
	size_t largest = 0;

	for (size_t i = 0; i < l->n; i++) {
		size_t n = count(l->entries[i].shape, l->entries[i].ndim);

		largest = n > largest ? n : largest;
	}
	l->scratch = malloc(largest * sizeof(float));
	if (!l->scratch)
		return sb_fail(err, SB_E_NOMEM, "no memory for a tensor of %zu values", largest);
	for (size_t i = 0; i < l->n; i++) {
		const struct entry *e = &l->entries[i];
		const float *values;

		if (sb_weights_get(l->weights, e->name, e->shape, e->ndim, l->scratch, &values, err))
			return err->code;
		if (be->ops->weight_prepare(be, e->use, e->shape, e->ndim, values, (char *)l->net->segment + e->offset, err))
			return sb_wrap(err, "weight '%s'", e->name);
		sb_weights_drop(l->weights, e->name);
	}
	return SB_OK;
}

enum sb_status sb_front_net_open(struct sb_backend *be, const struct sb_front_config *cfg, int64_t h, int64_t w,
		const struct sb_weights *weights, struct sb_front_net **out, struct sb_error *err)
{
	struct sb_front_net *net = calloc(1, sizeof(*net));
	struct loader l = { .net = net, .weights = weights };
	struct tables t;
	enum sb_status status;
	uintptr_t segment;

	if (!net)
		return sb_fail(err, SB_E_NOMEM, "no memory for the network");
	*net = (struct sb_front_net){ .cfg = *cfg, .h = h, .w = w, .be = be };
	sb_front_tensors(cfg, add_entry, &l);
	reserve_tables(&l, &t);
	if (l.failed) {
		status = sb_fail(err, SB_E_NOMEM, "no memory for the table of tensors");
		goto out;
	}
	qsort(l.entries, l.n, sizeof(*l.entries), by_name);
	net->bytes = (int64_t)l.bytes;
	status = sb_pages_segment_alloc(be->pages, net->bytes, &segment, err);
	if (status) {
		sb_wrap(err, "weights of %lld bytes", (long long)net->bytes);
		goto out;
	}
	net->segment = (void *)segment;
	status = fill_weights(&l, err);
	if (!status)
		status = fill_tables(&l, &t, err);
	if (!status)
		status = wire(&l, &t, err);
out:
	free(l.scratch);
	free(l.entries);
	if (status)
		sb_front_net_close(net);
	else
		*out = net;
	return status;
}

void sb_front_net_close(struct sb_front_net *net)
{
	if (!net)
		return;
	if (net->segment) /* what the device says of earlier work has no meaning here */
		(void)sb_pages_segment_free(net->be->pages, (uintptr_t)net->segment, net->bytes, NULL);
	free(net->dino);
	free(net->frame);
	free(net->global);
	free(net->camera.trunk);
	free(net);
}

int64_t sb_front_net_bytes(const struct sb_front_net *net)
{
	return net->bytes;
}
