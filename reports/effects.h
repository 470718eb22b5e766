/* The section `effects` in each form; nothing is written where there is none. */
#ifndef SB_REPORTS_EFFECTS_H
#define SB_REPORTS_EFFECTS_H

#include "reports_internal.h"

/*
 * "precision: 2.45x faster with attention=standard, 2.05x with attention=efficient; 73.1 % of the total gain
 * (73.0..73.1)". False, and nothing added, where times are emulated, there is no figure, or a stage has no effect.
 */
bool sb_effects_sentence(
        struct sb_buf *b, const struct sb_summary_lattice *l, const struct sb_summary_lattice_metric *m, int factor);

/* The switch on whose level the effect of `factor` depends most, -1: on none for certain, or by less than a 20th. */
int sb_effects_partner(const struct sb_summary_lattice *l, const struct sb_summary_lattice_metric *m, int factor);

/* True when a row was marked as emulated. */
bool sb_effects_text(struct sb_page *p, const struct sb_summary *s);
void sb_effects_markdown(struct sb_buf *b, const struct sb_summary *s);
void sb_effects_csv(struct sb_csv *c, const struct sb_summary *s);

#endif
