/*
 * proof_task: whether the commits that an environment would be made from are signed, and by whom.
 * SPDX-License-Identifier: Apache-2.0
 *
 *   STAMP -> ASK -> PARSE -> NEXT -> WRITE -> WHO -> PROVE -> JUDGE -> NEXT .. -> SWEEP -> OVER
 *
 * The worker tells the commits with their signatures, ssh-keygen and gpgv check one after the other. Which
 * commits are signed by whom is kept with the source until a list of keys changes; what was found of an
 * environment, with the environment. A commit that was applied is not asked for again: a key may expire.
 *
 * Owns     its files.
 * Memory   the arena given; it and what is given live until `ended`.
 * Thread   the loop's.
 * Fails    ERR_REFUSED: a commit is not signed as it should be; the sentence names it and the rule.
 */
#pragma once

#include "base/map.h"
#include "reconciler/core/signature.h"
#include "reconciler/engine/sign_files.h"
#include "reconciler/engine/source.h"

#define PROOF_STAMP_MAX 160

struct signers { /* of a source */
    struct arena arena;
    struct map by_commit;        /* id -> struct signer * */
    char stamp[PROOF_STAMP_MAX]; /* of the lists of keys */
};

struct proof { /* of an environment */
    char commit[48], base[48], asked[16], stamp[PROOF_STAMP_MAX];
    struct err refused; /* code 0: as it should be */
};

struct proof_task {
    struct task task;
    /* set by the caller */
    struct engine *engine;
    struct source_task *source;
    struct arena *arena;
    struct str commit, base;   /* the newest one, the one that was applied ("": none) */
    const struct value *asked; /* "head", "ancestors", where the daemon's document says so */
    struct proof *known;       /* read and written */
    /* own */
    char stamp[PROOF_STAMP_MAX];
    struct source_log log;
    struct source_call call;
    struct source_commits commits;
    size_t at, n;
    int is_alone;    /* the newest one is asked for by itself */
    struct str name; /* of who signed the commit at `at` */
    struct sign_run run;
    struct err failed;
};

void proof_signers_init(struct signers *s);
void proof_signers_fini(struct signers *s);

/* What the daemon asks of this source's commits for an environment of this rule; NULL: nothing. */
const struct value *proof_asked(const struct source_task *source, const struct value *rule);
void proof_start(struct proof_task *p, task_ended *ended, void *ctx);
