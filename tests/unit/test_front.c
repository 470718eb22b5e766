/*
 * The front end against the reference network's own outputs (tests/data/README.md says where they come from), both
 * attention levels, every stored tensor. front_tiny is in the repository; SB_SHARED names a folder with the larger ones
 * (golden/front_small.safetensors, ..), which are used when they are there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <png.h>

#include "layer_stream.h"
#include "sb_front.h"
#include "sb_safetensors.h"
#include "test_device.h"

#define TOLERANCE 1e-5

struct golden {
	struct sb_backend *be;
	struct sb_safetensors *file;
	const struct sb_preset *preset;
	int64_t dim;
	double worst;
	int checked;
	bool verbose;
	float *pair; /* frame half of the pair whose global half comes next */
};

/* Sample j of the stored tensor is element j * stride of the whole one. */
static int64_t stride_of(const struct golden *g, const char *name)
{
	const char *meta = sb_safetensors_metadata(g->file, name), *s = meta ? strstr(meta, "stride=") : NULL;

	return s ? strtoll(s + 7, NULL, 10) : 1;
}

static void check(struct golden *g, const char *name, const float *whole, int64_t n)
{
	const struct sb_safetensor *t = sb_safetensors_find(g->file, name);
	int64_t stride = stride_of(g, name);
	double err2 = 0.0, ref2 = 0.0, rel;

	if (!t)
		return;
	assert_true(n == 0 || (t->n - 1) * stride < n);
	assert_true(t->n * stride >= n); /* the stored samples span the whole tensor */
	for (int64_t j = 0; j < t->n; j++) {
		double d = (double)whole[j * stride] - (double)t->data[j];

		err2 += d * d;
		ref2 += (double)t->data[j] * (double)t->data[j];
	}
	rel = sqrt(err2 / ref2);
	print_message("    %-24s %.2e\n", name, rel);
	if (!(rel <= g->worst))
		g->worst = rel;
	g->checked++;
	assert_true(rel <= TOLERANCE);
}

/* Pairs come as two halves; the golden has them concatenated along the channels. */
static void check_pair(struct golden *g, int index, const float *global, int64_t n)
{
	float *both = malloc((size_t)n * 2 * sizeof(float));
	char name[32];

	assert_non_null(both);
	for (int64_t r = 0; r < n / g->dim; r++) {
		memcpy(both + r * 2 * g->dim, g->pair + r * g->dim, (size_t)g->dim * sizeof(float));
		memcpy(both + (r * 2 + 1) * g->dim, global + r * g->dim, (size_t)g->dim * sizeof(float));
	}
	snprintf(name, sizeof(name), "aggregated_tokens.%d", index);
	check(g, name, both, 2 * n);
	free(both);
}

/* [frames, pixels, 3] of 0..255 -> [frames, 3, pixels] of 0..1 */
static void check_image(struct golden *g, const float *image, int64_t n, int64_t frames)
{
	int64_t pixels = n / 3 / frames;
	float *planes = malloc((size_t)n * sizeof(float));

	assert_non_null(planes);
	for (int64_t f = 0; f < frames; f++)
		for (int64_t p = 0; p < pixels; p++)
			for (int64_t c = 0; c < 3; c++)
				planes[(f * 3 + c) * pixels + p] = image[(f * pixels + p) * 3 + c] / 255.0f;
	check(g, "aggregator_input_image", planes, n);
	free(planes);
}

static int64_t frames_of(const struct golden *g)
{
	return sb_safetensors_find(g->file, "c2w_poses")->shape[1];
}

/* DINOv2's output stands behind the special tokens of the aggregator's input. */
static void check_dino(struct golden *g, const float *tokens, int64_t n)
{
	int64_t frames = frames_of(g), frame = n / frames, skip = SB_FRONT_SPECIAL * g->dim;
	float *patches = malloc((size_t)n * sizeof(float));

	assert_non_null(patches);
	for (int64_t f = 0; f < frames; f++)
		memcpy(patches + f * (frame - skip), tokens + f * frame + skip, (size_t)(frame - skip) * sizeof(float));
	check(g, "dino_patch_tokens", patches, frames * (frame - skip));
	free(patches);
}

static void on_values(struct golden *g, const char *name, int index, const float *data, int64_t n)
{
	char full[32];

	if (!strcmp(name, "image")) {
		check_image(g, data, n, frames_of(g));
	} else if (!strcmp(name, "aggregator_input")) {
		check_dino(g, data, n);
	} else if (!strcmp(name, "aggregated_frame")) {
		g->pair = realloc(g->pair, (size_t)n * sizeof(float));
		assert_non_null(g->pair);
		memcpy(g->pair, data, (size_t)n * sizeof(float));
	} else if (!strcmp(name, "aggregated_global")) {
		check_pair(g, index, data, n);
	} else {
		snprintf(full, sizeof(full), "%s.%d", name, index);
		check(g, full, data, n);
	}
}

static void on_tap(void *ctx, const char *name, int index, const float *device, int64_t n)
{
	struct golden *g = ctx;
	float *data = test_from_device(g->be, device, n);

	on_values(g, name, index, data, n);
	free(data);
}

/* One of the results, as the reference resizes it back to the clip's size. */
static void check_resized_map(struct golden *g, const char *name, const float *map, const struct sb_front_outputs *o,
        int64_t c, int64_t h, int64_t w)
{
	int64_t n = o->frames * h * w * c;
	struct sb_error err;
	float *x = test_to_device(g->be, map, o->frames * o->h * o->w * c), *big;
	void *y;

	assert_int_equal(sb_device_alloc(g->be, (size_t)n * sizeof(float), &y, &err), SB_OK);
	struct sb_resize_bilinear_args a = {
		.x = x, .y = y, .n = o->frames, .h = o->h, .w = o->w, .c = c, .out_h = h, .out_w = w
	};
	assert_int_equal(SB_SUBMIT(g->be, RESIZE_BILINEAR, resize_bilinear, a, &err), SB_OK);
	big = test_from_device(g->be, y, n);
	check(g, name, big, n);
	free(big);
	sb_device_free(g->be, y);
	sb_device_free(g->be, x);
}

/* The reference also resizes its results back to the clip's size: bilinear, K rows scaled. */
static void check_resized(struct golden *g, const struct sb_front_outputs *o, int64_t h, int64_t w)
{
	float k[9 * 16];

	check_resized_map(g, "depth_conf_resized", o->conf, o, 1, h, w);
	check_resized_map(g, "points_map_resized", o->points, o, 3, h, w);
	memcpy(k, o->k, (size_t)o->frames * 9 * sizeof(float));
	for (int64_t f = 0; f < o->frames; f++) {
		for (int c = 0; c < 3; c++) {
			k[f * 9 + c] *= (float)w / (float)o->w;
			k[f * 9 + 3 + c] *= (float)h / (float)o->h;
		}
	}
	check(g, "intrinsics", k, o->frames * 9);
}

static uint8_t *read_frames(int64_t n, int64_t *h, int64_t *w)
{
	const char *shared = getenv("SB_SHARED");
	uint8_t *rgb = NULL;

	for (int64_t f = 0; f < n; f++) {
		png_image image = { .version = PNG_IMAGE_VERSION };
		char path[4200];

		snprintf(path, sizeof(path), "data/frames/%03d.png", (int)f);
		if (access(path, R_OK) && shared)
			snprintf(path, sizeof(path), "%s/golden/frames/%03d.png", shared, (int)f);
		assert_true(png_image_begin_read_from_file(&image, path));
		image.format = PNG_FORMAT_RGB;
		*h = image.height;
		*w = image.width;
		if (!rgb)
			rgb = malloc((size_t)(n * *h * *w * 3));
		assert_non_null(rgb);
		assert_true(png_image_finish_read(&image, NULL, rgb + f * *h * *w * 3, 0, NULL));
	}
	return rgb;
}

static void run_golden(const char *preset, const char *path, const char *levels_text, int want_tensors)
{
	struct sb_error err = { .msg = "" };
	struct golden g = { .worst = 0.0 };
	struct sb_front_tap tap = { on_tap, &g };
	struct sb_front_outputs out;
	struct sb_front_input in = { 0 };
	struct sb_front_net *net;
	struct sb_backend *be;
	struct sb_levels levels;

	assert_int_equal(sb_safetensors_open(path, &g.file, &err), SB_OK);
	assert_int_equal(sb_preset_find(preset, &g.preset, &err), SB_OK);
	g.dim = g.preset->front.dim;
	in.frames = frames_of(&g);
	in.rgb = read_frames(in.frames, &in.h, &in.w);
	assert_int_equal(sb_clip_geometry(in.h, in.w, 0, 0, &in.geo, &err), SB_OK);
	g.be = be = test_device_open();
	assert_int_equal(sb_levels_parse(levels_text, &levels, &err), SB_OK);
	sb_backend_set_levels(be, &levels);
	assert_int_equal(
	        sb_front_net_open(be, &g.preset->front, in.geo.out_h, in.geo.out_w, &sb_weights_synthetic, &net, &err),
	        SB_OK);
	assert_int_equal(sb_front_outputs_init(&out, in.frames, in.geo.out_h, in.geo.out_w, &err), SB_OK);
	assert_int_equal(sb_backend_begin_arm(be, &err), SB_OK);
	assert_int_equal(sb_backend_begin_pass(be, 0, &err), SB_OK);
	print_message("  %s, %s: relative L2 error\n", preset, levels_text);
	assert_int_equal(sb_front_run(be, net, &in, &out, &tap, &err), SB_OK);
	assert_int_equal(sb_backend_end_pass(be, &err), SB_OK);
	check(&g, "depth", out.depth, out.frames * out.h * out.w);
	check(&g, "c2w_poses", out.c2w, out.frames * 16);
	check_resized(&g, &out, in.h, in.w);
	print_message("  worst %.2e over %d tensors\n", g.worst, g.checked);
	assert_int_equal(g.checked, want_tensors);
	assert_int_equal(g.checked, (int)sb_safetensors_count(g.file)); /* nothing in the file was left out */
	assert_int_equal(sb_backend_end_arm(be), 0);                    /* and nothing leaked */
	sb_front_outputs_release(&out);
	sb_front_net_close(net);
	sb_backend_close(be);
	sb_safetensors_close(g.file);
	free((void *)(uintptr_t)in.rgb);
	free(g.pair);
}

static void front_tiny_equals_the_reference_with_standard_attention(void **state)
{
	(void)state;
	run_golden("tiny", "data/front_tiny.safetensors", "attention=standard", 15);
}

static void front_tiny_equals_the_reference_with_efficient_attention(void **state)
{
	(void)state;
	run_golden("tiny", "data/front_tiny.safetensors", "attention=efficient,alloc=expandable", 15);
}

/* What a run of run_tiny_on() is and what it met. */
struct tiny_run {
	int64_t budget; /* of offload */
	bool as_modules;
	const struct sb_backend_ops *ops; /* NULL: the device's own */
	int64_t resident, host, saved, moved;
};

/* One pass of the tiny network at the default case's size; the caller releases *out. */
static void run_tiny_on(const char *levels_text, struct tiny_run *t, struct sb_front_outputs *out)
{
	struct sb_error err;
	struct sb_front_input in = { .frames = 2 };
	const struct sb_preset *preset;
	struct sb_front_net *net;
	struct sb_backend *be;
	struct sb_levels levels;

	in.rgb = read_frames(in.frames, &in.h, &in.w);
	in.as_modules = t->as_modules;
	assert_int_equal(sb_preset_find("tiny", &preset, &err), SB_OK);
	assert_int_equal(sb_clip_geometry(in.h, in.w, 252, 140, &in.geo, &err), SB_OK);
	be = test_device_open();
	assert_int_equal(sb_levels_parse(levels_text, &levels, &err), SB_OK);
	sb_backend_set_levels(be, &levels);
	be->offload_budget = t->budget;
	be->ops = t->ops ? t->ops : be->ops;
	assert_int_equal(sb_front_net_open(be, &preset->front, 140, 252, &sb_weights_synthetic, &net, &err), SB_OK);
	assert_int_equal(sb_front_outputs_init(out, in.frames, 140, 252, &err), SB_OK);
	assert_int_equal(sb_backend_begin_arm(be, &err), SB_OK);
	assert_int_equal(sb_backend_begin_pass(be, 0, &err), SB_OK);
	assert_int_equal(sb_front_run(be, net, &in, out, NULL, &err), SB_OK);
	assert_int_equal(sb_backend_end_pass(be, &err), SB_OK);
	t->moved = be->streamed_bytes;
	t->resident = sb_front_net_bytes(net);
	t->host = sb_front_net_host_bytes(net);
	t->saved = sb_front_net_saved_bytes(net);
	sb_backend_end_arm(be);
	sb_front_net_close(net);
	sb_backend_close(be);
	free((void *)(uintptr_t)in.rgb);
}

static void run_tiny(const char *levels_text, struct sb_front_outputs *out)
{
	struct tiny_run t = { 0 };

	run_tiny_on(levels_text, &t, out);
}

static void same_results(const struct sb_front_outputs *a, struct sb_front_outputs *b)
{
	assert_memory_equal(a->depth, b->depth, sb_front_outputs_floats(a) * sizeof(float));
	sb_front_outputs_release(b);
}

/* Budgets: none, about half, all. */
static void offloaded_layers_change_no_bit_of_the_results(void **state)
{
	struct tiny_run off = { 0 }, none = { 0 }, half = { 0 }, all = { .budget = INT64_MAX };
	struct sb_front_outputs a, b;

	(void)state;
	run_tiny_on("attention=efficient", &off, &a);
	assert_true(off.moved == 0 && off.host == 0 && off.saved == 0);
	run_tiny_on("attention=efficient,offload=layers", &none, &b);
	same_results(&a, &b);
	assert_true(none.saved > 0 && none.resident == off.resident - none.saved);
	assert_true(none.moved > none.host); /* the camera head's come four times */
	half.budget = none.host / 2;
	run_tiny_on("attention=efficient,offload=layers", &half, &b);
	same_results(&a, &b);
	assert_true(half.host >= none.host - half.budget && half.host < none.host);
	assert_true(half.moved > 0 && half.moved < none.moved);
	run_tiny_on("attention=efficient,offload=layers", &all, &b);
	same_results(&a, &b);
	assert_true(all.moved == 0 && all.host == 0 && all.resident == off.resident);
	sb_front_outputs_release(&a);
}

/* The models of the front end one after the other, all of them, some, none. */
static void models_that_take_turns_change_no_bit_of_the_results(void **state)
{
	struct tiny_run off = { 0 }, none = { 0 }, some = { 0 }, all = { .budget = INT64_MAX };
	struct sb_front_outputs a, b;

	(void)state;
	run_tiny_on("attention=standard", &off, &a);
	run_tiny_on("attention=standard,offload=model", &none, &b);
	same_results(&a, &b);
	assert_true(none.moved > 0 && none.moved == none.host); /* each once */
	assert_true(none.saved > 0 && none.resident == off.resident - none.saved);
	some.budget = none.host - none.saved - 1; /* not the largest, but others */
	run_tiny_on("attention=standard,offload=model", &some, &b);
	same_results(&a, &b);
	assert_true(some.moved > 0 && some.moved < none.moved && some.host >= none.host - some.budget);
	run_tiny_on("attention=standard,offload=model", &all, &b);
	same_results(&a, &b);
	assert_true(all.moved == 0 && all.host == 0 && all.resident == off.resident);
	sb_front_outputs_release(&a);
}

/*
 * A device whose copies are as unlucky as they may be: the slot is spoilt as soon as the copy may begin, and filled
 * only when somebody waits for it.
 */
static struct {
	const struct sb_backend_ops *real;
	struct sb_stream_args copy[SB_STREAM_SLOTS];
	bool waiting[SB_STREAM_SLOTS], in_use[SB_STREAM_SLOTS];
	int copies, waits;
} late;

static enum sb_status late_submit(struct sb_backend *be, const struct sb_op *op, struct sb_error *err)
{
	const struct sb_stream_args *s = &op->u.stream;

	if (op->id != SB_OP_STREAM)
		return late.real->submit(be, op, err);
	assert_false(late.in_use[s->slot]); /* its last reader is done */
	assert_false(late.waiting[s->slot]);
	memset(s->dst, 0xff, s->bytes); /* NaN */
	late.copy[s->slot] = *s;
	late.waiting[s->slot] = true;
	late.copies++;
	return SB_OK;
}

static enum sb_status late_wait(struct sb_backend *be, int slot, struct sb_error *err)
{
	(void)be;
	(void)err;
	assert_true(late.waiting[slot]);
	memcpy(late.copy[slot].dst, late.copy[slot].src, late.copy[slot].bytes);
	late.waiting[slot] = false;
	late.in_use[slot] = true;
	late.waits++;
	return SB_OK;
}

static enum sb_status late_done(struct sb_backend *be, int slot, struct sb_error *err)
{
	(void)be;
	(void)err;
	late.in_use[slot] = false;
	return SB_OK;
}

static void a_layer_is_read_only_between_its_copy_and_the_next(void **state)
{
	struct tiny_run on = { 0 };
	struct sb_front_outputs a, b;
	struct sb_backend *be = test_device_open();
	struct sb_backend_ops ops = *be->ops;

	(void)state;
	late.real = be->ops;
	if (strcmp(ops.name, "cpu") != 0) {
		sb_backend_close(be);
		skip();
	}
	ops.submit = late_submit;
	ops.stream_wait = late_wait;
	ops.stream_done = late_done;
	on.ops = &ops;
	run_tiny("attention=standard", &a);
	run_tiny_on("attention=standard,offload=layers", &on, &b);
	assert_true(late.copies > 4 && late.copies == late.waits);
	same_results(&a, &b);
	on.budget = 0;
	for (int modules = 0; modules < 2; modules++) {
		on.as_modules = modules;
		run_tiny_on("attention=standard,offload=model", &on, &b);
		same_results(&a, &b);
	}
	assert_int_equal(late.copies, late.waits);
	run_tiny_on("attention=standard,offload=layers", &on, &b);
	same_results(&a, &b);
	on.budget = on.host - 1; /* a single layer is left, or few */
	run_tiny_on("attention=standard,offload=layers", &on, &b);
	same_results(&a, &b);
	sb_front_outputs_release(&a);
	sb_backend_close(be);
}

static int allocs_left;

static enum sb_status scarce_alloc(struct sb_backend *be, size_t bytes, void **out, struct sb_error *err)
{
	(void)be;
	if (allocs_left-- == 0)
		return sb_fail(err, SB_E_NOMEM, "cannot pin %zu bytes", bytes);
	*out = malloc(bytes);
	return SB_OK;
}

static void scarce_free(struct sb_backend *be, void *ptr)
{
	(void)be;
	free(ptr);
}

static void host_memory_that_is_short_is_told_and_given_back(void **state)
{
	struct sb_levels levels = { { 0 } };
	struct sb_error err = { .msg = "" };
	const struct sb_preset *preset;
	struct sb_front_net *net = NULL;
	struct sb_backend *be = test_device_open();
	struct sb_backend_ops ops = *be->ops;

	(void)state;
	if (strcmp(ops.name, "cpu") != 0) {
		sb_backend_close(be);
		skip();
	}
	ops.host_alloc = scarce_alloc;
	ops.host_free = scarce_free;
	be->ops = &ops;
	allocs_left = 2;
	levels.part[SB_PART_OFFLOAD] = SB_OFFLOAD_LAYERS;
	sb_backend_set_levels(be, &levels);
	assert_int_equal(sb_preset_find("tiny", &preset, &err), SB_OK);
	assert_int_equal(
	        sb_front_net_open(be, &preset->front, 140, 252, &sb_weights_synthetic, &net, &err), SB_E_NOMEM);
	assert_non_null(strstr(err.msg, "offload of layer"));
	assert_non_null(strstr(err.msg, "cannot pin"));
	sb_backend_close(be);
}

/* Visits of a stream of n layers of 256 bytes, all streamed but `budget` bytes. */
static void stream_of(struct sb_backend *be, int n, int64_t budget, struct sb_layer_stream *s)
{
	int visits[8];
	struct sb_error err;

	for (int i = 0; i < n; i++)
		visits[i] = i;
	assert_int_equal(sb_stream_init(s, be, n, visits, n, &err), SB_OK);
	for (int i = 0; i < n; i++)
		s->layers[i].bytes = 256;
	sb_stream_choose(s, budget, SB_STREAM_SLOTS);
}

/* The order alone, of layers without bytes behind them: a device would copy. */
static void layers_take_turns_in_the_slots(void **state)
{
	struct sb_backend *be = test_device_open();
	struct sb_layer_stream s = { 0 };
	struct sb_error err;
	size_t shift;

	(void)state;
	if (strcmp(be->ops->name, "cpu") != 0) {
		sb_backend_close(be);
		skip();
	}
	stream_of(be, 5, 0, &s); /* an odd number */
	assert_int_equal(s.n_slots, 2);
	for (int v = 0; v < 5; v++) {
		assert_int_equal(sb_stream_enter(&s, v, v, &shift, &err), SB_OK);
		assert_true(shift == (v % 2 ? 256 : 0));
	}
	sb_stream_release(&s);
	stream_of(be, 5, 600, &s); /* two stay */
	assert_int_equal(s.n_visits, 3);
	assert_false(s.layers[0].streamed || s.layers[1].streamed);
	assert_int_equal(s.visits[0], 2);
	sb_stream_release(&s);
	stream_of(be, 1, 0, &s); /* a slot is enough */
	assert_int_equal(s.n_slots, 1);
	assert_true(sb_stream_slots_bytes(&s) == 256);
	sb_stream_release(&s);
	stream_of(be, 3, 1 << 20, &s);
	assert_int_equal(s.n_visits, 0);
	assert_true(sb_stream_slots_bytes(&s) == 0);
	assert_int_equal(sb_stream_start(&s, &err), SB_OK);
	sb_stream_release(&s);
	sb_backend_close(be);
}

static void results_do_not_depend_on_the_allocator(void **state)
{
	static const char *const attention[] = { "attention=standard", "attention=efficient" };
	struct sb_front_outputs a, b;
	char levels[64];

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(attention); i++) {
		snprintf(levels, sizeof(levels), "%s,alloc=default", attention[i]);
		run_tiny(levels, &a);
		snprintf(levels, sizeof(levels), "%s,alloc=expandable", attention[i]);
		run_tiny(levels, &b);
		assert_memory_equal(a.depth, b.depth, sb_front_outputs_floats(&a) * sizeof(float));
		sb_front_outputs_release(&a);
		sb_front_outputs_release(&b);
	}
}

/* Not a bit: products are shared out by their shape alone, and each is one thread's. */
static void results_do_not_depend_on_the_thread_count(void **state)
{
	static const char *const levels[] = { "attention=standard", "attention=standard,precision=tf32",
		"attention=efficient", "attention=efficient,precision=tf32" };
	struct sb_front_outputs a, b;
	int before = omp_get_max_threads();

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(levels); i++) {
		omp_set_num_threads(1);
		run_tiny(levels[i], &a);
		for (int threads = 2; threads <= 3; threads++) {
			omp_set_num_threads(threads);
			run_tiny(levels[i], &b);
			assert_memory_equal(a.depth, b.depth, sb_front_outputs_floats(&a) * sizeof(float));
			sb_front_outputs_release(&b);
		}
		sb_front_outputs_release(&a);
	}
	omp_set_num_threads(before);
}

static void tf32_emulation_changes_the_result_a_little(void **state)
{
	struct sb_front_outputs a, b;
	double err2 = 0.0, ref2 = 0.0;

	(void)state;
	run_tiny("attention=standard", &a);
	run_tiny("attention=standard,precision=tf32", &b);
	for (int64_t i = 0; i < a.frames * a.h * a.w; i++) {
		double d = (double)a.depth[i] - (double)b.depth[i];

		err2 += d * d;
		ref2 += (double)a.depth[i] * (double)a.depth[i];
	}
	print_message("  depth, tf32 against fp32: %.2e\n", sqrt(err2 / ref2));
	assert_true(sqrt(err2 / ref2) > 1e-5); /* it was in effect */
	assert_true(sqrt(err2 / ref2) < 1e-2); /* and is no mistake */
	sb_front_outputs_release(&a);
	sb_front_outputs_release(&b);
}

static void run_shared(const char *preset, const char *file, int want_tensors, bool asked_for)
{
	const char *shared = getenv("SB_SHARED");
	char path[4200];

	snprintf(path, sizeof(path), "%s/golden/%s", shared ? shared : "../../shared", file);
	if (access(path, R_OK) || !asked_for) {
		print_message("  skipped: %s\n",
		        asked_for ? "the larger goldens are not here (SB_SHARED)" : "set SB_LONG_TESTS=1 to run it");
		skip();
	}
	if (!shared)
		setenv("SB_SHARED", "../../shared", 1);
	run_golden(preset, path, "attention=standard", want_tensors);
	run_golden(preset, path, "attention=efficient", want_tensors);
}

static void front_small_equals_the_reference(void **state)
{
	(void)state;
	run_shared("small", "front_small.safetensors", 15, true);
}

static void front_full_equals_the_reference(void **state)
{
	(void)state;
	run_shared("full", "front_full.safetensors", 16, getenv("SB_LONG_TESTS") != NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(front_tiny_equals_the_reference_with_standard_attention),
		cmocka_unit_test(front_tiny_equals_the_reference_with_efficient_attention),
		cmocka_unit_test(results_do_not_depend_on_the_allocator),
		cmocka_unit_test(offloaded_layers_change_no_bit_of_the_results),
		cmocka_unit_test(models_that_take_turns_change_no_bit_of_the_results),
		cmocka_unit_test(a_layer_is_read_only_between_its_copy_and_the_next),
		cmocka_unit_test(layers_take_turns_in_the_slots),
		cmocka_unit_test(host_memory_that_is_short_is_told_and_given_back),
		cmocka_unit_test(results_do_not_depend_on_the_thread_count),
		cmocka_unit_test(tf32_emulation_changes_the_result_a_little),
		cmocka_unit_test(front_small_equals_the_reference),
		cmocka_unit_test(front_full_equals_the_reference),
	};
	return cmocka_run_group_tests_name("front", tests, NULL, NULL);
}
