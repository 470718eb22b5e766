/* A folder of images: PNG by libpng, JPEG by ffmpeg. */
#include "clip_internal.h"
#include "png_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRIES_MAX 10000000 /* of a folder; beyond any use */

/* ---- names --------------------------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int sb_natural_order(const char *a, const char *b)
{
	const char *p = a, *q = b;

	while (*p && *q) {
		if (is_digit(*p) && is_digit(*q)) {
			size_t n, m;
			int order;

			p += strspn(p, "0");
			q += strspn(q, "0");
			n = strspn(p, "0123456789");
			m = strspn(q, "0123456789");
			order = n == m ? strncmp(p, q, n) : n < m ? -1 : 1; /* the longer number is the larger */
			if (order)
				return order;
			p += n;
			q += m;
		} else if (*p != *q) {
			return (unsigned char)*p < (unsigned char)*q ? -1 : 1;
		} else {
			p++;
			q++;
		}
	}
	if (*p || *q)
		return *p ? 1 : -1;
	return strcmp(a, b); /* 1 and 01 */
}

static int by_name(const void *a, const void *b)
{
	return sb_natural_order(*(char *const *)a, *(char *const *)b);
}

enum kind { KIND_PNG, KIND_JPEG, KIND_OTHER, KIND_COUNT };

/* Names that begin with a dot are other programs' business ("._1.png" is no picture). */
static enum kind kind_of(const char *name)
{
	const char *dot = strrchr(name, '.');

	if (!dot || name[0] == '.')
		return KIND_OTHER;
	if (!strcasecmp(dot, ".png"))
		return KIND_PNG;
	return !strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg") ? KIND_JPEG : KIND_OTHER;
}

struct names {
	char **v;
	int64_t n, cap;
};

static bool add_name(struct names *l, const char *name)
{
	if (l->n == l->cap) {
		int64_t cap = l->cap ? l->cap * 2 : 64;
		char **v = realloc(l->v, (size_t)cap * sizeof(*v));

		if (!v)
			return false;
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n] = sb_strdup(name);
	return l->v[l->n] && ++l->n;
}

static void release_names(struct names *l)
{
	for (int64_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
}

struct listing {
	struct names of[KIND_COUNT]; /* KIND_OTHER: only counted */
};

static enum sb_status list_folder(const char *path, struct listing *l, struct sb_error *err)
{
	DIR *dir = opendir(path);
	enum sb_status status = SB_OK;
	struct dirent *entry;
	int64_t n = 0;

	if (!dir)
		return sb_fail(err, SB_E_USAGE, "cannot open the folder: %s", strerror(errno));
	while (!status && (errno = 0, entry = readdir(dir))) {
		enum kind kind = kind_of(entry->d_name);

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (++n > ENTRIES_MAX)
			status = sb_fail(err, SB_E_DATA, "more than %d files in the folder", ENTRIES_MAX);
		else if (kind == KIND_OTHER)
			l->of[kind].n++;
		else if (!add_name(&l->of[kind], entry->d_name))
			status = sb_fail(err, SB_E_NOMEM, "no memory for the names of the images");
	}
	if (!status && errno)
		status = sb_fail(err, SB_E_DATA, "cannot read the folder: %s", strerror(errno));
	closedir(dir);
	for (int k = 0; k < KIND_OTHER; k++)
		if (l->of[k].n)
			qsort(l->of[k].v, (size_t)l->of[k].n, sizeof(*l->of[k].v), by_name);
	return status;
}

/* ---- pictures ------------------------------------------------------------------------------------------------ */

struct target {
	struct sb_ppm_frames *f;
	const struct sb_ppm_want *want;
};

/* Where a picture of this size goes. */
static enum sb_status place(void *ctx, int64_t h, int64_t w, uint8_t **rgb, struct sb_error *err)
{
	struct target *t = ctx;
	enum sb_status status;

	if (t->f->h && (h != t->f->h || w != t->f->w))
		return sb_fail(err, SB_E_DATA, "it is %lldx%lld, the ones before it are %lldx%lld", (long long)w,
		        (long long)h, (long long)t->f->w, (long long)t->f->h);
	t->f->h = h;
	t->f->w = w;
	status = sb_frames_reserve(t->f, t->want, err);
	if (!status)
		*rgb = t->f->rgb + t->f->n * h * w * 3;
	return status;
}

static size_t read_stream(void *ctx, void *buf, size_t n)
{
	return fread(buf, 1, n, ctx);
}

static enum sb_status read_png(const char *path, struct target *t, struct sb_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO of that name must not hold us up */
	FILE *f = fd < 0 ? NULL : fdopen(fd, "rb");
	enum sb_status status;
	struct stat st;

	if (!f) {
		status = sb_fail(err, SB_E_DATA, "cannot open: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return status;
	}
	if (fstat(fileno(f), &st) || !S_ISREG(st.st_mode))
		status = sb_fail(err, SB_E_DATA, "it is not a file");
	else
		status = sb_png_decode(
		        &(struct sb_png_source){ read_stream, f }, &(struct sb_png_target){ place, t }, err);
	fclose(f);
	return status;
}

/* One ffmpeg for each: about 0.05 s, but every message names its file and no list has to be quoted. */
static enum sb_status read_jpeg(
        const char *path, struct target *t, int64_t timeout_ms, struct sb_buf *note, struct sb_error *err)
{
	struct sb_ppm_frames one = { 0 };
	uint8_t *rgb = NULL;
	enum sb_status status;

	status = sb_ffmpeg_decode(path, &(struct sb_ppm_want){ 1, 1 }, timeout_ms, &one, note, err);
	if (status == SB_E_ENV)
		status = sb_fail(err, SB_E_ENV,
		        "JPEG is read by 'ffmpeg', which is not there; install it, or convert "
		        "the images to PNG");
	if (!status && !one.n)
		status = sb_fail(err, SB_E_DATA, "no picture in it");
	if (!status)
		status = place(t, one.h, one.w, &rgb, err);
	if (!status)
		memcpy(rgb, one.rgb, (size_t)(one.h * one.w * 3));
	free(one.rgb);
	return status;
}

static enum sb_status read_image(const char *folder, const char *name, enum kind kind, struct target *t,
        int64_t timeout_ms, struct sb_buf *note, struct sb_error *err)
{
	struct sb_buf path = { 0 };
	char shown[256];
	enum sb_status status;

	sb_buf_addf(&path, "%s/%s", folder, name);
	if (path.failed)
		status = sb_fail(err, SB_E_NOMEM, "no memory for a file name");
	else
		status = kind == KIND_PNG ? read_png(path.s, t, err) : read_jpeg(path.s, t, timeout_ms, note, err);
	sb_buf_release(&path);
	if (status) {
		sb_escape(name, shown, sizeof(shown));
		return sb_wrap(err, "frame %lld, '%s'", (long long)t->f->n, shown);
	}
	t->f->n++;
	return SB_OK;
}

enum sb_status sb_images_read(const char *path, const struct sb_ppm_want *given, int64_t timeout_ms,
        struct sb_ppm_frames *f, struct sb_buf *note, struct sb_error *err)
{
	struct listing l = { 0 };
	enum sb_status status = list_folder(path, &l, err);
	enum kind kind = l.of[KIND_PNG].n ? KIND_PNG : KIND_JPEG;
	int64_t there = l.of[kind].n, ignored = l.of[KIND_OTHER].n + (kind == KIND_PNG ? l.of[KIND_JPEG].n : 0);
	struct sb_ppm_want want;
	struct target t = { f, &want };

	if (!status && !there)
		status = sb_fail(err, SB_E_USAGE, "no *.png, *.jpg or *.jpeg images in the folder");
	want = sb_want_of(given, there);
	for (int64_t i = 0; !status && i < there && f->n < want.n_frames; i += want.stride)
		status = read_image(path, l.of[kind].v[i], kind, &t, timeout_ms, note, err);
	if (!status && ignored)
		sb_buf_addf(note, "%s%lld other file%s in the folder ignored", note->len ? "; " : "",
		        (long long)ignored, ignored == 1 ? "" : "s");
	release_names(&l.of[KIND_PNG]);
	release_names(&l.of[KIND_JPEG]);
	return status;
}
