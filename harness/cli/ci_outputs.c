#include "ci_outputs.h"
#include "outputs.h"
#include "sb_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Set to "true" by every runner of GitHub Actions. */
static bool in_actions(void)
{
	const char *text = getenv("GITHUB_ACTIONS");

	return text && !strcmp(text, "true");
}

/* The file that a step's summary is appended to; NULL: the runner has none. */
static const char *summary_path(void)
{
	const char *path = in_actions() ? getenv("GITHUB_STEP_SUMMARY") : NULL;

	return path && *path ? path : NULL;
}

static enum sb_status cannot_append(const char *path, int why, struct sb_error *err)
{
	char shown[400];

	sb_escape(path, shown, sizeof(shown));
	return sb_fail(err, SB_E_DATA, "cannot append to GITHUB_STEP_SUMMARY '%s': %s", shown, strerror(why));
}

static enum sb_status open_summary(const char *path, FILE **out, struct sb_error *err)
{
	*out = fopen(path, "a");
	return *out ? SB_OK : cannot_append(path, errno, err);
}

enum sb_status sb_ci_outputs_check(const struct sb_ci_outputs *o, const char *db, struct sb_error *err)
{
	const struct sb_named_path junit = { "--junit", o->junit, false };
	char wal[4096], shm[4096];
	const struct sb_named_path taken[] = { { "the database", db, false }, { "the database's journal", wal, false },
		{ "the database's index", shm, false } };
	FILE *summary;

	snprintf(wal, sizeof(wal), "%s-wal", db);
	snprintf(shm, sizeof(shm), "%s-shm", db);
	if (o->junit && !o->junit[0])
		return sb_fail(err, SB_E_USAGE, "--junit needs the name of a file");
	if (sb_outputs_check(&junit, 1, taken, SB_ARRAY_LEN(taken), err))
		return err->code;
	if (o->github && !in_actions())
		sb_log(SB_LOG_WARN, "--github: not within GitHub Actions (GITHUB_ACTIONS is not true), nothing to do");
	if (!o->github || !summary_path())
		return SB_OK;
	if (open_summary(summary_path(), &summary, err))
		return err->code;
	fclose(summary);
	return SB_OK;
}

static enum sb_status write_junit(const char *path, const struct sb_ci_report *r, struct sb_error *err)
{
	struct sb_out_file file;
	enum sb_status status = sb_out_file_open(&file, path, err);

	if (status)
		return status;
	status = sb_ci_junit(r, file.f, err);
	if (!status)
		return sb_out_file_finish(&file, err);
	sb_out_file_abandon(&file);
	return sb_wrap(err, "cannot write '%s'", path);
}

static enum sb_status append_summary(const struct sb_ci_report *r, struct sb_error *err)
{
	const char *path = summary_path();
	enum sb_status status;
	FILE *out;

	if (!path)
		return SB_OK;
	status = open_summary(path, &out, err);
	if (status)
		return status;
	status = sb_ci_github_summary(r, out, err);
	if (fclose(out) && !status)
		status = cannot_append(path, errno, err);
	return status;
}

enum sb_status sb_ci_outputs_write(
        const struct sb_ci_outputs *o, const struct sb_ci_report *r, FILE *out, struct sb_error *err)
{
	enum sb_status status = o->junit ? write_junit(o->junit, r, err) : SB_OK;

	if (status || !o->github || !in_actions())
		return status;
	status = append_summary(r, err);
	return status ? status : sb_ci_github_annotations(r, out, err);
}
