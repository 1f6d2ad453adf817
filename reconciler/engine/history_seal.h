/*
 * history_seal: the head of our history, sealed with a key of KEYS. SPDX-License-Identifier: Apache-2.0
 *
 * KEYS/history is the key, KEYS/history.head the newest head that was committed, KEYS/history.verified the newest
 * that was verified. Who has the database alone can write none of them.
 *
 * Thread   any; one at a time.
 * Fails    as secret_key.h and seal.h.
 */
#pragma once

#include "specs/value.h"
#include "state/seal.h"

struct history_seal {
    char key[SEAL_KEY_BYTES]; /* the owner wipes it */
    struct seal head, verified;
    int64_t sealed_seq; /* by us; 0: nothing yet */
    int64_t seen_seq;   /* the head after the last commit, sealed or not */
};

enum history_seal_mode {
    HISTORY_SEAL_READ, /* ERR_NOT_FOUND: there is no key, so nothing was ever sealed */
    HISTORY_SEAL_MAKE,
};

/* KEYS of a Daemon document: beside its state file. */
const char *history_seal_keys(struct arena *a, const struct value *daemon);
/* What is borrowed lives as long as `ret`. */
int history_seal_open(struct arena *a, const char *keys, struct str installation,
                      enum history_seal_mode mode, struct history_seal *ret, struct err *err);
/* After a commit. */
int history_seal_commit(struct history_seal *s, struct db *db, struct err *err);
/* Why this is not the history that was sealed; STR_NONE: it is, or nothing was. */
int history_seal_judge(struct arena *a, const struct history_seal *s, struct db *db,
                       struct str *ret_why, struct err *err);
/* What comes is another history. */
int history_seal_forget(struct arena *a, const char *keys, struct err *err);
