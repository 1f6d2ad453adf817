/*
 * watch: ask the daemon for something, and see what comes of it. SPDX-License-Identifier: Apache-2.0
 *
 * Whoever stops watching (--timeout, Ctrl-C, a lost connection) stops nothing else: the daemon goes on.
 *
 * Fails    ERR_WAITING: a person must decide; ERR_TIMEOUT: it goes on unseen; else how it ended.
 */
#pragma once

#include "reconciler/cli/cli.h"

enum watch_until {
    WATCH_PLAN,   /* the plan that was begun has ended: it is judged, not what git says */
    WATCH_SETTLED /* after a fetch, nothing is left to do */
};

struct watch_ask {
    struct str env; /* "": the answer says which */
    struct str path;
    const struct value *body;
    enum watch_until until;
};

/* Post, and say what was begun. */
int watch_post(struct cli *c, struct str path, const struct value *body, struct value **ret,
               struct err *err);
/* Post, then watch unless --no-wait. *ret: the environment at its end, with --no-wait the answer, NULL when
 * neither is known; also on failure. */
int watch_ask(struct cli *c, const struct watch_ask *in, struct value **ret, struct err *err);
