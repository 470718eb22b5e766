/* What offload takes while weights are loaded, and what it tells of passes; that results stay is test_front's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sb_churn.h"
#include "sb_front.h"
#include "sb_presets.h"
#include "sb_weights.h"
#include "sb_workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const levels_with_offload[] = { "offload=layers", "offload=model" };

/* ---- host memory that is counted --------------------------------------------------------------------------------- */

static int64_t pinned, pinned_peak, pinned_left; /* left: more is not there */

static enum sb_status counted_alloc(struct sb_backend *be, size_t bytes, void **out, struct sb_error *err)
{
	(void)be;
	if ((int64_t)bytes > pinned_left)
		return sb_fail(err, SB_E_NOMEM, "cannot pin %zu bytes", bytes);
	size_t *m = malloc(bytes + 64);

	assert_non_null(m);
	*m = bytes;
	pinned += (int64_t)bytes;
	pinned_left -= (int64_t)bytes;
	pinned_peak = pinned > pinned_peak ? pinned : pinned_peak;
	*out = (char *)m + 64;
	return SB_OK;
}

static void counted_free(struct sb_backend *be, void *ptr)
{
	size_t *m = (size_t *)((char *)ptr - 64);

	(void)be;
	pinned -= (int64_t)*m;
	free(m);
}

struct device {
	struct sb_backend *be;
	const struct sb_backend_ops *own;
	struct sb_backend_ops counted;
};

static void open_device(struct device *d, int64_t limit, const char *levels_text)
{
	struct sb_levels levels;
	struct sb_error err;

	assert_int_equal(sb_backend_open("cpu", limit, &d->be, &err), SB_OK);
	assert_int_equal(sb_levels_parse(levels_text, &levels, &err), SB_OK);
	sb_backend_set_levels(d->be, &levels);
	d->own = d->be->ops;
	d->counted = *d->own;
	d->counted.host_alloc = counted_alloc;
	d->counted.host_free = counted_free;
	d->be->ops = &d->counted;
	pinned = pinned_peak = 0;
	pinned_left = INT64_MAX / 2;
}

static void close_device(struct device *d)
{
	assert_int_equal(pinned, 0);
	assert_int_equal(d->be->pages->held_bytes, 0);
	d->be->ops = d->own;
	sb_backend_close(d->be);
}

static enum sb_status open_net(struct device *d, struct sb_front_net **net, struct sb_error *err)
{
	const struct sb_preset *preset;

	assert_int_equal(sb_preset_find("tiny", &preset, err), SB_OK);
	return sb_front_net_open(d->be, &preset->front, 140, 252, &sb_weights_synthetic, net, err);
}

/* ---- loading ----------------------------------------------------------------------------------------------------- */

/* A device that has room for what stays there, and not one page more: never was all of it there, nor anything twice. */
static void loading_takes_no_more_of_the_device_than_what_stays(void **state)
{
	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(levels_with_offload); i++) {
		struct device d;
		struct sb_front_net *net = NULL;
		struct sb_error err;
		int64_t resident, host;

		open_device(&d, 0, levels_with_offload[i]);
		assert_int_equal(open_net(&d, &net, &err), SB_OK);
		resident = sb_front_net_bytes(net);
		host = sb_front_net_host_bytes(net);
		assert_int_equal(d.be->pages->held_bytes, resident);
		assert_int_equal(pinned_peak, host); /* each once */
		sb_front_net_close(net);
		close_device(&d);

		open_device(&d, resident, levels_with_offload[i]);
		assert_int_equal(open_net(&d, &net, &err), SB_OK);
		sb_front_net_close(net);
		close_device(&d);
		open_device(&d, resident - 1, levels_with_offload[i]);
		assert_int_equal(open_net(&d, &net, &err), SB_E_NOMEM);
		close_device(&d);
		open_device(&d, resident, "offload=off");
		assert_int_equal(open_net(&d, &net, &err), SB_E_NOMEM);
		close_device(&d);
	}
}

static void host_memory_that_is_short_for_a_model_is_told_and_given_back(void **state)
{
	static const char *const names[] = { "the aggregator", "the backbone", "the camera head", "the depth head" };
	struct sb_front_net *net = NULL;
	struct sb_error err = { .msg = "" };
	struct device d;
	size_t told = 0;

	(void)state;
	for (int64_t kib = 1;; kib += 400) {
		open_device(&d, 0, "offload=model");
		pinned_left = kib << 10;
		if (open_net(&d, &net, &err) == SB_OK)
			break;
		assert_int_equal(err.code, SB_E_NOMEM);
		assert_non_null(strstr(err.msg, "cannot pin"));
		while (told + 1 < SB_ARRAY_LEN(names) && !strstr(err.msg, names[told]))
			told++; /* they are loaded in this order */
		assert_non_null(strstr(err.msg, names[told]));
		close_device(&d);
	}
	assert_int_equal(told, SB_ARRAY_LEN(names) - 1);
	sb_front_net_close(net);
	close_device(&d);
}

/* ---- churn ------------------------------------------------------------------------------------------------------- */

static double measured(const struct sb_measure *m, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(m[i].name, name)) {
			assert_null(m[i].value.absent);
			return m[i].value.v;
		}
	fail_msg("no '%s' among %d samples", name, n);
	return 0.0;
}

struct churned {
	int64_t weights;
	double host, resident, moved, saved;
	int n;
};

static struct churned churn(const char *levels_text)
{
	static struct sb_case c = { .preset = "tiny" };
	struct sb_measure m[SB_QUALITY_MAX];
	struct sb_workload_info info;
	struct churned out = { 0 };
	struct sb_workload *w;
	struct device d;
	struct sb_error err;

	open_device(&d, 0, levels_text);
	assert_int_equal(sb_workload_churn.open(&c, d.be, &w, &info, &err), SB_OK);
	assert_int_equal(sb_workload_churn.prepare(w, &err), SB_OK);
	assert_int_equal(sb_backend_begin_arm(d.be, &err), SB_OK);
	assert_int_equal(sb_backend_begin_pass(d.be, 0, &err), SB_OK);
	if (sb_workload_churn.run(w, false, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(sb_backend_end_pass(d.be, &err), SB_OK);
	out.weights = sb_workload_churn.weights_bytes(w);
	out.n = sb_workload_churn.measures(w, m);
	if (out.n) {
		out.host = measured(m, out.n, "offload.host_bytes");
		out.resident = measured(m, out.n, "offload.resident_bytes");
		out.moved = measured(m, out.n, "offload.moved_bytes");
		out.saved = measured(m, out.n, "offload.saved_bytes");
	}
	sb_backend_end_arm(d.be);
	sb_workload_churn.close(w);
	close_device(&d);
	return out;
}

static void every_clip_of_a_churn_moves_its_weights_and_says_so(void **state)
{
	struct churned off = churn("attention=efficient"), layers = churn("attention=efficient,offload=layers"),
	               model = churn("attention=efficient,offload=model");

	(void)state;
	assert_int_equal(off.n, 0);
	assert_true(model.host > layers.host); /* all of it, not the blocks alone */
	assert_true(model.moved == SB_CHURN_CLIPS * model.host);
	assert_true(layers.moved > SB_CHURN_CLIPS * layers.host); /* the camera head's blocks come four times */
	assert_true(layers.saved > 0 && layers.resident == (double)(off.weights) - layers.saved);
	assert_true(model.saved > 0 && model.resident == (double)(off.weights) - model.saved);
	assert_true(layers.resident == (double)layers.weights && model.resident == (double)model.weights);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loading_takes_no_more_of_the_device_than_what_stays),
		cmocka_unit_test(host_memory_that_is_short_for_a_model_is_told_and_given_back),
		cmocka_unit_test(every_clip_of_a_churn_moves_its_weights_and_says_so),
	};
	return cmocka_run_group_tests_name("offload", tests, NULL, NULL);
}
