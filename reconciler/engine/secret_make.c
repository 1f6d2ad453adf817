/* Values that nobody chose. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/secret_kind.h"

#include <sodium.h>

#include "base/guard.h"
#include "base/sys.h"

static int make_hex(char *text, size_t size, const unsigned char *bytes, size_t n)
{
    return sodium_bin2hex(text, size, bytes, n) ? 0 : -1;
}

static int make_base64(char *text, size_t size, const unsigned char *bytes, size_t n)
{
    return sodium_bin2base64(text, size, bytes, n, sodium_base64_VARIANT_ORIGINAL) ? 0 : -1;
}

static int make_base64url(char *text, size_t size, const unsigned char *bytes, size_t n)
{
    return sodium_bin2base64(text, size, bytes, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING) ? 0
                                                                                             : -1;
}

/* Every character as likely as another. */
static int make_alnum(char *text, size_t size, const unsigned char *bytes, size_t n)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    (void)bytes; /* each character has randomness of its own */
    if (size <= n)
        return -1;
    for (size_t i = 0; i < n; i++)
        text[i] = letters[randombytes_uniform(sizeof(letters) - 1)];
    text[n] = 0;
    return 0;
}

static const struct {
    const char *name;
    int (*make)(char *text, size_t size, const unsigned char *bytes, size_t n);
} encodings[] = {
    { "base64", make_base64 },
    { "base64url", make_base64url },
    { "hex", make_hex },
    { "alnum", make_alnum },
};

int secret_make_value(struct arena *a, int64_t n, struct str encoding, struct str *ret,
                      struct err *err)
{
    size_t size = 2 * (size_t)n + 8; /* the longest is hex */
    unsigned char *bytes = arena_alloc(a, (size_t)n);
    char *text = arena_alloc(a, size);

    if (sodium_init() < 0)
        return err_set(err, ERR_FAILED, "libsodium cannot be used here");
    if (!bytes || !text)
        return arena_status(a, err);
    sys_random(bytes, (size_t)n);
    for (size_t i = 0; i < N_ELEMENTS(encodings); i++)
        if (str_eq_c(encoding, encodings[i].name) &&
            !encodings[i].make(text, size, bytes, (size_t)n)) {
            *ret = str_from_c(text);
            return 0;
        }
    return err_set(err, ERR_INVALID, "no encoding is called '%.*s'", STR_ARG(encoding));
}
