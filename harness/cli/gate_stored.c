#include "gate_stored.h"

static enum sb_status judge(const struct sb_gate_against *a, struct sb_pairs *p, struct sb_gate_rules *rules,
        struct sb_old_runs *old, struct sb_pair_table *table, struct sb_gate_result *result, struct sb_error *err)
{
	const struct sb_old_ref ref[2] = { { a->st, a->run, a->arm }, { a->st, sb_pairs_run_key(p), NULL } };
	int lost = sb_pairs_dropped(p);
	enum sb_status status = sb_old_runs_build(ref, old, err);

	if (status)
		return status;
	status = sb_stored_gate_judge(old, rules, a->gpu, lost, lost + sb_pairs_whole(p), table, result, err);
	if (status)
		sb_old_runs_release(old);
	return status;
}

static int processes_wanted(const struct sb_old_runs *old, const struct sb_gate_rules *rules)
{
	int most = rules->max_pairs ? rules->max_pairs : SB_GATE_MAX_PAIRS;
	int wanted = old->side[0].processes > 2 ? old->side[0].processes : 2;

	return wanted < most ? wanted : most;
}

enum sb_status sb_gate_stored_measure(const struct sb_gate_against *a, const struct sb_pair_request *q,
        struct sb_pairs *p, struct sb_gate_rules *rules, struct sb_old_runs *old, struct sb_pair_table *table,
        struct sb_gate_result *result, struct sb_gate_stored *said, struct sb_error *err)
{
	enum sb_status status = SB_OK;
	int wanted = rules->max_pairs == 1 ? 1 : 2;

	if (sb_pairs_whole(p) < wanted)
		status = sb_pairs_measure(p, wanted - sb_pairs_whole(p), err);
	if (!status) /* what can never be decided is known now, and costs no more time */
		status = judge(a, p, rules, old, table, result, err);
	if (status)
		return status;
	wanted = processes_wanted(old, rules);
	sb_gate_result_release(result);
	sb_pair_table_release(table);
	sb_old_runs_release(old);
	while (!status && sb_pairs_whole(p) < wanted && sb_pair_fits_budget(q, p))
		status = sb_pairs_measure(p, 1, err);
	if (!status)
		status = judge(a, p, rules, old, table, result, err);
	if (status)
		return status;
	if (sb_pairs_whole(p) < wanted)
		result->stopped = "the budget is spent";
	*said = (struct sb_gate_stored){ .run_id = old->side[0].run_id,
		.created_ns = old->side[0].created_ns,
		.processes = old->side[0].processes,
		.history = old->history };
	return SB_OK;
}
