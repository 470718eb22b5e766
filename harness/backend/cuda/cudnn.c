/*
 * Convolutions by cuDNN: NHWC, FP32 data, bias and ReLU or one residual in its kernel where it can.
 *
 * What a shape runs is asked of its heuristic once and kept; nothing is tried out by running it. fp32 asks for FMA
 * math, the only setting that keeps TF32 out. A shape that it has nothing for is noted and goes the other way from then
 * on.
 */
#include "cudnn_load.h"
#include "cuda_internal.h"
#include "linear_cuda.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLANS         256 /* a power of two, at most half full; the network has some dozens of shapes */
#define CANDIDATES    8
#define WORKSPACE_MAX ((size_t)256 << 20)
#define ALIGNMENT     16 /* of every pointer: its vector loads */

enum step { UNKNOWN, DONE_AT_ONCE, PLAIN, IMPOSSIBLE };

/* Compared as bytes: no padding. */
struct key {
	int64_t n, h, width, cin, cout;
	int32_t kh, kw, stride, pad, tf32, relu_out, residual, at_once;
};

struct plan {
	struct key key;
	bool used;
	enum step step;
	cudnn_tensor x, y, bias;
	cudnn_filter w;
	cudnn_convolution conv;
	int algo;
	size_t workspace;
};

struct cuda_dnn {
	struct cudnn_api api;
	cudnn_handle handle;
	cudnn_activation relu, identity;
	struct plan plan[PLANS];
	int n, refused; /* plans; those that are IMPOSSIBLE */
};

/* ---- open, close --------------------------------------------------------------------------------------------------
 */

static void plan_release(const struct cudnn_api *api, struct plan *p)
{
	if (p->conv)
		api->DestroyConvolutionDescriptor(p->conv);
	if (p->w)
		api->DestroyFilterDescriptor(p->w);
	if (p->bias)
		api->DestroyTensorDescriptor(p->bias);
	if (p->y)
		api->DestroyTensorDescriptor(p->y);
	if (p->x)
		api->DestroyTensorDescriptor(p->x);
}

void sb_cuda_dnn_close(struct cuda_dnn *d)
{
	if (!d)
		return;
	for (int i = 0; i < PLANS; i++)
		plan_release(&d->api, &d->plan[i]);
	if (d->identity)
		d->api.DestroyActivationDescriptor(d->identity);
	if (d->relu)
		d->api.DestroyActivationDescriptor(d->relu);
	if (d->handle)
		d->api.Destroy(d->handle);
	sb_cudnn_unload(&d->api);
	free(d);
}

static int make_activation(struct cuda_dnn *d, int mode, cudnn_activation *out)
{
	int code = d->api.CreateActivationDescriptor(out);

	return code ? code : d->api.SetActivationDescriptor(*out, mode, CUDNN_PROPAGATE_NAN, 0.0);
}

static int start(struct cuda_dnn *d, cudaStream_t stream)
{
	int code = d->api.Create(&d->handle);

	if (!code)
		code = d->api.SetStream(d->handle, stream);
	if (!code)
		code = make_activation(d, CUDNN_RELU, &d->relu);
	return code ? code : make_activation(d, CUDNN_IDENTITY, &d->identity);
}

struct cuda_dnn *sb_cuda_dnn_open(cudaStream_t stream, char *why, size_t n)
{
	struct cuda_dnn *d = calloc(1, sizeof(*d));
	int code;

	if (!d) {
		snprintf(why, n, "no memory");
		return NULL;
	}
	if (!sb_cudnn_load(&d->api, why, n)) {
		free(d);
		return NULL;
	}
	code = start(d, stream);
	if (!code)
		return d;
	snprintf(why, n, "cuDNN %d.%d.%d does not start: %.120s", d->api.major, d->api.minor, d->api.patch,
	        d->api.GetErrorString(code));
	cudaGetLastError();
	sb_cuda_dnn_close(d);
	return NULL;
}

void sb_cuda_dnn_version(const struct cuda_dnn *d, char *out, size_t n)
{
	snprintf(out, n, "%d.%d.%d", d->api.major, d->api.minor, d->api.patch);
}

/* ---- planning -----------------------------------------------------------------------------------------------------
 */

static struct key key_of(const struct sb_conv_args *a, bool tf32)
{
	return (struct key){
		.n = a->n,
		.h = a->h,
		.width = a->width,
		.cin = a->cin,
		.cout = a->cout,
		.kh = a->kh,
		.kw = a->kw,
		.stride = a->stride,
		.pad = a->pad,
		.tf32 = tf32,
		.relu_out = a->relu_out != 0,
		.residual = a->residual || a->residual2,
		.at_once = a->bias && sb_cuda_conv_fits_product(a),
	};
}

static int make_tensor(const struct cudnn_api *api, cudnn_tensor *out, int64_t n, int64_t c, int64_t h, int64_t w)
{
	int code = api->CreateTensorDescriptor(out);

	return code ? code : api->SetTensor4dDescriptor(*out, CUDNN_NHWC, CUDNN_FLOAT, (int)n, (int)c, (int)h, (int)w);
}

static int describe(const struct cudnn_api *api, struct plan *p)
{
	const struct key *k = &p->key;
	int64_t ho = (k->h + 2 * k->pad - k->kh) / k->stride + 1, wo = (k->width + 2 * k->pad - k->kw) / k->stride + 1;
	int code = make_tensor(api, &p->x, k->n, k->cin, k->h, k->width);

	if (!code)
		code = make_tensor(api, &p->y, k->n, k->cout, ho, wo);
	if (!code)
		code = make_tensor(api, &p->bias, 1, k->cout, 1, 1);
	if (!code)
		code = api->CreateFilterDescriptor(&p->w);
	if (!code)
		code = api->SetFilter4dDescriptor(
		        p->w, CUDNN_FLOAT, CUDNN_NHWC, (int)k->cout, (int)k->cin, k->kh, k->kw);
	if (!code)
		code = api->CreateConvolutionDescriptor(&p->conv);
	if (!code)
		code = api->SetConvolution2dDescriptor(
		        p->conv, k->pad, k->pad, k->stride, k->stride, 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_FLOAT);
	return code ? code : api->SetConvolutionMathType(p->conv, k->tf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH);
}

/* The heuristic's first answer that will do: FMA math at fp32, and not at tf32. */
static void choose(struct cuda_dnn *d, struct plan *p)
{
	struct cudnn_algo found[CANDIDATES];
	int n = 0, code = describe(&d->api, p);

	p->step = IMPOSSIBLE;
	if (!code)
		code = d->api.GetConvolutionForwardAlgorithm_v7(
		        d->handle, p->x, p->w, p->conv, p->y, CANDIDATES, &n, found);
	for (int i = 0; i < n && !code; i++) {
		bool fma = found[i].math == CUDNN_FMA_MATH;

		if (found[i].status || found[i].memory > WORKSPACE_MAX || fma == (p->key.tf32 != 0) ||
		        d->api.SetConvolutionMathType(p->conv, found[i].math))
			continue;
		p->algo = found[i].algo;
		p->workspace = found[i].memory;
		p->step = UNKNOWN;
		return;
	}
}

/* The plan of a key, made when it is new; NULL when there is no room for more. */
static struct plan *find_plan(struct cuda_dnn *d, const struct key *k)
{
	size_t i = sb_fnv1a(SB_FNV1A_INIT, k, sizeof(*k)) % PLANS;
	struct plan *p;

	while (d->plan[i].used && memcmp(&d->plan[i].key, k, sizeof(*k)) != 0)
		i = (i + 1) % PLANS;
	p = &d->plan[i];
	if (p->used)
		return p;
	if (d->n == PLANS / 2)
		return NULL;
	p->key = *k;
	p->used = true;
	d->n++;
	choose(d, p);
	d->refused += p->step == IMPOSSIBLE;
	return p;
}

/* ---- running ------------------------------------------------------------------------------------------------------
 */

/* One call: the plan's operands and where they lie. */
struct dnn_run {
	struct cuda *c;
	struct cuda_dnn *d;
	struct plan *p;
	const struct sb_conv_args *a;
	const float *x; /* after relu_in */
	float *y;       /* what plain_conv() writes: a->y, or memory of its own where that holds a residual */
	void *work;
};

/* It applies bias, then adds one residual or takes ReLU; without ReLU it does so with one algorithm alone. */
static bool fits_at_once(const struct plan *p)
{
	return p->key.at_once && (p->key.relu_out || p->algo == CUDNN_ALGO_IMPLICIT_PRECOMP_GEMM);
}

static int at_once(const struct dnn_run *r)
{
	const struct sb_conv_args *a = r->a;
	const struct plan *p = r->p;
	const float *residual = a->residual ? a->residual : a->residual2;
	const float one = 1.0f, zero = 0.0f;

	return r->d->api.ConvolutionBiasActivationForward(r->d->handle, &one, p->x, r->x, p->w, a->w, p->conv, p->algo,
	        r->work, p->workspace, residual ? &one : &zero, p->y, residual ? residual : a->y, p->bias, a->bias,
	        a->relu_out ? r->d->relu : r->d->identity, p->y, a->y);
}

static int plain_conv(const struct dnn_run *r)
{
	const struct plan *p = r->p;
	const float one = 1.0f, zero = 0.0f;

	return r->d->api.ConvolutionForward(r->d->handle, &one, p->x, r->x, p->w, r->a->w, p->conv, p->algo, r->work,
	        p->workspace, &zero, p->y, r->y);
}

/* Which of the two the library takes is found out by the first call of a shape. */
static enum sb_status convolve(struct dnn_run *r, struct sb_error *err)
{
	struct plan *p = r->p;
	int code = 0;

	if (p->step == DONE_AT_ONCE || (p->step == UNKNOWN && fits_at_once(p))) {
		code = at_once(r);
		if (!code || p->step == DONE_AT_ONCE)
			p->step = DONE_AT_ONCE;
	}
	if (p->step == PLAIN || p->step == UNKNOWN) {
		code = plain_conv(r);
		if (!code)
			p->step = PLAIN;
	}
	if (code && p->step == UNKNOWN && code < CUDNN_EXECUTION_FAILED) {
		cudaGetLastError();
		p->step = IMPOSSIBLE;
		r->d->refused++;
		return SB_OK;
	}
	if (!code)
		return SB_OK;
	cudaGetLastError(); /* or the next launch reports it again */
	return sb_fail(err, SB_E_DEVICE, "cuDNN convolution: %s", r->d->api.GetErrorString(code));
}

static enum sb_status relu_of_x(struct dnn_run *r, float *out, struct sb_error *err)
{
	const struct sb_conv_args *a = r->a;
	struct sb_cuda_launch l = sb_cuda_launch_of(r->c);
	struct sb_epilogue_args e = {
		.v = a->x,
		.y = out,
		.rows = a->n * a->h * a->width,
		.cols = a->cin,
		.ldv = a->cin,
		.ldr = a->cin,
		.ldy = a->cin,
		.act = SB_ACT_RELU,
	};

	r->x = out;
	return sb_cuda_launched(r->c, &l, sb_epilogue_cuda(&e, &l), err);
}

static enum sb_status run_plan(struct dnn_run *r, struct sb_error *err)
{
	const struct sb_conv_args *a = r->a;
	int64_t pixels = sb_cuda_conv_pixels(a);
	bool held = a->residual == a->y || a->residual2 == a->y;
	void *x = NULL, *y = NULL;
	enum sb_status status = sb_cuda_work(r->c, r->p->workspace, &r->work, err);

	if (!status && a->relu_in)
		status = sb_cuda_work(r->c, (size_t)(a->n * a->h * a->width * a->cin) * sizeof(float), &x, err);
	if (!status && held && r->p->step != DONE_AT_ONCE)
		status = sb_cuda_work(r->c, (size_t)(pixels * a->cout) * sizeof(float), &y, err);
	if (!status && x)
		status = relu_of_x(r, x, err);
	if (y)
		r->y = y;
	if (!status)
		status = convolve(r, err);
	if (!status && r->p->step == PLAIN && (a->bias || a->relu_out || a->residual || a->residual2))
		status = sb_cuda_conv_finish(r->c, a, r->y, 0, pixels, err);
	sb_cuda_work_free(r->c, y);
	sb_cuda_work_free(r->c, x);
	sb_cuda_work_free(r->c, r->work);
	return status;
}

/* Sizes that its descriptors hold, pointers that its kernels take. */
static bool sizes_fit(const struct sb_conv_args *a)
{
	uintptr_t pointers = (uintptr_t)a->x | (uintptr_t)a->w | (uintptr_t)a->y | (uintptr_t)a->bias |
	                     (uintptr_t)a->residual | (uintptr_t)a->residual2;
	int64_t pixels = sb_cuda_conv_pixels(a);

	return pixels > 0 && pointers % ALIGNMENT == 0 && a->n * a->h * a->width * a->cin < INT32_MAX &&
	       pixels * a->cout < INT32_MAX && a->cout * a->kh * a->kw * a->cin < INT32_MAX;
}

enum sb_status sb_cuda_dnn_conv(struct cuda *c, const struct sb_conv_args *a, bool *done, struct sb_error *err)
{
	bool tf32 = sb_cuda_tf32(c, SB_PART_PRECISION_CONV);
	struct key k = key_of(a, tf32);
	struct dnn_run r = { .c = c, .d = c->dnn, .a = a, .x = a->x, .y = a->y };
	enum sb_status status;

	*done = false;
	r.p = c->dnn && sizes_fit(a) ? find_plan(c->dnn, &k) : NULL;
	if (!r.p || r.p->step == IMPOSSIBLE)
		return SB_OK;
	status = run_plan(&r, err);
	*done = r.p->step != IMPOSSIBLE;
	if (*done)
		c->base.kernel = tf32 ? "cudnn_tf32" : "cudnn_fp32"; /* as asked; a tracer has the real name */
	return status;
}
