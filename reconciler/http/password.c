/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/password.h"

#include <sodium.h>
#include <stdatomic.h>
#include <string.h>

#include "base/guard.h"

/* Of a password that nobody has; it has the parameters of the others. */
#define PASSWORD_NOBODYS                                                                           \
    "$argon2id$v=19$m=65536,t=3,p=1$4qWcBxuL0xYJ3oEUHfzpHQ$"                                       \
    "Pb8HvoOzBprv2bn6sFGVjVGZK5HKjUZ3rxBNEfpzy9A"

static atomic_int n_working;

static int work_begin(struct err *err)
{
    if (sodium_init() < 0)
        return err_set(err, ERR_FAILED, "libsodium does not start");
    if (atomic_fetch_add(&n_working, 1) < PASSWORD_AT_ONCE)
        return 0;
    (void)atomic_fetch_sub(&n_working, 1);
    return err_set(err, ERR_BUSY, "%d passwords are being checked", PASSWORD_AT_ONCE);
}

static void work_end(void)
{
    (void)atomic_fetch_sub(&n_working, 1);
}

int password_hash(struct arena *a, struct str password, struct str *ret, struct err *err)
{
    char text[crypto_pwhash_STRBYTES];
    int rc;

    if (password.n < PASSWORD_MIN)
        return err_set(err, ERR_INVALID, "a password has at least %u bytes", PASSWORD_MIN);
    if (password.n > PASSWORD_MAX)
        return err_set(err, ERR_INVALID, "a password has at most %u bytes", PASSWORD_MAX);
    rc = work_begin(err);
    if (rc)
        return rc;
    rc = crypto_pwhash_str_alg(text, password.p, password.n, PASSWORD_PASSES, PASSWORD_MEMORY,
                               crypto_pwhash_ALG_ARGON2ID13);
    work_end();
    if (rc)
        return err_set(err, ERR_NOMEM, "no memory for a password");
    *ret = str_copy(a, str_from_c(text));
    return arena_status(a, err);
}

int password_check(struct str hash, struct str password, struct err *err)
{
    char text[crypto_pwhash_STRBYTES] = PASSWORD_NOBODYS;
    int is_somebodys = hash.n > 0 && hash.n < sizeof(text);
    int rc = work_begin(err);

    if (rc)
        return rc;
    if (is_somebodys) {
        memset(text, 0, sizeof(text));
        memcpy(text, hash.p, hash.n);
    }
    PRE(is_somebodys || !crypto_pwhash_str_needs_rehash(text, PASSWORD_PASSES, PASSWORD_MEMORY));
    rc = crypto_pwhash_str_verify(text, password.p,
                                  password.n < PASSWORD_MAX ? password.n : PASSWORD_MAX);
    work_end();
    if (rc || !is_somebodys || password.n > PASSWORD_MAX)
        return err_set(err, ERR_UNKNOWN_ACTOR, "no such name and password");
    return 0;
}
