/* fnet: the features of every frame (4.1). */
#include "track_pass.h"

struct map {
	float *x;
	int64_t n, h, w, c;
};

static enum sb_status conv(
        struct sb_pass *p, const struct map *in, const struct sb_conv_weight *cw, int stride, struct map *out)
{
	int pad = cw->k / 2;
	struct sb_conv_args a = {
		.x = in->x,
		.w = cw->w,
		.bias = cw->b,
		.n = in->n,
		.h = in->h,
		.width = in->w,
		.cin = in->c,
		.cout = cw->cout,
		.kh = cw->k,
		.kw = cw->k,
		.stride = stride,
		.pad = pad,
	};

	*out = (struct map){ NULL, in->n, (in->h + 2 * pad - cw->k) / stride + 1,
		(in->w + 2 * pad - cw->k) / stride + 1, cw->cout };
	SB_TRY(sb_pass_get(p, out->n * out->h * out->w * out->c, &out->x));
	a.y = out->x;
	return SB_SUBMIT(p->be, CONV, conv, a, p->err);
}

static enum sb_status instance_norm(struct sb_pass *p, struct map *m, const float *residual, int relu)
{
	struct sb_instance_norm_args a = {
		.x = m->x,
		.residual = residual,
		.y = m->x,
		.n = m->n,
		.pixels = m->h * m->w,
		.c = m->c,
		.eps = 1e-5f,
		.relu = relu,
	};

	return SB_SUBMIT(p->be, INSTANCE_NORM, instance_norm, a, p->err);
}

/* relu(skip + relu(IN(conv2(relu(IN(conv1(m))))))), in place of m. */
static enum sb_status residual_unit(struct sb_pass *p, struct map *m, const struct sb_conv_weight cw[2],
        const struct sb_conv_weight *down, int stride)
{
	struct map y, z, skip = *m;

	SB_TRY(conv(p, m, &cw[0], stride, &y));
	SB_TRY(instance_norm(p, &y, NULL, 1));
	SB_TRY(conv(p, &y, &cw[1], 1, &z));
	sb_pass_put(p, y.x);
	if (down) {
		SB_TRY(conv(p, m, down, stride, &skip));
		SB_TRY(instance_norm(p, &skip, NULL, 0));
		sb_pass_put(p, m->x);
	}
	SB_TRY(instance_norm(p, &z, skip.x, 1));
	sb_pass_put(p, skip.x);
	*m = z;
	return SB_OK;
}

/* Resize to the features' size and put into columns first .. of the concatenation. */
static enum sb_status gather(struct sb_pass *p, const struct map *m, struct map *all, int64_t first)
{
	int64_t pixels = all->n * all->h * all->w;
	float *big = m->x;
	struct sb_resize_bilinear_args a = {
		.x = m->x, .n = m->n, .h = m->h, .w = m->w, .c = m->c, .out_h = all->h, .out_w = all->w
	};

	SB_TRY(sb_pass_get(p, pixels * m->c, &big));
	a.y = big;
	SB_TRY(SB_SUBMIT(p->be, RESIZE_BILINEAR, resize_bilinear, a, p->err));
	SB_TRY(sb_pass_copy(p, big, pixels, m->c, m->c, all->x + first, all->c));
	sb_pass_put(p, big);
	return SB_OK;
}

enum sb_status sb_pass_fnet(struct sb_pass *p, float *image, int64_t frames, float **out)
{
	const struct sb_track_net *net = p->net;
	struct map in = { image, frames, net->h, net->w, 3 }, m,
	           all = { NULL, frames, p->fh, p->fw, 64 + 96 + 128 + 128 }, y;
	int64_t first = 0;

	SB_TRY(conv(p, &in, &net->fnet.conv1, 2, &m));
	SB_TRY(instance_norm(p, &m, NULL, 1));
	SB_TRY(sb_pass_get(p, all.n * all.h * all.w * all.c, &all.x));
	for (int l = 0; l < 4; l++) {
		SB_TRY(residual_unit(p, &m, net->fnet.res[l][0], l ? &net->fnet.down[l] : NULL, l ? 2 : 1));
		SB_TRY(residual_unit(p, &m, net->fnet.res[l][1], NULL, 1));
		SB_TRY(gather(p, &m, &all, first));
		first += m.c;
	}
	sb_pass_put(p, m.x);
	SB_TRY(conv(p, &all, &net->fnet.conv2, 1, &m));
	sb_pass_put(p, all.x);
	SB_TRY(instance_norm(p, &m, NULL, 1));
	SB_TRY(conv(p, &m, &net->fnet.conv3, 1, &y));
	sb_pass_put(p, m.x);
	sb_pass_tap(p, "fnet.out", 0, y.x, y.n * y.h * y.w * y.c);
	struct sb_l2_normalize_args a = { .x = y.x, .y = y.x, .rows = y.n * y.h * y.w, .c = y.c };
	SB_TRY(SB_SUBMIT(p->be, L2_NORMALIZE, l2_normalize, a, p->err));
	*out = y.x;
	return SB_OK;
}
