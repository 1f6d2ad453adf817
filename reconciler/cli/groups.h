/*
 * groups: the control groups that limits are kept in, made ready at the start. SPDX-License-Identifier: Apache-2.0
 *
 * As root, before we become the daemon's user: below the group that we are in ourselves stands one for this
 * state, `reeve-<16 hex>`, which belongs to that user from then on. What lies in it and has no keeper's
 * directory any more goes.
 *
 * Fails    never for want of a right: that is said in `unkept`.
 */
#pragma once

#include "providers/kit_parents.h"
#include "reconciler/cli/cli.h"

/* The same as an answer, for who only looks: nothing of it is left, and nothing that lies there goes. */
int groups_look(struct cli *c, struct kit_parents *ret, struct err *err);
int groups_start(struct cli *c, struct kit_parents *ret, struct err *err);
