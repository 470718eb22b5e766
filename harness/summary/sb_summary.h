/*
 * summary: what a table or a report says. One run of a database in, rows of figures with intervals and verdicts out:
 * numbers in base units and finished sentences, no layout. Uses store, stats, factors, base (and jansson inside, for
 * the case's parameters). Reports render what is here and compute nothing.
 *
 * Pairs are formed within a block: two arms' timing trials of one block are a pair of every timing metric, their trace
 * trials of one block a pair of every op.* metric. Only trials with outcome `ok` count, and only complete traces.
 * Every metric is one of which less is better.
 */
#ifndef SB_SUMMARY_H
#define SB_SUMMARY_H

#include "sb_base.h"
#include "sb_factors.h"
#include "sb_store.h"

/* The base unit a value is in. */
enum sb_unit {
	SB_UNIT_TIME,    /* nanoseconds */
	SB_UNIT_BYTES,   /* bytes */
	SB_UNIT_COUNT,   /* a number of things */
	SB_UNIT_RATIO,   /* a quotient of like values */
	SB_UNIT_PERCENT, /* a fraction, 0.01 is one percent */
	SB_UNIT_PIXELS,  /* pixels of the clip as it was run */
	SB_UNIT_DEGREES, /* degrees of angle */
	SB_UNIT_UNKNOWN, /* of a metric that the table in metrics.c does not know */
};
const char *sb_unit_name(enum sb_unit unit); /* "ns", "bytes", "count", "ratio", "fraction", "pixels", "degrees", "" */

/* Where a row stands within its group, in the order of printing. */
enum sb_section {
	SB_SECTION_TOTAL,
	SB_SECTION_STAGES,
	SB_SECTION_OPS,
	SB_SECTION_COLD,
	SB_SECTION_MEMORY,
	SB_SECTION_DRIVER,
	SB_SECTION_ACCURACY,
	SB_SECTION_OTHER, /* unknown metrics: for JSON; a table only counts them */
	SB_SECTION_COUNT,
};
const char *sb_section_name(enum sb_section section);  /* one word, for JSON */
const char *sb_section_title(enum sb_section section); /* a few words, for a table; see sb_summary_section_title() */

/* How before and after are set against each other. */
enum sb_compare {
	SB_COMPARE_RATIO,      /* effect = after / before */
	SB_COMPARE_DIFFERENCE, /* effect = after - before, for what may be zero */
	SB_COMPARE_PLAIN,      /* no effect: the value already is a comparison (drift from the reference) */
};

enum sb_row_flags {
	SB_ROW_EMULATED = 1 << 0,   /* one of the arms has a level that this device emulates: its times prove nothing */
	SB_ROW_TRACED = 1 << 1,     /* from trace trials */
	SB_ROW_EXACT = 1 << 2,      /* every trial of either arm gave the same value; at least two trials each */
	SB_ROW_UNMEASURED = 1 << 3, /* neither arm has a value */
};

/*
 * What to be careful about in the samples of a time, as a verdict names it. `clock`: the time changed, the rate of the
 * multiprocessors' clock changed, and cycles did not (their interval holds 1, or is within a tenth of the time's
 * change): another clock, not other work. A stage's cycles are its time at its pass's mean rate. `throttled`: in some
 * of these trials the card held its clocks down. `drifting`, `two modes`: log ratios over the pairs, by
 * sb_sample_look().
 */
enum sb_caution {
	SB_CAUTION_CLOCK = 1 << 0,
	SB_CAUTION_THROTTLED = 1 << 1,
	SB_CAUTION_DRIFTING = 1 << 2,
	SB_CAUTION_TWO_MODES = 1 << 3,
};
extern const char *const sb_caution_names[];                  /* in the order of the bits; NULL-terminated */
void sb_cautions_text(unsigned cautions, struct sb_buf *out); /* "clock, drifting"; nothing for 0 */

/* Pair by pair, before and after; NAN where there is none. Values behind the 256th pair are not looked at. */
struct sb_caution_samples {
	const double *time[2];
	const double *mhz[2];  /* mean rate of the clock in the same trials; NULL: not read */
	const double *held[2]; /* above 0 where clocks were held down; NULL: nobody looked */
	int n;
	double level;    /* of the intervals that decide about `clock` */
	bool only_clock; /* do not look for drift and modes, which takes a millisecond */
};
/* With fewer than 6 pairs only `throttled` can be seen. */
unsigned sb_cautions_of(const struct sb_caution_samples *s);

/* Of one side of two that were measured at different times, in their order: there are no pairs. */
struct sb_caution_series {
	const double *time, *mhz; /* mhz: as above */
	int n;                    /* with fewer than 6 neither drift nor modes are seen, with 1 no clock's change */
	bool held;                /* in some trial clocks were held down */
};
/* `clock` by Welch's intervals of what these samples vary by; `drifting` and `two modes` of either side's times. */
unsigned sb_cautions_of_two(const struct sb_caution_series side[2], double level);

/* An effect and its 95 % interval. estimate.absent: no pair, and why. */
struct sb_effect {
	struct sb_value estimate;
	double lo, hi;     /* valid with has_interval */
	bool has_interval; /* false under 6 pairs */
	int pairs;         /* blocks in which both arms have a value */
};

struct sb_summary_row {
	const char *metric;
	const char *label;
	enum sb_unit unit;
	enum sb_section section;
	enum sb_compare compare;
	struct sb_value before, after; /* medians over each arm's own trials */
	struct sb_value drift_one_ulp; /* accuracy rows: that of the reference when its input changes by one ulp */
	struct sb_effect effect;
	unsigned flags;
	unsigned cautions; /* SB_CAUTION_* of a time that has a ratio */
	const char *note;  /* a sentence, or NULL */
};

enum sb_group_kind {
	SB_GROUP_MAIN,   /* before -> after, all rows */
	SB_GROUP_FACTOR, /* before -> the arm that differs in one factor alone, the rows that factor acts on */
	SB_GROUP_BEST,   /* after -> best: what a native kernel can add; no claim rests on it */
	SB_GROUP_ARM,    /* before -> an arm that is in no other group: its total, kinds of op and memory */
};

struct sb_summary_group {
	enum sb_group_kind kind;
	const char *factor;         /* of a FACTOR group, else NULL */
	const char *title;          /* "before -> after" */
	const char *before, *after; /* names of the arms; after is NULL when the run has one arm only */
	const char *change; /* "precision.gemm fp32 -> tf32, alloc default -> expandable"; "" without a second arm */
	bool emulated;
	const char **notes; /* sentences: out of memory, crashed trials, .. */
	size_t n_notes;
	struct sb_summary_row *rows;
	size_t n_rows;
};

const char *sb_outcome_title(enum sb_outcome outcome); /* the word of a sentence: "out of memory" */

struct sb_summary_arm {
	const char *name, *levels;
	int n_trials[2][SB_OUTCOME_COUNT];      /* [timing, trace][outcome] */
	const char *messages[SB_OUTCOME_COUNT]; /* of the first trial that ended so, or NULL */
	bool emulated;
	const char *emulated_parts; /* "precision", or "" */
};

/* Was a switch of this run in effect? */
enum sb_in_effect { SB_EFFECT_UNKNOWN, SB_EFFECT_YES, SB_EFFECT_NO };
struct sb_summary_switch {
	const char *factor;
	enum sb_in_effect in_effect;
	const char *evidence; /* the whole fact, "in effect: 312 of 312 gemm kernels", or why there is none */
};

enum sb_verdict {
	SB_VERDICT_MET,
	SB_VERDICT_EXCEEDED,
	SB_VERDICT_MET_OR_EXCEEDED,
	SB_VERDICT_INCONCLUSIVE,
	SB_VERDICT_NOT_MET,
	SB_VERDICT_NOT_TESTED,
};
const char *sb_verdict_name(enum sb_verdict verdict); /* "met or exceeded" */

/*
 * Judge an interval [lo, hi] against the claimed band [band_lo, band_hi]; less is better, edges belong to the band.
 * Wholly inside: met. Wholly below: exceeded. Over the lower edge only: met or exceeded. Over the upper edge (or both,
 * or not a number): inconclusive. Wholly above: not met. Never SB_VERDICT_NOT_TESTED.
 */
enum sb_verdict sb_claim_verdict(double lo, double hi, double band_lo, double band_hi);

struct sb_summary_claim {
	const char *id;             /* "matrix_operations": stable, for JSON */
	const char *label;          /* "matrix operations" */
	const char *stated;         /* "2-3x": what the claim says in its own words */
	const char *expected;       /* "0.333..0.500", "below 1 px" */
	double band_lo, band_hi;    /* band_lo is -HUGE_VAL where only an upper edge is claimed */
	const char *before, *after; /* arms it is judged on (after alone, where before is NULL) */
	enum sb_unit unit;          /* of the effect */
	struct sb_effect effect;    /* shown where it exists, even when not tested */
	enum sb_verdict verdict;
	unsigned cautions;  /* SB_CAUTION_* of the samples it is judged by */
	const char *reason; /* of "not tested", else NULL */
	const char *where;  /* "on the CPU": a verdict on times that is no verdict on a GPU's; else NULL */
	const char *behind; /* what stands behind the verdict in a table: where, and the cautions in words; or NULL */
};

/*
 * What each switch brings where every combination of several was measured; stats/sb_effects.h says how. Effects of
 * times are ratios, of bytes differences: what switches save in bytes adds up.
 */
enum sb_lattice_row_kind {
	SB_LATTICE_MAIN,  /* on / off (or on - off), averaged over all levels of the other switches */
	SB_LATTICE_TOTAL, /* all switches on / all off (or -) */
	SB_LATTICE_PAIR,  /* the effect of one with the other on / that with the other off (or minus); 1 (or 0): none */
	SB_LATTICE_SHARE, /* the part that is this switch's of the whole change: Shapley; a fraction, they sum to 1 */
	SB_LATTICE_AT,    /* as MAIN, where another switch is at one level */
};
/* "effect", "all together", "interaction", "share", "effect at a level" */
const char *sb_lattice_row_name(enum sb_lattice_row_kind kind);

struct sb_summary_lattice_row {
	enum sb_lattice_row_kind kind;
	int factor, other; /* indices into factors; -1 where there is none */
	bool on;           /* AT: whether `other` is on */
	const char *label; /* "precision", "precision x attention", "precision, attention=efficient" */
	struct sb_effect effect;
};

struct sb_summary_lattice_metric {
	const char *metric, *label;
	enum sb_unit unit;
	enum sb_section section;
	enum sb_compare compare; /* of all rows but the shares: RATIO or DIFFERENCE */
	bool emulated;
	int blocks, left_out; /* whole ones, and those in which an arm has no value */
	struct sb_summary_lattice_row *rows;
	size_t n_rows;
};

struct sb_summary_lattice {
	const char *absent; /* why there are no effects; NULL: there are, and the rest holds */
	int n_factors;
	const char *factors[4], *levels[4][2]; /* "attention", { "standard", "efficient" } */
	const char *title;                     /* "precision x attention x alloc" */
	const char *only;                      /* levels of switches that do not vary here, "alloc=default"; "" */
	const char *first, *last;              /* arms: all of them off, all on */
	int n_arms;
	bool detailed; /* asked for: stages too, and what depends on another's level in tables */
	const char **notes;
	size_t n_notes;
	struct sb_summary_lattice_metric *metrics; /* total, memory, and when asked for the stages */
	size_t n_metrics;
};

struct sb_summary {
	/* what was run, on what */
	const char *run_id, *status, *command, *note;
	int64_t created_ns, ended_ns;                  /* wall clock; ended 0: not ended */
	const char *device, *device_kind, *cpu, *host; /* NULL: not recorded */
	const char *workload, *preset, *params;        /* params: JSON as stored */
	const char *clip, *clip_note, *clip_digest;
	const char *points;        /* what was tracked and how, in words; NULL: not recorded */
	const char *frames_note;   /* why there are fewer frames than the case has; NULL: there are not */
	const char *inputs_note;   /* what of the inputs was made up; NULL: nothing */
	int frames, width, height; /* 0: not recorded */
	const char *weights_kind, *weights_digest;
	int threads;                /* 0: not recorded */
	int64_t memory_limit_bytes; /* the device was said to have no more; 0: no limit */
	const char *setting;        /* both in words: "2 threads, pretended device memory 100 MiB"; "" */
	const char *alloc_conf;     /* settings of both allocators in PyTorch's words; NULL: PyTorch's defaults */
	const char *alloc_note;     /* the same as a sentence; NULL: PyTorch's defaults */
	const char *reference;      /* the arm that accuracy is measured from; NULL: not recorded */
	const char *accuracy_title; /* "accuracy: drift from before"; for sb_summary_section_title() */

	/* how much, and why it ended */
	int blocks[2];                         /* timing, trace: those with a trial of every arm that could be tried */
	int broken_off[2];                     /* the same: the others, which are in no row once there is a whole one */
	const char *blocks_planned, *budget_s; /* facts; NULL: not recorded */
	const char *stop_reason;               /* a few words: "total within +-1 %"; NULL: not recorded */
	double level[2]; /* of the intervals from timing and trace trials, so that they cover 95 % with the stopping
	                    rule */
	int n_trials[SB_OUTCOME_COUNT];
	int incomplete_traces; /* trace trials that lost records: in no row */
	/* "2 of 60 trials ran while throttled: sw_power_cap"; NULL: none did, or nobody looked. */
	const char *throttled;
	/*
	 * Wall of trace trials / wall of timing trials, both medians of an arm: the least and the largest of the arms.
	 * No pairs, but other minutes and another process: a hint, not the tracer's cost. And the same as a sentence.
	 */
	struct sb_value trace_to_timing_lo, trace_to_timing_hi;
	const char *trace_to_timing; /* NULL: no trace trials */

	struct sb_summary_arm *arms;
	size_t n_arms;
	struct sb_summary_switch *switches;
	size_t n_switches;
	struct sb_summary_group *groups;
	size_t n_groups;
	/* The whole lattice; where combinations are missing, its largest whole parts; or one that says why there is
	 * none. */
	struct sb_summary_lattice *lattices;
	size_t n_lattices; /* 0: the run was not meant to have one, and nobody asked */
	struct sb_summary_claim *claims;
	size_t n_claims;
	const char *claims_note; /* the sentence under every claims table */
	const char **notes;      /* about the run as a whole */
	size_t n_notes;

	struct sb_summary_pool *pool; /* owns every string and array above */
};

/* Which two arms the first group sets side by side; NULL: see sb_summary_compute(). */
struct sb_summary_options {
	const char *before, *after;
	bool effects; /* of the switches on every stage, too; or why there are none */
};

/*
 * Summarise a run that has been read. Everything in *out is a copy and lives until sb_summary_release().
 *
 * Groups: 1. before -> after: the arms named so. Without one, the first arm is before, and after is the last arm that
 * is not `best` (with two arms simply the other). 2. one group for each factor whose own arm was run, unless that is
 * the pair of group 1. 3. after -> best. 4. unless opt names `after`, one for every arm that is in none of these. A run
 * with one arm has group 1 alone, without effects. The claims are always judged on the arms of DESIGN (before,
 * +precision, +attention, +alloc, after by their levels), whatever the options say.
 *
 * opt may be NULL. Errors: SB_E_USAGE: no arm of that name; SB_E_DATA: no arm, or a trial or level that cannot be;
 * SB_E_NOMEM. Run without one usable trial is no error: its rows say why they are empty.
 */
enum sb_status sb_summary_compute(const struct sb_run *run, const struct sb_trials *trials,
        const struct sb_samples *samples, const struct sb_summary_options *opt, struct sb_summary *out,
        struct sb_error *err);

/* Read a run (run_key from sb_store_find_run()) and summarise it. Errors: the store's, and those above. */
enum sb_status sb_summary_build(struct sb_store *st, int64_t run_key, const struct sb_summary_options *opt,
        struct sb_summary *out, struct sb_error *err);
void sb_summary_release(struct sb_summary *s);

/* An arm whose times are not what a median takes them for, by sb_sample_look() of stats/sb_gate.h: p below 1 %. */
struct sb_summary_flaw {
	const char *arm; /* the run's */
	int n;           /* timing trials that were ok */
	bool drifts, bimodal;
	double drift; /* from the first trial to the last, by the median slope: a fraction of the median */
};
/* Of the arms' totals, in the order of the arms; their number, at most `max`. Fewer than 6 trials are not looked at. */
size_t sb_summary_flaws(const struct sb_run *run, const struct sb_trials *trials, const struct sb_samples *samples,
        struct sb_summary_flaw *out, size_t max);

/* The title of a section in this run: for accuracy it says from what: "accuracy: drift from before". */
const char *sb_summary_section_title(const struct sb_summary *s, enum sb_section section);

#endif
