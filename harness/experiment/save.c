/* Results of a run as files: another pass, in a worker of its own. */
#include "sb_session.h"

#include <stdio.h>
#include <string.h>

/* Everything that says what the numbers are of. The texts are the caller's. */
#define METADATA_PAIRS 12

struct metadata {
	const char *pairs[2 * METADATA_PAIRS + 1]; /* NULL-terminated */
	int n;
	char clip_digest[17], weights_digest[17];
	struct sb_buf levels;
};

static void add(struct metadata *m, const char *key, const char *value)
{
	if (m->n == METADATA_PAIRS)
		SB_BUG("more metadata than room");
	m->pairs[2 * m->n] = key;
	m->pairs[2 * m->n++ + 1] = value;
}

static void describe(const struct sb_session_options *opt, const struct sb_session_result *run,
        const struct sb_arm *arm, const struct sb_worker_facts *f, struct metadata *m)
{
	*m = (struct metadata){ .n = 0 };
	snprintf(m->clip_digest, sizeof(m->clip_digest), "%016llx", (unsigned long long)f->info.clip_digest);
	snprintf(m->weights_digest, sizeof(m->weights_digest), "%016llx", (unsigned long long)f->info.weights_digest);
	sb_levels_format(&arm->levels, &m->levels);
	add(m, "run", run->run_id);
	add(m, "arm", arm->name);
	add(m, "levels", sb_buf_str(&m->levels));
	add(m, "workload", opt->setup.c.workload);
	add(m, "preset", opt->setup.c.preset);
	add(m, "clip", f->info.clip_source);
	add(m, "clip_digest", m->clip_digest);
	add(m, "weights", f->weights_kind);
	add(m, "weights_digest", m->weights_digest);
	add(m, "device", f->device_name);
	add(m, "emulated", f->emulated);
	add(m, "build", f->build_id);
}

static enum sb_status save(const struct sb_session_options *opt, const struct sb_session_result *run,
        const struct sb_session_save *want, struct sb_error *err)
{
	const struct sb_arm *arm = &opt->plan.arms[want->arm];
	double deadline_s = 4.0 * opt->plan.timeout_s + 60.0;
	struct sb_worker_setup setup = opt->setup;
	const struct sb_worker_facts *f;
	struct sb_worker *w = NULL;
	struct metadata m;
	enum sb_status status;

	setup.purpose = SB_TRACING; /* such a worker makes no reference, which would be two passes for nothing */
	status = sb_worker_start(opt->exe, &setup, deadline_s, opt->hooks, &w, err);
	if (status)
		return status;
	f = sb_worker_facts(w);
	describe(opt, run, arm, f, &m);
	if (m.levels.failed)
		status = sb_fail(err, SB_E_NOMEM, "no memory for the results' description");
	else if (f->info.clip_digest != run->clip_digest)
		status = sb_fail(err, SB_E_DATA, "the clip is not the one that was measured");
	else
		status = sb_worker_save(w, &arm->levels,
		        &(struct sb_save){ .file = want->file,
		                .npz = want->npz,
		                .depth_dir = want->depth_dir,
		                .overlay_dir = want->overlay_dir,
		                .memory_trace = want->memory_trace,
		                .metadata = m.pairs },
		        deadline_s, err);
	sb_worker_stop(w);
	sb_buf_release(&m.levels);
	return status;
}

enum sb_status sb_session_save(const struct sb_session_options *opt, const struct sb_session_result *run,
        const struct sb_session_save *want, struct sb_error *err)
{
	struct sb_error why;

	if (!save(opt, run, want, &why))
		return SB_OK;
	if (why.code == SB_E_INTERRUPTED)
		return sb_fail(err, why.code,
		        "interrupted while the results of arm '%s' were saved; the run itself is stored",
		        opt->plan.arms[want->arm].name);
	return sb_fail(err, SB_E_DATA, "cannot save the results of arm '%s': %.700s; the run itself is stored",
	        opt->plan.arms[want->arm].name, why.msg);
}
