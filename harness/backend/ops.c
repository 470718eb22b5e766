#include "backend_internal.h"

const char *const sb_op_kind_names[SB_KIND_COUNT] = {
	[SB_KIND_GEMM] = "gemm",
	[SB_KIND_CONV] = "conv",
	[SB_KIND_ATTENTION] = "attention",
	[SB_KIND_NORM] = "norm",
	[SB_KIND_ELEMENTWISE] = "elementwise",
	[SB_KIND_SAMPLE] = "sample",
	[SB_KIND_COPY] = "copy",
};

const struct sb_op_info sb_op_table[SB_OP_COUNT] = {
#define SB_OP_ROW(ID, member, kind, args) \
	[SB_OP_##ID] = { #member, SB_KIND_##kind, sb_check_##member, sb_work_##member },
	SB_OPS(SB_OP_ROW)
#undef SB_OP_ROW
};
