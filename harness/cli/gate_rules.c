#include "gate_rules.h"
#include "sb_file.h"

#include <ini.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char ini_name[] = "spabench.ini";

struct reader {
	struct sb_gate_rules *rules;
	double *budget_s;
	int *trials;
	FILE *f;
	int line;            /* that is being read */
	struct sb_error err; /* of the first line that says something wrong; code SB_OK: none */
	int err_line;
};

/* "2", "2 %", "0.5%" -> 0.02, .. */
static enum sb_status parse_percent(const char *value, const char *what, double *out, struct sb_error *err)
{
	char number[64];
	size_t n = strlen(value);
	double percent;

	while (n && (value[n - 1] == ' ' || value[n - 1] == '%'))
		n--;
	if (n >= sizeof(number))
		return sb_fail(err, SB_E_USAGE, "%s '%.40s' is no percentage", what, value);
	snprintf(number, sizeof(number), "%.*s", (int)n, value);
	if (sb_parse_double(number, what, 0.0, 100.0, &percent, err))
		return err->code;
	*out = percent / 100.0;
	return SB_OK;
}

static enum sb_status add(
        const char *metric, const char *value, const char *from, struct sb_gate_rules *rules, struct sb_error *err)
{
	struct sb_gate_threshold *t = &rules->threshold[rules->n];

	if (rules->n == SB_GATE_RULES_MAX)
		return sb_fail(err, SB_E_USAGE, "more than %d thresholds", SB_GATE_RULES_MAX);
	if (!*metric || strlen(metric) >= sizeof(t->pattern))
		return sb_fail(err, SB_E_USAGE, "'%.80s' is no metric", metric);
	*t = (struct sb_gate_threshold){ .threshold = NAN, .from = from };
	strcpy(t->pattern, metric);
	if (strcmp(value, "off") != 0 && parse_percent(value, metric, &t->threshold, err))
		return err->code;
	rules->n++;
	return SB_OK;
}

enum sb_status sb_gate_rules_add(const char *text, const char *from, struct sb_gate_rules *rules, struct sb_error *err)
{
	const char *equals = strchr(text, '=');
	char metric[SB_GATE_PATTERN_MAX];

	if (!equals || (size_t)(equals - text) >= sizeof(metric))
		return sb_fail(err, SB_E_USAGE, "'%.80s' is not METRIC=PERCENT", text);
	snprintf(metric, sizeof(metric), "%.*s", (int)(equals - text), text);
	return add(metric, equals + 1, from, rules, err);
}

/* Nothing would fail, or pass, at 0. */
static enum sb_status parse_level(const char *value, const char *what, double *out, struct sb_error *err)
{
	double level;

	if (parse_percent(value, what, &level, err))
		return err->code;
	if (!(level > 0.0))
		return sb_fail(err, SB_E_USAGE, "%s '%.40s' is not above 0 %%", what, value);
	*out = level;
	return SB_OK;
}

static enum sb_status set_gate(const char *key, const char *value, struct reader *r, struct sb_error *err)
{
	static const char *const corrections[] = { "bh", "by" };
	int64_t n;

	if (!strcmp(key, "alpha"))
		return parse_level(value, key, &r->rules->alpha, err);
	if (!strcmp(key, "beta"))
		return parse_level(value, key, &r->rules->beta, err);
	if (!strcmp(key, "budget"))
		return sb_parse_double(value, key, 0.0, 1e7, r->budget_s, err);
	if (!strcmp(key, "max_pairs") || !strcmp(key, "trials")) {
		if (sb_parse_int(value, key, 1, SB_GATE_MAX_PAIRS, &n, err))
			return err->code;
		*(*key == 'm' ? &r->rules->max_pairs : r->trials) = (int)n;
		return SB_OK;
	}
	if (strcmp(key, "correction") != 0)
		return sb_fail(err, SB_E_USAGE,
		        "[gate] has no key '%.40s'; there are alpha, beta, max_pairs, budget, trials and correction",
		        key);
	for (int i = 0; i < 2; i++) {
		if (!strcmp(value, corrections[i])) {
			r->rules->correction = (enum sb_gate_correction)i;
			return SB_OK;
		}
	}
	return sb_fail(err, SB_E_USAGE, "correction '%.40s': there are bh and by", value);
}

/* inih's: 0 ends up as the number of the line. */
static int on_line(void *user, const char *section, const char *key, const char *value)
{
	struct reader *r = user;
	struct sb_error err;
	enum sb_status status;

	if (!strcmp(section, "gate"))
		status = set_gate(key, value, r, &err);
	else if (!strcmp(section, "thresholds"))
		status = add(key, value, ini_name, r->rules, &err);
	else
		status = sb_fail(&err, SB_E_USAGE, "no section [%.40s]; there are [gate] and [thresholds]", section);
	if (status && !r->err.code) {
		r->err = err;
		r->err_line = r->line;
	}
	return !status;
}

/* inih's fgets(); it counts lines as inih does, which does not say where its handler is. */
static char *next_line(char *out, int n, void *user)
{
	struct reader *r = user;

	r->line++;
	return fgets(out, n, r->f);
}

static enum sb_status read_file(const char *path, struct reader *r, struct sb_error *err)
{
	int line = ini_parse_stream(next_line, r, on_line, r);

	if (line < 0)
		return sb_fail(err, SB_E_NOMEM, "no memory to read '%.200s'", path);
	if (line > 0)
		return sb_fail(err, SB_E_USAGE, "%.200s, line %d: %.600s", path, line,
		        r->err_line == line ? r->err.msg : "neither [section] nor key = value");
	return SB_OK;
}

enum sb_status sb_gate_rules_read(
        const char *path, struct sb_gate_rules *rules, double *budget_s, int *trials, struct sb_error *err)
{
	struct reader r = { .rules = rules, .budget_s = budget_s, .trials = trials };
	enum sb_status status;
	const char *why;
	FILE *f;
	int fd;

	if (!path && access(ini_name, F_OK))
		return SB_OK;
	path = path ? path : ini_name;
	fd = sb_open_file(path, &why);
	f = fd < 0 ? NULL : fdopen(fd, "r");
	if (!f)
		return sb_fail(err, SB_E_USAGE, "cannot read '%.200s': %s", path, fd < 0 ? why : "no memory");
	r.f = f;
	status = read_file(path, &r, err);
	fclose(f);
	return status;
}

/* ---- designs that cannot be ---------------------------------------------------------------------------------- */

/* Whether no time may be left to judge: bytes need no number of pairs. */
static bool all_are_off(const struct sb_gate_rules *rules)
{
	for (int i = 0; i < rules->n; i++)
		if (!strcmp(rules->threshold[i].pattern, "*") && isnan(rules->threshold[i].threshold))
			return true;
	return false;
}

enum sb_status sb_gate_rules_check(const struct sb_gate_rules *rules, struct sb_error *err)
{
	const struct sb_gate_options o = { .metrics = 1,
		.max_pairs = rules->max_pairs,
		.alpha = rules->alpha,
		.beta = rules->beta,
		.correction = rules->correction };
	struct sb_gate_design *design = malloc(sizeof(*design));
	enum sb_status status =
	        design ? sb_gate_plan(&o, design, err) : sb_fail(err, SB_E_NOMEM, "no memory for a design");

	struct sb_error one = *err;

	free(design);
	if (all_are_off(rules))
		return SB_OK;
	return status == SB_E_USAGE ? sb_fail(err, SB_E_USAGE, "%s; with more than one metric it takes more", one.msg)
	                            : status;
}

enum sb_status sb_gate_rules_check_arm(
        const struct sb_gate_rules *rules, struct sb_store *st, int64_t run, int arm, bool gpu, struct sb_error *err)
{
	struct sb_gate_rules copy = *rules; /* the gate notes anew which of them are used */
	struct sb_gate_result *result = malloc(sizeof(*result));
	struct sb_pair_table table;
	enum sb_status status;

	if (!result)
		return sb_fail(err, SB_E_NOMEM, "no memory for a design");
	status = sb_pair_table_of_arm(st, run, arm, &table, err);
	if (!status) {
		status = sb_gate_result_begin(&table, &copy, gpu, result, err);
		if (!status)
			sb_gate_result_release(result);
		sb_pair_table_release(&table);
	}
	free(result);
	return status;
}
