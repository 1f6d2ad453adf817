/*
 * anchor_place: one place that keeps heads of the history, of whatever kind. SPDX-License-Identifier: Apache-2.0
 *
 * A round with it: sign in, read what it has, form what is to stand there, push that, and parse what it answers. A start
 * begins the task's wait; its answer is parsed in the state after it, as with source.h. What keeps nothing itself (a time
 * stamp authority) is not read: what it answered is the proof.
 *
 * Memory   the place's lives in the arena that it was opened with; all that is of a round in its own, which is wiped: it
 *          holds credentials.
 * Thread   as the members of struct anchor_kind say.
 * Fails    ERR_CONFLICT, it contradicts what was brought there, or what it answers is not believed; ERR_STALE, somebody
 *          wrote meanwhile; ERR_UNREACHABLE, ERR_TIMEOUT, ERR_REFUSED, ERR_LIMIT.
 */
#pragma once

#include "reconciler/engine/anchor_git.h"
#include "state/anchor.h"

struct engine;
struct secret_store;
struct anchor_kind;

struct anchor_place {
    const struct anchor_kind *kind;
    const struct value *config;
    struct str name; /* in rows, events and sentences */
    int64_t timeout_ms;
    const struct network *allowed; /* that may be asked though they are not public */
    size_t n_allowed;
    struct str installation;
    const struct value *provider; /* of a bucket: where it is, and who signs in */
    struct anchor_git git;        /* of a repository */
};

struct anchor_round {
    struct arena own;
    struct str password, authority; /* of a repository; of time stamps: whose certificates */
    struct anchor_git_call git;
    struct http_request http, look; /* look: whether it keeps what was pushed as it was asked to */
    struct http_reply reply, looked;
    const char *headers[6], *lists[2]; /* lists: of what has no body */
    struct http_sign sign;             /* of a bucket, as `known` and `key`: names of objects */
    struct str known, key;
    struct anchor_git_there there; /* what it has */
    struct str line;               /* that is brought, and when it was made */
    int64_t time_ms;
};

struct anchor_kind {
    const char *word;
    struct str (*name)(struct arena *a, const struct value *config);
    /* FILE. */
    int (*sign_in)(const struct anchor_place *p, struct secret_store *secrets,
                   struct anchor_round *r, struct err *err);
    /* The loop's, and any: `there`. NULL, both: it keeps nothing. `known`: the newest proof, or STR_NONE. */
    void (*read)(const struct anchor_place *p, struct anchor_round *r, struct task *t,
                 struct str known);
    int (*read_parse)(const struct anchor_place *p, struct anchor_round *r, struct err *err);
    /* Any, before a push; NULL: nothing is to be done. */
    int (*form)(const struct anchor_place *p, struct anchor_round *r, struct err *err);
    /* The loop's, and any: what shows later that it was brought there. */
    void (*push)(const struct anchor_place *p, struct anchor_round *r, struct task *t);
    /* The loop's, after that: 1: a wait began, for what push_parse looks at as well. NULL: none does. */
    int (*prove)(const struct anchor_place *p, struct anchor_round *r, struct task *t);
    int (*push_parse)(const struct anchor_place *p, struct anchor_round *r, int64_t now_ms,
                      struct str *ret_proof, struct err *err);
};

struct str anchor_place_name(struct arena *a, const struct value *config);
int anchor_place_open(const struct engine *e, struct arena *a, const struct value *config,
                      int64_t timeout_ms, struct anchor_place *ret, struct err *err);
void anchor_place_round_init(struct anchor_round *r);
/* Wiped; ready for the next. */
void anchor_place_round_end(struct anchor_round *r);
/* A secret of the configuration, {secret: NAME}; STR_NONE: `named` is absent. */
int anchor_place_secret(struct secret_store *secrets, const struct value *named, struct arena *a,
                        struct str *ret, struct err *err);
/* Every line of `text` has to stand in our history; the newest, or seq 0: there is none. ERR_CONFLICT. */
int anchor_place_judge(struct db *db, struct arena *a, struct str key, struct str text,
                       struct anchor_line *ret, struct err *err);
