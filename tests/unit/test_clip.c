#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <png.h>

#include "clip_internal.h"
#include "sb_clip.h"

/* ---- scaffolding: a folder with a scripted ffmpeg, pictures to play ------------------------------------------ */

static char folder[64]; /* ours; everything a test writes is in it */
static char path_before[4096];
static char file_path[256], video_path[256];

static const char *in_folder(const char *name)
{
	snprintf(file_path, sizeof(file_path), "%s/%s", folder, name);
	return file_path;
}

static void write_file(const char *name, const void *data, size_t n, mode_t mode)
{
	FILE *f = fopen(in_folder(name), "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(in_folder(name), mode), 0);
}

/* From now on `ffmpeg` is this shell script, running in our folder. NULL: there is none. */
static void use_ffmpeg(const char *script)
{
	char text[2048], path[256];
	int n = snprintf(text, sizeof(text), "#!/bin/sh\ncd %s\n%s\n", folder, script ? script : "");

	unlink(in_folder("ffmpeg"));
	if (script)
		write_file("ffmpeg", text, (size_t)n, 0755);
	snprintf(path, sizeof(path), script ? "%s:/usr/bin:/bin" : "%s", folder);
	setenv("PATH", path, 1);
}

static void use_real_ffmpeg(void)
{
	unlink(in_folder("ffmpeg"));
	setenv("PATH", path_before, 1);
	if (system("ffmpeg -version >/dev/null 2>&1") != 0) {
		print_message("skipped: no ffmpeg on PATH\n");
		skip();
	}
}

/* `n` pictures of w x h, every byte of picture i being 10 + i, as file "frames". */
static void write_frames(int n, int h, int w)
{
	struct sb_buf b = { 0 };

	for (int i = 0; i < n; i++) {
		sb_buf_addf(&b, "P6\n%d %d\n255\n", w, h);
		for (int k = 0; k < h * w * 3; k++)
			sb_buf_add(&b, &(char){ (char)(10 + i) }, 1);
	}
	write_file("frames", sb_buf_str(&b), b.len, 0644);
	sb_buf_release(&b);
}

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/spabench-test-clip-XXXXXX");
	snprintf(path_before, sizeof(path_before), "%s", getenv("PATH"));
	unsetenv("SPABENCH_DATA");
	if (!mkdtemp(folder))
		return -1;
	write_file("x.mp4", "x", 1, 0644);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const files[] = { "ffmpeg", "frames", "x.mp4", "args", "-a:b c.mp4" };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(files); i++)
		unlink(in_folder(files[i]));
	return rmdir(folder);
}

/* The message of a load that must fail with `code`, and without a trace. */
static const char *load_error(const struct sb_clip_request *req, enum sb_status code)
{
	static struct sb_error err;
	struct sb_clip clip = { .n_frames = 77 };
	int before = open_descriptors();
	enum sb_status status = sb_clip_load(req, &clip, &err);

	if (status != code)
		fail_msg("status %d, not %d: %s", status, code, status ? err.msg : "");
	assert_int_equal(clip.n_frames, 77); /* outputs are untouched */
	assert_int_equal(open_descriptors(), before);
	return err.msg;
}

static struct sb_clip load(const struct sb_clip_request *req)
{
	struct sb_clip clip = { 0 };
	struct sb_error err;
	int before = open_descriptors();

	if (sb_clip_load(req, &clip, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(open_descriptors(), before);
	return clip;
}

static struct sb_clip_request our_video(int64_t n_frames)
{
	snprintf(video_path, sizeof(video_path), "%s/x.mp4", folder);
	return (struct sb_clip_request){ .video = video_path, .n_frames = n_frames, .timeout_ms = 10000 };
}

/* ---- real video ---------------------------------------------------------------------------------------------- */

/* 0 when the file is not there. */
static int read_png(const char *path, int64_t h, int64_t w, uint8_t *rgb)
{
	png_image image = { .version = PNG_IMAGE_VERSION };

	if (!png_image_begin_read_from_file(&image, path))
		return 0;
	assert_int_equal(image.height, h);
	assert_int_equal(image.width, w);
	image.format = PNG_FORMAT_RGB;
	return png_image_finish_read(&image, NULL, rgb, 0, NULL);
}

static void built_in_clip_decodes_to_the_reference_frames_exactly(void **state)
{
	const char *shared = getenv("SB_SHARED");
	struct sb_clip clip;
	uint8_t *want;

	(void)state;
#if !defined(__x86_64__)
	print_message("skipped: ffmpeg's scaler rounds differently on other processors\n");
	skip();
#endif
	use_real_ffmpeg();
	clip = load(&(struct sb_clip_request){ .n_frames = 8 });
	assert_int_equal(clip.n_frames, 8);
	assert_int_equal(clip.n_decoded, 8);
	assert_int_equal(clip.height, 576);
	assert_int_equal(clip.width, 768);
	assert_string_equal(clip.source, "built-in pedestrians.mp4");
	assert_string_equal(clip.note, "");
	want = malloc(576 * 768 * 3);
	assert_non_null(want);
	for (int i = 0; i < 8; i++) {
		char path[4096];
		int there;

		if (i < 4)
			snprintf(path, sizeof(path), "data/frames/%03d.png", i);
		else
			snprintf(path, sizeof(path), "%s/golden/frames/%03d.png", shared ? shared : "../../shared", i);
		there = read_png(path, 576, 768, want);
		if (i < 4)
			assert_true(there);
		if (there)
			assert_memory_equal(clip.rgb + (size_t)i * 576 * 768 * 3, want, 576 * 768 * 3);
		else
			print_message("frame %d not compared: no '%s'\n", i, path);
	}
	free(want);
	sb_clip_release(&clip);
	sb_clip_release(&clip); /* twice is once */
}

static void built_in_clip_has_sixty_frames(void **state)
{
	struct sb_clip clip;

	(void)state;
	use_real_ffmpeg();
	clip = load(&(struct sb_clip_request){ .n_frames = 0 });
	assert_int_equal(clip.n_frames, 60);
	assert_string_equal(clip.note, "");
	sb_clip_release(&clip);
}

static void what_is_no_video_fails_with_ffmpegs_own_words(void **state)
{
	struct sb_clip_request req = our_video(0);

	(void)state;
	use_real_ffmpeg();
	assert_non_null(strstr(load_error(&req, SB_E_DATA), "x.mp4': ffmpeg failed: "));
}

static void without_ffmpeg_the_built_in_clip_is_the_small_raw_one(void **state)
{
	struct sb_clip clip;

	(void)state;
	use_ffmpeg(NULL);
	clip = load(&(struct sb_clip_request){ .n_frames = 4 });
	assert_int_equal(clip.n_frames, 4);
	assert_int_equal(clip.height, 189);
	assert_int_equal(clip.width, 252);
	assert_string_equal(clip.source, "built-in pedestrians-8.ppm");
	assert_non_null(strstr(clip.note, "ffmpeg is missing"));
	sb_clip_release(&clip);
	clip = load(&(struct sb_clip_request){ .n_frames = 0 });
	assert_int_equal(clip.n_frames, 8);
	assert_true(clip.digest == UINT64_C(0x122250b3cc6d5c1e));
	sb_clip_release(&clip);
}

/* ---- scripted ffmpeg ----------------------------------------------------------------------------------------- */

static void a_short_clip_is_played_forward_and_back(void **state)
{
	static const uint8_t want[11] = { 10, 11, 12, 13, 12, 11, 10, 11, 12, 13, 12 };
	struct sb_clip_request req = our_video(11);
	struct sb_clip clip;

	(void)state;
	use_ffmpeg("cat frames");
	write_frames(4, 2, 3);
	clip = load(&req);
	assert_int_equal(clip.n_frames, 11);
	assert_int_equal(clip.n_decoded, 4);
	for (int i = 0; i < 11; i++)
		for (int k = 0; k < 2 * 3 * 3; k++)
			assert_int_equal(clip.rgb[i * 2 * 3 * 3 + k], want[i]);
	assert_string_equal(clip.note, "the clip has only 4 frames of the 11 wanted and is played forward and back");
	sb_clip_release(&clip);

	write_frames(1, 2, 3);
	clip = load(&req);
	for (int i = 0; i < 11; i++)
		assert_int_equal(clip.rgb[i * 2 * 3 * 3], 10);
	sb_clip_release(&clip);
}

static void every_stride_th_frame_is_kept_from_the_first_on(void **state)
{
	struct sb_clip_request req = our_video(0);
	struct sb_clip clip;

	(void)state;
	use_ffmpeg("cat frames");
	write_frames(20, 2, 3); /* more than the first allocation of an open-ended clip */
	req.stride = 3;
	clip = load(&req);
	assert_int_equal(clip.n_frames, 7);
	for (int i = 0; i < 7; i++)
		assert_int_equal(clip.rgb[i * 2 * 3 * 3], 10 + 3 * i);
	sb_clip_release(&clip);
	req.n_frames = 2;
	clip = load(&req);
	assert_int_equal(clip.n_frames, 2);
	assert_int_equal(clip.rgb[2 * 3 * 3], 13);
	sb_clip_release(&clip);
}

static void digest_tells_pixels_and_dimensions_apart(void **state)
{
	struct sb_clip_request req = our_video(0);
	struct sb_clip a, b, c;

	(void)state;
	use_ffmpeg("cat frames");
	write_frames(2, 2, 3);
	a = load(&req);
	write_frames(2, 3, 2);
	b = load(&req);
	write_frames(3, 3, 2);
	req.n_frames = 2;
	c = load(&req);
	assert_true(a.digest == UINT64_C(0xde9ea3384ec3ab78));
	assert_true(a.digest != b.digest);
	assert_true(b.digest == c.digest); /* frames that were not taken do not count */
	sb_clip_release(&a);
	sb_clip_release(&b);
	sb_clip_release(&c);
}

static void a_file_name_is_never_an_option_or_a_protocol(void **state)
{
	struct sb_clip_request req = { .video = "-a:b c.mp4", .n_frames = 3, .stride = 2, .timeout_ms = 10000 };
	char args[2048] = "", cwd[4096];
	struct sb_clip clip;
	FILE *f;

	(void)state;
	use_ffmpeg("printf '%s\\n' \"$@\" > args; cat frames");
	write_frames(5, 2, 3);
	write_file(req.video, "x", 1, 0644);
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(chdir(folder), 0);
	clip = load(&req);
	assert_int_equal(chdir(cwd), 0);
	sb_clip_release(&clip);
	f = fopen(in_folder("args"), "r");
	assert_non_null(f);
	args[fread(args, 1, sizeof(args) - 1, f)] = '\0';
	fclose(f);
	assert_non_null(strstr(args, "\n-i\nfile:-a:b c.mp4\n"));
	assert_non_null(strstr(args, "\n-frames:v\n5\n")); /* 3 frames, every second one */
}

static void an_ffmpeg_without_fps_mode_is_asked_the_older_way(void **state)
{
	struct sb_clip_request req = our_video(2);
	struct sb_clip clip;

	(void)state;
	write_frames(2, 2, 3);
	use_ffmpeg("for a; do case $a in -fps_mode) echo \"Unrecognized option 'fps_mode'.\" >&2; exit 1;; esac; done\n"
	           "cat frames");
	clip = load(&req);
	assert_int_equal(clip.n_frames, 2);
	assert_string_equal(clip.note, "");
	sb_clip_release(&clip);
}

static void failures_are_one_clear_line(void **state)
{
	static const struct {
		const char *script;
		const char *says;
	} cases[] = {
		{ "echo first >&2; printf 'bad \\033[31mdata\\n\\n' >&2; exit 1",
		        "': ffmpeg failed: bad \\x1b[31mdata" },
		{ "exit 3", "': ffmpeg failed: it did not say why" },
		{ "kill -9 $$", "': ffmpeg was ended by signal 9" },
		{ "cat frames; echo 'disk gone' >&2; exit 1", "': ffmpeg failed: disk gone" },
		{ "head -c 40 frames; echo 'cut off' >&2; exit 1", "': ffmpeg failed: cut off" },
		{ "true", "no frames in '" },
		{ "head -c 40 frames", "': frame 1 is truncated (0 of 18 bytes)" },
		{ "cat frames; printf 'P6\\n2 3\\n255\\n'", "': frame 3 is 2x3, the ones before it are 3x2" },
		{ "printf 'P6\\n3 2\\n65535\\n'", "': frame 0 is not a binary PPM picture with 8 bits a channel" },
		{ "printf 'P6\\n40000 40000\\n255\\n'; exec sleep 60",
		        "one frame of 40000x40000 takes 4.47 GiB decoded" },
		{ "exec sleep 60", "': ffmpeg gave nothing for 0.5 seconds" },
		{ "cat frames; exec sleep 60", "': ffmpeg gave nothing for 0.5 seconds" },
	};
	struct sb_clip_request req = our_video(0);

	(void)state;
	write_frames(3, 2, 3);
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		const char *msg;

		use_ffmpeg(cases[i].script);
		req.timeout_ms = strstr(cases[i].says, "0.5") ? 500 : 10000;
		msg = load_error(&req, SB_E_DATA);
		if (!strstr(msg, cases[i].says) || strchr(msg, '\n') || strchr(msg, '\033'))
			fail_msg("'%s' gives '%s'", cases[i].script, msg);
	}
}

static void a_talkative_ffmpeg_neither_blocks_nor_goes_unheard(void **state)
{
	struct sb_clip_request req = our_video(0);
	struct sb_clip clip;

	(void)state;
	write_frames(3, 2, 3);
	use_ffmpeg(
	        "head -c 300000 /dev/zero | tr '\\0' 'e' >&2; echo >&2; cat frames; echo 'error while decoding' >&2");
	clip = load(&req);
	assert_int_equal(clip.n_frames, 3);
	assert_string_equal(clip.note, "ffmpeg complained: error while decoding");
	sb_clip_release(&clip);
}

static void an_ffmpeg_that_will_not_end_is_ended(void **state)
{
	static const char *const scripts[] = { "cat frames; exec cat /dev/zero", "cat frames; exec sleep 60 >&- 2>&-" };

	(void)state;
	write_frames(3, 2, 3);
	for (size_t i = 0; i < SB_ARRAY_LEN(scripts); i++) {
		struct sb_clip_request req = our_video(3);
		struct sb_clip clip;

		use_ffmpeg(scripts[i]);
		req.timeout_ms = 500;
		clip = load(&req);
		assert_int_equal(clip.n_frames, 3);
		sb_clip_release(&clip);
	}
}

static void loading_works_with_the_standard_streams_closed(void **state)
{
	struct sb_clip_request req = our_video(3);
	struct sb_clip clip = { 0 };
	enum sb_status status;
	int kept[3];

	(void)state;
	write_frames(3, 2, 3);
	use_ffmpeg("cat frames; echo heard >&2");
	for (int fd = 0; fd < 3; fd++)
		kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	status = sb_clip_load(&req, &clip, NULL);
	for (int fd = 0; fd < 3; fd++) {
		dup2(kept[fd], fd);
		close(kept[fd]);
	}
	assert_int_equal(status, SB_OK);
	assert_int_equal(clip.n_frames, 3);
	assert_string_equal(clip.note, "ffmpeg complained: heard");
	sb_clip_release(&clip);
}

/* ---- requests ------------------------------------------------------------------------------------------------ */

static void a_request_that_makes_no_sense_is_refused_before_anything_runs(void **state)
{
	struct sb_clip_request req = { .video = "/no/such/\033file.mp4" };

	(void)state;
	use_ffmpeg(NULL);
	assert_string_equal(load_error(&req, SB_E_USAGE), "no such file '/no/such/\\x1bfile.mp4'");
	req.video = folder;
	assert_non_null(strstr(load_error(&req, SB_E_USAGE), "images in the folder"));
	req = our_video(1);
	assert_non_null(strstr(load_error(&req, SB_E_ENV), "install ffmpeg, or run without --video"));
	req.n_frames = -1;
	load_error(&req, SB_E_USAGE);
	req.n_frames = 1;
	req.stride = -1;
	load_error(&req, SB_E_USAGE);
}

static void a_named_data_folder_is_the_only_one_looked_into(void **state)
{
	struct sb_clip_request req = { .data_dir = folder };
	char path[4096];

	(void)state;
	use_ffmpeg(NULL);
	assert_non_null(strstr(load_error(&req, SB_E_ENV), "cannot find the data file 'pedestrians.mp4' in '/tmp/"));
	setenv("SPABENCH_DATA", folder, 1);
	req.data_dir = NULL;
	load_error(&req, SB_E_ENV);
	assert_int_equal(sb_data_find("x.mp4", NULL, path, sizeof(path), NULL), SB_OK);
	assert_string_equal(path, in_folder("x.mp4"));
	assert_int_equal(sb_data_find("x.mp4", NULL, path, 5, NULL), SB_E_ENV); /* no room for the answer */
	unsetenv("SPABENCH_DATA");
}

/* ---- PPM ----------------------------------------------------------------------------------------------------- */

struct memory {
	const char *data;
	size_t size, at, piece;
};

static enum sb_status read_memory(void *ctx, void *buf, size_t n, size_t *got, struct sb_error *err)
{
	struct memory *m = ctx;
	size_t left = m->size - m->at;

	(void)err;
	n = n < left ? n : left;
	*got = n < m->piece ? n : m->piece;
	if (*got)
		memcpy(buf, m->data + m->at, *got);
	m->at += *got;
	return SB_OK;
}

static enum sb_status read_ppm(const char *data, size_t size, size_t piece, int64_t *n)
{
	/* a copy of exactly that size, so that a sanitizer sees a step beyond */
	char *copy = malloc(size ? size : 1);
	struct memory m = { copy, size, 0, piece };
	struct sb_ppm_frames frames = { 0 };
	enum sb_status status;

	assert_non_null(copy);
	memcpy(copy, data, size);
	status = sb_ppm_read(&(struct sb_ppm_source){ read_memory, &m }, &(struct sb_ppm_want){ 0, 1 }, &frames, NULL);
	*n = frames.n;
	free(frames.rgb);
	free(copy);
	return status;
}

static void pictures_cut_anywhere_but_between_them_are_refused(void **state)
{
	static const char two[] = "P6\n2 1\n255\nabcdefP6 2\t1\r255\nghijkl";
	const size_t size = sizeof(two) - 1, half = 17;

	(void)state;
	for (size_t cut = 0; cut <= size; cut++) {
		for (size_t piece = 1; piece <= 64; piece *= 8) {
			int64_t n = -1;
			enum sb_status status = read_ppm(two, cut, piece, &n);

			assert_int_equal(status, cut == 0 || cut == half || cut == size ? SB_OK : SB_E_DATA);
			assert_int_equal(n, cut < half ? 0 : cut < size ? 1 : 2);
		}
	}
}

static void pictures_of_another_kind_are_refused(void **state)
{
	static const char *const bad[] = { "P5\n1 1\n255\nabc", "P3\n1 1\n255\n1 1 1", "P6\n0 1\n255\nabc",
		"P6\n1 0\n255\nabc", "P6\n-1 1\n255\nabc", "P6\n1 1\n256\nabc", "P6\n1 1\n0\nabc", "P6\n1 1 255abcd",
		"P6\n100000 1\n255\nabc", "P6\n99999999999999999999 1\n255\nabc", "P61 1\n255\nabc",
		"P6\n# comment\n1 1\n255\nabc", "P6\n1x1\n255\nabc",
		"P6                                      1 1\n255\nabc", "P6\n99999 99999\n255\nabc", "\xff",
		"P6\n1 1\n255\nabcP", "P6\n1 1\n255\nabc\n" };
	int64_t n;

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++)
		if (read_ppm(bad[i], strlen(bad[i]), 64, &n) != SB_E_DATA)
			fail_msg("'%s' was taken", bad[i]);
	assert_int_equal(read_ppm("P6\n1 1\n255\nabc", 14, 64, &n), SB_OK);
	assert_int_equal(n, 1);
}

/* ---- the network's size -------------------------------------------------------------------------------------- */

static void published_size_follows_the_rule(void **state)
{
	static const struct {
		int64_t w0, h0, full_h, crop_y, out_h;
	} want[] = {
		/* from the formula in Python */
		{ 768, 576, 392, 0, 392 }, { 1920, 1080, 294, 0, 294 }, { 1280, 720, 294, 0, 294 },
		{ 854, 480, 294, 0, 294 }, { 1080, 1920, 924, 203, 518 }, { 1, 1, 518, 0, 518 },
		{ 10, 100, 5180, 2331, 518 }, { 37, 63, 882, 182, 518 }, { 518, 21, 28, 0, 28 },
		{ 518, 35, 28, 0, 28 } /* 1.5 and 2.5 patches: half to even */
	};
	struct sb_geometry g;

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(want); i++) {
		assert_int_equal(sb_clip_geometry(want[i].h0, want[i].w0, 0, 0, &g, NULL), SB_OK);
		assert_int_equal(g.full_w, 518);
		assert_int_equal(g.out_w, 518);
		assert_int_equal(g.crop_x, 0);
		assert_int_equal(g.full_h, want[i].full_h);
		assert_int_equal(g.crop_y, want[i].crop_y);
		assert_int_equal(g.out_h, want[i].out_h);
	}
}

static void a_wanted_size_is_covered_and_cut_from_the_middle(void **state)
{
	static const struct {
		int64_t w0, h0, want_w, want_h, full_w, full_h, crop_x, crop_y;
	} want[] = {
		{ 768, 576, 252, 140, 252, 189, 0, 24 },
		{ 768, 576, 140, 252, 336, 252, 98, 0 },
		{ 252, 189, 252, 140, 252, 189, 0, 24 },
		{ 768, 576, 518, 392, 523, 392, 2, 0 },
		{ 1, 1, 2072, 28, 2072, 2072, 0, 1022 },
		{ 280, 140, 280, 140, 280, 140, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(want); i++) {
		struct sb_geometry g = { 0 };

		assert_int_equal(
		        sb_clip_geometry(want[i].h0, want[i].w0, want[i].want_w, want[i].want_h, &g, NULL), SB_OK);
		assert_int_equal(g.out_w, want[i].want_w);
		assert_int_equal(g.out_h, want[i].want_h);
		assert_int_equal(g.full_w, want[i].full_w);
		assert_int_equal(g.full_h, want[i].full_h);
		assert_int_equal(g.crop_x, want[i].crop_x);
		assert_int_equal(g.crop_y, want[i].crop_y);
	}
}

static void sizes_the_network_cannot_have_are_refused(void **state)
{
	static const struct {
		int64_t w0, h0, want_w, want_h;
	} bad[] = { { 768, 576, 250, 140 }, { 768, 576, 252, 0 }, { 768, 576, 14, 140 }, { 768, 576, 252, 2086 },
		{ 768, 576, -252, -140 }, { 0, 576, 0, 0 }, { 90000, 1, 0, 0 }, { 1, 99999, 0, 0 },
		{ 1, 99999, 252, 140 }, { 99999, 1, 252, 140 } };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
		struct sb_geometry g = { .full_h = 77 };

		if (sb_clip_geometry(bad[i].h0, bad[i].w0, bad[i].want_w, bad[i].want_h, &g, NULL) != SB_E_USAGE)
			fail_msg("case %zu was taken", i);
		assert_int_equal(g.full_h, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(built_in_clip_decodes_to_the_reference_frames_exactly),
		cmocka_unit_test(built_in_clip_has_sixty_frames),
		cmocka_unit_test(what_is_no_video_fails_with_ffmpegs_own_words),
		cmocka_unit_test(without_ffmpeg_the_built_in_clip_is_the_small_raw_one),
		cmocka_unit_test(a_short_clip_is_played_forward_and_back),
		cmocka_unit_test(every_stride_th_frame_is_kept_from_the_first_on),
		cmocka_unit_test(digest_tells_pixels_and_dimensions_apart),
		cmocka_unit_test(a_file_name_is_never_an_option_or_a_protocol),
		cmocka_unit_test(an_ffmpeg_without_fps_mode_is_asked_the_older_way),
		cmocka_unit_test(failures_are_one_clear_line),
		cmocka_unit_test(a_talkative_ffmpeg_neither_blocks_nor_goes_unheard),
		cmocka_unit_test(an_ffmpeg_that_will_not_end_is_ended),
		cmocka_unit_test(loading_works_with_the_standard_streams_closed),
		cmocka_unit_test(a_request_that_makes_no_sense_is_refused_before_anything_runs),
		cmocka_unit_test(a_named_data_folder_is_the_only_one_looked_into),
		cmocka_unit_test(pictures_cut_anywhere_but_between_them_are_refused),
		cmocka_unit_test(pictures_of_another_kind_are_refused),
		cmocka_unit_test(published_size_follows_the_rule),
		cmocka_unit_test(a_wanted_size_is_covered_and_cut_from_the_middle),
		cmocka_unit_test(sizes_the_network_cannot_have_are_refused),
	};
	return cmocka_run_group_tests_name("clip", tests, set_up, tear_down);
}
