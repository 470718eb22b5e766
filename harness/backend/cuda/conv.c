/*
 * Convolutions: by kernels of ours where their shape allows it, else as matrix products of the library's: windows laid
 * side by side, a piece of the output at a time, so that they stay in the L2 cache and the workspace small whatever the
 * image.
 */
#include "cuda_internal.h"
#include "linear_cuda.h"

/* Windows of one piece. Larger pieces fill the device better, smaller ones stay in L2 (40 MiB on an A100, 50 on an
 * H100). */
#define PIECE_BYTES ((int64_t)32 << 20)
/* A product of fewer rows than this cannot fill the device, whatever its windows cost. */
#define PIECE_MIN_ROWS 8192

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t piece_rows(int64_t rows, int64_t row_floats)
{
	int64_t fit = PIECE_BYTES / (row_floats * (int64_t)sizeof(float));

	return min64(rows, fit < PIECE_MIN_ROWS ? PIECE_MIN_ROWS : fit);
}

static enum sb_status product(struct cuda *c, const struct cuda_product *p, bool *done, struct sb_error *err)
{
	enum sb_status status = sb_cuda_product(c, p, done, err);

	if (!status && !*done && !p->bias && !p->residual && !p->relu)
		return sb_fail(err, SB_E_DEVICE, "cuBLASLt has no %s kernel for %lld x %lld x %lld",
		        p->tf32 ? "TF32" : "FP32", (long long)p->rows, (long long)p->out, (long long)p->in);
	return status;
}

/* ---- convolution --------------------------------------------------------------------------------------------------
 */

struct conv_run {
	const struct sb_conv_args *a;
	int64_t rows, piece, window; /* output pixels; of a piece; floats of a window */
	bool direct;                 /* a window is a pixel of x: nothing to lay out */
	bool tf32;
	float *windows, *out; /* [piece, window]; [piece, cout] where y cannot take the product */
};

bool sb_cuda_conv_fits_product(const struct sb_conv_args *a)
{
	int residuals = (a->residual != NULL) + (a->residual2 != NULL);

	return residuals == 0 || (residuals == 1 && !a->relu_out && (!a->residual || !a->residual_relu));
}

int64_t sb_cuda_conv_pixels(const struct sb_conv_args *a)
{
	return a->n * ((a->h + 2 * a->pad - a->kh) / a->stride + 1) * ((a->width + 2 * a->pad - a->kw) / a->stride + 1);
}

enum sb_status sb_cuda_conv_finish(
        struct cuda *c, const struct sb_conv_args *a, const float *v, int64_t first, int64_t rows, struct sb_error *err)
{
	int64_t at = first * a->cout;
	struct sb_cuda_launch l = sb_cuda_launch_of(c);
	struct sb_epilogue_args e = {
		.v = v,
		.bias = a->bias,
		.residual = a->residual ? a->residual + at : NULL,
		.residual2 = a->residual2 ? a->residual2 + at : NULL,
		.y = a->y + at,
		.rows = rows,
		.cols = a->cout,
		.ldv = a->cout,
		.ldr = a->cout,
		.ldy = a->cout,
		.act = a->relu_out ? SB_ACT_RELU : SB_ACT_NONE,
		.residual_relu = a->residual_relu,
	};

	return sb_cuda_launched(c, &l, sb_epilogue_cuda(&e, &l), err);
}

static enum sb_status conv_piece(
        struct cuda *c, const struct conv_run *r, int64_t first, int64_t rows, struct sb_error *err)
{
	const struct sb_conv_args *a = r->a;
	const float *residual = a->residual ? a->residual : a->residual2;
	struct cuda_product p = {
		.x = r->direct ? a->x + first * a->cin : r->windows,
		.w = a->w,
		.y = a->y + first * a->cout,
		.rows = rows,
		.in = r->window,
		.out = a->cout,
		.ldx = r->window,
		.ldw = r->window,
		.ldr = a->cout,
		.ldy = a->cout,
		.tf32 = r->tf32,
	};
	struct sb_cuda_launch l = sb_cuda_launch_of(c);
	enum sb_status status = SB_OK;
	bool done = false;

	if (!r->direct)
		status = sb_cuda_launched(c, &l, sb_im2col_cuda(a, first, rows, r->windows, &l), err);
	if (!status && sb_cuda_conv_fits_product(a)) {
		struct cuda_product whole = p;

		whole.bias = a->bias;
		whole.relu = a->relu_out;
		whole.residual = residual ? residual + first * a->cout : NULL;
		status = product(c, &whole, &done, err);
	}
	if (status || done)
		return status;
	if (r->out)
		p.y = r->out;
	status = product(c, &p, &done, err);
	return status ? status : sb_cuda_conv_finish(c, a, p.y, first, rows, err);
}

/* A window is a pixel of x, so that there is nothing to lay out: a product. */
static bool is_product(const struct sb_conv_args *a)
{
	return a->kh == 1 && a->kw == 1 && a->stride == 1 && a->pad == 0 && !a->relu_in;
}

static enum sb_status by_windows(struct cuda *c, const struct sb_conv_args *a, struct sb_error *err)
{
	struct conv_run r = {
		.a = a,
		.rows = sb_cuda_conv_pixels(a),
		.window = a->kh * a->kw * a->cin,
		.direct = is_product(a),
		.tf32 = sb_cuda_tf32(c, SB_PART_PRECISION_CONV),
	};
	void *windows = NULL, *out = NULL;
	enum sb_status status = SB_OK;

	r.piece = r.direct ? r.rows : piece_rows(r.rows, r.window);
	if (!r.direct)
		status = sb_cuda_work(c, (size_t)(r.piece * r.window) * sizeof(float), &windows, err);
	if (!status && (a->residual == a->y || a->residual2 == a->y))
		status = sb_cuda_work(c, (size_t)(r.piece * a->cout) * sizeof(float), &out, err);
	r.windows = windows;
	r.out = out;
	for (int64_t first = 0; first < r.rows && !status; first += r.piece)
		status = conv_piece(c, &r, first, min64(r.piece, r.rows - first), err);
	sb_cuda_work_free(c, out);
	sb_cuda_work_free(c, windows);
	if (!r.direct && !status)
		c->base.kernel = r.tf32 ? "im2col_tf32" : "im2col_fp32";
	return status;
}

/* Output channels. With fewer a library's tiles are mostly empty, and it may leave the tensor cores out. */
#define MANY 64

/*
 * Against our kernel (H200; kernels/NOTES.md). FP32: the library's product is faster by a fifth, which pays for windows
 * in memory only when many channels share them, from 256 on. TF32: it is twice as fast, which does not pay for them.
 */
static bool windows_pay(const struct sb_conv_args *a, bool tf32)
{
	return tf32 ? is_product(a) && a->cout >= MANY : a->cout > 128 || a->kh * a->kw == 1;
}

/*
 * Against both of ours, on the same card. FP32: never; without tensor cores its kernels reach a quarter to two thirds
 * of ours. TF32: twice as fast from 64 channels on, but for products, and for patches of few channels that do not
 * overlap.
 */
static bool cudnn_pays(const struct sb_conv_args *a, bool tf32)
{
	return tf32 && a->cout >= MANY && !is_product(a) && (a->cin >= 32 || a->stride < a->kw);
}

/* Kernels of ours, or windows and the library's product. */
static enum sb_status by_own(struct cuda *c, const struct sb_conv_args *a, struct sb_error *err)
{
	bool tf32 = sb_cuda_tf32(c, SB_PART_PRECISION_CONV);
	bool windows = c->conv_way == CUDA_CONV_WINDOWS || (c->conv_way != CUDA_CONV_KERNELS && windows_pay(a, tf32));
	struct sb_cuda_launch l = sb_cuda_launch_of(c);

	if (windows || !sb_conv_cuda_fits(a))
		return by_windows(c, a, err);
	return sb_cuda_launched(c, &l, tf32 ? sb_conv_tf32_cuda(a, &l) : sb_conv_fp32_cuda(a, &l), err);
}

enum sb_status sb_cuda_conv(struct cuda *c, const struct sb_conv_args *a, struct sb_error *err)
{
	bool done = false, tf32 = sb_cuda_tf32(c, SB_PART_PRECISION_CONV);
	enum sb_status status = SB_OK;

	if (c->conv_way == CUDA_CONV_CUDNN || (c->conv_way == CUDA_CONV_AUTO && cudnn_pays(a, tf32)))
		status = sb_cuda_dnn_conv(c, a, &done, err);
	return status || done ? status : by_own(c, a, err);
}

/* ---- transposed convolution ---------------------------------------------------------------------------------------
 */

enum sb_status sb_cuda_conv_transpose(struct cuda *c, const struct sb_conv_transpose_args *a, struct sb_error *err)
{
	int64_t rows = a->n * a->h * a->width, block = (int64_t)a->k * a->k * a->cout, piece = piece_rows(rows, block);
	bool tf32 = sb_cuda_tf32(c, SB_PART_PRECISION_CONV), done;
	void *blocks = NULL;
	enum sb_status status = sb_cuda_work(c, (size_t)(piece * block) * sizeof(float), &blocks, err);

	for (int64_t first = 0; first < rows && !status; first += piece) {
		struct sb_cuda_launch l = sb_cuda_launch_of(c);
		struct cuda_product p = {
			.x = a->x + first * a->cin,
			.w = a->w,
			.y = blocks,
			.rows = min64(piece, rows - first),
			.in = a->cin,
			.out = block,
			.ldx = a->cin,
			.ldw = a->cin,
			.ldy = block,
			.tf32 = tf32,
		};

		status = product(c, &p, &done, err);
		if (!status)
			status = sb_cuda_launched(c, &l, sb_blocks_out_cuda(a, first, p.rows, blocks, &l), err);
	}
	sb_cuda_work_free(c, blocks);
	c->base.kernel = tf32 ? "blocks_tf32" : "blocks_fp32";
	return status;
}
