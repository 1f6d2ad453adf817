/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/secret_seal.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/engine/secret_key.h"

#define SEAL_HEAD "reeve sealed set 1\n"
#define SEAL_HEAD_BYTES (sizeof(SEAL_HEAD) - 1)
#define SEAL_KEY_NAME_BYTES 8u
#define SEAL_NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define SEAL_TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES
#define SEAL_FRONT_BYTES (SEAL_HEAD_BYTES + SEAL_KEY_NAME_BYTES + SEAL_NONCE_BYTES)
#define SEAL_UNREADABLE ".unreadable"

/* What may lie of a revision: its set, one that could not be opened, one that a death cut short. */
static const char *const seal_ends[] = { "", SEAL_UNREADABLE, ".new" };

_Static_assert(SECRET_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
               "one key fits both");

/* --- where --------------------------------------------------------------------------------------- */

/* STR_NONE revision: the directory. */
static int seal_path(const struct secret_seal *at, const char *end, char ret[PATH_MAX],
                     struct err *err)
{
    AUTO_ARENA struct arena a = { 0 };
    struct str hex = digest_is_none(&at->revision) ? S("") : digest_hex(&a, &at->revision);

    if ((size_t)snprintf(ret, PATH_MAX, "%s/%.*s/%.*s%s", at->dir, STR_ARG(at->env), STR_ARG(hex),
                         end) >= PATH_MAX)
        return err_set(err, ERR_LIMIT, "path '%s' is too long", at->dir);
    return 0;
}

static int seal_directory(const struct secret_seal *at, char ret[PATH_MAX], struct err *err)
{
    const struct secret_seal whole = { at->dir, at->keys, at->env, { { 0 } } };

    return seal_path(&whole, "", ret, err);
}

/* --- the key ------------------------------------------------------------------------------------- */

struct seal_key {
    char bytes[SECRET_KEY_BYTES];
    struct digest name; /* its first bytes stand in the file; says nothing of the key */
};

enum seal_key_use { SEAL_TO_OPEN, SEAL_TO_CLOSE }; /* a key that is made now opens nothing */

static int seal_key_read(const struct secret_seal *at, enum seal_key_use use, struct seal_key *ret,
                         struct err *err)
{
    char path[PATH_MAX];
    int rc = 0;

    if (sodium_init() < 0)
        return err_set(err, ERR_FAILED, "libsodium cannot be used here");
    if (use == SEAL_TO_OPEN)
        rc = secret_key_find(at->keys, "sealed", path, err);
    if (rc == ERR_NOT_FOUND)
        return err_set(err, ERR_REFUSED, "its key is not there: put '%s' back", path);
    if (rc || secret_key_read(at->keys, "sealed", ret->bytes, err))
        return err_wrap(err, "the key of sealed sets");
    ret->name = hash_hmac((struct str){ ret->bytes, sizeof(ret->bytes) }, S("reeve/sealed/name"));
    return 0;
}

static void seal_key_wipe(struct seal_key *key)
{
    explicit_bzero(key->bytes, sizeof(key->bytes));
}

#define AUTO_SEAL_KEY __attribute__((cleanup(seal_key_wipe)))

/* --- text ---------------------------------------------------------------------------------------- */

static void seal_add(struct sb *b, struct str s)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        sb_add_char(b, (char)(s.n >> shift));
    sb_add(b, s);
}

static int seal_take(struct str *rest, struct str *ret)
{
    const unsigned char *p = (const unsigned char *)rest->p;
    size_t n;

    if (rest->n < 4)
        return -1;
    n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (n > rest->n - 4)
        return -1;
    *ret = str_slice(*rest, 4, n);
    *rest = str_slice(*rest, 4 + n, rest->n);
    return 0;
}

/* What the file is of, authenticated with it. */
static struct str seal_about(struct arena *a, const struct secret_seal *at)
{
    struct sb b;

    sb_init(&b, a);
    sb_add_c(&b, SEAL_HEAD);
    seal_add(&b, at->env);
    sb_add(&b, (struct str){ (const char *)at->revision.b, DIGEST_BYTES });
    return sb_str(&b);
}

/* --- reading ------------------------------------------------------------------------------------- */

static int seal_parse(struct arena *a, struct str text, struct map *ret, struct err *err)
{
    map_init(ret, a);
    while (text.n) {
        struct str name, *value = arena_new(a, struct str);

        if (!value)
            break;
        if (seal_take(&text, &name) || seal_take(&text, value))
            return err_set(err, ERR_INVALID, "what is sealed in it is not a set");
        map_put(ret, name, value);
    }
    return arena_status(a, err);
}

static int seal_open(const struct secret_seal *at, struct arena *a, struct str file,
                     struct str *ret, struct err *err)
{
    AUTO_SEAL_KEY struct seal_key key = { 0 };
    struct str about = seal_about(a, at), name, nonce, sealed;
    unsigned char *text;
    unsigned long long n = 0;

    if (seal_key_read(at, SEAL_TO_OPEN, &key, err))
        return err->code;
    if (file.n < SEAL_FRONT_BYTES + SEAL_TAG_BYTES || !str_starts(file, S(SEAL_HEAD)))
        return err_set(err, ERR_INVALID, "it is cut, or not a sealed set");
    name = str_slice(file, SEAL_HEAD_BYTES, SEAL_KEY_NAME_BYTES);
    nonce = str_slice(file, SEAL_HEAD_BYTES + SEAL_KEY_NAME_BYTES, SEAL_NONCE_BYTES);
    sealed = str_slice(file, SEAL_FRONT_BYTES, file.n);
    if (memcmp(name.p, key.name.b, name.n))
        return err_set(err, ERR_REFUSED, "it was sealed with another key");
    text = arena_alloc(a, sealed.n);
    if (arena_status(a, err))
        return err->code;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(text, &n, NULL, (const unsigned char *)sealed.p,
                                                   sealed.n, (const unsigned char *)about.p,
                                                   about.n, (const unsigned char *)nonce.p,
                                                   (const unsigned char *)key.bytes))
        return err_set(err, ERR_INVALID, "it was cut or changed, or belongs to another revision");
    *ret = (struct str){ (const char *)text, (size_t)n };
    return 0;
}

int secret_seal_read(const struct secret_seal *at, struct arena *a, struct map *ret,
                     struct err *err)
{
    char path[PATH_MAX];
    struct str file, text;

    if (seal_path(at, "", path, err) ||
        sys_read_file(a, path, SECRET_SEAL_BYTES_MAX + SEAL_FRONT_BYTES + SEAL_TAG_BYTES, &file,
                      err))
        return err->code;
    if (seal_open(at, a, file, &text, err) || seal_parse(a, text, ret, err))
        return err_wrap(err, "sealed set '%s'", path);
    return 0;
}

/* --- writing ------------------------------------------------------------------------------------- */

static int seal_close(const struct secret_seal *at, struct arena *a, struct str text,
                      struct str *ret, struct err *err)
{
    AUTO_SEAL_KEY struct seal_key key = { 0 };
    struct str about = seal_about(a, at);
    unsigned char *file = arena_alloc(a, SEAL_FRONT_BYTES + text.n + SEAL_TAG_BYTES);
    unsigned char *nonce = file + SEAL_HEAD_BYTES + SEAL_KEY_NAME_BYTES;
    unsigned long long n = 0;

    if (arena_status(a, err) || seal_key_read(at, SEAL_TO_CLOSE, &key, err))
        return err->code;
    memcpy(file, SEAL_HEAD, SEAL_HEAD_BYTES);
    memcpy(file + SEAL_HEAD_BYTES, key.name.b, SEAL_KEY_NAME_BYTES);
    sys_random(nonce, SEAL_NONCE_BYTES);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(
        file + SEAL_FRONT_BYTES, &n, (const unsigned char *)text.p, text.n,
        (const unsigned char *)about.p, about.n, NULL, nonce,
        (const unsigned char *)key.bytes); /* cannot fail: sizes are ours */
    *ret = (struct str){ (const char *)file, SEAL_FRONT_BYTES + (size_t)n };
    return 0;
}

/* It may be of use to whoever finds the right key. */
static int seal_put_aside(const struct secret_seal *at, const char *path, struct err *err)
{
    AUTO_WIPED_ARENA struct arena a = { 0 };
    char aside[PATH_MAX];
    struct err unreadable = ERR_INIT; /* why, was said when it was read */
    struct map found;
    int rc = secret_seal_read(at, &a, &found, &unreadable);

    if (!rc || rc == ERR_NOT_FOUND)
        return 0;
    if (seal_path(at, SEAL_UNREADABLE, aside, err))
        return err->code;
    return rename(path, aside) ? err_sys(err, "rename '%s'", path) : 0;
}

static int seal_make_directory(const struct secret_seal *at, struct err *err)
{
    char path[PATH_MAX];

    if (seal_directory(at, path, err))
        return err->code;
    if (sys_exists(path))
        return 0;
    return sys_mkdir_all(path, 0700, err) || sys_fsync_dir(at->dir, err) ? err->code : 0;
}

int secret_seal_write(const struct secret_seal *at, const struct map *set, struct err *err)
{
    AUTO_WIPED_ARENA struct arena a = { 0 };
    char path[PATH_MAX];
    struct str file;
    struct sb text;

    sb_init(&text, &a);
    for (size_t i = 0; i < set->n; i++) {
        seal_add(&text, set->entries[i].key);
        seal_add(&text, *(const struct str *)set->entries[i].value);
    }
    if (arena_status(&a, err))
        return err->code;
    if (text.n > SECRET_SEAL_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "the secrets of a revision are larger than %u bytes",
                       SECRET_SEAL_BYTES_MAX);
    if (seal_path(at, "", path, err) || seal_close(at, &a, sb_str(&text), &file, err) ||
        seal_make_directory(at, err) || seal_put_aside(at, path, err) ||
        sys_write_file(path, 0600, file, err))
        return err_wrap(err, "write a sealed set");
    return 0;
}

/* --- which there are ----------------------------------------------------------------------------- */

int secret_seal_list(const struct secret_seal *at, struct arena *a, struct secret_seals *ret,
                     struct err *err)
{
    char path[PATH_MAX];
    struct dirent *entry;
    DIR *dir;

    *ret = (struct secret_seals){ 0 };
    if (seal_directory(at, path, err))
        return err->code;
    dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? 0 : err_sys(err, "list '%s'", path);
    while ((entry = readdir(dir))) {
        struct str hex = str_from_c(entry->d_name);
        struct digest d;

        for (size_t i = 1; i < N_ELEMENTS(seal_ends); i++)
            if (str_ends(hex, str_from_c(seal_ends[i])))
                hex.n -= str_from_c(seal_ends[i]).n;
        if (!digest_from_hex(hex, &d)) {
            struct digest *slot = vec_push(a, &ret->list);

            if (slot)
                *slot = d;
        }
    }
    (void)closedir(dir); /* nothing was written */
    return arena_status(a, err);
}

int secret_seal_drop(const struct secret_seal *at, struct err *err)
{
    char path[PATH_MAX];

    for (size_t i = 0; i < N_ELEMENTS(seal_ends); i++) {
        if (seal_path(at, seal_ends[i], path, err))
            return err->code;
        if (unlink(path) && errno != ENOENT)
            return err_sys(err, "remove '%s'", path);
    }
    return 0;
}
