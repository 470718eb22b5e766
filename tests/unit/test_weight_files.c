/*
 * Weights from files: what is refused and how it is named, that values arrive bit for bit, that a file written by the
 * export runs as the rule itself does, and that loading holds no second set in memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <math.h>
#include <omp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "sb_experiment.h"
#include "sb_front.h"
#include "sb_safetensors.h"
#include "sb_track_net.h"
#include "weight_digest.h"

static char folder[64], file[128];

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/spabench-test-wf-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(file, sizeof(file), "%s/w.safetensors", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(folder);
}

static int files_in_folder(void)
{
	DIR *d = opendir(folder);
	int n = 0;

	assert_non_null(d);
	for (const struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static const struct sb_preset *preset(const char *name)
{
	const struct sb_preset *p = NULL;

	assert_int_equal(sb_preset_find(name, &p, NULL), SB_OK);
	return p;
}

static enum sb_status check_front(
        const struct sb_weight_file *f, const struct sb_preset *p, struct sb_weight_facts *facts, struct sb_error *err)
{
	const struct sb_network net = sb_network_front(&p->front);

	return sb_weight_file_check(f, &net, facts, err);
}

static enum sb_status export_front(
        const struct sb_preset *p, bool (*stop)(void), struct sb_weight_facts *facts, struct sb_error *err)
{
	const struct sb_network net = sb_network_front(&p->front);

	return sb_weights_export(&net, p->name, file, stop, facts, err);
}

static int64_t product(const int64_t *shape, int ndim)
{
	int64_t n = 1;

	for (int d = 0; d < ndim; d++)
		n *= shape[d];
	return n;
}

/* ---- files of any kind --------------------------------------------------------------------------------------- */

/* How a file differs from the tiny network's synthetic weights. */
struct variant {
	const char *dtype;   /* of all tensors; NULL: F32 */
	bool coarse;         /* values cut to what F16 and BF16 both hold */
	int pad;             /* spaces after the header */
	const char *omit;    /* tensor left out */
	const char *reshape; /* tensor with its first size doubled */
	const char *as_int;  /* tensor of dtype I32 */
	const char *poison;  /* tensor with poison_value at poison_at */
	float poison_value;
	int64_t poison_at;
	const char *const *extra; /* names of tensors [1] added, dtype I64; ends with NULL */
};

struct writer {
	const struct variant *v;
	struct sb_buf header, values;
	int64_t at;
};

static int value_bytes(const struct variant *v)
{
	return v->dtype && strcmp(v->dtype, "F32") != 0 ? 2 : 4;
}

/* Seven bits of fraction and no exponent below F16's smallest normal one. */
static float coarse(float f)
{
	uint32_t bits;

	memcpy(&bits, &f, sizeof(bits));
	bits &= 0xffff0000;
	memcpy(&f, &bits, sizeof(f));
	return fabsf(f) < 0x1p-14f ? 0.0f : f;
}

static void put_value(struct writer *w, float f)
{
	const char *dtype = w->v->dtype ? w->v->dtype : "F32";
	uint32_t bits;
	uint16_t half;

	memcpy(&bits, &f, sizeof(bits));
	if (!strcmp(dtype, "F32")) {
		sb_buf_add(&w->values, (const char *)&bits, sizeof(bits));
		return;
	}
	half = (uint16_t)(bits >> 16);
	if (!strcmp(dtype, "F16") && (bits & 0x7fffffff))
		half = (uint16_t)((bits >> 16 & 0x8000) | (((bits >> 23 & 255) - 112) << 10) | (bits >> 13 & 0x3ff));
	sb_buf_add(&w->values, (const char *)&half, sizeof(half));
}

static void put_header(
        struct writer *w, const char *name, const char *dtype, const int64_t *shape, int ndim, int64_t bytes)
{
	sb_buf_addf(&w->header, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", w->header.len > 1 ? "," : "", name, dtype);
	for (int d = 0; d < ndim; d++)
		sb_buf_addf(&w->header, "%s%lld", d ? "," : "", (long long)shape[d]);
	sb_buf_addf(&w->header, "],\"data_offsets\":[%lld,%lld]}", (long long)w->at, (long long)(w->at + bytes));
	w->at += bytes;
}

static bool is(const char *a, const char *b)
{
	return a && !strcmp(a, b);
}

static void put_tensor(void *ctx, const char *name, const int64_t *shape, int ndim)
{
	struct writer *w = ctx;
	const struct variant *v = w->v;
	int64_t n = product(shape, ndim), changed[4];
	float *values = malloc((size_t)n * sizeof(*values));
	int copies = is(v->reshape, name) ? 2 : 1;

	assert_non_null(values);
	memcpy(changed, shape, (size_t)ndim * sizeof(*shape));
	changed[0] *= copies;
	if (!is(v->omit, name)) {
		put_header(w, name,
		        is(v->as_int, name) ? "I32"
		        : v->dtype          ? v->dtype
		                            : "F32",
		        changed, ndim, copies * n * value_bytes(v));
		sb_synthetic_fill(name, shape, ndim, values);
		if (is(v->poison, name))
			values[v->poison_at] = v->poison_value;
		for (int c = 0; c < copies; c++)
			for (int64_t i = 0; i < n; i++)
				put_value(w, v->coarse ? coarse(values[i]) : values[i]);
	}
	free(values);
}

static void write_variant(const struct variant *v)
{
	static const int64_t one = 1;
	struct writer w = { .v = v };
	const uint64_t zero = 0;
	FILE *f = fopen(file, "wb");
	uint64_t length;

	assert_non_null(f);
	sb_buf_puts(&w.header, "{");
	sb_front_tensors(&preset("tiny")->front, put_tensor, &w);
	for (const char *const *e = v->extra; e && *e; e++) {
		put_header(&w, *e, "I64", &one, 1, sizeof(zero));
		sb_buf_add(&w.values, (const char *)&zero, sizeof(zero));
	}
	sb_buf_addf(&w.header, "}%*s", (int)((8 - (w.header.len + 1) % 8) % 8) + v->pad, "");
	assert_false(w.header.failed || w.values.failed);
	length = w.header.len;
	assert_int_equal(fwrite(&length, sizeof(length), 1, f), 1);
	assert_int_equal(fwrite(w.header.s, w.header.len, 1, f), 1);
	assert_int_equal(fwrite(w.values.s, w.values.len, 1, f), 1);
	assert_int_equal(fclose(f), 0);
	sb_buf_release(&w.header);
	sb_buf_release(&w.values);
}

static enum sb_status check_file(const char *preset_name, struct sb_weight_facts *facts, struct sb_error *err)
{
	struct sb_weight_file *f = NULL;
	enum sb_status status = sb_weight_file_open(file, &f, err);

	if (!status)
		status = check_front(f, preset(preset_name), facts, err);
	sb_weight_file_close(f);
	return status;
}

/* ---- values -------------------------------------------------------------------------------------------------- */

/* Of the definitions: sign, exponent, fraction. */
static double value_of(uint16_t bits, int exponent_bits)
{
	int fraction_bits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1;
	int exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1);
	double fraction = (double)(bits & ((1 << fraction_bits) - 1)) / (double)(1 << fraction_bits), v;

	if (exponent == (1 << exponent_bits) - 1)
		v = fraction > 0.0 ? (double)NAN : (double)INFINITY;
	else if (exponent == 0)
		v = ldexp(fraction, 1 - bias);
	else
		v = ldexp(1.0 + fraction, exponent - bias);
	return bits & 0x8000 ? -v : v;
}

static void every_f16_and_bf16_value_is_widened_exactly(void **state)
{
	static const struct {
		const char *name;
		int exponent_bits;
	} types[] = { { "F16", 5 }, { "BF16", 8 } };
	enum { N = 65536 };
	float *out = malloc(N * sizeof(*out));

	(void)state;
	assert_non_null(out);
	for (size_t t = 0; t < SB_ARRAY_LEN(types); t++) {
		for (int pad = 0; pad < 2; pad++) { /* also where no value is aligned */
			struct sb_safetensors *st = NULL;
			struct sb_buf b = { 0 };
			char header[128];
			uint64_t length = (uint64_t)snprintf(header, sizeof(header),
			        "{\"x\":{\"dtype\":\"%s\",\"shape\":[%d],\"data_offsets\":[0,%d]}}%*s", types[t].name,
			        N, 2 * N, 1 + pad, "");

			sb_buf_add(&b, (const char *)&length, sizeof(length));
			sb_buf_add(&b, header, (size_t)length);
			for (int i = 0; i < N; i++)
				sb_buf_add(&b, (const char *)&(uint16_t){ (uint16_t)i }, 2);
			assert_false(b.failed);
			assert_int_equal(sb_safetensors_parse(b.s, b.len, &st, NULL), SB_OK);
			assert_ptr_equal(sb_safetensors_values(sb_safetensors_at(st, 0), out), out);
			for (int i = 0; i < N; i++) {
				double want = value_of((uint16_t)i, types[t].exponent_bits);

				if (isnan(want) ? !isnan(out[i])
				                : (double)out[i] != want || !signbit(out[i]) != !signbit(want))
					fail_msg("%s %04x: %a, not %a", types[t].name, (unsigned)i, (double)out[i],
					        want);
			}
			sb_safetensors_close(st);
			sb_buf_release(&b);
		}
	}
	free(out);
}

/* ---- the export ---------------------------------------------------------------------------------------------- */

static void exported_weights_are_the_whole_state_of_the_reference(void **state)
{
	FILE *tsv = fopen("data/front_tiny_state_dict.tsv", "r");
	struct sb_safetensors *st = NULL;
	struct sb_weight_facts facts, found;
	float *want = malloc(1 << 20);
	char line[256];
	size_t n = 0;

	(void)state;
	assert_non_null(tsv);
	assert_non_null(want);
	assert_int_equal(export_front(preset("tiny"), NULL, &facts, NULL), SB_OK);
	assert_int_equal(sb_safetensors_open(file, &st, NULL), SB_OK);
	while (fgets(line, sizeof(line), tsv)) {
		const struct sb_safetensor *t;
		char name[128];
		int at;

		assert_int_equal(sscanf(line, "%127[^\t]\t(%n", name, &at), 1);
		t = sb_safetensors_find(st, name);
		assert_non_null(t);
		for (int d = 0; d < t->ndim; d++) {
			char *end;

			assert_int_equal(strtoll(line + at, &end, 10), t->shape[d]);
			at = (int)(end - line) + (int)strspn(end, ", ");
		}
		assert_int_equal(line[at], ')');
		assert_true(t->n * (int64_t)sizeof(float) <= 1 << 20);
		sb_synthetic_fill(name, t->shape, t->ndim, want);
		assert_memory_equal(t->data, want, (size_t)t->n * sizeof(float));
		n++;
	}
	assert_int_equal(n, sb_safetensors_count(st));
	assert_int_equal(facts.tensors, n);
	assert_int_equal(facts.values, 1464612 + 64);
	assert_string_equal(sb_safetensors_metadata(st, "format"), "pt"); /* what PyTorch's loaders ask for */
	assert_string_equal(sb_safetensors_metadata(st, "spabench.preset"), "tiny");
	assert_int_equal(check_file("tiny", &found, NULL), SB_OK);
	assert_true(found.digest == facts.digest);
	assert_int_equal(found.values, 1464612);
	assert_string_equal(found.note, ""); /* mask_token is no surprise */
	assert_string_equal(found.kind, "synthetic file");
	sb_safetensors_close(st);
	free(want);
	fclose(tsv);
}

static int stops_left;

static bool stop(void)
{
	return stops_left-- == 0;
}

static void an_export_that_is_stopped_or_has_no_room_leaves_nothing(void **state)
{
	struct sb_weight_facts facts = { .tensors = -1 };
	struct rlimit before, limit;
	struct sb_error err;
	enum sb_status status;

	(void)state;
	unlink(file);
	for (int after = 0; after <= 200; after += 100) {
		stops_left = after;
		assert_int_equal(export_front(preset("tiny"), stop, &facts, &err), SB_E_INTERRUPTED);
		assert_int_equal(files_in_folder(), 0);
	}
	assert_int_equal(facts.tensors, -1);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	signal(SIGXFSZ, SIG_IGN);
	for (rlim_t size = 0; size < 5000000; size = size * 50 + 100) { /* in the header, and in the values */
		limit.rlim_cur = size;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		status = export_front(preset("tiny"), NULL, &facts, &err);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
		assert_int_equal(status, SB_E_DATA);
		assert_non_null(strstr(err.msg, "w.safetensors': File too large; it needs 5.9 MB"));
		assert_int_equal(files_in_folder(), 0);
	}
	signal(SIGXFSZ, SIG_DFL);
}

/* ---- running with a file ------------------------------------------------------------------------------------- */

#define H 84
#define W 126

/* Two frames of noise through the tiny network; the caller releases *out. */
static void run(const struct sb_weights *weights, const char *levels_text, struct sb_front_outputs *out)
{
	const struct sb_front_config *cfg = &preset("tiny")->front;
	struct sb_front_input in = { .frames = 2, .h = H, .w = W };
	struct sb_levels levels;
	struct sb_front_net *net;
	struct sb_backend *be;
	uint8_t *rgb = malloc(2 * H * W * 3);
	uint64_t random = 1;
	struct sb_error err;

	assert_non_null(rgb);
	for (int i = 0; i < 2 * H * W * 3; i++)
		rgb[i] = (uint8_t)sb_splitmix64(&random);
	in.rgb = rgb;
	assert_int_equal(sb_clip_geometry(H, W, W, H, &in.geo, &err), SB_OK);
	assert_int_equal(sb_backend_open("cpu", 0, &be, &err), SB_OK);
	assert_int_equal(sb_levels_parse(levels_text, &levels, &err), SB_OK);
	sb_backend_set_levels(be, &levels);
	assert_int_equal(sb_front_net_open(be, cfg, H, W, weights, &net, &err), SB_OK);
	assert_int_equal(sb_front_outputs_init(out, 2, H, W, &err), SB_OK);
	assert_int_equal(sb_backend_begin_arm(be, &err), SB_OK);
	assert_int_equal(sb_backend_begin_pass(be, 0, &err), SB_OK);
	assert_int_equal(sb_front_run(be, net, &in, out, NULL, &err), SB_OK);
	assert_int_equal(sb_backend_end_pass(be, &err), SB_OK);
	sb_backend_end_arm(be);
	sb_front_net_close(net);
	sb_backend_close(be);
	free(rgb);
}

static void run_file(const char *levels, struct sb_front_outputs *out)
{
	struct sb_weight_file *f = NULL;
	struct sb_error err;

	assert_int_equal(sb_weight_file_open(file, &f, &err), SB_OK);
	run(sb_weight_file_source(f), levels, out);
	sb_weight_file_close(f);
}

static void an_exported_file_runs_as_the_rule_itself(void **state)
{
	static const char *const levels[] = { "attention=standard", "precision=tf32,attention=efficient" };
	struct sb_weight_facts facts;

	(void)state;
	omp_set_num_threads(2); /* the same for both: products may be split by it */
	assert_int_equal(export_front(preset("tiny"), NULL, &facts, NULL), SB_OK);
	for (size_t i = 0; i < SB_ARRAY_LEN(levels); i++) {
		struct sb_front_outputs a, b;

		run(&sb_weights_synthetic, levels[i], &a);
		run_file(levels[i], &b);
		assert_memory_equal(a.depth, b.depth, sb_front_outputs_floats(&a) * sizeof(float));
		sb_front_outputs_release(&a);
		sb_front_outputs_release(&b);
	}
}

static void the_same_values_in_any_format_are_the_same_weights(void **state)
{
	static const struct variant variants[] = {
		{ .coarse = true },
		{ .coarse = true, .dtype = "BF16" },
		{ .coarse = true, .dtype = "F16" },
		{ .coarse = true, .pad = 1 }, /* no value aligned */
		{ .coarse = true, .dtype = "BF16", .pad = 1 },
	};
	struct sb_front_outputs first, other;
	struct sb_weight_facts facts, facts0 = { 0 };

	(void)state;
	omp_set_num_threads(2);
	for (size_t i = 0; i < SB_ARRAY_LEN(variants); i++) {
		write_variant(&variants[i]);
		assert_int_equal(check_file("tiny", i ? &facts : &facts0, NULL), SB_OK);
		run_file("attention=standard", i ? &other : &first);
		if (!i)
			continue;
		assert_true(facts.digest == facts0.digest);
		assert_memory_equal(first.depth, other.depth, sb_front_outputs_floats(&first) * sizeof(float));
		sb_front_outputs_release(&other);
	}
	assert_string_equal(facts0.kind, "file");
	run(&sb_weights_synthetic, "attention=standard", &other); /* it was the file's values that ran */
	assert_memory_not_equal(first.depth, other.depth, sb_front_outputs_floats(&first) * sizeof(float));
	sb_front_outputs_release(&other);
	sb_front_outputs_release(&first);
}

/* ---- what is refused ----------------------------------------------------------------------------------------- */

static void weights_that_do_not_fit_are_refused_by_name(void **state)
{
	static const struct {
		struct variant v;
		const char *says;
	} cases[] = {
		{ { .omit = "aggregator.camera_token" }, "': tensor 'aggregator.camera_token' is missing" },
		{ { .omit = "depth_head.scratch.output_conv2.2.bias" },
		        "'depth_head.scratch.output_conv2.2.bias' is missing" },
		{ { .reshape = "camera_head.token_norm.bias" },
		        "'camera_head.token_norm.bias' has shape [256], not [128]" },
		{ { .omit = "camera_head.token_norm.weight", .reshape = "camera_head.token_norm.bias" },
		        "'camera_head.token_norm.weight' is missing, and 1 more tensors do not fit" },
		{ { .as_int = "camera_head.embed_pose.weight" },
		        "'camera_head.embed_pose.weight' has dtype I32; F32, F16 and BF16 are read" },
		{ { .poison = "depth_head.norm.bias", .poison_value = NAN, .poison_at = 127 },
		        "'depth_head.norm.bias' has the value NaN at index 127" },
		{ { .poison = "aggregator.patch_embed.pos_embed", .poison_value = -INFINITY, .poison_at = 70001 },
		        "'aggregator.patch_embed.pos_embed' has the value infinity at index 70001" },
		{ { .dtype = "BF16", .poison = "depth_head.norm.bias", .poison_value = INFINITY },
		        "'depth_head.norm.bias' has the value infinity at index 0" },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		struct sb_weight_facts facts;
		struct sb_error err = { .msg = "" };

		write_variant(&cases[i].v);
		if (check_file("tiny", &facts, &err) != SB_E_DATA || !strstr(err.msg, cases[i].says) ||
		        !strstr(err.msg, "w.safetensors"))
			fail_msg("'%s' does not say '%s'", err.msg, cases[i].says);
	}
}

static void weights_of_another_preset_are_recognised(void **state)
{
	struct sb_weight_facts facts;
	struct sb_error err;

	(void)state;
	write_variant(&(struct variant){ .dtype = "BF16" });
	assert_int_equal(check_file("full", &facts, &err), SB_E_DATA);
	assert_non_null(strstr(err.msg, "'aggregator.camera_token' has shape [1, 2, 1, 64], not [1, 2, 1, 1024]"));
	assert_non_null(strstr(err.msg, "more tensors do not fit; these are the weights of --preset tiny"));
}

static void tensors_nobody_asked_for_are_counted_and_named(void **state)
{
	static const struct {
		const char *extra[6];
		const char *note;
	} cases[] = {
		{ { NULL }, "" },
		{ { "aggregator.patch_embed.mask_token", NULL }, "" },
		{ { "z", NULL }, "weights: 1 tensor of the file is not used: 'z'" },
		{ { "d", "c\\u001b", "b", "a", NULL },
		        "weights: 4 tensors of the file are not used: 'a', 'b', 'c\\x1b', .." },
		{ { "a", "spatrack.Track3D.fnet.x", "spatrack.Track3D.y", NULL },
		        "weights: 1 tensor of the file is not used: 'a'" },
		{ { "spatrack.Track3D.y", NULL }, "" },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
		struct sb_weight_facts facts;
		struct sb_weight_file *f = NULL;
		size_t track, others, want_track = 0;

		write_variant(&(struct variant){ .extra = cases[i].extra });
		assert_int_equal(check_file("tiny", &facts, NULL), SB_OK);
		assert_string_equal(facts.note, cases[i].note);
		for (const char *const *e = cases[i].extra; *e; e++)
			want_track += !strncmp(*e, SB_TRACK_PREFIX, strlen(SB_TRACK_PREFIX));
		assert_int_equal(sb_weight_file_open(file, &f, NULL), SB_OK);
		sb_weight_file_parts(f, &track, &others);
		assert_int_equal(track, want_track);
		assert_true(others >= 284);
		sb_weight_file_close(f);
	}
}

/* The tracker's own file: what it reads, its time embedding, and nothing of the front end. */
static void the_tracker_s_weights_go_out_and_come_back(void **state)
{
	static const int64_t shape[] = { 2, 384 };
	const struct sb_network track = sb_network_track(), front = sb_network_front(&preset("tiny")->front);
	struct sb_weight_facts out, in;
	struct sb_weight_file *f = NULL;
	const float *values = NULL;
	float scratch[2 * 384], want[2 * 384];
	struct sb_error err;
	size_t n_track, n_others;

	(void)state;
	assert_int_equal(sb_weights_export(&track, "tiny", file, NULL, &out, NULL), SB_OK);
	assert_int_equal(sb_weight_file_open(file, &f, NULL), SB_OK);
	sb_weight_file_parts(f, &n_track, &n_others);
	assert_int_equal(n_others, 0);
	assert_int_equal(n_track, out.tensors);
	assert_int_equal(sb_weight_file_check(f, &track, &in, &err), SB_OK);
	assert_int_equal(in.values, 60753685); /* ARCHITECTURE section 1: live parameters */
	assert_int_equal(in.tensors, out.tensors - 1);
	assert_int_equal(in.digest, out.digest);
	assert_string_equal(in.note, "");
	assert_string_equal(in.kind, "synthetic file");
	assert_int_equal(sb_weight_file_rows(f, SB_TRACK_TIME), 60);
	assert_int_equal(sb_weight_file_rows(f, "no.such"), 0);
	assert_int_equal(sb_weights_get(sb_weight_file_source(f), SB_TRACK_PREFIX "updateformer.flow_head.weight",
	                         shape, 2, scratch, &values, &err),
	        SB_OK);
	sb_synthetic_fill(SB_TRACK_PREFIX "updateformer.flow_head.weight", shape, 2, want);
	assert_memory_equal(values, want, sizeof(want));
	assert_int_equal(sb_weight_file_check(f, &front, &in, &err), SB_E_DATA);
	assert_non_null(strstr(err.msg, "'aggregator.camera_token' is missing"));
	sb_weight_file_close(f);
}

static void a_source_does_not_give_what_the_file_has_not(void **state)
{
	static const int64_t shape[] = { 128 }, wrong[] = { 64, 2 };
	struct sb_weight_file *f = NULL;
	const float *values = NULL;
	struct sb_error err;
	float scratch[128];

	(void)state;
	write_variant(&(struct variant){ .dtype = NULL });
	assert_int_equal(sb_weight_file_open(file, &f, NULL), SB_OK);
	assert_int_equal(
	        sb_weights_get(sb_weight_file_source(f), "no.such", shape, 1, scratch, &values, &err), SB_E_DATA);
	assert_non_null(strstr(err.msg, "tensor 'no.such' is missing"));
	assert_int_equal(
	        sb_weights_get(sb_weight_file_source(f), "depth_head.norm.bias", wrong, 2, scratch, &values, &err),
	        SB_E_DATA);
	assert_non_null(strstr(err.msg, "has shape [128], not [64, 2]"));
	assert_null(values);
	assert_int_equal(
	        sb_weights_get(sb_weight_file_source(f), "depth_head.norm.bias", shape, 1, scratch, &values, &err),
	        SB_OK);
	assert_ptr_not_equal(values, scratch); /* where the file is mapped */
	sb_weights_drop(sb_weight_file_source(f), "depth_head.norm.bias");
	sb_weights_drop(sb_weight_file_source(f), "no.such");
	sb_synthetic_fill("depth_head.norm.bias", shape, 1, scratch);
	assert_memory_equal(values, scratch, sizeof(scratch)); /* dropped values come back when they are read */
	sb_weight_file_close(f);
}

/* ---- the digest ---------------------------------------------------------------------------------------------- */

static uint64_t digest_of(const char *name, int64_t n, const float *values, int64_t *bad)
{
	uint64_t digest = SB_FNV1A_INIT;

	*bad = sb_weight_digest(&digest, name, &n, 1, values);
	return digest;
}

/* Swap n values at a with as many at b. */
static void swap(float *v, int64_t a, int64_t b, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		float t = v[a + i];

		v[a + i] = v[b + i];
		v[b + i] = t;
	}
}

static void the_digest_takes_the_order_of_the_values(void **state)
{
	enum { CHUNK = 65536, N = 3 * CHUNK };
	static const struct {
		int64_t a, b, n;
	} swaps[] = {
		{ 0, 1, 1 }, { 0, 2, 1 }, { 0, 16, 1 }, { 100, 132, 2 }, /* within a word, a row, a chain */
		{ 0, 16, 16 }, { 1024, 4096, 1024 }, { 0, CHUNK, CHUNK },
		{ CHUNK, 2 * CHUNK, CHUNK }, /* whole rows, chunks */
	};
	float *v = malloc(N * sizeof(*v));
	uint64_t random = 1, whole;
	int64_t bad;

	(void)state;
	assert_non_null(v);
	for (int64_t i = 0; i < N; i++)
		v[i] = (float)sb_random_unit(&random);
	whole = digest_of("x", N, v, &bad);
	for (size_t i = 0; i < SB_ARRAY_LEN(swaps); i++) {
		swap(v, swaps[i].a, swaps[i].b, swaps[i].n);
		if (digest_of("x", N, v, &bad) == whole)
			fail_msg("%lld values at %lld and %lld", (long long)swaps[i].n, (long long)swaps[i].a,
			        (long long)swaps[i].b);
		swap(v, swaps[i].a, swaps[i].b, swaps[i].n);
	}
	assert_true(digest_of("x", N, v, &bad) == whole);
	free(v);
}

static void the_digest_takes_every_bit_of_every_value(void **state)
{
	static const int64_t sizes[] = { 1, 2, 15, 16, 17, 65535, 65536, 65537, 3 * 65536 + 5 };
	int64_t bad;

	(void)state;
	for (size_t s = 0; s < SB_ARRAY_LEN(sizes); s++) {
		int64_t n = sizes[s], step = n < 100 ? 1 : n / 37;
		float *v = malloc((size_t)n * sizeof(*v));
		uint64_t whole, random = (uint64_t)n;

		assert_non_null(v);
		for (int64_t i = 0; i < n; i++)
			v[i] = (float)sb_random_unit(&random);
		whole = digest_of("x", n, v, &bad);
		assert_int_equal(bad, -1);
		omp_set_num_threads(1);
		assert_true(digest_of("x", n, v, &bad) == whole);
		omp_set_num_threads(3);
		assert_true(digest_of("x", n, v, &bad) == whole);
		assert_true(digest_of("y", n, v, &bad) != whole);
		for (int64_t i = n - 1; i >= 0; i -= step) {
			float kept = v[i];
			uint32_t bits;

			memcpy(&bits, &v[i], sizeof(bits));
			bits ^= 1u << (i % 31);
			memcpy(&v[i], &bits, sizeof(bits));
			assert_true(digest_of("x", n, v, &bad) != whole);
			v[i] = i % 2 ? INFINITY : NAN;
			digest_of("x", n, v, &bad);
			assert_int_equal(bad, i);
			v[i] = kept;
		}
		free(v);
	}
	omp_set_num_threads(2);
}

/* ---- memory -------------------------------------------------------------------------------------------------- */

/* A figure of /proc/self/status in bytes. */
static int64_t memory(const char *what)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long long kb = -1;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, what, strlen(what)))
			kb = atoll(line + strlen(what) + 1);
	fclose(f);
	return kb * 1024;
}

static void largest_tensor(void *ctx, const char *name, const int64_t *shape, int ndim)
{
	int64_t *largest = ctx, n = product(shape, ndim);

	(void)name;
	*largest = n > *largest ? n : *largest;
}

static void loading_a_file_holds_the_weights_once(void **state)
{
	const int64_t slack = 16 << 20;
	const struct sb_preset *p = preset(getenv("SB_LONG_TESTS") ? "full" : "small");
	int64_t largest = 0, weights, before, rss;
	struct sb_weight_facts facts;
	struct sb_weight_file *f = NULL;
	struct sb_front_net *net;
	struct sb_backend *be;
	FILE *clear;

	(void)state;
	assert_int_equal(export_front(p, NULL, &facts, NULL), SB_OK);
	weights = facts.values * (int64_t)sizeof(float);
	sb_front_tensors(&p->front, largest_tensor, &largest);
	largest *= (int64_t)sizeof(float);
	assert_true(weights > 5 * (largest + slack)); /* so that a second set would show */
	assert_int_equal(sb_backend_open("cpu", 0, &be, NULL), SB_OK);

	clear = fopen("/proc/self/clear_refs", "w"); /* 5: the peak begins anew */
	if (!clear || fputs("5", clear) < 0 || fclose(clear)) {
		print_message("  skipped: this system does not measure peaks\n");
		skip();
	}
	if (getenv("SB_SANITIZE") && strstr(getenv("SB_SANITIZE"), "thread")) {
		print_message("  skipped: the thread sanitizer keeps a shadow of all memory\n");
		skip();
	}
	rss = memory("VmRSS");
	assert_int_equal(sb_weight_file_open(file, &f, NULL), SB_OK);
	assert_int_equal(check_front(f, p, &facts, NULL), SB_OK);
	before = memory("VmHWM") - rss;
	print_message("  weights %.0f MB, largest %.0f MB: checking takes %.0f MB", (double)weights / 1e6,
	        (double)largest / 1e6, (double)before / 1e6);
	assert_true(before < largest + slack);
	assert_int_equal(sb_front_net_open(be, &p->front, 140, 252, sb_weight_file_source(f), &net, NULL), SB_OK);
	print_message(", loading at most %.0f MB\n", (double)(memory("VmHWM") - rss) / 1e6);
	assert_true(memory("VmHWM") - rss < weights + largest + slack);
	sb_front_net_close(net);
	sb_weight_file_close(f);
	sb_backend_close(be);
}

/* ---- plans --------------------------------------------------------------------------------------------------- */

static void a_plan_keeps_the_files_of_weights(void **state)
{
	struct sb_worker_setup *w = calloc(2, sizeof(*w));
	struct sb_plan *p = calloc(2, sizeof(*p));
	char *text, *key;

	(void)state;
	assert_non_null(w);
	assert_non_null(p);
	snprintf(w[0].c.weights_front, sizeof(w[0].c.weights_front), "a \"b\".safetensors");
	snprintf(w[0].c.weights_track, sizeof(w[0].c.weights_track), "c");
	text = sb_plan_format(&p[0], &w[0]);
	assert_non_null(text);
	assert_int_equal(sb_plan_parse(text, &p[1], &w[1], NULL), SB_OK);
	assert_string_equal(w[1].c.weights_front, "a \"b\".safetensors");
	assert_string_equal(w[1].c.weights_track, "c");

	/* a plan from before there were such files */
	key = strstr(text, ",\"weights_front\"");
	assert_non_null(key);
	for (char *end; (key = strstr(text, ",\"weights_"));) {
		end = strstr(key + 1, ",\"");
		if (!end)
			end = strrchr(key, '}');
		memmove(key, end, strlen(end) + 1);
	}
	assert_int_equal(sb_plan_parse(text, &p[1], &w[1], NULL), SB_OK);
	assert_string_equal(w[1].c.weights_front, "");
	assert_string_equal(w[1].c.weights_track, "");
	free(text);
	free(w);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_f16_and_bf16_value_is_widened_exactly),
		cmocka_unit_test(exported_weights_are_the_whole_state_of_the_reference),
		cmocka_unit_test(an_export_that_is_stopped_or_has_no_room_leaves_nothing),
		cmocka_unit_test(an_exported_file_runs_as_the_rule_itself),
		cmocka_unit_test(the_same_values_in_any_format_are_the_same_weights),
		cmocka_unit_test(weights_that_do_not_fit_are_refused_by_name),
		cmocka_unit_test(weights_of_another_preset_are_recognised),
		cmocka_unit_test(tensors_nobody_asked_for_are_counted_and_named),
		cmocka_unit_test(the_tracker_s_weights_go_out_and_come_back),
		cmocka_unit_test(a_source_does_not_give_what_the_file_has_not),
		cmocka_unit_test(the_digest_takes_every_bit_of_every_value),
		cmocka_unit_test(the_digest_takes_the_order_of_the_values),
		cmocka_unit_test(loading_a_file_holds_the_weights_once),
		cmocka_unit_test(a_plan_keeps_the_files_of_weights),
	};
	return cmocka_run_group_tests_name("weight files", tests, set_up, tear_down);
}
