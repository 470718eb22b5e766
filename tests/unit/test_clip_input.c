/* Input that needs no other program: folders of PNG images, Y4M and raw files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "clip_internal.h"
#include "png_file.h"

/* ---- scaffolding --------------------------------------------------------------------------------------------- */

static char folder[64];

static const char *in_folder(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const void *data, size_t n)
{
	FILE *f = fopen(in_folder(name), "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/spabench-test-input-XXXXXX");
	setenv("PATH", "/nowhere", 1); /* no ffmpeg: what is read here must not need it */
	return mkdtemp(folder) ? 0 : -1;
}

/* Everything in the folder goes, so that no test sees another's files. */
static int empty_folder(void **state)
{
	static const char *const files[] = { "1.png", "2.png", "10.png", "9.PNG", "3.jpg", "4.jpeg", "notes.txt",
		".5.png", "._1.png", "x.y4m", "x.raw", "x.dat", "6.png" };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(files); i++)
		remove(in_folder(files[i]));
	return 0;
}

static int tear_down(void **state)
{
	empty_folder(state);
	return rmdir(folder);
}

/* Bytes whose end is the end of a mapped page: a read beyond it is a fault. */
struct guarded {
	unsigned char *pages, *data;
	size_t mapped;
};

static struct guarded guard(const void *data, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (size / page + 1) * page;
	int zero = open("/dev/zero", O_RDWR);
	struct guarded g = { .mapped = room + page };

	assert_true(zero >= 0);
	g.pages = mmap(NULL, g.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
	close(zero);
	assert_ptr_not_equal(g.pages, MAP_FAILED);
	assert_int_equal(mprotect(g.pages + room, page, PROT_NONE), 0);
	g.data = g.pages + room - size;
	if (size)
		memcpy(g.data, data, size);
	return g;
}

struct memory {
	const unsigned char *data;
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

static size_t read_memory_png(void *ctx, void *buf, size_t n)
{
	size_t got = 0;

	((struct memory *)ctx)->piece = SIZE_MAX;
	read_memory(ctx, buf, n, &got, NULL);
	return got;
}

static struct sb_error last; /* of the helpers below */

static enum sb_status load(const struct sb_clip_request *req, struct sb_clip *clip)
{
	enum sb_status status;

	*clip = (struct sb_clip){ .n_frames = 77 };
	last = (struct sb_error){ .msg = "" };
	status = sb_clip_load(req, clip, &last);
	assert_true(status == SB_OK || clip->n_frames == 77);
	return status;
}

static void must_say(enum sb_status status, enum sb_status want, const char *text)
{
	if (status != want || !strstr(last.msg, text) || strpbrk(last.msg, "\n\033"))
		fail_msg("status %d, '%s'; wanted %d, '%s'", status, last.msg, want, text);
}

/* ---- Y4M ----------------------------------------------------------------------------------------------------- */

static enum sb_status read_y4m(
        const void *bytes, size_t size, size_t piece, bool known, int64_t n_frames, struct sb_ppm_frames *frames)
{
	struct guarded g = guard(bytes, size);
	struct memory m = { g.data, size, 0, piece };
	enum sb_status status;

	*frames = (struct sb_ppm_frames){ 0 };
	last = (struct sb_error){ .msg = "" };
	status = sb_y4m_read(&(struct sb_ppm_source){ read_memory, &m }, known ? (int64_t)size : -1,
	        &(struct sb_ppm_want){ n_frames, 1 }, frames, &last);
	munmap(g.pages, g.mapped);
	return status;
}

/* The pixels of a one-frame stream, compared with want[n]. */
static void expect_rgb(const char *stream, size_t size, const uint8_t *want, size_t n)
{
	struct sb_ppm_frames f;

	assert_int_equal(read_y4m(stream, size, 64, true, 0, &f), SB_OK);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.h * f.w * 3, n);
	assert_memory_equal(f.rgb, want, n);
	free(f.rgb);
}

static void y4m_colours_are_those_of_bt601(void **state)
{
	/* Y 16 is black, 235 white, beyond is clipped; the primaries as published: 81/90/240, 145/54/34, 41/240/110. */
	static const char limited[] = "YUV4MPEG2 W6 H1 F25:1 Ip A1:1 C444\nFRAME\n"
	                              "\x10\xeb\xff\x51\x91\x29"
	                              "\x80\x80\x80\x5a\x36\xf0"
	                              "\x80\x80\x80\xf0\x22\x6e";
	static const uint8_t limited_rgb[] = { 0, 0, 0, 255, 255, 255, 255, 255, 255, 254, 0, 0, 0, 255, 1, 0, 0, 255 };
	static const char full[] =
	        "YUV4MPEG2 W3 H1 C444 XYSCSS=444 XCOLORRANGE=FULL\nFRAME\n\x10\xff\x4c\x80\x80\x55\x80\x80\xff";
	static const uint8_t full_rgb[] = { 16, 16, 16, 255, 255, 255, 254, 0, 0 };
	static const char mono[] = "YUV4MPEG2 W3 H1 Cmono\nFRAME\n\x01\x10\xff";
	static const uint8_t mono_rgb[] = { 1, 1, 1, 16, 16, 16, 255, 255, 255 };

	(void)state;
	expect_rgb(limited, sizeof(limited) - 1, limited_rgb, sizeof(limited_rgb));
	expect_rgb(full, sizeof(full) - 1, full_rgb, sizeof(full_rgb));
	expect_rgb(mono, sizeof(mono) - 1, mono_rgb, sizeof(mono_rgb));
}

/* Odd sides round chroma up; grey luma and one coloured chroma sample show which pixels it holds for. */
static void y4m_chroma_holds_for_its_block(void **state)
{
	static const struct {
		const char *layout;
		int chroma, coloured; /* samples of a plane, and which one is not neutral */
		const char *where;    /* of 3 x 3 pixels */
	} cases[] = {
		{ "420jpeg", 4, 1, "..x..x..." },
		{ "420mpeg2", 4, 2, "......xx." },
		{ "420paldv", 4, 3, "........x" },
		{ "420", 4, 0, "xx.xx...." },
		{ "422", 6, 2, "...xx...." },
		{ "444", 9, 5, ".....x..." },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		struct sb_buf b = { 0 };
		struct sb_ppm_frames f;

		sb_buf_addf(&b, "YUV4MPEG2 W3 H3 C%s\nFRAME Ixyz\n", cases[i].layout);
		for (int k = 0; k < 9 + 2 * cases[i].chroma; k++)
			sb_buf_add(&b, k == 9 + cases[i].chroma + cases[i].coloured ? "\xb0" : "\x80", 1);
		assert_int_equal(read_y4m(b.s, b.len, 7, true, 0, &f), SB_OK);
		assert_int_equal(f.n, 1);
		for (int p = 0; p < 9; p++)
			if ((f.rgb[p * 3] > 180) != (cases[i].where[p] == 'x'))
				fail_msg("%s: pixel %d is %d", cases[i].layout, p, f.rgb[p * 3]);
		free(f.rgb);
		sb_buf_release(&b);
	}
}

static const char two_frames[] = "YUV4MPEG2 W2 H2 F25:1\nFRAME\nabcdefFRAME\nghijkl";

static void y4m_cut_anywhere_but_between_frames_is_refused(void **state)
{
	const size_t size = sizeof(two_frames) - 1, header = 22, frame = 12;

	(void)state;
	for (size_t cut = 0; cut <= size; cut++) {
		for (int known = 0; known < 2; known++) {
			bool whole = cut == header || cut == header + frame || cut == size;
			struct sb_ppm_frames f;

			assert_int_equal(
			        read_y4m(two_frames, cut, 1 + cut % 9, known, 0, &f), whole ? SB_OK : SB_E_DATA);
			assert_int_equal(f.n, cut < header + frame ? 0 : cut < size ? 1 : 2);
			free(f.rgb);
		}
	}
}

static void y4m_with_anything_behind_its_frames_is_refused(void **state)
{
	static const char more[] = "YUV4MPEG2 W2 H2 F25:1\nFRAME\nabcdefx";

	(void)state;
	for (int known = 0; known < 2; known++) {
		struct sb_ppm_frames f;

		assert_int_equal(read_y4m(more, sizeof(more) - 1, 64, known, 0, &f), SB_E_DATA);
		free(f.rgb);
	}
}

static void y4m_of_another_kind_is_refused(void **state)
{
	static const struct {
		const char *header, *says;
	} bad[] = {
		{ "", "does not begin with YUV4MPEG2" },
		{ "YUV4MPEG\n", "does not begin with YUV4MPEG2" },
		{ "YUV4MPEG2X W1 H1\n", "does not begin with YUV4MPEG2" },
		{ "YUV4MPEG2\n", "no width or no height" },
		{ "YUV4MPEG2 W1\n", "no width or no height" },
		{ "YUV4MPEG2 W0 H1\n", "side '0'" },
		{ "YUV4MPEG2 W-1 H1\n", "side '-1'" },
		{ "YUV4MPEG2 W+1 H1\n", "side '+1'" },
		{ "YUV4MPEG2 W H1\n", "side ''" },
		{ "YUV4MPEG2 W100000 H1\n", "side '100000'" },
		{ "YUV4MPEG2 W4294967297 H1\n", "side '4294967297'" },
		{ "YUV4MPEG2 W18446744073709551617 H1\n", "side '18446744073709551617'" },
		{ "YUV4MPEG2 W1 W2 H1\n", "side '2'" },
		{ "YUV4MPEG2 W1 H1x\n", "side '1x'" },
		{ "YUV4MPEG2 W1 H1\033[2J\n", "side '1\\x1b[2J'" },
		{ "YUV4MPEG2 W1 H1 C420p10\n", "colour space '420p10' is not read" },
		{ "YUV4MPEG2 W1 H1 C444alpha\n", "colour space '444alpha'" },
		{ "YUV4MPEG2 W1 H1 C411\n", "colour space '411'" },
		{ "YUV4MPEG2 W1 H1 It\n", "interlaced" },
		{ "YUV4MPEG2 W1 H1 Q\n", "unknown word 'Q'" },
		{ "YUV4MPEG2 W99999 H99999\n", "a clip may take" },
		{ "YUV4MPEG2 W2 H2\nFRAMES\nabcdef", "frame 0 does not begin with FRAME" },
		{ "YUV4MPEG2 W2 H2\nFRAME\nabcdefYUV4MPEG2 W4 H4\nFRAME\n", "at frame 1 another stream begins" },
		{ "YUV4MPEG2 W2 H2\nabcdefabcdefabcdef", "header of frame 0 is truncated" },
	};
	struct sb_ppm_frames f;
	char *line = malloc(1 << 17);

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
		/* The frame that follows makes sure that it is the header which is refused. */
		enum sb_status status = read_y4m(bad[i].header, strlen(bad[i].header), 64, false, 0, &f);

		free(f.rgb);
		must_say(status, SB_E_DATA, bad[i].says);
	}
	must_say(read_y4m("YUV4MPEG2 W1\0 H1\n", 17, 64, true, 0, &f), SB_E_DATA, "is not text");
	assert_non_null(line); /* a line without an end is not read for ever */
	memset(line, 'A', 1 << 17);
	memcpy(line, "YUV4MPEG2 ", 10);
	must_say(read_y4m(line, 1 << 17, 1 << 17, true, 0, &f), SB_E_DATA, "more than 255 characters");
	free(line);
}

/* ---- memory -------------------------------------------------------------------------------------------------- */

static void too_many_frames_are_refused_before_any_is_decoded_saying_how_many_fit(void **state)
{
	static const char header[] = "YUV4MPEG2 W8192 H8192 Cmono\n";
	const int64_t frame = INT64_C(3) << 26, fit = sb_clip_limit_bytes() / frame;
	struct sb_ppm_frames f;
	struct sb_clip clip;
	char text[96];

	(void)state;
	assert_true(sb_clip_limit_bytes() <= SB_CLIP_MAX_BYTES);
	snprintf(text, sizeof(text), "10000 frames of 8192x8192 take 1875.00 GiB decoded, and a clip may take ");
	must_say(read_y4m(header, sizeof(header) - 1 + 0, 64, false, 10000, &f), SB_E_DATA, text);
	snprintf(text, sizeof(text), "; at most %lld frames fit", (long long)fit);
	assert_non_null(strstr(last.msg, text));
	assert_null(f.rgb);

	/* A file with holes: its size alone decides, nothing of it is read. */
	write_file("x.raw", "", 0);
	assert_int_equal(truncate(in_folder("x.raw"), (off_t)(frame * (fit + 1))), 0);
	snprintf(text, sizeof(text), "%lld frames of 8192x8192", (long long)fit + 1);
	must_say(load(&(struct sb_clip_request){ .video = in_folder("x.raw"), .raw_width = 8192, .raw_height = 8192 },
	                 &clip),
	        SB_E_DATA, text);
	write_file("x.y4m", header, sizeof(header) - 1);
	assert_int_equal(
	        truncate(in_folder("x.y4m"), (off_t)((int64_t)sizeof(header) - 1 + (fit + 1) * (6 + frame / 3))), 0);
	must_say(load(&(struct sb_clip_request){ .video = in_folder("x.y4m") }, &clip), SB_E_DATA, text);
	/* That many would have been read, where the system gives the memory. */
	if (load(&(struct sb_clip_request){ .video = in_folder("x.y4m"), .n_frames = fit }, &clip) != SB_E_NOMEM)
		must_say(last.code, SB_E_DATA, "header of frame 0 is not text");
}

static void a_frame_larger_than_a_clip_may_be_says_so(void **state)
{
	static const char header[] = "YUV4MPEG2 W40000 H40000 Cmono\n";
	struct sb_ppm_frames f;

	(void)state;
	must_say(read_y4m(header, sizeof(header) - 1, 64, false, 0, &f), SB_E_DATA,
	        "one frame of 40000x40000 takes 4.47 GiB decoded");
}

/* ---- raw ----------------------------------------------------------------------------------------------------- */

static void raw_frames_are_taken_as_they_are(void **state)
{
	static const int order[] = { 0, 3, 6, 3, 0 };
	uint8_t bytes[7 * 6];
	struct sb_clip_request req = { .raw_width = 2, .raw_height = 1 };
	struct sb_clip clip;
	char path[512];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 5);
	write_file("x.raw", bytes, sizeof(bytes));
	snprintf(path, sizeof(path), "%s", in_folder("x.raw"));
	req.video = path;
	assert_int_equal(load(&req, &clip), SB_OK);
	assert_int_equal(clip.n_frames, 7);
	assert_int_equal(clip.width, 2);
	assert_int_equal(clip.height, 1);
	assert_memory_equal(clip.rgb, bytes, sizeof(bytes));
	sb_clip_release(&clip);
	req.stride = 3;
	assert_int_equal(load(&req, &clip), SB_OK);
	assert_int_equal(clip.n_frames, 3); /* 0 3 6 */
	sb_clip_release(&clip);
	req.n_frames = 5;
	assert_int_equal(load(&req, &clip), SB_OK);
	assert_int_equal(clip.n_decoded, 3);
	for (int i = 0; i < 5; i++)
		assert_memory_equal(clip.rgb + i * 6, bytes + order[i] * 6, 6);
	sb_clip_release(&clip);
}

static void raw_files_that_are_no_whole_number_of_frames_are_refused(void **state)
{
	static const int64_t bad[][2] = { { 0, 1 }, { 1, 0 }, { -1, 1 }, { 100000, 1 }, { INT64_MAX, INT64_MAX } };
	struct sb_clip_request req = { .raw_width = 2, .raw_height = 2 };
	uint8_t bytes[24] = { 0 };
	struct sb_clip clip;
	char path[512];

	(void)state;
	snprintf(path, sizeof(path), "%s", in_folder("x.raw"));
	req.video = path;
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		write_file("x.raw", bytes, n);
		if (n == 12 || n == 24) {
			assert_int_equal(load(&req, &clip), SB_OK);
			sb_clip_release(&clip);
		} else if (n == 0) {
			must_say(load(&req, &clip), SB_E_DATA, "no frames in");
		} else {
			must_say(load(&req, &clip), SB_E_DATA, "no whole number of 2x2 RGB frames (12 bytes each)");
		}
	}
	for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
		req.raw_width = bad[i][0];
		req.raw_height = bad[i][1];
		must_say(load(&req, &clip), SB_E_USAGE, "sides are from 1 to 99999");
	}
	req.raw_width = req.raw_height = 1;
	req.video = folder;
	must_say(load(&req, &clip), SB_E_USAGE, "is a folder, not a file of raw frames");
	req.video = "/dev/null";
	must_say(load(&req, &clip), SB_E_USAGE, "it is a device, not a file; give a file");
	assert_int_equal(mkfifo(in_folder("pipe.y4m"), 0600), 0);
	req.video = in_folder("pipe.y4m");
	must_say(load(&req, &clip), SB_E_USAGE, "it is a pipe, not a file; give a file"); /* raw */
	req.raw_width = req.raw_height = 0;
	must_say(load(&req, &clip), SB_E_USAGE, "it is a pipe, not a file; give a file"); /* Y4M by its name */
	assert_int_equal(mkfifo(in_folder("pipe.mp4"), 0600), 0);
	req.video = in_folder("pipe.mp4");
	must_say(load(&req, &clip), SB_E_USAGE, "it is a pipe, not a file; give a file"); /* ffmpeg */
	assert_int_equal(remove(in_folder("pipe.mp4")), 0);
	assert_int_equal(remove(in_folder("pipe.y4m")), 0);
	req.raw_width = req.raw_height = 1;
	req.video = NULL;
	must_say(load(&req, &clip), SB_E_USAGE, "need a file");
}

/* ---- PNG ----------------------------------------------------------------------------------------------------- */

struct canvas {
	uint8_t rgb[64 * 64 * 3];
	int64_t h, w;
};

static enum sb_status on_size(void *ctx, int64_t h, int64_t w, uint8_t **rgb, struct sb_error *err)
{
	struct canvas *c = ctx;

	if (h > 64 || w > 64)
		return sb_fail(err, SB_E_DATA, "%lldx%lld is too large for the test", (long long)w, (long long)h);
	c->h = h;
	c->w = w;
	*rgb = c->rgb;
	return SB_OK;
}

static enum sb_status decode(const void *bytes, size_t size, struct canvas *c)
{
	struct guarded g = guard(bytes, size);
	struct memory m = { g.data, size, 0, SIZE_MAX };
	enum sb_status status;

	*c = (struct canvas){ .h = 0 };
	last = (struct sb_error){ .msg = "" };
	status = sb_png_decode(
	        &(struct sb_png_source){ read_memory_png, &m }, &(struct sb_png_target){ on_size, c }, &last);
	munmap(g.pages, g.mapped);
	return status;
}

static struct sb_buf gray_png(int64_t h, int64_t w, int first)
{
	static const char *const text[] = { "depth_min", "1.5", "depth_max", "2.5", NULL };
	uint16_t gray[64 * 64];
	struct sb_buf b = { 0 };

	for (int64_t i = 0; i < h * w; i++)
		gray[i] = (uint16_t)((first + i) * 257);
	assert_int_equal(sb_png_encode_gray16(gray, h, w, text, &b, &last), SB_OK);
	return b;
}

static void png_cut_anywhere_is_refused(void **state)
{
	struct sb_buf b = gray_png(5, 7, 30);
	struct canvas c;

	(void)state;
	assert_int_equal(decode(b.s, b.len, &c), SB_OK);
	assert_int_equal(c.h, 5);
	assert_int_equal(c.w, 7);
	for (int i = 0; i < 35; i++)
		assert_int_equal(c.rgb[i * 3 + 1], 30 + i);
	for (size_t cut = 0; cut < b.len; cut++)
		must_say(decode(b.s, cut, &c), SB_E_DATA, "PNG: ");
	sb_buf_release(&b);
}

/* Any one byte changed: refused or decoded, never more than it may touch (the sanitizers and guard pages look). */
static void png_with_a_changed_byte_does_no_harm(void **state)
{
	struct sb_buf b = gray_png(9, 9, 3);
	int refused = 0;
	struct canvas c;

	(void)state;
	for (size_t at = 0; at < b.len; at++) {
		for (int bit = 0; bit < 8; bit++) {
			b.s[at] = (char)(b.s[at] ^ 1 << bit);
			refused += decode(b.s, b.len, &c) != SB_OK;
			b.s[at] = (char)(b.s[at] ^ 1 << bit);
		}
	}
	assert_true(refused > 100); /* the checksums do their work: not everything was taken */
	sb_buf_release(&b);
}

static void what_is_no_png_is_refused(void **state)
{
	/* A picture said to be of 2^31 - 1 columns, its checksum right. */
	static const char huge[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\0\0\0\1\x08\2\0\0\0\x2f\x54\xa4\x8a";
	struct canvas c;

	(void)state;
	must_say(decode("P6\n1 1\n255\nabc", 14, &c), SB_E_DATA, "PNG: Not a PNG file");
	assert_int_equal(decode(huge, sizeof(huge) - 1, &c), SB_E_DATA);
	assert_int_equal(c.h, 0);
}

/* Of every colour type that has to be turned into RGB, 2 x 2; made with Python's zlib. */
static void png_of_every_kind_becomes_rgb(void **state)
{
	static const struct {
		const char *name;
		uint8_t want[4];
		size_t size;
		const char *bytes;
	} kinds[] = {
		{ "grey, 1 bit", { 0, 255, 255, 0 }, 69,
		        "\211\120\116\107\015\012\032\012\000\000\000\015\111\110\104\122\000\000\000\002\000\000"
		        "\000\002\001\000\000\000\000\132\315\060\211\000\000\000\014\111\104\101\124\170\332\143"
		        "\160\140\150\000\000\001\104\000\301\004\207\317\372\000\000\000\000\111\105\116\104\256"
		        "\102\140\202" },
		{ "grey, 8 bits", { 1, 2, 3, 4 }, 71,
		        "\211\120\116\107\015\012\032\012\000\000\000\015\111\110\104\122\000\000\000\002\000\000"
		        "\000\002\010\000\000\000\000\127\335\122\370\000\000\000\016\111\104\101\124\170\332\143"
		        "\140\144\142\140\146\001\000\000\035\000\013\020\335\034\160\000\000\000\000\111\105\116"
		        "\104\256\102\140\202" },
		{ "grey and alpha", { 1, 2, 3, 4 }, 75,
		        "\211\120\116\107\015\012\032\012\000\000\000\015\111\110\104\122\000\000\000\002\000\000"
		        "\000\002\010\004\000\000\000\330\277\305\257\000\000\000\022\111\104\101\124\170\332\143"
		        "\140\144\140\152\140\140\376\317\302\010\000\006\063\001\213\161\020\224\072\000\000\000"
		        "\000\111\105\116\104\256\102\140\202" },
		{ "palette", { 5, 6, 7, 8 }, 106,
		        "\211\120\116\107\015\012\032\012\000\000\000\015\111\110\104\122\000\000\000\002\000\000"
		        "\000\002\002\003\000\000\000\017\330\345\267\000\000\000\014\120\114\124\105\005\005\005"
		        "\006\006\006\007\007\007\010\010\010\026\162\345\044\000\000\000\001\164\122\116\123\000"
		        "\100\346\330\146\000\000\000\014\111\104\101\124\170\332\143\020\140\330\000\000\000\344"
		        "\000\301\031\125\073\373\000\000\000\000\111\105\116\104\256\102\140\202" },
		{ "colour, with a gamma", { 1, 2, 3, 4 }, 95,
		        "\211\120\116\107\015\012\032\012\000\000\000\015\111\110\104\122\000\000\000\002\000\000"
		        "\000\002\010\002\000\000\000\375\324\232\163\000\000\000\004\147\101\115\101\000\001\206"
		        "\240\061\350\226\137\000\000\000\026\111\104\101\124\170\332\143\140\144\144\144\142\142"
		        "\142\140\146\146\146\141\141\001\000\000\255\000\037\342\326\047\127\000\000\000\000\111"
		        "\105\116\104\256\102\140\202" },
		{ "colour and alpha", { 1, 2, 3, 4 }, 83,
		        "\211\120\116\107\015\012\032\012\000\000\000\015\111\110\104\122\000\000\000\002\000\000"
		        "\000\002\010\006\000\000\000\162\266\015\044\000\000\000\032\111\104\101\124\170\332\143"
		        "\140\144\144\144\140\142\142\142\144\140\146\146\146\142\141\141\141\006\000\001\004\000"
		        "\045\213\145\373\350\000\000\000\000\111\105\116\104\256\102\140\202" },
		{ "16 bits", { 1, 2, 3, 4 }, 77,
		        "\211\120\116\107\015\012\032\012\000\000\000\015\111\110\104\122\000\000\000\002\000\000"
		        "\000\002\020\002\000\000\000\255\104\106\060\000\000\000\024\111\104\101\124\170\332\143"
		        "\140\004\003\046\060\140\140\006\003\026\060\000\000\002\146\000\075\041\314\366\105\000"
		        "\000\000\000\111\105\116\104\256\102\140\202" },
		{ "interlaced", { 1, 2, 3, 4 }, 72,
		        "\211\120\116\107\015\012\032\012\000\000\000\015\111\110\104\122\000\000\000\002\000\000"
		        "\000\002\010\000\000\000\001\040\332\142\156\000\000\000\017\111\104\101\124\170\332\143"
		        "\140\144\140\142\140\146\001\000\000\037\000\013\052\031\170\023\000\000\000\000\111\105"
		        "\116\104\256\102\140\202" },
	};
	struct canvas c;

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(kinds); i++) {
		if (decode(kinds[i].bytes, kinds[i].size, &c))
			fail_msg("%s: %s", kinds[i].name, last.msg);
		assert_int_equal(c.h * c.w, 4);
		for (int p = 0; p < 12; p++)
			if (c.rgb[p] != kinds[i].want[p / 3])
				fail_msg("%s: byte %d is %d", kinds[i].name, p, c.rgb[p]);
	}
}

static void png_sides_are_asked_about_before_any_pixel(void **state)
{
	FILE *f = fopen("data/frames/000.png", "rb");
	struct canvas c;
	char head[100];

	(void)state;
	assert_non_null(f);
	assert_int_equal(fread(head, 1, sizeof(head), f), sizeof(head));
	fclose(f);
	must_say(decode(head, sizeof(head), &c), SB_E_DATA, "768x576 is too large for the test");
}

/* ---- folders ------------------------------------------------------------------------------------------------- */

static void names_are_in_natural_order(void **state)
{
	static const char *const sorted[] = { "", "0", "00", "01", "1", "2", "0010", "10", "100", "a", "a1b1", "a1b2",
		"a1b10", "a01c", "a2", "a10", "a18446744073709551616", "a18446744073709551617", "b", "\xff" };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(sorted); i++) {
		for (size_t k = 0; k < SB_ARRAY_LEN(sorted); k++) {
			int order = sb_natural_order(sorted[i], sorted[k]);

			if ((order > 0) - (order < 0) != (i > k) - (i < k))
				fail_msg("'%s' against '%s': %d", sorted[i], sorted[k], order);
		}
	}
}

static void write_png(const char *name, int64_t h, int64_t w, int first)
{
	struct sb_buf b = gray_png(h, w, first);

	write_file(name, b.s, b.len);
	sb_buf_release(&b);
}

static void a_folder_is_read_in_natural_order_and_the_rest_is_counted(void **state)
{
	static const int want[] = { 10, 20, 90, 100 };
	struct sb_clip_request req = { .video = folder };
	struct sb_clip clip;

	(void)state;
	write_png("10.png", 1, 2, 100);
	write_png("2.png", 1, 2, 20);
	write_png("1.png", 1, 2, 10);
	write_png("9.PNG", 1, 2, 90);
	assert_int_equal(load(&req, &clip), SB_OK);
	assert_int_equal(clip.n_frames, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(clip.rgb[i * 6], want[i]);
	assert_string_equal(clip.note, "");
	sb_clip_release(&clip);

	write_file("notes.txt", "x", 1);
	assert_int_equal(load(&req, &clip), SB_OK);
	assert_string_equal(clip.note, "1 other file in the folder ignored");
	sb_clip_release(&clip);
	write_file("3.jpg", "x", 1); /* beside PNG images these are previews or the like */
	write_file("._1.png", "x", 1);
	req.stride = 2;
	assert_int_equal(load(&req, &clip), SB_OK);
	assert_int_equal(clip.n_frames, 2);
	assert_int_equal(clip.rgb[6], 90);
	assert_string_equal(clip.note, "3 other files in the folder ignored");
	sb_clip_release(&clip);
	req.n_frames = 5;
	assert_int_equal(load(&req, &clip), SB_OK);
	assert_int_equal(clip.n_frames, 5);
	assert_int_equal(clip.n_decoded, 2);
	sb_clip_release(&clip);
}

static void an_image_that_does_not_fit_is_named(void **state)
{
	struct sb_clip_request req = { .video = folder };
	struct sb_clip clip;

	(void)state;
	must_say(load(&req, &clip), SB_E_USAGE, "no *.png, *.jpg or *.jpeg images in the folder");
	write_png("1.png", 2, 3, 1);
	write_png("2.png", 2, 3, 1);
	write_png("10.png", 3, 2, 1);
	must_say(load(&req, &clip), SB_E_DATA, ": frame 2, '10.png': it is 2x3, the ones before it are 3x2");
	req.n_frames = 2;
	assert_int_equal(load(&req, &clip), SB_OK); /* which is not wanted then */
	sb_clip_release(&clip);
	req.n_frames = 0;
	write_file("10.png", "\x89PNG\r\n\x1a\n", 8);
	must_say(load(&req, &clip), SB_E_DATA, ": frame 2, '10.png': PNG: the file is truncated");
	assert_int_equal(remove(in_folder("10.png")), 0);
	assert_int_equal(mkfifo(in_folder("10.png"), 0600), 0); /* must not be waited for */
	must_say(load(&req, &clip), SB_E_DATA, "'10.png': it is not a file");
	assert_int_equal(remove(in_folder("10.png")), 0);
	assert_int_equal(symlink("nowhere", in_folder("10.png")), 0);
	must_say(load(&req, &clip), SB_E_DATA, "'10.png': cannot open: No such file");
	assert_int_equal(remove(in_folder("10.png")), 0);
	assert_int_equal(remove(in_folder("2.png")), 0);
	assert_int_equal(remove(in_folder("1.png")), 0);
	assert_int_equal(mkfifo(in_folder("1.jpg"), 0600), 0); /* nor does ffmpeg wait for it */
	must_say(load(&req, &clip), SB_E_DATA, "'1.jpg': cannot open: it is a pipe, not a file");
	assert_int_equal(remove(in_folder("1.jpg")), 0);
}

static void jpeg_images_ask_for_ffmpeg(void **state)
{
	struct sb_clip_request req = { .video = folder };
	struct sb_clip clip;

	(void)state;
	write_file("3.jpg", "x", 1);
	write_file("4.jpeg", "x", 1);
	must_say(load(&req, &clip), SB_E_ENV, "'3.jpg': JPEG is read by 'ffmpeg', which is not there");
}

/* What the reference used are the first frames of the built-in clip: the decoders agree to the last bit. */
static void the_reference_frames_come_out_of_their_folder(void **state)
{
	struct sb_clip_request req = { .video = "data/frames" };
	struct sb_clip clip, raw;

	(void)state;
	assert_int_equal(load(&req, &clip), SB_OK);
	assert_int_equal(clip.n_frames, 4);
	assert_int_equal(clip.width, 768);
	assert_int_equal(clip.height, 576);
	print_message("  digest %016llx\n", (unsigned long long)clip.digest);
	assert_true(clip.digest == UINT64_C(0xd819c0b592f58f7d)); /* of the video's first four, decoded by ffmpeg */
	write_file("x.raw", clip.rgb, (size_t)(4 * 768 * 576 * 3));
	req = (struct sb_clip_request){ .video = in_folder("x.raw"), .raw_width = 768, .raw_height = 576 };
	assert_int_equal(load(&req, &raw), SB_OK);
	assert_true(raw.digest == clip.digest);
	sb_clip_release(&clip);
	sb_clip_release(&raw);
}

static void y4m_is_known_by_its_name_or_its_first_bytes(void **state)
{
	struct sb_clip clip;

	(void)state;
	write_file("x.dat", two_frames, sizeof(two_frames) - 1);
	assert_int_equal(load(&(struct sb_clip_request){ .video = in_folder("x.dat") }, &clip), SB_OK);
	assert_int_equal(clip.n_frames, 2);
	sb_clip_release(&clip);
	write_file("x.y4m", "RIFF", 4);
	must_say(load(&(struct sb_clip_request){ .video = in_folder("x.y4m") }, &clip), SB_E_DATA, "Y4M header");
	assert_true(sb_y4m_is("a.Y4M", "", 0));
	assert_false(sb_y4m_is("y4m", "YUV4MPEG", 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(y4m_colours_are_those_of_bt601),
		cmocka_unit_test(y4m_chroma_holds_for_its_block),
		cmocka_unit_test(y4m_cut_anywhere_but_between_frames_is_refused),
		cmocka_unit_test(y4m_with_anything_behind_its_frames_is_refused),
		cmocka_unit_test(y4m_of_another_kind_is_refused),
		cmocka_unit_test_teardown(
		        too_many_frames_are_refused_before_any_is_decoded_saying_how_many_fit, empty_folder),
		cmocka_unit_test(a_frame_larger_than_a_clip_may_be_says_so),
		cmocka_unit_test_teardown(raw_frames_are_taken_as_they_are, empty_folder),
		cmocka_unit_test_teardown(raw_files_that_are_no_whole_number_of_frames_are_refused, empty_folder),
		cmocka_unit_test(png_cut_anywhere_is_refused),
		cmocka_unit_test(png_with_a_changed_byte_does_no_harm),
		cmocka_unit_test(what_is_no_png_is_refused),
		cmocka_unit_test(png_of_every_kind_becomes_rgb),
		cmocka_unit_test(png_sides_are_asked_about_before_any_pixel),
		cmocka_unit_test(names_are_in_natural_order),
		cmocka_unit_test_teardown(a_folder_is_read_in_natural_order_and_the_rest_is_counted, empty_folder),
		cmocka_unit_test_teardown(an_image_that_does_not_fit_is_named, empty_folder),
		cmocka_unit_test_teardown(jpeg_images_ask_for_ffmpeg, empty_folder),
		cmocka_unit_test_teardown(the_reference_frames_come_out_of_their_folder, empty_folder),
		cmocka_unit_test_teardown(y4m_is_known_by_its_name_or_its_first_bytes, empty_folder),
	};
	return cmocka_run_group_tests_name("clip_input", tests, set_up, tear_down);
}
