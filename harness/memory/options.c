/* PyTorch's settings string: PYTORCH_ALLOC_CONF, PYTORCH_CUDA_ALLOC_CONF. */
#include "memory_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ROUNDING (INT64_C(1) << 60)
#define MAX_THREADS  128 /* pinned_num_register_threads */

/* Words and the marks : , [ ] between them. */
struct lexer {
	const char *at;
	char word[64]; /* the present one; "" at the end */
	struct sb_alloc_conf *conf;
};

static bool is_mark(char c)
{
	return c == ',' || c == ':' || c == '[' || c == ']';
}

static bool is_blank(char c)
{
	return isspace((unsigned char)c) != 0;
}

static enum sb_status next_word(struct lexer *l, struct sb_error *err)
{
	size_t n = 0;

	while (is_blank(*l->at))
		l->at++;
	if (is_mark(*l->at))
		l->word[n++] = *l->at++;
	else
		for (; *l->at && !is_mark(*l->at); l->at++) {
			if (is_blank(*l->at)) /* blanks vanish, inside words too */
				continue;
			if (n + 1 == sizeof(l->word))
				return sb_fail(err, SB_E_USAGE, "a word of more than %zu characters", n);
			l->word[n++] = *l->at;
		}
	l->word[n] = 0;
	return SB_OK;
}

/* The present word, safe to print. */
static const char *shown(const struct lexer *l, char out[4 * sizeof(l->word)])
{
	if (!l->word[0])
		return "the end";
	sb_escape(l->word, out, 4 * sizeof(l->word));
	return out;
}

/* Step over `mark`, which has to be the present word. */
static enum sb_status expect(struct lexer *l, const char *mark, const char *key, struct sb_error *err)
{
	char text[4 * sizeof(l->word)];

	if (strcmp(l->word, mark) != 0)
		return sb_fail(err, SB_E_USAGE, "'%s' expects '%s' and not '%s'", key, mark, shown(l, text));
	return next_word(l, err);
}

static enum sb_status take_bool(struct lexer *l, const char *key, bool *out, struct sb_error *err)
{
	char text[4 * sizeof(l->word)];

	if (strcmp(l->word, "True") != 0 && strcmp(l->word, "False") != 0)
		return sb_fail(err, SB_E_USAGE, "'%s' is True or False, not '%s'", key, shown(l, text));
	*out = l->word[0] == 'T';
	return next_word(l, err);
}

static enum sb_status take_int(
        struct lexer *l, const char *key, int64_t min, int64_t max, int64_t *out, struct sb_error *err)
{
	enum sb_status status = sb_parse_int(l->word, key, min, max, out, err);

	return status ? status : next_word(l, err);
}

/* A power of two, or 0 where `or_zero`. */
static enum sb_status take_power(struct lexer *l, const char *key, bool or_zero, int64_t *out, struct sb_error *err)
{
	int64_t n = 0;
	enum sb_status status = take_int(l, key, 0, INT64_C(1) << 62, &n, err);

	if (status)
		return status;
	if (n & (n - 1) || (n == 0 && !or_zero))
		return sb_fail(err, SB_E_USAGE, "'%s' of %lld is not a power of two%s", key, (long long)n,
		        or_zero ? " or 0" : "");
	*out = n;
	return SB_OK;
}

/* ---- one function a kind of value ------------------------------------------------------------------------------- */

static enum sb_status max_split(struct lexer *l, const char *key, struct sb_error *err)
{
	int64_t mib = 0;
	enum sb_status status = take_int(l, key, 20, INT64_MAX, &mib, err);

	if (!status)
		l->conf->opt.max_split_size = mib > INT64_MAX / SB_MIB ? SB_ALLOC_UNLIMITED : mib * SB_MIB;
	return status;
}

static enum sb_status max_rounding(struct lexer *l, const char *key, struct sb_error *err)
{
	int64_t mib = 0;
	enum sb_status status = take_int(l, key, 20, INT64_MAX, &mib, err);

	if (!status)
		l->conf->opt.max_non_split_rounding = mib > MAX_ROUNDING / SB_MIB ? MAX_ROUNDING : mib * SB_MIB;
	return status;
}

static enum sb_status collection(struct lexer *l, const char *key, struct sb_error *err)
{
	double share = 0;
	enum sb_status status = sb_parse_double(l->word, key, 0, 1, &share, err);

	if (status)
		return status;
	if (!(share > 0 && share < 1))
		return sb_fail(err, SB_E_USAGE, "'%s' of %g is not between 0 and 1", key, share);
	l->conf->opt.garbage_collection_threshold = share;
	return next_word(l, err);
}

static enum sb_status fraction(struct lexer *l, const char *key, struct sb_error *err)
{
	double share = 0;
	enum sb_status status = sb_parse_double(l->word, key, 0, 1, &share, err);

	if (status)
		return status;
	l->conf->fraction = share;
	return next_word(l, err);
}

static void fill(int64_t *division, int from, int to, int64_t value)
{
	for (int i = from; i < to; i++)
		division[i] = value;
}

static int interval_of(int64_t mib)
{
	int i = 0;

	while (mib >> i > 1)
		i++;
	return i < SB_ALLOC_N_DIVISION ? i : SB_ALLOC_N_DIVISION - 1;
}

/* MIB:NUMBER or >:NUMBER. `last` is the interval before, -1 at the first: its number holds for all below it, too. */
static enum sb_status list_entry(struct lexer *l, const char *key, int *last, struct sb_error *err)
{
	int64_t *division = l->conf->opt.roundup_power2_divisions, mib = 0, n = 0;
	bool rest = !strcmp(l->word, ">");
	enum sb_status status = rest ? next_word(l, err) : take_power(l, key, false, &mib, err);

	if (!status)
		status = expect(l, ":", key, err);
	if (!status)
		status = take_power(l, key, true, &n, err);
	if (status)
		return status;
	if (rest) {
		fill(division, *last + 1, SB_ALLOC_N_DIVISION, n);
		return SB_OK;
	}
	if (*last < 0)
		fill(division, 0, interval_of(mib), n);
	*last = interval_of(mib);
	division[*last] = n;
	return SB_OK;
}

static enum sb_status divisions(struct lexer *l, const char *key, struct sb_error *err)
{
	enum sb_status status = SB_OK;
	int64_t n = 0;
	int last = -1;

	if (strcmp(l->word, "[") != 0) {
		status = take_power(l, key, false, &n, err);
		if (!status)
			fill(l->conf->opt.roundup_power2_divisions, 0, SB_ALLOC_N_DIVISION, n);
		return status;
	}
	status = next_word(l, err);
	while (!status && strcmp(l->word, "]") != 0) {
		status = list_entry(l, key, &last, err);
		if (!status && strcmp(l->word, "]") != 0)
			status = expect(l, ",", key, err);
	}
	return status ? status : next_word(l, err);
}

static enum sb_status expandable(struct lexer *l, const char *key, struct sb_error *err)
{
	return take_bool(l, key, &l->conf->expandable, err);
}

static enum sb_status backend(struct lexer *l, const char *key, struct sb_error *err)
{
	char text[4 * sizeof(l->word)];

	if (!strcmp(l->word, "cudaMallocAsync"))
		return sb_fail(err, SB_E_USAGE,
		        "'%s:cudaMallocAsync' leaves all to the driver's pool, which is not reproduced here", key);
	if (strcmp(l->word, "native") != 0)
		return sb_fail(err, SB_E_USAGE, "'%s' is native or cudaMallocAsync, not '%s'", key, shown(l, text));
	return next_word(l, err);
}

/* Settings of the pinned host memory and of locks: read for their errors. */
static void note_unused(struct sb_alloc_conf *conf, const char *key)
{
	size_t used = strlen(conf->unused);

	if (!strstr(conf->unused, key) && used + strlen(key) + 3 < sizeof(conf->unused))
		snprintf(conf->unused + used, sizeof(conf->unused) - used, "%s%s", used ? ", " : "", key);
}

static enum sb_status unused_bool(struct lexer *l, const char *key, struct sb_error *err)
{
	bool value;

	note_unused(l->conf, key);
	return take_bool(l, key, &value, err);
}

static enum sb_status unused_threads(struct lexer *l, const char *key, struct sb_error *err)
{
	int64_t n = 0;
	enum sb_status status = take_power(l, key, false, &n, err);

	note_unused(l->conf, key);
	if (!status && n > MAX_THREADS)
		return sb_fail(err, SB_E_USAGE, "'%s' of %lld is more than %d", key, (long long)n, MAX_THREADS);
	return status;
}

static enum sb_status unused_size(struct lexer *l, const char *key, struct sb_error *err)
{
	int64_t n = 0;

	note_unused(l->conf, key);
	return take_int(l, key, 0, INT64_MAX, &n, err);
}

static const struct {
	const char *key;
	enum sb_status (*value)(struct lexer *l, const char *key, struct sb_error *err);
} keys[] = {
	{ "max_split_size_mb", max_split },
	{ "max_non_split_rounding_mb", max_rounding },
	{ "garbage_collection_threshold", collection },
	{ "roundup_power2_divisions", divisions },
	{ "expandable_segments", expandable },
	{ "per_process_memory_fraction", fraction },
	{ "backend", backend },
	{ "release_lock_on_cudamalloc", unused_bool },
	{ "pinned_use_cuda_host_register", unused_bool },
	{ "pinned_use_background_threads", unused_bool },
	{ "graph_capture_record_stream_reuse", unused_bool },
	{ "pinned_num_register_threads", unused_threads },
	{ "pinned_reserve_segment_size_mb", unused_size },
};

static enum sb_status pair(struct lexer *l, struct sb_error *err)
{
	char text[4 * sizeof(l->word)];
	enum sb_status status;

	for (size_t i = 0; i < SB_ARRAY_LEN(keys); i++) {
		if (strcmp(keys[i].key, l->word) != 0)
			continue;
		status = next_word(l, err);
		if (!status)
			status = expect(l, ":", keys[i].key, err);
		return status ? status : keys[i].value(l, keys[i].key, err);
	}
	return sb_fail(err, SB_E_USAGE, "there is no setting '%s'", shown(l, text));
}

enum sb_status sb_alloc_conf_parse(const char *text, struct sb_alloc_conf *out, struct sb_error *err)
{
	struct sb_alloc_conf conf = { .fraction = 1 };
	struct lexer l = { .at = text ? text : "", .conf = &conf };
	enum sb_status status;

	sb_alloc_options_init(&conf.opt);
	status = next_word(&l, err);
	while (!status && l.word[0]) {
		status = pair(&l, err);
		if (!status && l.word[0])
			status = expect(&l, ",", "a setting", err);
	}
	if (status)
		return sb_wrap(err, "allocator settings");
	*out = conf;
	return SB_OK;
}

const char *sb_alloc_conf_from_environment(const char **name)
{
	static const char *const names[] = { "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF" };

	for (size_t i = 0; i < SB_ARRAY_LEN(names); i++) {
		const char *text = getenv(names[i]);

		if (!text)
			continue;
		if (name)
			*name = names[i];
		return text;
	}
	return NULL;
}
