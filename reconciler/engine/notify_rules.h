/*
 * notify_rules: who is told what. SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's own recipients stand in its document; those of an environment in the policy that was applied last, before
 * the first apply in the newest revision that was planned: a commit changes who is told when it is applied. A mail with
 * several addresses is as many recipients. `status.commit_status` is one more, of type commit_status.
 *
 * A target names a recipient for ever: "daemon" or the environment, the type, and a digest of what tells them apart; never
 * of what is told, or of a value of a secret.
 *
 * Memory   the arena given; configurations of the daemon are borrowed.
 * Thread   STATE.
 */
#pragma once

#include "base/vec.h"
#include "reconciler/engine/engine_state.h"
#include "specs/notify_events.h"

#define NOTIFY_COMMIT_STATUS "commit_status"

struct notify_recipient {
    const struct value *config;
    struct str target;
};
struct notify_recipients {
    struct notify_recipient *p;
    size_t n, cap;
};

/* Those who hear of `word`; env_uid "": of none. `env` is its name. */
int notify_rules_hear(struct engine *e, struct arena *a, struct str env_uid, struct str env,
                      enum notify_word word, struct notify_recipients *io, struct err *err);
/* Who a target names now; NULL: nobody any more. */
int notify_rules_find(struct engine *e, struct arena *a, struct str env_uid, struct str target,
                      const struct value **ret, struct err *err);
/* All of the daemon's, whatever they hear. */
int notify_rules_daemon(struct engine *e, struct arena *a, struct notify_recipients *io,
                        struct err *err);
