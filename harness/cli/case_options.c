/* What is run and where: the options that every command has that starts workers. */
#include "case_options.h"
#include "sb_file.h"
#include "sb_points.h"
#include "sb_weights.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_TIMEOUT_S 60.0 /* for a device to open, in a process of its own */

enum {
	CASE_WORKLOAD,
	CASE_VIDEO,
	CASE_RAW,
	CASE_PRESET,
	CASE_FRAMES,
	CASE_STRIDE,
	CASE_SIZE,
	CASE_WEIGHTS,
	CASE_WEIGHTS_FRONT,
	CASE_WEIGHTS_TRACK,
	CASE_QUERIES,
	CASE_GRID,
	CASE_POINTS,
	CASE_SUPPORT,
	CASE_SUPPORT_FILE,
	CASE_CAMERAS,
	CASE_ITERATIONS,
	CASE_MODE,
	CASE_WINDOW,
	CASE_OVERLAP,
	CASE_DEVICE,
	CASE_THREADS,
	CASE_VRAM_LIMIT,
};

static const char *const names[] = {
	[CASE_WORKLOAD] = "workload",
	[CASE_VIDEO] = "video",
	[CASE_RAW] = "raw",
	[CASE_PRESET] = "preset",
	[CASE_FRAMES] = "frames",
	[CASE_STRIDE] = "stride",
	[CASE_SIZE] = "size",
	[CASE_WEIGHTS] = "weights",
	[CASE_WEIGHTS_FRONT] = "weights-front",
	[CASE_WEIGHTS_TRACK] = "weights-track",
	[CASE_QUERIES] = "queries",
	[CASE_GRID] = "grid",
	[CASE_POINTS] = "points",
	[CASE_SUPPORT] = "support",
	[CASE_SUPPORT_FILE] = "support-file",
	[CASE_CAMERAS] = "cameras",
	[CASE_ITERATIONS] = "iterations",
	[CASE_MODE] = "mode",
	[CASE_WINDOW] = "window",
	[CASE_OVERLAP] = "overlap",
	[CASE_DEVICE] = "device",
	[CASE_THREADS] = "threads",
	[CASE_VRAM_LIMIT] = "vram-limit",
};

/* "WIDTHxHEIGHT" */
static enum sb_status parse_sides(
        const char *value, const char *option, int64_t *width, int64_t *height, struct sb_error *err)
{
	char w[16], what[40];
	size_t n = strcspn(value, "x");

	if (n == 0 || n >= sizeof(w) || value[n] != 'x')
		return sb_fail(err, SB_E_USAGE, "--%s '%.40s' is not WIDTHxHEIGHT", option, value);
	memcpy(w, value, n);
	w[n] = '\0';
	snprintf(what, sizeof(what), "width in --%s", option);
	if (sb_parse_int(w, what, 1, 100000, width, err))
		return SB_E_USAGE;
	snprintf(what, sizeof(what), "height in --%s", option);
	return sb_parse_int(value + n + 1, what, 1, 100000, height, err);
}

static enum sb_status parse_size(const char *value, struct sb_case *c, struct sb_error *err)
{
	c->own_size = !strcmp(value, "native");
	c->width = c->height = 0;
	if (c->own_size)
		return SB_OK;
	if (value[0] == 'x' || !strchr(value, 'x'))
		return sb_fail(err, SB_E_USAGE, "--size '%.40s' is neither WIDTHxHEIGHT nor native", value);
	return parse_sides(value, "size", &c->width, &c->height, err);
}

static enum sb_status copy(const char *value, const char *option, char *out, size_t n, struct sb_error *err)
{
	if (strlen(value) >= n)
		return sb_fail(err, SB_E_USAGE, "--%s: %zu characters are too many", option, strlen(value));
	strcpy(out, value);
	return SB_OK;
}

/* Path of a part's weights, which may be given once. */
static enum sb_status set_weights(const char *value, const char *option, char out[SB_PATH_MAX], struct sb_error *err)
{
	if (out[0])
		return sb_fail(err, SB_E_USAGE, "--%s '%.200s': weights of that part are given twice", option, value);
	if (!value[0])
		return sb_fail(err, SB_E_USAGE, "--%s needs the name of a file", option);
	return copy(value, option, out, SB_PATH_MAX, err);
}

static enum sb_status read_parts(const char *path, size_t *track, size_t *others, struct sb_error *err)
{
	struct sb_weight_file *f;

	if (sb_weight_file_open(path, &f, err))
		return err->code;
	sb_weight_file_parts(f, track, others);
	sb_weight_file_close(f);
	return SB_OK;
}

/* A file with names of both parts serves both. */
static enum sb_status apply_weights(const char *value, struct sb_case *c, struct sb_error *err)
{
	size_t track, others;
	enum sb_status status = read_parts(value, &track, &others, err);

	if (!status && track)
		status = set_weights(value, "weights", c->weights_track, err);
	if (!status && (others || !track)) /* an empty file is refused as the front end's */
		status = set_weights(value, "weights", c->weights_front, err);
	return status;
}

/* A file that the workers read; the rest of its errors are theirs. */
static enum sb_status set_file(const char *value, const char *option, char out[SB_PATH_MAX], struct sb_error *err)
{
	if (!value[0])
		return sb_fail(err, SB_E_USAGE, "--%s needs the name of a file", option);
	return copy(value, option, out, SB_PATH_MAX, err);
}

static enum sb_status parse_support(const char *value, struct sb_case *c, struct sb_error *err)
{
	enum sb_status status = sb_parse_int(value, "--support", 0, 100000, &c->support, err);

	if (!status && !c->support)
		c->support = -1; /* none, where 0 is the preset's */
	return status;
}

static enum sb_status parse_points(const char *value, struct sb_case *c, struct sb_error *err)
{
	int64_t n;
	enum sb_status status = sb_parse_int(value, "--points", 1, 1000000, &n, err);

	if (!status)
		c->grid = sb_points_grid_side(n);
	return status;
}

/* What is tracked, and how. */
static enum sb_status apply_points(int option, const char *value, struct sb_case *c, struct sb_error *err)
{
	enum sb_cameras cameras;

	switch (option) {
	case CASE_QUERIES:
		return set_file(value, "queries", c->queries, err);
	case CASE_GRID:
		return sb_parse_int(value, "--grid", 1, 1000, &c->grid, err);
	case CASE_POINTS:
		return parse_points(value, c, err);
	case CASE_SUPPORT:
		return parse_support(value, c, err);
	case CASE_SUPPORT_FILE:
		return set_file(value, "support-file", c->support_file, err);
	case CASE_CAMERAS:
		if (sb_cameras_parse(value, &cameras, err))
			return err->code;
		return copy(value, "cameras", c->cameras, sizeof(c->cameras), err);
	case CASE_ITERATIONS:
		return sb_parse_int(value, "--iterations", 1, 64, &c->iterations, err);
	case CASE_MODE:
		if (strcmp(value, "offline") != 0 && strcmp(value, "online") != 0)
			return sb_fail(err, SB_E_USAGE, "--mode '%.40s' is neither offline nor online", value);
		return copy(value, "mode", c->mode, sizeof(c->mode), err);
	case CASE_WINDOW:
		return sb_parse_int(value, "--window", 3, SB_TRACK_WINDOW_MAX, &c->window, err);
	case CASE_OVERLAP:
		return sb_parse_int(value, "--overlap", 1, SB_TRACK_WINDOW_MAX - 1, &c->overlap, err);
	}
	SB_BUG("option %d", option);
}

static enum sb_status apply_setup(int option, const char *value, struct sb_worker_setup *s, struct sb_error *err)
{
	int64_t threads;

	switch (option) {
	case CASE_WORKLOAD:
		if (strcmp(value, "tracker") != 0 && strcmp(value, "churn") != 0 && strcmp(value, "churn-own") != 0)
			return sb_fail(
			        err, SB_E_USAGE, "no workload '%.40s'; there are tracker, churn and churn-own", value);
		return copy(value, "workload", s->c.workload, sizeof(s->c.workload), err);
	case CASE_VIDEO:
		if (!value[0])
			return sb_fail(err, SB_E_USAGE, "--video needs the name of a file or folder");
		return copy(value, "video", s->c.video, sizeof(s->c.video), err);
	case CASE_PRESET:
		return copy(value, "preset", s->c.preset, sizeof(s->c.preset), err);
	case CASE_WEIGHTS:
		return apply_weights(value, &s->c, err);
	case CASE_WEIGHTS_FRONT:
		return set_weights(value, "weights-front", s->c.weights_front, err);
	case CASE_WEIGHTS_TRACK:
		return set_weights(value, "weights-track", s->c.weights_track, err);
	case CASE_FRAMES:
		return sb_parse_int(value, "--frames", 1, 10000, &s->c.frames, err);
	case CASE_STRIDE:
		return sb_parse_int(value, "--stride", 1, 100000, &s->c.stride, err);
	case CASE_SIZE:
		return parse_size(value, &s->c, err);
	case CASE_RAW:
		return parse_sides(value, "raw", &s->c.raw_width, &s->c.raw_height, err);
	case CASE_DEVICE:
		return copy(value, "device", s->device, sizeof(s->device), err);
	case CASE_THREADS:
		if (sb_parse_int(value, "--threads", 1, 4096, &threads, err))
			return SB_E_USAGE;
		s->threads = (int)threads;
		return SB_OK;
	case CASE_VRAM_LIMIT:
		if (sb_parse_bytes(value, "--vram-limit", &s->memory_limit_bytes, err))
			return SB_E_USAGE;
		return s->memory_limit_bytes < 1 << 20 ? sb_fail(err, SB_E_USAGE, "--vram-limit is less than 1 MiB")
		                                       : SB_OK;
	}
	return apply_points(option, value, &s->c, err);
}

enum sb_status sb_case_option(const char *name, const char *value, struct sb_worker_setup *s, struct sb_error *err)
{
	for (int i = 0; i < (int)SB_ARRAY_LEN(names); i++)
		if (!strcmp(names[i], name))
			return apply_setup(i, value, s, err);
	SB_BUG("option --%s is not one of a case", name);
}

void sb_case_drop_foreign_settings(struct sb_case_settings *out)
{
	out->n = 0;
	for (const char *name; (name = sb_backend_foreign_setting(0)) != NULL; unsetenv(name))
		if (out->n < (int)SB_ARRAY_LEN(out->text))
			snprintf(out->text[out->n++], sizeof(out->text[0]), "%s=%.16s", name, getenv(name));
}

void sb_case_say_dropped(const struct sb_case_settings *s, const char *device)
{
	for (int i = 0; i < s->n && !strncmp(device, "cuda", 4); i++)
		sb_log(SB_LOG_WARN, "%s is set and not used: precision is what an arm says", s->text[i]);
}

void sb_case_choose_device(char *device, size_t n)
{
	struct sb_device_look look;
	struct sb_error why;

	if (strcmp(device, "auto") != 0 || !sb_backend_gpu_expected())
		return;
	if (!sb_backend_look("cuda:0", LOOK_TIMEOUT_S, &look, &why)) {
		snprintf(device, n, "cuda:0");
		return;
	}
	sb_log(SB_LOG_WARN, "device auto: the CPU; %s", why.msg);
	snprintf(device, n, "cpu");
}

/* Weights that are there and of the part they are given for. */
static enum sb_status check_weights(const struct sb_case *c, struct sb_error *err)
{
	size_t track, others;

	if (c->weights_front[0] && read_parts(c->weights_front, &track, &others, err))
		return err->code;
	if (c->weights_front[0] && track && !others)
		return sb_fail(err, SB_E_USAGE,
		        "weights '%.200s' are the tracker's (" SB_TRACK_PREFIX "*): give them with --weights-track",
		        c->weights_front);
	if (c->weights_track[0] && read_parts(c->weights_track, &track, &others, err))
		return err->code;
	if (c->weights_track[0] && !track)
		return sb_fail(err, SB_E_USAGE,
		        "weights '%.200s' have no tensor of the tracker (" SB_TRACK_PREFIX
		        "*): --weights-front is for the front end's",
		        c->weights_track);
	return SB_OK;
}

enum sb_status sb_case_check_words(const struct sb_case *c, struct sb_error *err)
{
	if (c->queries[0] && c->grid)
		return sb_fail(err, SB_E_USAGE, "--queries goes with neither --grid nor --points");
	if (c->support < 0 && c->support_file[0])
		return sb_fail(err, SB_E_USAGE, "--support 0 takes no --support-file");
	if (c->window && c->overlap && c->overlap >= c->window)
		return sb_fail(err, SB_E_USAGE,
		        "windows of %lld frames cannot overlap by %lld: give a smaller --overlap", (long long)c->window,
		        (long long)c->overlap);
	return SB_OK;
}

enum sb_status sb_case_check_files(const struct sb_case *c, struct sb_error *err)
{
	const struct {
		const char *option, *path;
	} points[] = { { "queries", c->queries }, { "support-file", c->support_file } };
	const char *why;
	struct stat sb;

	if (c->video[0] && stat(c->video, &sb))
		return sb_fail(err, SB_E_USAGE, "cannot open video '%.200s': %s", c->video, strerror(errno));
	if (c->video[0] && !S_ISDIR(sb.st_mode) && sb_no_file(sb.st_mode))
		return sb_fail(err, SB_E_USAGE, "cannot open video '%.200s': %s; give a file, or a folder of images",
		        c->video, sb_no_file(sb.st_mode));
	for (size_t i = 0; i < SB_ARRAY_LEN(points); i++) {
		int fd = points[i].path[0] ? sb_open_file(points[i].path, &why) : -1;

		if (fd >= 0)
			close(fd);
		else if (points[i].path[0])
			return sb_fail(err, SB_E_USAGE, "cannot open --%s '%.200s': %s", points[i].option,
			        points[i].path, why);
	}
	return check_weights(c, err);
}
