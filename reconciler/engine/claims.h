/*
 * claims: which documents of a head count. SPDX-License-Identifier: Apache-2.0
 *
 * Thread   the loop's for all of a head; FILE for one environment.
 */
#pragma once

#include "reconciler/engine/env_task.h"

/* What documents ask for and do not get goes into h->refused, instead of what was said before. Nobody reads
 * it meanwhile: h is not published yet, or its source is between its rounds. NULL is fine. */
void claims_look(struct engine *e, const struct source_task *s, struct head *h);
/* Documents of this source that count at another branch and do not say otherwise: [{environment, branch, place}]. */
struct value *claims_elsewhere(const struct source_task *s, struct arena *a);
/* Branches that were read and hold no spec. */
struct value *claims_empty(const struct source_task *s, struct arena *a);
/* The environment's own document, in its cycle: an error that names both places. */
int claims_check(const struct env_task *env, struct spec_messages *m);
