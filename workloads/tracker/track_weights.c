/* Prepared weights of the tracker: every tensor that influences a result (ARCHITECTURE 4.13 less 4.12). */
#include "track_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define P  SB_TRACK_PREFIX
#define U2 P "updateformer."
#define U3 P "updateformer3D."

#define TIME_OFFLINE 60 /* rows of the stored time embedding */

/* Linear layers with a bias. */
static const struct {
	const char *name;
	int64_t out, in;
} linears[] = {
	{ P "corr_mlp.fc1", 384, 2401 },
	{ P "corr_mlp.fc2", 256, 384 },
	{ P "corr_depth_mlp.fc1", 256, 256 },
	{ P "corr_depth_mlp.fc2", 256, 256 },
	{ P "rel_pos_mlp.fc1", 128, 75 },
	{ P "rel_pos_mlp.fc2", 128, 128 },
	{ P "corr_xyz_mlp.fc1", 128, 256 },
	{ P "corr_xyz_mlp.fc2", 128, 128 },
	{ P "xyz_mlp.fc1", 128, 126 },
	{ P "xyz_mlp.fc2", 84, 128 },
	{ P "proj_xyz_embed.fc1", 1110, 1260 },
	{ P "proj_xyz_embed.fc2", 1110, 1110 },
	{ P "corr_transformer.0.out_proj", 256, 128 },
	{ U2 "input_transform", 384, 1110 },
	{ U2 "flow_head", 2, 384 },
	{ U2 "vis_conf_head", 2, 384 },
	{ U3 "point_head", 4, 384 },
	{ U3 "pro_analysis_w_head", 1, 384 },
	{ U3 "residual_head", 384, 384 },
};

/* Lists of attention blocks, where they go, and whether they attend to another sequence. */
static const struct {
	const char *list;
	size_t place; /* in struct sb_track_net, an array of SB_TRACK_DEPTH */
	bool cross;
} lists[] = {
	{ U2 "time_blocks", offsetof(struct sb_track_net, time2), false },
	{ U2 "space_virtual_blocks", offsetof(struct sb_track_net, self_virtual), false },
	{ U2 "space_point2virtual_blocks", offsetof(struct sb_track_net, point2virtual), true },
	{ U2 "space_virtual2point_blocks", offsetof(struct sb_track_net, virtual2point), true },
	{ U3 "time_blocks_new", offsetof(struct sb_track_net, time3), false },
	{ U3 "space_switcher_blocks", offsetof(struct sb_track_net, self_switcher), false },
	{ U3 "space_track3d2switcher_blocks", offsetof(struct sb_track_net, track2switcher), true },
	{ U3 "space_switcher2track3d_blocks", offsetof(struct sb_track_net, switcher2track), true },
	{ U3 "space_virtual2switcher_blocks", offsetof(struct sb_track_net, virtual2switcher), true },
	{ U3 "space_switcher2virtual_blocks", offsetof(struct sb_track_net, switcher2virtual), true },
};

static const int widths[4] = { 64, 96, 128, 128 }; /* fnet's layers */

/* ---- the table of tensors ------------------------------------------------------------------------------------ */

struct walk {
	sb_tensor_fn *fn;
	void *ctx;
};

static void tensor(
        const struct walk *w, const char *prefix, const char *name, int ndim, int64_t a, int64_t b, int64_t k)
{
	int64_t shape[4] = { a, b, k, k };
	char full[2 * SB_TENSOR_NAME_MAX];

	snprintf(full, sizeof(full), "%s%s", prefix, name);
	w->fn(w->ctx, full, shape, ndim);
}

/* a + b, or a bug: every name of the table fits. */
static void join(char out[SB_TENSOR_NAME_MAX], const char *a, const char *b)
{
	if (snprintf(out, SB_TENSOR_NAME_MAX, "%s%s", a, b) >= SB_TENSOR_NAME_MAX)
		SB_BUG("tensor name '%s%s' is too long", a, b);
}

static void linear_tensors(const struct walk *w, const char *prefix, const char *name, int64_t out, int64_t in)
{
	char base[SB_TENSOR_NAME_MAX];

	join(base, prefix, name);
	tensor(w, base, ".weight", 2, out, in, 1);
	tensor(w, base, ".bias", 1, out, 0, 1);
}

static void conv_tensors(const struct walk *w, const char *name, int64_t out, int64_t in, int64_t k)
{
	tensor(w, name, ".weight", 4, out, in, k);
	tensor(w, name, ".bias", 1, out, 0, 1);
}

static void block_tensors(const struct walk *w, const char *prefix, bool cross, int64_t dim)
{
	const char *attn = cross ? "cross_attn." : "attn.";
	char p[SB_TENSOR_NAME_MAX];

	if (cross) {
		tensor(w, prefix, "norm_context.weight", 1, dim, 0, 1);
		tensor(w, prefix, "norm_context.bias", 1, dim, 0, 1);
	}
	join(p, prefix, attn);
	linear_tensors(w, p, "to_q", dim, dim);
	linear_tensors(w, p, "to_kv", 2 * dim, dim);
	linear_tensors(w, p, "to_out", dim, dim);
	linear_tensors(w, prefix, "mlp.fc1", 4 * dim, dim);
	linear_tensors(w, prefix, "mlp.fc2", dim, 4 * dim);
}

static void fnet_tensors(const struct walk *w)
{
	char name[SB_TENSOR_NAME_MAX];

	conv_tensors(w, P "fnet.conv1", 64, 3, 7);
	for (int l = 0; l < 4; l++) {
		int64_t in = l ? widths[l - 1] : 64, out = widths[l];

		for (int u = 0; u < 2; u++) {
			snprintf(name, sizeof(name), P "fnet.layer%d.%d.conv1", l + 1, u);
			conv_tensors(w, name, out, u ? out : in, 3);
			snprintf(name, sizeof(name), P "fnet.layer%d.%d.conv2", l + 1, u);
			conv_tensors(w, name, out, out, 3);
		}
		snprintf(name, sizeof(name), P "fnet.layer%d.0.downsample.0", l + 1);
		if (l)
			conv_tensors(w, name, out, in, 1);
	}
	conv_tensors(w, P "fnet.conv2", 256, 416, 3);
	conv_tensors(w, P "fnet.conv3", 128, 256, 1);
}

void sb_track_tensors(sb_tensor_fn *fn, void *ctx)
{
	const struct walk w = { fn, ctx };
	const int64_t virtual_shape[4] = { 1, SB_TRACK_VIRTUAL, 1, SB_TRACK_HIDDEN };
	char prefix[SB_TENSOR_NAME_MAX];

	fnet_tensors(&w);
	for (size_t i = 0; i < SB_ARRAY_LEN(linears); i++)
		linear_tensors(&w, linears[i].name, "", linears[i].out, linears[i].in);
	block_tensors(&w, P "corr_transformer.0.xblock1_2.", true, SB_TRACK_FEATURES);
	block_tensors(&w, P "corr_transformer.0.aggr.", true, SB_TRACK_FEATURES);
	fn(ctx, U2 "virual_tracks", virtual_shape, 4);
	for (size_t i = 0; i < SB_ARRAY_LEN(lists); i++) {
		for (int j = 0; j < SB_TRACK_DEPTH; j++) {
			snprintf(prefix, sizeof(prefix), "%s.%d.", lists[i].list, j);
			block_tensors(&w, prefix, lists[i].cross, SB_TRACK_HIDDEN);
		}
	}
}

static void all_tensors(const void *config, sb_tensor_fn *fn, void *ctx)
{
	(void)config;
	sb_track_tensors(fn, ctx);
}

static void time_tensor(const void *config, sb_tensor_fn *fn, void *ctx)
{
	const int64_t shape[3] = { 1, TIME_OFFLINE, SB_TRACK_TOKEN2 };

	(void)config;
	fn(ctx, SB_TRACK_TIME, shape, 3);
}

static void fill_time(const int64_t *shape, float *out)
{
	sb_time_embedding(shape[1], shape[1], shape[2], out);
}

struct sb_network sb_network_track(void)
{
	/* Source: ARCHITECTURE 4.12. */
	static const char *const idle[] = { SB_TRACK_TIME, P "rel_pos_glob_mlp.", U3 "switcher_tokens",
		U3 "vis_conf_head.", U3 "scale_shift_", U3 "dense_res_", NULL };

	return (struct sb_network){
		.track = true, .tensors = all_tensors, .extra = time_tensor, .fill_extra = fill_time, .idle = idle
	};
}

/* ---- wiring -------------------------------------------------------------------------------------------------- */

static void add_entry(void *ctx, const char *name, const int64_t *shape, int ndim)
{
	bool conv = ndim == 4 && strstr(name, ".weight");

	sb_weight_set_add(ctx,
	        ndim == 2 ? SB_WEIGHT_LINEAR
	        : conv    ? SB_WEIGHT_CONV
	                  : SB_WEIGHT_PLAIN,
	        name, shape, ndim);
}

static struct sb_track_block block(const struct sb_weight_set *s, const char *prefix, bool cross)
{
	struct sb_track_block b = { .heads = SB_TRACK_HEADS };
	char p[SB_TENSOR_NAME_MAX];

	if (cross)
		b.norm_context = sb_weight_set_norm(s, prefix, "norm_context");
	join(p, prefix, cross ? "cross_attn." : "attn.");
	b.q = sb_weight_set_linear(s, p, "to_q");
	b.kv = sb_weight_set_linear(s, p, "to_kv");
	b.out = sb_weight_set_linear(s, p, "to_out");
	b.fc1 = sb_weight_set_linear(s, prefix, "mlp.fc1");
	b.fc2 = sb_weight_set_linear(s, prefix, "mlp.fc2");
	b.scale = (float)(1.0 / sqrt((double)b.q.out / b.heads));
	return b;
}

static struct sb_mlp_weight mlp(const struct sb_weight_set *s, const char *name)
{
	return (struct sb_mlp_weight){ sb_weight_set_linear(s, name, ".fc1"), sb_weight_set_linear(s, name, ".fc2") };
}

static void wire_fnet(struct sb_track_net *net)
{
	const struct sb_weight_set *s = &net->set;
	char name[SB_TENSOR_NAME_MAX];

	net->fnet.conv1 = sb_weight_set_conv(s, P, "fnet.conv1");
	net->fnet.conv2 = sb_weight_set_conv(s, P, "fnet.conv2");
	net->fnet.conv3 = sb_weight_set_conv(s, P, "fnet.conv3");
	for (int l = 0; l < 4; l++) {
		for (int u = 0; u < 2; u++) {
			for (int c = 0; c < 2; c++) {
				snprintf(name, sizeof(name), "fnet.layer%d.%d.conv%d", l + 1, u, c + 1);
				net->fnet.res[l][u][c] = sb_weight_set_conv(s, P, name);
			}
		}
		snprintf(name, sizeof(name), "fnet.layer%d.0.downsample.0", l + 1);
		if (l)
			net->fnet.down[l] = sb_weight_set_conv(s, P, name);
	}
}

static void wire(struct sb_track_net *net)
{
	const struct sb_weight_set *s = &net->set;

	wire_fnet(net);
	net->corr = mlp(s, P "corr_mlp");
	net->corr_depth = mlp(s, P "corr_depth_mlp");
	net->rel_pos = mlp(s, P "rel_pos_mlp");
	net->corr_xyz = mlp(s, P "corr_xyz_mlp");
	net->xyz = mlp(s, P "xyz_mlp");
	net->proj_xyz = mlp(s, P "proj_xyz_embed");
	net->pointformer.cross = block(s, P "corr_transformer.0.xblock1_2.", true);
	net->pointformer.aggr = block(s, P "corr_transformer.0.aggr.", true);
	net->pointformer.out_proj = sb_weight_set_linear(s, P, "corr_transformer.0.out_proj");
	net->input_transform = sb_weight_set_linear(s, U2, "input_transform");
	net->flow_head = sb_weight_set_linear(s, U2, "flow_head");
	net->vis_conf_head = sb_weight_set_linear(s, U2, "vis_conf_head");
	net->point_head = sb_weight_set_linear(s, U3, "point_head");
	net->pro_head = sb_weight_set_linear(s, U3, "pro_analysis_w_head");
	net->residual_head = sb_weight_set_linear(s, U3, "residual_head");
	net->virtual_tracks = sb_weight_set_tensor(s, U2, "virual_tracks"); /* spelled so in the checkpoint */
	for (size_t i = 0; i < SB_ARRAY_LEN(lists); i++) {
		struct sb_track_block *b = (struct sb_track_block *)(void *)((char *)net + lists[i].place);
		char prefix[SB_TENSOR_NAME_MAX];

		for (int j = 0; j < SB_TRACK_DEPTH; j++) {
			snprintf(prefix, sizeof(prefix), "%s.%d.", lists[i].list, j);
			b[j] = block(s, prefix, lists[i].cross);
		}
	}
}

enum sb_status sb_track_net_open(struct sb_backend *be, int64_t h, int64_t w, const struct sb_weights *weights,
        struct sb_track_net **out, struct sb_error *err)
{
	struct sb_track_net *net = calloc(1, sizeof(*net));

	if (!net)
		return sb_fail(err, SB_E_NOMEM, "no memory for the tracker");
	*net = (struct sb_track_net){ .h = h, .w = w, .time_len = TIME_OFFLINE, .set = { .be = be } };
	sb_track_tensors(add_entry, &net->set);
	if (sb_weight_set_load(&net->set, weights, err)) {
		sb_track_net_close(net);
		return err->code;
	}
	wire(net);
	*out = net;
	return SB_OK;
}

void sb_track_net_set_time(struct sb_track_net *net, int rows)
{
	net->time_len = rows;
}

void sb_track_net_close(struct sb_track_net *net)
{
	if (!net)
		return;
	sb_weight_set_release(&net->set);
	free(net);
}

int64_t sb_track_net_bytes(const struct sb_track_net *net)
{
	return (int64_t)net->set.bytes;
}

/* ---- the time embedding -------------------------------------------------------------------------------------- */

static float time_value(int64_t pos, int64_t column, int64_t dim)
{
	int64_t half = dim / 2, k = column % half;
	double angle = (double)pos * pow(10000.0, -(double)k / (double)half);

	return (float)(column < half ? sin(angle) : cos(angle));
}

void sb_time_embedding(int64_t len, int64_t t, int64_t dim, float *out)
{
	for (int64_t i = 0; i < t; i++) {
		/* PyTorch's linear interpolation, align_corners=False: source (i + 0.5) len/t - 0.5, not below 0 */
		float source = ((float)i + 0.5f) * ((float)len / (float)t) - 0.5f, f;
		int64_t lo, hi;

		source = source > 0.0f ? source : 0.0f;
		lo = (int64_t)source;
		hi = lo + 1 < len ? lo + 1 : lo;
		f = source - (float)lo;
		for (int64_t c = 0; c < dim; c++)
			out[i * dim + c] = len == t ? time_value(i, c, dim)
			                            : (1.0f - f) * time_value(lo, c, dim) + f * time_value(hi, c, dim);
	}
}
