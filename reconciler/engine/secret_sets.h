/*
 * secret_sets: where the value of a pinned secret comes from. SPDX-License-Identifier: Apache-2.0
 *
 * A value is given out only when the sealed set (secret_seal.h) of the revision that it is for has it, so what
 * runs can always be started again as it was. What the set does not have yet is taken from another set of the
 * environment, or from the store, and sealed first. `secrets.keep: none` asks the store each time.
 *
 * Thread   any.
 * Fails    as secret_store.h and secret_seal.h.
 */
#pragma once

#include "reconciler/engine/secret_seal.h"
#include "reconciler/engine/secret_store.h"

struct secret_sets;

/* Borrows `store`; `dir` is var/, `keys` var/keys. */
int secret_sets_new(const struct value *daemon, const char *dir, const char *keys,
                    struct secret_store *store, struct secret_sets **ret, struct err *err);
void secret_sets_free(struct secret_sets *s);
/* 0: they are not kept. */
int secret_sets_are_kept(const struct secret_sets *s);

/* Every {"secret": NAME, "version": V} below v, as "NAME@V" -> NAME (struct str *), in the map's arena. */
void secret_sets_collect(const struct value *v, struct map *ret);

struct secret_want {
    struct str env_uid, env_name;
    struct digest revision;
    const struct value *refs; /* {NAME: {store, path, key}} */
    const struct map *pins;   /* all that the revision refers to, as collected */
    const struct map *made;   /* of these, what was generated before */
};
/* The value of "NAME@VERSION", in an arena that its owner wipes. */
int secret_sets_give(struct secret_sets *s, const struct secret_want *w, struct arena *a,
                     struct str ref, struct str *ret, struct err *err);

/* What the revision refers to and other sets of the environment have, in its own set as well: nothing of it may
 * have been started for it, and the others go. Asks no store; w->refs and w->made say nothing. */
int secret_sets_complete(struct secret_sets *s, const struct secret_want *w, struct err *err);

/* Which of the revision's references are kept: "NAME@VERSION" -> anything. Without a set: none. */
int secret_sets_find(struct secret_sets *s, struct str env_uid, const struct digest *revision,
                     struct arena *a, struct map *ret, struct err *err);
/* Sets of other revisions than these go. */
int secret_sets_sweep(struct secret_sets *s, struct str env_uid, const struct digest *keep,
                      size_t n_keep, struct err *err);
