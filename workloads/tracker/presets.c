#include "sb_presets.h"

#include <string.h>

const struct sb_preset sb_presets[] = {
	{
	        .name = "tiny",
	        .front = { .dim = 64,
	                .depth = 4,
	                .heads = 4,
	                .vit_depth = 2,
	                .trunk = 2,
	                .feat = 32,
	                .outc = { 32, 64, 96, 96 },
	                .idx = { 0, 1, 2, 3 },
	                .img = 518 },
	        .track_h = 96,
	        .track_w = 128,
	        .dflt = { .n_frames = 4,
	                .width = 252,
	                .height = 140,
	                .n_queries = 16,
	                .n_support = 24,
	                .n_iterations = 1 },
	},
	{
	        .name = "small",
	        .front = { .dim = 384,
	                .depth = 6,
	                .heads = 6,
	                .vit_depth = 6,
	                .trunk = 2,
	                .feat = 64,
	                .outc = { 64, 128, 256, 256 },
	                .idx = { 1, 2, 4, 5 },
	                .img = 518 },
	        .track_h = 96,
	        .track_w = 128,
	        .dflt = { .n_frames = 8,
	                .width = 252,
	                .height = 140,
	                .n_queries = 64,
	                .n_support = 128,
	                .n_iterations = 4 },
	},
	{
	        .name = "full", /* the released network */
	        .front = { .dim = 1024,
	                .depth = 24,
	                .heads = 16,
	                .vit_depth = 24,
	                .trunk = 4,
	                .feat = 256,
	                .outc = { 256, 512, 1024, 1024 },
	                .idx = { 4, 11, 17, 23 },
	                .img = 518 },
	        .track_h = 384,
	        .track_w = 512,
	        .dflt = { .n_frames = 24,
	                .width = 518,
	                .height = 294,
	                .n_queries = 256,
	                .n_support = 756,
	                .n_iterations = 4 },
	},
};

const size_t sb_n_presets = SB_ARRAY_LEN(sb_presets);

enum sb_status sb_preset_find(const char *name, const struct sb_preset **out, struct sb_error *err)
{
	struct sb_buf names = { 0 };
	char shown[64];
	enum sb_status status;

	for (size_t i = 0; i < sb_n_presets; i++) {
		if (!strcmp(name, sb_presets[i].name)) {
			*out = &sb_presets[i];
			sb_buf_release(&names);
			return SB_OK;
		}
		sb_buf_addf(&names, "%s%s", i ? ", " : "", sb_presets[i].name);
	}
	sb_escape(name, shown, sizeof(shown));
	status = sb_fail(err, SB_E_USAGE, "no preset '%s'; there are %s", shown, sb_buf_str(&names));
	sb_buf_release(&names);
	return status;
}
