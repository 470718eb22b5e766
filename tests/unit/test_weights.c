#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sb_clip.h"
#include "sb_presets.h"
#include "sb_safetensors.h"
#include "sb_weights.h"

/* ---- the tensor table ---------------------------------------------------------------------------------------- */

struct table_check {
	FILE *tsv;
	size_t n, values;
};

/* "(1, 2, 4)" or "(9,)" as the reference prints shapes. */
static void print_shape(const int64_t *shape, int ndim, char *out, size_t n)
{
	size_t used = (size_t)snprintf(out, n, "(");

	for (int d = 0; d < ndim; d++)
		used += (size_t)snprintf(out + used, n - used, "%s%lld", d ? ", " : "", (long long)shape[d]);
	snprintf(out + used, n - used, ndim == 1 ? ",)" : ")");
}

/* The next line's name and shape, the unused mask token left out. False at the end. */
static bool next_line(FILE *tsv, char name[128], char shape[64])
{
	char line[512];

	while (fgets(line, sizeof(line), tsv)) {
		assert_int_equal(sscanf(line, "%127[^\t]\t%63[^\t\n]", name, shape), 2);
		if (strcmp(name, "aggregator.patch_embed.mask_token") != 0)
			return true;
	}
	return false;
}

static void check_tensor(void *ctx, const char *name, const int64_t *shape, int ndim)
{
	struct table_check *check = ctx;
	char want_name[128], want_shape[64], got_shape[64];
	size_t values = 1;

	assert_true(next_line(check->tsv, want_name, want_shape));
	assert_string_equal(name, want_name);
	print_shape(shape, ndim, got_shape, sizeof(got_shape));
	assert_string_equal(got_shape, want_shape);
	for (int d = 0; d < ndim; d++)
		values *= (size_t)shape[d];
	check->values += values;
	check->n++;
}

static void check_table(const char *preset, FILE *tsv, size_t n_tensors, size_t n_values)
{
	struct table_check check = { .tsv = tsv };
	const struct sb_preset *p = NULL;
	char name[128], shape[64];

	assert_int_equal(sb_preset_find(preset, &p, NULL), SB_OK);
	sb_front_tensors(&p->front, check_tensor, &check);
	assert_false(next_line(tsv, name, shape));
	fclose(tsv);
	assert_int_equal(check.n, n_tensors);
	assert_int_equal(check.values, n_values);
}

/* The larger tables lie beside the repository where its reference data are; elsewhere their test is skipped. */
static FILE *open_shared(const char *name)
{
	const char *dir = getenv("SB_SHARED");
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir ? dir : "../../shared", name);
	f = fopen(path, "r");
	if (!f) {
		print_message("skipped: no '%s' (set SB_SHARED to its folder)\n", path);
		skip();
	}
	return f;
}

static void tiny_front_end_has_the_tensors_of_the_reference(void **state)
{
	FILE *tsv = fopen("data/front_tiny_state_dict.tsv", "r");

	(void)state;
	assert_non_null(tsv);
	check_table("tiny", tsv, 284, 1464612);
}

static void small_front_end_has_the_tensors_of_the_reference(void **state)
{
	(void)state;
	check_table("small", open_shared("tracker/front_small_state_dict.tsv"), 412, 51207316);
}

static void full_front_end_has_the_tensors_of_the_reference(void **state)
{
	(void)state;
	check_table("full", open_shared("tracker/front_state_dict.tsv"), 1340, 1157940468);
}

/* A preset's dimensions, written as the reference's outputs describe theirs. */
static void print_config(const struct sb_front_config *c, char *out, size_t n)
{
	snprintf(out, n,
	        "{\"img\": %d, \"dim\": %d, \"depth\": %d, \"heads\": %d, \"vit_depth\": %d, \"trunk\": %d, \"feat\": "
	        "%d, "
	        "\"outc\": [%d, %d, %d, %d], \"idx\": [%d, %d, %d, %d]}",
	        c->img, c->dim, c->depth, c->heads, c->vit_depth, c->trunk, c->feat, c->outc[0], c->outc[1], c->outc[2],
	        c->outc[3], c->idx[0], c->idx[1], c->idx[2], c->idx[3]);
}

static void presets_are_the_networks_of_the_reference_outputs(void **state)
{
	static const char *const want[] = {
		NULL, /* in front_tiny.safetensors itself */
		"{\"img\": 518, \"dim\": 384, \"depth\": 6, \"heads\": 6, \"vit_depth\": 6, \"trunk\": 2, \"feat\": "
		"64, "
		"\"outc\": [64, 128, 256, 256], \"idx\": [1, 2, 4, 5]}",
		"{\"img\": 518, \"dim\": 1024, \"depth\": 24, \"heads\": 16, \"vit_depth\": 24, \"trunk\": 4, "
		"\"feat\": 256, "
		"\"outc\": [256, 512, 1024, 1024], \"idx\": [4, 11, 17, 23]}",
	};
	struct sb_safetensors *golden = NULL;
	char got[512];

	(void)state;
	assert_int_equal(sb_n_presets, SB_ARRAY_LEN(want));
	assert_int_equal(sb_safetensors_open("data/front_tiny.safetensors", &golden, NULL), SB_OK);
	for (size_t i = 0; i < SB_ARRAY_LEN(want); i++) {
		print_config(&sb_presets[i].front, got, sizeof(got));
		assert_string_equal(got, want[i] ? want[i] : sb_safetensors_metadata(golden, "config"));
	}
	sb_safetensors_close(golden);
}

static void default_cases_have_sizes_the_network_takes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sb_n_presets; i++) {
		const struct sb_preset_case *c = &sb_presets[i].dflt;
		struct sb_geometry g;

		assert_int_equal(sb_clip_geometry(576, 768, c->width, c->height, &g, NULL), SB_OK);
		assert_true(c->n_frames > 0 && c->n_queries > 0 && c->n_support > 0);
		assert_int_equal(c->n_iterations, strcmp(sb_presets[i].name, "tiny") ? 4 : 1); /* quick before all */
	}
}

static void unknown_preset_is_refused_and_the_known_ones_listed(void **state)
{
	const struct sb_preset *p = NULL;
	struct sb_error err;

	(void)state;
	assert_int_equal(sb_preset_find("huge\n", &p, &err), SB_E_USAGE);
	assert_null(p);
	assert_string_equal(err.msg, "no preset 'huge\\x0a'; there are tiny, small, full");
}

/* ---- synthetic weights --------------------------------------------------------------------------------------- */

/* From a separate NumPy program written from the rule alone: first value, last value, FNV-1a of all bytes. */
static const struct {
	const char *name;
	int ndim;
	int64_t shape[4];
	float first, last;
	uint64_t digest;
} synthetic[] = {
	{ "camera_head.pose_branch.fc2.bias", 1, { 9 }, -0x1.d5a946p-10f, 0x1.dacd00p-3f,
	        UINT64_C(0xf7e2d917af1489cd) },
	{ "aggregator.patch_embed.norm.bias", 1, { 64 }, 0x1.77ff84p-10f, -0x1.471d28p-7f,
	        UINT64_C(0x2f9e1cd34a682716) },
	{ "aggregator.frame_blocks.0.ls1.gamma", 1, { 64 }, 0x1.245e46p-2f, 0x1.bb4d14p-3f,
	        UINT64_C(0x2af2cd3682bb16c9) },
	{ "depth_head.norm.weight", 1, { 128 }, 0x1.feb14ep-1f, 0x1.063a70p+0f, UINT64_C(0x962b214737bf3fd0) },
	{ "aggregator.patch_embed.patch_embed.proj.weight", 4, { 64, 3, 14, 14 }, 0x1.23d49cp-5f, 0x1.1de8dcp-5f,
	        UINT64_C(0xaec8d04a23270c97) },
	{ "camera_head.pose_branch.fc2.weight", 2, { 9, 64 }, 0x1.20c436p-6f, 0x1.4c30cap-7f,
	        UINT64_C(0x32febd1423b2d623) },
	{ "aggregator.patch_embed.pos_embed", 3, { 1, 1370, 64 }, -0x1.12e9f0p-4f, 0x1.ef4a50p-2f,
	        UINT64_C(0x47932e750564b15d) },
	{ "spatrack.Track3D.updateformer3D.flow_head.weight", 2, { 4, 384 }, 0x1.717a92p-9f, -0x1.c14a78p-8f,
	        UINT64_C(0x2c56ff2c6634cadb) },
	{ "spatrack.Track3D.corr_mlp.fc1.weight", 2, { 384, 2401 }, -0x1.fbb4e2p-8f, -0x1.bc710ep-6f,
	        UINT64_C(0xd571286c988abfb1) },
	{ "aggregator.camera_token", 4, { 1, 2, 1, 64 }, -0x1.a5ca00p-9f, -0x1.837c30p-2f,
	        UINT64_C(0x80d936eec4b606cc) },
};

static void synthetic_values_follow_the_rule_bit_for_bit(void **state)
{
	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(synthetic); i++) {
		size_t n = 1;
		float *v;

		for (int d = 0; d < synthetic[i].ndim; d++)
			n *= (size_t)synthetic[i].shape[d];
		v = malloc(n * sizeof(*v));
		assert_non_null(v);
		sb_synthetic_fill(synthetic[i].name, synthetic[i].shape, synthetic[i].ndim, v);
		if (v[0] != synthetic[i].first || v[n - 1] != synthetic[i].last)
			fail_msg("%s: %a .. %a, not %a .. %a", synthetic[i].name, (double)v[0], (double)v[n - 1],
			        (double)synthetic[i].first, (double)synthetic[i].last);
		if (sb_fnv1a(SB_FNV1A_INIT, v, n * sizeof(*v)) != synthetic[i].digest)
			fail_msg("%s: a value between the first and the last is off", synthetic[i].name);
		free(v);
	}
}

/* Whoever makes them elsewhere makes the same; one tensor is not all by its rule, and says so. */
static void the_rule_that_is_handed_out_gives_the_same_values(void **state)
{
	const int64_t nine[] = { 9 };
	struct sb_value_rule rule;

	(void)state;
	for (size_t t = 0; t < SB_ARRAY_LEN(synthetic); t++) {
		float want[4096];
		uint64_t at;
		int64_t n = 1;

		for (int d = 0; d < synthetic[t].ndim; d++)
			n *= synthetic[t].shape[d];
		if (n > (int64_t)SB_ARRAY_LEN(want) || !sb_weights_rule(&sb_weights_synthetic, synthetic[t].name,
		                                               synthetic[t].shape, synthetic[t].ndim, &rule))
			continue;
		sb_synthetic_fill(synthetic[t].name, synthetic[t].shape, synthetic[t].ndim, want);
		at = rule.key;
		for (int64_t i = 0; i < n; i++) {
			volatile float u = (float)(sb_splitmix64(&at) >> 40) / 8388608.0f - 1.0f;
			volatile float v = rule.scale * u;

			v = v + rule.offset;
			assert_true(want[i] == v);
		}
	}
	assert_true(sb_weights_rule(&sb_weights_synthetic, "camera_head.pose_branch.fc1.bias", nine, 1, &rule));
	assert_false(sb_weights_rule(&sb_weights_synthetic, "camera_head.pose_branch.fc2.bias", nine, 1, &rule));
}

/* ---- positional table ---------------------------------------------------------------------------------------- */

#define SIDE SB_POS_EMBED_SIDE
#define DIM  2

static void fill_table(float table[SIDE * SIDE * DIM])
{
	for (int i = 0; i < SIDE * SIDE; i++)
		for (int c = 0; c < DIM; c++)
			table[i * DIM + c] = (float)((i * 7 + c * 13) % 101) / 8.0f;
}

static void positional_table_at_its_own_size_is_unchanged(void **state)
{
	static float src[SIDE * SIDE * DIM], dst[SIDE * SIDE * DIM];

	(void)state;
	fill_table(src);
	sb_pos_embed_resize(src, SIDE, SIDE, DIM, dst);
	assert_memory_equal(src, dst, sizeof(src));
}

/* From a separate NumPy program (a matrix an axis, float64): corner, far corner, an inner point, sum of |values|. */
static const struct {
	int ph, pw;
	double first, last, inner, sum;
} resized[] = {
	{ 10, 18, 4.673998, 7.06610514, 5.72767725, 2249.18228307 },
	{ 28, 37, 2.01720932, 9.85779068, 9.42376903, 12943.9387901 },
	{ 40, 50, -0.173602304, 12.0486023, 11.1339098, 25002.9984107 },
	{ 1, 1, 6.24395914, 6.24980869, 6.24395914, 12.4937678295 },
	{ 148, 2, 5.65019174, 6.79683273, 6.4660423, 3697.01991232 },
};

static void positional_table_is_resized_as_the_formula_says(void **state)
{
	static float src[SIDE * SIDE * DIM];

	(void)state;
	fill_table(src);
	for (size_t i = 0; i < SB_ARRAY_LEN(resized); i++) {
		int ph = resized[i].ph, pw = resized[i].pw, n = ph * pw * DIM;
		float *dst = malloc((size_t)n * sizeof(*dst));
		double sum = 0.0;

		assert_non_null(dst);
		sb_pos_embed_resize(src, ph, pw, DIM, dst);
		for (int k = 0; k < n; k++)
			sum += dst[k] < 0.0f ? -(double)dst[k] : (double)dst[k];
		/* half a unit in the last place of values up to 16 */
		assert_true(fabs(dst[0] - resized[i].first) < 5e-7);
		assert_true(fabs(dst[n - 1] - resized[i].last) < 5e-7);
		assert_true(fabs(dst[(ph / 2 * pw + pw / 3) * DIM] - resized[i].inner) < 5e-7);
		assert_true(sum > resized[i].sum * (1.0 - 1e-7) && sum < resized[i].sum * (1.0 + 1e-7));
		free(dst);
	}
}

static void channels_of_a_wide_table_do_not_mix(void **state)
{
	enum { WIDE = 600 }; /* more than two of the function's pieces */
	float *src = malloc(sizeof(float) * SIDE * SIDE * WIDE), *dst = malloc(sizeof(float) * 3 * 4 * WIDE);

	(void)state;
	assert_non_null(src);
	assert_non_null(dst);
	for (int i = 0; i < SIDE * SIDE; i++)
		for (int c = 0; c < WIDE; c++)
			src[i * WIDE + c] = (float)c;
	sb_pos_embed_resize(src, 3, 4, WIDE, dst);
	for (int i = 0; i < 3 * 4; i++)
		for (int c = 0; c < WIDE; c++) /* weights sum to one */
			assert_float_equal(dst[i * WIDE + c], (float)c, 1e-4);
	free(src);
	free(dst);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tiny_front_end_has_the_tensors_of_the_reference),
		cmocka_unit_test(small_front_end_has_the_tensors_of_the_reference),
		cmocka_unit_test(full_front_end_has_the_tensors_of_the_reference),
		cmocka_unit_test(presets_are_the_networks_of_the_reference_outputs),
		cmocka_unit_test(default_cases_have_sizes_the_network_takes),
		cmocka_unit_test(unknown_preset_is_refused_and_the_known_ones_listed),
		cmocka_unit_test(synthetic_values_follow_the_rule_bit_for_bit),
		cmocka_unit_test(the_rule_that_is_handed_out_gives_the_same_values),
		cmocka_unit_test(positional_table_at_its_own_size_is_unchanged),
		cmocka_unit_test(positional_table_is_resized_as_the_formula_says),
		cmocka_unit_test(channels_of_a_wide_table_do_not_mix),
	};
	return cmocka_run_group_tests_name("weights", tests, NULL, NULL);
}
