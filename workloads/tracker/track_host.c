/* The host memory of a window. */
#include "track_pass.h"

#include <stdlib.h>

/* Arrays of one block: first sized, then cut. */
struct cut {
	float **to;
	int64_t floats;
};

static enum sb_status cut_block(const struct cut *cuts, size_t n, struct sb_pass_host *h, struct sb_error *err)
{
	int64_t total = 0, at = 0;

	for (size_t i = 0; i < n; i++)
		total += cuts[i].floats;
	h->memory = calloc((size_t)total + 1, sizeof(*h->memory));
	if (!h->memory)
		return sb_fail(err, SB_E_NOMEM, "no memory for %lld tracks over %lld frames", (long long)h->tracks,
		        (long long)h->frames);
	for (size_t i = 0; i < n; i++) {
		*cuts[i].to = h->memory + at;
		at += cuts[i].floats;
	}
	return SB_OK;
}

enum sb_status sb_pass_host_open(int64_t tracks, int64_t frames, enum sb_cameras cameras,
        const struct sb_track_planted *planted, int64_t clip_frames, struct sb_pass_host *out, struct sb_error *err)
{
	struct sb_pass_host h = { .tracks = tracks, .frames = frames };
	int64_t rows = tracks * frames, moving = cameras == SB_CAMERAS_FIXED ? 0 : rows;
	const struct cut cuts[] = {
		{ &h.q, tracks * 3 },
		{ &h.keep_z, tracks },
		{ &h.q_geometry, tracks * 3 },
		{ &h.z_geometry, tracks },
		{ &h.uv, rows * 2 },
		{ &h.z, rows },
		{ &h.X, rows * 3 },
		{ &h.k_m, frames * 9 },
		{ &h.k, frames * 9 },
		{ &h.cam, frames * 16 },
		{ &h.time, frames * SB_TRACK_TOKEN2 },
		{ &h.logits, moving * 4 },
		{ &h.A, moving * 3 },
		{ &h.px, moving * 2 },
		{ &h.z0, tracks },
		{ &h.u0, tracks },
		{ &h.block, rows * 12 },
	};
	enum sb_status status = cut_block(cuts, SB_ARRAY_LEN(cuts), &h, err);

	if (!status && cameras != SB_CAMERAS_FIXED)
		status = sb_camera_chain_open(tracks, frames, &h.chain, err);
	if (!status && cameras == SB_CAMERAS_BA && planted)
		status = sb_planted_room_open(planted, clip_frames, frames, &h.planted, err);
	if (status)
		sb_pass_host_release(&h);
	else
		*out = h;
	return status;
}

void sb_pass_host_release(struct sb_pass_host *h)
{
	sb_planted_room_close(h->planted);
	sb_camera_chain_close(h->chain);
	free(h->memory);
	*h = (struct sb_pass_host){ 0 };
}
