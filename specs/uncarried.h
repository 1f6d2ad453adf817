/*
 * uncarried: what an environment asks for and nothing keeps. SPDX-License-Identifier: Apache-2.0
 *
 * The grammar is accepted as a whole; what no driver acts on yet is a row of uncarried.def. Under a daemon's
 * rule each is an error at the place that asks, so that nothing is passed over in silence. Without a rule
 * (offline) nothing is said.
 */
#pragma once

#include "specs/normalise.h"

/* What of a field, such as services.rollout.strategy, nothing acts on: a line each. */
void uncarried_explain(struct sb *b, struct str field);

void uncarried_check(struct normalise *n, const struct environment_spec *spec);
