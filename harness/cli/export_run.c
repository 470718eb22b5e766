/* export csv, export json: a run as 'spabench show' prints it, into a file. */
#include "export.h"
#include "run_data.h"
#include "sb_reports.h"

static enum sb_status write_run(const struct sb_export *e,
        enum sb_status (*render)(const struct sb_report_run *r, FILE *out, struct sb_error *err), struct sb_error *err)
{
	struct sb_export_target target;
	struct sb_run_data d;
	enum sb_status status = sb_run_data_read(e->db, e->run, e->arm, &d, err);

	if (status)
		return status;
	status = sb_export_begin(e, &target, err);
	if (!status) {
		const struct sb_report_run r = { &d.run, &d.trials, &d.samples, d.tables, d.arm };

		status = sb_export_finish(&target, render(&r, target.f, err), err);
	}
	sb_run_data_release(&d);
	return status;
}

enum sb_status sb_export_csv(const struct sb_export *e, struct sb_error *err)
{
	return write_run(e, sb_report_run_csv, err);
}

enum sb_status sb_export_json(const struct sb_export *e, struct sb_error *err)
{
	return write_run(e, sb_report_run_json, err);
}
