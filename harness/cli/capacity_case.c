#include "capacity_case.h"
#include "sb_clip.h"
#include "sb_presets.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEP 14 /* sides of the network are multiples of its patch */

const char *const sb_grows_names[] = { "frames", "grid", "queries", "size", NULL };

/*
 * A query more is some hundred KiB, and memory comes in pieces of 20 MiB: looking for the last one would take as many
 * tries again and say nothing.
 */
const struct sb_grows_info sb_grows_table[] = {
	[SB_GROWS_FRAMES] = { 3, 1000, 1, 0.0 },
	[SB_GROWS_GRID] = { 1, 200, 1, 0.0 },
	[SB_GROWS_QUERIES] = { 1, 100000, 1, 0.01 },
	[SB_GROWS_SIZE] = { SB_SIZE_MIN / STEP, SB_SIZE_MAX / STEP, STEP, 0.0 },
};

/* The size whose aspect is kept: what is asked for, else the preset's. */
static enum sb_status base_size(const struct sb_case *c, int64_t *width, int64_t *height, struct sb_error *err)
{
	const struct sb_preset *preset;

	*width = c->width;
	*height = c->height;
	if (*width)
		return SB_OK;
	if (sb_preset_find(c->preset, &preset, err))
		return err ? err->code : SB_E_USAGE;
	*width = preset->dflt.width;
	*height = preset->dflt.height;
	return SB_OK;
}

int64_t sb_grows_first(enum sb_grows by, const struct sb_case *c)
{
	const struct sb_preset *preset;
	int64_t width, height;

	if (sb_preset_find(c->preset, &preset, NULL))
		return 0;
	if (by == SB_GROWS_QUERIES)
		return preset->dflt.n_queries;
	if (by != SB_GROWS_SIZE || base_size(c, &width, &height, NULL))
		return 0;
	return (width > height ? width : height) / STEP;
}

/* The longer side has `steps` steps, the shorter one follows to the nearest. */
static enum sb_status size_of(
        const struct sb_case *c, int64_t steps, int64_t *width, int64_t *height, struct sb_error *err)
{
	int64_t w, h, shorter;
	enum sb_status status = base_size(c, &w, &h, err);

	if (status)
		return status;
	shorter = STEP * (int64_t)lround((double)steps * (double)(w < h ? w : h) / (double)(w < h ? h : w));
	shorter = shorter < SB_SIZE_MIN ? SB_SIZE_MIN : shorter;
	*width = w < h ? shorter : STEP * steps;
	*height = w < h ? STEP * steps : shorter;
	return SB_OK;
}

/* n points of the first frame on a lattice over it. Memory does not depend on where they are. */
static bool write_points(FILE *f, int64_t n, int64_t width, int64_t height)
{
	int64_t columns = (int64_t)ceil(sqrt((double)n)), rows = (n + columns - 1) / columns;

	for (int64_t i = 0; i < n; i++)
		fprintf(f, "0,%.3f,%.3f\n", ((double)(i % columns) + 0.5) * (double)(width - 1) / (double)columns,
		        ((double)(i / columns) + 0.5) * (double)(height - 1) / (double)rows);
	return !ferror(f);
}

static enum sb_status make_queries(struct sb_case *c, int64_t n, struct sb_error *err)
{
	const char *folder = getenv("TMPDIR");
	int64_t width = SB_SIZE_MIN, height = SB_SIZE_MIN; /* a size of the clip's own is not known yet */
	enum sb_status status = c->own_size ? SB_OK : base_size(c, &width, &height, err);
	bool written = false;
	FILE *f = NULL;
	int fd;

	if (status)
		return status;
	if ((size_t)snprintf(c->queries, sizeof(c->queries), "%s/spabench.XXXXXX",
	            folder && *folder ? folder : "/tmp") >= sizeof(c->queries))
		return sb_fail(err, SB_E_ENV, "$TMPDIR is too long");
	fd = mkstemp(c->queries);
	if (fd >= 0)
		f = fdopen(fd, "w");
	if (f) {
		written = write_points(f, n, width, height);
		written = !fclose(f) && written;
	} else if (fd >= 0) {
		close(fd);
	}
	if (written)
		return SB_OK;
	sb_fail(err, SB_E_ENV, "cannot write a file of points '%.300s': %s; set TMPDIR to another folder", c->queries,
	        strerror(errno));
	if (fd >= 0)
		remove(c->queries);
	return SB_E_ENV;
}

enum sb_status sb_grows_apply(enum sb_grows by, int64_t value, struct sb_case *c, struct sb_error *err)
{
	switch (by) {
	case SB_GROWS_FRAMES:
		c->frames = value;
		return SB_OK;
	case SB_GROWS_GRID:
		c->grid = value;
		return SB_OK;
	case SB_GROWS_QUERIES:
		return make_queries(c, value, err);
	case SB_GROWS_SIZE:
		return size_of(c, value, &c->width, &c->height, err);
	}
	SB_BUG("nothing grows by %d", (int)by);
}

void sb_grows_show(enum sb_grows by, int64_t value, const struct sb_case *c, char *out, size_t n)
{
	int64_t width, height;

	if (by == SB_GROWS_SIZE && !size_of(c, value, &width, &height, NULL))
		snprintf(out, n, "%lldx%lld", (long long)width, (long long)height);
	else
		snprintf(out, n, "%lld", (long long)value);
}
