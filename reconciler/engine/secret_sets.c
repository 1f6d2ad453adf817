/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/secret_sets.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "base/guard.h"
#include "base/log.h"
#include "specs/reference.h"

struct secret_sets {
    struct secret_store *store;
    int are_kept;
    char dir[PATH_MAX], keys[PATH_MAX];
    pthread_mutex_t lock; /* one writer of a file at a time */
};

static struct secret_seal sets_seal(const struct secret_sets *s, struct str env_uid,
                                    const struct digest *revision)
{
    return (struct secret_seal){ s->dir, s->keys, env_uid, *revision };
}

int secret_sets_new(const struct value *daemon, const char *dir, const char *keys,
                    struct secret_store *store, struct secret_sets **ret, struct err *err)
{
    struct secret_sets *s = alloc_zero(sizeof(*s));

    if (!s)
        return err_set(err, ERR_NOMEM, "out of memory");
    if ((size_t)snprintf(s->dir, sizeof(s->dir), "%s/sealed", dir) >= sizeof(s->dir) ||
        (size_t)snprintf(s->keys, sizeof(s->keys), "%s", keys) >= sizeof(s->keys)) {
        alloc_free(s);
        return err_set(err, ERR_LIMIT, "path '%s' is too long", dir);
    }
    s->store = store;
    s->are_kept = !str_eq_c(
        value_get_text(value_get(daemon, S("secrets")), S("keep"), S("restorable")), "none");
    PRE(!pthread_mutex_init(&s->lock, NULL));
    *ret = s;
    return 0;
}

void secret_sets_free(struct secret_sets *s)
{
    if (!s)
        return;
    PRE(!pthread_mutex_destroy(&s->lock));
    alloc_free(s);
}

int secret_sets_are_kept(const struct secret_sets *s)
{
    return s->are_kept;
}

void secret_sets_collect(const struct value *v, struct map *ret)
{
    struct str version = value_get_text(v, S("version"), STR_NONE),
               name = value_get_text(v, S("secret"), STR_NONE);
    struct str *slot = reference_of(v) == REFERENCE_SECRET ? arena_new(ret->arena, struct str)
                                                           : NULL;

    if (slot) {
        *slot = str_copy(ret->arena, name);
        map_put(ret, str_fmt(ret->arena, "%.*s@%.*s", STR_ARG(name), STR_ARG(version)), slot);
    }
    for (size_t i = 0; i < value_count(v); i++)
        secret_sets_collect(value_is(v, VALUE_LIST) ? value_item(v, i) : v->u.map.entries[i].value,
                            ret);
}

/* --- reading ------------------------------------------------------------------------------------- */

/* What cannot be opened is as if it were not there; why, is said. What cannot be read just now is an error: it
 * would be written anew without what it holds. */
static int sets_read(const struct secret_seal *at, struct arena *a, struct map *ret,
                     struct err *err)
{
    int rc = secret_seal_read(at, a, ret, err);

    if (!rc || (rc != ERR_NOT_FOUND && rc != ERR_REFUSED && rc != ERR_INVALID && rc != ERR_LIMIT))
        return rc;
    if (rc != ERR_NOT_FOUND)
        LOG(LOG_ERROR, "a sealed set cannot be used", LOG_C("err", err->text));
    map_init(ret, a);
    *err = ERR_INIT;
    return 0;
}

/* What is asked for may be pinned by a plan whose revision has no row of its own: a repair. */
static int sets_is_wanted(const struct secret_want *w, struct str asked, struct str ref)
{
    return str_eq(ref, asked) || map_has(w->pins, ref);
}

/* From any other set of the environment. */
static void sets_add_kept(struct secret_sets *s, const struct secret_want *w, struct arena *a,
                          struct str asked, struct map *ret)
{
    struct secret_seal at = sets_seal(s, w->env_uid, &w->revision);
    struct err err = ERR_INIT; /* what cannot be listed or read has nothing */
    struct secret_seals seals;
    struct map set;

    if (secret_seal_list(&at, a, &seals, &err))
        return;
    for (size_t i = 0; i < seals.list.n; i++) {
        if (digest_eq(&seals.list.p[i], &w->revision))
            continue; /* it was looked at */
        at.revision = seals.list.p[i];
        if (sets_read(&at, a, &set, &err))
            continue;
        for (size_t j = 0; j < set.n; j++)
            if (sets_is_wanted(w, asked, set.entries[j].key) && !map_has(ret, set.entries[j].key))
                map_put(ret, set.entries[j].key, set.entries[j].value);
    }
}

static int sets_add_stored(struct secret_sets *s, const struct secret_want *w, struct arena *a,
                           struct str ref, struct map *ret, struct err *err)
{
    const struct secret_open asked = { w->env_name, w->refs, ref, w->made };
    struct str *value = arena_new(a, struct str);

    if (!value)
        return arena_status(a, err);
    if (secret_store_open(s->store, a, &asked, value, err))
        return err->code;
    map_put(ret, ref, value);
    return 0;
}

/* --- sealing ------------------------------------------------------------------------------------- */

/* Another operation of the plan may have sealed more meanwhile. */
static int sets_seal_more(struct secret_sets *s, const struct secret_want *w,
                          const struct map *more, struct err *err)
{
    const struct secret_seal at = sets_seal(s, w->env_uid, &w->revision);
    AUTO_WIPED_ARENA struct arena a = { 0 };
    struct map set;
    int rc;

    CRASH_POINT(SECRETS_BEFORE_SEALED);
    PRE(!pthread_mutex_lock(&s->lock));
    rc = sets_read(&at, &a, &set, err);
    for (size_t i = 0; !rc && i < more->n; i++)
        map_put(&set, more->entries[i].key, more->entries[i].value);
    if (!rc)
        map_sort(&set);
    if (!rc)
        rc = arena_status(&a, err) ? err->code : secret_seal_write(&at, &set, err);
    PRE(!pthread_mutex_unlock(&s->lock));
    CRASH_POINT(SECRETS_AFTER_SEALED);
    return rc;
}

/* All that the revision refers to; what nobody asks for yet and cannot be read now is sealed when it is asked for. */
static int sets_fill(struct secret_sets *s, const struct secret_want *w, struct arena *a,
                     struct str ref, struct map *set, struct err *err)
{
    sets_add_kept(s, w, a, ref, set);
    if (!map_has(set, ref) && sets_add_stored(s, w, a, ref, set, err))
        return err->code;
    for (size_t i = 0; i < w->pins->n; i++) {
        struct err later = ERR_INIT;

        if (!map_has(set, w->pins->entries[i].key))
            (void)sets_add_stored(s, w, a, w->pins->entries[i].key, set, &later);
    }
    return arena_status(a, err) ? err->code : sets_seal_more(s, w, set, err);
}

int secret_sets_give(struct secret_sets *s, const struct secret_want *w, struct arena *a,
                     struct str ref, struct str *ret, struct err *err)
{
    const struct secret_seal at = sets_seal(s, w->env_uid, &w->revision);
    const struct secret_open asked = { w->env_name, w->refs, ref, w->made };
    AUTO_WIPED_ARENA struct arena scratch = { 0 };
    struct map set;

    if (!s->are_kept)
        return secret_store_open(s->store, a, &asked, ret, err);
    if (sets_read(&at, &scratch, &set, err))
        return err->code;
    if (!map_has(&set, ref) && sets_fill(s, w, &scratch, ref, &set, err))
        return err->code;
    *ret = str_copy(a, *(const struct str *)map_find(&set, ref));
    return arena_status(a, err);
}

int secret_sets_complete(struct secret_sets *s, const struct secret_want *w, struct err *err)
{
    const struct secret_seal at = sets_seal(s, w->env_uid, &w->revision);
    AUTO_WIPED_ARENA struct arena scratch = { 0 };
    size_t n_missing = 0, n_had;
    struct map set;

    if (!s->are_kept || !w->pins->n)
        return 0;
    if (sets_read(&at, &scratch, &set, err))
        return err->code;
    n_had = set.n;
    for (size_t i = 0; i < w->pins->n; i++)
        n_missing += !map_has(&set, w->pins->entries[i].key);
    if (n_missing)
        sets_add_kept(s, w, &scratch, S(""), &set);
    if (arena_status(&scratch, err))
        return err->code;
    return set.n == n_had ? 0 : sets_seal_more(s, w, &set, err);
}

int secret_sets_find(struct secret_sets *s, struct str env_uid, const struct digest *revision,
                     struct arena *a, struct map *ret, struct err *err)
{
    const struct secret_seal at = sets_seal(s, env_uid, revision);
    AUTO_WIPED_ARENA struct arena scratch = { 0 };
    struct map set;

    map_init(ret, a);
    if (!s->are_kept)
        return 0;
    if (sets_read(&at, &scratch, &set, err))
        return err->code;
    for (size_t i = 0; i < set.n; i++)
        map_put(ret, str_copy(a, set.entries[i].key), NULL);
    return arena_status(a, err);
}

int secret_sets_sweep(struct secret_sets *s, struct str env_uid, const struct digest *keep,
                      size_t n_keep, struct err *err)
{
    const struct digest none = { { 0 } };
    struct secret_seal at = sets_seal(s, env_uid, &none);
    AUTO_ARENA struct arena a = { 0 };
    struct secret_seals seals;

    if (secret_seal_list(&at, &a, &seals, err))
        return err->code;
    for (size_t i = 0; i < seals.list.n; i++) {
        size_t j = 0;

        at.revision = seals.list.p[i];
        while (s->are_kept && j < n_keep && !digest_eq(&keep[j], &at.revision))
            j++;
        if ((!s->are_kept || j == n_keep) && secret_seal_drop(&at, err))
            return err->code;
    }
    return 0;
}
