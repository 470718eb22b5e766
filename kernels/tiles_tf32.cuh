/*
 * Tiles on tensor cores: what the convolution and the linear layer of our own do with a piece that is in shared memory
 * (conv_implicit.cuh says how it lies there). mma.sync m16n8k8, operands rounded to nearest, float sums.
 */
#ifndef TILES_TF32_CUH
#define TILES_TF32_CUH

#include "conv_implicit.cuh"

static __device__ __forceinline__ void load_four(uint32_t from, uint32_t r[4])
{
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
	             : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
	             : "r"(from)
	             : "memory");
}

/* To nearest: mma ignores the lower 13 bits. The maximum keeps the device's NaN, 0x7fffffff, from wrapping to -0. */
static __device__ __forceinline__ uint32_t rounded(uint32_t bits)
{
	return (uint32_t)__viaddmax_s32((int)bits, 0x1000, (int)bits);
}

static __device__ __forceinline__ void multiply(float d[4], const uint32_t a[4], const uint32_t *b)
{
	asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
	             "{%0, %1, %2, %3};"
	             : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
	             : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/* One piece: the warp's Tm x 16 rows by Tn x 8 columns. Relu: of the rows; Round: weights that do not come rounded. */
template <int Tm, int Tn, bool Relu, bool Round>
static __device__ __forceinline__ void multiply_piece(
        float sum[Tm][Tn][4], uint32_t windows, uint32_t weights, int warp_row, int warp_column, int lane)
{
#pragma unroll
	for (int k = 0; k < kPiece / 8; k++) {
		uint32_t a[Tm][4], b[Tn / 2][4];

#pragma unroll
		for (int m = 0; m < Tm; m++) {
			load_four(windows + place(warp_row + m * 16 + lane % 16, 2 * k + lane / 16), a[m]);
#pragma unroll
			for (int i = 0; i < 4; i++) {
				if (Relu)
					a[m][i] = __float_as_uint(relu(__uint_as_float(a[m][i])));
				a[m][i] = rounded(a[m][i]);
			}
		}
#pragma unroll
		for (int n = 0; n < Tn / 2; n++) {
			load_four(weights + place(warp_column + n * 16 + lane % 8 + lane / 16 * 8, 2 * k + lane / 8 % 2), b[n]);
#pragma unroll
			for (int i = 0; i < 4 && Round; i++)
				b[n][i] = rounded(b[n][i]);
		}
#pragma unroll
		for (int m = 0; m < Tm; m++)
#pragma unroll
			for (int n = 0; n < Tn; n++)
				multiply(sum[m][n], a[m], b[n / 2] + n % 2 * 2);
	}
}

#endif
