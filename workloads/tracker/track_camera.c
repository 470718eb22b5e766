/*
 * Cameras at the end of an iteration (4.9): the small state goes to the host, where key frames, static points and
 * bundle adjustment are made; Procrustes between frames is the device's.
 */
#include "track_pass.h"

#include <string.h>

const char *const sb_cameras_names[SB_CAMERAS_COUNT] = { "fixed", "procrustes", "ba" };

enum sb_status sb_cameras_parse(const char *word, enum sb_cameras *out, struct sb_error *err)
{
	for (int i = 0; i < SB_CAMERAS_COUNT; i++) {
		if (!strcmp(word, sb_cameras_names[i])) {
			*out = (enum sb_cameras)i;
			return SB_OK;
		}
	}
	return sb_fail(err, SB_E_USAGE, "no cameras '%.40s'; there are fixed, procrustes, ba", word);
}

static enum sb_status download_state(struct sb_pass *p)
{
	struct sb_pass_host *h = p->host;

	SB_TRY(sb_pass_download(p, h->logits, p->vis, p->rows * 4));
	SB_TRY(sb_pass_download(p, h->A, p->A, p->rows * 3));
	SB_TRY(sb_pass_download(p, h->px, p->px, p->rows * 2));
	return sb_pass_sync(p);
}

static struct sb_camera_state state_of(const struct sb_pass *p)
{
	const struct sb_pass_host *h = p->host;

	return (struct sb_camera_state){ .tracks = p->n,
		.queries = p->in->n_queries,
		.frames = p->t,
		.height = p->in->hr,
		.width = p->in->wr,
		.fx = p->fx,
		.fy = p->fy,
		.points = h->A,
		.px = h->px,
		.vis = h->logits,
		.conf = h->logits + p->rows,
		.dyn = h->logits + p->rows * 2,
		.pro = h->logits + p->rows * 3,
		.query = h->q,
		.z0 = h->z0,
		.u0 = h->u0,
		.cam = h->cam,
		.k = h->k };
}

/* One segment on the device: points and weights up, motions back into the chain's memory. */
static enum sb_status segment(struct sb_pass *p, const struct sb_procrustes_args *host, const float *points,
        float *world, float *weights, float *motion)
{
	struct sb_procrustes_args a = *host;

	SB_TRY(sb_pass_upload(p, weights, host->w, p->n));
	a.x = world + (host->x - points);
	a.y = world + (host->y - points);
	a.w = weights;
	a.motion = motion;
	SB_TRY(SB_SUBMIT(p->be, PROCRUSTES, procrustes, a, p->err));
	return sb_pass_download(p, host->motion, motion, host->batch * 16);
}

static enum sb_status segments(struct sb_pass *p, int n)
{
	struct sb_procrustes_args a[SB_CAMERA_SEGMENTS];
	float *world, *weights, *motion;

	if (n < 1)
		return SB_OK;
	for (int s = 0; s < n; s++)
		a[s] = sb_camera_chain_segment(p->host->chain, s);
	SB_TRY(sb_pass_get(p, p->rows * 3, &world));
	SB_TRY(sb_pass_get(p, p->n * n, &weights));
	SB_TRY(sb_pass_get(p, p->t * 16 * n, &motion));
	SB_TRY(sb_pass_upload(p, world, a[0].x, p->rows * 3)); /* the first segment begins at frame 0 */
	for (int s = 0; s < n; s++)
		SB_TRY(segment(p, &a[s], a[0].x, world, weights + s * p->n, motion + s * p->t * 16));
	sb_pass_put(p, motion);
	sb_pass_put(p, weights);
	sb_pass_put(p, world);
	return sb_pass_sync(p);
}

static void bundle(struct sb_pass *p)
{
	struct sb_pass_host *h = p->host;

	sb_backend_stage(p->be, "track.bundle");
	if (h->planted)
		sb_planted_bundle(h->planted, p->in->first, p->t, h->cam, h->k, &h->cameras);
	else
		sb_camera_chain_bundle(h->chain, &sb_ba_options_converge, h->cam, h->k, &h->cameras);
}

enum sb_status sb_pass_cameras(struct sb_pass *p)
{
	struct sb_pass_host *h = p->host;
	struct sb_camera_state state;

	if (p->in->cameras == SB_CAMERAS_FIXED)
		return SB_OK;
	sb_backend_stage(p->be, "track.camera");
	SB_TRY(download_state(p));
	state = state_of(p);
	SB_TRY(segments(p, sb_camera_chain_begin(h->chain, &state)));
	sb_camera_chain_finish(h->chain, h->cam, &h->cameras);
	if (p->in->cameras == SB_CAMERAS_BA)
		bundle(p);
	SB_TRY(sb_pass_upload(p, p->cam, h->cam, p->t * 16));
	SB_TRY(sb_pass_upload(p, p->k_r, h->k, p->t * 9));
	sb_pass_tap(p, "camera.c2w", p->iteration, p->cam, p->t * 16);
	return SB_OK;
}
