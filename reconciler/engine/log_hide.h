/*
 * log_hide: values that instances of an environment were given, which nobody reads in what they print. SPDX-License-Identifier: Apache-2.0
 *
 * They are read from the sealed sets of the environment. Of whole values (secret_hide.h) no reader and no receiver of logs sees
 * one; what an instance printed that was given one which is in no set any more is shown to nobody.
 *
 * Memory   values live in the arena given, which the caller wipes.
 * Thread   any; names are read on the connection's.
 */
#pragma once

#include "base/map.h"
#include "base/vec.h"
#include "specs/value.h"
#include "state/db.h"

struct log_hide {
    VEC(struct str) list;
    struct map names; /* NAME@VERSION */
    size_t longest;   /* bytes of the longest */
};

/* Without sealed sets, or without the key to them, nobody knows which: then it is empty. */
void log_hide_find(struct arena *secrets, const struct value *daemon, struct str env_uid,
                   struct log_hide *ret);
struct str log_hide_text(const struct log_hide *h, struct arena *a, struct str text);

/* NAME@VERSION of each secret that the instance was given, by the documents that it was made from; NULL: what is remembered of
 * none is not known. */
int log_hide_names(struct db *db, struct arena *a, const struct rec_resource *r, struct value **ret,
                   struct err *err);
/* All that it was given can be hidden. */
int log_hide_knows(const struct log_hide *h, const struct value *names);
