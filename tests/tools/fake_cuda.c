/*
 * A libspabench_cuda.so without CUDA, for tests: the CPU backend under the name of a GPU, on a machine that is what
 * SB_FAKE_CUDA says, and judged by the same rules as a real one. Words, between commas: devices=N, driver=V (as CUDA
 * counts: 12080), capability=75, refuses (the driver is too old), full (no memory left), crash, broken=N (that one, not
 * 0, crashes), hang, other (a library of another build). The hardware's counters: counters (as they should be),
 * uncounted (nobody may read them), fp32 (not one TF32 operation), both (TF32 at every level), busy (in the second
 * arm), dies. Its memory: fails_at=N (every driver call from the N-th on), deadly (the first call crashes).
 * CUDA_VISIBLE_DEVICES hides devices, SPABENCH_CUPTI names a tracer that is not there.
 */
#include "backend_internal.h"
#include "requirements.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB ((int64_t)1 << 20)

__attribute__((visibility("default"))) const struct sb_backend_ops *sb_backend_cuda_entry(uint64_t abi);

static int number(const char *key, int otherwise)
{
	const char *text = getenv("SB_FAKE_CUDA"), *at = text ? strstr(text, key) : NULL;

	return at ? atoi(at + strlen(key)) : otherwise;
}

static bool is(const char *word)
{
	const char *text = getenv("SB_FAKE_CUDA");

	return text && sb_list_has(text, word);
}

static enum sb_status check(int ordinal, struct sb_error *err)
{
	const char *visible = getenv("CUDA_VISIBLE_DEVICES");
	int capability = number("capability=", 90);
	struct sb_cuda_found f = { .driver = number("driver=", 13000),
		.runtime = 12080,
		.driver_refuses = is("refuses"),
		.visible = visible,
		.devices = visible && strcmp(visible, "0") != 0 ? 0 : number("devices=", 1),
		.ordinal = ordinal };
	enum sb_status status = sb_cuda_check_machine(&f, err);

	if (!status)
		status = sb_cuda_check_capability("NVIDIA Fake", capability / 10, capability % 10, f.runtime, err);
	if (!status && is("full")) {
		sb_fail(err, SB_E_NOMEM, "cublasCreate: out of memory");
		status = sb_cuda_no_memory(100 * MIB, 81559 * MIB, err);
	}
	return status;
}

static enum sb_status deadly_alloc(struct sb_pages *p, int64_t bytes, uintptr_t *addr, struct sb_error *err)
{
	(void)p;
	(void)bytes;
	(void)addr;
	(void)err;
	abort();
}

static void spoil_memory(struct sb_pages *p)
{
	static struct sb_pages_ops deadly;

	if (number("fails_at=", 0))
		sb_pages_fail_in(p, number("fails_at=", 0), SB_E_DEVICE, true);
	if (!is("deadly"))
		return;
	deadly = *p->ops;
	deadly.segment_alloc = deadly.reserve = deadly_alloc;
	p->ops = &deadly;
}

static const struct sb_backend_ops *table(void);

static int opened; /* which device */

static enum sb_status fake_open(int ordinal, int64_t limit, struct sb_backend **out, struct sb_error *err)
{
	if (is("crash") || (ordinal && ordinal == number("broken=", 0)))
		abort();
	while (is("hang"))
		pause();
	if (check(ordinal, err))
		return sb_wrap(err, "device 'cuda:%d'", ordinal);
	if (sb_backend_cpu.open(0, limit, out, err))
		return err->code;
	opened = ordinal;
	(*out)->ops = table();
	spoil_memory((*out)->pages);
	return SB_OK;
}

/* As libraries do that read such a variable when they are loaded, or when a handle is made. */
static bool saw_setting;

__attribute__((constructor)) static void read_settings(void)
{
	saw_setting = getenv("NVIDIA_TF32_OVERRIDE") != NULL;
}

static void fake_info(const struct sb_backend *be, struct sb_device_info *out)
{
	sb_backend_cpu.info(be, out);
	snprintf(out->name, sizeof(out->name), "NVIDIA Fake");
	snprintf(out->uuid, sizeof(out->uuid), "GPU-12345678-0000-0000-0000-%012d", opened);
	snprintf(out->software, sizeof(out->software), "driver 0, CUDA 0%s", saw_setting ? ", another precision" : "");
	out->kind = "cuda";
	out->emulated_parts = 0;
	out->capability = number("capability=", 90);
	out->devices = number("devices=", 1);
}

static enum sb_status no_tracer(struct sb_backend *be, size_t capacity, struct sb_error *err)
{
	(void)be;
	(void)capacity;
	return sb_fail(err, SB_E_ENV, "CUPTI cannot be loaded: %.100s: no such file", getenv("SPABENCH_CUPTI"));
}

/* ---- counters ---------------------------------------------------------------------------------------------------- */

static enum sb_status counters_open(struct sb_backend *be, struct sb_error *err)
{
	(void)be;
	return is("uncounted") ? sb_fail(err, SB_E_ENV, "no counters: they are the administrator's") : SB_OK;
}

static int counted_set;

static enum sb_status counters_begin(struct sb_backend *be, int set, size_t changes, struct sb_error *err)
{
	static int passes;

	counted_set = set;
	if ((set && !changes) || be->class_changes)
		SB_BUG("%zu changes of class were to come", changes);
	return is("busy") && ++passes == 4 ? sb_fail(err, SB_E_ENV, "no counters: somebody else has them") : SB_OK;
}

static enum sb_status counters_class(struct sb_backend *be, enum sb_count_class c, struct sb_error *err)
{
	(void)err;
	if (c != be->count_class || c == SB_COUNT_ALL || !be->counting)
		SB_BUG("class %d", (int)c);
	return SB_OK;
}

/* Attention follows gemm here as if it were never efficient. */
static double tf32_ops(const struct sb_backend *be, int c)
{
	enum sb_part part = c == SB_COUNT_CONV ? SB_PART_PRECISION_CONV : SB_PART_PRECISION_GEMM;
	bool tf32 = !is("fp32") && (is("both") || be->levels.part[part] == SB_PRECISION_TF32);

	return tf32 ? 1.25 * be->class_flop[c] : 0.0;
}

static enum sb_status counters_end(struct sb_backend *be, struct sb_error *err)
{
	static struct sb_count counts[2][3];

	(void)err;
	if (is("dies"))
		abort();
	for (int c = 0; c < SB_COUNT_ALL; c++)
		counts[1][c] = (struct sb_count){ "tf32_ops", (enum sb_count_class)c, sb_value_of(tf32_ops(be, c)) };
	counts[0][0] = (struct sb_count){ "inst_fma", SB_COUNT_ALL, sb_value_of(be->class_flop[SB_COUNT_ALL] / 64.0) };
	counts[0][1] =
	        (struct sb_count){ "dram_read_bytes", SB_COUNT_ALL, sb_value_absent("this chip does not count it") };
	be->counts = counts[counted_set];
	be->n_counts = counted_set ? 3 : 2;
	return SB_OK;
}

static void add_counters(struct sb_backend_ops *ops)
{
	ops->counter_sets = 2;
	ops->counters_open = counters_open;
	ops->counters_begin = counters_begin;
	ops->counters_class = counters_class;
	ops->counters_end = counters_end;
}

static void fake_about(struct sb_backend_about *out)
{
	*out = (struct sb_backend_about){ .built = "CUDA 12.8, code for 90",
		.tracer = { 130000, "libcupti.so.13", "crashes when it rains; install another" } };
}

static const struct sb_backend_ops *table(void)
{
	static struct sb_backend_ops ops;

	ops = sb_backend_cpu;
	ops.name = "cuda";
	ops.open = fake_open;
	ops.info = fake_info;
	ops.about = fake_about;
	ops.trace_open = getenv("SPABENCH_CUPTI") ? no_tracer : NULL;
	if (is("counters") || is("uncounted") || is("fp32") || is("both") || is("busy") || is("dies"))
		add_counters(&ops);
	return &ops;
}

const struct sb_backend_ops *sb_backend_cuda_entry(uint64_t abi)
{
	return abi == SB_BACKEND_ABI && !is("other") ? table() : NULL;
}
