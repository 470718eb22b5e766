/* Concatenated PPM pictures, as ffmpeg pipes them. */
#include "fuzz_frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sb_ppm_want want = { .n_frames = fuzz_take(&data, &size) % 8 };
	struct sb_ppm_frames frames = { 0 };
	struct sb_error err = { .msg = "" };
	struct fuzz_bytes bytes;
	struct sb_ppm_source source = { fuzz_read, &bytes };

	want.stride = 1 + fuzz_take(&data, &size) % 4;
	bytes.piece = 1 + fuzz_take(&data, &size);
	bytes.data = data;
	bytes.left = size;
	if (sb_ppm_read(&source, &want, &frames, &err))
		FUZZ_HOLDS(err.msg[0]);
	else
		fuzz_check_frames(&frames, &want);
	free(frames.rgb);
	return 0;
}
