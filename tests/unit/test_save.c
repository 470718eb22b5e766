/*
 * Saved results: that they are the network's own (against the reference's, and end to end through the program named by
 * SPABENCH), and what becomes of files that cannot be written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#include <cmocka.h>
#include <png.h>

#include "resize.h"
#include "sb_clip.h"
#include "sb_safetensors.h"
#include "save.h"
#include "scratch_folder.h"

#define TOLERANCE 1e-5

/* ---- scaffolding --------------------------------------------------------------------------------------------- */

/* Results of 2 frames, 3 x 4: depth 1 .. 24, everything else by number. */
static struct sb_front_outputs planted(void)
{
	struct sb_front_outputs o;
	struct sb_error err;

	assert_int_equal(sb_front_outputs_init(&o, 2, 3, 4, &err), SB_OK);
	for (size_t i = 0; i < sb_front_outputs_floats(&o); i++)
		o.depth[i] = (float)(i + 1);
	return o;
}

static const char *const metadata[] = { "run", "0123", "arm", "after", "clip", "caf\xc3\xa9", NULL };

/* ---- against the reference ----------------------------------------------------------------------------------- */

static const struct sb_safetensor *tensor(const struct sb_safetensors *st, const char *name)
{
	const struct sb_safetensor *t = sb_safetensors_find(st, name);

	if (!t)
		fail_msg("no tensor '%s'", name);
	return t;
}

/* Relative L2 distance of the stored samples (every stride-th) from the same ones of `whole`. */
static void compare(const struct sb_safetensors *golden, const char *name, const float *whole, int64_t n)
{
	const struct sb_safetensor *t = tensor(golden, name);
	const char *meta = sb_safetensors_metadata(golden, name), *s = meta ? strstr(meta, "stride=") : NULL;
	int64_t stride = s ? strtoll(s + 7, NULL, 10) : 1;
	double err2 = 0.0, ref2 = 0.0;

	assert_true(t->n * stride >= n && (t->n - 1) * stride < n);
	for (int64_t i = 0; i < t->n; i++) {
		double d = (double)whole[i * stride] - (double)t->data[i];

		err2 += d * d;
		ref2 += (double)t->data[i] * (double)t->data[i];
	}
	print_message("    %-20s %.2e\n", name, sqrt(err2 / ref2));
	assert_true(sqrt(err2 / ref2) <= TOLERANCE);
}

/* The reference stores these at the clip's size. */
static void compare_resized(const struct sb_safetensors *golden, const char *name, const struct sb_safetensor *t)
{
	const int64_t c = t->ndim == 4 ? 3 : 1, h = 576, w = 768;
	float *big = malloc((size_t)(t->shape[0] * h * w * c) * sizeof(float));

	assert_non_null(big);
	sb_resize_bilinear_cpu(&(struct sb_resize_bilinear_args){ .x = t->data,
	        .y = big,
	        .n = t->shape[0],
	        .h = t->shape[1],
	        .w = t->shape[2],
	        .c = c,
	        .out_h = h,
	        .out_w = w });
	compare(golden, name, big, t->shape[0] * h * w * c);
	free(big);
}

static void compare_intrinsics(const struct sb_safetensors *golden, const struct sb_safetensor *t)
{
	float k[2 * 9];

	assert_int_equal(t->n, 18);
	for (int i = 0; i < 18; i++)
		k[i] = t->data[i] * (i % 9 < 3 ? 768.0f / 518.0f : i % 9 < 6 ? 576.0f / 392.0f : 1.0f);
	compare(golden, "intrinsics", k, 18);
}

/* w2c c2w = 1, frame by frame. */
static void check_inverse(const float *a, const float *b)
{
	for (int i = 0; i < 4; i++) {
		for (int j = 0; j < 4; j++) {
			double sum = 0.0;

			for (int k = 0; k < 4; k++)
				sum += (double)a[i * 4 + k] * (double)b[k * 4 + j];
			assert_true(fabs(sum - (i == j)) < 1e-5);
		}
	}
}

/* The front end over the first frames of tests/data/frames at the published size, in host memory. */
static void run_front(int64_t frames, struct sb_front_outputs *out)
{
	const struct sb_clip_request req = { .video = "data/frames", .n_frames = frames };
	struct sb_error err = { .msg = "" };
	const struct sb_preset *preset;
	struct sb_front_input in;
	struct sb_front_net *net;
	struct sb_backend *be;
	struct sb_clip clip;

	assert_int_equal(sb_preset_find("tiny", &preset, &err), SB_OK);
	assert_int_equal(sb_clip_load(&req, &clip, &err), SB_OK);
	in = (struct sb_front_input){ .rgb = clip.rgb, .frames = frames, .h = clip.height, .w = clip.width };
	assert_int_equal(sb_clip_geometry(clip.height, clip.width, 0, 0, &in.geo, &err), SB_OK);
	assert_int_equal(sb_front_outputs_init(out, frames, in.geo.out_h, in.geo.out_w, &err), SB_OK);
	assert_int_equal(sb_backend_open("cpu", 0, &be, &err), SB_OK);
	assert_int_equal(
	        sb_front_net_open(be, &preset->front, out->h, out->w, &sb_weights_synthetic, &net, &err), SB_OK);
	assert_int_equal(sb_backend_begin_arm(be, &err), SB_OK);
	assert_int_equal(sb_backend_begin_pass(be, 0, &err), SB_OK);
	assert_int_equal(sb_front_run(be, net, &in, out, NULL, &err), SB_OK);
	assert_int_equal(sb_backend_end_pass(be, &err), SB_OK);
	sb_backend_end_arm(be);
	sb_front_net_close(net);
	sb_backend_close(be);
	sb_clip_release(&clip);
}

static void saved_tensors_are_those_of_the_reference(void **state)
{
	const struct sb_save to = { .file = in_folder("x.safetensors"), .metadata = metadata };
	struct sb_safetensors *golden, *saved;
	const struct sb_safetensor *w2c, *c2w;
	struct sb_error err = { .msg = "" };
	struct sb_front_outputs out;

	(void)state;
	run_front(2, &out);
	assert_int_equal(sb_front_save(&out, &to, &err), SB_OK);
	sb_front_outputs_release(&out);
	assert_int_equal(sb_safetensors_open("data/front_tiny.safetensors", &golden, &err), SB_OK);
	if (sb_safetensors_open(in_folder("x.safetensors"), &saved, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(sb_safetensors_count(saved), 7);
	compare(golden, "depth", tensor(saved, "depth")->data, tensor(saved, "depth")->n);
	compare(golden, "pose_enc.3", tensor(saved, "pose_enc")->data, tensor(saved, "pose_enc")->n);
	compare_resized(golden, "depth_conf_resized", tensor(saved, "confidence"));
	compare_resized(golden, "points_map_resized", tensor(saved, "points"));
	compare_intrinsics(golden, tensor(saved, "intrinsics"));
	c2w = tensor(saved, "c2w");
	w2c = tensor(saved, "w2c");
	compare(golden, "c2w_poses", c2w->data, c2w->n);
	for (int f = 0; f < 2; f++)
		check_inverse(w2c->data + 16 * f, c2w->data + 16 * f);
	sb_safetensors_close(saved);
	sb_safetensors_close(golden);
}

/* End to end: the program's files hold what the library computes, and say what it is of. */
static void the_program_saves_the_results_of_its_arm(void **state)
{
	const char *program = getenv("SPABENCH");
	struct sb_safetensors *saved;
	struct sb_front_outputs out;
	struct sb_error err = { .msg = "" };
	char command[4096];
	int64_t pixels;

	(void)state;
	if (!program)
		skip();
	snprintf(command, sizeof(command),
	        "'%s' run --db '%s' --video data/frames --size native --preset tiny --frames 3 --grid 2 --support 2 "
	        "--arms before,+precision --blocks 1 --trace-blocks 0 --quiet --save-arm before --save '%s' "
	        "--depth-images '%s' >/dev/null",
	        program, in_folder("x.db"), in_folder("x.safetensors"), in_folder("depth"));
	assert_int_equal(system(command), 0);
	if (sb_safetensors_open(in_folder("x.safetensors"), &saved, &err))
		fail_msg("%s", err.msg);
	run_front(3, &out);
	pixels = out.frames * out.h * out.w;
	assert_int_equal(tensor(saved, "depth")->n, pixels);
	assert_memory_equal(tensor(saved, "depth")->data, out.depth, (size_t)pixels * sizeof(float));
	assert_memory_equal(tensor(saved, "confidence")->data, out.conf, (size_t)pixels * sizeof(float));
	assert_memory_equal(tensor(saved, "c2w")->data, out.c2w, (size_t)out.frames * 16 * sizeof(float));
	assert_int_equal(tensor(saved, "tracks_2d")->n, 3 * 4 * 3);
	assert_int_equal(strlen(sb_safetensors_metadata(saved, "run")), 32);
	assert_string_equal(sb_safetensors_metadata(saved, "arm"), "before");
	assert_non_null(strstr(sb_safetensors_metadata(saved, "levels"), "attention=standard"));
	assert_string_equal(sb_safetensors_metadata(saved, "clip"), "data/frames");
	assert_string_equal(sb_safetensors_metadata(saved, "clip_digest"), "b6cbf618f5b939c8");
	assert_string_equal(sb_safetensors_metadata(saved, "weights"), "synthetic");
	assert_non_null(sb_safetensors_metadata(saved, "build"));
	assert_int_equal(files_in(in_folder("depth")), 3);
	sb_front_outputs_release(&out);
	sb_safetensors_close(saved);
}

/* ---- depth images -------------------------------------------------------------------------------------------- */

struct picture {
	uint16_t v[12];
	char text[8][2][32];
	int n_text;
};

static void read_picture(const char *path, struct picture *out)
{
	png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png_create_info_struct(png);
	FILE *f = fopen(path, "rb");
	png_textp text;

	assert_non_null(f);
	png_init_io(png, f);
	png_read_png(png, info, PNG_TRANSFORM_IDENTITY, NULL); /* aborts on an error */
	assert_int_equal(png_get_bit_depth(png, info), 16);
	assert_int_equal(png_get_color_type(png, info), PNG_COLOR_TYPE_GRAY);
	assert_int_equal(png_get_image_width(png, info), 4);
	assert_int_equal(png_get_image_height(png, info), 3);
	for (int i = 0; i < 12; i++) {
		const png_byte *p = png_get_rows(png, info)[i / 4] + i % 4 * 2;

		out->v[i] = (uint16_t)(p[0] << 8 | p[1]);
	}
	png_get_text(png, info, &text, &out->n_text);
	assert_true(out->n_text <= 8);
	for (int i = 0; i < out->n_text; i++) {
		snprintf(out->text[i][0], sizeof(out->text[i][0]), "%.31s", text[i].key);
		snprintf(out->text[i][1], sizeof(out->text[i][1]), "%.31s", text[i].text);
	}
	fclose(f);
	png_destroy_read_struct(&png, &info, NULL);
}

static const char *text_of(const struct picture *p, const char *key)
{
	for (int i = 0; i < p->n_text; i++)
		if (!strcmp(p->text[i][0], key))
			return p->text[i][1];
	return "absent";
}

static void depth_images_give_the_depth_back(void **state)
{
	struct sb_front_outputs o = planted();
	struct sb_save to = { .depth_dir = in_folder("d"), .metadata = metadata };
	struct sb_error err;
	struct picture p;

	(void)state;
	o.depth[5] = INFINITY;
	o.depth[6] = NAN;
	assert_int_equal(sb_front_save(&o, &to, &err), SB_OK);
	assert_int_equal(sb_front_save(&o, &to, &err), SB_OK); /* over what is there */
	assert_int_equal(files_in(in_folder("d")), 2);
	for (int frame = 0; frame < 2; frame++) {
		read_picture(in_folder(frame ? "d/frame_0001.png" : "d/frame_0000.png"), &p);
		assert_string_equal(text_of(&p, "depth_min"), "1");
		assert_string_equal(text_of(&p, "depth_max"), "24");
		assert_string_equal(text_of(&p, "not_finite"), "2");
		assert_string_equal(text_of(&p, "arm"), "after");
		for (int i = 0; i < 12; i++) {
			double depth = 1.0 + 23.0 / 65535.0 * p.v[i], want = frame * 12 + i + 1;

			if (frame == 0 && (i == 5 || i == 6))
				assert_int_equal(p.v[i], 0);
			else
				assert_true(fabs(depth - want) <= 0.5 * 23.0 / 65535.0 + 1e-12);
		}
	}
	sb_front_outputs_release(&o);
}

static void depth_without_extent_is_black_and_no_division_by_zero(void **state)
{
	struct sb_front_outputs o = planted();
	struct sb_save to = { .depth_dir = in_folder("d") };
	struct sb_error err;
	struct picture p;

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 24; i++)
			o.depth[i] = round ? NAN : 7.0f;
		assert_int_equal(sb_front_save(&o, &to, &err), SB_OK);
		read_picture(in_folder("d/frame_0000.png"), &p);
		assert_string_equal(text_of(&p, "depth_max"), round ? "0" : "7");
		for (int i = 0; i < 12; i++)
			assert_int_equal(p.v[i], 0);
	}
	sb_front_outputs_release(&o);
}

/* ---- files that cannot be written ---------------------------------------------------------------------------- */

static void must_fail(const struct sb_front_outputs *o, const char *file, const char *depth_dir, const char *says)
{
	struct sb_error err = { .msg = "" };
	enum sb_status status =
	        sb_front_save(o, &(struct sb_save){ .file = file, .depth_dir = depth_dir, .metadata = metadata }, &err);

	if (status != SB_E_DATA || !strstr(err.msg, says) || !strstr(err.msg, "cannot write '"))
		fail_msg("status %d, '%s', wanted '%s'", status, err.msg, says);
}

static void what_is_no_file_is_not_replaced(void **state)
{
	struct sb_front_outputs o = planted();
	struct stat st;

	(void)state;
	assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0); /* as harmless as a device is not */
	must_fail(&o, in_folder("fifo"), NULL, "it is no plain file");
	assert_int_equal(stat(in_folder("fifo"), &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	must_fail(&o, folder, NULL, "it is a folder");
	must_fail(&o, in_folder("no/x"), NULL, "No such file or directory");
	must_fail(&o, NULL, in_folder("no/d"), "No such file or directory");
	must_fail(&o, NULL, in_folder("fifo"), "Not a directory");
	assert_int_equal(mkdir(in_folder("d"), 0755), 0);
	assert_int_equal(mkdir(in_folder("d/frame_0001.png"), 0755), 0);
	must_fail(&o, NULL, in_folder("d"), "d/frame_0001.png': it is a folder");
	assert_int_equal(files_in(in_folder("d")), 2); /* the first frame is there */
	sb_front_outputs_release(&o);
}

/* A limit on the size of files stands for the full disk; an older file stays, and nothing half-written. */
static void a_full_disk_leaves_the_older_files(void **state)
{
	struct sb_front_outputs o = planted();
	struct sb_error err;
	struct picture p;
	struct stat st;

	(void)state;
	assert_int_equal(
	        sb_front_save(&o,
	                &(struct sb_save){ .file = in_folder("x"), .depth_dir = in_folder("d"), .metadata = metadata },
	                &err),
	        SB_OK);
	assert_int_equal(stat(in_folder("x"), &st), 0);
	for (rlim_t limit = 0; limit < 200; limit += 13) {
		limit_files(limit);
		must_fail(&o, in_folder("x"), NULL, "File too large");
		if (limit < 60) /* a picture of 12 pixels is not much larger */
			must_fail(&o, NULL, in_folder("d"), "d/frame_0000.png': File too large");
		limit_files(NO_LIMIT);
	}
	read_picture(in_folder("d/frame_0000.png"), &p);
	assert_int_equal(files_in(folder), 2);
	assert_int_equal(files_in(in_folder("d")), 2);
	assert_int_equal(stat(in_folder("x"), &st), 0);
	assert_true(st.st_size > 200);
	sb_front_outputs_release(&o);
}

static void a_full_disk_leaves_no_folder_that_nothing_came_into(void **state)
{
	struct sb_front_outputs o = planted();
	struct stat st;

	(void)state;
	assert_int_equal(mkdir(in_folder("theirs"), 0755), 0);
	limit_files(0);
	must_fail(&o, NULL, in_folder("ours"), "File too large");
	must_fail(&o, in_folder("x"), in_folder("ours"), "File too large"); /* before any picture */
	must_fail(&o, NULL, in_folder("theirs"), "File too large");
	limit_files(NO_LIMIT);
	assert_int_not_equal(stat(in_folder("ours"), &st), 0);
	assert_int_equal(stat(in_folder("theirs"), &st), 0);
	sb_front_outputs_release(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(saved_tensors_are_those_of_the_reference, folder_make, folder_remove),
		cmocka_unit_test_setup_teardown(the_program_saves_the_results_of_its_arm, folder_make, folder_remove),
		cmocka_unit_test_setup_teardown(depth_images_give_the_depth_back, folder_make, folder_remove),
		cmocka_unit_test_setup_teardown(
		        depth_without_extent_is_black_and_no_division_by_zero, folder_make, folder_remove),
		cmocka_unit_test_setup_teardown(what_is_no_file_is_not_replaced, folder_make, folder_remove),
		cmocka_unit_test_setup_teardown(a_full_disk_leaves_the_older_files, folder_make, folder_remove),
		cmocka_unit_test_setup_teardown(
		        a_full_disk_leaves_no_folder_that_nothing_came_into, folder_make, folder_remove),
	};
	return cmocka_run_group_tests_name("save", tests, NULL, NULL);
}
