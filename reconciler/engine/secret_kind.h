/*
 * secret_kind: what the kinds of stores share; files of secret_* include it. SPDX-License-Identifier: Apache-2.0
 *
 * A kind reads one value, the newest or that of a version, and says which version it is where the store counts.
 * What it takes lives in the arena given, which is wiped.
 */
#pragma once

#include <limits.h>
#include <pthread.h>

#include "reconciler/engine/secret_key.h"
#include "reconciler/engine/secret_store.h"
#include "reconciler/rt/wait.h"

struct secret_session { /* with one vault */
    struct str store;   /* its name, in the Daemon document */
    char *token;
    int64_t until_ms; /* monotonic: then it is renewed, or another is asked for */
    int64_t lease_s;  /* as long as it was good for at first */
    struct secret_session *next;
};

struct secret_store {
    const struct value *secrets, *sources; /* of the Daemon document */
    char dir[PATH_MAX], keys[PATH_MAX], self[PATH_MAX];
    struct loop *loop;
    pthread_mutex_t lock; /* the key is made once */
    int has_key;
    char key[SECRET_KEY_BYTES];
    pthread_mutex_t making;     /* of a file that is generated */
    pthread_mutex_t signing_in; /* of sessions */
    struct secret_session *sessions;
};

struct secret_ask {
    const struct value *store; /* its entry in the Daemon document */
    struct str name;           /* of the store */
    struct str path, key;      /* with a NUL behind them; key STR_NONE: the value as a whole */
    struct str version;        /* STR_NONE: the newest */
    struct str blob; /* what stands at the path in the environment's commit; STR_NONE: nothing */
    int is_generated;
};

struct secret_got {
    struct str value;
    struct str version; /* STR_NONE: the store keeps one, named by its fingerprint */
    int is_picked;      /* the key was looked up already */
};

typedef int secret_get_fn(struct secret_store *s, const struct secret_ask *ask, struct arena *a,
                          struct secret_got *ret, struct err *err);
/* Write a generated value, unless there is one: the first stays. */
typedef int secret_make_fn(struct secret_store *s, const struct secret_ask *ask, struct str value,
                           struct arena *a, struct err *err);

secret_get_fn secret_local_env, secret_local_file, secret_exec_get, secret_vault_get,
    secret_age_get;
secret_make_fn secret_local_make, secret_vault_make;
void secret_vault_forget(struct secret_store *s); /* tokens, wiped */

/* N random bytes in an encoding of the grammar; alnum: N characters. */
int secret_make_value(struct arena *a, int64_t n, struct str encoding, struct str *ret,
                      struct err *err);

/* Less its last line end. */
static inline struct str secret_kind_line(struct str text)
{
    if (str_ends(text, S("\n")))
        text.n--;
    if (str_ends(text, S("\r")))
        text.n--;
    return text;
}

static inline void secret_kind_add_lp(struct sb *b, struct str s)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        sb_add_char(b, (char)(s.n >> shift));
    sb_add(b, s);
}
