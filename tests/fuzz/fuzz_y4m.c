/* Y4M streams. */
#include "fuzz_frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sb_ppm_want want = { .n_frames = fuzz_take(&data, &size) % 8 };
	struct sb_ppm_frames frames = { 0 };
	struct sb_error err = { .msg = "" };
	struct fuzz_bytes bytes;
	struct sb_ppm_source source = { fuzz_read, &bytes };
	uint8_t how;

	want.stride = 1 + fuzz_take(&data, &size) % 4;
	how = fuzz_take(&data, &size);
	bytes.piece = 1 + how;
	bytes.data = data;
	bytes.left = size;
	if (sb_y4m_read(&source, how % 2 ? (int64_t)size : -1, &want, &frames, &err))
		FUZZ_HOLDS(err.msg[0]);
	else
		fuzz_check_frames(&frames, &want);
	free(frames.rgb);
	return 0;
}
