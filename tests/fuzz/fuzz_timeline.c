/* A memory timeline out of a database that anybody may have made. */
#include "fuzz.h"
#include "sb_timeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sb_timeline_reader r;
	struct sb_timeline_event e = { .stage = "", .op = "" };
	struct sb_error err = { .msg = "" };
	int64_t last_ns = 0;
	bool more = true;
	enum sb_status status = sb_timeline_read_begin(&r, data, size, &err);

	while (!status && more) {
		status = sb_timeline_next(&r, &e, &more, &err);
		if (status || !more)
			break;
		FUZZ_HOLDS(e.time_ns >= last_ns && e.bytes >= 0);
		FUZZ_HOLDS(e.allocated >= 0 && e.active >= 0 && e.reserved >= 0);
		FUZZ_HOLDS(sb_timeline_kinds[e.kind] && strlen(e.stage) <= SB_TIMELINE_NAME_MAX &&
		           strlen(e.op) <= SB_TIMELINE_NAME_MAX);
		last_ns = e.time_ns;
	}
	FUZZ_HOLDS(status == SB_OK || (status == SB_E_DATA && err.msg[0]));
	return 0;
}
