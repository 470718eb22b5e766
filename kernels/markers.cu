/*
 * A reading of the multiprocessors' clocks: a block of one warp writes its multiprocessor's number, clock and the
 * device's timer. Blocks are handed out to all multiprocessors before any gets a second one; nothing here depends on
 * it, for each reading says whose it is.
 */
#include <cuda_runtime.h>

extern "C" {
#include "markers_cuda.h"
}

static constexpr int kThreads = 32;

static __global__ void __launch_bounds__(kThreads) read_clocks(struct sb_marker *out)
{
	unsigned long long ns;
	unsigned sm;

	if (threadIdx.x)
		return;
	asm volatile("mov.u32 %0, %%smid;" : "=r"(sm));
	asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(ns));
	out[blockIdx.x].clock = clock64();
	out[blockIdx.x].time_ns = (int64_t)ns;
	out[blockIdx.x].sm = (int32_t)sm;
	out[blockIdx.x].unused = 0;
}

/* Every block keeps its multiprocessor busy until the device's timer has moved on by `ns`. */
static __global__ void __launch_bounds__(kThreads) spin(unsigned long long ns)
{
	unsigned long long start, now;

	asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(start));
	do
		asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
	while (now - start < ns);
}

extern "C" int sb_spin_cuda(int blocks, int64_t ns, struct sb_cuda_launch *l)
{
	if (ns <= 0)
		return 0;
	spin<<<blocks, kThreads, 0, l->stream>>>((unsigned long long)ns);
	l->name = "spin";
	l->launches++;
	return cudaGetLastError();
}

extern "C" int sb_markers_cuda(const struct sb_markers_args *a, struct sb_cuda_launch *l)
{
	if (a->n <= 0)
		return 0;
	read_clocks<<<a->n, kThreads, 0, l->stream>>>(a->out);
	l->name = "read_clocks";
	l->launches++;
	return cudaGetLastError();
}
