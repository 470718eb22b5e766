/* Tracks drawn on frames: shapes by their area, pictures by what stands at the places of the tracks. */
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

#include "overlay.h"
#include "raster.h"
#include "save.h"
#include "scratch_folder.h"
#include "track_fixture.h"

#define PI 3.14159265358979

static const struct tf_sizes sizes = { 112, 168, 112, 168, 112, 168 }; /* all agree */

static const char *const metadata[] = { "run", "0123", "arm", "after", NULL };

static char dir[128];

static int set_up(void **state)
{
	int failed = folder_make(state);

	snprintf(dir, sizeof(dir), "%s/d", folder);
	return failed;
}

static void near(double got, double want, double tolerance)
{
	if (!(fabs(got - want) <= tolerance))
		fail_msg("%.9g, wanted %.9g", got, want);
}

/* ---- ink ----------------------------------------------------------------------------------------------------- */

static struct sb_ink ink_of(int64_t h, int64_t w)
{
	struct sb_error err;
	struct sb_ink ink;

	assert_int_equal(sb_ink_init(&ink, h, w, &err), SB_OK);
	return ink;
}

static double amount(const struct sb_ink *ink)
{
	double sum = 0.0;

	for (int64_t i = 0; i < ink->h * ink->w; i++)
		sum += (double)ink->alpha[i];
	return sum;
}

static void wipe(struct sb_ink *ink)
{
	memset(ink->alpha, 0, (size_t)(ink->h * ink->w) * sizeof(float));
	ink->x0 = ink->x1 = ink->y0 = ink->y1 = 0;
}

static void shapes_have_their_area(void **state)
{
	struct sb_ink ink = ink_of(100, 120);

	(void)state;
	for (double shift = 0.0; shift < 1.0; shift += 0.23) {
		struct sb_ink_end a = { 20 + shift, 30.0, 0.5 }, b = { 80 + shift, 70.0 + shift, 0.5 };

		sb_ink_disc(&ink, 50 + shift, 40 - shift, 8.0, 1.0);
		near(amount(&ink), PI * 64.0, 0.02 * PI * 64.0);
		wipe(&ink);
		sb_ink_ring(&ink, 50 + shift, 40 - shift, 10.0, 3.0, 0.5);
		near(amount(&ink), 0.5 * 2.0 * PI * 10.0 * 3.0, 2.0);
		wipe(&ink);
		sb_ink_line(&ink, &a, &b, 3.0);
		near(amount(&ink), 0.5 * (6.0 * hypot(60, 40 + shift) + PI * 9.0), 3.0);
		wipe(&ink);
	}
	sb_ink_release(&ink);
}

/* Against the distance of every pixel, so that no pixel is left out because its row or column was thought far. */
static void lines_cover_every_pixel_that_is_near(void **state)
{
	static const double ends[][4] = { { 5, 5, 35, 9 }, { 9, 35, 5, 5 }, { 3, 20, 38, 20 }, { 20, 3, 20, 38 },
		{ -30, -10, 70, 45 }, { 10, 10, 10, 10 }, { 39, 0, 39.5, 80 }, { 8, 8, 9, 8.0001 } };
	struct sb_ink ink = ink_of(40, 41);

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(ends); i++) {
		struct sb_ink_end a = { ends[i][0], ends[i][1], 1.0 }, b = { ends[i][2], ends[i][3], 1.0 };
		double dx = b.x - a.x, dy = b.y - a.y, l2 = dx * dx + dy * dy;

		sb_ink_line(&ink, &a, &b, 2.0);
		for (int y = 0; y < 40; y++) {
			for (int x = 0; x < 41; x++) {
				double u = l2 > 0 ? ((x - a.x) * dx + (y - a.y) * dy) / l2 : 0, d;
				bool in_box = x >= ink.x0 && x < ink.x1 && y >= ink.y0 && y < ink.y1;

				u = fmin(fmax(u, 0), 1);
				d = hypot(x - a.x - u * dx, y - a.y - u * dy);
				near(ink.alpha[y * 41 + x], fmin(fmax(2.5 - d, 0), 1), 1e-6);
				assert_true(in_box || ink.alpha[y * 41 + x] == 0.0f);
			}
		}
		wipe(&ink);
	}
	sb_ink_release(&ink);
}

static void ink_that_overlaps_does_not_add_up(void **state)
{
	struct sb_ink_end a = { 5, 10, 0.2 }, b = { 15, 10, 0.6 }, c = { 25, 10, 1.0 };
	struct sb_ink ink = ink_of(20, 30);

	(void)state;
	sb_ink_line(&ink, &a, &b, 2.0);
	sb_ink_line(&ink, &b, &c, 2.0);
	near(ink.alpha[10 * 30 + 15], 0.6, 1e-6);
	near(ink.alpha[10 * 30 + 10], 0.4, 1e-6);
	near(ink.alpha[10 * 30 + 20], 0.8, 1e-6);
	sb_ink_release(&ink);
}

static void what_is_outside_costs_nothing_and_harms_nothing(void **state)
{
	static const double far[] = { 1e3, -1e3, 1e9, -1e9, 3e38, -3e38 };
	struct sb_ink ink = ink_of(20, 30);

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(far); i++) {
		for (size_t k = 0; k < SB_ARRAY_LEN(far); k++) {
			struct sb_ink_end a = { far[i], far[k], 1.0 }, b = { far[k], 5.0, 1.0 };

			sb_ink_disc(&ink, far[i], far[k], 5.0, 1.0);
			sb_ink_disc(&ink, far[i], 10.0, 5.0, 1.0);
			sb_ink_ring(&ink, far[i], far[k], 5.0, 1.0, 1.0);
			assert_true(amount(&ink) == 0.0);
			for (int repeat = 0; repeat < 100; repeat++)
				sb_ink_line(&ink, &a, &b, 2.0);
			assert_true(amount(&ink) <= 600.0);
			wipe(&ink);
		}
	}
	sb_ink_disc(&ink, -1.0, -1.0, 3.0, 1.0); /* a corner of it is inside */
	assert_true(amount(&ink) > 1.0 && amount(&ink) < 5.0);
	sb_ink_release(&ink);
}

static void dry_ink_is_on_the_picture_and_gone(void **state)
{
	uint8_t rgb[10 * 10 * 3];
	struct sb_picture p = { rgb, 10, 10 };
	struct sb_ink ink = ink_of(10, 10);

	(void)state;
	memset(rgb, 100, sizeof(rgb));
	sb_ink_disc(&ink, 3, 4, 1.0, 0.5);
	sb_ink_dry(&ink, (const uint8_t[]){ 200, 100, 0 }, &p);
	assert_int_equal(rgb[(4 * 10 + 3) * 3], 150);
	assert_int_equal(rgb[(4 * 10 + 3) * 3 + 1], 100);
	assert_int_equal(rgb[(4 * 10 + 3) * 3 + 2], 50);
	assert_int_equal(rgb[(4 * 10 + 6) * 3], 100);
	assert_true(amount(&ink) == 0.0);
	sb_ink_dry(&ink, (const uint8_t[]){ 0, 0, 0 }, &p);
	assert_int_equal(rgb[(4 * 10 + 3) * 3], 150);
	for (int i = 0; i < 2; i++) { /* the ends of the scale */
		sb_ink_disc(&ink, 3, 4, 3.0, 1.0);
		sb_ink_dry(&ink, i ? (const uint8_t[]){ 0, 0, 0 } : (const uint8_t[]){ 255, 255, 255 }, &p);
		assert_int_equal(rgb[(4 * 10 + 3) * 3], i ? 0 : 255);
	}
	sb_ink_release(&ink);
}

/* ---- pictures ------------------------------------------------------------------------------------------------ */

struct picture {
	uint8_t *rgb;
	int64_t h, w;
	char text[16][2][32];
	int n_text;
};

static void read_picture(int frame, struct picture *p)
{
	png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png_create_info_struct(png);
	char path[160];
	png_textp text;
	FILE *f;

	snprintf(path, sizeof(path), "%s/frame_%04d.png", dir, frame);
	f = fopen(path, "rb");
	assert_non_null(f);
	png_init_io(png, f);
	png_read_png(png, info, PNG_TRANSFORM_IDENTITY, NULL); /* aborts on an error */
	assert_int_equal(png_get_bit_depth(png, info), 8);
	assert_int_equal(png_get_color_type(png, info), PNG_COLOR_TYPE_RGB);
	p->h = png_get_image_height(png, info);
	p->w = png_get_image_width(png, info);
	p->rgb = malloc((size_t)(p->h * p->w * 3));
	assert_non_null(p->rgb);
	for (int64_t y = 0; y < p->h; y++)
		memcpy(p->rgb + y * p->w * 3, png_get_rows(png, info)[y], (size_t)p->w * 3);
	png_get_text(png, info, &text, &p->n_text);
	assert_true(p->n_text <= 16);
	for (int i = 0; i < p->n_text; i++) {
		snprintf(p->text[i][0], sizeof(p->text[i][0]), "%.31s", text[i].key);
		snprintf(p->text[i][1], sizeof(p->text[i][1]), "%.31s", text[i].text);
	}
	fclose(f);
	png_destroy_read_struct(&png, &info, NULL);
}

static void says(const struct picture *p, const char *key, const char *value)
{
	for (int i = 0; i < p->n_text; i++) {
		if (!strcmp(p->text[i][0], key)) {
			assert_string_equal(p->text[i][1], value);
			return;
		}
	}
	fail_msg("no text '%s'", key);
}

static void draw(const struct track_fixture *x)
{
	struct sb_save to = { .overlay_dir = dir, .metadata = metadata };
	struct sb_error err;

	if (sb_results_save(&x->results, &to, &err))
		fail_msg("%s", err.msg);
}

/* Tracks stand on whole pixels, far enough from each other. */
static void stand_on_pixels(struct track_fixture *x)
{
	for (int64_t n = 0; n < TF_TRACKS; n++) {
		for (int64_t f = 0; f < TF_FRAMES; f++) {
			float *p = x->out.xyz2 + (n * TF_FRAMES + f) * 3;

			p[0] = (float)(20 + 30 * n + 8 * f);
			p[1] = (float)(15 + 20 * n);
		}
	}
}

static const uint8_t *pixel(const struct picture *p, int64_t x, int64_t y)
{
	return p->rgb + (y * p->w + x) * 3;
}

static const uint8_t *frame_pixel(const struct track_fixture *x, int64_t f, int64_t px, int64_t py)
{
	return x->rgb + ((f * x->input.h + py) * x->input.w + px) * 3;
}

static void tracks_stand_where_they_are_in_their_own_colour(void **state)
{
	struct track_fixture x;
	struct picture p;
	uint8_t colour[3];

	(void)state;
	tf_init(&x, &sizes);
	stand_on_pixels(&x);
	draw(&x);
	assert_int_equal(files_in(dir), TF_FRAMES);
	for (int f = 0; f < TF_FRAMES; f++) {
		read_picture(f, &p);
		assert_int_equal(p.h, 112);
		assert_int_equal(p.w, 168);
		for (int n = 0; n < TF_QUERIES; n++) {
			sb_overlay_colour(n, colour);
			assert_memory_equal(pixel(&p, 20 + 30 * n + 8 * f, 15 + 20 * n), colour, 3);
			assert_true(pixel(&p, 20 + 30 * n + 8 * f, 18 + 20 * n)[0] < colour[0]); /* the rim */
		}
		/* where there is nothing: away from the tracks, and at the support point */
		assert_memory_equal(pixel(&p, 5, 100), frame_pixel(&x, f, 5, 100), 3);
		assert_memory_equal(pixel(&p, 140 + 8 * f, 95), frame_pixel(&x, f, 140 + 8 * f, 95), 3);
		says(&p, "tracks", "4");
		says(&p, "shown", "4");
		says(&p, "hidden", "0");
		says(&p, "arm", "after");
		free(p.rgb);
	}
	tf_release(&x);
}

/* Between the places of two frames; older ones are paler. */
static void tails_fade(void **state)
{
	struct track_fixture x;
	struct picture p;
	uint8_t colour[3];
	int last = 0;

	(void)state;
	tf_init(&x, &sizes);
	stand_on_pixels(&x);
	memset(x.rgb, 0, (size_t)(TF_FRAMES * 112 * 168 * 3));
	draw(&x);
	sb_overlay_colour(0, colour);
	read_picture(2, &p);
	for (int px = 20; px <= 30; px += 2) {
		const uint8_t *v = pixel(&p, px, 15);
		double alpha = 0.8 * (1.0 - (36.0 - px) / 8.0 / SB_OVERLAY_TAIL);

		assert_true(v[0] > last);
		near(v[0], alpha * colour[0], 1.0);
		last = v[0];
	}
	free(p.rgb);
	read_picture(0, &p); /* nothing was before, and nothing of what comes shows */
	assert_int_equal(pixel(&p, 28, 15)[0], 0);
	free(p.rgb);
	tf_release(&x);
}

static void hidden_points_are_hollow(void **state)
{
	struct track_fixture x;
	struct picture p;

	(void)state;
	tf_init(&x, &sizes);
	stand_on_pixels(&x);
	for (int i = 0; i < TF_TRACKS * TF_FRAMES; i++)
		x.out.vis[i] = 0.5f;
	draw(&x);
	read_picture(0, &p);
	for (int n = 0; n < TF_QUERIES; n++) {
		int64_t px = 20 + 30 * n, py = 15 + 20 * n;
		int touched = 0;

		assert_memory_equal(pixel(&p, px, py), frame_pixel(&x, 0, px, py), 3);
		for (int64_t i = 1; i < 4; i++)
			touched += memcmp(pixel(&p, px + i, py), frame_pixel(&x, 0, px + i, py), 3) != 0;
		assert_true(touched >= 1);
	}
	says(&p, "shown", "0");
	says(&p, "hidden", "4");
	free(p.rgb);
	tf_release(&x);
}

static void points_without_a_place_are_counted_and_not_drawn(void **state)
{
	struct track_fixture x;
	struct picture p;
	uint8_t colour[3];

	(void)state;
	tf_init(&x, &sizes);
	stand_on_pixels(&x);
	x.out.xyz2[(0 * TF_FRAMES + 1) * 3] = NAN;
	x.out.xyz2[(1 * TF_FRAMES + 1) * 3 + 1] = -INFINITY;
	x.out.xyz2[(2 * TF_FRAMES + 1) * 3] = 3e38f; /* far out, but a place */
	x.out.vis[3 * TF_FRAMES] = x.out.vis[3 * TF_FRAMES + 1] = 0.0f;
	draw(&x);
	read_picture(1, &p);
	says(&p, "shown", "1");
	says(&p, "not_finite", "2");
	says(&p, "absent", "1");
	assert_memory_equal(pixel(&p, 118, 75), frame_pixel(&x, 1, 118, 75), 3);
	free(p.rgb);
	read_picture(2, &p);
	says(&p, "shown", "4");
	sb_overlay_colour(3, colour);
	assert_memory_equal(pixel(&p, 126, 75), colour, 3);
	/* the gap in a tail stays one */
	assert_memory_equal(pixel(&p, 28, 15), frame_pixel(&x, 2, 28, 15), 3);
	assert_memory_equal(pixel(&p, 118, 75), frame_pixel(&x, 2, 118, 75), 3);
	free(p.rgb);
	tf_release(&x);
}

static void places_are_of_the_clip_whatever_was_cut_off(void **state)
{
	static const struct tf_sizes portrait = { 1280, 720, 518, 518, 336, 336 };
	struct track_fixture x;
	double px, py;

	(void)state;
	tf_init(&x, &portrait);
	x.input.geo = (struct sb_geometry){ 924, 518, 203, 0, 518, 518 };
	sb_overlay_place(&x.results, (const float[]){ 0.0f, 0.0f }, &px, &py);
	near(px, 0.5 * 720 / 518 - 0.5, 1e-9);
	near(py, 203.5 * 1280 / 924 - 0.5, 1e-9);
	sb_overlay_place(&x.results, (const float[]){ 168.0f, 84.0f }, &px, &py);
	near(px, 259.5 * 720 / 518 - 0.5, 1e-9);
	near(py, (203 + 129.5 + 0.5) * 1280 / 924 - 0.5, 1e-9);
	tf_release(&x);
}

static int distance(const uint8_t *a, const uint8_t *b)
{
	return abs(a[0] - b[0]) + abs(a[1] - b[1]) + abs(a[2] - b[2]);
}

static void every_track_has_its_own_colour(void **state)
{
	uint8_t c[64][3];

	(void)state;
	for (int i = 0; i < 64; i++) {
		sb_overlay_colour(i, c[i]);
		for (int k = 0; k < i; k++)
			assert_true(distance(c[i], c[k]) > (i - k < 5 ? 40 : 0));
	}
	sb_overlay_colour(INT64_C(1000000), c[0]); /* any number will do */
}

/* ---- files that cannot be written ---------------------------------------------------------------------------- */

static void must_fail(
        const struct track_fixture *x, const char *depth, const char *overlay, enum sb_status code, const char *says_so)
{
	struct sb_save to = { .depth_dir = depth, .overlay_dir = overlay, .metadata = metadata };
	struct sb_error err = { .msg = "" };
	enum sb_status status = sb_results_save(&x->results, &to, &err);

	if (status != code || !strstr(err.msg, says_so))
		fail_msg("status %d, '%s', wanted '%s'", status, err.msg, says_so);
}

static void folders_that_cannot_be_are_named(void **state)
{
	char path[192], other[192];
	struct track_fixture x;
	FILE *f;

	(void)state;
	tf_init(&x, &sizes);
	snprintf(path, sizeof(path), "%s/file", folder);
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	must_fail(&x, NULL, path, SB_E_DATA, "/file/frame_0000.png': Not a directory");
	snprintf(path, sizeof(path), "%s/no/d", folder);
	must_fail(&x, NULL, path, SB_E_DATA, "/no/d': No such file or directory");
	snprintf(path, sizeof(path), "%s/frame_0001.png", dir);
	assert_int_equal(mkdir(dir, 0755), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	must_fail(&x, NULL, dir, SB_E_DATA, "frame_0001.png': it is a folder");
	assert_int_equal(files_in(dir), 2); /* the first frame is there */
	snprintf(other, sizeof(other), "%s/../d", dir);
	must_fail(&x, dir, other, SB_E_USAGE, "would overwrite each other in");
	assert_int_equal(files_in(dir), 2);
	x.results.tracks = NULL;
	must_fail(&x, NULL, dir, SB_E_USAGE, "there are no tracks to save");
	tf_release(&x);
}

static void a_full_disk_leaves_complete_pictures(void **state)
{
	struct track_fixture x;
	struct picture p;

	(void)state;
	tf_init(&x, &sizes);
	draw(&x);
	for (rlim_t limit = 0; limit < 1000; limit += 333) {
		limit_files(limit);
		must_fail(&x, NULL, dir, SB_E_DATA, "d/frame_0000.png': File too large");
		limit_files(NO_LIMIT);
	}
	assert_int_equal(files_in(dir), TF_FRAMES);
	read_picture(0, &p);
	free(p.rgb);
	tf_release(&x);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes_have_their_area),
		cmocka_unit_test(lines_cover_every_pixel_that_is_near),
		cmocka_unit_test(ink_that_overlaps_does_not_add_up),
		cmocka_unit_test(what_is_outside_costs_nothing_and_harms_nothing),
		cmocka_unit_test(dry_ink_is_on_the_picture_and_gone),
		TEST(tracks_stand_where_they_are_in_their_own_colour),
		TEST(tails_fade),
		TEST(hidden_points_are_hollow),
		TEST(points_without_a_place_are_counted_and_not_drawn),
		cmocka_unit_test(places_are_of_the_clip_whatever_was_cut_off),
		cmocka_unit_test(every_track_has_its_own_colour),
		TEST(folders_that_cannot_be_are_named),
		TEST(a_full_disk_leaves_complete_pictures),
	};
	return cmocka_run_group_tests_name("overlay", tests, NULL, NULL);
}
