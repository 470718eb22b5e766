#include "offload_measures.h"

int sb_offload_measures(struct sb_backend *be, const struct sb_front_net *net, int64_t resident_bytes,
        struct sb_measure out[SB_OFFLOAD_MEASURES])
{
	struct sb_value copy = sb_value_absent("the copies are no work beside the device's"), stall = copy,
	                hidden = copy;
	int64_t copy_ns = 0, stall_ns = 0;

	if (be->ops->stream_times)
		be->ops->stream_times(be, &copy_ns, &stall_ns);
	if (copy_ns > 0) {
		copy = sb_value_of((double)copy_ns);
		stall = sb_value_of((double)stall_ns);
		hidden = sb_value_of(stall_ns < copy_ns ? 1.0 - (double)stall_ns / (double)copy_ns : 0.0);
	}
	out[0] = (struct sb_measure){ "offload.host_bytes", sb_value_of((double)sb_front_net_host_bytes(net)) };
	out[1] = (struct sb_measure){ "offload.resident_bytes", sb_value_of((double)resident_bytes) };
	out[2] = (struct sb_measure){ "offload.moved_bytes", sb_value_of((double)be->streamed_bytes) };
	out[3] = (struct sb_measure){ "offload.copy_ns", copy };
	out[4] = (struct sb_measure){ "offload.stall_ns", stall };
	out[5] = (struct sb_measure){ "offload.hidden", hidden };
	out[6] = (struct sb_measure){ "offload.saved_bytes", sb_value_of((double)sb_front_net_saved_bytes(net)) };
	return SB_OFFLOAD_MEASURES;
}
