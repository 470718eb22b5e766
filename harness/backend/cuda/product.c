/*
 * Matrix products by cuBLASLt. Row-major y = x w^T is, to a column-major library, D = op(A) op(B) with A = w
 * transposed and B = x; rows of D are our columns, so its bias is ours.
 *
 * What to run for a shape is asked once and kept: the cold pass pays for it. fp32 asks for kernels of FMA alone and
 * refuses any other, so that nothing in the environment can slip TF32 into it.
 */
#include "cuda_internal.h"

#include <stdlib.h>
#include <string.h>

#define PLANS         4096 /* a power of two, at most half full; the network has some hundred shapes */
#define WORKSPACE_MAX ((size_t)32 << 20)
#define CANDIDATES    8
#define MAX_ALIGNMENT 256

enum flag { HAS_BIAS = 1, HAS_RELU = 2, HAS_RESIDUAL = 4, IN_PLACE = 8, IS_TF32 = 16 };

/* All that the choice of a kernel depends on. Compared as bytes: no padding. */
struct key {
	int64_t rows, in, out, ldx, ldw, ldr, ldy;
	uint16_t flags, align_x, align_w, align_r, align_y, unused[3];
};

struct plan {
	struct key key;
	bool used, possible;
	cublasLtMatmulDescOpaque_t desc;
	cublasLtMatrixLayoutOpaque_t a, b, c, d;
	cublasLtMatmulAlgo_t algo;
	size_t workspace;
};

struct cuda_plans {
	struct plan plan[PLANS];
	struct plan last; /* when the table is full */
	int n;
};

enum sb_status sb_cuda_plans_open(struct cuda_plans **out, struct sb_error *err)
{
	*out = calloc(1, sizeof(**out));
	return *out ? SB_OK : sb_fail(err, SB_E_NOMEM, "no memory for plans of products");
}

void sb_cuda_plans_close(struct cuda_plans *p)
{
	free(p);
}

/* ---- planning -----------------------------------------------------------------------------------------------------
 */

/* The largest power of two, up to MAX_ALIGNMENT, that divides the address and the stride in bytes. */
static uint16_t alignment(const void *p, int64_t ld)
{
	uintptr_t bits = (uintptr_t)p | (uintptr_t)ld * sizeof(float) | MAX_ALIGNMENT;

	return p ? (uint16_t)(bits & -bits) : MAX_ALIGNMENT;
}

static struct key key_of(const struct cuda_product *p)
{
	int flags = (p->bias ? HAS_BIAS : 0) | (p->relu ? HAS_RELU : 0) | (p->residual ? HAS_RESIDUAL : 0) |
	            (p->residual == p->y ? IN_PLACE : 0) | (p->tf32 ? IS_TF32 : 0);

	return (struct key){
		.rows = p->rows,
		.in = p->in,
		.out = p->out,
		.ldx = p->ldx,
		.ldw = p->ldw,
		.ldr = p->residual ? p->ldr : p->ldy,
		.ldy = p->ldy,
		.flags = (uint16_t)flags,
		.align_x = alignment(p->x, p->ldx),
		.align_w = alignment(p->w, p->ldw),
		.align_r = p->residual ? alignment(p->residual, p->ldr) : alignment(p->y, p->ldy),
		.align_y = alignment(p->y, p->ldy),
	};
}

static enum sb_status describe(struct plan *p, struct sb_error *err)
{
	const struct key *k = &p->key;
	cublasComputeType_t compute = k->flags & IS_TF32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
	cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
	cublasOperation_t yes = CUBLAS_OP_T;
	uint64_t rows = (uint64_t)k->rows, in = (uint64_t)k->in, out = (uint64_t)k->out;
	enum sb_status status = SB_CUBLAS(err, cublasLtMatmulDescInit(&p->desc, compute, CUDA_R_32F));

	if (k->flags & HAS_BIAS)
		epilogue = k->flags & HAS_RELU ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
	else if (k->flags & HAS_RELU)
		epilogue = CUBLASLT_EPILOGUE_RELU;
	if (!status)
		status = SB_CUBLAS(
		        err, cublasLtMatmulDescSetAttribute(&p->desc, CUBLASLT_MATMUL_DESC_TRANSA, &yes, sizeof(yes)));
	if (!status)
		status = SB_CUBLAS(err, cublasLtMatmulDescSetAttribute(
		                                &p->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof(epilogue)));
	if (!status)
		status = SB_CUBLAS(err, cublasLtMatrixLayoutInit(&p->a, CUDA_R_32F, in, out, k->ldw));
	if (!status)
		status = SB_CUBLAS(err, cublasLtMatrixLayoutInit(&p->b, CUDA_R_32F, in, rows, k->ldx));
	if (!status)
		status = SB_CUBLAS(err, cublasLtMatrixLayoutInit(&p->c, CUDA_R_32F, out, rows, k->ldr));
	if (!status)
		status = SB_CUBLAS(err, cublasLtMatrixLayoutInit(&p->d, CUDA_R_32F, out, rows, k->ldy));
	return status;
}

static enum sb_status set_preference(cublasLtMatmulPreferenceOpaque_t *pref, const struct key *k, struct sb_error *err)
{
	/* At tf32 anything is allowed that reads TF32 or better: small or unaligned shapes have no tensor kernel. */
	uint64_t fma = CUBLASLT_NUMERICAL_IMPL_FLAGS_FMA | CUBLASLT_NUMERICAL_IMPL_FLAGS_ACCUMULATOR_TYPE_MASK |
	               CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_32F;
	size_t workspace = WORKSPACE_MAX;
	const struct {
		cublasLtMatmulPreferenceAttributes_t attribute;
		uint32_t value;
	} align[] = {
		{ CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, k->align_w },
		{ CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, k->align_x },
		{ CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, k->align_r },
		{ CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, k->align_y },
	};
	enum sb_status status = SB_CUBLAS(err, cublasLtMatmulPreferenceInit(pref));

	if (!status)
		status = SB_CUBLAS(
		        err, cublasLtMatmulPreferenceSetAttribute(
		                     pref, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof(workspace)));
	for (size_t i = 0; i < SB_ARRAY_LEN(align) && !status; i++)
		status = SB_CUBLAS(err, cublasLtMatmulPreferenceSetAttribute(
		                                pref, align[i].attribute, &align[i].value, sizeof(align[i].value)));
	if (!status && !(k->flags & IS_TF32))
		status = SB_CUBLAS(err,
		        cublasLtMatmulPreferenceSetAttribute(pref, CUBLASLT_MATMUL_PREF_IMPL_MASK, &fma, sizeof(fma)));
	return status;
}

/* What the kernel computes with; 0 when it does not say. */
static uint64_t numerics(const cublasLtMatmulAlgo_t *algo)
{
	uint64_t flags = 0;
	size_t written;

	if (cublasLtMatmulAlgoCapGetAttribute(
	            algo, CUBLASLT_ALGO_CAP_NUMERICAL_IMPL_FLAGS, &flags, sizeof(flags), &written))
		return 0;
	return flags;
}

/* Necessary, not sufficient: Hopper's TF32 kernels call themselves FMA too. What keeps them out is the compute type. */
static bool only_fma(uint64_t flags)
{
	return (flags & CUBLASLT_NUMERICAL_IMPL_FLAGS_FMA) && !(flags & CUBLASLT_NUMERICAL_IMPL_FLAGS_TENSOR_OP_MASK) &&
	       !(flags & CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_TF32);
}

/* Choose a kernel; p->possible stays false when there is none. */
static enum sb_status choose(struct cuda *c, struct plan *p, struct sb_error *err)
{
	cublasLtMatmulHeuristicResult_t found[CANDIDATES];
	cublasLtMatmulPreferenceOpaque_t pref;
	enum sb_status status = set_preference(&pref, &p->key, err);
	cublasStatus_t code;
	int n = 0;

	if (status)
		return status;
	code = cublasLtMatmulAlgoGetHeuristic(
	        c->lt, &p->desc, &p->a, &p->b, &p->c, &p->d, &pref, CANDIDATES, found, &n);
	if (code == CUBLAS_STATUS_NOT_SUPPORTED || code == CUBLAS_STATUS_INVALID_VALUE)
		return SB_OK;
	if (code != CUBLAS_STATUS_SUCCESS)
		return sb_cublas_fail(err, code, "cublasLtMatmulAlgoGetHeuristic");
	for (int i = 0; i < n && !p->possible; i++) {
		uint64_t flags = numerics(&found[i].algo);

		if (found[i].state != CUBLAS_STATUS_SUCCESS || (!(p->key.flags & IS_TF32) && !only_fma(flags)))
			continue;
		p->possible = true;
		p->algo = found[i].algo;
		p->workspace = found[i].workspaceSize;
	}
	return SB_OK;
}

/* The plan of a key, made when it is new. */
static enum sb_status find_plan(struct cuda *c, const struct key *k, struct plan **out, struct sb_error *err)
{
	struct cuda_plans *all = c->plans;
	size_t i = sb_fnv1a(SB_FNV1A_INIT, k, sizeof(*k)) % PLANS;
	struct plan *p;
	enum sb_status status;

	while (all->plan[i].used && memcmp(&all->plan[i].key, k, sizeof(*k)) != 0)
		i = (i + 1) % PLANS;
	p = &all->plan[i];
	if (p->used) {
		*out = p;
		return SB_OK;
	}
	if (all->n == PLANS / 2)
		p = &all->last;
	*p = (struct plan){ .key = *k };
	status = describe(p, err);
	if (!status)
		status = choose(c, p, err);
	if (status)
		return status;
	if (p != &all->last) {
		p->used = true;
		all->n++;
	}
	*out = p;
	return SB_OK;
}

/* ---- running ------------------------------------------------------------------------------------------------------
 */

enum sb_status sb_cuda_product(struct cuda *c, const struct cuda_product *q, bool *done, struct sb_error *err)
{
	const float one = 1.0f, zero = 0.0f;
	struct key k = key_of(q);
	struct plan *p = NULL;
	void *work = NULL;
	enum sb_status status;

	*done = true;
	if (q->rows == 0 || q->out == 0)
		return SB_OK;
	status = find_plan(c, &k, &p, err);
	if (status)
		return status;
	*done = p->possible;
	if (!*done)
		return SB_OK;
	if (q->bias)
		status = SB_CUBLAS(err, cublasLtMatmulDescSetAttribute(&p->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
		                                &q->bias, sizeof(q->bias)));
	if (!status)
		status = sb_cuda_work(c, p->workspace, &work, err);
	if (!status)
		status = SB_CUBLAS(err, cublasLtMatmul(c->lt, &p->desc, &one, q->w, &p->a, q->x, &p->b,
		                                q->residual ? &one : &zero, q->residual ? q->residual : q->y, &p->c,
		                                q->y, &p->d, &p->algo, work, p->workspace, c->stream));
	sb_cuda_work_free(c, work);
	c->base.kernel = q->tf32 ? "cublaslt_fast_tf32" : "cublaslt_fp32"; /* as asked; a tracer has the real name */
	return status;
}
