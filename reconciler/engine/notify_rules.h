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
 * A name is what people call a recipient by: "slack:SECRET", "smtp:ADDRESS", "sentry:ORGANIZATION/PROJECT".
 *
 * Memory   the arena given; configurations of the daemon are borrowed.
 * Thread   the connection's.
 */
#pragma once

#include "base/vec.h"
#include "specs/notify_events.h"
#include "specs/value.h"
#include "state/db.h"

#define NOTIFY_COMMIT_STATUS "commit_status"

struct notify_rules {
    struct db *db;
    const struct value *daemon; /* the Daemon document */
};

struct notify_recipient {
    const struct value *config;
    struct str target, name;
};
struct notify_recipients {
    struct notify_recipient *p;
    size_t n, cap;
};

/* Those who hear of `word`; env_uid "": of none. `env` is its name. */
int notify_rules_hear(const struct notify_rules *r, struct arena *a, struct str env_uid,
                      struct str env, enum notify_word word, struct notify_recipients *io,
                      struct err *err);
/* Who a target names now, of several the one that hears of `word` if there is one; NULL: nobody any more. */
int notify_rules_find(const struct notify_rules *r, struct arena *a, struct str env_uid,
                      struct str target, struct str word, const struct value **ret,
                      struct err *err);
/* All of an environment, "": of the daemon, whatever they hear; each once. */
int notify_rules_all(const struct notify_rules *r, struct arena *a, struct str env_uid,
                     struct notify_recipients *io, struct err *err);
/* What people call it by. */
struct str notify_rules_name(struct arena *a, const struct value *config);
/* What it hears: a list of words. */
struct value *notify_rules_words(struct arena *a, const struct value *config);
/* Whether one of the daemon's, or of the environment itself, hears of it. */
int notify_rules_is_of_daemon(struct str target);
