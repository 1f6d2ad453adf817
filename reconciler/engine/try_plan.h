/*
 * try_plan: what specs would make of an environment as it is recorded. SPDX-License-Identifier: Apache-2.0
 *
 * Of a commit that is not merged, or of files: nothing is written, no driver is asked, and what comes of it
 * cannot be applied.
 *
 * Memory   the arena given.
 * Thread   that of the reader.
 * Fails    as plan_make(); ERR_CORRUPT, ERR_IO.
 */
#pragma once

#include "reconciler/core/plan.h"
#include "state/db.h"

struct try_plan {
    struct db *db; /* NULL: nothing is recorded */
    struct str environment;
    const struct value *daemon, *rule; /* its document, and what that says of this; NULL: none */
    const struct environment_spec *spec;
    int64_t now_ms;
};

/* `ret_verdict`: what the stricter of this policy and the one applied last says of it. */
int try_plan_make(struct arena *a, const struct try_plan *in, struct plan *ret,
                  struct plan_verdict *ret_verdict, struct err *err);
/* What is recorded of the environment's code and secrets: path -> struct str *, name -> struct str *. */
int try_plan_known(struct arena *a, struct db *db, struct str environment, struct map *ret_trees,
                   struct map *ret_secrets, struct err *err);
/* As the API answers of a plan: environment, id, state, reason, document. */
int try_plan_value(struct arena *a, const struct try_plan *in, struct str state, struct value **ret,
                   struct err *err);
