#include "backend_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct sb_backend_ops *const sb_backends[] = { &sb_backend_cpu, &sb_backend_cuda, NULL };

/* "cuda:3" -> "cuda", 3. Without a number: device 0. */
static enum sb_status split_name(const char *name, char *word, size_t n, int *ordinal, struct sb_error *err)
{
	size_t len = strcspn(name, ":");
	int64_t number = 0;

	if (name[len] && sb_parse_int(name + len + 1, "the number in --device", 0, 1000, &number, err))
		return err->code;
	snprintf(word, n, "%.*s", (int)(len < n ? len : n - 1), name);
	*ordinal = (int)number;
	return SB_OK;
}

static enum sb_status open_named(const char *name, int64_t limit, struct sb_backend **out, struct sb_error *err)
{
	char word[16];
	int ordinal = 0;
	enum sb_status status = split_name(name, word, sizeof(word), &ordinal, err);

	if (status)
		return status;
	for (int i = 0; sb_backends[i]; i++) {
		if (strcmp(sb_backends[i]->name, word) != 0)
			continue;
		status = sb_backends[i]->open(ordinal, limit, out, err);
		if (!status)
			(*out)->limited = limit > 0;
		return status;
	}
	return sb_fail(err, SB_E_USAGE, "no device '%.40s'; there are auto, cpu and cuda:N", name);
}

/*
 * A GPU when one can be used. Why not is said where one might have expected it: a GPU is to be seen, or the CUDA
 * backend was built. `doctor` always says.
 */
static enum sb_status open_auto(int64_t limit, struct sb_backend **out, struct sb_error *err)
{
	bool visible = access("/dev/nvidiactl", F_OK) == 0 || access("/dev/nvidia0", F_OK) == 0;
	struct sb_error why;
	char file[4096];

	if (!open_named("cuda", limit, out, &why))
		return SB_OK;
	if (visible || sb_backend_cuda_file(file, sizeof(file)))
		sb_log(visible ? SB_LOG_WARN : SB_LOG_INFO, "device auto: the CPU; %s", why.msg);
	return open_named("cpu", limit, out, err);
}

enum sb_status sb_backend_open(
        const char *name, int64_t memory_limit_bytes, struct sb_backend **out, struct sb_error *err)
{
	if (!strcmp(name, "auto"))
		return open_auto(memory_limit_bytes, out, err);
	return open_named(name, memory_limit_bytes, out, err);
}

void sb_backend_close(struct sb_backend *be)
{
	if (!be)
		return;
	sb_backend_end_arm(be);
	free(be->log);
	be->ops->close(be);
}

enum sb_status sb_backend_arrived(struct sb_backend *be, const void *host, size_t bytes, struct sb_error *err)
{
	return be->ops->arrived ? be->ops->arrived(be, host, bytes, err) : be->ops->sync(be, err);
}

enum sb_status sb_backend_host_alloc(struct sb_backend *be, size_t bytes, void **out, struct sb_error *err)
{
	void *got = NULL;

	if (be->ops->host_alloc)
		return be->ops->host_alloc(be, bytes, out, err);
	got = malloc(bytes);
	if (!got)
		return sb_fail(err, SB_E_NOMEM, "no host memory for %zu bytes of weights", bytes);
	*out = got;
	return SB_OK;
}

void sb_backend_host_free(struct sb_backend *be, void *ptr)
{
	if (be && ptr && be->ops->host_free)
		be->ops->host_free(be, ptr);
	else
		free(ptr);
}

void sb_backend_info(const struct sb_backend *be, struct sb_device_info *out)
{
	*out = (struct sb_device_info){ 0 };
	be->ops->info(be, out);
}

void sb_backend_set_levels(struct sb_backend *be, const struct sb_levels *levels)
{
	if (be->alloc)
		SB_BUG("an arm is still running");
	be->levels = *levels;
}

enum sb_status sb_backend_begin_arm(struct sb_backend *be, struct sb_error *err)
{
	if (be->alloc)
		SB_BUG("an arm is still running");
	return sb_alloc_open_with(
	        sb_level_name(&be->levels, SB_PART_ALLOC), be->alloc_options, be->pages, &be->alloc, err);
}

int64_t sb_backend_end_arm(struct sb_backend *be)
{
	int64_t left = 0;

	if (be->alloc) {
		/* After a failure there may be work on its way still, to memory that its owner has freed. */
		if (be->ops->abandon)
			be->ops->abandon(be);
		(void)be->ops->sync(be, NULL);
		left = sb_alloc_close(be->alloc);
	}
	be->alloc = NULL;
	return left;
}

/* A logged pass has nothing in it but what its ops ask for. */
static bool counts_cycles(const struct sb_backend *be)
{
	return be->ops->cycles_mark && !be->logging;
}

enum sb_status sb_backend_begin_pass(struct sb_backend *be, size_t log_capacity, struct sb_error *err)
{
	if (log_capacity > be->cap_log) {
		struct sb_op_record *log = realloc(be->log, log_capacity * sizeof(*log));

		if (!log)
			return sb_fail(err, SB_E_NOMEM, "no memory for a log of %zu ops", log_capacity);
		be->log = log;
		be->cap_log = log_capacity;
	}
	be->logging = log_capacity > 0;
	be->log_overflow = false;
	be->n_log = 0;
	be->n_stages = 0;
	be->n_marks = 0;
	be->stage = -1;
	be->submits = 0;
	be->streamed_bytes = 0;
	be->attention_workspace_bytes = 0;
	be->attention_bytes = 0;
	be->attention_scores_bytes = 0;
	be->n_activity = 0;
	be->account = (struct sb_activity_account){ 0 };
	sb_backend_counting_reset(be);
	be->cycles = (struct sb_device_cycles){ 0 };
	if (be->logging && be->tracing)
		return be->ops->trace_begin(be, err);
	if (counts_cycles(be))
		be->ops->cycles_mark(be, false);
	return SB_OK;
}

/* A pass of the full network queues some ten thousand kernels. */
#define TRACE_CAPACITY ((size_t)1 << 18)

enum sb_status sb_backend_trace_open(struct sb_backend *be, bool calls, struct sb_error *err)
{
	if (be->tracing || !be->ops->trace_open)
		return SB_OK;
	be->trace_calls = calls;
	if (be->ops->trace_open(be, TRACE_CAPACITY, err))
		return err->code;
	be->tracing = true;
	return SB_OK;
}

/* Marks alternate: every stage begins with one and ends with the next stage's, or with the end of the pass. */
static void put_mark(struct sb_backend *be, int stage)
{
	if (be->n_marks == SB_MARKS_MAX)
		SB_BUG("more than %d stage changes in a pass", SB_MARKS_MAX);
	be->mark_stage[be->n_marks] = (uint16_t)stage;
	be->ops->mark(be, be->n_marks);
	be->n_marks++;
}

void sb_backend_stage(struct sb_backend *be, const char *name)
{
	int i;

	for (i = 0; i < be->n_stages; i++)
		if (!strcmp(be->stages[i].name, name))
			break;
	if (i == SB_STAGES_MAX)
		SB_BUG("more than %d stages", SB_STAGES_MAX);
	if (i == be->n_stages)
		be->stages[be->n_stages++] = (struct sb_stage_time){ name, 0 };
	be->stage = i;
	put_mark(be, i);
	if (be->ops->stage)
		be->ops->stage(be, name);
}

enum sb_status sb_backend_end_pass(struct sb_backend *be, struct sb_error *err)
{
	if (be->stage >= 0)
		put_mark(be, be->stage);
	if (be->ops->stage)
		be->ops->stage(be, NULL);
	if (counts_cycles(be))
		be->ops->cycles_mark(be, true);
	if (be->ops->sync(be, err))
		return err->code;
	be->pass_end_ns = sb_now_ns();
	if (counts_cycles(be))
		be->ops->cycles(be, &be->cycles);
	for (int i = 0; i + 1 < be->n_marks; i++)
		be->stages[be->mark_stage[i]].ns += be->ops->mark_ns(be, i + 1) - be->ops->mark_ns(be, i);
	be->stage = -1;
	if (be->logging && be->tracing && be->ops->trace_end(be, err))
		return err->code;
	if (sb_backend_end_counting(be, err))
		return err->code;
	be->logging = false;
	return SB_OK;
}

static enum sb_status inject(struct sb_backend *be, struct sb_error *err)
{
	switch (be->fault) {
	case SB_FAULT_CRASH:
		abort();
	case SB_FAULT_HANG:
		for (;;)
			pause();
	case SB_FAULT_FAIL:
		return sb_fail(err, SB_E_DEVICE, "injected device fault at op %lld", (long long)be->submits);
	case SB_FAULT_LOSE:
		be->lost = true;
		return sb_fail(err, SB_E_DEVICE, "injected loss of the device at op %lld", (long long)be->submits);
	case SB_FAULT_NONE:
		break;
	}
	return SB_OK;
}

enum sb_status sb_submit(struct sb_backend *be, const struct sb_op *op, struct sb_error *err)
{
	const struct sb_op_info *info = &sb_op_table[op->id];
	const char *wrong = info->check(op);
	enum sb_status status;
	int64_t start = 0;

	if (wrong)
		SB_BUG("op %s: %s", info->name, wrong);
	be->submits++;
	if (op->id == SB_OP_ATTENTION)
		sb_backend_note_scores(be, &op->u.attention);
	if (be->counters && sb_backend_count_op(be, info, op, err))
		return err->code;
	if (be->fault && --be->fault_at == 0 && inject(be, err))
		return err->code;
	if (be->logging && be->tracing)
		be->ops->trace_op(be, (uint32_t)be->n_log);
	if (be->logging)
		start = sb_now_ns();
	be->op_now = info->name;
	status = be->ops->submit(be, op, err);
	be->op_now = NULL;
	if (status) {
		sb_wrap(err, "op %s", info->name);
	} else if (be->logging && be->n_log < be->cap_log) {
		be->log[be->n_log++] = (struct sb_op_record){
			.start_ns = start,
			.dur_ns = sb_now_ns() - start,
			.kernel = be->kernel,
			.op = (uint16_t)op->id,
			.stage = (uint16_t)(be->stage < 0 ? 0 : be->stage),
			.bytes = info->work(op).bytes,
		};
	} else if (be->logging) {
		be->log_overflow = true;
	}
	return status;
}

enum sb_status sb_device_alloc(struct sb_backend *be, size_t bytes, void **out, struct sb_error *err)
{
	if (!be->alloc)
		SB_BUG("device memory asked for outside an arm");
	return sb_alloc_malloc(be->alloc, (int64_t)bytes, 0, out, err);
}

void sb_device_free(struct sb_backend *be, void *ptr)
{
	if (ptr)
		sb_alloc_free(be->alloc, ptr);
}
