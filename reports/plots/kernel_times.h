/* Kernels of an arm's trace trials, from their roll-ups: each (stage, op, kernel) with its time in every trial. */
#ifndef SB_KERNEL_TIMES_H
#define SB_KERNEL_TIMES_H

#include "plots_internal.h"

struct sb_kernel {
	const char *stage, *op, *kind, *name; /* live as long as the set */
	int64_t count, bytes;                 /* of the last trial that has it */
	double *ns;                           /* [n_trials]; 0 where the trial has none */
	double median_ns;
};

struct sb_kernels {
	struct sb_kernel *v; /* by stage and op, in each the largest median first */
	size_t n;
	int n_trials;
	struct sb_rollups *rollups; /* owner of the names */
	double *ns;
};

/* Errors: of the store, SB_E_NOMEM. No trace trial: n_trials is 0. */
enum sb_status sb_kernels_read(const struct sb_plots_input *in, int arm, struct sb_kernels *out, struct sb_error *err);
void sb_kernels_release(struct sb_kernels *k);

#endif
