/* PNG files: libpng is not ours, what is done with its answers is. */
#include "fuzz.h"
#include "png_file.h"

#define PIXELS_MAX (1 << 22)

struct file {
	const uint8_t *data;
	size_t left;
};

static size_t read_file(void *ctx, void *buf, size_t n)
{
	struct file *f = ctx;

	if (n > f->left)
		n = f->left;
	memcpy(buf, f->data, n);
	f->data += n;
	f->left -= n;
	return n;
}

struct picture {
	uint8_t *rgb;
	int64_t h, w;
};

static enum sb_status make_room(void *ctx, int64_t h, int64_t w, uint8_t **rgb, struct sb_error *err)
{
	struct picture *p = ctx;

	FUZZ_HOLDS(h > 0 && w > 0 && h < 100000 && w < 100000);
	if (h * w > PIXELS_MAX)
		return sb_fail(err, SB_E_DATA, "too large for this test");
	p->rgb = malloc((size_t)(h * w * 3));
	if (!p->rgb)
		return sb_fail(err, SB_E_NOMEM, "no memory");
	p->h = h;
	p->w = w;
	*rgb = p->rgb;
	return SB_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct file file = { data, size };
	struct picture picture = { 0 };
	struct sb_png_source source = { read_file, &file };
	struct sb_png_target target = { make_room, &picture };
	struct sb_error err = { .msg = "" };
	size_t sum = 0;

	if (sb_png_decode(&source, &target, &err)) {
		FUZZ_HOLDS(err.msg[0]);
	} else {
		FUZZ_HOLDS(picture.rgb);
		for (int64_t i = 0; i < picture.h * picture.w * 3; i++)
			sum += picture.rgb[i];
		FUZZ_HOLDS(sum <= (size_t)(picture.h * picture.w * 3) * 255);
	}
	free(picture.rgb);
	return 0;
}
