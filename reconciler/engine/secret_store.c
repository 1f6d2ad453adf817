/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/secret_store.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "base/hash.h"
#include "reconciler/engine/secret_key.h"
#include "specs/json_io.h"
#include "specs/scalar.h"

#define SECRET_VERSION_HEX 16u

struct secret {
    size_t n;
    char bytes[]; /* a NUL stands behind them */
};

struct secret_store {
    const struct value *secrets; /* of the Daemon document */
    char dir[PATH_MAX];
    pthread_mutex_t lock; /* the key is made once */
    int has_key;
    char key[SECRET_KEY_BYTES];
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
        rc = secret_key_read(s->dir, "fingerprint", s->key, err);
    s->has_key |= !rc;
    PRE(!pthread_mutex_unlock(&s->lock));
    return rc ? err_wrap(err, "the key of fingerprints") : 0;
}

static void secret_add_lp(struct sb *b, struct str s)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        sb_add_char(b, (char)(s.n >> shift));
    sb_add(b, s);
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
    secret_add_lp(&message, ref->env);
    secret_add_lp(&message, ref->name);
    secret_add_lp(&message, value);
    if (arena_status(&scratch, err))
        return err->code;
    d = hash_hmac((struct str){ s->key, SECRET_KEY_BYTES }, sb_str(&message));
    *ret = str_fmt(a, "f:%.*s", (int)SECRET_VERSION_HEX, digest_hex(&scratch, &d).p);
    return arena_status(a, err);
}

/* --- the kinds of stores ------------------------------------------------------------------------- */

/* One word: with parts, a rule for `team` would cover `team/x`, which spells the variable of `team_x`. */
static int secret_variable(const struct value *store, struct str path, struct sb *ret,
                           struct err *err)
{
    sb_add(ret, value_get_text(store, S("prefix"), S("REEVE_SECRET_")));
    for (size_t i = 0; i < path.n; i++) {
        int c = (unsigned char)path.p[i];

        if (!isalnum(c) && c != '_' && c != '-')
            return err_set(err, ERR_REFUSED, "path '%.*s' is not one word", STR_ARG(path));
        sb_add_char(ret, c == '-' ? '_' : (char)toupper(c));
    }
    return arena_status(ret->arena, err);
}

static int secret_get_env(const struct value *store, struct str path, struct arena *a,
                          struct str *ret, struct err *err)
{
    struct sb variable;
    const char *value;

    sb_init(&variable, a);
    if (secret_variable(store, path, &variable, err))
        return err->code;
    value = getenv(sb_str(&variable).p);
    if (!value)
        return err_set(err, ERR_NOT_FOUND, "variable %s is not set", sb_str(&variable).p);
    *ret = str_from_c(value);
    if (ret->n > SECRET_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "larger than %u bytes", SECRET_BYTES_MAX);
    return 0;
}

static int secret_read_fd(int fd, struct arena *a, struct str *ret, struct err *err)
{
    struct stat st;
    size_t n = 0;
    char *p;

    if (fstat(fd, &st))
        return err_sys(err, "look at its file");
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_REFUSED, "what lies there is not a file");
    p = arena_alloc(a, SECRET_BYTES_MAX + 1);
    if (!p)
        return arena_status(a, err);
    for (;;) {
        ssize_t got = read(fd, p + n, SECRET_BYTES_MAX + 1 - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(err, "read its file");
        n += (size_t)got;
        if (n > SECRET_BYTES_MAX)
            return err_set(err, ERR_LIMIT, "larger than %u bytes", SECRET_BYTES_MAX);
        if (got == 0)
            break;
    }
    if (n && p[n - 1] == '\n')
        n--;
    if (n && p[n - 1] == '\r')
        n--;
    *ret = (struct str){ p, n };
    return 0;
}

/* Links inside the directory are followed (mounted secrets are made of them), out of it never. */
static int secret_get_file(const struct value *store, struct str path, struct arena *a,
                           struct str *ret, struct err *err)
{
    const char *dir = str_to_c(a, value_get_text(store, S("directory"), S("")));
    const char *name = str_to_c(a, path);
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
    AUTO_CLOSE int dir_fd = -1;
    AUTO_CLOSE int fd = -1;

    if (!dir || !name)
        return arena_status(a, err);
    dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return err_set(err, ERR_UNREACHABLE, "directory '%s': %s", dir, strerror(errno));
    fd = (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
    if (fd < 0 && errno == EXDEV)
        return err_set(err, ERR_REFUSED, "'%s' leaves the directory", name);
    if (fd < 0)
        return err_sys(err, "open '%s/%s'", dir, name);
    return secret_read_fd(fd, a, ret, err);
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
    int (*get)(const struct value *store, struct str path, struct arena *a, struct str *ret,
               struct err *err);
} secret_kinds[] = {
    { "env", secret_get_env },
    { "file", secret_get_file },
};

static const struct secret_kind *secret_kind_of(const struct value *store)
{
    struct str type = value_get_text(store, S("type"), STR_NONE);

    for (size_t i = 0; i < N_ELEMENTS(secret_kinds); i++)
        if (str_eq_c(type, secret_kinds[i].type))
            return &secret_kinds[i];
    return NULL;
}

/* The value, borrowed or in `a`, which the caller wipes. */
static int secret_get(struct secret_store *s, const struct secret_ref *ref, struct arena *a,
                      struct str *ret, struct err *err)
{
    struct str name = ref->store.p ? ref->store
                                   : value_get_text(s->secrets, S("default"), S("env"));
    struct str path = ref->path.p ? ref->path : ref->name;
    const struct value *store = value_get(value_get(s->secrets, S("stores")), name);
    const struct secret_kind *kind = secret_kind_of(store);
    int64_t unused;
    int rc = 0;

    if (!kind)
        rc = err_set(err, ERR_INVALID, "there is no such store");
    else if (path.n > SECRET_PATH_MAX || scalar_read(SCALAR_SECRET_PATH, path, &unused))
        rc = err_set(err, ERR_REFUSED, "the path is not %s", scalar_form(SCALAR_SECRET_PATH));
    else
        rc = kind->get(store, path, a, ret, err);
    if (!rc && ref->key.p)
        rc = secret_pick(a, ref->key, ret, err);
    if (rc)
        return err_wrap(err, "secret '%.*s' in store '%.*s'", STR_ARG(ref->name), STR_ARG(name));
    return 0;
}

/* --- what others call ---------------------------------------------------------------------------- */

int secret_store_new(const struct value *daemon, const char *keys, struct secret_store **ret,
                     struct err *err)
{
    struct secret_store *s;

    if (strlen(keys) >= PATH_MAX)
        return err_set(err, ERR_LIMIT, "path '%s' is too long", keys);
    s = alloc_zero(sizeof(*s));
    if (!s)
        return err_set(err, ERR_NOMEM, "out of memory");
    memcpy(s->dir, keys, strlen(keys) + 1);
    s->secrets = value_get(daemon, S("secrets"));
    PRE(!pthread_mutex_init(&s->lock, NULL));
    *ret = s;
    return 0;
}

void secret_store_free(struct secret_store *s)
{
    if (!s)
        return;
    explicit_bzero(s->key, sizeof(s->key));
    PRE(!pthread_mutex_destroy(&s->lock));
    alloc_free(s);
}

int secret_store_version(struct secret_store *s, const struct secret_ref *ref, struct arena *a,
                         struct str *ret, struct err *err)
{
    AUTO_WIPED_ARENA struct arena scratch;
    struct str value;

    arena_init(&scratch, 0);
    if (secret_get(s, ref, &scratch, &value, err))
        return err->code;
    return secret_fingerprint(s, ref, value, a, ret, err);
}

/* The value and that it is of the version; what is absent now is gone as well. */
static int secret_get_version(struct secret_store *s, const struct secret_ref *ref,
                              struct str version, struct arena *a, struct str *ret, struct err *err)
{
    int rc = secret_get(s, ref, a, ret, err);
    struct str now = STR_NONE;

    if (version.p && rc == ERR_NOT_FOUND)
        return err_set(err, ERR_REFUSED, "version '%.*s' of secret '%.*s' is gone",
                       STR_ARG(version), STR_ARG(ref->name));
    if (!rc && version.p)
        rc = secret_fingerprint(s, ref, *ret, a, &now, err);
    if (!rc && version.p && !str_eq(now, version))
        return err_set(err, ERR_REFUSED, "version '%.*s' of secret '%.*s' is gone",
                       STR_ARG(version), STR_ARG(ref->name));
    return rc;
}

int secret_store_read(struct secret_store *s, const struct secret_ref *ref, struct str version,
                      struct secret **ret, struct err *err)
{
    AUTO_WIPED_ARENA struct arena scratch;
    struct str value;

    arena_init(&scratch, 0);
    if (secret_get_version(s, ref, version, &scratch, &value, err))
        return err->code;
    *ret = secret_new(value);
    return *ret ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

int secret_store_open(struct secret_store *s, struct arena *a, struct str env,
                      const struct value *refs, struct str ref, struct str *ret, struct err *err)
{
    struct str version = ref, name;
    struct secret_ref found = { .env = env };
    const struct value *lies;
    struct secret *secret;

    if (!str_next(&version, '@', &name) || !version.n)
        return err_set(err, ERR_INVALID, "'%.*s' is not NAME@VERSION", STR_ARG(ref));
    lies = value_get(refs, name);
    if (!lies)
        return err_set(err, ERR_REFUSED, "secret '%.*s' is not one that the environment refers to",
                       STR_ARG(name));
    found.name = name;
    found.store = value_get_text(lies, S("store"), STR_NONE);
    found.path = value_get_text(lies, S("path"), STR_NONE);
    found.key = value_get_text(lies, S("key"), STR_NONE);
    if (secret_store_read(s, &found, version, &secret, err))
        return err->code;
    *ret = str_copy(a, secret_reveal(secret));
    secret_free(secret);
    return arena_status(a, err);
}
