#include "png_file.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#define SIDE_MAX 99999 /* as SB_SIDE_MAX */
#define TEXT_MAX 16

/* One picture on its way: what libpng's callbacks find through its pointers. */
struct job {
	png_structp png;
	png_infop info;
	const struct sb_png_source *src;
	struct sb_buf *out;
	png_bytep row; /* being written */
	struct sb_error *err;
	enum sb_status status;
};

/* ---- callbacks ----------------------------------------------------------------------------------------------- */

static void on_error(png_structp png, png_const_charp message)
{
	struct job *j = png_get_error_ptr(png);
	char shown[160];

	if (!j->status) {
		sb_escape(message, shown, sizeof(shown));
		j->status = strstr(message, "emory") ? sb_fail(j->err, SB_E_NOMEM, "no memory for a PNG: %s", shown)
		                                     : sb_fail(j->err, SB_E_DATA, "PNG: %s", shown);
	}
	png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
	(void)png;
	(void)message;
}

static void on_read(png_structp png, png_bytep buf, size_t n)
{
	const struct job *j = png_get_io_ptr(png);

	if (j->src->read(j->src->ctx, buf, n) < n)
		png_error(png, "the file is truncated or cannot be read");
}

static void on_write(png_structp png, png_bytep buf, size_t n)
{
	struct job *j = png_get_io_ptr(png);

	sb_buf_add(j->out, (const char *)buf, n);
	if (j->out->failed)
		png_error(png, "out of memory");
}

static void on_flush(png_structp png)
{
	(void)png;
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

/* 8-bit RGB whatever is stored. */
static void want_rgb(struct job *j)
{
	png_set_expand(j->png);
	png_set_scale_16(j->png);
	png_set_gray_to_rgb(j->png);
	png_set_strip_alpha(j->png);
}

static void read_rows(struct job *j, uint8_t *rgb, png_uint_32 h, png_uint_32 w)
{
	int passes = png_set_interlace_handling(j->png);

	png_read_update_info(j->png, j->info);
	if (png_get_rowbytes(j->png, j->info) != (size_t)w * 3)
		png_error(j->png, "cannot be made RGB");
	for (int pass = 0; pass < passes; pass++)
		for (png_uint_32 y = 0; y < h; y++)
			png_read_row(j->png, rgb + (size_t)y * w * 3, NULL);
	png_read_end(j->png, NULL); /* nothing may be missing behind the pixels either */
}

static void decode(struct job *j, const struct sb_png_target *target)
{
	png_uint_32 h, w;
	uint8_t *rgb;

	if (setjmp(png_jmpbuf(j->png)))
		return;
	png_set_user_limits(j->png, SIDE_MAX, SIDE_MAX);
	png_set_read_fn(j->png, j, on_read);
	png_read_info(j->png, j->info);
	h = png_get_image_height(j->png, j->info);
	w = png_get_image_width(j->png, j->info);
	j->status = target->size(target->ctx, h, w, &rgb, j->err);
	if (j->status)
		return;
	want_rgb(j);
	read_rows(j, rgb, h, w);
}

enum sb_status sb_png_decode(const struct sb_png_source *src, const struct sb_png_target *target, struct sb_error *err)
{
	struct job j = { .src = src, .err = err };

	j.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &j, on_error, on_warning);
	j.info = j.png ? png_create_info_struct(j.png) : NULL;
	if (j.info)
		decode(&j, target);
	else
		j.status = sb_fail(err, SB_E_NOMEM, "no memory for a PNG");
	png_destroy_read_struct(&j.png, &j.info, NULL);
	return j.status;
}

/* ---- writing ------------------------------------------------------------------------------------------------- */

static void set_text(struct job *j, const char *const *text)
{
	png_text chunks[TEXT_MAX];
	int n = 0;

	for (; text[0] && n < TEXT_MAX; text += 2, n++) {
		memset(&chunks[n], 0, sizeof(chunks[n]));
		chunks[n].compression = PNG_TEXT_COMPRESSION_NONE;
		chunks[n].key = (png_charp)(uintptr_t)text[0]; /* libpng copies it */
		chunks[n].text = (png_charp)(uintptr_t)text[1];
		chunks[n].text_length = strlen(text[1]);
	}
	png_set_text(j->png, j->info, chunks, n);
}

/* One of the two, h x w. */
struct pixels {
	const uint16_t *gray;
	const uint8_t *rgb; /* 3 a pixel */
	int64_t h, w;
};

static png_const_bytep row_of(const struct job *j, const struct pixels *p, int64_t y)
{
	if (p->rgb)
		return p->rgb + y * p->w * 3;
	for (int64_t x = 0; x < p->w; x++) { /* the larger half first */
		j->row[x * 2] = (png_byte)(p->gray[y * p->w + x] >> 8);
		j->row[x * 2 + 1] = (png_byte)(p->gray[y * p->w + x] & 0xff);
	}
	return j->row;
}

static void encode(struct job *j, const struct pixels *p, const char *const *text)
{
	if (setjmp(png_jmpbuf(j->png)))
		return;
	png_set_write_fn(j->png, j, on_write, on_flush);
	png_set_IHDR(j->png, j->info, (png_uint_32)p->w, (png_uint_32)p->h, p->rgb ? 8 : 16,
	        p->rgb ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
	        PNG_FILTER_TYPE_DEFAULT);
	set_text(j, text);
	png_write_info(j->png, j->info);
	for (int64_t y = 0; y < p->h; y++)
		png_write_row(j->png, row_of(j, p, y));
	png_write_end(j->png, NULL);
}

static enum sb_status encode_pixels(
        const struct pixels *p, const char *const *text, struct sb_buf *out, struct sb_error *err)
{
	struct job j = { .out = out, .err = err };

	if (p->h < 1 || p->w < 1 || p->h > SIDE_MAX || p->w > SIDE_MAX)
		return sb_fail(err, SB_E_DATA, "a PNG cannot be %lldx%lld", (long long)p->w, (long long)p->h);
	j.row = malloc((size_t)p->w * 2);
	j.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &j, on_error, on_warning);
	j.info = j.png ? png_create_info_struct(j.png) : NULL;
	if (j.row && j.info)
		encode(&j, p, text);
	else
		j.status = sb_fail(err, SB_E_NOMEM, "no memory for a PNG");
	png_destroy_write_struct(&j.png, &j.info);
	free(j.row);
	return j.status;
}

enum sb_status sb_png_encode_gray16(
        const uint16_t *gray, int64_t h, int64_t w, const char *const *text, struct sb_buf *out, struct sb_error *err)
{
	return encode_pixels(&(struct pixels){ .gray = gray, .h = h, .w = w }, text, out, err);
}

enum sb_status sb_png_encode_rgb8(
        const uint8_t *rgb, int64_t h, int64_t w, const char *const *text, struct sb_buf *out, struct sb_error *err)
{
	return encode_pixels(&(struct pixels){ .rgb = rgb, .h = h, .w = w }, text, out, err);
}
