/* Traces of an allocator: read, replayed under a policy or checked. The first byte says which. */
#include "fuzz.h"
#include "sb_replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how = fuzz_take(&data, &size) % 5;
	struct sb_replay_options opt = { .check = how == 3 };
	struct sb_replay_result r = { .n_events = -1 };
	struct sb_alloc_trace *t = NULL;
	struct sb_error err = { .msg = "" };
	enum sb_status status = sb_alloc_trace_open_bytes(data, size, &t, &err);

	if (how < 3)
		opt.policy = sb_alloc_policy_names[how];
	if (!status)
		status = sb_replay(t, &opt, &r, &err);
	if (status) { /* and nothing half-replayed */
		FUZZ_HOLDS(err.code == status && err.msg[0]);
		FUZZ_HOLDS(r.n_events == -1);
	} else {
		FUZZ_HOLDS(r.n_frees <= r.n_requests);
		FUZZ_HOLDS(r.n_equal_segments <= r.n_segment_events && r.n_equal_blocks <= r.n_requests);
		FUZZ_HOLDS(r.differs == (r.difference[0] != 0) && (!r.differs || opt.check));
		FUZZ_HOLDS(r.stats.largest_free_at_peak_reserved <= r.stats.free_at_peak_reserved);
		FUZZ_HOLDS(r.stats.largest_free <= r.stats.free_bytes);
	}
	sb_alloc_trace_close(t);
	return 0;
}
