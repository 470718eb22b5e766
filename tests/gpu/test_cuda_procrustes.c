/*
 * procrustes on a CUDA device against the CPU's, which unit tests check against planted motions and the double
 * reference. Both run in double with the same rules, so that they differ by the order of sums only: that is the limit.
 * --quick: small sets. --time.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op_case.h"
#include "procrustes_cuda.h"

OP_PLAIN(procrustes, 0)

/* ---- planted pairs ---------------------------------------------------------------------------------------------- */

struct sets {
	int64_t batch, n;
	float *x, *y, *w; /* [batch, n, 3], [batch, n, 3], [batch, n] */
};

static double fraction(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(*seed >> 11) * 0x1p-53;
}

static void rotation(uint64_t *seed, double r[3][3])
{
	double q[4], norm = 0.0;

	for (int i = 0; i < 4; i++) {
		q[i] = fraction(seed) - 0.5;
		norm += q[i] * q[i];
	}
	for (int i = 0; i < 4; i++)
		q[i] /= sqrt(norm);
	for (int i = 0; i < 3; i++) {
		int j = (i + 1) % 3, k = (i + 2) % 3;

		r[i][i] = 1.0 - 2.0 * (q[j] * q[j] + q[k] * q[k]);
		r[i][j] = 2.0 * (q[i] * q[j] - q[3] * q[k]);
		r[j][i] = 2.0 * (q[i] * q[j] + q[3] * q[k]);
	}
}

/* What is asked of a family of pairs. */
struct kind {
	const char *name;
	double spread[3], centre, zero, noise, scale;
	int mirror, bad; /* bad: some coordinates and weights are not finite */
};

static const struct kind kinds[] = {
	{ "plain", { 1, 1, 1 }, 1, 0.3, 0, 1, 0, 0 },
	{ "noisy", { 1.5, 1, 0.5 }, 3, 0.2, 0.3, 1, 0, 0 },
	{ "flat", { 1, 1, 0.01 }, 1, 0.3, 0, 1, 0, 0 },
	{ "plane", { 1, 1, 0 }, 0.5, 0.3, 0, 1, 0, 0 },
	{ "needle", { 1, 0.05, 0.05 }, 1, 0.3, 0, 1, 0, 0 },
	{ "line", { 1, 0, 0 }, 5, 0, 0, 1, 0, 0 },
	{ "one place", { 0, 0, 0 }, 2, 0.2, 0, 1, 0, 0 },
	{ "mirrored", { 2, 1, 0.4 }, 0, 0.3, 0, 1, 1, 0 },
	{ "no weight", { 1, 1, 1 }, 1, 1.1, 0, 1, 0, 0 },
	{ "not finite", { 1, 1, 1 }, 1, 0.2, 0.1, 1, 0, 1 },
	{ "tiny", { 1, 0.7, 0.3 }, 1, 0.3, 0, 1e-12, 0, 0 },
	{ "huge", { 1, 0.7, 0.3 }, 1, 0.3, 0, 1e12, 0, 0 },
};

static void plant(const struct kind *k, struct sets *s, int64_t b, uint64_t seed)
{
	double r[3][3], t[3];

	rotation(&seed, r);
	for (int c = 0; c < 3; c++)
		t[c] = 4.0 * fraction(&seed) - 2.0;
	for (int64_t i = 0; i < s->n; i++) {
		float *x = s->x + 3 * (b * s->n + i), *y = s->y + 3 * (b * s->n + i), *w = s->w + b * s->n + i;
		double p[3];

		*w = (float)(fraction(&seed) < k->zero ? 0.0 : 0.05 + fraction(&seed));
		for (int c = 0; c < 3; c++) {
			p[c] = k->centre + k->spread[c] * (double)x[c];
			x[c] = (float)(k->scale * p[c]);
		}
		for (int c = 0; c < 3; c++)
			y[c] = (float)(k->scale * (r[c][0] * p[0] + r[c][1] * p[1] + r[c][2] * p[2] + t[c] +
			                                  k->noise * (double)y[c]));
		if (k->mirror)
			y[0] = -y[0];
		if (k->bad && i % 10 == 0)
			*(i % 30 == 0 ? w : i % 20 == 0 ? &x[2] : &y[1]) = i % 40 ? NAN : INFINITY;
	}
}

static struct sets sets_new(const struct kind *k, int64_t batch, int64_t n)
{
	struct sets s = { batch, n, op_gauss(3 * batch * n, 1, 0.0, 1.0), op_gauss(3 * batch * n, 2, 0.0, 1.0),
		op_nan(batch * n) };

	for (int64_t b = 0; b < batch; b++)
		plant(k, &s, b, 77 + (uint64_t)b);
	return s;
}

static void sets_free(struct sets *s)
{
	free(s->x);
	free(s->y);
	free(s->w);
}

/* ---- comparing -------------------------------------------------------------------------------------------------- */

/* Largest difference, against the largest number of its row: a row is a direction and a distance. */
static double difference(const float *a, const float *b, int64_t batch)
{
	double worst = 0.0;

	for (int64_t row = 0; row < 4 * batch; row++) {
		const float *p = a + 4 * row, *q = b + 4 * row;
		double scale = 1.0, d;

		for (int c = 0; c < 4; c++)
			scale = fmax(scale, fabs((double)q[c]));
		for (int c = 0; c < 4; c++) {
			d = fabs((double)p[c] - (double)q[c]) / scale;
			worst = d <= worst ? worst : isnan(d) ? INFINITY : d;
		}
	}
	return worst;
}

static void on_device(struct sb_procrustes_args a, int64_t nx, int64_t ny, int64_t nw, float *motion)
{
	struct sb_cuda_launch l = { .stream = NULL };
	size_t bytes = (size_t)a.batch * 64;
	void *x, *y, *w, *m;

	op_cuda(cudaMalloc(&x, (size_t)nx * 4), "cudaMalloc");
	op_cuda(cudaMalloc(&y, (size_t)ny * 4), "cudaMalloc");
	op_cuda(cudaMalloc(&w, (size_t)nw * 4), "cudaMalloc");
	op_cuda(cudaMalloc(&m, bytes), "cudaMalloc");
	op_cuda(cudaMemset(m, 0xff, bytes), "cudaMemset");
	op_cuda(cudaMemcpy(x, a.x, (size_t)nx * 4, cudaMemcpyHostToDevice), "upload");
	op_cuda(cudaMemcpy(y, a.y, (size_t)ny * 4, cudaMemcpyHostToDevice), "upload");
	op_cuda(cudaMemcpy(w, a.w, (size_t)nw * 4, cudaMemcpyHostToDevice), "upload");
	a.x = x;
	a.y = y;
	a.w = w;
	a.motion = m;
	op_cuda((cudaError_t)sb_procrustes_cuda(&a, &l), "procrustes");
	op_cuda(cudaMemcpy(motion, m, bytes, cudaMemcpyDeviceToHost), "procrustes");
	cudaFree(x);
	cudaFree(y);
	cudaFree(w);
	cudaFree(m);
}

static void compare(struct sb_procrustes_args a, int64_t nx, int64_t ny, int64_t nw, const char *what)
{
	float *got = op_nan(16 * a.batch), *again = op_nan(16 * a.batch), *want = op_nan(16 * a.batch);

	a.motion = want;
	sb_procrustes_cpu(&a);
	on_device(a, nx, ny, nw, got);
	on_device(a, nx, ny, nw, again);
	op_report("procrustes", what, difference(got, want, a.batch), 2.0 * OP_ROUNDING);
	if (memcmp(got, again, (size_t)a.batch * 64) != 0)
		op_report("procrustes", "a second run", 1.0, 0.0);
	free(got);
	free(again);
	free(want);
}

static void check_kind(const struct kind *k, int64_t batch, int64_t n)
{
	struct sets s = sets_new(k, batch, n);
	struct sb_procrustes_args a = { .x = s.x,
		.y = s.y,
		.w = s.w,
		.batch = batch,
		.points = n,
		.x_batch = 3 * n,
		.x_point = 3,
		.y_batch = 3 * n,
		.y_point = 3,
		.w_batch = n,
		.w_point = 1 };

	for (int inverse = 0; inverse < 2; inverse++) {
		char what[96];

		a.inverse = inverse;
		snprintf(what, sizeof(what), "%s %dx%d inverse %d", k->name, (int)batch, (int)n, inverse);
		compare(a, 3 * batch * n, 3 * batch * n, batch * n, what);
	}
	sets_free(&s);
}

/* The tracker's layout: world points [n, frames, 3], all frames against one of them, weights [n]. */
static struct sb_procrustes_args tracks(float *world, float *w, int64_t n, int64_t frames)
{
	return (struct sb_procrustes_args){ .x = world,
		.y = world,
		.w = w,
		.batch = frames,
		.points = n,
		.x_point = frames * 3,
		.y_batch = 3,
		.y_point = frames * 3,
		.w_point = 1 };
}

static void layout_of_tracks(int64_t n, int64_t frames, int time)
{
	float *world = op_gauss(n * frames * 3, 6, 1.0, 1.0), *w = op_gauss(n, 7, 0.5, 0.3);
	struct sb_procrustes_args a = tracks(world, w, n, frames);
	const struct op_field f[] = { OP_IN(sb_procrustes_args, x, 3 * n * frames),
		OP_IN(sb_procrustes_args, y, 3 * n * frames), OP_IN(sb_procrustes_args, w, n),
		OP_OUT(sb_procrustes_args, motion, 16 * frames) };
	char what[96];

	snprintf(what, sizeof(what), "tracks %dx%d", (int)n, (int)frames);
	if (time) {
		a.motion = op_nan(16 * frames);
		op_time(&op_procrustes, &a, f, 4, what, 4.0 * (double)(3 * n * frames + n + 16 * frames));
		free(a.motion);
	} else {
		compare(a, 3 * n * frames, 3 * n * frames, n, what);
	}
	free(world);
	free(w);
}

int main(int argc, char **argv)
{
	static const int64_t sizes[] = { 0, 1, 2, 3, 5, 40, 255, 257, 1012, 1780 };
	int quick = argc > 1 && strcmp(argv[argc - 1], "--quick") == 0;

	op_open_device();
	if (argc > 1 && strcmp(argv[1], "--time") == 0) {
		layout_of_tracks(1012, 24, 1);
		return 0;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		check_kind(&kinds[i], 3, 3 + 7 * (int64_t)i);
		check_kind(&kinds[i], quick ? 2 : 40, 300);
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes) - (quick ? 2 : 0); i++)
		check_kind(&kinds[1], 2, sizes[i]);
	layout_of_tracks(700, 12, 0);
	if (!quick)
		layout_of_tracks(1012, 24, 0);
	printf("%d failed\n", op_failures());
	return op_failures() > 0;
}
