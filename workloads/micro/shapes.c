/*
 * The shapes, as workloads/tracker submits them: a row a shape, in the order of a pass. Ops of one shape are one row,
 * named after the first; test_micro_shapes.c runs the pipeline and compares.
 */
#include "micro_internal.h"

#include <stdio.h>
#include <string.h>

const char *const sb_micro_op_names[] = { "gemm", "conv", "attention", NULL };

/* ---- cases -------------------------------------------------------------------------------------------------- */

const char *const sb_micro_case_names[] = { "i", "ii", "iii", NULL };

/* Source: ARCHITECTURE section 6. */
static const struct {
	int64_t frames, width, height, points;
} cases[] = { { 24, 518, 294, 1012 }, { 60, 518, 392, 1780 }, { 8, 252, 140, 192 } };

enum sb_status sb_micro_case_find(const char *preset, const char *name, struct sb_micro_case *out, struct sb_error *err)
{
	const struct sb_preset *p;
	char shown[64];

	if (sb_preset_find(preset, &p, err))
		return err->code;
	*out = (struct sb_micro_case){ p, "", p->dflt.n_frames, p->dflt.width, p->dflt.height,
		p->dflt.n_queries + p->dflt.n_support, p->dflt.n_iterations };
	if (strcmp(p->name, "full") != 0)
		return name ? sb_fail(err, SB_E_USAGE, "preset '%s' has one case; --case goes with --preset full",
		                      p->name)
		            : SB_OK;
	name = name ? name : "i";
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		if (strcmp(sb_micro_case_names[i], name) != 0)
			continue;
		out->name = sb_micro_case_names[i];
		out->frames = cases[i].frames;
		out->width = cases[i].width;
		out->height = cases[i].height;
		out->points = cases[i].points;
		return SB_OK;
	}
	sb_escape(name, shown, sizeof(shown));
	return sb_fail(err, SB_E_USAGE, "no case '%s' of preset 'full'; there are i, ii and iii", shown);
}

/* ---- lists -------------------------------------------------------------------------------------------------- */

struct list {
	struct sb_micro_shape *v;
	int n;
	enum sb_micro_op op;
};

static struct sb_micro_shape *add(struct list *l, const char *name, int64_t calls)
{
	struct sb_micro_shape *s;

	if (l->n == SB_MICRO_SHAPES_MAX)
		SB_BUG("more than %d shapes", SB_MICRO_SHAPES_MAX);
	s = &l->v[l->n++];
	*s = (struct sb_micro_shape){ .op = l->op, .calls = calls };
	snprintf(s->name, sizeof(s->name), "%s", name);
	return s;
}

/* Parts of a linear beside its product. */
enum { GAMMA = 1, RESIDUAL = 2 };

/* A shape that is there already is called more often. */
static void linear_ld(struct list *l, const char *name, int64_t calls, int64_t rows, int64_t in, int64_t out,
        enum sb_act act, int parts, int64_t ld)
{
	const struct sb_micro_linear a = { rows, in, out, ld, act, parts & GAMMA, parts & RESIDUAL };

	for (int i = 0; i < l->n; i++) {
		const struct sb_micro_linear *b = &l->v[i].u.linear;

		if (b->rows == rows && b->in == in && b->out == out && b->ld == ld && b->act == act &&
		        b->gamma == a.gamma && b->residual == a.residual) {
			l->v[i].calls += calls;
			return;
		}
	}
	add(l, name, calls)->u.linear = a;
}

static void linear(struct list *l, const char *name, int64_t calls, int64_t rows, int64_t in, int64_t out,
        enum sb_act act, int parts)
{
	linear_ld(l, name, calls, rows, in, out, act, parts, out);
}

static void join(char out[SB_MICRO_NAME_MAX], const char *a, const char *b)
{
	snprintf(out, SB_MICRO_NAME_MAX, "%s.%s", a, b);
}

/* ---- products ------------------------------------------------------------------------------------------------ */

/* Front end: fused q, k, v and LayerScale. */
static void vit_block(struct list *l, const char *name, int64_t calls, int64_t rows, int64_t dim)
{
	char full[SB_MICRO_NAME_MAX];

	join(full, name, "qkv");
	linear(l, full, calls, rows, dim, 3 * dim, SB_ACT_NONE, 0);
	join(full, name, "proj");
	linear(l, full, calls, rows, dim, dim, SB_ACT_NONE, GAMMA | RESIDUAL);
	join(full, name, "fc1");
	linear(l, full, calls, rows, dim, 4 * dim, SB_ACT_GELU_ERF, 0);
	join(full, name, "fc2");
	linear(l, full, calls, rows, 4 * dim, dim, SB_ACT_NONE, GAMMA | RESIDUAL);
}

/* Tracker: queries and context apart. */
static void cross_block(struct list *l, const char *name, int64_t calls, int64_t rows, int64_t context, int64_t dim)
{
	char full[SB_MICRO_NAME_MAX];

	join(full, name, "q");
	linear(l, full, calls, rows, dim, dim, SB_ACT_NONE, 0);
	join(full, name, "kv");
	linear(l, full, calls, context, dim, 2 * dim, SB_ACT_NONE, 0);
	join(full, name, "out");
	linear(l, full, calls, rows, dim, dim, SB_ACT_NONE, RESIDUAL);
	join(full, name, "fc1");
	linear(l, full, calls, rows, dim, 4 * dim, SB_ACT_GELU_TANH, 0);
	join(full, name, "fc2");
	linear(l, full, calls, rows, 4 * dim, dim, SB_ACT_NONE, RESIDUAL);
}

static void mlp(struct list *l, const char *name, int64_t calls, int64_t rows, int64_t in, int64_t hidden, int64_t out,
        int64_t ld)
{
	char full[SB_MICRO_NAME_MAX];

	join(full, name, "fc1");
	linear(l, full, calls, rows, in, hidden, SB_ACT_GELU_ERF, 0);
	join(full, name, "fc2");
	linear_ld(l, full, calls, rows, hidden, out, SB_ACT_NONE, 0, ld);
}

static void front_products(struct list *l, const struct sb_micro_case *c)
{
	const struct sb_front_config *f = &c->preset->front;
	int64_t t = c->frames, dim = f->dim, wide = 2 * dim;

	vit_block(l, "front.block", f->vit_depth + 2 * f->depth, t * sb_micro_frame_tokens(c), dim);
	linear(l, "front.camera.embed", CAMERA_ITERATIONS, t, 9, wide, SB_ACT_SILU, 0);
	linear(l, "front.camera.modulation", CAMERA_ITERATIONS, t, wide, 3 * wide, SB_ACT_NONE, 0);
	vit_block(l, "front.camera.trunk", CAMERA_ITERATIONS * f->trunk, t, wide);
	linear(l, "front.camera.pose1", CAMERA_ITERATIONS, t, wide, dim, SB_ACT_GELU_ERF, 0);
	linear(l, "front.camera.pose2", 1, t, dim, 9, SB_ACT_NONE, 0);
	linear(l, "front.camera.pose2+", CAMERA_ITERATIONS - 1, t, dim, 9, SB_ACT_NONE, RESIDUAL);
}

/* The neighbour attention's products: the query side once a window, the rest in tiles of tracks. */
static void neighbour_products(struct list *l, const struct sb_micro_case *c)
{
	int64_t query = c->points * NEIGHBOURS, rows = sb_micro_tile_rows(c), wide = rows * NEIGHBOURS;
	int64_t calls = c->iterations * TRACK_LEVELS * sb_micro_tiles(c);

	mlp(l, "track.query.rel_pos", TRACK_LEVELS, query, 75, 128, 128, 128);
	mlp(l, "track.query.corr_xyz", TRACK_LEVELS, query, 256, 128, 128, 128);
	linear(l, "track.query.to_q", TRACK_LEVELS, query, 128, 128, SB_ACT_NONE, 0);
	mlp(l, "track.near.rel_pos", calls, wide, 75, 128, 128, 128);
	mlp(l, "track.near.corr_xyz", calls, wide, 256, 128, 128, 128);
	linear(l, "track.near.kv", calls, wide, 128, 256, SB_ACT_NONE, 0);
	linear(l, "track.near.out", calls, wide, 128, 128, SB_ACT_NONE, RESIDUAL);
	linear(l, "track.near.fc1", calls, wide, 128, 512, SB_ACT_GELU_TANH, 0);
	linear(l, "track.near.fc2", calls, rows, 512, 128, SB_ACT_NONE, RESIDUAL);
	cross_block(l, "track.near.aggr", calls, rows, wide, 128);
	linear(l, "track.near.out_proj", calls, rows, 128, 256, SB_ACT_NONE, 0);
	mlp(l, "track.near.corr_depth", calls, rows, 256, 256, 256, TOKEN3);
}

/* Time, then ten attentions over space a round. */
static void transformer_products(struct list *l, const struct sb_micro_case *c)
{
	int64_t t = c->frames, n = c->points, v = VIRTUAL, s = VIRTUAL - 1, h = HIDDEN, i = c->iterations;
	int64_t calls = TRACK_ROUNDS * i;

	linear(l, "track.input", 2 * i, n * t, TOKEN2, h, SB_ACT_NONE, 0);
	cross_block(l, "track.time", calls, (n + v) * t, (n + v) * t, h);
	cross_block(l, "track.points", calls, n * t, n * t, h); /* time of the 3-D stream */
	cross_block(l, "track.switcher", calls, s * t, n * t, h);
	cross_block(l, "track.virtual", calls, v * t, n * t, h);
	cross_block(l, "track.switcher", calls, s * t, v * t, h);
	cross_block(l, "track.virtual", calls, v * t, s * t, h);
	cross_block(l, "track.switcher", calls, s * t, v * t, h);
	linear(l, "track.virtual.out", calls, v * t, h, h, SB_ACT_NONE, RESIDUAL); /* residual_head */
	linear(l, "track.switcher.out", calls, s * t, h, h, SB_ACT_NONE, RESIDUAL);
	cross_block(l, "track.virtual", calls, v * t, v * t, h);
	cross_block(l, "track.switcher", calls, s * t, s * t, h);
	cross_block(l, "track.points", calls, n * t, v * t, h);
	cross_block(l, "track.points", calls, n * t, s * t, h);
	linear_ld(l, "track.head.flow", i, n * t, h, 2, SB_ACT_NONE, 0, 4);
	linear_ld(l, "track.head.vis_conf", i, n * t, h, 2, SB_ACT_NONE, 0, 4);
	linear(l, "track.head.point", i, n * t, h, 4, SB_ACT_NONE, 0);
	linear(l, "track.head.pro", i, n * t, h, 1, SB_ACT_NONE, 0);
}

static void products(struct list *l, const struct sb_micro_case *c)
{
	int64_t rows = c->points * c->frames, i = c->iterations;

	front_products(l, c);
	linear(l, "track.corr.fc1", TRACK_LEVELS * i, rows, 2401, 384, SB_ACT_GELU_ERF, 0);
	l->v[l->n - 1].note = "in a pass this is inside the op corr, which never holds its input";
	linear_ld(l, "track.corr.fc2", TRACK_LEVELS * i, rows, 384, 256, SB_ACT_NONE, 0, TOKEN2);
	neighbour_products(l, c);
	mlp(l, "track.token.xyz", i, rows, 126, 128, 84, TOKEN3);
	mlp(l, "track.token.proj", i, rows, TOKEN3, TOKEN2, TOKEN2, TOKEN2);
	transformer_products(l, c);
}

/* ---- convolutions -------------------------------------------------------------------------------------------- */

static void conv(struct list *l, const char *name, int64_t calls, struct sb_micro_conv a)
{
	for (int i = 0; i < l->n; i++) {
		const struct sb_micro_conv *b = &l->v[i].u.conv;

		if (b->n == a.n && b->h == a.h && b->w == a.w && b->cin == a.cin && b->cout == a.cout && b->k == a.k &&
		        b->stride == a.stride && b->pad == a.pad && b->transposed == a.transposed &&
		        b->bias == a.bias && b->relu_in == a.relu_in && b->relu_out == a.relu_out &&
		        b->residual == a.residual && b->residual2 == a.residual2) {
			l->v[i].calls += calls;
			return;
		}
	}
	add(l, name, calls)->u.conv = a;
}

/* "Same" padding, bias. */
static struct sb_micro_conv same(int64_t n, int64_t h, int64_t w, int64_t cin, int64_t cout, int k, int stride)
{
	return (struct sb_micro_conv){
		.n = n, .h = h, .w = w, .cin = cin, .cout = cout, .k = k, .stride = stride, .pad = k / 2, .bias = true
	};
}

/* Two convolutions; `more`: another image is added, too. */
static void residual_unit(struct list *l, const char *name, int64_t calls, const struct sb_micro_conv *plain, bool more)
{
	struct sb_micro_conv first = *plain, second = *plain;
	char full[SB_MICRO_NAME_MAX];

	first.relu_in = first.relu_out = true;
	second.residual = true;
	second.residual2 = more;
	join(full, name, "conv1");
	conv(l, full, calls, first);
	join(full, name, more ? "conv2+" : "conv2");
	conv(l, full, calls, second);
}

/* Sides of the depth head's level k. */
static void level_size(const struct sb_micro_case *c, int k, int64_t *h, int64_t *w)
{
	int64_t ph = c->height / 14, pw = c->width / 14;

	*h = k < 2 ? ph << (2 - k) : k == 2 ? ph : (ph + 1) / 2;
	*w = k < 2 ? pw << (2 - k) : k == 2 ? pw : (pw + 1) / 2;
}

static void depth_convs(struct list *l, const struct sb_micro_case *c)
{
	const struct sb_front_config *f = &c->preset->front;
	int64_t n = c->frames < DPT_CHUNK ? c->frames : DPT_CHUNK, calls = (c->frames + DPT_CHUNK - 1) / DPT_CHUNK;
	int64_t ph = c->height / 14, pw = c->width / 14, feat = f->feat, h, w;
	char name[SB_MICRO_NAME_MAX];

	for (int k = 0; k < 4; k++) {
		struct sb_micro_conv a = same(n, ph, pw, f->outc[k], f->outc[k], 4 >> k, 4 >> k);

		snprintf(name, sizeof(name), "front.depth.project%d", k);
		conv(l, name, calls, same(n, ph, pw, 2 * f->dim, f->outc[k], 1, 1));
		snprintf(name, sizeof(name), "front.depth.resize%d", k);
		a.transposed = true;
		a.pad = 0;
		if (k < 2)
			conv(l, name, calls, a);
		if (k == 3)
			conv(l, name, calls, same(n, ph, pw, f->outc[k], f->outc[k], 3, 2));
		level_size(c, k, &h, &w);
		snprintf(name, sizeof(name), "front.depth.rn%d", k + 1);
		a = same(n, h, w, f->outc[k], feat, 3, 1);
		a.bias = false;
		conv(l, name, calls, a);
	}
	for (int k = 3; k >= 0; k--) {
		level_size(c, k, &h, &w);
		const struct sb_micro_conv a = same(n, h, w, feat, feat, 3, 1);

		snprintf(name, sizeof(name), "front.depth.refine%d", k + 1);
		if (k < 3)
			residual_unit(l, name, calls, &a, true);
		residual_unit(l, name, calls, &a, false);
		snprintf(name, sizeof(name), "front.depth.refine%d.out", k + 1);
		conv(l, name, calls, same(n, h, w, feat, feat, 1, 1));
	}
	conv(l, "front.depth.out1", calls, same(n, 8 * ph, 8 * pw, feat, feat / 2, 3, 1));
	struct sb_micro_conv out = same(n, c->height, c->width, feat / 2, 32, 3, 1);
	out.relu_out = true;
	conv(l, "front.depth.out2", calls, out);
	conv(l, "front.depth.out3", calls, same(n, c->height, c->width, 32, 2, 1, 1));
}

static void feature_convs(struct list *l, const struct sb_micro_case *c)
{
	static const int64_t widths[4] = { 64, 96, 128, 128 };
	int64_t n = c->frames, h = c->preset->track_h, w = c->preset->track_w, in = 64;
	char name[SB_MICRO_NAME_MAX];

	conv(l, "track.fnet.conv1", 1, same(n, h, w, 3, 64, 7, 2));
	h /= 2;
	w /= 2;
	for (int k = 0; k < 4; k++) {
		int stride = k ? 2 : 1;

		snprintf(name, sizeof(name), "track.fnet.layer%d.first", k + 1);
		conv(l, name, 1, same(n, h, w, in, widths[k], 3, stride));
		snprintf(name, sizeof(name), "track.fnet.layer%d.skip", k + 1);
		if (k)
			conv(l, name, 1, same(n, h, w, in, widths[k], 1, stride));
		h = (h - 1) / stride + 1;
		w = (w - 1) / stride + 1;
		snprintf(name, sizeof(name), "track.fnet.layer%d", k + 1);
		conv(l, name, 3, same(n, h, w, widths[k], widths[k], 3, 1));
		in = widths[k];
	}
	h = c->preset->track_h / 4;
	w = c->preset->track_w / 4;
	conv(l, "track.fnet.conv2", 1, same(n, h, w, 64 + 96 + 128 + 128, 256, 3, 1));
	conv(l, "track.fnet.conv3", 1, same(n, h, w, 256, 128, 1, 1));
}

static void convolutions(struct list *l, const struct sb_micro_case *c)
{
	struct sb_micro_conv patch = same(c->frames, c->height, c->width, 3, c->preset->front.dim, 14, 14);

	patch.pad = 0;
	conv(l, "front.patch", 1, patch);
	depth_convs(l, c);
	feature_convs(l, c);
}

/* ---- attention ----------------------------------------------------------------------------------------------- */

static void packed(
        struct list *l, const char *name, int64_t calls, int64_t batch, int64_t heads, int64_t len, int64_t dim)
{
	add(l, name, calls)->u.attention =
	        (struct sb_micro_attention){ batch, heads, len, len, (int)(dim / heads), len, 1, len, 1, true };
}

/* Sequences over time: track by track. */
static void over_time(struct list *l, const char *name, int64_t calls, int64_t tracks, int64_t t)
{
	add(l, name, calls)->u.attention =
	        (struct sb_micro_attention){ tracks, TRACK_HEADS, t, t, HIDDEN / TRACK_HEADS, t, 1, t, 1, false };
}

/* Sequences over space: token j of frame f is row j * t + f. */
static void over_space(struct list *l, const char *name, int64_t calls, int64_t t, int64_t lq, int64_t lk)
{
	add(l, name, calls)->u.attention =
	        (struct sb_micro_attention){ t, TRACK_HEADS, lq, lk, HIDDEN / TRACK_HEADS, 1, t, 1, t, false };
}

static void attentions(struct list *l, const struct sb_micro_case *c)
{
	const struct sb_front_config *f = &c->preset->front;
	int64_t t = c->frames, n = c->points, tokens = sb_micro_frame_tokens(c), rows = sb_micro_tile_rows(c);
	int64_t near_calls = c->iterations * TRACK_LEVELS * sb_micro_tiles(c), calls = TRACK_ROUNDS * c->iterations;
	int64_t head = 128 / TRACK_HEADS;

	packed(l, "front.frame", f->vit_depth + f->depth, t, f->heads, tokens, f->dim);
	packed(l, "front.global", f->depth, 1, f->heads, t * tokens, f->dim);
	packed(l, "front.camera", CAMERA_ITERATIONS * f->trunk, 1, f->heads, t, 2 * f->dim);
	add(l, "track.near.cross", near_calls)->u.attention = (struct sb_micro_attention){ rows, TRACK_HEADS,
		NEIGHBOURS, NEIGHBOURS, (int)head, NEIGHBOURS, 1, NEIGHBOURS, 1, false };
	add(l, "track.near.aggr", near_calls)->u.attention =
	        (struct sb_micro_attention){ rows, TRACK_HEADS, 1, NEIGHBOURS, (int)head, 1, 1, NEIGHBOURS, 1, false };
	over_time(l, "track.time2", calls, n + VIRTUAL, t);
	over_time(l, "track.time3", calls, n, t);
	over_space(l, "track.track2switcher", calls, t, VIRTUAL - 1, n);
	over_space(l, "track.virtual2point", calls, t, VIRTUAL, n);
	over_space(l, "track.virtual2switcher", 2 * calls, t, VIRTUAL - 1, VIRTUAL); /* and back, the other way round */
	over_space(l, "track.switcher2virtual", calls, t, VIRTUAL, VIRTUAL - 1);
	over_space(l, "track.self_virtual", calls, t, VIRTUAL, VIRTUAL);
	over_space(l, "track.self_switcher", calls, t, VIRTUAL - 1, VIRTUAL - 1);
	over_space(l, "track.point2virtual", calls, t, n, VIRTUAL);
	over_space(l, "track.switcher2track", calls, t, n, VIRTUAL - 1);
}

/* ---- sizes that several share -------------------------------------------------------------------------------- */

int64_t sb_micro_frame_tokens(const struct sb_micro_case *c)
{
	return (c->height / 14) * (c->width / 14) + 5; /* camera and 4 registers */
}

static int64_t tile_tracks(const struct sb_micro_case *c)
{
	int64_t tracks = TILE_ROWS / c->frames > 0 ? TILE_ROWS / c->frames : 1;

	return tracks < c->points ? tracks : c->points;
}

int64_t sb_micro_tile_rows(const struct sb_micro_case *c)
{
	return tile_tracks(c) * c->frames;
}

int64_t sb_micro_tiles(const struct sb_micro_case *c)
{
	return (c->points + tile_tracks(c) - 1) / tile_tracks(c);
}

int sb_micro_shapes(const struct sb_micro_case *c, enum sb_micro_op op, struct sb_micro_shape out[SB_MICRO_SHAPES_MAX])
{
	struct list l = { out, 0, op };

	switch (op) {
	case SB_MICRO_GEMM:
		products(&l, c);
		break;
	case SB_MICRO_CONV:
		convolutions(&l, c);
		break;
	case SB_MICRO_ATTENTION:
		attentions(&l, c);
		break;
	}
	return l.n;
}

/* ---- in words ------------------------------------------------------------------------------------------------ */

static void describe_linear(const struct sb_micro_linear *a, char *out, size_t n)
{
	static const char *const acts[] = { "", " +relu", " +silu", " +gelu", " +gelu" };

	snprintf(out, n, "%lld x %lld -> %lld%s%s%s", (long long)a->rows, (long long)a->in, (long long)a->out,
	        acts[a->act], a->gamma ? " +scale" : "", a->residual ? " +residual" : "");
}

static void describe_conv(const struct sb_micro_conv *a, char *out, size_t n)
{
	snprintf(out, n, "%lld x %lldx%lld, %lld -> %lld, %s%dx%d/%d%s%s", (long long)a->n, (long long)a->w,
	        (long long)a->h, (long long)a->cin, (long long)a->cout, a->transposed ? "transposed " : "", a->k, a->k,
	        a->stride, a->relu_in || a->relu_out ? " +relu" : "",
	        a->residual2  ? " +2 residuals"
	        : a->residual ? " +residual"
	                      : "");
}

void sb_micro_describe(const struct sb_micro_shape *s, char *out, size_t n)
{
	const struct sb_micro_attention *a = &s->u.attention;

	switch (s->op) {
	case SB_MICRO_GEMM:
		describe_linear(&s->u.linear, out, n);
		return;
	case SB_MICRO_CONV:
		describe_conv(&s->u.conv, out, n);
		return;
	case SB_MICRO_ATTENTION:
		snprintf(out, n, "%lld x %lld heads x %lld x %lld x %d", (long long)a->batch, (long long)a->heads,
		        (long long)a->lq, (long long)a->lk, a->dim);
		return;
	}
	SB_BUG("op %d", (int)s->op);
}
