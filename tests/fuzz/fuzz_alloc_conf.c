/* PyTorch's settings string, from the environment, a flag or a trace. */
#include "fuzz.h"
#include "sb_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct sb_alloc_conf conf = { .fraction = -1 };
	struct sb_error err = { .msg = "" };
	struct sb_pages *pages = NULL;
	struct sb_alloc *a = NULL;

	if (sb_alloc_conf_parse(text, &conf, &err)) {
		FUZZ_HOLDS(err.code == SB_E_USAGE && err.msg[0]);
		FUZZ_HOLDS(conf.fraction < 0);
		free(text);
		return 0;
	}
	FUZZ_HOLDS(conf.fraction >= 0 && conf.fraction <= 1);
	/* an allocator takes what was read, and works */
	FUZZ_HOLDS(sb_pages_count_open(INT64_C(1) << 34, 2 << 20, &pages, &err) == SB_OK);
	FUZZ_HOLDS(sb_alloc_open_with(conf.expandable ? "expandable" : "default", &conf.opt, pages, &a, &err) == SB_OK);
	for (int shift = 0; shift < 36; shift += 5) {
		void *p = NULL, *q = NULL;

		if (!sb_alloc_malloc(a, (INT64_C(1) << shift) + 1, 0, &p, &err) &&
		        !sb_alloc_malloc(a, (INT64_C(3) << shift) / 2, 0, &q, &err))
			FUZZ_HOLDS(p != q);
		sb_alloc_free(a, p);
		sb_alloc_free(a, q);
	}
	FUZZ_HOLDS(sb_alloc_close(a) == 0);
	FUZZ_HOLDS(pages->held_bytes == 0);
	sb_pages_close(pages);
	free(text);
	return 0;
}
