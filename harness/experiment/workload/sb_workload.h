/*
 * workload: what a worker can run. A workload knows a case and the device interface, nothing of arms, blocks, processes
 * or databases. Uses base and backend.
 */
#ifndef SB_WORKLOAD_H
#define SB_WORKLOAD_H

#include "sb_backend.h"

#define SB_PATH_MAX 4096

/* What is run: preset + clip + frames + size. 0 and "" mean the preset's own. */
struct sb_case {
	char workload[32];
	char preset[32];
	char video[SB_PATH_MAX]; /* "": the built-in clip */
	char data_dir[SB_PATH_MAX];
	char weights_front[SB_PATH_MAX], weights_track[SB_PATH_MAX]; /* safetensors; "": synthetic */
	int64_t frames, stride;
	int64_t width, height;         /* of the network, multiples of 14; 0 with frames' own: the published rule */
	bool own_size;                 /* use the rule of ARCHITECTURE 2.1 even where the preset has a size */
	int64_t raw_width, raw_height; /* the video is a file of packed RGB24 frames of this size; 0: it is not */
	/* What is tracked. Files hold lines t,x,y in pixels of the network's size. */
	char queries[SB_PATH_MAX], support_file[SB_PATH_MAX];
	int64_t grid;       /* side of the grid of queries */
	int64_t support;    /* points added for the cameras; -1: none */
	int64_t iterations; /* of the tracker */
	int64_t window, overlap;
	char mode[16], cameras[16]; /* "": offline, ba */
	uint64_t seed;              /* of support points and replaced queries */
};

/* What the workload made of it; filled by open(). */
struct sb_workload_info {
	int64_t frames, stride, width, height; /* as run */
	int64_t clip_width, clip_height;
	char clip_source[256];
	char clip_note[512]; /* "" when there is nothing to say */
	uint64_t clip_digest, weights_digest;
	uint64_t points_digest;                   /* of what is tracked and how */
	int64_t n_queries, n_support, iterations; /* of the tracker */
	int64_t windows, window, overlap;
	int64_t track_width, track_height; /* its resolution */
	const char *cameras;               /* static */
	char inputs_note[512];             /* what of the tracker's inputs is made up, or "" */
	const char *weights_kind;          /* "synthetic", "file", or "synthetic file": exported by us; static */
	char weights_note[512];            /* "" when there is nothing to say */
	int64_t parameters;
};

/* One number that belongs to a trial. name: static. */
struct sb_measure {
	const char *name;
	struct sb_value value;
};
#define SB_QUALITY_MAX 32

/* Where results go. */
struct sb_save {
	const char *file, *depth_dir;  /* safetensors; a folder for one image of the depth a frame. NULL: not wanted */
	const char *const *metadata;   /* key, value, .., NULL: UTF-8 */
	const char *npz, *overlay_dir; /* tracks for viewers; a folder for frames with the tracks drawn on them */
	const char *memory_trace;      /* what the arm's allocator did in the pass; written by the worker itself */
};

struct sb_workload;

struct sb_workload_ops {
	const char *name;
	/* The timed pass, too, begins on an allocator as new: how memory fills is what is measured. */
	bool fresh_memory;
	/* Decode the clip and prepare what no clock covers. */
	enum sb_status (*open)(const struct sb_case *c, struct sb_backend *be, struct sb_workload **out,
	        struct sb_workload_info *info, struct sb_error *err);
	void (*close)(struct sb_workload *w);
	/* Prepare weights for be->levels unless they are there. Outside the clock and the arm's allocator. */
	enum sb_status (*prepare)(struct sb_workload *w, struct sb_error *err);
	int64_t (*weights_bytes)(const struct sb_workload *w); /* of the set that prepare() chose */
	/*
	 * One pass: from frames in host memory to results in host memory, between sb_backend_begin_pass() and
	 * _end_pass(). perturb: the input moved by one unit in the last place.
	 */
	enum sb_status (*run)(struct sb_workload *w, bool perturb, struct sb_error *err);
	/* Optional. Keep the last results as what later ones are compared with. */
	void (*set_reference)(struct sb_workload *w);
	/*
	 * Where there is set_reference(). How far the last results are from the reference: names "quality.*". Returns
	 * how many. 0 without a reference.
	 */
	int (*quality)(const struct sb_workload *w, struct sb_measure out[SB_QUALITY_MAX]);
	/* Optional. What else is to be said of the last pass, under names of the workload's own. Returns how many. */
	int (*measures)(const struct sb_workload *w, struct sb_measure out[SB_QUALITY_MAX]);
	/* Optional. Write the last results to files, complete ones only. Errors: SB_E_DATA naming the file, SB_E_NOMEM.
	 */
	enum sb_status (*save)(const struct sb_workload *w, const struct sb_save *to, struct sb_error *err);
};

#endif
