/* The order of a report's parts, and where its plots stand. */
#include "report_internal.h"

#include <string.h>

static const char *const placed[] = { "claims", "stages", "trials", "kernels", "roofline", "memory", "fragmentation",
	"arms", "time-memory", "sweep", "capacity", "effects" };

bool sb_report_plot_has_place(const char *id)
{
	for (size_t i = 0; i < SB_ARRAY_LEN(placed); i++)
		if (!strcmp(placed[i], id))
			return true;
	return false;
}

enum sb_status sb_report_build(const struct sb_report_input *in, struct sb_doc **out, struct sb_error *err)
{
	struct sb_report r = { .d = sb_doc_new(), .in = in, .s = in->summary, .main = &in->summary->groups[0] };

	if (!r.d)
		return sb_fail(err, SB_E_NOMEM, "out of memory for the report");
	sb_report_first(&r);
	sb_report_careful_line(&r);
	sb_doc_contents(r.d);
	sb_report_claims(&r);
	sb_report_before_after(&r);
	sb_report_switches(&r);
	sb_report_arms(&r);
	sb_report_evidence(&r);
	sb_report_careful(&r);
	sb_report_repeat(&r);
	sb_report_missing(&r);
	if (sb_doc_failed(r.d)) {
		sb_doc_free(r.d);
		return sb_fail(err, SB_E_NOMEM, "out of memory for the report");
	}
	*out = r.d;
	return SB_OK;
}
