/* fuzz: whatever a provider is said to say, a token is believed by a signature and for us alone. SPDX-License-Identifier: Apache-2.0
 *
 * The input is a line with the key set, one with the header, one with the claims, and the bytes of the signature; without a
 * header what follows is the token as it is. */
#include <stddef.h>
#include <stdint.h>

#include "base/base64.h"
#include "base/guard.h"
#include "reconciler/http/jwt.h"
#include "tests/fuzz/fuzz.h"

static const struct jwt_wanted wanted = { .issuer = S_INIT("https://login.test"),
                                          .client_id = S_INIT("reeve"),
                                          .nonce = S_INIT("n-1"),
                                          .access_token = S_INIT("x"),
                                          .now_s = 1700000000 };

static struct str joined(struct arena *a, struct str header, struct str claims, struct str rest)
{
    return str_fmt(a, "%.*s.%.*s.%.*s", STR_ARG(base64_url_encode(a, header)),
                   STR_ARG(base64_url_encode(a, claims)), STR_ARG(base64_url_encode(a, rest)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = { (const char *)data, size }, set, header, claims;
    const struct value *said;
    struct err err = ERR_INIT;
    struct jwt_keys keys;
    struct arena a;

    arena_init(&a, 64u << 20);
    if (size && str_next(&rest, '\n', &set) && str_next(&rest, '\n', &header) &&
        str_next(&rest, '\n', &claims) && !jwt_keys_parse(&a, set, &keys, &err)) {
        struct str token = header.n ? joined(&a, header, claims, rest.p ? rest : S("")) : claims;

        if (!jwt_check(&a, token, &keys, &wanted, &said, &err)) {
            POST(str_eq(value_get_text(said, S("iss"), S("")), wanted.issuer));
            POST(str_eq(value_get_text(said, S("nonce"), S("")), wanted.nonce));
            POST(value_get_int(said, S("exp"), 0) > wanted.now_s - JWT_LEEWAY_S - 1);
        }
    }
    arena_fini(&a);
    return 0;
}
