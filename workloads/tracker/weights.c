#include "sb_weights.h"

#include <math.h>
#include <string.h>

#define GOLDEN_GAMMA UINT64_C(0x9E3779B97F4A7C15)

/* The pose head's fields of view start near a usable angle: the one tensor that is not all by its rule. */
#define FIELDS_OF_VIEW "camera_head.pose_branch.fc2.bias"

/* Below this many values starting threads costs more than it saves. */
#define PARALLEL_MIN 65536

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

/* The heads whose outputs should stay near zero, as a trained network's do. */
static bool is_damped(const char *name)
{
	static const char *const heads[] = { "flow_head", "point_head", "vis_conf_head", "pro_analysis_w_head" };

	for (size_t i = 0; i < SB_ARRAY_LEN(heads); i++)
		if (strstr(name, heads[i]))
			return true;
	return ends_with(name, "pose_branch.fc2.weight");
}

static struct sb_value_rule rule_of(const char *name, const int64_t *shape, int ndim)
{
	const uint64_t key = sb_fnv1a(SB_FNV1A_INIT, name, strlen(name));
	const char *dot = strrchr(name, '.'), *last = dot ? dot + 1 : name;

	if (!strcmp(last, "bias"))
		return (struct sb_value_rule){ key, 0.02f, 0.0f };
	if (!strcmp(last, "gamma"))
		return (struct sb_value_rule){ key, 0.1f, 0.3f };
	if (!strcmp(last, "weight") && ndim == 1)
		return (struct sb_value_rule){ key, 0.1f, 1.0f };
	if (!strcmp(last, "weight")) {
		double fan_in = 1.0, factor;

		for (int d = 1; d < ndim; d++)
			fan_in *= (double)shape[d];
		factor = sqrt(3.0 / fan_in);
		if (is_damped(name))
			factor *= 0.1; /* before the one rounding to float32 */
		return (struct sb_value_rule){ key, (float)factor, 0.0f };
	}
	return (struct sb_value_rule){ key, 0.5f, 0.0f };
}

/*
 * u of the value with index i, in [-1, 1): 24 bits fit a float32 exactly, and so does every step. The rule's (i+1)
 * times gamma is splitmix64's own step, so the state before it is key + i gamma.
 */
static inline float unit(uint64_t key, uint64_t i)
{
	uint64_t state = key + i * GOLDEN_GAMMA;

	return (float)(int32_t)(sb_splitmix64(&state) >> 40) * 0x1p-23f - 1.0f;
}

void sb_synthetic_fill(const char *name, const int64_t *shape, int ndim, float *out)
{
	const struct sb_value_rule rule = rule_of(name, shape, ndim);
	int64_t n = 1;

	for (int d = 0; d < ndim; d++)
		n *= shape[d];
#pragma omp parallel for schedule(static) if (n >= PARALLEL_MIN)
	for (int64_t i = 0; i < n; i++) {
		/* Two statements: within one a compiler may fuse them and skip the first rounding. */
		float v = rule.scale * unit(rule.key, (uint64_t)i);

		out[i] = v + rule.offset;
	}
	/* After translation and quaternion. */
	if (!strcmp(name, FIELDS_OF_VIEW))
		for (int64_t i = 6; i < n && i < 9; i++)
			out[i] += 0.25f;
}

bool sb_synthetic_rule(const char *name, const int64_t *shape, int ndim, struct sb_value_rule *out)
{
	*out = rule_of(name, shape, ndim);
	return strcmp(name, FIELDS_OF_VIEW) != 0;
}
