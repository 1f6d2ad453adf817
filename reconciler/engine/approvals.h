/*
 * approvals: what the state knows of a plan's approvals, as a case for core/approval. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   the arena given.
 * Thread   STATE.
 * Fails    as db.h.
 */
#pragma once

#include "reconciler/core/approval.h"
#include "reconciler/engine/engine_state.h"

/* auth.people of the Daemon document; NULL: nobody is known. */
const struct value *approvals_people(const struct engine *e);
/* Of auth.people; else the actor. */
struct str approvals_person(const struct engine *e, struct str actor);
/* Decisions and authors of a stored plan, and what was asked when it was last looked at. */
int approvals_load(struct engine *e, struct arena *a, const struct rec_plan *plan,
                   struct approval_case *ret, struct err *err);
