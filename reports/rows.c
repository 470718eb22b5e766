/* What every table for people asks of a row. */
#include "reports_internal.h"

const char *sb_row_remark(const struct sb_summary_row *row, const struct sb_summary_group *g)
{
	if (!g->after)
		return row->before.absent ? row->before.absent : row->note;
	if (row->compare == SB_COMPARE_PLAIN)
		return row->after.absent ? row->after.absent : row->note;
	/* That there is no ratio to 0 needs no words where the 0 stands. */
	if (!row->before.absent && row->before.v == 0 && row->effect.pairs)
		return row->note;
	return row->effect.estimate.absent ? row->effect.estimate.absent : row->note;
}

bool sb_row_is_shown(const struct sb_summary_row *row)
{
	return row->section != SB_SECTION_OTHER &&
	       (!(row->flags & SB_ROW_UNMEASURED) || row->section == SB_SECTION_TOTAL);
}
