/*
 * png_file: PNG pictures read as frames and written as results. Uses base and libpng.
 */
#ifndef SB_PNG_FILE_H
#define SB_PNG_FILE_H

#include "sb_base.h"

/*
 * Decode a PNG from an open stream to packed 8-bit RGB: the stored values, without colour management; a palette and
 * grey become RGB, 16 bits become 8, transparency is dropped.
 * size() is told the sides before any pixel is decoded and says where the rows go, or fails (the reason in *err).
 * Errors: SB_E_DATA for what is no complete PNG, SB_E_NOMEM, those of size().
 */
struct sb_png_target {
	enum sb_status (*size)(void *ctx, int64_t h, int64_t w, uint8_t **rgb, struct sb_error *err);
	void *ctx;
};
struct sb_png_source { /* n bytes, or fewer at the end */
	size_t (*read)(void *ctx, void *buf, size_t n);
	void *ctx;
};
enum sb_status sb_png_decode(const struct sb_png_source *src, const struct sb_png_target *target, struct sb_error *err);

/*
 * Encode 16-bit grey or packed 8-bit RGB, h x w, with text chunks: key, value, .., NULL (Latin-1; keys of at most 79
 * characters). *out gets the bytes of the file. Errors: SB_E_NOMEM, SB_E_DATA.
 */
enum sb_status sb_png_encode_gray16(
        const uint16_t *gray, int64_t h, int64_t w, const char *const *text, struct sb_buf *out, struct sb_error *err);
enum sb_status sb_png_encode_rgb8(
        const uint8_t *rgb, int64_t h, int64_t w, const char *const *text, struct sb_buf *out, struct sb_error *err);

#endif
