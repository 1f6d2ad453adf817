/*
 * env_secrets: which versions of secrets an environment has seen. SPDX-License-Identifier: Apache-2.0
 *
 * A store that keeps one version forgets the one before when the value changes: it is gone, and a
 * revision that pins it cannot be restored (PROTOCOL 7).
 *
 * Thread   STATE.
 */
#pragma once

#include "reconciler/engine/engine_state.h"

/* Name -> struct str *: the version that is there now. One event when any of them is new. */
int env_secrets_note(struct engine *e, struct arena *a, struct str env_uid, const struct map *pins,
                     struct err *err);
/* ERR_REFUSED names the first version that `spec` pins and that is gone. */
int env_secrets_check(struct db *db, struct arena *a, struct str env_uid,
                      const struct environment_spec *spec, struct err *err);
