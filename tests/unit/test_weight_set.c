/* Where the values of prepared weights come from: a device that makes them by a rule is asked, and makes the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "weight_set.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	enum sb_weight_use use;
	int64_t shape[4];
	int ndim;
	bool ruled; /* all its values follow the rule */
} tensors[] = {
	{ "a.weight", SB_WEIGHT_LINEAR, { 12, 7 }, 2, true },
	{ "b.bias", SB_WEIGHT_PLAIN, { 33 }, 1, true },
	{ "c.weight", SB_WEIGHT_CONV, { 4, 3, 3, 3 }, 4, true },
	{ "camera_head.pose_branch.fc2.bias", SB_WEIGHT_PLAIN, { 9 }, 1, false },
	{ "d.weight", SB_WEIGHT_CONV_TRANSPOSE, { 5, 4, 2, 2 }, 4, true },
};

static int made;
static bool fails;

/* As a device would: nothing comes from the host. */
static enum sb_status make(struct sb_backend *be, enum sb_weight_use use, const int64_t *shape, int ndim,
        const struct sb_value_rule *rule, void *dst, struct sb_error *err)
{
	uint64_t state = rule->key;
	float values[256];
	int64_t n = 1;

	if (fails)
		return sb_fail(err, SB_E_DEVICE, "the device made nothing");
	for (int d = 0; d < ndim; d++)
		n *= shape[d];
	assert_true(n <= (int64_t)SB_ARRAY_LEN(values));
	for (int64_t i = 0; i < n; i++) {
		volatile float v = rule->scale * ((float)(sb_splitmix64(&state) >> 40) / 8388608.0f - 1.0f);

		values[i] = v + rule->offset;
	}
	made++;
	return be->ops->weight_prepare(be, use, shape, ndim, values, dst, err);
}

static void add_all(struct sb_weight_set *s, struct sb_backend *be)
{
	*s = (struct sb_weight_set){ .be = be };
	for (size_t i = 0; i < SB_ARRAY_LEN(tensors); i++)
		sb_weight_set_add(s, tensors[i].use, tensors[i].name, tensors[i].shape, tensors[i].ndim);
}

static struct sb_backend *open_device(struct sb_backend_ops *ops)
{
	struct sb_backend *be;
	struct sb_error err;

	assert_int_equal(sb_backend_open("cpu", 0, &be, &err), SB_OK);
	*ops = *be->ops;
	made = 0;
	fails = false;
	return be;
}

static void a_device_that_makes_weights_is_given_rules(void **state)
{
	struct sb_weight_set host, device;
	struct sb_backend_ops ops;
	struct sb_backend *be = open_device(&ops);
	const struct sb_backend_ops *own = be->ops;
	struct sb_error err;
	int ruled = 0;

	(void)state;
	add_all(&host, be);
	assert_int_equal(sb_weight_set_load(&host, &sb_weights_synthetic, &err), SB_OK);
	assert_int_equal(made, 0);
	ops.weight_make = make;
	be->ops = &ops;
	add_all(&device, be);
	assert_int_equal(sb_weight_set_load(&device, &sb_weights_synthetic, &err), SB_OK);
	for (size_t i = 0; i < SB_ARRAY_LEN(tensors); i++) {
		const float *a = sb_weight_set_tensor(&host, tensors[i].name, "");
		const float *b = sb_weight_set_tensor(&device, tensors[i].name, "");
		size_t bytes = sizeof(float);

		for (int d = 0; d < tensors[i].ndim; d++)
			bytes *= (size_t)tensors[i].shape[d];
		assert_memory_equal(a, b, bytes);
		ruled += tensors[i].ruled;
	}
	assert_int_equal(made, ruled);
	sb_weight_set_release(&device);
	sb_weight_set_release(&host);
	be->ops = own;
	sb_backend_close(be);
}

static enum sb_status ones(const struct sb_weights *w, const char *name, const int64_t *shape, int ndim, float *scratch,
        const float **values, struct sb_error *err)
{
	int64_t n = 1;

	(void)w;
	(void)name;
	(void)err;
	for (int d = 0; d < ndim; d++)
		n *= shape[d];
	for (int64_t i = 0; i < n; i++)
		scratch[i] = 1.0f;
	*values = scratch;
	return SB_OK;
}

/* A file has no rule: what is in it is brought. */
static void values_without_a_rule_are_brought(void **state)
{
	static const struct sb_weights file = { .get = ones };
	struct sb_weight_set s;
	struct sb_backend_ops ops;
	struct sb_backend *be = open_device(&ops);
	const struct sb_backend_ops *own = be->ops;
	struct sb_error err;

	(void)state;
	ops.weight_make = make;
	be->ops = &ops;
	add_all(&s, be);
	assert_int_equal(sb_weight_set_load(&s, &file, &err), SB_OK);
	assert_int_equal(made, 0);
	assert_true(sb_weight_set_tensor(&s, "b.bias", "")[32] == 1.0f);
	sb_weight_set_release(&s);
	be->ops = own;
	sb_backend_close(be);
}

static void a_failure_names_the_weight(void **state)
{
	struct sb_weight_set s;
	struct sb_backend_ops ops;
	struct sb_backend *be = open_device(&ops);
	const struct sb_backend_ops *own = be->ops;
	struct sb_error err;

	(void)state;
	ops.weight_make = make;
	be->ops = &ops;
	fails = true;
	add_all(&s, be);
	assert_int_equal(sb_weight_set_load(&s, &sb_weights_synthetic, &err), SB_E_DEVICE);
	assert_string_equal(err.msg, "weight 'a.weight': the device made nothing");
	sb_weight_set_release(&s);
	be->ops = own;
	sb_backend_close(be);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_that_makes_weights_is_given_rules),
		cmocka_unit_test(values_without_a_rule_are_brought),
		cmocka_unit_test(a_failure_names_the_weight),
	};

	return cmocka_run_group_tests_name("weight_set", tests, NULL, NULL);
}
