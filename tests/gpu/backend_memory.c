/* All allocators over the device's pages, the limit, and the way between host and device. */
#include "backend_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB ((int64_t)1 << 20)

static int64_t free_bytes(struct sb_backend *be)
{
	struct sb_error err = { .msg = "" };
	int64_t avail = 0, total = 0;

	must(sb_pages_info(be->pages, &avail, &total, &err), &err, "free memory");
	return avail;
}

/* n floats that tell where they are from. */
static float *numbered(int64_t n, float first)
{
	float *x = need((size_t)n * sizeof(*x));

	for (int64_t i = 0; i < n; i++)
		x[i] = first + (float)(i % 1000003);
	return x;
}

/* Blocks of many sizes at once, each with values of its own: none may reach into another. */
static void check_blocks(struct sb_backend *be)
{
	static const int64_t sizes[] = { 1, 127, 128, 129, 300000, 262144, 262145, 2500000, 5242880, 7, 20000000 };
	float *device[SB_ARRAY_LEN(sizes)];
	double worst = 0.0;

	for (size_t i = 0; i < SB_ARRAY_LEN(sizes); i++) {
		float *x = numbered(sizes[i], (float)i);

		device[i] = to_device(be, x, sizes[i]);
		free(x);
	}
	for (size_t i = 0; i < SB_ARRAY_LEN(sizes); i++) {
		float *want = numbered(sizes[i], (float)i), *got = poison(sizes[i]);

		from_device(be, device[i], got, sizes[i]);
		worst += memcmp(got, want, (size_t)sizes[i] * sizeof(*got)) != 0;
		free(want);
		free(got);
		drop(be, device[i]);
	}
	check("blocks with other values than were put in", worst, 0.0);
}

static void check_policy(const char *levels, bool expandable)
{
	struct sb_backend *be = open_device(0);
	int64_t before = free_bytes(be);
	struct sb_alloc_stats st;
	char name[96];

	set_levels(be, levels);
	check_blocks(be);
	sb_alloc_stats(be->alloc, &st);
	snprintf(name, sizeof(name), "%s: driver calls as the policy has them", levels);
	check_that(name,
	        expandable == (st.driver.calls[SB_PAGES_MAP] > 0) &&
	                expandable == (st.driver.calls[SB_PAGES_SEGMENT_ALLOC] == 0),
	        "they are not");
	if (expandable)
		printf("       %lld handles: create %.1f us, map %.1f us, set access %.1f us a call\n",
		        (long long)st.driver.calls[SB_PAGES_CREATE],
		        (double)st.driver.dur_ns[SB_PAGES_CREATE] * 1e-3 / (double)st.driver.calls[SB_PAGES_CREATE],
		        (double)st.driver.dur_ns[SB_PAGES_MAP] * 1e-3 / (double)st.driver.calls[SB_PAGES_MAP],
		        (double)st.driver.dur_ns[SB_PAGES_SET_ACCESS] * 1e-3 /
		                (double)st.driver.calls[SB_PAGES_SET_ACCESS]);
	end_levels(be);
	snprintf(name, sizeof(name), "%s: bytes that did not come back", levels);
	check(name, (double)(before - free_bytes(be)), 0.0);
	check("bytes held", (double)be->pages->held_bytes, 0.0);
	sb_backend_close(be);
}

/* More than the limit, more than the device: refused with the sizes, and the allocator goes on. */
static void check_limit(const char *levels)
{
	struct sb_backend *be = open_device(64 * MIB);
	struct sb_error err = { .msg = "" };
	float one = 1.0f, back = 0.0f, *device;
	void *p = NULL;
	char name[96];

	set_levels(be, levels);
	snprintf(name, sizeof(name), "%s: more than the limit is SB_E_NOMEM", levels);
	check_that(name, sb_device_alloc(be, (size_t)(128 * MIB), &p, &err) == SB_E_NOMEM, err.msg);
	check_that("with what was asked for", sb_alloc_oom(be->alloc)->asked == 128 * MIB, "another number");
	device = to_device(be, &one, 1);
	from_device(be, device, &back, 1);
	check("and the allocator goes on", back == 1.0f ? 0.0 : 1.0, 0.0);
	drop(be, device);
	end_levels(be);
	sb_backend_close(be);
	be = open_device(0);
	set_levels(be, levels);
	snprintf(name, sizeof(name), "%s: more than the device has is SB_E_NOMEM", levels);
	check_that(name, sb_device_alloc(be, (size_t)1 << 42, &p, &err) == SB_E_NOMEM, err.msg);
	printf("       %s\n", err.msg);
	device = to_device(be, &one, 1);
	from_device(be, device, &back, 1);
	check("and the allocator goes on", back == 1.0f ? 0.0 : 1.0, 0.0);
	drop(be, device);
	end_levels(be);
	sb_backend_close(be);
}

/* Every driver call fails once: an error, nothing lost, and the next try goes through. */
static void check_driver_faults(const char *levels)
{
	int failed = 0;

	for (int n = 1; n <= 8; n++) {
		struct sb_backend *be = open_device(0);
		struct sb_error err = { .msg = "" };
		int64_t before = free_bytes(be);
		void *p = NULL, *q = NULL;

		set_levels(be, levels);
		sb_pages_fail_in(be->pages, n, SB_E_DEVICE, false);
		failed += sb_device_alloc(be, (size_t)(30 * MIB), &p, &err) == SB_E_DEVICE;
		sb_pages_fail_in(be->pages, 0, SB_OK, false);
		must(sb_device_alloc(be, (size_t)(30 * MIB), &q, &err), &err, "after a failed driver call");
		sb_device_free(be, q);
		sb_device_free(be, p);
		end_levels(be);
		check("bytes lost after a failed driver call", (double)(before - free_bytes(be)), 0.0);
		sb_backend_close(be);
	}
	check_that("a failed driver call is reported", failed > 0, "none was");
}

static void fill(struct sb_backend *be, float *x, int64_t n, float value)
{
	struct sb_error err = { .msg = "" };

	must(SB_SUBMIT(be, FILL, fill, ((struct sb_fill_args){ .x = x, .n = n, .value = value }), &err), &err, "fill");
}

/* Pages move while work that reads them is queued: what that work saw is what was there. */
static void check_stitch(void)
{
	enum { N = 16 * MIB, FILLS = 200 }; /* floats: 64 MiB a hole */
	struct sb_backend *be = open_device(0);
	struct sb_error err = { .msg = "" };
	struct sb_alloc_stats st;
	float *got = poison(N), *wide = poison(2 * N);
	void *hole[2], *keep[2], *all = NULL;
	double wrong = 0.0;

	set_levels(be, "alloc=stitched");
	for (int i = 0; i < 2; i++) {
		must(sb_device_alloc(be, N * sizeof(float), &hole[i], &err), &err, "device memory");
		must(sb_device_alloc(be, (size_t)(2 * MIB), &keep[i], &err), &err, "device memory");
	}
	for (int i = 0; i <= FILLS; i++)
		fill(be, hole[0], N, (float)i);
	must(SB_SUBMIT(be, DOWNLOAD, download, ((struct sb_transfer_args){ got, hole[0], N * sizeof(float) }), &err),
	        &err, "download");
	drop(be, hole[0]);
	drop(be, hole[1]);
	must(sb_device_alloc(be, 2 * N * sizeof(float) - 32 * MIB, &all, &err), &err, "device memory");
	fill(be, all, 2 * N - 8 * MIB, -1.0f);
	must(SB_SUBMIT(be, DOWNLOAD, download,
	             ((struct sb_transfer_args){ wide, all, (2 * N - 8 * MIB) * sizeof(float) }), &err),
	        &err, "download");
	must(be->ops->sync(be, &err), &err, "sync");
	for (int64_t i = 0; i < N; i++)
		wrong += got[i] != (float)FILLS;
	check("values that moved pages took from queued work", wrong, 0.0);
	wrong = 0.0;
	for (int64_t i = 0; i < 2 * N - 8 * MIB; i++)
		wrong += wide[i] != -1.0f;
	check("values not in the pages that were moved", wrong, 0.0);
	sb_alloc_stats(be->alloc, &st);
	check_that("alloc=stitched: pages were moved", st.num_stitches > 0, "none were");
	printf("       %lld MiB moved: unmap %.1f us, map %.1f us a call, the wait %.1f us\n",
	        (long long)(st.stitched_bytes / MIB),
	        (double)st.driver.dur_ns[SB_PAGES_UNMAP] * 1e-3 / (double)st.driver.calls[SB_PAGES_UNMAP],
	        (double)st.driver.dur_ns[SB_PAGES_MAP] * 1e-3 / (double)st.driver.calls[SB_PAGES_MAP],
	        (double)st.driver.dur_ns[SB_PAGES_SYNC] * 1e-3 / (double)st.driver.calls[SB_PAGES_SYNC]);
	drop(be, all);
	drop(be, keep[0]);
	drop(be, keep[1]);
	end_levels(be);
	check("bytes held", (double)be->pages->held_bytes, 0.0);
	sb_backend_close(be);
	free(got);
	free(wide);
}

void check_memory(bool quick)
{
	check_policy("alloc=default", false);
	check_policy("alloc=expandable", true);
	check_policy("alloc=stitched", true);
	check_stitch();
	if (quick)
		return;
	check_limit("alloc=default");
	check_limit("alloc=expandable");
	check_limit("alloc=stitched");
	check_driver_faults("alloc=default");
	check_driver_faults("alloc=expandable");
	check_driver_faults("alloc=stitched");
}

/* ---- transfers -------------------------------------------------------------------------------------------------- */

/* Up and down, the source overwritten as soon as submit returned. Offsets are bytes: nothing need be aligned. */
static void check_round_trip(struct sb_backend *be, int64_t bytes, int64_t offset)
{
	struct sb_error err = { .msg = "" };
	unsigned char *src = need((size_t)(bytes + offset)), *got = need((size_t)(bytes + offset));
	unsigned char *want = need((size_t)(bytes + offset));
	uint64_t seed = (uint64_t)bytes;
	void *device = NULL;
	char name[96];

	for (int64_t i = 0; i < bytes + offset; i++)
		src[i] = (unsigned char)sb_splitmix64(&seed);
	memcpy(want, src, (size_t)(bytes + offset));
	memset(got, 0, (size_t)(bytes + offset));
	must(sb_device_alloc(be, (size_t)(bytes + offset), &device, &err), &err, "device memory");
	char *at = (char *)device + offset;
	must(SB_SUBMIT(be, UPLOAD, upload, ((struct sb_transfer_args){ at, src + offset, (size_t)bytes }), &err), &err,
	        "upload");
	memset(src, 0xee, (size_t)(bytes + offset));
	must(SB_SUBMIT(be, DOWNLOAD, download, ((struct sb_transfer_args){ got + offset, at, (size_t)bytes }), &err),
	        &err, "download");
	must(be->ops->sync(be, &err), &err, "sync");
	snprintf(name, sizeof(name), "%lld bytes at offset %lld, up and down", (long long)bytes, (long long)offset);
	check_that(name, memcmp(got + offset, want + offset, (size_t)bytes) == 0, "they differ");
	drop(be, device);
	free(src);
	free(got);
	free(want);
}

/* More small transfers than the ring has pieces, all on their way at once. */
static void check_many_transfers(struct sb_backend *be)
{
	enum { N = 500 };
	struct sb_error err = { .msg = "" };
	float *device, got[N];
	int wrong = 0;

	device = to_device(be, (float[N]){ 0.0f }, N);
	for (int i = 0; i < N; i++) {
		float value = (float)i;

		must(SB_SUBMIT(be, UPLOAD, upload, ((struct sb_transfer_args){ device + i, &value, sizeof(value) }),
		             &err),
		        &err, "upload");
		must(SB_SUBMIT(be, DOWNLOAD, download,
		             ((struct sb_transfer_args){ got + i, device + i, sizeof(value) }), &err),
		        &err, "download");
	}
	must(be->ops->sync(be, &err), &err, "sync");
	for (int i = 0; i < N; i++)
		wrong += got[i] != (float)i;
	check("500 small transfers each way, wrong ones", wrong, 0.0);
	drop(be, device);
}

/*
 * One of several downloads is waited for, while others, more than the ring holds, are on their way before and behind
 * it; the rest is there after sync. Twice, so that pieces are used again that were emptied out of order.
 */
static void check_arrived(struct sb_backend *be)
{
	enum { BEFORE = 140 * MIB + 3, ONE = 3 * MIB + 1, BEHIND = 90 * MIB };
	const int64_t sizes[] = { BEFORE, ONE, BEHIND };
	struct sb_error err = { .msg = "" };
	unsigned char *want[3], *got[3];
	void *device[3];

	for (int i = 0; i < 3; i++) {
		uint64_t seed = (uint64_t)i;

		want[i] = need((size_t)sizes[i]);
		got[i] = need((size_t)sizes[i]);
		for (int64_t k = 0; k < sizes[i]; k++)
			want[i][k] = (unsigned char)sb_splitmix64(&seed);
		must(sb_device_alloc(be, (size_t)sizes[i], &device[i], &err), &err, "device memory");
		must(SB_SUBMIT(be, UPLOAD, upload, ((struct sb_transfer_args){ device[i], want[i], (size_t)sizes[i] }),
		             &err),
		        &err, "upload");
	}
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 3; i++) {
			memset(got[i], 0, (size_t)sizes[i]);
			must(SB_SUBMIT(be, DOWNLOAD, download,
			             ((struct sb_transfer_args){ got[i], device[i], (size_t)sizes[i] }), &err),
			        &err, "download");
		}
		must(sb_backend_arrived(be, got[1], (size_t)sizes[1], &err), &err, "arrived");
		check_that(
		        "what is waited for has arrived", memcmp(got[1], want[1], (size_t)sizes[1]) == 0, "it has not");
		must(sb_backend_arrived(be, &err, sizeof(err), &err), &err, "nothing to wait for");
		must(be->ops->sync(be, &err), &err, "sync");
		for (int i = 0; i < 3; i++)
			check_that(
			        "and all of it after sync", memcmp(got[i], want[i], (size_t)sizes[i]) == 0, "not all");
	}
	for (int i = 0; i < 3; i++) {
		drop(be, device[i]);
		free(want[i]);
		free(got[i]);
	}
}

/* What was on its way when an op failed is written nowhere any more: whoever wanted it may have freed the memory. */
static void check_abandoned(struct sb_backend *be)
{
	enum { N = 100 * MIB };
	const int64_t length = (int64_t)1 << 21; /* its scores: 16 TiB */
	const struct sb_attention_strides strides = { 0, 0, 0 };
	struct sb_error err = { .msg = "" };
	unsigned char *got = need(N);
	void *device = NULL;
	float *x;
	int64_t written = 0;

	must(sb_device_alloc(be, N, &device, &err), &err, "device memory");
	x = device;
	must(SB_SUBMIT(be, FILL, fill, ((struct sb_fill_args){ .x = x, .n = N / 4, .value = 1.0f }), &err), &err,
	        "fill");
	must(SB_SUBMIT(be, DOWNLOAD, download, ((struct sb_transfer_args){ got, device, N }), &err), &err, "download");
	check_that("an op without room is SB_E_NOMEM",
	        SB_SUBMIT(be, ATTENTION, attention,
	                ((struct sb_attention_args){ .q = x,
	                        .k = x,
	                        .v = x,
	                        .o = x + 64,
	                        .qs = strides,
	                        .ks = strides,
	                        .vs = strides,
	                        .os = strides,
	                        .batch = 1,
	                        .heads = 1,
	                        .lq = length,
	                        .lk = length,
	                        .dim = 64,
	                        .scale = 1.0f }),
	                &err) == SB_E_NOMEM,
	        err.msg);
	memset(got, 0, N);
	must(be->ops->sync(be, &err), &err, "sync");
	for (int64_t i = 0; i < N; i++)
		written += got[i] != 0;
	check("bytes written after an op that failed", (double)written, 0.0);
	drop(be, device);
	free(got);
}

/* Weights arrive in the layouts that the ops want. */
static void check_weights(struct sb_backend *be)
{
	enum { A = 5, B = 3, K = 2 };
	static const int64_t shape[4] = { A, B, K, K };
	static const enum sb_weight_use uses[] = { SB_WEIGHT_LINEAR, SB_WEIGHT_CONV, SB_WEIGHT_CONV_TRANSPOSE };
	float src[A * B * K * K], got[A * B * K * K];
	struct sb_error err = { .msg = "" };
	int wrong = 0;

	for (int i = 0; i < A * B * K * K; i++)
		src[i] = (float)i + 1.0f; /* TF32 holds these exactly */
	for (size_t u = 0; u < SB_ARRAY_LEN(uses); u++) {
		float *device = to_device(be, src, A * B * K * K);

		must(be->ops->weight_prepare(be, uses[u], shape, 4, src, device, &err), &err, "weights");
		from_device(be, device, got, A * B * K * K);
		for (int a = 0; a < A; a++)
			for (int b = 0; b < B; b++)
				for (int k = 0; k < K * K; k++) {
					int plain = (a * B + b) * K * K + k;
					int at = uses[u] == SB_WEIGHT_CONV             ? (a * K * K + k) * B + b
					         : uses[u] == SB_WEIGHT_CONV_TRANSPOSE ? (k * B + b) * A + a
					                                               : plain;

					wrong += got[at] != src[plain];
				}
		drop(be, device);
	}
	check("weights not where they should be", wrong, 0.0);
}

/* At tf32, those of convolutions come rounded and the others as they were. */
static void check_rounded_weights(struct sb_backend *be)
{
	static const int64_t shape[4] = { 2, 1, 1, 2 };
	const float src[4] = { 1.000123f, -1.0004883f, INFINITY, -3.1415927f };
	static const enum sb_weight_use uses[] = { SB_WEIGHT_CONV, SB_WEIGHT_LINEAR };
	struct sb_error err = { .msg = "" };
	float want[4], got[4];

	for (size_t u = 0; u < SB_ARRAY_LEN(uses); u++) {
		float *device = to_device(be, src, 4);

		memcpy(want, src, sizeof(want));
		if (uses[u] == SB_WEIGHT_CONV)
			sb_tf32_round_cpu(src, want, 4);
		must(be->ops->weight_prepare(be, uses[u], shape, 4, src, device, &err), &err, "weights");
		from_device(be, device, got, 4);
		check_that("weights at tf32", memcmp(got, want, sizeof(want)) == 0, "another rounding");
		drop(be, device);
	}
}

/* What the rule says of n values, made here. */
static float *ruled(const struct sb_value_rule *rule, int64_t n)
{
	float *x = need((size_t)n * sizeof(*x));
	uint64_t state = rule->key;

	for (int64_t i = 0; i < n; i++) {
		volatile float u = (float)(int32_t)(sb_splitmix64(&state) >> 40) / 8388608.0f - 1.0f;
		volatile float v = rule->scale * u; /* no fused multiply-add */

		x[i] = v + rule->offset;
	}
	return x;
}

/* Weights that the device makes are, bit for bit and place for place, those it would be brought. */
static void check_made_weights(struct sb_backend *be, const char *level)
{
	static const int64_t shapes[][4] = { { 5, 3, 2, 2 }, { 70, 33, 3, 3 }, { 1, 1, 1, 1 }, { 1001, 1500, 1, 1 } };
	static const enum sb_weight_use uses[] = { SB_WEIGHT_PLAIN, SB_WEIGHT_LINEAR, SB_WEIGHT_CONV,
		SB_WEIGHT_CONV_TRANSPOSE };
	const struct sb_value_rule rule = { UINT64_C(0xfedcba9876543210), 0.0321f, 0.3f };
	struct sb_error err = { .msg = "" };
	char name[96];

	for (size_t u = 0; u < SB_ARRAY_LEN(uses) * SB_ARRAY_LEN(shapes); u++) {
		const enum sb_weight_use use = uses[u / SB_ARRAY_LEN(shapes)];
		const int64_t *shape = shapes[u % SB_ARRAY_LEN(shapes)], n = shape[0] * shape[1] * shape[2] * shape[3];
		float *host = ruled(&rule, n), *want = poison(n), *got = poison(n), *brought, *made;

		brought = to_device(be, want, n);
		made = to_device(be, got, n);
		must(be->ops->weight_prepare(be, use, shape, 4, host, brought, &err), &err, "weights brought");
		must(be->ops->weight_make(be, use, shape, 4, &rule, made, &err), &err, "weights made");
		from_device(be, brought, want, n);
		from_device(be, made, got, n);
		snprintf(name, sizeof(name), "weights made, %s, use %d, %lld values", level, (int)use, (long long)n);
		check_that(name, memcmp(want, got, (size_t)n * sizeof(*got)) == 0, "other values");
		drop(be, made);
		drop(be, brought);
		free(got);
		free(want);
		free(host);
	}
}

void check_transfers(bool quick)
{
	static const int64_t sizes[] = { 1, 3, MIB - 1, MIB, MIB + 1, 5 * MIB + 12345, 128 * MIB, 128 * MIB + 1,
		300 * MIB + 7 };
	struct sb_backend *be = open_device(0);

	set_levels(be, "alloc=default,precision=tf32");
	for (size_t i = 0; i < SB_ARRAY_LEN(sizes) - (quick ? 3 : 0); i++) {
		check_round_trip(be, sizes[i], 0);
		check_round_trip(be, sizes[i], 5);
	}
	check_many_transfers(be);
	check_abandoned(be);
	if (!quick)
		check_arrived(be);
	check_weights(be);
	check_rounded_weights(be);
	check_made_weights(be, "tf32");
	end_levels(be);
	set_levels(be, "alloc=default,precision=fp32");
	check_made_weights(be, "fp32");
	end_levels(be);
	sb_backend_close(be);
}

void time_transfers(void)
{
	struct sb_backend *be = open_device(0);
	struct sb_error err = { .msg = "" };
	size_t bytes = (size_t)150 << 20;
	char *host = need(bytes);
	void *device;

	memset(host, 1, bytes);
	set_levels(be, "alloc=default");
	must(sb_device_alloc(be, bytes, &device, &err), &err, "device memory");
	for (int i = 0; i < 4; i++) {
		int64_t start = sb_now_ns(), up;

		must(SB_SUBMIT(be, UPLOAD, upload, ((struct sb_transfer_args){ device, host, bytes }), &err), &err,
		        "upload");
		must(be->ops->sync(be, &err), &err, "sync");
		up = sb_now_ns();
		must(SB_SUBMIT(be, DOWNLOAD, download, ((struct sb_transfer_args){ host, device, bytes }), &err), &err,
		        "download");
		must(be->ops->sync(be, &err), &err, "sync");
		printf("time   150 MiB of pageable memory: up %.2f GB/s, down %.2f GB/s (host's clock)\n",
		        (double)bytes / (double)(up - start), (double)bytes / (double)(sb_now_ns() - up));
	}
	drop(be, device);
	end_levels(be);
	sb_backend_close(be);
	free(host);
}
