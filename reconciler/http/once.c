/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/once.h"

#include "base/hash.h"

static int is_key(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] <= ' ' || text.p[i] > '~')
            return 0;
    return text.n && text.n <= ONCE_KEY_MAX;
}

int once_read(const struct http_exchange *x, struct str actor, struct command *c, struct err *err)
{
    struct str key = value_get_text(x->headers, S("idempotency-key"), STR_NONE);
    struct hash h;

    if (!key.p)
        return 0;
    if (!is_key(key))
        return err_set(err, ERR_USAGE, "Idempotency-Key: 1 to %d visible characters", ONCE_KEY_MAX);
    if (c->verb == COMMAND_TOKEN)
        return err_set(err, ERR_USAGE, "Idempotency-Key: a token is said once");
    if (c->verb == COMMAND_TEST)
        return err_set(err, ERR_USAGE, "Idempotency-Key: a test is sent each time it is asked for");
    hash_init(&h);
    hash_add_lp(&h, actor);
    hash_add_lp(&h, x->method);
    hash_add_lp(&h, x->path);
    hash_add_lp(&h, key);
    c->once = hash_end(&h);
    c->once_body = hash_bytes(x->body);
    return 0;
}
