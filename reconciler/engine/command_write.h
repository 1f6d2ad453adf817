/*
 * command_write: what each verb checks and writes. SPDX-License-Identifier: Apache-2.0
 *
 * Each function is one row of command.c's table: it may look, refuse, or write its rows into the savepoint
 * that becomes the command's event.
 *
 * Memory   what was found lives in the call's arena.
 * Thread   STATE.
 * Fails    as command.h.
 */
#pragma once

#include "reconciler/engine/command.h"
#include "reconciler/engine/engine_state.h"
#include "reconciler/engine/sign_files.h"
#include "reconciler/engine/source.h"

/* A bundle that is being taken. */
struct command_bundle {
    struct str text, digest;
    struct source_task *source;
    struct source_import request;
    struct source_call call;
    struct source_heads heads;
};

/* What a verb found on STATE, for the loop to act upon. */
struct command_found {
    struct sign_run sign; /* the signature that is being checked */
    struct rec_environment env;
    struct rec_plan plan, settled; /* settled: of the operation */
    struct digest revision;
    struct str state, message;
    struct value *token;  /* the answer of a command about one */
    struct value *again;  /* the answer to the same command, which came before */
    struct value *rounds; /* {source: its round that sees everything pushed until now} */
    struct command_bundle bundle;
};

/* --- command_once.c: STATE's, around the write ----------------------------------------------------- */

/* Whether it was done before: then f->again is set. ERR_INVALID: something else was. */
int command_once_find(struct command_call *c, struct command_found *f, struct err *err);
/* In the batch of what was written: both are durable, or none. */
void command_once_keep(struct command_call *c, const struct value *answer);

/* --- command_sign.c: in this order ---------------------------------------------------------------- */

int command_sign_write(struct command_call *c, struct command_found *f, struct err *err); /* FILE */
void command_sign_start(struct command_call *c, struct command_found *f,
                        struct str text); /* the loop's: a wait */
/* ERR_REFUSED: it is not by a key of who is connected, or not over this text. */
int command_sign_judge(struct command_call *c, struct command_found *f, struct err *err);
void command_sign_end(struct command_found *f); /* removes the files */

/* --- command_bundle.c: in this order -------------------------------------------------------------- */

int command_bundle_read(struct command_call *c, struct command_found *f,
                        struct err *err); /* FILE */
int command_bundle_keep(struct command_call *c, struct command_found *f,
                        struct err *err); /* FILE */
int command_bundle_import(struct command_call *c, struct command_found *f,
                          struct err *err); /* the loop's: a wait, where it returns 0 */
int command_write_bundle(struct command_call *c, struct command_found *f, struct tx *tx,
                         struct err *err);
void command_bundle_act(struct command_call *c, struct command_found *f); /* the loop's */

/* --- command_try.c -------------------------------------------------------------------------------- */

/* A task of its own: nothing is written. */
void command_try_start(struct engine *e, struct command_call *call, task_ended *ended, void *ctx);

/* --- command_write.c, command_decide.c ------------------------------------------------------------ */

/* The environment that it is about, or the plan. */
int command_write_find(struct command_call *c, struct command_found *f, struct err *err);

int command_write_approve(struct command_call *c, struct command_found *f, struct tx *tx,
                          struct err *err);
int command_write_override(struct command_call *c, struct command_found *f, struct tx *tx,
                           struct err *err);
int command_write_reject(struct command_call *c, struct command_found *f, struct tx *tx,
                         struct err *err);
int command_write_nothing(struct command_call *c, struct command_found *f, struct tx *tx,
                          struct err *err);
int command_write_cancel(struct command_call *c, struct command_found *f, struct tx *tx,
                         struct err *err);
/* Of the plan that runs, which was found. */
int command_write_cancelled(struct command_call *c, struct command_found *f, struct tx *tx,
                            struct err *err);
int command_write_advance(struct command_call *c, struct command_found *f, struct tx *tx,
                          struct err *err);
int command_write_undo(struct command_call *c, struct command_found *f, struct tx *tx,
                       struct err *err);
int command_write_rollback(struct command_call *c, struct command_found *f, struct tx *tx,
                           struct err *err);
int command_write_hold(struct command_call *c, struct command_found *f, struct tx *tx,
                       struct err *err);
int command_write_resume(struct command_call *c, struct command_found *f, struct tx *tx,
                         struct err *err);
int command_write_clock(struct command_call *c, struct command_found *f, struct tx *tx,
                        struct err *err);
int command_write_retry(struct command_call *c, struct command_found *f, struct tx *tx,
                        struct err *err);
int command_write_rebind(struct command_call *c, struct command_found *f, struct tx *tx,
                         struct err *err);
/* command_object.c */
int command_write_adopt(struct command_call *c, struct command_found *f, struct tx *tx,
                        struct err *err);
int command_write_forget(struct command_call *c, struct command_found *f, struct tx *tx,
                         struct err *err);
/* command_run.c. What is refused while it is held says so as here. */
int command_write_run(struct command_call *c, struct command_found *f, struct tx *tx,
                      struct err *err);
int command_write_settle(struct command_call *c, struct command_found *f, struct tx *tx,
                         struct err *err);
/* command_token.c */
int command_write_token(struct command_call *c, struct command_found *f, struct tx *tx,
                        struct err *err);
int command_write_revoke(struct command_call *c, struct command_found *f, struct tx *tx,
                         struct err *err);
int command_write_denied(struct command_call *c, struct command_found *f, struct tx *tx,
                         struct err *err);
int command_write_used(struct command_call *c, struct err *err);
