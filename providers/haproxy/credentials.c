/* credentials: the hashes of the passwords that rules name. SPDX-License-Identifier: Apache-2.0
 *
 * A list's digest names the versions of its secrets: the same key is the same password, and has the
 * hash that it had first. */
#include "base/hash.h"
#include "base/sys.h"
#include "providers/haproxy/call.h"
#include "providers/haproxy/rules.h"

#define CREDENTIALS_SALT_BYTES DIGEST_BYTES

/* What some generation of any environment has under this key, STR_NONE: nothing. */
static struct str credentials_known(const struct haproxy_model *m, struct str key)
{
    for (size_t i = 0; i < m->records.n; i++) {
        const struct value *all = value_get(m->records.p[i].body, S("credentials"));
        struct str known = value_get_text(all, key, STR_NONE);

        if (known.p)
            return known;
    }
    return STR_NONE;
}

static int credentials_hash(struct haproxy_call *c, struct str user, struct str ref,
                            struct str *ret)
{
    struct rv_str password = { 0 };
    struct digest salt, digest;
    struct str text;
    struct hash h;
    int rc = c->h->secret(c->h->ctx, kit_rv(ref), &password);

    if (rc)
        return haproxy_fail(c, (enum rv_verdict)rc, "secret '%.*s' cannot be read", STR_ARG(ref));
    if (password.n < HAPROXY_PASSWORD_MIN)
        return haproxy_fail(c, RV_USER, "the password of '%.*s' (secret '%.*s') has under %d bytes",
                            STR_ARG(user), STR_ARG(ref), HAPROXY_PASSWORD_MIN);
    sys_random(salt.b, CREDENTIALS_SALT_BYTES);
    text = digest_base32(c->arena, &salt);
    hash_init(&h);
    hash_add_str(&h, text);
    hash_add_str(&h, S(":"));
    hash_add_str(&h, kit_str(password));
    digest = hash_end(&h);
    *ret = str_fmt(c->arena, "%.*s:%.*s", STR_ARG(text), STR_ARG(digest_hex(c->arena, &digest)));
    return 0;
}

static int credentials_add(struct haproxy_call *c, const struct haproxy_model *m, struct str list,
                           const struct value *users, struct value *to)
{
    for (size_t i = 0; i < value_count(users); i++) {
        const struct value_entry *e = &users->u.map.entries[i];
        struct str key = str_fmt(c->arena, "%.*s:%.*s", STR_ARG(list), STR_ARG(e->key));
        struct str known = credentials_known(m, key);
        int rc = 0;

        if (value_get(to, key))
            continue;
        if (!known.p)
            rc = credentials_hash(c, e->key, value_get_text(e->value, S("secret"), S("")), &known);
        if (rc)
            return rc;
        value_set_text(c->arena, to, key, known);
    }
    return 0;
}

int haproxy_rules_body(struct haproxy_call *c, const struct haproxy_model *m,
                       const struct value *desired, const struct value **ret)
{
    struct str environment = value_get_text(desired, S("environment"), S(""));
    const struct value *routes = value_get(desired, S("routes"));
    struct value *credentials = value_map(c->arena), *body;

    for (size_t i = 0; i < value_count(routes); i++) {
        const struct value *access = value_at(value_item(routes, i), S("rules.access"));
        const struct value *users = value_get(access, S("users"));
        int rc = users ? credentials_add(c, m, haproxy_rules_list(c->arena, environment, access),
                                         users, credentials)
                       : 0;

        if (rc)
            return rc;
    }
    *ret = desired;
    if (!value_count(credentials))
        return 0;
    body = value_copy(c->arena, desired);
    value_set(c->arena, body, S("credentials"), credentials);
    *ret = body;
    return 0;
}
