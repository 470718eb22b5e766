/*
 * One step of the online softmax, for one instruction set; attention_cpu.c includes this once for each, after
 *   TILE_STEP    name of the function
 *   TILE_TARGET  its target attribute, or nothing
 *   TILE_LANES   floats of a vector
 *   TILE_ROWS    rows of the block of sums that the product keeps in registers, two vectors each
 * which it undefines. The vector type has to be the machine's own: gcc takes apart wider ones before it knows the
 * target (with 16 lanes the AVX2 version took 10 times as long), and a loop over plain arrays leaves the sums in
 * memory.
 *
 * No include guard: it is meant to be included again.
 */
#define TILE_JOIN_(a, b) a##_##b
#define TILE_JOIN(a, b)  TILE_JOIN_(a, b)
#define TILE_VEC         TILE_JOIN(TILE_STEP, vec)
#define TILE_BLOCK       TILE_JOIN(TILE_STEP, block)
#define TILE_PRODUCT     TILE_JOIN(TILE_STEP, product)
#define TILE_SOFTMAX     TILE_JOIN(TILE_STEP, softmax)

#if defined(__GNUC__)
typedef float TILE_VEC __attribute__((vector_size(4 * TILE_LANES), aligned(4), may_alias));
#else
typedef float TILE_VEC;
#undef TILE_LANES
#define TILE_LANES 1
#endif

/* c[r, 0 .. 2 lanes) (+)= sum over t < n of a[r * row + t * col] b[t, 0 .. 2 lanes), for r < rows, rows a constant. */
TILE_TARGET SB_INLINE void TILE_BLOCK(int rows, const float *a, int64_t row, int64_t col, const float *b, int64_t ldb,
        float *c, int64_t ldc, int64_t n, bool add)
{
	const TILE_VEC zero = { 0.0f };
	TILE_VEC sum[TILE_ROWS][2];

	SB_UNROLL
	for (int r = 0; r < rows; r++) {
		sum[r][0] = add ? *(const TILE_VEC *)(c + r * ldc) : zero;
		sum[r][1] = add ? *(const TILE_VEC *)(c + r * ldc + TILE_LANES) : zero;
	}
	for (int64_t t = 0; t < n; t++) {
		TILE_VEC b0 = *(const TILE_VEC *)(b + t * ldb), b1 = *(const TILE_VEC *)(b + t * ldb + TILE_LANES);

		SB_UNROLL
		for (int r = 0; r < rows; r++) {
			sum[r][0] += a[r * row + t * col] * b0;
			sum[r][1] += a[r * row + t * col] * b1;
		}
	}
	SB_UNROLL
	for (int r = 0; r < rows; r++) {
		*(TILE_VEC *)(c + r * ldc) = sum[r][0];
		*(TILE_VEC *)(c + r * ldc + TILE_LANES) = sum[r][1];
	}
}

/* c[m, GROUP] (+)= a b, b [n, GROUP]. */
TILE_TARGET SB_INLINE void TILE_PRODUCT(const float *a, int64_t row, int64_t col, const float *b, int64_t ldb, float *c,
        int64_t ldc, int64_t m, int64_t n, bool add)
{
	for (int64_t l = 0; l < GROUP; l += 2 * TILE_LANES) {
		int64_t r = 0;

		for (; r + TILE_ROWS <= m; r += TILE_ROWS)
			TILE_BLOCK(TILE_ROWS, a + r * row, row, col, b + l, ldb, c + r * ldc + l, ldc, n, add);
		for (; r < m; r++)
			TILE_BLOCK(1, a + r * row, row, col, b + l, ldb, c + r * ldc + l, ldc, n, add);
	}
}

/*
 * Scores to exponentials, in place, and what was summed before to the new maximum. Before the first step that maximum
 * is -FLT_MAX and the sums 0, so it needs no case of its own. The sums are those of the unrounded p, as a kernel with
 * tensor cores has them at hand; rounding to nearest has no bias.
 */
TILE_TARGET SB_INLINE void TILE_SOFTMAX(float *restrict p, float *restrict max, float *restrict sum,
        float *restrict acc, int64_t n, int dim, float scale, bool tf32)
{
	float new_max[GROUP], add[GROUP], factor[GROUP];

	for (int l = 0; l < GROUP; l++)
		new_max[l] = max[l];
	for (int64_t j = 0; j < n; j++) {
#pragma omp simd
		for (int l = 0; l < GROUP; l++) {
			float s = p[j * GROUP + l] * scale;

			p[j * GROUP + l] = s;
			new_max[l] = sb_maxf(s, new_max[l]);
		}
	}
#pragma omp simd
	for (int l = 0; l < GROUP; l++) {
		factor[l] = sb_exp_negf(max[l] - new_max[l]);
		max[l] = new_max[l];
		add[l] = 0.0f;
	}
	for (int64_t j = 0; j < n; j++) {
#pragma omp simd
		for (int l = 0; l < GROUP; l++) {
			float e = sb_exp_negf(p[j * GROUP + l] - new_max[l]);

			add[l] += e;
			p[j * GROUP + l] = tf32 ? sb_tf32f(e) : e;
		}
	}
	for (int l = 0; l < GROUP; l++)
		sum[l] = sum[l] * factor[l] + add[l];
	for (int d = 0; d < dim; d++)
#pragma omp simd
		for (int l = 0; l < GROUP; l++)
			acc[d * BQ + l] *= factor[l];
}

TILE_TARGET static void TILE_STEP(
        const struct sb_attention_args *a, const struct tile *t, int64_t group, const struct keys *x)
{
	TILE_PRODUCT(x->k, x->ldk, 1, t->q + group, BQ, t->p, GROUP, x->n, a->dim, false);
	if (a->tf32)
		TILE_SOFTMAX(t->p, t->max + group, t->sum + group, t->acc + group, x->n, a->dim, a->scale, true);
	else
		TILE_SOFTMAX(t->p, t->max + group, t->sum + group, t->acc + group, x->n, a->dim, a->scale, false);
	TILE_PRODUCT(x->v, 1, x->ldv, t->p, GROUP, t->acc + group, BQ, a->dim, x->n, true);
}

#undef TILE_STEP
#undef TILE_TARGET
#undef TILE_LANES
#undef TILE_ROWS
#undef TILE_JOIN_
#undef TILE_JOIN
#undef TILE_VEC
#undef TILE_BLOCK
#undef TILE_PRODUCT
#undef TILE_SOFTMAX
