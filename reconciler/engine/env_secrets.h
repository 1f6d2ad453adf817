/*
 * env_secrets: which versions of secrets an environment has seen. SPDX-License-Identifier: Apache-2.0
 *
 * A store that keeps one version ("f:") forgets the one before when the value changes: it is gone, and a
 * revision that pins it is restored from its sealed set alone (PROTOCOL 7).
 *
 * Thread   STATE.
 */
#pragma once

#include "reconciler/core/plan.h"
#include "reconciler/engine/engine_state.h"

#define ENV_SECRETS_TOLD 16 /* of the revisions that cannot be restored */
#define ENV_SECRETS_KEPT 64 /* of the revisions that were proven, the newest */

/* Name -> struct secret_pin *: what is there now. One event when any of them is new. ERR_REFUSED: one that was
 * generated is not in its store any more. */
int env_secrets_note(struct engine *e, struct arena *a, struct str env_uid, const struct map *pins,
                     struct err *err);
/* A version that an older revision pins, and that neither its store nor its sealed set has, gives way to the
 * one that is there now; its resource says so (`gone`), and *ret_gone names one, or is STR_NONE. ERR_REFUSED:
 * there is none. */
int env_secrets_repin(struct engine *e, struct arena *a, struct str env_uid,
                      struct environment_spec *spec, struct str *ret_gone, struct err *err);
/* Sealed sets of revisions that nobody goes back to are deleted. */
int env_secrets_sweep(struct engine *e, struct arena *a, const struct rec_environment *env,
                      struct err *err);
/* What a person should know of the secrets of a plan for a commit: absent, short, or not restorable any more. */
int env_secrets_remark(struct engine *e, struct arena *a, struct str env_uid,
                       const struct map *pins, struct plan *p, struct err *err);
