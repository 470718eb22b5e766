/* Y4M: YUV frames with a line of text before each. */
#include "clip_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAGIC       "YUV4MPEG2"
#define FRAME       "FRAME"
#define LINE_MAX_   256 /* ffmpeg writes at most 80 characters */
#define SIDE_DIGITS 5   /* SB_SIDE_MAX */

struct y4m {
	int64_t w, h;
	int64_t chroma_w, chroma_h; /* of each of two planes; 0: mono */
	bool half_w, half_h;        /* chroma has half the columns, half the rows */
	bool full;                  /* luma from 0 to 255, not 16 to 235 */
	int64_t header_bytes;
};

/*
 * The 8-bit layouts. 4:2:0 differs in where chroma was sampled, which a conversion by blocks does not see. Nor does
 * ffmpeg's for frames of even height; of odd ones it interpolates chroma (docs/design.md, Clips, has the figures).
 */
static const struct layout {
	const char *name;
	bool mono, half_w, half_h;
} layouts[] = {
	{ "420jpeg", false, true, true },
	{ "420mpeg2", false, true, true },
	{ "420paldv", false, true, true },
	{ "420", false, true, true },
	{ "422", false, true, false },
	{ "444", false, false, false },
	{ "mono", true, false, false },
};

bool sb_y4m_is(const char *path, const void *head, size_t n)
{
	size_t len = strlen(path);

	return (n >= strlen(MAGIC) && !memcmp(head, MAGIC, strlen(MAGIC))) ||
	       (len >= 4 && !strcasecmp(path + len - 4, ".y4m"));
}

/* ---- the header ---------------------------------------------------------------------------------------------- */

/* A line without its end. *end when the source ended before it began. */
static enum sb_status next_line(
        struct sb_reader *r, const char *what, char line[LINE_MAX_], bool *end, struct sb_error *err)
{
	*end = false;
	for (size_t n = 0; n < LINE_MAX_; n++) {
		int c;
		enum sb_status status = sb_reader_byte(r, &c, err);

		if (status)
			return status;
		*end = c == -1 && n == 0;
		if (*end)
			return SB_OK;
		if (c == -1)
			return sb_fail(err, SB_E_DATA, "%s is truncated", what);
		if (c == 0)
			return sb_fail(err, SB_E_DATA, "%s is not text", what);
		line[n] = (char)c;
		if (c == '\n') {
			line[n] = '\0';
			return SB_OK;
		}
	}
	return sb_fail(err, SB_E_DATA, "%s has more than %d characters", what, LINE_MAX_ - 1);
}

static enum sb_status parse_side(const char *text, int64_t *out, struct sb_error *err)
{
	size_t n = strspn(text, "0123456789");
	char shown[64];
	int64_t v = 0;

	for (size_t i = 0; i < n && n <= SIDE_DIGITS; i++)
		v = v * 10 + (text[i] - '0');
	if (v == 0 || text[n] || *out) { /* nor is there more than one */
		sb_escape(text, shown, sizeof(shown));
		return sb_fail(err, SB_E_DATA, "Y4M side '%s' is not one number from 1 to %d", shown, SB_SIDE_MAX);
	}
	*out = v;
	return SB_OK;
}

static enum sb_status parse_layout(const char *text, const struct layout **out, struct sb_error *err)
{
	char shown[64];

	for (size_t i = 0; i < SB_ARRAY_LEN(layouts); i++) {
		if (!strcmp(text, layouts[i].name)) {
			*out = &layouts[i];
			return SB_OK;
		}
	}
	sb_escape(text, shown, sizeof(shown));
	return sb_fail(err, SB_E_DATA,
	        "Y4M colour space '%s' is not read, only 8-bit 420, 422, 444 and mono; convert it with ffmpeg -pix_fmt "
	        "yuv420p",
	        shown);
}

static enum sb_status parse_word(const char *word, struct y4m *y, const struct layout **layout, struct sb_error *err)
{
	char shown[64];

	switch (word[0]) {
	case 'W':
		return parse_side(word + 1, &y->w, err);
	case 'H':
		return parse_side(word + 1, &y->h, err);
	case 'C':
		return parse_layout(word + 1, layout, err);
	case 'I':
		if (strcmp(word, "Ip") != 0 && strcmp(word, "I?") != 0)
			return sb_fail(err, SB_E_DATA, "Y4M is interlaced; deinterlace it first");
		return SB_OK;
	case 'X':
		if (!strcmp(word, "XCOLORRANGE=FULL"))
			y->full = true;
		return SB_OK;
	case 'F': /* frame rate and aspect: nothing here depends on them */
	case 'A':
		return SB_OK;
	}
	sb_escape(word, shown, sizeof(shown));
	return sb_fail(err, SB_E_DATA, "Y4M header has an unknown word '%s'", shown);
}

static enum sb_status read_header(struct sb_reader *r, struct y4m *y, struct sb_error *err)
{
	const struct layout *layout = &layouts[0]; /* the format's default */
	char line[LINE_MAX_], *word, *rest = NULL;
	bool end;
	enum sb_status status = next_line(r, "Y4M header", line, &end, err);

	if (status)
		return status;
	*y = (struct y4m){ .header_bytes = end ? 0 : (int64_t)strlen(line) + 1 };
	if (end || strncmp(line, MAGIC, strlen(MAGIC)) != 0 || (line[strlen(MAGIC)] && line[strlen(MAGIC)] != ' '))
		return sb_fail(err, SB_E_DATA, "it does not begin with " MAGIC);
	for (word = strtok_r(line + strlen(MAGIC), " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		status = parse_word(word, y, &layout, err);
		if (status)
			return status;
	}
	if (!y->w || !y->h)
		return sb_fail(err, SB_E_DATA, "Y4M header has no width or no height");
	y->half_w = layout->half_w;
	y->half_h = layout->half_h;
	y->chroma_w = layout->mono ? 0 : layout->half_w ? (y->w + 1) / 2 : y->w;
	y->chroma_h = layout->mono ? 0 : layout->half_h ? (y->h + 1) / 2 : y->h;
	return SB_OK;
}

/* ---- frames -------------------------------------------------------------------------------------------------- */

/* BT.601 in 16.16 fixed point: what one step of Y, U and V adds. */
struct matrix {
	int y, v_r, u_g, v_g, u_b, y_offset;
};
static const struct matrix limited_range = { 76309, 104597, -25675, -53279, 132201, 16 };
static const struct matrix full_range = { 65536, 91881, -22554, -46802, 116130, 0 };

static uint8_t clip_byte(int v)
{
	v += 1 << 15;
	return (uint8_t)(v < 0 ? 0 : v >> 16 > 255 ? 255 : v >> 16);
}

static void convert_row(const struct y4m *y, const uint8_t *luma, const uint8_t *u, const uint8_t *v, uint8_t *rgb)
{
	const struct matrix *m = y->full ? &full_range : &limited_range;
	int shift = y->half_w ? 1 : 0;

	for (int64_t x = 0; x < y->w; x++) {
		int level = (luma[x] - m->y_offset) * m->y, cb = u[x >> shift] - 128, cr = v[x >> shift] - 128;

		rgb[x * 3] = clip_byte(level + cr * m->v_r);
		rgb[x * 3 + 1] = clip_byte(level + cb * m->u_g + cr * m->v_g);
		rgb[x * 3 + 2] = clip_byte(level + cb * m->u_b);
	}
}

/* Grey values are what they are: ffmpeg takes a picture without colour as one of full range. */
static void convert_mono(int64_t n, const uint8_t *luma, uint8_t *rgb)
{
	for (int64_t i = 0; i < n; i++)
		rgb[i * 3] = rgb[i * 3 + 1] = rgb[i * 3 + 2] = luma[i];
}

static void convert(const struct y4m *y, const uint8_t *planes, uint8_t *rgb)
{
	const uint8_t *u = planes + y->w * y->h, *v = u + y->chroma_w * y->chroma_h;

	if (!y->chroma_w) {
		convert_mono(y->w * y->h, planes, rgb);
		return;
	}
	for (int64_t row = 0; row < y->h; row++) {
		int64_t chroma = (y->half_h ? row / 2 : row) * y->chroma_w;

		convert_row(y, planes + row * y->w, u + chroma, v + chroma, rgb + row * y->w * 3);
	}
}

static enum sb_status next_frame(
        struct sb_reader *r, int64_t frame, uint8_t *planes, size_t bytes, bool *end, struct sb_error *err)
{
	char line[LINE_MAX_], what[48];
	size_t got = 0;
	enum sb_status status;

	snprintf(what, sizeof(what), "header of frame %lld", (long long)frame);
	status = next_line(r, what, line, end, err);
	if (status || *end)
		return status;
	if (strncmp(line, MAGIC, strlen(MAGIC)) == 0)
		return sb_fail(err, SB_E_DATA,
		        "at frame %lld another stream begins, perhaps of another size; a clip is one stream",
		        (long long)frame);
	if (strncmp(line, FRAME, strlen(FRAME)) != 0 || (line[strlen(FRAME)] && line[strlen(FRAME)] != ' '))
		return sb_fail(err, SB_E_DATA, "frame %lld does not begin with " FRAME, (long long)frame);
	status = sb_reader_bytes(r, planes, bytes, &got, err);
	if (!status && got < bytes)
		status = sb_fail(
		        err, SB_E_DATA, "frame %lld is truncated (%zu of %zu bytes)", (long long)frame, got, bytes);
	return status;
}

static enum sb_status read_frames(struct sb_reader *r, const struct y4m *y, int64_t size,
        const struct sb_ppm_want *given, struct sb_ppm_frames *f, struct sb_error *err)
{
	size_t bytes = (size_t)(y->w * y->h + 2 * y->chroma_w * y->chroma_h), rgb_bytes = (size_t)(y->w * y->h * 3);
	/*
	 * A frame takes at least its bytes and its line: an upper bound where lines are longer. Rounded up, so that
	 * what is cut off or too much is still come across.
	 */
	int64_t each = (int64_t)(bytes + sizeof(FRAME)), body = size - y->header_bytes;
	int64_t there = size < 0 ? 0 : (body + each - 1) / each;
	struct sb_ppm_want want = sb_want_of(given, there);
	enum sb_status status;
	uint8_t *planes;

	if (body == 0)
		return SB_OK;
	f->h = y->h;
	f->w = y->w;
	status = sb_frames_reserve(f, &want, err);
	if (status)
		return status;
	planes = malloc(bytes);
	if (!planes)
		return sb_fail(err, SB_E_NOMEM, "no memory for a frame of %lldx%lld", (long long)y->w, (long long)y->h);
	for (int64_t frame = 0; !status && (!want.n_frames || f->n < want.n_frames); frame++) {
		bool end = false;

		status = next_frame(r, frame, planes, bytes, &end, err);
		if (status || end)
			break;
		if (frame % want.stride)
			continue;
		status = sb_frames_reserve(f, &want, err);
		if (!status)
			convert(y, planes, f->rgb + (size_t)f->n++ * rgb_bytes);
	}
	free(planes);
	return status;
}

enum sb_status sb_y4m_read(const struct sb_ppm_source *src, int64_t size, const struct sb_ppm_want *want,
        struct sb_ppm_frames *frames, struct sb_error *err)
{
	struct sb_reader *r = malloc(sizeof(*r));
	enum sb_status status;
	struct y4m y;

	if (!r)
		return sb_fail(err, SB_E_NOMEM, "no memory to read frames");
	r->src = src;
	r->pos = r->len = 0;
	status = read_header(r, &y, err);
	if (!status)
		status = read_frames(r, &y, size, want, frames, err);
	free(r);
	return status;
}
