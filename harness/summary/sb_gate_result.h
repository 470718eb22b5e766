/*
 * gate result: what a gate says of a table of pairs, metric by metric: which are judged, against which threshold and
 * from where it is, and each one's verdict. Pure: looks are taken as pairs come, nothing is measured here. The
 * statistics and why they hold: harness/stats/sb_gate.h. Part of summary.
 */
#ifndef SB_GATE_RESULT_H
#define SB_GATE_RESULT_H

#include "sb_gate.h"
#include "sb_pair_table.h"

/* A threshold for every metric whose name or label matches the pattern; the last that matches counts. */
#define SB_GATE_PATTERN_MAX 96
struct sb_gate_threshold {
	char pattern[SB_GATE_PATTERN_MAX];
	double threshold; /* 0.02: 2 % slower or larger; NAN: it is not judged */
	const char *from; /* "spabench.ini", "calibration", "the command line"; static */
	bool used;
};

#define SB_GATE_RULES_MAX 96
struct sb_gate_rules {
	struct sb_gate_threshold threshold[SB_GATE_RULES_MAX];
	int n;
	double alpha, beta; /* 0: sb_gate_plan()'s */
	int max_pairs;      /* 0: SB_GATE_MAX_PAIRS */
	enum sb_gate_correction correction;
};

/*
 * What is judged when nobody says otherwise: the total, and every stage that takes at least SB_GATE_STAGE_SHARE of it,
 * by the defaults below; memory, exactly, by SB_GATE_DEFAULT_BYTES.
 */
#define SB_GATE_STAGE_SHARE   0.10
#define SB_GATE_STAGE_FACTOR  2.0 /* a stage's default is so many times the total's: it is noisier */
#define SB_GATE_DEFAULT_GPU   0.01
#define SB_GATE_DEFAULT_CPU   0.10
#define SB_GATE_DEFAULT_BYTES 0.0

/* Pairs of pair_s seconds that a budget has room for, at most SB_GATE_MAX_PAIRS; no budget (<= 0): that many. */
int sb_gate_pairs_in_budget(double budget_s, double pair_s);

#define SB_GATE_FIRST_LOOK 8 /* pairs; sb_gate_plan() has no look before */

struct sb_gate_pace {
	double budget_s; /* <= 0: none */
	double first_s;  /* that the first pair took, longer than others: what is read is not in the cache yet */
	double pair_s;   /* of others */
};
/* Pairs that `times` the budget has room for, at most SB_GATE_MAX_PAIRS. */
int sb_gate_pairs_room(const struct sb_gate_pace *p, double times);
/*
 * Pairs that looks are planned for, known after the second one: those that the budget has room for, and then some (1.25
 * times the budget): a look that is not reached costs power, a gate that ends early costs nothing. max_pairs 0: no less
 * than the rule's.
 */
int sb_gate_pairs_planned(const struct sb_gate_pace *p, int max_pairs);
/* Whether another pair ends within the budget, if it takes as long as the `done` before did on average. */
bool sb_gate_pair_fits(double budget_s, double elapsed_s, int done);

/*
 * Pairs that were lost are in no metric, so a new build that crashes is judged by itself: more of them lost by it than
 * by the baseline is inconclusive, and a fail where as many by chance, either side being as likely, have at most this
 * probability (a sign test; five and none, seven and one).
 */
#define SB_GATE_LOST 0.05

struct sb_gate_row {
	char metric[SB_GATE_PATTERN_MAX], label[SB_GATE_PATTERN_MAX]; /* copies: tables are made anew as pairs come */
	bool exact;
	double threshold;
	const char *threshold_from; /* "default" */
	enum sb_gate_verdict verdict;
	int pairs, decided_at;
	double p, p_adjusted, p_pass; /* NAN where exact */
	double seen; /* smallest slowdown that the interval excludes: what could still be there, 0.013: 1.3 %; NAN: none
	              */
	const char *reason; /* of an inconclusive one, a few words; NULL */
};

struct sb_gate_result {
	struct sb_gate_row *rows;
	int n_rows, n_noisy;
	struct sb_gate_design design;                      /* valid where n_noisy > 0 */
	struct sb_gate_metric metric[SB_GATE_MAX_METRICS]; /* the noisy ones, in the order of rows */
	int looks;                                         /* taken */
	int only_look;                                     /* pairs, where nothing is noisy */
	int lost[2]; /* pairs in which that side's process did not end well, of lost_of */
	int lost_of;
	enum sb_gate_verdict lost_verdict; /* see SB_GATE_LOST */
	enum sb_gate_verdict verdict;      /* of all */
	const char *stopped;               /* "every metric is decided", "the budget is spent", ..; NULL: not yet */
};

/*
 * Choose metrics and thresholds from the first pairs. `gpu`: whose defaults. Errors: SB_E_USAGE: a rule's pattern that
 * no metric of the table matches, a threshold that cannot pass or fail, a design that cannot (sb_gate_plan()), nothing
 * left to judge; SB_E_NOMEM.
 */
enum sb_status sb_gate_result_begin(const struct sb_pair_table *t, struct sb_gate_rules *rules, bool gpu,
        struct sb_gate_result *out, struct sb_error *err);
/* The same for what is not judged by looks at pairs (sb_stored_gate.h): metrics and thresholds, without a design. */
enum sb_status sb_gate_result_choose(const struct sb_pair_table *t, struct sb_gate_rules *rules, bool gpu,
        struct sb_gate_result *out, struct sb_error *err);
/* Pairs that the next look wants; 0: there is none, or everything is decided. */
int sb_gate_result_next(const struct sb_gate_result *r);
/* The next look, at a table that has grown. */
void sb_gate_result_look(struct sb_gate_result *r, const struct sb_pair_table *t);
/* No look follows: fills what is left. stopped: NULL for the reason that the looks give. */
void sb_gate_result_end(struct sb_gate_result *r, const struct sb_pair_table *t, const char *stopped);
/*
 * Pairs were lost one after the other, so that no more were made: a fail where B's processes alone were, and some of
 * A's did end well; false, and nothing done, where it tells nothing of B. sb_gate_result_begin() need not have been
 * called.
 */
bool sb_gate_result_broken(struct sb_gate_result *r, const struct sb_pair_table *t);
void sb_gate_result_release(struct sb_gate_result *r);

#endif
