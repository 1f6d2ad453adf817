/* SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "base/hash.h"
#include "providers/null/null.h"

#define NULL_PORT_FIRST 10000
#define NULL_PORTS 50000

typedef void null_shape(struct arena *a, const struct null_object *o, const struct value *desired,
                        struct value *v);

static int64_t null_port(const struct null_object *o)
{
    return NULL_PORT_FIRST + o->number % NULL_PORTS;
}

static void null_instance(struct arena *a, const struct null_object *o, const struct value *desired,
                          struct value *v)
{
    value_set_int(a, v, S("pid"), o->number);
    if (!value_get(desired, S("port")))
        return;
    value_set_text(a, v, S("address"), str_fmt(a, "127.0.0.1:%lld", (long long)null_port(o)));
    value_set_int(a, v, S("port"), null_port(o));
}

static void null_instance_seen(struct arena *a, const struct null_object *o,
                               const struct value *desired, struct value *v)
{
    null_instance(a, o, desired, v);
    value_set_text(a, v, S("state"),
                   value_get_bool(desired, S("frozen"), 0) ? S("frozen") : S("running"));
    value_set_int(a, v, S("restarts"), 0);
}

static void null_artifact(struct arena *a, const struct null_object *o, const struct value *desired,
                          struct value *v)
{
    struct str key = value_get_text(desired, S("key"), o->name);
    struct digest d = hash_bytes(key);

    value_set_text(a, v, S("key"), key);
    value_set_text(a, v, S("digest"), digest_hex(a, &d));
    value_set_int(a, v, S("bytes"), 0);
}

static void null_artifact_seen(struct arena *a, const struct null_object *o,
                               const struct value *desired, struct value *v)
{
    null_artifact(a, o, desired, v);
    value_set_text(a, v, S("state"), S("built"));
}

static void null_release(struct arena *a, const struct null_object *o, const struct value *desired,
                         struct value *v)
{
    (void)o;
    (void)desired;
    value_set_int(a, v, S("exit"), 0);
}

static void null_release_seen(struct arena *a, const struct null_object *o,
                              const struct value *desired, struct value *v)
{
    if (!o->pending)
        null_release(a, o, desired, v);
    value_set_text(a, v, S("state"), o->pending ? S("running") : S("exited"));
}

static void null_backend(struct arena *a, const struct null_object *o, const struct value *desired,
                         struct value *v)
{
    (void)desired;
    value_set_text(a, v, S("backend"), str_fmt(a, "b%lld", (long long)o->number));
}

static void null_backend_seen(struct arena *a, const struct null_object *o,
                              const struct value *desired, struct value *v)
{
    const struct value *list = value_get(desired, S("servers"));
    struct value *servers = value_map(a);

    null_backend(a, o, desired, v);
    for (size_t i = 0; i < value_count(list); i++)
        if (value_is(value_item(list, i), VALUE_TEXT))
            value_set_text(a, servers, value_item(list, i)->u.text, S("UP"));
    value_set(a, v, S("servers"), servers);
}

static void null_generation(struct arena *a, const struct null_object *o,
                            const struct value *desired, struct value *v)
{
    (void)o;
    value_set_int(a, v, S("generation"), value_get_int(desired, S("generation"), 0));
}

static void null_routes_seen(struct arena *a, const struct null_object *o,
                             const struct value *desired, struct value *v)
{
    const struct value *routes = value_get(desired, S("routes"));

    null_generation(a, o, desired, v);
    if (routes)
        value_set(a, v, S("routes"), value_copy(a, routes));
}

static void null_address(struct arena *a, const struct null_object *o, const struct value *desired,
                         struct value *v)
{
    (void)desired;
    value_set_text(a, v, S("internal_url"),
                   str_fmt(a, "http://127.0.0.1:%lld", (long long)null_port(o)));
    value_set_int(a, v, S("port"), null_port(o));
}

/* --- databases and the like: what they give out, made of what they are --------------------------- */

static struct str null_password(struct arena *a, const struct null_object *o)
{
    struct digest d = hash_bytes(str_fmt(a, "null password of %.*s", STR_ARG(o->owner)));

    return str_fmt(a, "pw-%.*s", 32, digest_hex(a, &d).p);
}

static void null_credentials(struct arena *a, const struct null_object *o, struct value *v)
{
    value_set_text(a, v, S("host"), S("127.0.0.1"));
    value_set_text(a, v, S("port"), str_fmt(a, "%lld", (long long)null_port(o)));
    value_set_text(a, v, S("password"), null_password(a, o));
}

static void null_database(struct arena *a, const struct null_object *o, const struct value *desired,
                          struct value *v)
{
    struct str url = str_fmt(a, "postgresql://%.*s:%.*s@127.0.0.1:%lld/%.*s", STR_ARG(o->name),
                             STR_ARG(null_password(a, o)), (long long)null_port(o),
                             STR_ARG(o->name));

    (void)desired;
    null_credentials(a, o, v);
    value_set_text(a, v, S("user"), o->name);
    value_set_text(a, v, S("name"), o->name);
    value_set_text(a, v, S("url"), url);
    value_set_text(a, v, S("direct_url"), url);
    value_set_text(a, v, S("pooled_url"), url);
}

static void null_redis(struct arena *a, const struct null_object *o, const struct value *desired,
                       struct value *v)
{
    (void)desired;
    null_credentials(a, o, v);
    value_set_text(a, v, S("url"),
                   str_fmt(a, "redis://:%.*s@127.0.0.1:%lld", STR_ARG(null_password(a, o)),
                           (long long)null_port(o)));
}

static const struct {
    const char *type;
    null_shape *outputs, *observed; /* observed NULL: as it was asked for */
} null_shapes[] = {
    { "instance", null_instance, null_instance_seen },
    { "artifact", null_artifact, null_artifact_seen },
    { "release", null_release, null_release_seen },
    { "verify", null_release, null_release_seen },
    { "job", null_release, null_release_seen },
    { "backend", null_backend, null_backend_seen },
    { "routes", null_generation, null_routes_seen },
    { "switch", null_generation, null_generation },
    { "address", null_address, null_address },
    { "database", null_database, NULL },
    { "redis", null_redis, NULL },
};

struct value *null_outputs(struct arena *a, const struct null_object *o,
                           const struct value *desired)
{
    struct value *v = value_map(a);

    for (size_t i = 0; i < N_ELEMENTS(null_shapes); i++)
        if (str_eq_c(o->type, null_shapes[i].type))
            null_shapes[i].outputs(a, o, desired, v);
    return v;
}

/* Any other type is seen as it was asked for. */
struct value *null_observed(struct arena *a, const struct null_object *o,
                            const struct value *desired)
{
    struct value *v = NULL;

    for (size_t i = 0; !v && i < N_ELEMENTS(null_shapes); i++)
        if (null_shapes[i].observed && str_eq_c(o->type, null_shapes[i].type)) {
            v = value_map(a);
            null_shapes[i].observed(a, o, desired, v);
        }
    if (!v)
        v = value_copy(a, desired);
    value_set_text(a, v, S("key"), o->key);
    return v;
}

struct value *null_counters_of(struct arena *a, const struct null_object *o)
{
    static const struct str zeros[] = {
        S_INIT("current"),       S_INIT("queued"),         S_INIT("requests"),
        S_INIT("responses_5xx"), S_INIT("errors_connect"), S_INIT("errors_response"),
        S_INIT("retries"),       S_INIT("redispatches"),   S_INIT("aborted_client"),
        S_INIT("restarts"),
    };
    struct value *v = value_map(a);

    for (size_t i = 0; i < N_ELEMENTS(zeros); i++)
        value_set_int(a, v, zeros[i], 0);
    value_set_int(a, v, S("since"), 1);
    if (o->used_at_ms)
        value_set_int(a, v, S("cpu_us"), o->used_us);
    if (str_eq(o->type, S("backend")))
        value_set_text(a, v, S("backend"), str_fmt(a, "b%lld", (long long)o->number));
    return v;
}
