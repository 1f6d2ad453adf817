/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/secret_store.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "base/guard.h"
#include "base/hash.h"
#include "reconciler/engine/secret_kind.h"
#include "specs/json_io.h"
#include "specs/scalar.h"

#define SECRET_VERSION_HEX 16u

struct secret {
    size_t n;
    char bytes[]; /* a NUL stands behind them */
};

/* --- values -------------------------------------------------------------------------------------- */

static struct secret *secret_new(struct str bytes)
{
    struct secret *secret = alloc_zero(sizeof(*secret) + bytes.n + 1);

    if (!secret)
        return NULL;
    secret->n = bytes.n;
    if (bytes.n)
        memcpy(secret->bytes, bytes.p, bytes.n);
    return secret;
}

struct str secret_reveal(const struct secret *secret)
{
    return (struct str){ secret->bytes, secret->n };
}

void secret_free(struct secret *secret)
{
    if (!secret)
        return;
    explicit_bzero(secret->bytes, secret->n);
    alloc_free(secret);
}

/* --- fingerprints ------------------------------------------------------------------------------------ */

static int secret_key_need(struct secret_store *s, struct err *err)
{
    int rc = 0;

    PRE(!pthread_mutex_lock(&s->lock));
    if (!s->has_key)
        rc = secret_key_read(s->keys, "fingerprint", s->key, err);
    s->has_key |= !rc;
    PRE(!pthread_mutex_unlock(&s->lock));
    return rc ? err_wrap(err, "the key of fingerprints") : 0;
}

static int secret_fingerprint(struct secret_store *s, const struct secret_ref *ref,
                              struct str value, struct arena *a, struct str *ret, struct err *err)
{
    AUTO_WIPED_ARENA struct arena scratch;
    struct sb message;
    struct digest d;

    arena_init(&scratch, 0);
    if (secret_key_need(s, err))
        return err->code;
    sb_init(&message, &scratch);
    secret_kind_add_lp(&message, ref->env);
    secret_kind_add_lp(&message, ref->name);
    secret_kind_add_lp(&message, value);
    if (arena_status(&scratch, err))
        return err->code;
    d = hash_hmac((struct str){ s->key, SECRET_KEY_BYTES }, sb_str(&message));
    *ret = str_fmt(a, "f:%.*s", (int)SECRET_VERSION_HEX, digest_hex(&scratch, &d).p);
    return arena_status(a, err);
}

int secret_store_fingerprint(struct secret_store *s, struct str env, struct str name,
                             struct str value, struct arena *a, struct str *ret, struct err *err)
{
    const struct secret_ref ref = { .env = env, .name = name };

    return secret_fingerprint(s, &ref, value, a, ret, err);
}

static int secret_pick(struct arena *a, struct str key, struct str *value, struct err *err)
{
    struct err unsaid = ERR_INIT; /* it might quote the value */
    struct str picked;
    struct value *map;

    if (json_parse(a, *value, SECRET_BYTES_MAX, &map, &unsaid) || !value_is(map, VALUE_MAP))
        return err_set(err, ERR_INVALID,
                       "what lies there is not a JSON map, but a key is asked for");
    picked = value_get_text(map, key, STR_NONE);
    if (!picked.p)
        return err_set(err, ERR_NOT_FOUND, "there is no text under key '%.*s'", STR_ARG(key));
    *value = picked;
    return 0;
}

static const struct secret_kind {
    const char *type;
    secret_get_fn *get;
    secret_make_fn *make; /* NULL: what is generated cannot be kept there */
} secret_kinds[] = {
    { "env", secret_local_env, NULL }, { "file", secret_local_file, secret_local_make },
    { "exec", secret_exec_get, NULL }, { "vault", secret_vault_get, secret_vault_make },
    { "age", secret_age_get, NULL },
};

static const struct secret_kind *secret_kind_of(const struct value *store)
{
    struct str type = value_get_text(store, S("type"), STR_NONE);

    for (size_t i = 0; i < N_ELEMENTS(secret_kinds); i++)
        if (str_eq_c(type, secret_kinds[i].type))
            return &secret_kinds[i];
    return NULL;
}

/* --- one value ----------------------------------------------------------------------------------- */

static struct secret_ask secret_ask_of(struct secret_store *s, const struct secret_ref *ref,
                                       struct str version, struct arena *a)
{
    struct str name = ref->store.p ? ref->store
                                   : value_get_text(s->secrets, S("default"), S("env"));

    return (struct secret_ask){
        .store = value_get(value_get(s->secrets, S("stores")), name),
        .name = name,
        .path = str_copy(a, ref->path.p ? ref->path : ref->name),
        .key = ref->key,
        .version = version,
        .blob = ref->blob,
        .is_generated = ref->generate != 0,
    };
}

/* What an operator does about it depends on this. */
static const char *secret_trouble(int code)
{
    static const struct {
        int code;
        const char *words;
    } rows[] = {
        { ERR_NOT_FOUND, "was not found" },
        { ERR_REFUSED, "is refused" },
        { ERR_UNREACHABLE, "cannot be reached" },
        { ERR_TIMEOUT, "was not told in time" },
        { ERR_LIMIT, "is too large" },
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (code == rows[i].code)
            return rows[i].words;
    return "cannot be read";
}

/* The value, borrowed or in `a`, which the caller wipes. */
static int secret_get(struct secret_store *s, const struct secret_ref *ref,
                      const struct secret_ask *ask, struct arena *a, struct secret_got *ret,
                      struct err *err)
{
    const struct secret_kind *kind = secret_kind_of(ask->store);
    int64_t unused;
    int rc = 0;

    *ret = (struct secret_got){ 0 };
    if (!kind)
        rc = err_set(err, ERR_INVALID, "there is no such store");
    else if (ask->path.n > SECRET_PATH_MAX || scalar_read(SCALAR_SECRET_PATH, ask->path, &unused))
        rc = err_set(err, ERR_REFUSED, "the path is not %s", scalar_form(SCALAR_SECRET_PATH));
    else
        rc = kind->get(s, ask, a, ret, err);
    if (!rc && ask->key.p && !ret->is_picked)
        rc = secret_pick(a, ask->key, &ret->value, err);
    if (rc)
        return err_wrap(err, "secret '%.*s' in store '%.*s' %s", STR_ARG(ref->name),
                        STR_ARG(ask->name), secret_trouble(rc));
    return 0;
}

/* Written before anybody gets it, and read back: another may have been first. */
static int secret_generate(struct secret_store *s, const struct secret_ref *ref,
                           const struct secret_ask *ask, struct arena *a, struct secret_got *ret,
                           struct err *err)
{
    const struct secret_kind *kind = secret_kind_of(ask->store);
    struct str value;
    int rc;

    if (!kind->make)
        return err_set(err, ERR_INVALID,
                       "secret '%.*s': store '%.*s' keeps nothing that is generated",
                       STR_ARG(ref->name), STR_ARG(ask->name));
    rc = secret_make_value(a, ref->generate, ref->encoding, &value, err);
    CRASH_POINT(SECRETS_BEFORE_GENERATED);
    if (!rc)
        rc = kind->make(s, ask, value, a, err);
    if (rc)
        return err_wrap(err, "generate secret '%.*s' in store '%.*s'", STR_ARG(ref->name),
                        STR_ARG(ask->name));
    CRASH_POINT(SECRETS_AFTER_GENERATED);
    return secret_get(s, ref, ask, a, ret, err);
}

/* --- what others call ---------------------------------------------------------------------------- */

static int secret_copy_path(const char *from, char ret[PATH_MAX], struct err *err)
{
    if ((size_t)snprintf(ret, PATH_MAX, "%s", from ? from : "") >= PATH_MAX)
        return err_set(err, ERR_LIMIT, "path '%s' is too long", from);
    return 0;
}

int secret_store_new(const struct secret_store_options *o, struct secret_store **ret,
                     struct err *err)
{
    struct secret_store *s = alloc_zero(sizeof(*s));

    if (!s)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (secret_copy_path(o->dir, s->dir, err) || secret_copy_path(o->keys, s->keys, err) ||
        secret_copy_path(o->self, s->self, err)) {
        alloc_free(s);
        return err->code;
    }
    s->loop = o->loop;
    s->secrets = value_get(o->daemon, S("secrets"));
    s->sources = value_get(o->daemon, S("sources"));
    PRE(!pthread_mutex_init(&s->lock, NULL));
    PRE(!pthread_mutex_init(&s->making, NULL));
    PRE(!pthread_mutex_init(&s->signing_in, NULL));
    *ret = s;
    return 0;
}

void secret_store_free(struct secret_store *s)
{
    if (!s)
        return;
    secret_vault_forget(s);
    explicit_bzero(s->key, sizeof(s->key));
    PRE(!pthread_mutex_destroy(&s->signing_in));
    PRE(!pthread_mutex_destroy(&s->making));
    PRE(!pthread_mutex_destroy(&s->lock));
    alloc_free(s);
}

int secret_store_pin(struct secret_store *s, const struct secret_ref *ref, struct arena *a,
                     struct secret_pin *ret, struct err *err)
{
    AUTO_WIPED_ARENA struct arena scratch = { 0 };
    const struct secret_ask ask = secret_ask_of(s, ref, STR_NONE, &scratch);
    struct secret_pin pin = { 0 };
    struct secret_got got = { 0 };
    int rc = arena_status(&scratch, err) ? err->code
                                         : secret_get(s, ref, &ask, &scratch, &got, err);

    if (rc == ERR_NOT_FOUND && ref->generate) {
        *ret = (struct secret_pin){ S(SECRET_FIRST_GENERATED), S(""), 0 };
        return 0;
    }
    if (rc || secret_fingerprint(s, ref, got.value, a, &pin.fingerprint, err))
        return err->code;
    pin.version = got.version.p ? str_copy(a, got.version) : pin.fingerprint;
    pin.is_short = got.value.n < SECRET_SHORT_BELOW;
    *ret = pin;
    return arena_status(a, err);
}

/* The value and that it is of the version; what is absent now is gone as well. */
static int secret_get_version(struct secret_store *s, const struct secret_ref *ref,
                              struct str version, struct arena *a, struct str *ret, struct err *err)
{
    const struct secret_ask ask = secret_ask_of(s, ref, version, a);
    struct secret_got got = { 0 };
    struct str now = STR_NONE;
    int rc = arena_status(a, err) ? err->code : secret_get(s, ref, &ask, a, &got, err);

    if (rc == ERR_NOT_FOUND && ref->generate && ref->may_make &&
        str_eq_c(version, SECRET_FIRST_GENERATED))
        rc = secret_generate(s, ref, &ask, a, &got, err);
    if (version.p && rc == ERR_NOT_FOUND)
        return err_set(err, ERR_REFUSED, "version '%.*s' of secret '%.*s' is gone",
                       STR_ARG(version), STR_ARG(ref->name));
    if (!rc && version.p && got.version.p)
        now = got.version;
    else if (!rc && version.p)
        rc = secret_fingerprint(s, ref, got.value, a, &now, err);
    if (!rc && version.p && !str_eq(now, version))
        return err_set(err, ERR_REFUSED, "version '%.*s' of secret '%.*s' is gone",
                       STR_ARG(version), STR_ARG(ref->name));
    *ret = got.value;
    return rc;
}

int secret_store_read(struct secret_store *s, const struct secret_ref *ref, struct str version,
                      struct secret **ret, struct err *err)
{
    AUTO_WIPED_ARENA struct arena scratch = { 0 };
    struct str value = STR_NONE;

    if (secret_get_version(s, ref, version, &scratch, &value, err))
        return err->code;
    *ret = secret_new(value);
    return *ret ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

int secret_store_read_own(struct secret_store *s, struct str name, struct secret **ret,
                          struct err *err)
{
    const struct secret_ref own = { .env = S(""), .name = name, .path = name };

    return secret_store_read(s, &own, STR_NONE, ret, err);
}

int secret_store_copy_own(struct secret_store *s, struct str name, struct arena *a, struct str *ret,
                          struct err *err)
{
    struct secret *secret;

    *ret = STR_NONE;
    if (!name.p)
        return 0;
    if (secret_store_read_own(s, name, &secret, err))
        return err->code;
    *ret = str_copy(a, secret_reveal(secret));
    secret_free(secret);
    return arena_status(a, err);
}

struct secret_ref secret_store_ref(struct str env, struct str name, const struct value *lies)
{
    return (struct secret_ref){
        .env = env,
        .name = name,
        .store = value_get_text(lies, S("store"), STR_NONE),
        .path = value_get_text(lies, S("path"), STR_NONE),
        .key = value_get_text(lies, S("key"), STR_NONE),
        .generate = value_get_int(lies, S("generate"), 0),
        .encoding = value_get_text(lies, S("encoding"), S("base64")),
    };
}

int secret_store_open(struct secret_store *s, struct arena *a, const struct secret_open *in,
                      struct str *ret, struct err *err)
{
    struct str version = in->ref, name;
    const struct value *lies;
    struct secret_ref found;
    struct secret *secret;

    if (!str_next(&version, '@', &name) || !version.n)
        return err_set(err, ERR_INVALID, "'%.*s' is not NAME@VERSION", STR_ARG(in->ref));
    lies = value_get(in->refs, name);
    if (!lies)
        return err_set(err, ERR_REFUSED, "secret '%.*s' is not one that the environment refers to",
                       STR_ARG(name));
    found = secret_store_ref(in->env, name, lies);
    found.may_make = !in->was_made || !map_has(in->was_made, in->ref);
    if (secret_store_read(s, &found, version, &secret, err))
        return err->code;
    *ret = str_copy(a, secret_reveal(secret));
    secret_free(secret);
    return arena_status(a, err);
}
