/* What a worker says of itself and of a trial: the parent lives on whatever it reads. */
#include "fuzz.h"
#include "messages.h"

static void check_text(const char *s)
{
	json_t *j = json_string(s); /* NULL when it is no UTF-8 */

	FUZZ_HOLDS(j);
	json_decref(j);
}

static void check_facts(json_t *j)
{
	struct sb_worker_facts *f = calloc(1, sizeof(*f));

	if (!f)
		abort();
	sb_message_hello(j, f);
	sb_message_ready(j, f);
	check_text(f->build_id);
	check_text(f->device_name);
	check_text(f->software);
	check_text(f->info.clip_source);
	check_text(f->info.clip_note);
	FUZZ_HOLDS(f->n_perturbation >= 0 && f->n_perturbation <= SB_QUALITY_MAX);
	for (int i = 0; i < f->n_perturbation; i++)
		check_text(f->perturbation[i].metric);
	free(f);
}

static void check_result(const struct sb_trial_result *r)
{
	FUZZ_HOLDS(r->outcome >= 0 && sb_outcome_names[r->outcome]);
	check_text(r->message);
	for (size_t i = 0; i < r->n_samples; i++)
		check_text(r->samples[i].value.absent ? r->samples[i].value.absent : r->samples[i].metric);
	for (size_t i = 0; i < r->n_rollup; i++)
		FUZZ_HOLDS(r->rollup[i].stage && r->rollup[i].op && r->rollup[i].kind && r->rollup[i].name);
	for (size_t i = 0; i < r->n_trace; i++) {
		const struct sb_trace_row *t = &r->trace[i];

		FUZZ_HOLDS(t->name >= 0 && (size_t)t->name < r->n_names && strlen(r->names[t->name]) < 1 << 20);
		FUZZ_HOLDS(t->stage < 0 || (size_t)t->stage < r->n_names);
		FUZZ_HOLDS(t->op < 0 || (size_t)t->op < r->n_names);
		FUZZ_HOLDS(t->launch >= 0 && (size_t)t->launch <= r->n_launches);
	}
}

/* The result, and the bytes behind the JSON as the frame of rows that it may announce. */
static void check_trial(json_t *j, const uint8_t *rest, size_t n)
{
	struct sb_trial_result r = { 0 };
	struct sb_error err = { .msg = "" };
	size_t rows = 0;

	if (!sb_message_result(j, &r, &rows, &err) && rows) {
		struct sb_frame f = { SB_FRAME_ROWS, (uint32_t)n, fuzz_text(rest, n) };

		if (sb_message_rows(&f, rows, &r, &err))
			FUZZ_HOLDS(err.msg[0]);
		FUZZ_HOLDS(!f.data);
	}
	check_result(&r);
	sb_trial_result_release(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum sb_frame_type type = (enum sb_frame_type)(fuzz_take(&data, &size) % 9);
	const uint8_t *zero = memchr(data, 0, size); /* rows, when there are some, follow a zero byte */
	size_t length = zero ? (size_t)(zero - data) : size;
	struct sb_frame f = { type, (uint32_t)length, fuzz_text(data, length) };
	struct sb_error err = { .msg = "" };
	json_t *j;

	if (sb_message_open(&f, type == SB_FRAME_ERROR ? SB_FRAME_READY : type, &j, &err)) {
		FUZZ_HOLDS(err.msg[0] || type == SB_FRAME_ERROR);
	} else {
		check_facts(j);
		check_trial(j, zero ? zero + 1 : data, zero ? size - length - 1 : 0);
		json_decref(j);
	}
	free(f.data);
	return 0;
}
