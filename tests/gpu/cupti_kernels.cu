/* Something to launch for test_cuda_cupti.c. */
#include <cuda_runtime.h>

extern "C" cudaError_t launch_nothing(cudaStream_t stream, int grid, int threads);
extern "C" cudaError_t launch_something(cudaStream_t stream, float *v, int n, int rounds);

static __global__ void nothing(void)
{
}

static __global__ void something(float *v, int n, int rounds)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	for (int k = 0; k < rounds && i < n; k++)
		v[i] = v[i] * 0.5f + 1.0f;
}

cudaError_t launch_nothing(cudaStream_t stream, int grid, int threads)
{
	nothing<<<grid, threads, 0, stream>>>();
	return cudaGetLastError();
}

cudaError_t launch_something(cudaStream_t stream, float *v, int n, int rounds)
{
	something<<<(n + 255) / 256, 256, 0, stream>>>(v, n, rounds);
	return cudaGetLastError();
}
