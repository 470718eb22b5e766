/*
 * backend: the device interface and the op table. The network is written once against this header; `cpu` is the
 * reference every other backend is checked against. Uses base, factors, memory and the kernels' argument structs.
 *
 * Work is submitted op by op, in order, on one stream; an op is coarse (a linear with its whole epilogue). Nobody calls
 * a backend's functions directly: the sb_backend_*() wrappers check, log, and are the one place to inject a fault.
 */
#ifndef SB_BACKEND_H
#define SB_BACKEND_H

#include "sb_base.h"
#include "sb_factors.h"
#include "sb_memory.h"

#include "attention.h"
#include "conv.h"
#include "linear.h"
#include "norm.h"
#include "patches.h"
#include "pointwise.h"
#include "procrustes.h"
#include "resize.h"
#include "track.h"

/* ---- ops ---------------------------------------------------------------------------------------------------- */

enum sb_op_kind {
	SB_KIND_GEMM,
	SB_KIND_CONV,
	SB_KIND_ATTENTION,
	SB_KIND_NORM,
	SB_KIND_ELEMENTWISE,
	SB_KIND_SAMPLE,
	SB_KIND_COPY,
	SB_KIND_COUNT,
};
extern const char *const sb_op_kind_names[SB_KIND_COUNT];

/* Host to device, or back. */
struct sb_transfer_args {
	void *dst;
	const void *src;
	size_t bytes;
};

/* Weights from memory of sb_backend_host_alloc() into slot 0 or 1, beside the stream of work. See stream_wait. */
struct sb_stream_args {
	void *dst;
	const void *src;
	size_t bytes;
	int slot;
};

/*
 * The op table: X(ID, member, kind, argument struct). A new op = one row here, one file op_<family>.c with its shape
 * check, work model and CPU adapter, one kernel family in kernels/.
 */
#define SB_OPS(X)                                                                        \
	X(UPLOAD, upload, COPY, struct sb_transfer_args)                                 \
	X(DOWNLOAD, download, COPY, struct sb_transfer_args)                             \
	X(LINEAR, linear, GEMM, struct sb_linear_args)                                   \
	X(CONV, conv, CONV, struct sb_conv_args)                                         \
	X(CONV_TRANSPOSE, conv_transpose, CONV, struct sb_conv_transpose_args)           \
	X(ATTENTION, attention, ATTENTION, struct sb_attention_args)                     \
	X(LAYER_NORM, layer_norm, NORM, struct sb_layer_norm_args)                       \
	X(QK_NORM_ROPE, qk_norm_rope, NORM, struct sb_qk_norm_rope_args)                 \
	X(FRAMES_RESIZE, frames_resize, SAMPLE, struct sb_frames_resize_args)            \
	X(RESIZE_BILINEAR, resize_bilinear, SAMPLE, struct sb_resize_bilinear_args)      \
	X(CHANNEL_AFFINE, channel_affine, ELEMENTWISE, struct sb_channel_affine_args)    \
	X(TOKENS, tokens, COPY, struct sb_tokens_args)                                   \
	X(COPY2D, copy2d, COPY, struct sb_copy2d_args)                                   \
	X(ADD_POSITION, add_position, ELEMENTWISE, struct sb_add_position_args)          \
	X(DEPTH_OUT, depth_out, ELEMENTWISE, struct sb_depth_out_args)                   \
	X(POSE_DECODE, pose_decode, ELEMENTWISE, struct sb_pose_decode_args)             \
	X(UNPROJECT, unproject, ELEMENTWISE, struct sb_unproject_args)                   \
	X(FILL, fill, ELEMENTWISE, struct sb_fill_args)                                  \
	X(SCALE, scale, ELEMENTWISE, struct sb_scale_args)                               \
	X(ADD, add, ELEMENTWISE, struct sb_add_args)                                     \
	X(REPEAT, repeat, COPY, struct sb_repeat_args)                                   \
	X(SUBSAMPLE, subsample, COPY, struct sb_subsample_args)                          \
	X(INSTANCE_NORM, instance_norm, NORM, struct sb_instance_norm_args)              \
	X(L2_NORMALIZE, l2_normalize, NORM, struct sb_l2_normalize_args)                 \
	X(RESIZE_NEAREST, resize_nearest, SAMPLE, struct sb_resize_nearest_args)         \
	X(AVG_POOL2, avg_pool2, SAMPLE, struct sb_avg_pool2_args)                        \
	X(PATCH_SAMPLE, patch_sample, SAMPLE, struct sb_patch_sample_args)               \
	X(CORR, corr, GEMM, struct sb_corr_args)                                         \
	X(NEIGHBOURS, neighbours, SAMPLE, struct sb_neighbours_args)                     \
	X(POSENC, posenc, ELEMENTWISE, struct sb_posenc_args)                            \
	X(MOTION, motion, ELEMENTWISE, struct sb_motion_args)                            \
	X(GROUP_MEAN, group_mean, ELEMENTWISE, struct sb_group_mean_args)                \
	X(DEPTH_MASK, depth_mask, ELEMENTWISE, struct sb_depth_mask_args)                \
	X(QUERY_SETUP, query_setup, SAMPLE, struct sb_query_setup_args)                  \
	X(NORM_BOX, norm_box, NORM, struct sb_norm_box_args)                             \
	X(BOX_MAP, box_map, ELEMENTWISE, struct sb_box_map_args)                         \
	X(GEOMETRY_TOKENS, geometry_tokens, ELEMENTWISE, struct sb_geometry_tokens_args) \
	X(TRACK_UPDATE, track_update, ELEMENTWISE, struct sb_track_update_args)          \
	X(DEPTH_SNAP, depth_snap, SAMPLE, struct sb_depth_snap_args)                     \
	X(DEPTH_CLEAN, depth_clean, SAMPLE, struct sb_depth_clean_args)                  \
	X(TRACK_OUT, track_out, ELEMENTWISE, struct sb_track_out_args)                   \
	X(PROCRUSTES, procrustes, SAMPLE, struct sb_procrustes_args)                     \
	X(STREAM, stream, COPY, struct sb_stream_args)

enum sb_op_id {
#define SB_OP_ENUM(ID, member, kind, args) SB_OP_##ID,
	SB_OPS(SB_OP_ENUM)
#undef SB_OP_ENUM
	        SB_OP_COUNT,
};

struct sb_op {
	enum sb_op_id id;
	union {
#define SB_OP_MEMBER(ID, member, kind, args) args member;
		SB_OPS(SB_OP_MEMBER)
#undef SB_OP_MEMBER
	} u;
};

/* What an op must do at least: each input read once, each output written once, no recomputation. */
struct sb_work {
	double flop;
	double bytes;
};

struct sb_op_info {
	const char *name;
	enum sb_op_kind kind;
	/* NULL when the arguments are possible, else what is wrong with them (a bug of the caller's). */
	const char *(*check)(const struct sb_op *op);
	struct sb_work (*work)(const struct sb_op *op);
};
extern const struct sb_op_info sb_op_table[SB_OP_COUNT];

/* ---- devices ------------------------------------------------------------------------------------------------ */

struct sb_backend;

/* A weight is prepared once for each use, level and backend: laid out and rounded as its op wants it. */
enum sb_weight_use {
	SB_WEIGHT_PLAIN,          /* bias, norm, token, table: as stored */
	SB_WEIGHT_LINEAR,         /* [out, in]; rounded to TF32 when precision.gemm is tf32 and the backend needs it */
	SB_WEIGHT_CONV,           /* [cout, cin, kh, kw] -> [cout, kh, kw, cin]; rounded by precision.conv */
	SB_WEIGHT_CONV_TRANSPOSE, /* [cin, cout, k, k] -> [k, k, cout, cin]; rounded by precision.conv */
};

struct sb_device_info {
	char name[128];
	char uuid[64];           /* "" when there is none */
	const char *kind;        /* "cpu", "cuda" */
	char software[256];      /* libraries that decide the numbers: BLAS and its configuration, threads */
	uint32_t emulated_parts; /* bit 1 << enum sb_part: the part's second level has the numerics but not the speed */
	int64_t memory_bytes;
	int capability;      /* of a CUDA device: 90 is 9.0; else 0 */
	int devices;         /* of its kind that may be used here, itself included; 0: it does not say */
	char conv_path[320]; /* what runs convolutions, where there is a choice: "own (why no cuDNN)", "cuDNN 9.19.0" */
};

/* What a backend in a library of its own is made of and what it finds here, whether or not it has a device. */
struct sb_backend_about {
	char built[192]; /* "CUDA 13.0, code for 80, 90a"; "" for what is part of the program */
	/* Libraries that it opens when it needs them. */
	struct {
		int version;     /* 10000 * major + 100 * minor + patch; 0: there is none */
		char text[256];  /* where, or why not */
		char fault[160]; /* what this version is known to do wrong, or "" */
	} tracer, dnn;
};

/* A device as a process of its own found it. */
struct sb_device_look {
	struct sb_device_info info;
	int64_t free_bytes, total_bytes; /* with the device opened and nothing on it; 0: it does not say */
	struct sb_backend_about about;
};

/* One kernel, copy or set that ran on the device; or, where calls are recorded too, a call of the host. */
struct sb_activity {
	int64_t start_ns, dur_ns; /* start on sb_now_ns()'s clock; both 0: the tracer could not tell */
	int64_t bytes;            /* copies and sets; kernels: 0 */
	const char *name;         /* lives as long as the process */
	uint32_t op;              /* index into the pass's log of ops */
	uint32_t stream;
	int32_t grid[3], block[3]; /* 0 for copies and sets */
	int32_t shared_bytes, registers;
	uint32_t correlation; /* joins it with the call that asked for it; 0: none */
	bool call;            /* of the API, on the host's clock: no time of the device's */
};

/* Nothing of a trace may be missing in silence. */
struct sb_activity_account {
	int64_t requested;   /* launches, copies and sets that were asked for */
	int64_t delivered;   /* records of them that came */
	int64_t dropped;     /* records that the tracer says it lost */
	int64_t zero_time;   /* delivered without times */
	int64_t unmatched;   /* asked for without a record, or a record that nobody asked for */
	int64_t overhead_ns; /* the tracer's own */
	/* What is not its doing: the queue of launches was full, for the device was behind; code was loaded. */
	int64_t queue_full_ns, loading_ns;
	/*
	 * Driver calls that got device memory or gave it back, their time, and records of the memory itself; -1: the
	 * tracer has none of these.
	 */
	int64_t memory_calls, memory_ns, memory_records;
};

/* The device as a card: a reading between passes. What is not told is absent with the reason. */
struct sb_device_state {
	struct sb_value power_w, temperature_c, sm_mhz, memory_mhz;
	struct sb_value used_bytes; /* by whoever, the driver included */
	struct sb_value energy_mj;  /* since the driver was loaded */
	/* How long power and heat have held clocks down since the driver was loaded: the card's own count. */
	struct sb_value power_held_ns, heat_held_ns;
	struct sb_value throttled; /* 1: clocks are held down by heat, power or hardware at this moment */
	char reasons[128];         /* what holds them down: "sw_power_cap,hw_thermal"; "" when nothing does */
	int64_t cost_ns;           /* what this reading took */
};

/* What the hardware's counters are kept apart by: the kinds of op with products. SB_COUNT_ALL: the whole pass. */
enum sb_count_class { SB_COUNT_GEMM, SB_COUNT_CONV, SB_COUNT_ATTENTION, SB_COUNT_ALL, SB_COUNT_CLASSES };
extern const char *const sb_count_class_names[SB_COUNT_CLASSES]; /* "gemm", "conv", "attention", "all" */

/*
 * One counter of a pass. What follows an op of a class and has no products itself is counted with it: begun anew for
 * every op, counting would take longer than the pass.
 */
struct sb_count {
	const char *name; /* "tf32_ops"; static */
	enum sb_count_class class;
	struct sb_value value;
};

/* What the clocks of a device's multiprocessors say of a pass: cycles do not change with the rate, as times do. */
struct sb_device_cycles {
	int64_t cycles; /* median over multiprocessors, from before its first work to behind its last; 0: not known */
	int64_t ns;     /* between the same points, by the device's timer */
	int sms;        /* multiprocessors that were read at both */
};

/* One comment a member: contract, units, optional or not. */
struct sb_backend_ops {
	const char *name; /* the word after --device */
	/* Open device `ordinal`; memory_limit_bytes 0 = what the device has. On SB_OK the caller owns *out. */
	enum sb_status (*open)(int ordinal, int64_t memory_limit_bytes, struct sb_backend **out, struct sb_error *err);
	void (*close)(struct sb_backend *be);
	void (*info)(const struct sb_backend *be, struct sb_device_info *out);
	/* Queue `op` and return, before it ends if the device can. In order. */
	enum sb_status (*submit)(struct sb_backend *be, const struct sb_op *op, struct sb_error *err);
	/* Wait until everything submitted has ended; reports asynchronous faults. */
	enum sb_status (*sync)(struct sb_backend *be, struct sb_error *err);
	/*
	 * Optional; NULL: sync does it. Wait until what is downloaded to [host, host + bytes) is there. What was
	 * submitted since, and downloads to other places, may still be on their way.
	 */
	enum sb_status (*arrived)(struct sb_backend *be, const void *host, size_t bytes, struct sb_error *err);
	/*
	 * Optional; NULL: what was submitted is done. After a failure: downloads that have not arrived are not wanted
	 * any more, and nothing is written to where they were to go. submit() does so itself when it fails.
	 */
	void (*abandon)(struct sb_backend *be);
	/*
	 * Bytes on the device of a prepared weight of this shape, and its preparation from host memory into device
	 * memory at `dst`. ndim <= 4.
	 */
	size_t (*weight_bytes)(struct sb_backend *be, enum sb_weight_use use, const int64_t *shape, int ndim);
	enum sb_status (*weight_prepare)(struct sb_backend *be, enum sb_weight_use use, const int64_t *shape, int ndim,
	        const float *host, void *dst, struct sb_error *err);
	/* Optional; NULL: weight_prepare does. The same from a rule instead of host memory: the values never travel. */
	enum sb_status (*weight_make)(struct sb_backend *be, enum sb_weight_use use, const int64_t *shape, int ndim,
	        const struct sb_value_rule *rule, void *dst, struct sb_error *err);
	/* Optional, both or none; NULL: malloc(). Host memory that the device copies from without the host. */
	enum sb_status (*host_alloc)(struct sb_backend *be, size_t bytes, void **out, struct sb_error *err);
	void (*host_free)(struct sb_backend *be, void *ptr);
	/*
	 * Optional, both or none; NULL: the op `stream` is done in its turn. Work submitted from here on waits for the
	 * last copy into the slot; the next copy into the slot waits for the work submitted so far. The host does not.
	 */
	enum sb_status (*stream_wait)(struct sb_backend *be, int slot, struct sb_error *err);
	enum sb_status (*stream_done)(struct sb_backend *be, int slot, struct sb_error *err);
	/* Optional. After sync: how long the pass's copies took, and how long work stood still for them. */
	void (*stream_times)(struct sb_backend *be, int64_t *copy_ns, int64_t *stall_ns);
	/* Optional. A point in time in the stream of work, index 0.. < SB_MARKS_MAX; times are read after sync. */
	void (*mark)(struct sb_backend *be, int index);
	int64_t (*mark_ns)(struct sb_backend *be, int index);
	/* Optional, for tools that watch. The host enters a stage, which ends the one before; NULL: it ends the last.
	 */
	void (*stage)(struct sb_backend *be, const char *name);
	/*
	 * Optional, both or none. cycles_mark(): queue a reading of every multiprocessor's clock, before a pass's work
	 * or (end) behind it; not while the tracer is on. cycles(): after sync, what lies between the last two.
	 */
	void (*cycles_mark)(struct sb_backend *be, bool end);
	void (*cycles)(struct sb_backend *be, struct sb_device_cycles *out);
	/*
	 * Optional; NULL: the caller does it on the host. Keep the device busy for `ns` nanoseconds by its own timer,
	 * and wait for it. For tests of what finds a slowdown: not while the tracer or counters are on.
	 */
	enum sb_status (*spend)(struct sb_backend *be, int64_t ns, struct sb_error *err);
	/*
	 * Optional: a tracer of what runs on the device. trace_open() once, with room for `capacity` records a pass;
	 * trace_begin() and trace_end() around a logged pass, the device idle; in between trace_op() says which entry
	 * of the log comes next. trace_end() sets be->activity. Errors: SB_E_ENV: why there is no tracer here.
	 */
	enum sb_status (*trace_open)(struct sb_backend *be, size_t capacity, struct sb_error *err);
	enum sb_status (*trace_begin)(struct sb_backend *be, struct sb_error *err);
	void (*trace_op)(struct sb_backend *be, uint32_t index);
	enum sb_status (*trace_end)(struct sb_backend *be, struct sb_error *err);
	/* Optional. Between passes. */
	void (*state)(struct sb_backend *be, struct sb_device_state *out);
	/*
	 * Optional: the hardware's counters, in sets that fit into one pass; set 0 is of the whole pass.
	 * counters_open() once, in a process without tracer; counters_begin() and counters_end() around a pass of at
	 * most `changes` changes of class, the device idle; in between counters_class() says to whom the next ops
	 * belong. counters_end() sets be->counts. Errors: SB_E_ENV: why nothing is counted here.
	 */
	int counter_sets;
	enum sb_status (*counters_open)(struct sb_backend *be, struct sb_error *err);
	enum sb_status (*counters_begin)(struct sb_backend *be, int set, size_t changes, struct sb_error *err);
	enum sb_status (*counters_class)(struct sb_backend *be, enum sb_count_class c, struct sb_error *err);
	enum sb_status (*counters_end)(struct sb_backend *be, struct sb_error *err);
	/* Optional. Loads libraries and touches no device. */
	void (*about)(struct sb_backend_about *out);
};

/*
 * What a backend that is opened at run time and the program that opens it must agree about: the layout of their
 * structs. By count and size, so that nobody has to think of it.
 */
#define SB_ABI_MIX(h, x) (((h) ^ (uint64_t)(x)) * UINT64_C(0x100000001b3))
#define SB_ABI_OPS                                                                           \
	SB_ABI_MIX(SB_ABI_MIX(SB_ABI_MIX(SB_FNV1A_INIT, SB_OP_COUNT), sizeof(struct sb_op)), \
	        sizeof(struct sb_backend_ops))
#define SB_ABI_BACKEND                                                                                     \
	SB_ABI_MIX(SB_ABI_MIX(SB_ABI_MIX(SB_ABI_OPS, sizeof(struct sb_backend)), sizeof(struct sb_pages)), \
	        sizeof(struct sb_pages_ops))
#define SB_BACKEND_ABI                                                                                                 \
	SB_ABI_MIX(                                                                                                    \
	        SB_ABI_MIX(SB_ABI_MIX(SB_ABI_BACKEND, sizeof(struct sb_device_info)), sizeof(struct sb_device_state)), \
	        sizeof(struct sb_activity) + sizeof(struct sb_backend_about))

/* The written table of devices; NULL-terminated. */
extern const struct sb_backend_ops *const sb_backends[];

#define SB_MARKS_MAX  2048 /* seven stages an iteration, four iterations, some sixty windows */
#define SB_STAGES_MAX 64

/* One submitted op in a trace: what it was and when it ran (CPU: host clock around the call). */
struct sb_op_record {
	int64_t start_ns, dur_ns;
	const char *kernel; /* what did the work: "sgemm", "attention_efficient", .. (static) */
	uint16_t op;        /* enum sb_op_id */
	uint16_t stage;     /* index into sb_backend_stages() */
	double bytes;
};

struct sb_stage_time {
	const char *name; /* static */
	int64_t ns;
};

/* A fault to inject, for tests: at the n-th submit counted from now. */
enum sb_fault_kind { SB_FAULT_NONE, SB_FAULT_CRASH, SB_FAULT_HANG, SB_FAULT_FAIL, SB_FAULT_LOSE };

/* Part of every backend: each device's own struct begins with it. */
struct sb_backend {
	const struct sb_backend_ops *ops;
	struct sb_pages *pages;  /* the device's page provider: weights and the arm's allocator stand on it */
	struct sb_alloc *alloc;  /* the arm's allocator; NULL between trials */
	struct sb_levels levels; /* the arm's */
	const struct sb_alloc_options *alloc_options; /* of every arm's allocator; NULL: PyTorch's defaults */
	bool lost;          /* this process has lost its device: nothing works any more, start another */
	bool limited;       /* a memory limit was asked for: keep nothing that this arm does not need */
	const char *kernel; /* set by submit(): name of what ran, for the trace */
	const char *op_now; /* the op that is being submitted; NULL between two: for the memory timeline */

	struct sb_stage_time stages[SB_STAGES_MAX];
	int n_stages, stage, n_marks;
	uint16_t mark_stage[SB_MARKS_MAX];

	struct sb_op_record *log;
	size_t n_log, cap_log;
	bool logging, log_overflow;
	bool trace_calls;                   /* the tracer is to record every call of the API, too */
	bool tracing;                       /* the device's tracer is open: logged passes fill what follows */
	const struct sb_activity *activity; /* of the last logged pass, in launch order, then calls; the tracer's */
	size_t n_activity;
	struct sb_activity_account account;
	struct sb_device_cycles cycles; /* of the last pass that was not logged */
	int64_t pass_end_ns; /* when the work of the last pass had ended, before anybody was asked what he saw of it */
	bool counters, counting;              /* counters are open; this pass is counted */
	enum sb_count_class count_class;      /* of the last op that has one; SB_COUNT_ALL: none yet */
	size_t class_changes, changes_before; /* of this pass and of the one before, with counters open */
	double class_flop[SB_COUNT_CLASSES];  /* the same: what ops of that kind must do at least */
	const struct sb_count *counts;        /* of the last counted pass; the backend's memory */
	size_t n_counts;
	int64_t submits;

	int64_t offload_budget; /* bytes of offloaded weights that may stay on the device all the same */
	int64_t streamed_bytes; /* of weights, in this pass */

	int64_t attention_workspace_bytes, attention_bytes; /* maxima over the pass */
	int64_t attention_scores_bytes;                     /* the same: of one score matrix, held or not */
	enum sb_fault_kind fault;
	int64_t fault_at;
};

/*
 * name: "cpu", "cuda" or "cuda:N", "auto" (the first CUDA device that opens, else the CPU; the log says why where one
 * might have expected a GPU). Errors: SB_E_USAGE for an unknown word, SB_E_ENV when the device is not there.
 */
enum sb_status sb_backend_open(
        const char *name, int64_t memory_limit_bytes, struct sb_backend **out, struct sb_error *err);
void sb_backend_close(struct sb_backend *be);
/*
 * Variables of the environment by which NVIDIA's libraries compute with another precision than they are asked for: the
 * i-th that is set; NULL: no more. Opening a CUDA device takes them out of this process's environment.
 */
const char *sb_backend_foreign_setting(int i);
/* The file of the CUDA backend that would be opened, into out[n]; false when there is none beside this program. */
bool sb_backend_cuda_file(char *out, size_t n);
/*
 * Is a GPU likely to be used by `auto`? The library is here, and a driver or SPABENCH_CUDA_LIB says that it is meant;
 * nothing is loaded, no device touched.
 */
bool sb_backend_gpu_expected(void);
/*
 * Open a device in a process of its own, which this one survives, and close it again. Not while this process has
 * threads. Errors: why it does not open (out->about is set all the same); SB_E_DEVICE: the process was killed, or had
 * no answer within timeout_s.
 */
enum sb_status sb_backend_look(const char *name, double timeout_s, struct sb_device_look *out, struct sb_error *err);
/* As the members. free accepts NULL. Errors: SB_E_NOMEM. */
enum sb_status sb_backend_host_alloc(struct sb_backend *be, size_t bytes, void **out, struct sb_error *err);
void sb_backend_host_free(struct sb_backend *be, void *ptr);
/* As the member `arrived`. */
enum sb_status sb_backend_arrived(struct sb_backend *be, const void *host, size_t bytes, struct sb_error *err);
void sb_backend_info(const struct sb_backend *be, struct sb_device_info *out);

/*
 * Open the device's tracer; before any pass. calls: it is to record every call of the API, too, which costs. SB_OK
 * where ops are logged on the host's clock because the device is the host. Errors: SB_E_ENV: the library is missing or
 * taken; the backend still works, untraced.
 */
enum sb_status sb_backend_trace_open(struct sb_backend *be, bool calls, struct sb_error *err);

/* Open the hardware's counters; before any pass. Errors: SB_E_ENV: why there are none; the backend still works. */
enum sb_status sb_backend_counters_open(struct sb_backend *be, struct sb_error *err);
/*
 * After begin_pass: count this pass with one of ops->counter_sets sets. Before any but set 0 a pass of the same ops
 * went, with the counters open. sb_backend_end_pass() leaves the counts in be->counts. Nothing of such a pass may be
 * timed.
 */
enum sb_status sb_backend_begin_counting(struct sb_backend *be, int set, struct sb_error *err);

/* The levels that weights are prepared for and ops run at. Not while an arm runs. */
void sb_backend_set_levels(struct sb_backend *be, const struct sb_levels *levels);
/* Begin the arm of these levels: a fresh allocator of their policy. */
enum sb_status sb_backend_begin_arm(struct sb_backend *be, struct sb_error *err);
/* Close the arm's allocator: device memory is as before. Returns the number of blocks that were still allocated. */
int64_t sb_backend_end_arm(struct sb_backend *be);

/* Begin a pass: clears stages, marks, maxima and the log. With `log_capacity` > 0 ops are logged (a trace trial). */
enum sb_status sb_backend_begin_pass(struct sb_backend *be, size_t log_capacity, struct sb_error *err);
/* End the running stage, wait, and resolve stage times. */
enum sb_status sb_backend_end_pass(struct sb_backend *be, struct sb_error *err);

/* Enter a stage (a static string, e.g. "front.dino"), which ends the one before. The same name may come again. */
void sb_backend_stage(struct sb_backend *be, const char *name);

enum sb_status sb_submit(struct sb_backend *be, const struct sb_op *op, struct sb_error *err);

/* Device memory from the arm's allocator. Errors: SB_E_NOMEM (details by sb_alloc). Release accepts NULL. */
enum sb_status sb_device_alloc(struct sb_backend *be, size_t bytes, void **out, struct sb_error *err);
void sb_device_free(struct sb_backend *be, void *ptr);

/* Submit by argument struct: SB_SUBMIT(be, LINEAR, linear, args, err). */
#define SB_SUBMIT(be, ID, member, args, err) \
	sb_submit((be), &(const struct sb_op){ .id = SB_OP_##ID, .u.member = (args) }, (err))

#endif
