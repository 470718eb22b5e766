#include "sb_queries.h"
#include "sb_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FEW       20 /* fewer valid candidates than that: all are taken */
#define LINE_MAX_ 256
#define UTF8_MARK "\xef\xbb\xbf" /* what some editors put before a text */

void sb_query_grid(int64_t side, int64_t h, int64_t w, float *out)
{
	float m = floorf((float)w / 64.0f);

	for (int64_t i = 0; i < side; i++) {
		for (int64_t j = 0; j < side; j++) {
			float fx = side > 1 ? (float)j / (float)(side - 1) : 0.5f;
			float fy = side > 1 ? (float)i / (float)(side - 1) : 0.5f;

			*out++ = 0.0f;
			*out++ = side > 1 ? m + fx * ((float)w - 2.0f * m) : (float)w / 2.0f;
			*out++ = side > 1 ? m + fy * ((float)h - 2.0f * m) : (float)h / 2.0f;
		}
	}
}

/* ---- a file -------------------------------------------------------------------------------------------------- */

/* A decimal number, blanks before it passed over; NULL for what strtod() takes beyond: hexadecimals, inf, nan. */
static const char *parse_number(const char *p, double *v)
{
	char *end;

	p += strspn(p, " \t");
	*v = strtod(p, &end);
	return end > p && (size_t)(end - p) == strspn(p, "+-.0123456789eE") && isfinite(*v) ? end : NULL;
}

/* Three numbers with commas between and nothing behind. */
static bool parse_line(const char *line, double v[3])
{
	const char *p = line;

	for (int i = 0; i < 3; i++) {
		p = parse_number(p, &v[i]);
		if (!p)
			return false;
		p += strspn(p, " \t\r\n");
		if (i < 2 && *p++ != ',')
			return false;
	}
	return *p == '\0';
}

static enum sb_status check_query(
        const double v[3], int64_t frames, int64_t h, int64_t w, const char *path, int line, struct sb_error *err)
{
	if (v[0] != floor(v[0]) || v[0] < 0 || v[0] >= (double)frames)
		return sb_fail(err, SB_E_DATA, "queries '%.200s', line %d: frame %g is none of 0 to %lld", path, line,
		        v[0], (long long)frames - 1);
	if (v[1] < 0 || v[1] > (double)(w - 1) || v[2] < 0 || v[2] > (double)(h - 1))
		return sb_fail(err, SB_E_DATA, "queries '%.200s', line %d: (%g, %g) is outside the frame of %lldx%lld",
		        path, line, v[1], v[2], (long long)w, (long long)h);
	return SB_OK;
}

static enum sb_status append(float **q, int64_t *n, int64_t *cap, const double v[3], struct sb_error *err)
{
	if (*n == *cap) {
		int64_t more = *cap ? 2 * *cap : 64;
		float *grown = realloc(*q, (size_t)more * 3 * sizeof(float));

		if (!grown)
			return sb_fail(err, SB_E_NOMEM, "no memory for %lld queries", (long long)more);
		*q = grown;
		*cap = more;
	}
	for (int i = 0; i < 3; i++)
		(*q)[*n * 3 + i] = (float)v[i];
	(*n)++;
	return SB_OK;
}

/* The next line into text, as a string; bytes: how many it had, more than the string where a NUL is among them. */
static bool next_line(FILE *f, char text[LINE_MAX_], size_t *bytes)
{
	int c = EOF;
	size_t n = 0;

	while (n < LINE_MAX_ - 1 && (c = getc(f)) != EOF) {
		text[n++] = (char)c;
		if (c == '\n')
			break;
	}
	text[n] = '\0';
	*bytes = n;
	return n > 0;
}

static enum sb_status read_lines(
        FILE *f, const char *path, int64_t frames, int64_t h, int64_t w, float **q, int64_t *n, struct sb_error *err)
{
	char text[LINE_MAX_];
	int64_t cap = 0;
	size_t bytes;

	for (int line = 1; next_line(f, text, &bytes); line++) {
		const char *p = text + (line == 1 && !strncmp(text, UTF8_MARK, 3) ? 3 : 0);
		double v[3];

		p += strspn(p, " \t\r\n");
		if (strlen(text) != bytes)
			return sb_fail(err, SB_E_DATA, "queries '%.200s', line %d has a NUL byte: no text", path, line);
		if (bytes == LINE_MAX_ - 1 && text[bytes - 1] != '\n')
			return sb_fail(err, SB_E_DATA, "queries '%.200s', line %d is too long", path, line);
		if (!*p || *p == '#')
			continue;
		if (!parse_line(p, v))
			return sb_fail(err, SB_E_DATA,
			        "queries '%.200s', line %d is not 't,x,y' with three decimal numbers", path, line);
		if (*n == SB_QUERIES_MAX)
			return sb_fail(err, SB_E_DATA, "queries '%.200s', line %d: more than %d points; give fewer",
			        path, line, SB_QUERIES_MAX);
		if (check_query(v, frames, h, w, path, line, err) || append(q, n, &cap, v, err))
			return err ? err->code : SB_E_DATA;
	}
	if (ferror(f))
		return sb_fail(err, SB_E_DATA, "cannot read queries '%.200s': %s", path, strerror(errno));
	if (!*n)
		return sb_fail(err, SB_E_DATA, "queries '%.200s' has no query", path);
	return SB_OK;
}

static enum sb_status open_queries(const char *path, FILE **f, struct sb_error *err)
{
	const char *why;
	struct stat st;
	int fd = sb_open_file(path, &why);

	if (fd < 0)
		return sb_fail(err, SB_E_USAGE, "cannot open queries '%.200s': %s", path, why);
	if (!fstat(fd, &st) && st.st_size > SB_QUERIES_BYTES_MAX) {
		close(fd);
		return sb_fail(err, SB_E_DATA, "queries '%.200s' has %lld bytes; at most %d (64 MiB) are read", path,
		        (long long)st.st_size, SB_QUERIES_BYTES_MAX);
	}
	*f = fdopen(fd, "r");
	if (*f)
		return SB_OK;
	close(fd);
	return sb_fail(err, SB_E_NOMEM, "no memory to read queries '%.200s'", path);
}

enum sb_status sb_queries_read(
        const char *path, int64_t frames, int64_t h, int64_t w, float **out, int64_t *n, struct sb_error *err)
{
	float *q = NULL;
	int64_t count = 0;
	enum sb_status status;
	FILE *f;

	status = open_queries(path, &f, err);
	if (status)
		return status;
	status = read_lines(f, path, frames, h, w, &q, &count, err);
	fclose(f);
	if (status) {
		free(q);
		return status;
	}
	*out = q;
	*n = count;
	return SB_OK;
}

/* ---- order and replacement ----------------------------------------------------------------------------------- */

enum sb_status sb_queries_order(const float *q, int64_t n, int32_t *order, struct sb_error *err)
{
	int32_t *tmp = malloc(((size_t)n + 1) * sizeof(*tmp));

	if (!tmp)
		return sb_fail(err, SB_E_NOMEM, "no memory to sort %lld queries", (long long)n);
	for (int64_t i = 0; i < n; i++)
		order[i] = (int32_t)i;
	for (int64_t width = 1; width < n; width *= 2) { /* merge sort: stable */
		for (int64_t lo = 0; lo < n; lo += 2 * width) {
			int64_t mid = lo + width < n ? lo + width : n, hi = lo + 2 * width < n ? lo + 2 * width : n;

			for (int64_t a = lo, b = mid, k = lo; k < hi; k++)
				tmp[k] = b >= hi || (a < mid && q[order[a] * 3] <= q[order[b] * 3]) ? order[a++]
				                                                                    : order[b++];
		}
		memcpy(order, tmp, (size_t)n * sizeof(*order));
	}
	free(tmp);
	return SB_OK;
}

static float clamp(float v, int64_t n)
{
	return v < 0.0f ? 0.0f : v > (float)(n - 1) ? (float)(n - 1) : v;
}

static float bilinear(const struct sb_valid_map *m, int64_t t, float x, float y)
{
	const float *image = m->valid + t * m->h * m->w;
	int64_t x0 = (int64_t)x, y0 = (int64_t)y, x1 = x0 + 1 < m->w ? x0 + 1 : x0, y1 = y0 + 1 < m->h ? y0 + 1 : y0;
	float fx = x - (float)x0, fy = y - (float)y0;

	return (1.0f - fy) * ((1.0f - fx) * image[y0 * m->w + x0] + fx * image[y0 * m->w + x1]) +
	       fy * ((1.0f - fx) * image[y1 * m->w + x0] + fx * image[y1 * m->w + x1]);
}

float sb_valid_at(const struct sb_valid_map *m, float t, float x, float y)
{
	int64_t t0, t1;
	float f;

	t = clamp(t, m->frames);
	x = clamp(x, m->w);
	y = clamp(y, m->h);
	t0 = (int64_t)t;
	t1 = t0 + 1 < m->frames ? t0 + 1 : t0;
	f = t - (float)t0;
	if (f <= 0.0f && x == floorf(x) && y == floorf(y)) /* thousands of points lie on pixels: one read, no weights */
		return m->valid[(t0 * m->h + (int64_t)y) * m->w + (int64_t)x];
	return (1.0f - f) * bilinear(m, t0, x, y) + (f > 0.0f ? f * bilinear(m, t1, x, y) : 0.0f);
}

int64_t sb_queries_replace(
        const struct sb_valid_map *m, float *q, int64_t n, uint64_t *random, int32_t *source, float *scratch)
{
	int64_t kept = 0;

	memcpy(scratch, q, (size_t)n * 3 * sizeof(*scratch));
	for (int64_t i = 0; i < n; i++)
		if (sb_valid_at(m, q[i * 3], q[i * 3 + 1], q[i * 3 + 2]) > 0.5f)
			source[kept++] = (int32_t)i;
	if (!kept) {
		for (int64_t i = 0; i < n; i++)
			source[i] = (int32_t)i;
		return -1;
	}
	for (int64_t i = kept; i < n; i++)
		source[i] = source[sb_random_below(random, (uint64_t)kept)];
	for (int64_t i = 0; i < n; i++)
		memcpy(q + i * 3, scratch + (int64_t)source[i] * 3, 3 * sizeof(*q));
	return n - kept;
}

/* ---- support points ------------------------------------------------------------------------------------------ */

/* The grid on the last frame, and twice on random ones. */
static void candidates(const struct sb_valid_map *m, uint64_t *random, float (*all)[3])
{
	enum { POINTS = SB_SUPPORT_GRID * SB_SUPPORT_GRID };

	sb_query_grid(SB_SUPPORT_GRID, m->h, m->w, all[0]);
	for (int i = 0; i < POINTS; i++) {
		float x = nearbyintf(all[i][1]), y = nearbyintf(all[i][2]);
		float t = (float)sb_random_below(random, (uint64_t)m->frames);

		for (int list = 0; list < 3; list++) {
			float *p = all[list * POINTS + i];

			p[0] = list ? t : (float)(m->frames - 1);
			p[1] = x;
			p[2] = y;
		}
	}
}

void sb_support_points(
        const struct sb_valid_map *m, int64_t n, uint64_t *random, struct sb_support_scratch *scratch, float *out)
{
	int *pick = scratch->pick, kept = 0;

	candidates(m, random, scratch->all);
	for (int i = 0; i < SB_SUPPORT_CANDIDATES; i++) {
		const float *p = scratch->all[i];

		if (sb_valid_at(m, p[0], p[1], p[2]) > 0.5f)
			pick[kept++] = i;
	}
	if (kept < FEW)
		for (kept = 0; kept < SB_SUPPORT_CANDIDATES; kept++)
			pick[kept] = kept;
	sb_shuffle(random, pick, kept);
	for (int64_t i = 0; i < n; i++)
		memcpy(out + i * 3, scratch->all[pick[i % kept]], 3 * sizeof(*out));
}
