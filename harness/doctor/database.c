/* Checks of a database and of the place where one would be. */
#define _DEFAULT_SOURCE /* statfs() */
#include "doctor_internal.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MIB 1048576.0

/* Of statfs(2): where SQLite's write-ahead log, which needs memory shared between processes, does not work. */
#define NFS_MAGIC  0x6969
#define SMB2_MAGIC 0xfe534d42
#define CIFS_MAGIC 0xff534d42

static bool is_network(const struct statfs *fs)
{
	unsigned long type = (unsigned long)fs->f_type & 0xffffffff;

	return type == NFS_MAGIC || type == SMB2_MAGIC || type == CIFS_MAGIC;
}

static void check_space(struct sb_finding *f, const struct statfs *fs, const char *where)
{
	double free_mib = (double)fs->f_bavail * (double)fs->f_bsize / MIB;

	sb_found(f, "%.0f MiB free in '%.300s'", free_mib, where);
	if (free_mib < 16) {
		sb_advise(f, SB_HEALTH_MISSING, "a run needs more: free some, or name another place with --db");
		f->blocks_run = true;
	} else if (free_mib < 256) {
		sb_advise(f, SB_HEALTH_WARNING, "enough for some runs: a trace takes 35 bytes a row");
	}
	if (is_network(fs))
		sb_advise(f, SB_HEALTH_WARNING,
		        "a network file system does not lock as SQLite needs it: name a local place with --db");
}

void sb_check_disk(const struct sb_doctor *d, struct sb_finding *f)
{
	char path[4096];
	const char *dir;
	struct statfs fs;
	bool exists;

	if (strlen(d->db) >= sizeof(path)) {
		sb_found(f, "the path of the database is too long");
		f->health = SB_HEALTH_MISSING;
		f->blocks_run = true;
		return;
	}
	strcpy(path, d->db);
	exists = !access(path, F_OK);
	dir = dirname(path);
	if (statfs(dir, &fs)) {
		sb_found(f, "cannot look at '%.300s': %s", dir, strerror(errno));
		sb_advise(f, SB_HEALTH_MISSING, "make the folder, or name another place with --db");
		f->blocks_run = true;
		return;
	}
	check_space(f, &fs, dir);
	if (access(dir, W_OK) || (exists && access(d->db, W_OK))) {
		sb_advise(f, SB_HEALTH_MISSING, "'%.300s' cannot be written: name another place with --db", d->db);
		f->blocks_run = true;
	}
}

/* ---- a database ------------------------------------------------------------------------------------------------ */

static void describe_file(const char *path, struct sb_finding *f)
{
	struct stat st;

	if (stat(path, &st))
		sb_found(f, "%.400s", path);
	else
		sb_found(f, "%.400s, %.1f MiB", path, (double)st.st_size / MIB);
}

static void describe_runs(const struct sb_run_lines *runs, struct sb_finding *all, struct sb_finding *unfinished)
{
	int64_t trials = 0;
	size_t open = 0;
	char when[32];

	for (size_t i = 0; i < runs->n; i++) {
		trials += runs->v[i].n_trials;
		open += strcmp(runs->v[i].status, "complete") != 0;
	}
	if (!runs->n) {
		sb_found(all, "none");
		return;
	}
	sb_time_iso(runs->v[0].created_ns, when);
	sb_found(
	        all, "%zu with %lld trials; the newest is %.8s of %s", runs->n, (long long)trials, runs->v[0].id, when);
	if (!open)
		return;
	sb_found(unfinished, "%zu of %zu runs", open, runs->n);
	sb_advise(unfinished, SB_HEALTH_WARNING,
	        "'spabench list' names them, 'spabench run --resume' completes the newest");
}

enum sb_status sb_doctor_database(const char *path, const char *names[SB_DOCTOR_DATABASE_FINDINGS],
        struct sb_finding findings[SB_DOCTOR_DATABASE_FINDINGS], int *n, struct sb_error *err)
{
	static const char *const rows[SB_DOCTOR_DATABASE_FINDINGS] = { "file", "integrity", "runs", "unfinished" };
	struct sb_run_lines runs = { NULL, 0 };
	struct sb_error fault;
	struct sb_store *st;

	if (sb_store_open(path, SB_STORE_READ, &st, err))
		return err->code;
	memset(findings, 0, SB_DOCTOR_DATABASE_FINDINGS * sizeof(*findings));
	for (int i = 0; i < SB_DOCTOR_DATABASE_FINDINGS; i++)
		names[i] = rows[i];
	describe_file(path, &findings[0]);
	sb_found(&findings[1], "pages, keys, values, and the roll-up of every trace is that of its rows");
	if (sb_store_check(st, &fault)) {
		sb_found(&findings[1], "%.400s", fault.msg);
		sb_advise(&findings[1], SB_HEALTH_BROKEN,
		        "what can be read may be wrong: use a copy made before, or 'sqlite3 FILE .recover'");
	}
	*n = 2;
	if (!sb_store_list_runs(st, &runs, &fault)) {
		describe_runs(&runs, &findings[2], &findings[3]);
		*n = findings[3].health ? 4 : 3;
		sb_run_lines_release(&runs);
	}
	sb_store_close(st);
	return SB_OK;
}
