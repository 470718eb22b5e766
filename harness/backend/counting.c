/* The hardware's counters: which class of ops is counted now, and what these ops must do at least. */
#include "backend_internal.h"

const char *const sb_count_class_names[SB_COUNT_CLASSES] = { "gemm", "conv", "attention", "all" };

static enum sb_count_class class_of(enum sb_op_kind kind)
{
	switch (kind) {
	case SB_KIND_GEMM:
		return SB_COUNT_GEMM;
	case SB_KIND_CONV:
		return SB_COUNT_CONV;
	case SB_KIND_ATTENTION:
		return SB_COUNT_ATTENTION;
	default:
		return SB_COUNT_ALL;
	}
}

enum sb_status sb_backend_counters_open(struct sb_backend *be, struct sb_error *err)
{
	if (!be->ops->counters_open)
		return sb_fail(err, SB_E_ENV, "no counters: device '%s' has none", be->ops->name);
	if (be->ops->counters_open(be, err))
		return err->code;
	be->counters = true;
	return SB_OK;
}

void sb_backend_counting_reset(struct sb_backend *be)
{
	be->counting = false;
	be->count_class = SB_COUNT_ALL;
	be->changes_before = be->class_changes;
	be->class_changes = 0;
	be->n_counts = 0;
	for (int c = 0; c < SB_COUNT_CLASSES; c++)
		be->class_flop[c] = 0.0;
}

enum sb_status sb_backend_begin_counting(struct sb_backend *be, int set, struct sb_error *err)
{
	if (!be->counters || be->submits)
		SB_BUG("a pass that cannot be counted");
	if (be->ops->counters_begin(be, set, be->changes_before, err))
		return err->code;
	be->counting = true;
	return SB_OK;
}

enum sb_status sb_backend_count_op(
        struct sb_backend *be, const struct sb_op_info *info, const struct sb_op *op, struct sb_error *err)
{
	enum sb_count_class c = class_of(info->kind);

	double flop = info->work(op).flop;

	be->class_flop[SB_COUNT_ALL] += flop;
	if (c == SB_COUNT_ALL)
		return SB_OK;
	be->class_flop[c] += flop;
	if (c == be->count_class)
		return SB_OK;
	be->count_class = c;
	be->class_changes++;
	return be->counting ? be->ops->counters_class(be, c, err) : SB_OK;
}

enum sb_status sb_backend_end_counting(struct sb_backend *be, struct sb_error *err)
{
	if (!be->counting)
		return SB_OK;
	be->counting = false;
	return be->ops->counters_end(be, err);
}
