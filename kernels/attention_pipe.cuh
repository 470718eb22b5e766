/* attention_pipe: asynchronous copies to shared memory, on any device from 8.0 on. */
#ifndef SB_ATTENTION_PIPE_CUH
#define SB_ATTENTION_PIPE_CUH

#include <stdint.h>

/* BYTES / 4 floats; zeros where not `valid`. */
template <int BYTES> static __device__ __forceinline__ void copy_async(float *to, const float *from, bool valid)
{
	const uint32_t at = (uint32_t)__cvta_generic_to_shared(to);

	if constexpr (BYTES == 16)
		asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(valid ? 16 : 0));
	else
		asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(at), "l"(from), "r"(valid ? 4 : 0));
}

/* Wait until all copies that this thread has started have landed. */
static __device__ __forceinline__ void copies_wait(void)
{
	asm volatile("cp.async.wait_all;" ::: "memory");
}

#endif
