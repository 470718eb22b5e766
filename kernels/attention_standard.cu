/*
 * attention, standard: S = scale q k^T, P = softmax(S), o = P v, each for the whole batch x heads before the next
 * starts, as PyTorch's plain path does. The products of long sequences are cuBLAS's, those of at most 64 tokens
 * attention_small.cu's: with thousands of pairs cuBLAS would take a launch for each entry of a batch axis.
 */
#include <cublas_v2.h>
#include <cuda_runtime.h>

extern "C" {
#include "attention_cuda_internal.h"
}
#include "attention_softmax.cuh"

/* Each of S and P on its own 256 bytes. */
static size_t score_bytes(const struct sb_attention_args *a)
{
	return ((size_t)(a->batch * a->heads * a->lq * a->lk) * sizeof(float) + 255) / 256 * 256;
}

size_t sb_attention_cuda_workspace(const struct sb_attention_args *a, const struct sb_cuda_launch *l)
{
	return l->efficient ? 0 : 2 * score_bytes(a);
}

/*
 * A product for every (batch, head), column-major as cuBLAS has it: c = alpha op(a) b. The strides of batch and head
 * give two axes, cuBLAS strides over one: it is called for each entry of the other, the shorter one.
 */
struct product {
	cublasOperation_t op_a;
	int m, n, k;
	float alpha;
	const float *a, *b;
	float *c;
	struct sb_attention_strides as, bs, cs;
};

static int is_one_axis(const struct sb_attention_strides *s, int64_t heads)
{
	return s->batch == s->head * heads;
}

static int multiply(const struct product *p, int64_t batch, int64_t heads, struct sb_cuda_launch *l)
{
	const float beta = 0.0f;
	const cublasComputeType_t compute = l->tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
	/* `along` is the axis that cuBLAS strides over, `across` the one of the calls. */
	bool along_heads = heads >= batch;
	int64_t along = along_heads ? heads : batch, across = along_heads ? batch : heads;

	if (is_one_axis(&p->as, heads) && is_one_axis(&p->bs, heads) && is_one_axis(&p->cs, heads)) {
		along_heads = true;
		along = batch * heads;
		across = 1;
	}
	for (int64_t i = 0; i < across; i++) {
		const int64_t a = i * (along_heads ? p->as.batch : p->as.head);
		const int64_t b = i * (along_heads ? p->bs.batch : p->bs.head);
		const int64_t c = i * (along_heads ? p->cs.batch : p->cs.head);
		cublasStatus_t status = cublasGemmStridedBatchedEx((cublasHandle_t)l->blas, p->op_a, CUBLAS_OP_N, p->m,
		        p->n, p->k, &p->alpha, p->a + a, CUDA_R_32F, (int)p->as.row,
		        along_heads ? p->as.head : p->as.batch, p->b + b, CUDA_R_32F, (int)p->bs.row,
		        along_heads ? p->bs.head : p->bs.batch, &beta, p->c + c, CUDA_R_32F, (int)p->cs.row,
		        along_heads ? p->cs.head : p->cs.batch, (int)along, compute, CUBLAS_GEMM_DEFAULT);

		if (status != CUBLAS_STATUS_SUCCESS)
			return -(int)status;
		l->launches++;
	}
	return 0;
}

static struct sb_attention_strides score_strides(const struct sb_attention_args *a)
{
	return { a->heads * a->lq * a->lk, a->lq * a->lk, a->lk };
}

/* Row-major S = q k^T is column-major k^T-transposed times q. */
static int blas_scores(const struct sb_attention_args *a, struct sb_cuda_launch *l, float *s)
{
	const struct product p = { CUBLAS_OP_T, (int)a->lk, (int)a->lq, a->dim, a->scale, a->k, a->q, s, a->ks, a->qs,
		score_strides(a) };

	return multiply(&p, a->batch, a->heads, l);
}

static int blas_values(const struct sb_attention_args *a, struct sb_cuda_launch *l, const float *w)
{
	const struct product p = { CUBLAS_OP_N, a->dim, (int)a->lq, (int)a->lk, 1.0f, a->v, w, a->o, a->vs,
		score_strides(a), a->os };

	return multiply(&p, a->batch, a->heads, l);
}

int sb_attention_standard_cuda(const struct sb_attention_args *a, struct sb_cuda_launch *l)
{
	float *s = (float *)l->work, *p = (float *)((char *)l->work + score_bytes(a));
	const bool small = sb_attention_is_small(a);
	int status;

	if (!l->work || (!small && !l->blas))
		return cudaErrorInvalidValue;
	if (small)
		l->name = l->tf32 ? "attention_standard_small_tf32" : "attention_standard_small";
	else
		l->name = l->tf32 ? "attention_standard_tf32" : "attention_standard";
	status = small ? sb_attention_small_scores_cuda(a, l, s) : blas_scores(a, l, s);
	if (status)
		return status;
	status = softmax_rows(s, p, a->batch * a->heads * a->lq, (int)a->lk, l->stream);
	if (status)
		return status;
	l->launches++;
	return small ? sb_attention_small_values_cuda(a, l, p) : blas_values(a, l, p);
}
