/* Raw: packed RGB24 frames and nothing else. */
#include "clip_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* n bytes from `at` on; fewer only at the end of the file. */
static enum sb_status read_at(int fd, uint8_t *dst, size_t n, int64_t at, size_t *got, struct sb_error *err)
{
	*got = 0;
	while (*got < n) {
		ssize_t r = pread(fd, dst + *got, n - *got, (off_t)(at + (int64_t)*got));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return sb_fail(err, SB_E_DATA, "cannot read: %s", strerror(errno));
		if (r == 0)
			break;
		*got += (size_t)r;
	}
	return SB_OK;
}

enum sb_status sb_raw_read(
        int fd, int64_t h, int64_t w, const struct sb_ppm_want *given, struct sb_ppm_frames *f, struct sb_error *err)
{
	int64_t frame_bytes = h * w * 3, there;
	struct sb_ppm_want want;
	enum sb_status status;
	struct stat st;

	if (fstat(fd, &st))
		return sb_fail(err, SB_E_DATA, "cannot look at it: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return sb_fail(err, SB_E_DATA, "raw frames are read from a file only");
	if (st.st_size % frame_bytes)
		return sb_fail(err, SB_E_DATA,
		        "%lld bytes are no whole number of %lldx%lld RGB frames (%lld bytes each); check --raw",
		        (long long)st.st_size, (long long)w, (long long)h, (long long)frame_bytes);
	there = st.st_size / frame_bytes;
	if (!there)
		return SB_OK;
	want = sb_want_of(given, there);
	f->h = h;
	f->w = w;
	status = sb_frames_reserve(f, &want, err);
	for (int64_t frame = 0; !status && frame < there && f->n < want.n_frames; frame += want.stride) {
		size_t got;

		status = read_at(fd, f->rgb + f->n * frame_bytes, (size_t)frame_bytes, frame * frame_bytes, &got, err);
		if (!status && got < (size_t)frame_bytes)
			status = sb_fail(err, SB_E_DATA, "frame %lld is truncated (%zu of %lld bytes)",
			        (long long)frame, got, (long long)frame_bytes);
		f->n += !status;
	}
	return status;
}
