#include "ceiling_store.h"
#include "environment.h"
#include "sb_experiment.h"
#include "sb_cli.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOTE "ceilings for rooflines: the best copy and products of this device"

/* One of the three. */
struct ceiling {
	const char *name, *kernel;
	struct sb_value per_s;
	const struct sb_micro_times *t;
	double work;
	bool emulated;
	char shape[64];
};

static void add(struct sb_environment *e, const char *name, const char *what, const char *value, const char *absent)
{
	char key[64];

	snprintf(key, sizeof(key), "ceiling.%s.%s", name, what);
	if (absent)
		sb_environment_add_absent(e, key, absent);
	else
		sb_environment_add(e, key, "%s", value);
}

static void add_ceiling(struct sb_environment *e, const struct ceiling *c)
{
	char text[32], samples[SB_MICRO_SAMPLES_MAX * 16] = "";

	snprintf(text, sizeof(text), "%.9g", c->per_s.v);
	add(e, c->name, "per_s", text, c->per_s.absent);
	if (c->per_s.absent)
		return;
	for (int i = 0; i < c->t->n; i++)
		snprintf(samples + strlen(samples), sizeof(samples) - strlen(samples), "%s%.9g", i ? " " : "",
		        c->t->ns[i]);
	add(e, c->name, "samples_ns", samples, NULL);
	snprintf(text, sizeof(text), "%d", c->t->launches);
	add(e, c->name, "launches", text, NULL);
	snprintf(text, sizeof(text), "%.0f", c->work);
	add(e, c->name, "work", text, NULL);
	add(e, c->name, "shape", c->shape, NULL);
	if (c->kernel)
		add(e, c->name, "kernel", c->kernel, NULL);
	if (c->emulated)
		add(e, c->name, "emulated", "yes", NULL);
}

static void add_ceilings(struct sb_environment *e, const struct sb_ceiling_record *r)
{
	const struct sb_micro_ceilings *m = r->c;
	struct ceiling c = { .name = "copy", .per_s = m->bytes_per_s, .t = &m->copy, .work = m->copy_bytes };

	snprintf(c.shape, sizeof(c.shape), "%lld MiB", (long long)(m->copy_bytes / 2) >> 20);
	add_ceiling(e, &c);
	for (int p = 0; p < 2; p++) {
		const struct sb_micro_row *row = &m->product[p];

		c = (struct ceiling){ .name = p ? "tf32" : "fp32",
			.kernel = row->kernel,
			.per_s = m->flop_per_s[p],
			.t = &row->times[SB_MICRO_WARM],
			.work = row->flop,
			.emulated = row->emulated };
		snprintf(c.shape, sizeof(c.shape), "%lld x %lld x %lld", (long long)r->options->product,
		        (long long)r->options->product, (long long)r->options->product);
		add_ceiling(e, &c);
	}
	sb_environment_add(e, "ceiling.others", "%u", r->others);
	if (r->sm_mhz.absent)
		sb_environment_add_absent(e, "ceiling.sm_mhz", r->sm_mhz.absent);
	else
		sb_environment_add(e, "ceiling.sm_mhz", "%.0f", r->sm_mhz.v);
}

static void add_device(struct sb_environment *e, const struct sb_device_info *d)
{
	char emulated[256] = "";

	for (int p = 0; p < SB_PART_COUNT; p++)
		if (d->emulated_parts >> p & 1)
			snprintf(emulated + strlen(emulated), sizeof(emulated) - strlen(emulated), "%s%s",
			        *emulated ? "," : "", sb_parts[p].name);
	sb_environment_add_device(e,
	        &(struct sb_environment_device){ d->name, d->kind, d->uuid, d->software, emulated, d->memory_bytes });
}

/* To be freed; NULL: no memory. */
static char *plan_text(const struct sb_ceiling_record *r)
{
	json_t *j = json_pack("{s:s, s:I, s:I, s:I, s:I, s:f}", "op", sb_micro_op_names[r->options->op], "product",
	        (json_int_t)r->options->product, "copy_bytes", (json_int_t)r->options->copy_bytes, "threads",
	        (json_int_t)r->threads, "memory_limit", (json_int_t)r->memory_limit_bytes, "budget_s",
	        r->options->budget_s);
	char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

	json_decref(j);
	return text;
}

static enum sb_status add_worker(
        struct sb_store *st, int64_t run, const struct sb_ceiling_record *r, struct sb_error *err)
{
	char exe[4096];
	struct sb_worker_row w = { .exe = exe,
		.build_id = sb_build_id,
		.pid = getpid(),
		.purpose = SB_STORE_CEILINGS,
		.device_name = r->info->name,
		.device_uuid = r->info->uuid[0] ? r->info->uuid : NULL,
		.started_ns = r->created_ns };
	enum sb_status status = sb_own_path(exe, sizeof(exe), err);
	int64_t key;

	if (!status)
		status = sb_store_add_worker(st, run, &w, &key, err);
	return status ? status : sb_store_end_worker(st, key, "exit", err);
}

static enum sb_status add_run(
        struct sb_store *st, const struct sb_ceiling_record *r, const char *plan, char id[33], struct sb_error *err)
{
	/* Every run has an arm; this one's has no trial, for a product is none of an arm. */
	const char *arm = "ceilings", *levels;
	struct sb_buf text = { 0 };
	struct sb_environment *e = calloc(1, sizeof(*e));
	const struct sb_case_row c = { .workload = SB_STORE_CEILINGS,
		.preset = r->options->c.preset->name,
		.params = "{}",
		.weights_kind = "none" };
	enum sb_status status = SB_OK;
	int64_t run = 0;

	sb_levels_format(&r->c->product[0].levels, &text);
	levels = sb_buf_str(&text);
	if (!e || text.failed) {
		free(e);
		sb_buf_release(&text);
		return sb_fail(err, SB_E_NOMEM, "no memory for the run's description");
	}
	sb_random_id(id);
	sb_environment_read(e);
	add_device(e, r->info);
	add_ceilings(e, r);
	const struct sb_run_row row = { .id = id,
		.created_ns = r->created_ns,
		.command = r->command,
		.note = NOTE,
		.plan = plan,
		.seed = r->options->seed,
		.facts = e->facts,
		.n_facts = e->n };

	status = sb_store_begin_run(st, &row, &c, &arm, &levels, 1, &run, err);
	sb_buf_release(&text);
	free(e);
	if (!status)
		status = add_worker(st, run, r, err);
	return status ? status : sb_store_end_run(st, run, "complete", err);
}

enum sb_status sb_ceiling_store(const char *db, const struct sb_ceiling_record *r, char id[33], struct sb_error *err)
{
	char *plan = plan_text(r);
	struct sb_store *st;
	enum sb_status status;

	if (!plan)
		return sb_fail(err, SB_E_NOMEM, "no memory for the run's plan");
	status = sb_store_open(db, SB_STORE_WRITE, &st, err);
	if (!status) {
		status = add_run(st, r, plan, id, err);
		if (status)
			sb_store_discard(st);
		else
			sb_store_close(st);
	}
	free(plan);
	return status;
}
