/* Bundle adjustment of planted observations, cut to the window. */
#include "prepare.h"
#include "track_pass.h"

#include <stdlib.h>
#include <string.h>

struct sb_planted_room {
	const struct sb_track_planted *scene;
	int64_t clip_frames;
	float *seen, *c2w;
	double *intrinsics, *xyz;
	struct sb_pose *pose;
	struct sb_ba *ba;
};

void sb_planted_room_close(struct sb_planted_room *r)
{
	if (!r)
		return;
	free(r->seen);
	free(r->intrinsics);
	free(r->xyz);
	free(r->c2w);
	free(r->pose);
	sb_ba_close(r->ba);
	free(r);
}

enum sb_status sb_planted_room_open(const struct sb_track_planted *planted, int64_t clip_frames, int64_t frames,
        struct sb_planted_room **out, struct sb_error *err)
{
	struct sb_planted_room *r = calloc(1, sizeof(*r));
	size_t points = (size_t)planted->points, t = (size_t)frames;
	enum sb_status status;

	if (!r)
		return sb_fail(err, SB_E_NOMEM, "no memory for planted observations");
	r->scene = planted;
	r->clip_frames = clip_frames;
	r->seen = malloc((points * t * 2 + 1) * sizeof(*r->seen));
	r->intrinsics = malloc(t * 3 * sizeof(*r->intrinsics));
	r->xyz = malloc((points * 3 + 1) * sizeof(*r->xyz));
	r->c2w = malloc(t * 16 * sizeof(*r->c2w));
	r->pose = malloc(t * sizeof(*r->pose));
	if (r->seen && r->intrinsics && r->xyz && r->c2w && r->pose)
		status = sb_ba_open(frames, planted->points, &r->ba, err);
	else
		status = sb_fail(err, SB_E_NOMEM, "no memory for %lld planted points", (long long)planted->points);
	if (status)
		sb_planted_room_close(r);
	else
		*out = r;
	return status;
}

/* The window's part of the scene, from its start. Behind the clip's end its last frame stands again. */
static struct sb_ba_problem cut(struct sb_planted_room *r, int64_t first, int64_t frames, const float *k)
{
	const struct sb_track_planted *s = r->scene;

	for (int64_t t = 0; t < frames; t++) {
		int64_t at = first + t < r->clip_frames ? first + t : r->clip_frames - 1;

		r->pose[t] = s->pose[at];
		r->intrinsics[t * 3] = (double)k[t * 9];
		r->intrinsics[t * 3 + 1] = (double)k[t * 9 + 2];
		r->intrinsics[t * 3 + 2] = (double)k[t * 9 + 5];
		for (int64_t n = 0; n < s->points; n++)
			memcpy(r->seen + (n * frames + t) * 2, s->seen + (n * r->clip_frames + at) * 2,
			        2 * sizeof(float));
	}
	memcpy(r->xyz, s->xyz, (size_t)s->points * 3 * sizeof(*r->xyz));
	return (struct sb_ba_problem){ .frames = frames,
		.points = s->points,
		.seen = r->seen,
		.intrinsics = r->intrinsics,
		.pose = r->pose,
		.xyz = r->xyz };
}

void sb_planted_bundle(
        struct sb_planted_room *r, int64_t first, int64_t frames, float *cam, float *k, struct sb_camera_result *result)
{
	struct sb_ba_problem problem = cut(r, first, frames, k);

	result->n_static = r->scene->points;
	sb_ba_solve(r->ba, &problem, &sb_ba_options_converge, &result->ba);
	if (result->ba.outcome == SB_BA_SKIPPED || !r->scene->apply)
		return;
	for (int64_t t = 0; t < frames; t++) {
		double m[16];

		sb_pose_to_c2w(&r->pose[t], m);
		for (int i = 0; i < 16; i++)
			r->c2w[t * 16 + i] = (float)m[i];
		k[t * 9 + 4] = k[t * 9];
	}
	sb_relative_cameras(r->c2w, frames, cam);
}
