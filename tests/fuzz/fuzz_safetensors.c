/* Tensor files: header, places, values. */
#include "fuzz.h"
#include "sb_safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sb_safetensors *st = NULL;
	struct sb_error err = { .msg = "" };

	if (sb_safetensors_parse(data, size, &st, &err)) {
		FUZZ_HOLDS(err.msg[0] && !st);
		return 0;
	}
	for (size_t i = 0; i < sb_safetensors_count(st); i++) {
		const struct sb_safetensor *t = sb_safetensors_at(st, i);
		float *scratch;
		const float *v;

		FUZZ_HOLDS(sb_safetensors_find(st, t->name) == t);
		FUZZ_HOLDS(t->n >= 0 && (size_t)t->n <= size);
		FUZZ_HOLDS(!t->n || (t->bytes && (const uint8_t *)t->bytes >= data + 8));
		scratch = malloc((size_t)t->n * sizeof(float) + 1);
		v = scratch ? sb_safetensors_values(t, scratch) : NULL;
		for (int64_t k = 0; v && k < t->n; k++) {
			unsigned char one[sizeof(float)];

			memcpy(one, &v[k], sizeof(one)); /* every value can be read */
			FUZZ_HOLDS(one[0] <= 255);
		}
		free(scratch);
		sb_safetensors_drop(st, t);
	}
	sb_safetensors_metadata(st, "format");
	sb_safetensors_close(st);
	return 0;
}
