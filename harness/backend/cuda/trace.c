/* The device's tracer: CUPTI's records, joined with the ops of the log. */
#include "cuda_internal.h"
#include "sb_cupti.h"

enum sb_status sb_cuda_trace_open(struct sb_backend *be, size_t capacity, struct sb_error *err)
{
	struct cuda *c = (struct cuda *)be;

	if (sb_cupti_open(capacity, &c->cupti, err))
		return err->code;
	return be->trace_calls ? sb_cupti_record_calls(c->cupti, err) : SB_OK;
}

enum sb_status sb_cuda_trace_begin(struct sb_backend *be, struct sb_error *err)
{
	struct cuda *c = (struct cuda *)be;

	if (sb_cuda_sync(be, err))
		return err->code;
	return sb_cupti_begin(c->cupti, err);
}

void sb_cuda_trace_op(struct sb_backend *be, uint32_t index)
{
	struct cuda *c = (struct cuda *)be;

	sb_cupti_op(c->cupti, index);
}

enum sb_status sb_cuda_trace_end(struct sb_backend *be, struct sb_error *err)
{
	struct cuda *c = (struct cuda *)be;

	return sb_cupti_end(c->cupti, &be->activity, &be->n_activity, &be->account, err);
}
