/*
 * env_row: what the files of an environment's cycle write. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   of the cycle.
 * Thread   STATE.
 * Fails    as db.h.
 */
#pragma once

#include "reconciler/engine/env_task.h"

/* A savepoint about this environment. */
int env_row_begin(struct env_task *env, struct str kind, struct str actor, struct tx **ret,
                  struct err *err);

struct env_words {
    struct str sync, health, reason;
    int with_commit;
};
/* One event when anything is said that was not said before. */
int env_row_say(struct env_task *env, struct env_words w, struct err *err);
/* What a person asked for is decided, or done. */
void env_row_clear_ask(struct rec_environment *row);
/* What this cycle was asked for stands in the row no more; 0 when it did not. */
int env_row_drop_ask(const struct env_task *env, struct rec_environment *row);
/* The newest commit asks for what the plan leads to. */
int env_row_put_commit(struct env_task *env, struct tx *tx, struct err *err);
/* What the environment is made of comes from the newest commit. */
void env_row_set_commit(struct env_task *env, struct rec_environment *row);
/* env_creates.c. 1 and why, when the plan of a commit would make more than its rule allows in an hour. */
int env_creates_wait(struct env_task *env, struct str *ret_reason, struct err *err);
/* 1 and why, when an operation waits for a person. */
int env_row_is_parked(struct env_task *env, struct str *ret_reason, struct err *err);

/* --- env_hosts.c --------------------------------------------------------------------------------- */

/* ERR_REFUSED: a host of what is wanted belongs to another environment; both places are named. */
int env_hosts_check(struct env_task *env, struct err *err);
/* What is wanted is ours from now on. */
int env_hosts_take(struct env_task *env, struct tx *tx, struct err *err);
/* Everything is in its place: what is served is ours, also where that was not written. */
int env_hosts_keep(struct env_task *env, struct err *err);

/* --- env_store.c --------------------------------------------------------------------------------- */

/* A plan with something to do: stored once, started when nobody has to be asked. */
int env_store_plan(struct env_task *env, struct err *err);
/* Whether it would, by what is known now; nothing is stored. */
int env_store_may_start(struct env_task *env, int *ret, struct err *err);
/* Nothing is to be done any more: what waits to be approved is out of date. */
int env_store_forget_pending(struct env_task *env, struct err *err);

/* --- env_decide.c -------------------------------------------------------------------------------- */

struct env_decision {
    int starts;
    struct str state, sync, reason;
    struct str needs; /* JSON; STR_NONE: nobody is asked */
};
/* Whether the plan begins now. */
int env_decide(struct env_task *env, const struct rec_plan *row, struct env_decision *ret,
               struct err *err);

/* --- env_authors.c ------------------------------------------------------------------------------- */

/* What commits since the one that was applied say of schemas was read; env->proven is known. */
int env_authors_know_change(const struct env_task *env);
/* Where it was, it counts. */
int env_authors_raise(struct env_task *env, struct err *err);
/* Whose changes the plan holds was read, in this cycle or one before. */
int env_authors_are_known(const struct env_task *env, const struct rec_plan *row);
/* Those that were read in this cycle. */
int env_authors_put(struct env_task *env, struct tx *tx, struct rec_plan *row, struct err *err);
