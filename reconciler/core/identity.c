/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/identity.h"

#include "reconciler/core/share.h"
#include "specs/digest.h"

/* The fields of a service that are in its set key, and nothing else. */
static const struct str identity_set_fields[] = {
    S_INIT("artifact"), S_INIT("command"),     S_INIT("environment"), S_INIT("healthcheck"),
    S_INIT("limits"),   S_INIT("termination"), S_INIT("port"),        S_INIT("isolation"),
    S_INIT("provider"), S_INIT("static"),
};

static void identity_take(struct arena *a, struct value *map, const struct value *from,
                          struct str field)
{
    share_part(a, map, field, value_get(from, field));
}

struct digest identity_set_key(struct arena *a, const struct value *service)
{
    struct value *map = value_map(a);

    for (size_t i = 0; i < sizeof(identity_set_fields) / sizeof(identity_set_fields[0]); i++)
        identity_take(a, map, service, identity_set_fields[i]);
    return digest_value(a, S("set"), map);
}

struct digest identity_release_key(struct arena *a, const struct value *service)
{
    struct value *map = value_map(a);

    identity_take(a, map, service, S("artifact"));
    identity_take(a, map, service, S("release"));
    return digest_value(a, S("release"), map);
}

struct digest identity_awaited_key(struct arena *a, const struct value *job,
                                   const struct value *sets)
{
    struct value *map = value_map(a);

    identity_take(a, map, job, S("artifact"));
    identity_take(a, map, job, S("command"));
    identity_take(a, map, job, S("environment"));
    share_part(a, map, S("sets"), sets);
    return digest_value(a, S("awaited"), map);
}

static struct value *identity_tuple(struct arena *a, const struct identity_subject *subject)
{
    struct value *list = value_list(a);

    value_add(a, list, value_text(a, subject->installation));
    value_add(a, list, value_text(a, subject->env_uid));
    value_add(
        a, list,
        value_text(a, str_fmt(a, "%.*s/%.*s", STR_ARG(subject->kind), STR_ARG(subject->name))));
    value_add(a, list, value_int(a, subject->incarnation));
    return list;
}

struct str identity_owner(struct arena *a, const struct identity_subject *subject)
{
    struct digest d = digest_value(a, S("owner"), identity_tuple(a, subject));

    return str_fmt(a, "rv1%.*s", STR_ARG(digest_base32(a, &d)));
}

int identity_is_owner(struct str s)
{
    return str_starts(s, S("rv1")) && s.n == 3 + DIGEST_BASE32_CHARS;
}

struct str identity_idempotency_key(struct arena *a, const struct identity_subject *subject,
                                    int64_t turn, struct str action, const struct digest *desired)
{
    struct value *list = identity_tuple(a, subject);
    struct digest d;

    value_add(a, list, value_int(a, turn));
    value_add(a, list, value_text(a, action));
    value_add(a, list, value_text(a, digest_hex(a, desired)));
    d = digest_value(a, S("key"), list);
    return digest_base32(a, &d);
}

struct str identity_set_name(struct arena *a, struct str service, const struct digest *key)
{
    return str_fmt(a, "%.*s@%.*s", STR_ARG(service), IDENTITY_SHORT, digest_hex(a, key).p);
}

struct str identity_instance_name(struct arena *a, struct str service, const struct digest *key,
                                  int64_t ordinal)
{
    return str_fmt(a, "%.*s@%.*s.%lld", STR_ARG(service), IDENTITY_SHORT, digest_hex(a, key).p,
                   (long long)ordinal);
}
