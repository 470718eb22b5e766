/* What allocators reserved beyond what was in use, over the churn case: each policy's peaks, and the course of a pass.
 */
#include "plots_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "other_run.h"
#include "timeline_bins.h"

enum { ROW_PX = 54, FRAME_PX = 150, COURSE_PX = 260, NAME_COLUMNS = 38 };

#define GIB (1024.0 * 1024.0 * 1024.0)

/* "expandable", of "precision.gemm=tf32,..,alloc=expandable"; "default" where nothing is said. */
static void policy_of(const struct sb_run_arm *arm, char *out, size_t n)
{
	const char *s = strstr(arm->levels, "alloc=");

	if (s)
		snprintf(out, n, "%.*s", (int)strcspn(s + 6, ","), s + 6);
	else
		snprintf(out, n, "default");
}

static void add_words(struct sb_plot *p, double active, double reserved)
{
	struct sb_buf b = { 0 };

	sb_plot_figure(&b, reserved < 1 ? active * 1024 : active, 3);
	sb_buf_puts(&b, " of ");
	sb_plot_figure(&b, reserved < 1 ? reserved * 1024 : reserved, 3);
	sb_buf_puts(&b, reserved < 1 ? " MiB, fragmentation " : " GiB, fragmentation ");
	sb_plot_figure(&b, 100 * (1 - active / reserved), 3);
	sb_buf_puts(&b, " %");
	sb_plot_cell(&p->data, sb_buf_str(&b), 0);
	p->data.failed |= b.failed;
	sb_buf_release(&b);
}

static bool add_arm(struct sb_plot *p, int arm, int y, double *max)
{
	struct sb_interval active = sb_plot_median(p->in, arm, "memory.active_peak_bytes", SB_PLOT_TIMING);
	struct sb_interval reserved = sb_plot_median(p->in, arm, "memory.reserved_peak_bytes", SB_PLOT_TIMING);
	char policy[64];

	if (!isfinite(active.mid) || !isfinite(reserved.mid) || !(reserved.mid > 0))
		return false;
	policy_of(&p->in->run->arms[arm], policy, sizeof(policy));
	sb_buf_addf(&p->data, "%d", y);
	sb_plot_cell(&p->data, policy, NAME_COLUMNS);
	sb_plot_cell(&p->data, p->in->run->arms[arm].name, NAME_COLUMNS);
	sb_plot_number(&p->data, active.mid / GIB);
	sb_plot_number(&p->data, reserved.mid / GIB);
	sb_buf_addf(&p->data, "\t%u\t%d", sb_plot_look(p->in->run, arm).rgb, reserved.n);
	add_words(p, active.mid / GIB, reserved.mid / GIB);
	sb_buf_puts(&p->data, "\n");
	*max = fmax(*max, reserved.mid / GIB);
	if ((size_t)reserved.n > p->n_trials)
		p->n_trials = (size_t)reserved.n;
	return true;
}

/* ---- the course of a pass ---------------------------------------------------------------------------------------- */

static bool add_course(struct sb_plot *p, int arm, int trial, int64_t bin_ns, struct sb_bins *bins)
{
	if (!sb_timeline_bins(p->in, trial, bin_ns, bins))
		return false;
	sb_buf_puts(&p->data, "\n\n# columns: time in ms, largest of reserved - active (GiB), colour\n");
	for (int i = 0; i < bins->n; i++) {
		sb_buf_addf(&p->data, "%.6g", (double)i * (double)bin_ns / 1e6);
		sb_plot_number(&p->data, (double)bins->v[i].unused / GIB);
		sb_buf_addf(&p->data, "\t%u\n", sb_plot_look(p->in->run, arm).rgb);
	}
	return true;
}

static int add_courses(struct sb_plot *p)
{
	const struct sb_run *run = p->in->run;
	struct sb_bins *bins = malloc(sizeof(*bins));
	int64_t end = 0;
	const char *why;
	int n = 0;

	p->data.failed |= !bins;
	for (int a = 0; bins && a < run->n_arms; a++) {
		int trial = sb_timeline_trial(p->in, a, &why);
		int64_t e = trial >= 0 ? sb_timeline_end(p->in, trial) : 0;

		end = e > end ? e : end;
	}
	for (int a = 0; bins && end > 0 && a < run->n_arms; a++) {
		int trial = sb_timeline_trial(p->in, a, &why);

		n += trial >= 0 && add_course(p, a, trial, end / (SB_BINS - 1) + 1, bins);
	}
	free(bins);
	sb_plot_set(p, "max_time", (double)end / 1e6);
	return n;
}

static bool draw(struct sb_plot *p)
{
	const struct sb_run *run = p->in->run;
	double max = 0;
	int rows = 0, courses;

	sb_buf_puts(
	        &p->data, "# columns: row, allocator, arm, peak active, peak reserved (GiB), colour, n, in words\n");
	for (int a = 0; a < run->n_arms; a++)
		rows += add_arm(p, a, rows + 1, &max);
	if (!rows)
		return sb_plot_why(p, "no timing trial that was ok has the peaks of its memory");
	courses = add_courses(p);
	sb_plot_count(p, "rows", rows);
	sb_plot_count(p, "courses", courses);
	sb_plot_set(p, "max", 1.04 * max);
	sb_plot_set(p, "row_px", ROW_PX);
	sb_plot_count(p, "width", 1000);
	sb_plot_count(p, "height", FRAME_PX + ROW_PX * rows + (courses ? COURSE_PX : 0));
	p->n_what = "timing trials per arm";
	sb_buf_puts(&p->caption,
	        "Over a pass of clips that change their size: peak active memory (full colour) within peak reserved "
	        "(dimmed), in GiB without weights; medians of at most ");
	sb_plot_how_many(&p->caption, p->n_trials, "timing trial");
	sb_buf_puts(&p->caption, " of an arm. Fragmentation is 1 - peak active / peak reserved.");
	if (courses)
		sb_buf_puts(&p->caption, " Below: reserved - active over one traced pass of each arm.");
	return true;
}

/* ---- which run --------------------------------------------------------------------------------------------------- */

static bool is_churn(const struct sb_run *run)
{
	return !strncmp(run->workload, "churn", 5);
}

static bool other_is_churn(const struct sb_plots_input *other, const struct sb_plots_input *own)
{
	(void)own;
	return is_churn(other->run);
}

bool sb_plot_fragmentation(struct sb_plot *p)
{
	bool made;

	if (is_churn(p->in->run))
		return draw(p);
	if (sb_plot_of_other(p, other_is_churn, draw, "whose workload is one of changing clips", &made))
		return made;
	return sb_plot_why(p,
	        "the run is of the workload '%.40s', where clips do not change their size, and the database has no "
	        "other "
	        "of this device; see 'spabench run --workload churn'",
	        p->in->run->workload);
}
