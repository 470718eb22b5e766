/*
 * ba: bundle adjustment of one window, in double on the host. Uses base and OpenMP; knows nothing of tracks or
 * networks. Source: ARCHITECTURE section 4.9.
 *
 * Minimises  1/2 sum of |pi(R_t X_n + t_t) - observation|^2,  pi(x, y, z) = f (x, y)/z + (cx, cy),  over the points X_n
 * and the cameras of frames 1 .. frames-1. Frame 0 and all intrinsics stay. No robust loss; points behind a camera
 * project like others. With frame 0 fixed one freedom is left, the common scale of points and camera positions: the
 * damping alone holds it, so compare translations of two solutions after bringing them to one scale.
 *
 * Levenberg-Marquardt with the trust region, scaling, damping, non-monotonic steps and tolerances of the reference's
 * solver (sb_ba_options_reference). Its inner solver is inexact conjugate gradients; here the points are eliminated and
 * the reduced camera system, 6 (frames - 1) unknowns, is solved by a dense Cholesky factorisation. Steps are therefore
 * better than the reference's, and the same bits come out for any number of threads. Cost: points x frames^2 x 54
 * multiply-adds a step where all points are seen everywhere, less where blocks of 32 points are not seen in blocks of 4
 * frames; memory: sb_ba_bytes().
 */
#ifndef SB_BA_H
#define SB_BA_H

#include "sb_base.h"

/* Rotation world to camera as a unit quaternion x, y, z, w (v' = q v q*), then t: x_cam = R x + t. */
struct sb_pose {
	double q[4];
	double t[3];
};

#define SB_BA_MIN_POINTS 50     /* fewer that take part: nothing is done */
#define SB_BA_FAR        3000.0 /* a point with a coordinate >= this takes no part */

struct sb_ba_options {
	int max_iterations; /* steps tried, accepted or not */
	int max_invalid;    /* steps in a row that gave no finite cost or promised no decrease */
	int non_monotonic;  /* accepted steps in a row that may stay above the lowest cost; 0: the cost never rises */
	double radius, min_radius, max_radius; /* of the trust region: damping = diagonal / radius */
	double min_diagonal, max_diagonal;     /* of the scaled normal equations, as the damping sees it */
	double min_decrease;                   /* actual / promised decrease from which a step is accepted */
	double function_tol, gradient_tol, parameter_tol;
};
/*
 * Two sets with the reference's tolerances, damping and limits. `reference`: trust radius at most 10, as there, which
 * makes weakly determined directions crawl: all 100 steps are used and end short of the optimum (planted scenes of 2 to
 * 60 frames: cost 3e-6 to 4e-3 above it, poses 0.1 to 4 degrees away). `converge`: the radius may open; 12 to 28 steps,
 * cost within 2e-8 of the optimum, poses within 0.03 degrees (tests/unit/test_ba.c).
 */
extern const struct sb_ba_options sb_ba_options_reference;
extern const struct sb_ba_options sb_ba_options_converge;

struct sb_ba_problem {
	int64_t frames, points;
	/*
	 * [points, frames, 2] pixels. A coordinate that is NAN or infinite: not seen there (so a broken observation is
	 * dropped, never an error). Dropped likewise: what projects to nothing finite at the start (on the camera's
	 * plane).
	 */
	const float *seen;
	const double *intrinsics; /* [frames, 3] f, cx, cy */
	struct sb_pose *pose;     /* [frames] start -> result; quaternions of any length but 0 */
	double *xyz;              /* [points, 3] start -> result; points that take no part stay */
};

enum sb_ba_outcome {
	SB_BA_CONVERGED, /* one of the tolerances, or the smallest trust region */
	SB_BA_LIMIT,     /* max_iterations: the best so far */
	SB_BA_STUCK,     /* max_invalid: the best so far */
	SB_BA_SKIPPED,   /* too few points, one frame, or nothing finite to start from: poses and points untouched */
};
extern const char *const sb_ba_outcome_names[];

struct sb_ba_result {
	enum sb_ba_outcome outcome;
	int64_t points;       /* seen in at least 2 frames, finite, every coordinate < SB_BA_FAR */
	int64_t observations; /* of these */
	/* Observations with one coordinate that is not finite, and those projecting to nothing finite at the start. */
	int64_t dropped;
	int iterations, accepted;
	double cost_start, cost; /* NAN when skipped */
};

struct sb_ba; /* all memory a solve needs */

/*
 * Room for problems of up to max_frames x max_points. sb_ba_solve() allocates nothing.
 * Errors: SB_E_NOMEM saying how much.
 */
enum sb_status sb_ba_open(int64_t max_frames, int64_t max_points, struct sb_ba **out, struct sb_error *err);
void sb_ba_close(struct sb_ba *ba);
int64_t sb_ba_bytes(int64_t frames, int64_t points); /* what sb_ba_open() asks for */

/* Solve. Never fails: see sb_ba_outcome. Poses and points are finite afterwards if they were before. */
void sb_ba_solve(struct sb_ba *ba, const struct sb_ba_problem *problem, const struct sb_ba_options *options,
        struct sb_ba_result *result);

/*
 * From a row-major [4, 4] camera to world matrix and back: w2c = inverse; a rotation that is not quite one (bfloat16)
 * becomes a matrix's quaternion, normalised. Errors: SB_E_DATA for a matrix that is singular or not finite.
 */
enum sb_status sb_pose_of_c2w(const double c2w[16], struct sb_pose *out, struct sb_error *err);
void sb_pose_to_c2w(const struct sb_pose *pose, double c2w[16]);

#endif
