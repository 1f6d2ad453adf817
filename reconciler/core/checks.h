/*
 * checks: what a forge says of a commit, and whether that is enough. SPDX-License-Identifier: Apache-2.0
 *
 * Pure. What is asked of each type of forge, and where its answers have what, is one table.
 *
 * Memory   facts borrow from the answer.
 */
#pragma once

#include "base/hash.h"
#include "base/vec.h"
#include "specs/value.h"

#define CHECKS_PAGES_MAX 10u /* of one question */

enum check_state { CHECK_PENDING, CHECK_PASSED, CHECK_FAILED };

struct check_fact {
    struct str name, app, url; /* app: who said it */
    enum check_state state;
    size_t question; /* of which it is an answer */
};
struct check_facts {
    struct check_fact *p;
    size_t n, cap;
};

/* The path below the API's address of question `i`, page `page` from 1 on; STR_NONE: there are no more questions.
 * `repository` and `commit` as the Daemon document and git have them. */
struct str checks_path(struct arena *a, struct str forge, size_t i, size_t page,
                       struct str repository, struct str commit);
/* The header that signs in: "Authorization: Bearer TOKEN". */
struct str checks_sign_in(struct arena *a, struct str forge, struct str token);
/* What an answer adds; of one name and author the first, which is the newest. ret_has_more: there is another
 * page. ERR_INVALID: it is no such answer. */
int checks_take(struct arena *a, struct str forge, size_t i, const struct value *answer,
                struct check_facts *io, int *ret_has_more, struct err *err);

/* Of those that are wanted, list of {name, app?}: the gravest. CHECK_PASSED: none is left; else `ret_why`. */
enum check_state checks_judge(struct arena *a, const struct value *wanted,
                              const struct check_facts *facts, struct str *ret_why);
/* Each of the lists' checks once; NULL: there is none. */
struct value *checks_join(struct arena *a, const struct value *const *lists, size_t n);

struct checks_known { /* of one commit and what is wanted of it */
    struct digest key;
    enum check_state state;
    char why[512];
    int64_t failures, again_mono_ms; /* not asked before */
    int is_heard;                    /* in this cycle */
};
