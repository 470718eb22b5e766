/* merge: the runs of several databases in one. */
#include "outputs.h"
#include "sb_cli.h"
#include "sb_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_INTO };

const struct sb_option sb_merge_options[] = {
	[OPT_INTO] = { "into", "FILE", "the database that gets them; made when it is not there" },
	{ NULL, NULL, NULL },
};

const char sb_merge_details[] =
        "FILE.. are databases, as several runners leave them; they are not changed, and may be of an older format.\n"
        "A run has an id of its own, so merging again adds nothing. Where both have a run, and one of them as it was\n"
        "before it ended or was resumed, the later state is kept; two that do not agree are an error.\n"
        "Of baselines and calibrations for one machine and case the newer is kept.\n"
        "Each run is taken whole or not at all. 'spabench compare' without a run shows the one merged last.\n";

/* Databases are opened before anything is written, and all of them stay open. */
struct sources {
	const char **path;
	struct sb_store **store;
	int n;
};

static void release(struct sources *s)
{
	for (int i = 0; s->store && i < s->n; i++)
		sb_store_close(s->store[i]);
	free(s->store);
	free(s->path);
}

static enum sb_status parse(int argc, char **argv, struct sources *s, const char **into, struct sb_error *err)
{
	struct sb_option_parser p = { .next = 1, .more = s->path, .n_more = argc };
	const char *value;
	int i;

	while ((i = sb_options_next(&p, argc, argv, sb_merge_options, &value, err)) >= 0)
		*into = value;
	if (i == -2)
		return SB_E_USAGE;
	s->n = p.n_operands;
	if (!*into || !**into)
		return sb_fail(err, SB_E_USAGE, "--into FILE is missing: the database that gets the runs");
	if (!s->n)
		return sb_fail(err, SB_E_USAGE, "no database to merge into '%.200s' is named", *into);
	for (int k = 0; k < s->n; k++)
		if (sb_same_file(s->path[k], *into))
			return sb_fail(err, SB_E_USAGE, "'%.200s' cannot be merged into itself", s->path[k]);
	return SB_OK;
}

static enum sb_status open_sources(struct sources *s, struct sb_error *err)
{
	for (int i = 0; i < s->n; i++)
		if (sb_store_open(s->path[i], SB_STORE_READ, &s->store[i], err))
			return err->code;
	return SB_OK;
}

static void say(const char *path, const struct sb_store_merged *m)
{
	char shown[512];

	sb_escape(path, shown, sizeof(shown));
	printf("%s: %lld run%s: %lld new", shown, (long long)m->runs, m->runs == 1 ? "" : "s", (long long)m->added);
	if (m->extended)
		printf(", %lld brought up to date", (long long)m->extended);
	if (m->same)
		printf(", %lld there already", (long long)m->same);
	if (m->older)
		printf(", %lld there in a later state", (long long)m->older);
	if (m->baselines)
		printf("; %lld baseline%s", (long long)m->baselines, m->baselines == 1 ? "" : "s");
	if (m->calibrations)
		printf("; %lld calibrated metric%s", (long long)m->calibrations, m->calibrations == 1 ? "" : "s");
	putchar('\n');
}

static enum sb_status merge(struct sources *s, const char *path, struct sb_error *err)
{
	struct sb_store *into;
	enum sb_status status = sb_store_open(path, SB_STORE_WRITE, &into, err);
	int64_t runs = 0;

	if (status)
		return status;
	for (int i = 0; !status && i < s->n; i++) {
		struct sb_store_merged m;

		status = sb_store_merge(into, s->store[i], &m, err);
		if (!status || m.added || m.extended)
			say(s->path[i], &m);
		runs += m.added;
	}
	if (status && !runs)
		sb_store_discard(into);
	else
		sb_store_close(into);
	return status;
}

enum sb_status sb_cmd_merge(int argc, char **argv, struct sb_error *err)
{
	struct sources s = { .path = calloc((size_t)argc, sizeof(*s.path)),
		.store = calloc((size_t)argc, sizeof(*s.store)) };
	const char *into = NULL;
	enum sb_status status;

	status = s.path && s.store ? parse(argc, argv, &s, &into, err)
	                           : sb_fail(err, SB_E_NOMEM, "no memory for the names of databases");
	if (!status)
		status = open_sources(&s, err);
	if (!status)
		status = merge(&s, into, err);
	release(&s);
	return status;
}
