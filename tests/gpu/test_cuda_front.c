/*
 * The CUDA kernels of norm.h, pointwise.h, resize.h, patches.h and of the maps in track.h. A line a check; exit 0, 1
 * when one failed, 77 without a device. Usage: test_cuda_front [--quick] [--time]
 */
#include <stdio.h>
#include <string.h>

#include "front_cases.h"
#include "op_case.h"

int main(int argc, char **argv)
{
	int quick = 0, timing = 0;

	for (int i = 1; i < argc; i++) {
		quick |= strcmp(argv[i], "--quick") == 0;
		timing |= strcmp(argv[i], "--time") == 0;
	}
	op_open_device();
	check_norm(quick);
	check_pointwise(quick);
	check_maps(quick);
	check_resize(quick);
	check_patches(quick);
	if (timing && !quick) {
		time_norm();
		time_pointwise();
		time_maps();
		time_resize();
		time_patches();
	}
	printf("%d failed\n", op_failures());
	return op_failures() ? 1 : 0;
}
