/*
 * The plots of a run that is read from a database, for the tests of plots: their files of data read cell by cell, the
 * database asked in SQL, pictures looked at. Include after summary_fixture.h; every failure ends the test.
 */
#ifndef SB_PLOTS_FIXTURE_H
#define SB_PLOTS_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "plots_internal.h"
#include "summary_fixture.h"

#define EXAMPLES "../reports/examples/"

/* ---- a run and its plots ------------------------------------------------------------------------------------------
 */

struct made {
	struct sb_store *st;
	struct sb_run run;
	struct sb_trials trials;
	struct sb_samples samples;
	struct sb_summary summary;
	char folder[64];
	struct sb_plots plots;
};

static inline void read_run(const char *path, struct made *m)
{
	struct sb_error err;
	int64_t run;

	*m = (struct made){ .folder = "/tmp/sb_plots_XXXXXX" };
	assert_non_null(mkdtemp(m->folder));
	fx_must(sb_store_open(path, SB_STORE_READ, &m->st, &err), &err);
	fx_must(sb_store_find_run(m->st, NULL, &run, &err), &err);
	fx_must(sb_store_read_run(m->st, run, &m->run, &err), &err);
	fx_must(sb_store_read_trials(m->st, run, &m->trials, &err), &err);
	fx_must(sb_store_read_samples(m->st, run, &m->trials, &m->samples, &err), &err);
	fx_must(sb_summary_compute(&m->run, &m->trials, &m->samples, NULL, &m->summary, &err), &err);
}

static inline enum sb_status plot(struct made *m, const struct sb_plots_options *opt, struct sb_error *err)
{
	const struct sb_plots_input in = { m->st, &m->run, &m->trials, &m->samples, &m->summary };

	return sb_plots_make(&in, m->folder, opt, &m->plots, err);
}

static inline void must_plot(struct made *m, const struct sb_plots_options *opt)
{
	struct sb_error err;

	fx_must(plot(m, opt, &err), &err);
}

static inline void end(struct made *m)
{
	char command[128];

	sb_plots_release(&m->plots);
	sb_summary_release(&m->summary);
	sb_samples_release(&m->samples);
	sb_trials_release(&m->trials);
	sb_run_release(&m->run);
	sb_store_close(m->st);
	snprintf(command, sizeof(command), "rm -rf %s", m->folder);
	assert_int_equal(system(command), 0);
}

static const struct sb_plot_made *named(const struct made *m, const char *id)
{
	for (size_t i = 0; i < m->plots.n; i++)
		if (!strcmp(m->plots.v[i].id, id))
			return &m->plots.v[i];
	fail_msg("no plot '%s'", id);
	return NULL;
}

/* ---- files ---------------------------------------------------------------------------------------------------------
 */

static inline char *text_of(const struct made *m, const char *name)
{
	char path[160];
	struct sb_buf b = { 0 };
	char piece[4096];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", m->folder, name);
	f = fopen(path, "rb");
	if (!f)
		return NULL;
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		sb_buf_add(&b, piece, n);
	fclose(f);
	return b.s;
}

static inline bool is_there(const struct made *m, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", m->folder, name);
	return !access(path, F_OK);
}

/* Field `column`, from 1, of the first line after `from` whose field `key_column` is `key`; NULL: none. */
static const char *cell(const char *text, int key_column, const char *key, int column)
{
	static char out[512];

	for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		const char *s = line;
		bool found = false;

		out[0] = '\0';
		for (int c = 1; *line != '#' && *line != '\n'; c++) {
			size_t n = strcspn(s, "\t\n");

			if (c == key_column && n == strlen(key) && !memcmp(s, key, n))
				found = true;
			if (c == column)
				snprintf(out, sizeof(out), "%.*s", (int)n, s);
			if (s[n] != '\t')
				break;
			s += n + 1;
		}
		if (found && out[0])
			return out;
	}
	return NULL;
}

static inline double number(const char *text, int key_column, const char *key, int column)
{
	const char *s = cell(text, key_column, key, column);

	if (!s)
		fail_msg("no row '%s' in:\n%s", key, text);
	return atof(s);
}

/* ---- SQL -----------------------------------------------------------------------------------------------------------
 */

static inline int by_size(const void *a, const void *b)
{
	return *(const double *)a > *(const double *)b ? 1 : *(const double *)a < *(const double *)b ? -1 : 0;
}

/* The median of what a statement gives, whose parameters are the texts a and b. */
static inline double sql_median(const char *path, const char *sql, const char *a, const char *b, int *n_values)
{
	sqlite3 *db;
	sqlite3_stmt *st;
	double v[512];
	char uri[256];
	int n = 0;

	snprintf(uri, sizeof(uri), "file:%s?immutable=1", path);
	assert_int_equal(sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	sqlite3_bind_text(st, 1, a, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 2, b, -1, SQLITE_STATIC);
	while (sqlite3_step(st) == SQLITE_ROW && n < 512)
		v[n++] = sqlite3_column_double(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	qsort(v, (size_t)n, sizeof(*v), by_size);
	if (n_values)
		*n_values = n;
	return n ? (v[(n - 1) / 2] + v[n / 2]) / 2 : NAN;
}

static inline void sql_run(const char *path, const char *sql, const char *text)
{
	sqlite3 *db;
	sqlite3_stmt *st;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	sqlite3_bind_text(st, 1, text, -1, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(st), SQLITE_DONE);
	sqlite3_finalize(st);
	sqlite3_close(db);
}

static const char of_timing[] __attribute__((unused)) =
        "SELECT value FROM sample_text WHERE arm = ?1 AND metric = ?2 AND kind = 'timing' "
        "AND run = (SELECT uid FROM run ORDER BY id DESC LIMIT 1) "
        "AND outcome = 'ok'";

static inline void close_to(double got, double wanted)
{
	if (!(fabs(got - wanted) <= 1e-8 * fabs(wanted)))
		fail_msg("%.12g, not %.12g", got, wanted);
}

/* ---- pictures ------------------------------------------------------------------------------------------------------
 */

static const struct sb_plots_options without __attribute__((unused)) = { .gnuplot = "/nonexistent/gnuplot" };

static inline void skip_without_gnuplot(void)
{
	char *program = sb_gnuplot_find();

	if (!program) {
		print_message("gnuplot is not installed: no picture is looked at\n");
		skip();
	}
	free(program);
}

/* Well-formed as far as tags go, and nothing in it that runs or loads. */
static inline void check_svg(const struct sb_plot_made *p)
{
	int depth = 0;

	assert_non_null(p->svg_text);
	assert_null(strstr(p->svg_text, "<script"));
	assert_null(strstr(p->svg_text, "http://x"));
	assert_non_null(strstr(p->svg_text, "prefers-color-scheme:dark"));
	for (const char *s = p->svg_text; *s; s++) {
		assert_true((unsigned char)*s >= ' ' || *s == '\n' || *s == '\t');
		if (*s != '<' || s[1] == '?')
			continue;
		if (s[1] == '/')
			depth--;
		else if (strchr(s, '>')[-1] != '/')
			depth++;
		assert_true(depth >= 0);
	}
	assert_int_equal(depth, 0);
}

/* ---- runs that are made ---------------------------------------------------------------------------------------------
 */

static inline void expect_absent(struct made *m, const char *id, const char *why)
{
	const struct sb_plot_made *p = named(m, id);

	assert_non_null(p->absent);
	if (!strstr(p->absent, why))
		fail_msg("'%s': %s", id, p->absent);
	assert_null(p->svg);
	assert_null(p->png);
}

static inline void end_fixture(struct fixture *fx, struct made *m)
{
	end(m);
	unlink(fx->path);
}

static inline void close_fixture(struct fixture *fx)
{
	struct sb_error err;

	fx_must(sb_store_end_run(fx->st, fx->run, "complete", &err), &err);
	sb_store_close(fx->st);
}

static inline void add_one_arm(struct fixture *fx, const char *arms)
{
	fx_open(fx, arms, "tracker", "synthetic", NULL);
	for (int block = 0; block < 7; block++) {
		fx_add(fx, "wall_ns", (100 + block) * MS);
		fx_add(fx, "stage.front.dino_ns", (10 + block) * MS);
		fx_add(fx, "memory.weights_bytes", 3 * MIB);
		fx_add(fx, "memory.allocated_peak_bytes", 7 * MIB);
		fx_trial(fx, 0, block, FX_TIMING, "ok", NULL);
	}
}

#endif
