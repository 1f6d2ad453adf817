/*
 * source_task: follows one repository. SPDX-License-Identifier: Apache-2.0
 *
 *   REST -> SIGN_IN -> FETCH -> ANSWER -> HEADS -> READ -> MERGE -> TREES -> MATCH -> READY -> NOTE -> REST
 *   REST -> SPACE -> SIGN_IN     where hooks alone ask
 *
 * READ to READY for each branch that moved: what differs from the head before came along with the fetch,
 * or is read now; it is parsed and merged with what does not differ. TREES asks for paths of the tree that
 * nobody wanted before.
 *
 * A hook that names branches makes a round of those alone, beside the polls; however many hooks come while a
 * round runs, one more follows it, and such rounds begin SOURCE_SPACE_MS apart: a forge that tells of one push three
 * times, or of hundreds at once, does not keep us fetching.
 *
 * Publishes one struct head a branch: the specs of its newest commit, read, parsed and checked. A fetch
 * that fails changes nothing but the error that is shown; a branch that vanished, or whose tip cannot be
 * read, stays as it was (REFUSED), and the others go on. Of the environments those are woken that moved.
 *
 * Owns     its heads.
 * Thread   the loop's; parsing on FILE, rows on STATE.
 */
#pragma once

#include "reconciler/core/hook.h"
#include "reconciler/engine/engine_state.h"
#include "reconciler/engine/head.h"
#include "reconciler/engine/proof_task.h"

#define SOURCE_SPACE_MS                                                                            \
    200 /* from the begin of one round to that of the next, where hooks alone ask */

struct branch {
    struct str name;                    /* or "refs/tags/v*": the newest tag of that pattern */
    struct heads heads;                 /* newest NULL: none yet */
    struct head *next;                  /* being read */
    const struct source_snapshot *told; /* what the fetch brought along of it, or NULL */
    struct str commit, tree;
    int is_gone;
    int is_named;                   /* by a hook, since the last round that asked for it */
    char ahead[64], ahead_tree[64]; /* what a bundle brought and the host has not; "" for nothing */
    char host_says[160];            /* of it; "" for nothing */
    char tag[256], tag_commit[64], tag_tree[64]; /* that counts; "" for none */
    char moved_from[64];                         /* the commit it was on; "": it was not moved */
    int is_tag_new;                              /* the row does not know it */
    int is_ahead_new,
        is_ahead_over; /* not read yet; the host has it, and the row does not know that */
};

struct source_task {
    struct task task;
    struct engine *engine;
    struct str name;
    const struct value *config;
    const struct source *source;
    VEC(struct branch) branches;
    struct arena round; /* of one poll */
    struct source_fetch fetch;
    struct source_read read;
    struct source_call call;
    struct source_heads heads;
    struct source_snapshot snapshot;
    struct str *names;
    struct source_read *reads; /* what is asked along with the fetch, one a branch */
    struct signers signers;    /* of its commits, as far as somebody asked */
    size_t reading;            /* index of the branch being read */
    struct err refused; /* why the first branch of the round could not be read; code 0: none */
    int64_t fetched_mono_ms, failures;
    int64_t rounds_begun, rounds_ended;
    int64_t began_mono_ms;     /* the round */
    int64_t good_mono_ms;      /* when one ended without an error last; at first the start */
    int64_t took_ms;           /* the last one; -1: none has ended */
    uint64_t n_good, n_failed; /* rounds */
    struct metrics_times took;
    int64_t poll_mono_ms;       /* when all branches are asked for, whoever says nothing */
    int wants_all;              /* somebody asks for all of them now */
    int is_narrow;              /* this round asks for those that a hook named */
    struct secret *hook_secret; /* as it was read last */
    int64_t hook_secret_mono_ms;
    int is_local;             /* this round asks no host: what a bundle brought is read */
    int claims_moved;         /* names belong to others than when the heads were published */
    char error[ERR_TEXT_MAX]; /* "" when the last poll was good */
};

void source_task_start(struct source_task *s, struct engine *e, struct str name,
                       const struct value *config, const struct source *source);
void source_task_fini(struct source_task *s);
/* The number of the round that begins after this: when it has ended, everything pushed until now was seen. */
int64_t source_task_fetch_now(struct source_task *s);

/* Those of its branches that a hook names are asked for now; how many there are. */
size_t source_task_look(struct source_task *s, const struct hook_decision *d);

struct head *source_task_head(struct source_task *s, struct str branch);

/* The password of its credentials, into `a`; STR_NONE without any. On FILE. */
int source_task_password(const struct source_task *s, struct arena *a, struct str *ret,
                         struct err *err);

void source_task_wipe(struct str *password);

/* --- source_round.c ------------------------------------------------------------------------------ */

/* Nothing but hooks asks: the branches that they name are enough. */
int source_round_is_narrow(const struct source_task *s);
/* Of which branches, and what along with them; nothing where what a bundle brought is read. */
void source_round_begin(struct source_task *s);
/* What is asked on top of the head before; paths that were wanted there are wanted again. */
int source_round_ask(struct source_task *s, const struct head *before, struct source_read *ret,
                     struct err *err);
/* Into `next` of each branch that moved: what is to be read. */
void source_round_take(struct source_task *s);
struct head *source_begin_head(const struct source_task *s, const struct branch *b);

/* --- source_ahead.c ------------------------------------------------------------------------------ */

/* Of the row of meta. */
struct str source_ahead_key(struct arena *a, struct str source, struct str branch);
int source_ahead_load(struct engine *e, struct err *err); /* before the loop runs */
void source_ahead_start(struct source_task *s, struct branch *b);
/* A bundle was taken. */
void source_ahead_set(struct source_task *s, const struct source_head *head);
/* 1: there is something to read in this round. */
int source_ahead_begin(struct source_task *s);
void source_ahead_ask(struct source_task *s);
void source_ahead_hear(struct source_task *s, struct branch *b, const struct source_head *h);
int source_ahead_note(struct source_task *s, struct tx *tx, struct branch *b,
                      struct err *err); /* STATE */

/* --- source_tag.c --------------------------------------------------------------------------------- */

#define SOURCE_TAG_ROWS "tag/" /* of meta */

int source_tag_is(const struct branch *b);
void source_tag_start(struct source_task *s, struct branch *b);
/* Of what the host lists now. */
void source_tag_take(struct source_task *s, struct branch *b);
int source_tag_note(struct source_task *s, struct tx *tx, struct branch *b,
                    struct err *err); /* STATE */

/* --- source_turn.c ------------------------------------------------------------------------------- */

enum source_turn {
    SOURCE_TURN_NOW,
    SOURCE_TURN_LATER, /* after deaths: something else is in work */
    SOURCE_TURN_NEVER, /* it killed the daemon; the task's err says so */
};
enum source_turn source_turn_take(struct source_task *s, const struct branch *b);
void source_turn_end(struct source_task *s);

/* --- source_rows.c: on STATE --------------------------------------------------------------------- */

/* Heads and errors of the round; nothing is written, and no event made, when it brought nothing new. */
int source_rows_note(struct source_task *s, struct err *err);
