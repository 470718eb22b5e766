/*
 * ci: verdicts as machines of continuous integration read them: JUnit's XML, and GitHub's step summary and annotations.
 * What a gate decided or a table claims becomes a list of cases first; the renderers know nothing else. Part of
 * reports.
 */
#ifndef SB_CI_H
#define SB_CI_H

#include <stdio.h>

#include "sb_base.h"
#include "sb_gate_report.h"
#include "sb_summary.h"

enum sb_ci_outcome {
	SB_CI_PASSED,
	SB_CI_FAILED,
	SB_CI_OPEN, /* could not be decided, or was not tested: skipped, with the reason */
};

struct sb_ci_case {
	char *group, *name; /* "after against baseline", "wall" */
	enum sb_ci_outcome outcome;
	char *word;    /* "fail", "inconclusive", "not met" */
	char *message; /* a sentence */
	bool notable;  /* OPEN: worth a warning, as what was to be decided is, and what nobody tested is not */
};

struct sb_ci_fact {
	char *key, *value;
};

/* Owns its strings. Begin with {0}; out of memory sets `failed`, and rendering then says so. */
struct sb_ci_report {
	char *name;    /* "spabench gate" */
	char *verdict; /* a sentence over it all, or NULL */
	enum sb_ci_outcome outcome;
	int64_t created_ns; /* wall clock */
	double seconds;     /* that it took */
	char *host;         /* NULL: not known */
	struct sb_ci_fact *facts;
	size_t n_facts, facts_cap;
	struct sb_ci_case *cases;
	size_t n_cases, cases_cap;
	bool failed;
};

/* Strings are copied; name and host may be NULL. */
void sb_ci_begin(struct sb_ci_report *r, const char *name, int64_t created_ns, double seconds, const char *host);
void sb_ci_set_verdict(struct sb_ci_report *r, enum sb_ci_outcome outcome, const char *sentence);
void sb_ci_add_fact(struct sb_ci_report *r, const char *key, const char *value); /* nothing for NULL and "" */
/* word, message: NULL for none. Returns the case, NULL when out of memory. */
struct sb_ci_case *sb_ci_add_case(struct sb_ci_report *r, const char *group, const char *name,
        enum sb_ci_outcome outcome, const char *word, const char *message);
size_t sb_ci_count(const struct sb_ci_report *r, enum sb_ci_outcome outcome);
void sb_ci_release(struct sb_ci_report *r);

/* What a gate decided, a case for each metric. host: NULL: not known. */
void sb_ci_of_gate(struct sb_ci_report *r, const struct sb_gate_report *g, int64_t created_ns, const char *host);

/* The claims of a table: met, or better, is passed; not met failed; everything else open. */
void sb_ci_of_claims(struct sb_ci_report *r, const struct sb_summary *s);

/*
 * One <testsuite> in <testsuites>, a <testcase> each; valid by the schema that Ant's JUnit task has and by Jenkins's.
 * No name can break out of it: what XML cannot hold stands there as \xNN.
 */
enum sb_status sb_ci_junit(const struct sb_ci_report *r, FILE *out, struct sb_error *err);

/* For $GITHUB_STEP_SUMMARY, as GitHub's Markdown. At most SB_CI_SUMMARY_CASES rows, failed ones first. */
#define SB_CI_SUMMARY_CASES 200
enum sb_status sb_ci_github_summary(const struct sb_ci_report *r, FILE *out, struct sb_error *err);
/*
 * ::error for what failed and ::warning for what is open and notable, one line each. GitHub shows ten of a kind in a
 * step, so the tenth says how many more there are.
 */
enum sb_status sb_ci_github_annotations(const struct sb_ci_report *r, FILE *out, struct sb_error *err);

#endif
