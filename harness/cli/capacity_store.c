#include "capacity_store.h"
#include "run_record.h"

#include <stdio.h>
#include <string.h>

static enum sb_status add_text(
        struct sb_store *st, int64_t run, const char *key, const char *value, struct sb_error *err)
{
	const struct sb_fact fact = { key, *value ? value : NULL, *value ? NULL : "none" };

	return sb_store_add_fact(st, run, &fact, err);
}

static enum sb_status add_number(struct sb_store *st, int64_t run, const char *key, int64_t value, struct sb_error *err)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	return add_text(st, run, key, text, err);
}

static enum sb_status add_arm(
        struct sb_store *st, int64_t run, int arm, const struct sb_capacity_kept *k, struct sb_error *err)
{
	const struct {
		const char *name;
		int64_t value;
	} numbers[] = { { "fits", k->fits }, { "fails", k->fails }, { "taken_bytes", k->taken_bytes } };
	enum sb_status status = SB_OK;
	char key[64];

	for (size_t i = 0; i < SB_ARRAY_LEN(numbers) && !status; i++) {
		snprintf(key, sizeof(key), "capacity.%d.%s", arm, numbers[i].name);
		status = add_number(st, run, key, numbers[i].value, err);
	}
	snprintf(key, sizeof(key), "capacity.%d.reason", arm);
	return status ? status : add_text(st, run, key, k->reason, err);
}

enum sb_status sb_capacity_store(const char *db, const char *command, const char *by,
        const struct sb_worker_setup *setup, const struct sb_plan *plan, const struct sb_worker_facts *facts,
        const struct sb_capacity_kept *kept, struct sb_error *err)
{
	const struct sb_run_record r = { .command = command, .setup = setup, .plan = plan, .facts = facts };
	struct sb_store *st;
	enum sb_status status = sb_store_open(db, SB_STORE_WRITE, &st, err);
	int64_t run = 0;
	char id[33];

	if (status)
		return status;
	status = sb_run_record_begin(st, &r, id, &run, err);
	if (!status)
		status = add_text(st, run, SB_STORE_CAPACITY, by, err);
	if (!status)
		status = add_number(st, run, "capacity.limit_bytes", setup->memory_limit_bytes, err);
	for (int a = 0; a < plan->n_arms && !status; a++)
		status = add_arm(st, run, a, &kept[a], err);
	if (!status)
		status = sb_store_end_run(st, run, "complete", err);
	if (status)
		sb_store_discard(st);
	else
		sb_store_close(st);
	return status;
}
