#include "sb_weights.h"

#include <stdarg.h>
#include <stdio.h>

struct list {
	sb_tensor_fn *fn;
	void *ctx;
};

struct shape {
	int ndim;
	int64_t d[4];
};

#define SHAPE1(a)          ((struct shape){ 1, { a } })
#define SHAPE2(a, b)       ((struct shape){ 2, { a, b } })
#define SHAPE3(a, b, c)    ((struct shape){ 3, { a, b, c } })
#define SHAPE4(a, b, c, d) ((struct shape){ 4, { a, b, c, d } })

static void add(struct list *l, struct shape shape, const char *fmt, ...) SB_PRINTF(3, 4);

static void add(struct list *l, struct shape shape, const char *fmt, ...)
{
	char name[SB_TENSOR_NAME_MAX];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(name))
		SB_BUG("a tensor name does not fit: '%s'", name);
	l->fn(l->ctx, name, shape.d, shape.ndim);
}

/* prefix.weight of `shape` and prefix.bias, one for each of the shape's first size (the output channels). */
static void add_pair(struct list *l, struct shape shape, const char *prefix, const char *name)
{
	add(l, shape, "%s%s.weight", prefix, name);
	add(l, SHAPE1(shape.d[0]), "%s%s.bias", prefix, name);
}

/* A transformer block; head_dim 0: without norms of q and k. */
static void add_block(struct list *l, const char *prefix, int64_t dim, int64_t head_dim)
{
	add_pair(l, SHAPE1(dim), prefix, "norm1");
	add_pair(l, SHAPE2(3 * dim, dim), prefix, "attn.qkv");
	if (head_dim) {
		add_pair(l, SHAPE1(head_dim), prefix, "attn.q_norm");
		add_pair(l, SHAPE1(head_dim), prefix, "attn.k_norm");
	}
	add_pair(l, SHAPE2(dim, dim), prefix, "attn.proj");
	add(l, SHAPE1(dim), "%sls1.gamma", prefix);
	add_pair(l, SHAPE1(dim), prefix, "norm2");
	add_pair(l, SHAPE2(4 * dim, dim), prefix, "mlp.fc1");
	add_pair(l, SHAPE2(dim, 4 * dim), prefix, "mlp.fc2");
	add(l, SHAPE1(dim), "%sls2.gamma", prefix);
}

static void add_blocks(struct list *l, const char *prefix, int n, int64_t dim, int64_t head_dim)
{
	for (int i = 0; i < n; i++) {
		char block[80];

		snprintf(block, sizeof(block), "%s.%d.", prefix, i);
		add_block(l, block, dim, head_dim);
	}
}

static void add_vit(struct list *l, const struct sb_front_config *cfg)
{
	static const char prefix[] = "aggregator.patch_embed.";
	const int64_t dim = cfg->dim, side = cfg->img / 14;

	add(l, SHAPE3(1, 1, dim), "%scls_token", prefix);
	add(l, SHAPE3(1, side * side + 1, dim), "%spos_embed", prefix);
	add(l, SHAPE3(1, 4, dim), "%sregister_tokens", prefix);
	add_pair(l, SHAPE4(dim, 3, 14, 14), prefix, "patch_embed.proj");
	add_blocks(l, "aggregator.patch_embed.blocks", cfg->vit_depth, dim, 0);
	add_pair(l, SHAPE1(dim), prefix, "norm");
}

static void add_camera_head(struct list *l, const struct sb_front_config *cfg)
{
	static const char prefix[] = "camera_head.";
	const int64_t dim = 2 * (int64_t)cfg->dim; /* frame and global half of a pair */

	add(l, SHAPE3(1, 1, 9), "%sempty_pose_tokens", prefix);
	add_blocks(l, "camera_head.trunk", cfg->trunk, dim, 0);
	add_pair(l, SHAPE1(dim), prefix, "token_norm");
	add_pair(l, SHAPE1(dim), prefix, "trunk_norm");
	add_pair(l, SHAPE2(dim, 9), prefix, "embed_pose");
	add_pair(l, SHAPE2(3 * dim, dim), prefix, "poseLN_modulation.1");
	add_pair(l, SHAPE2(dim / 2, dim), prefix, "pose_branch.fc1");
	add_pair(l, SHAPE2(9, dim / 2), prefix, "pose_branch.fc2");
}

/* Fusion level k = 1 .. 4; the deepest has nothing to add to, hence no first unit. */
static void add_refinenet(struct list *l, int k, int64_t feat)
{
	char prefix[64];

	snprintf(prefix, sizeof(prefix), "depth_head.scratch.refinenet%d.", k);
	add_pair(l, SHAPE4(feat, feat, 1, 1), prefix, "out_conv");
	if (k < 4) {
		add_pair(l, SHAPE4(feat, feat, 3, 3), prefix, "resConfUnit1.conv1");
		add_pair(l, SHAPE4(feat, feat, 3, 3), prefix, "resConfUnit1.conv2");
	}
	add_pair(l, SHAPE4(feat, feat, 3, 3), prefix, "resConfUnit2.conv1");
	add_pair(l, SHAPE4(feat, feat, 3, 3), prefix, "resConfUnit2.conv2");
}

static void add_depth_head(struct list *l, const struct sb_front_config *cfg)
{
	static const char prefix[] = "depth_head.";
	const int64_t feat = cfg->feat, dim = 2 * (int64_t)cfg->dim;
	const int *c = cfg->outc;

	add_pair(l, SHAPE1(dim), prefix, "norm");
	for (int k = 0; k < 4; k++) {
		char name[16];

		snprintf(name, sizeof(name), "projects.%d", k);
		add_pair(l, SHAPE4(c[k], dim, 1, 1), prefix, name);
	}
	add_pair(l, SHAPE4(c[0], c[0], 4, 4), prefix, "resize_layers.0");
	add_pair(l, SHAPE4(c[1], c[1], 2, 2), prefix, "resize_layers.1");
	add_pair(l, SHAPE4(c[3], c[3], 3, 3), prefix, "resize_layers.3");
	for (int k = 0; k < 4; k++)
		add(l, SHAPE4(feat, c[k], 3, 3), "%sscratch.layer%d_rn.weight", prefix, k + 1);
	for (int k = 1; k <= 4; k++)
		add_refinenet(l, k, feat);
	add_pair(l, SHAPE4(feat / 2, feat, 3, 3), prefix, "scratch.output_conv1");
	add_pair(l, SHAPE4(32, feat / 2, 3, 3), prefix, "scratch.output_conv2.0");
	add_pair(l, SHAPE4(2, 32, 1, 1), prefix, "scratch.output_conv2.2");
}

void sb_front_tensors(const struct sb_front_config *cfg, sb_tensor_fn *fn, void *ctx)
{
	struct list l = { fn, ctx };
	const int64_t dim = cfg->dim, head_dim = cfg->dim / cfg->heads;

	add(&l, SHAPE4(1, 2, 1, dim), "aggregator.camera_token");
	add(&l, SHAPE4(1, 2, 4, dim), "aggregator.register_token");
	add_vit(&l, cfg);
	add_blocks(&l, "aggregator.frame_blocks", cfg->depth, dim, head_dim);
	add_blocks(&l, "aggregator.global_blocks", cfg->depth, dim, head_dim);
	add_camera_head(&l, cfg);
	add_depth_head(&l, cfg);
}
