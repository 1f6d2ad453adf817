/*
 * trigger: whether the time of a commit has come. SPDX-License-Identifier: Apache-2.0
 *
 * Environments that come first, and commits that come one after the other. Pure; times are arguments.
 */
#pragma once

#include "base/hash.h"
#include "specs/value.h"

#define TRIGGER_DEBOUNCE_TIMES                                                                     \
    10 /* so many lengths after the first of them it goes on in any case */

/* --- environments that come first ---------------------------------------------------------------- */

struct trigger_first { /* one of them, as it is now */
    struct str name;
    int is_known;            /* there is one, and its source was read */
    int is_settled;          /* it has nothing left to do for that commit */
    struct str commit, tree; /* the newest of its branch */
    struct str sync, health;
    int64_t since_ms; /* since when all of this holds */
};

struct trigger_case {
    const struct value *trigger; /* of a policy; NULL: none */
    struct str commit, tree;     /* that is to be applied */
    const struct trigger_first *firsts;
    size_t n_firsts;
    int64_t now_ms;
};

/* What it waits for; STR_NONE: for nothing. `ret_again_ms`: so long until time alone makes a difference; -1: it does
 * not. */
struct str trigger_waits(struct arena *a, const struct trigger_case *c, int64_t *ret_again_ms);

/* --- commits that come one after the other ------------------------------------------------------- */

struct trigger_burst { /* all 0 at first */
    struct digest revision;
    int64_t first_ms, last_ms; /* monotonic */
    int is_on;
};

/* Something is wanted now: so long until no further commit is waited for; 0: it is over. */
int64_t trigger_debounce(struct trigger_burst *b, const struct digest *revision, int64_t length_ms,
                         int64_t now_ms);
