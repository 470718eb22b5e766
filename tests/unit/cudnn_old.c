/* A library with cuDNN's functions that says it is version 8.9.7: none of them is called but cudnnGetVersion. */
#include "cudnn_load.h"

#define OLD(name, result, args)   \
	size_t cudnn##name(void); \
	size_t cudnn##name(void)  \
	{                         \
		return 8907;      \
	}
SB_CUDNN_CALLS(OLD)
