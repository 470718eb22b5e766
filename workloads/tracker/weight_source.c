/* Sources of weights: the rule, and a file. */
#include "sb_presets.h"
#include "sb_safetensors.h"
#include "sb_weights.h"
#include "weight_digest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What only training used: a released file has it, and nobody misses it. */
#define MASK_TOKEN "aggregator.patch_embed.mask_token"

static void front_tensors(const void *config, sb_tensor_fn *fn, void *ctx)
{
	sb_front_tensors(config, fn, ctx);
}

static void front_extra(const void *config, sb_tensor_fn *fn, void *ctx)
{
	const int64_t shape[2] = { 1, ((const struct sb_front_config *)config)->dim };

	fn(ctx, MASK_TOKEN, shape, 2);
}

struct sb_network sb_network_front(const struct sb_front_config *cfg)
{
	static const char *const idle[] = { MASK_TOKEN, NULL };

	return (struct sb_network){ .tensors = front_tensors, .extra = front_extra, .config = cfg, .idle = idle };
}

/* Written into exported files and found again in them. */
#define RULE_KEY "spabench.synthetic_rule"

static int64_t product(const int64_t *shape, int ndim)
{
	int64_t n = 1;

	for (int d = 0; d < ndim; d++)
		n *= shape[d];
	return n;
}

enum sb_status sb_weights_get(const struct sb_weights *w, const char *name, const int64_t *shape, int ndim,
        float *scratch, const float **values, struct sb_error *err)
{
	return w->get(w, name, shape, ndim, scratch, values, err);
}

void sb_weights_drop(const struct sb_weights *w, const char *name)
{
	if (w->drop)
		w->drop(w, name);
}

bool sb_weights_rule(
        const struct sb_weights *w, const char *name, const int64_t *shape, int ndim, struct sb_value_rule *out)
{
	return w->rule && w->rule(name, shape, ndim, out);
}

static enum sb_status synthetic_get(const struct sb_weights *w, const char *name, const int64_t *shape, int ndim,
        float *scratch, const float **values, struct sb_error *err)
{
	(void)w;
	(void)err;
	sb_synthetic_fill(name, shape, ndim, scratch);
	*values = scratch;
	return SB_OK;
}

const struct sb_weights sb_weights_synthetic = { .get = synthetic_get, .rule = sb_synthetic_rule };

/* ---- a file -------------------------------------------------------------------------------------------------- */

struct sb_weight_file {
	struct sb_weights base; /* first: a source may be its file */
	struct sb_safetensors *st;
	char shown[256]; /* its path, for messages */
};

/* "[64, 3]" */
static void print_shape(const int64_t *shape, int ndim, char *out, size_t n)
{
	size_t used = (size_t)snprintf(out, n, "[");

	for (int d = 0; d < ndim && used < n; d++)
		used += (size_t)snprintf(out + used, n - used, "%s%lld", d ? ", " : "", (long long)shape[d]);
	if (used < n)
		snprintf(out + used, n - used, "]");
}

static bool shape_is(const struct sb_safetensor *t, const int64_t *shape, int ndim)
{
	return t->ndim == ndim && (ndim == 0 || !memcmp(t->shape, shape, (size_t)ndim * sizeof(*shape)));
}

static bool is_readable(const struct sb_safetensor *t)
{
	return t->dtype == SB_DTYPE_F32 || t->dtype == SB_DTYPE_F16 || t->dtype == SB_DTYPE_BF16;
}

/* The file's tensor, or NULL and why it is not the wanted one. */
static const struct sb_safetensor *match(
        const struct sb_weight_file *f, const char *name, const int64_t *shape, int ndim, struct sb_error *err)
{
	const struct sb_safetensor *t = sb_safetensors_find(f->st, name);
	char has[96], wants[96];

	if (!t) {
		sb_fail(err, SB_E_DATA, "tensor '%s' is missing", name);
	} else if (!shape_is(t, shape, ndim)) {
		print_shape(t->shape, t->ndim, has, sizeof(has));
		print_shape(shape, ndim, wants, sizeof(wants));
		sb_fail(err, SB_E_DATA, "tensor '%s' has shape %s, not %s", name, has, wants);
	} else if (!is_readable(t)) {
		sb_fail(err, SB_E_DATA, "tensor '%s' has dtype %s; F32, F16 and BF16 are read", name,
		        sb_dtype_names[t->dtype]);
	} else {
		return t;
	}
	return NULL;
}

static enum sb_status file_get(const struct sb_weights *w, const char *name, const int64_t *shape, int ndim,
        float *scratch, const float **values, struct sb_error *err)
{
	const struct sb_weight_file *f = (const struct sb_weight_file *)w;
	const struct sb_safetensor *t = match(f, name, shape, ndim, err);

	if (!t)
		return sb_wrap(err, "weights '%s'", f->shown);
	sb_safetensors_prefetch(f->st, t);
	*values = sb_safetensors_values(t, scratch);
	return SB_OK;
}

static void file_drop(const struct sb_weights *w, const char *name)
{
	const struct sb_weight_file *f = (const struct sb_weight_file *)w;
	const struct sb_safetensor *t = sb_safetensors_find(f->st, name);

	if (t)
		sb_safetensors_drop(f->st, t);
}

enum sb_status sb_weight_file_open(const char *path, struct sb_weight_file **out, struct sb_error *err)
{
	struct sb_weight_file *f = calloc(1, sizeof(*f));

	if (!f)
		return sb_fail(err, SB_E_NOMEM, "no memory for a file of weights");
	f->base = (struct sb_weights){ .get = file_get, .drop = file_drop };
	sb_escape(path, f->shown, sizeof(f->shown));
	if (sb_safetensors_open(path, &f->st, err)) {
		free(f);
		return sb_wrap(err, "weights");
	}
	*out = f;
	return SB_OK;
}

void sb_weight_file_close(struct sb_weight_file *f)
{
	if (!f)
		return;
	sb_safetensors_close(f->st);
	free(f);
}

const struct sb_weights *sb_weight_file_source(const struct sb_weight_file *f)
{
	return &f->base;
}

static bool is_track(const struct sb_safetensor *t)
{
	return !strncmp(t->name, SB_TRACK_PREFIX, sizeof(SB_TRACK_PREFIX) - 1);
}

void sb_weight_file_parts(const struct sb_weight_file *f, size_t *track, size_t *others)
{
	size_t n = sb_safetensors_count(f->st);

	*track = 0;
	for (size_t i = 0; i < n; i++)
		*track += is_track(sb_safetensors_at(f->st, i));
	*others = n - *track;
}

int64_t sb_weight_file_rows(const struct sb_weight_file *f, const char *name)
{
	const struct sb_safetensor *t = sb_safetensors_find(f->st, name);

	return t && t->ndim > 1 ? t->shape[t->ndim - 2] : 0;
}

/* ---- checking it --------------------------------------------------------------------------------------------- */

/* Goes over the table of tensors. */
struct check {
	const struct sb_weight_file *f;
	int64_t bad;            /* tensors that do not match */
	struct sb_error *first; /* why the first of them does not */
	bool *used;             /* by index; NULL: not noted */
	int64_t widest;         /* values of the largest tensor that needs scratch */
	float *scratch;
	struct sb_weight_facts *facts;
};

static void check_match(void *ctx, const char *name, const int64_t *shape, int ndim)
{
	struct check *c = ctx;
	const struct sb_safetensor *t = match(c->f, name, shape, ndim, c->bad ? NULL : c->first);

	if (!t) {
		c->bad++;
		return;
	}
	if (c->used)
		c->used[t->index] = true;
	if (!t->data && t->n > c->widest)
		c->widest = t->n;
}

/* The preset that the file does fit, or NULL. */
static const char *fitting_preset(const struct sb_weight_file *f)
{
	for (size_t i = 0; i < sb_n_presets; i++) {
		struct check c = { .f = f };

		sb_front_tensors(&sb_presets[i].front, check_match, &c);
		if (!c.bad)
			return sb_presets[i].name;
	}
	return NULL;
}

static enum sb_status not_this_network(const struct check *c, const struct sb_network *net, struct sb_error *err)
{
	struct sb_error why = *c->first;
	const char *preset = net->track ? NULL : fitting_preset(c->f);
	char others[64] = "", hint[96] = "";

	if (c->bad > 1)
		snprintf(others, sizeof(others), ", and %lld more tensors do not fit", (long long)c->bad - 1);
	if (preset)
		snprintf(hint, sizeof(hint), "; these are the weights of --preset %s", preset);
	return sb_fail(err, SB_E_DATA, "%s%s%s", why.msg, others, hint);
}

static void check_values(void *ctx, const char *name, const int64_t *shape, int ndim)
{
	struct check *c = ctx;
	const struct sb_safetensor *t = sb_safetensors_find(c->f->st, name);
	const float *values;
	int64_t at;

	if (c->first->code)
		return;
	sb_safetensors_prefetch(c->f->st, t);
	values = sb_safetensors_values(t, c->scratch);
	at = sb_weight_digest(&c->facts->digest, name, shape, ndim, values);
	if (at >= 0)
		sb_fail(c->first, SB_E_DATA, "tensor '%s' has the value %s at index %lld: weights must be finite", name,
		        isnan(values[at]) ? "NaN" : "infinity", (long long)at);
	sb_safetensors_drop(c->f->st, t);
	c->facts->tensors++;
	c->facts->values += t->n;
}

static bool is_idle(const struct sb_network *net, const char *name)
{
	for (const char *const *s = net->idle; *s; s++)
		if (!strncmp(name, *s, strlen(*s)))
			return true;
	return false;
}

/* What of this network's part of the file nobody asked for, in a sentence. */
static void note_unused(const struct check *c, const struct sb_network *net, char *out, size_t n)
{
	char names[256] = "", name[80];
	size_t unused = 0, used = 0;

	for (size_t i = 0; i < sb_safetensors_count(c->f->st); i++) {
		const struct sb_safetensor *t = sb_safetensors_at(c->f->st, i);

		if (c->used[i] || is_track(t) != net->track || is_idle(net, t->name))
			continue;
		if (unused++ < 3) {
			sb_escape(t->name, name, sizeof(name));
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s'%s'", used ? ", " : "", name);
		}
	}
	*out = '\0';
	if (unused)
		snprintf(out, n, "weights: %zu tensor%s of the file %s not used: %s%s", unused, unused > 1 ? "s" : "",
		        unused > 1 ? "are" : "is", names, unused > 3 ? ", .." : "");
}

static enum sb_status check_all(struct check *c, const struct sb_network *net, struct sb_error *err)
{
	c->used = calloc(sb_safetensors_count(c->f->st) + 1, sizeof(*c->used));
	if (!c->used)
		return sb_fail(err, SB_E_NOMEM, "no memory for the file's tensors");
	net->tensors(net->config, check_match, c);
	if (c->bad)
		return not_this_network(c, net, err);
	c->scratch = malloc(((size_t)c->widest + 1) * sizeof(float));
	if (!c->scratch)
		return sb_fail(err, SB_E_NOMEM, "no memory for a tensor of %lld values", (long long)c->widest);
	net->tensors(net->config, check_values, c);
	if (c->first->code)
		return sb_fail(err, c->first->code, "%s", c->first->msg);
	note_unused(c, net, c->facts->note, sizeof(c->facts->note));
	return SB_OK;
}

enum sb_status sb_weight_file_check(
        const struct sb_weight_file *f, const struct sb_network *net, struct sb_weight_facts *out, struct sb_error *err)
{
	struct sb_weight_facts facts = { .kind = "file", .digest = SB_FNV1A_INIT };
	struct sb_error first = { .code = SB_OK };
	struct check c = { .f = f, .first = &first, .facts = &facts };
	enum sb_status status = check_all(&c, net, err);

	if (sb_safetensors_metadata(f->st, RULE_KEY))
		facts.kind = "synthetic file";
	free(c.used);
	free(c.scratch);
	if (status)
		return sb_wrap(err, "weights '%s'", f->shown);
	*out = facts;
	return SB_OK;
}

/* ---- writing one --------------------------------------------------------------------------------------------- */

/* The table as it goes into the file. */
struct export
{
	struct sb_safetensor *tensors;
	size_t n, cap;
	size_t live; /* the first so many are read by the network */
	int64_t largest;
	bool failed;
};

static void add_tensor(void *ctx, const char *name, const int64_t *shape, int ndim)
{
	struct export *x = ctx;
	struct sb_safetensor *t;

	if (x->n == x->cap) {
		size_t cap = x->cap ? 2 * x->cap : 256;
		struct sb_safetensor *more = realloc(x->tensors, cap * sizeof(*more));

		if (!more) {
			x->failed = true;
			return;
		}
		x->tensors = more;
		x->cap = cap;
	}
	t = &x->tensors[x->n];
	*t = (struct sb_safetensor){ .name = sb_strdup(name), .ndim = ndim, .n = product(shape, ndim) };
	if (!t->name) {
		x->failed = true;
		return;
	}
	memcpy(t->shape, shape, (size_t)ndim * sizeof(*shape));
	x->n++;
	x->largest = t->n > x->largest ? t->n : x->largest;
}

static enum sb_status append_all(struct export *x, const struct sb_network *net, struct sb_safetensors_writer *w,
        bool (*stop)(void), struct sb_weight_facts *facts, struct sb_error *err)
{
	float *values = malloc((size_t)x->largest * sizeof(*values));
	enum sb_status status =
	        values ? SB_OK : sb_fail(err, SB_E_NOMEM, "no memory for %lld values", (long long)x->largest);

	for (size_t i = 0; !status && i < x->n; i++) {
		const struct sb_safetensor *t = &x->tensors[i];

		if (stop && stop()) {
			status = sb_fail(err, SB_E_INTERRUPTED, "interrupted: nothing was written");
			break;
		}
		if (i < x->live || !net->fill_extra)
			sb_synthetic_fill(t->name, t->shape, t->ndim, values);
		else
			net->fill_extra(t->shape, values);
		if (i < x->live)
			sb_weight_digest(&facts->digest, t->name, t->shape, t->ndim, values);
		status = sb_safetensors_append(w, values, t->n, err);
		facts->tensors++;
		facts->values += t->n;
	}
	free(values);
	return status;
}

enum sb_status sb_weights_export(const struct sb_network *net, const char *preset, const char *path, bool (*stop)(void),
        struct sb_weight_facts *out, struct sb_error *err)
{
	static const char note[] = "made by 'spabench export': values follow a rule, nothing was trained";
	struct sb_weight_facts facts = { .kind = "synthetic file", .digest = SB_FNV1A_INIT };
	struct sb_safetensors_writer *w = NULL;
	struct export x = { .n = 0 };
	char rule[16];
	const char *metadata[] = { "format", "pt", "spabench.preset", preset, RULE_KEY, rule, "spabench.note", note,
		NULL };
	enum sb_status status = SB_OK;

	snprintf(rule, sizeof(rule), "%d", SB_SYNTHETIC_RULE);
	net->tensors(net->config, add_tensor, &x);
	x.live = x.n;
	net->extra(net->config, add_tensor, &x);
	if (x.failed)
		status = sb_fail(err, SB_E_NOMEM, "no memory for the table of tensors");
	if (!status)
		status = sb_safetensors_create(path, x.tensors, x.n, metadata, &w, err);
	if (!status)
		status = append_all(&x, net, w, stop, &facts, err);
	if (!status)
		status = sb_safetensors_finish(w, err);
	else
		sb_safetensors_abandon(w);
	for (size_t i = 0; i < x.n; i++)
		free((char *)(uintptr_t)x.tensors[i].name);
	free(x.tensors);
	if (!status)
		*out = facts;
	return status;
}
