/* export: the file that is written. */
#include "export.h"

#include <string.h>

enum sb_status sb_export_begin(const struct sb_export *e, struct sb_export_target *t, struct sb_error *err)
{
	*t = (struct sb_export_target){ .to_file = strcmp(e->out, "-") != 0, .f = stdout };
	if (t->to_file && sb_out_file_open(&t->file, e->out, err))
		return err->code;
	if (t->to_file)
		t->f = t->file.f;
	return SB_OK;
}

enum sb_status sb_export_finish(struct sb_export_target *t, enum sb_status status, struct sb_error *err)
{
	if (t->to_file && status && ferror(t->file.f))
		sb_wrap(err, "'%.300s'", t->file.path); /* who wrote does not know its name */
	if (t->to_file && status)
		sb_out_file_abandon(&t->file);
	else if (t->to_file)
		return sb_out_file_finish(&t->file, err);
	else if (fflush(stdout) && !status)
		return sb_fail(err, SB_E_DATA, "cannot write to standard output");
	return status;
}
