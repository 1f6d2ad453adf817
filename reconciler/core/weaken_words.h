/*
 * weaken_words: what became laxer, in words for who approves it. SPDX-License-Identifier: Apache-2.0
 *
 * "approval.expires from 15m to 1d". Paths and values are written as specs write them; a secret is its name. Pure.
 *
 * Memory   the arena of the builder.
 * Limits   WEAKEN_VALUE_MAX bytes a value.
 */
#pragma once

#include "specs/value.h"

#define WEAKEN_VALUE_MAX 200u

typedef int weaken_fn(const struct value *before, const struct value *after);

struct weaken_part {
    struct str path; /* of the normal form */
    const struct value *before, *after;
    weaken_fn *is_laxer;
};
typedef void weaken_words_fn(struct sb *b, const struct weaken_part *part);

/* "PATH from A to B", "PATH is gone" */
weaken_words_fn weaken_words_change;
/* Of a list: "PATH without A, B" of what is not met any more, "PATH without A, instead B", "PATH also B". */
weaken_words_fn weaken_words_gone, weaken_words_fewer, weaken_words_more;
/* Of a map, the entries that are laxer by themselves, each as a change. */
weaken_words_fn weaken_words_entries;
/* Of recipients: who is told less, and what of. */
weaken_words_fn weaken_words_told;

/* The same but for `on` and `quiet`. */
int weaken_words_is_same_recipient(const struct value *a, const struct value *b);
int weaken_words_has(const struct value *list, const struct value *item);
