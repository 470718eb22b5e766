/*
 * linear: the product with as much of its epilogue as the library does exactly (bias, ReLU, a residual), the rest by
 * one kernel of ours. Its GELU is the one by tanh with an approximate tanh, so neither GELU is its.
 */
#include "cuda_internal.h"
#include "linear_cuda.h"

static struct cuda_product product_of(const struct sb_linear_args *a, bool tf32)
{
	return (struct cuda_product){
		.x = a->x,
		.w = a->w,
		.y = a->y,
		.rows = a->rows,
		.in = a->in,
		.out = a->out,
		.ldx = a->ldx,
		.ldw = a->ldw,
		.ldr = a->ldr,
		.ldy = a->ldy,
		.tf32 = tf32,
	};
}

/* All in the library's one kernel, if it can; *done says. */
static enum sb_status all_in_one(
        struct cuda *c, const struct sb_linear_args *a, struct cuda_product p, bool *done, struct sb_error *err)
{
	bool relu = a->act == SB_ACT_RELU;

	*done = false;
	if (a->gamma || (a->act != SB_ACT_NONE && !relu) || (relu && a->residual))
		return SB_OK;
	p.bias = a->bias;
	p.residual = a->residual;
	p.relu = relu;
	return sb_cuda_product(c, &p, done, err);
}

static enum sb_status plain(struct cuda *c, const struct cuda_product *p, struct sb_error *err)
{
	bool done;
	enum sb_status status = sb_cuda_product(c, p, &done, err);

	if (!status && !done)
		return sb_fail(err, SB_E_DEVICE, "cuBLASLt has no %s kernel for %lld x %lld x %lld",
		        p->tf32 ? "TF32" : "FP32", (long long)p->rows, (long long)p->out, (long long)p->in);
	return status;
}

/* The product, in y or, where y is the residual, in memory of its own; then everything else. */
static enum sb_status in_two(
        struct cuda *c, const struct sb_linear_args *a, struct cuda_product p, struct sb_error *err)
{
	bool own = a->residual == a->y;
	struct sb_epilogue_args e = {
		.bias = a->bias,
		.gamma = a->gamma,
		.residual = a->residual,
		.y = a->y,
		.rows = a->rows,
		.cols = a->out,
		.ldr = a->ldr,
		.ldy = a->ldy,
		.act = a->act,
	};
	struct sb_cuda_launch l = sb_cuda_launch_of(c);
	const char *kernel;
	void *product = NULL;
	enum sb_status status = SB_OK;

	if (own) {
		status = sb_cuda_work(c, (size_t)(a->rows * a->out) * sizeof(float), &product, err);
		p.y = product;
		p.ldy = a->out;
	}
	if (!status)
		status = plain(c, &p, err);
	kernel = c->base.kernel;
	e.v = p.y;
	e.ldv = p.ldy;
	if (!status)
		status = sb_cuda_launched(c, &l, sb_epilogue_cuda(&e, &l), err);
	sb_cuda_work_free(c, product);
	c->base.kernel = kernel;
	return status;
}

enum sb_status sb_cuda_linear(struct cuda *c, const struct sb_linear_args *a, struct sb_error *err)
{
	struct cuda_product p = product_of(a, sb_cuda_tf32(c, SB_PART_PRECISION_GEMM));
	bool done = false;
	enum sb_status status;

	if (a->rows == 0 || a->out == 0)
		return SB_OK;
	status = all_in_one(c, a, p, &done, err);
	return status || done ? status : in_two(c, a, p, err);
}
