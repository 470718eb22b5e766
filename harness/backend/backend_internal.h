/* What the backend's own files share: the rows' functions, one declaration a row, and the CPU adapters. */
#ifndef SB_BACKEND_INTERNAL_H
#define SB_BACKEND_INTERNAL_H

#include "sb_backend.h"

/* sb_backend_cuda only opens: what it gives has the operations of the library it comes from. */
extern const struct sb_backend_ops sb_backend_cpu, sb_backend_cuda;

/* counting.c: of a pass, whose counters are open. */
void sb_backend_counting_reset(struct sb_backend *be);
enum sb_status sb_backend_count_op(
        struct sb_backend *be, const struct sb_op_info *info, const struct sb_op *op, struct sb_error *err);
enum sb_status sb_backend_end_counting(struct sb_backend *be, struct sb_error *err);

/* op_attention.c: the size of a score matrix, whether the device will hold one or not. */
void sb_backend_note_scores(struct sb_backend *be, const struct sb_attention_args *a);

/* check_<member>(), work_<member>(): one of each a row, in op_<family>.c. */
#define SB_OP_DECLARE(ID, member, kind, args)                    \
	const char *sb_check_##member(const struct sb_op *op);   \
	struct sb_work sb_work_##member(const struct sb_op *op); \
	enum sb_status sb_cpu_##member(struct sb_backend *be, const args *a, struct sb_error *err);
SB_OPS(SB_OP_DECLARE)
#undef SB_OP_DECLARE

#endif
