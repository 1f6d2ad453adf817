/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/world.h"

#include <stdlib.h>

#include "reconciler/engine/driver_call.h"

struct world_reader {
    struct arena *a;
    struct loop *loop;
    const struct world_ask *ask;
    const struct provider *provider;
    struct world *world;
};

/* "instance/web@..": what stands before the slash, and behind it. */
static int world_split(struct str resource, struct owned *ret)
{
    size_t slash = str_find_char(resource, '/');

    if (slash == STR_NPOS || !slash || slash + 1 == resource.n)
        return -1;
    ret->kind = str_slice(resource, 0, slash);
    ret->name = str_slice(resource, slash + 1, resource.n);
    return 0;
}

/* 0, or -1: no label of ours. */
static int world_parse(struct world_reader *r, const struct value *item, struct owned *ret)
{
    const struct value *label = value_get(item, S("label"));
    struct str installation = value_get_text(label, S("installation"), S(""));
    struct str key = value_get_text(label, S("key"), STR_NONE);

    *ret = (struct owned){
        .provider = r->provider->name,
        .id = value_get_text(item, S("id"), S("")),
        .owner = value_get_text(item, S("owner"), S("")),
        .env = value_get_text(label, S("env"), S("")),
        .env_uid = value_get_text(label, S("env_uid"), S("")),
        .revision = value_get_text(label, S("revision"), S("")),
        .commit = value_get_text(label, S("commit"), S("")),
        .incarnation = value_get_int(label, S("incarnation"), 0),
        .user = value_get_int(label, S("uid"), 0),
        .observed = value_get(item, S("observed")),
        .outputs = value_get(item, S("outputs")),
    };
    if (!installation.n || !ret->id.n || !ret->owner.n || !ret->env.n || !ret->env_uid.n ||
        ret->incarnation < 1 || (key.p && digest_from_hex(key, &ret->key)) ||
        world_split(value_get_text(label, S("resource"), S("")), ret))
        return -1;
    if (!r->world->installation.p)
        r->world->installation = installation;
    if (str_eq(installation, r->world->installation))
        return 0;
    r->world->stranger = installation;
    return -1;
}

static void world_take(struct world_reader *r, const struct value *item)
{
    struct world *w = r->world;
    int64_t epoch = value_get_int(item, S("epoch"), 0);
    struct owned one, *slot;

    if (world_parse(r, item, &one)) {
        w->n_strange++;
        return;
    }
    if (epoch > w->epoch)
        w->epoch = epoch;
    slot = vec_push(r->a, &w->things);
    if (slot)
        *slot = one;
}

/* One page; what the host gave is copied. */
static int world_page(struct world_reader *r, struct str token, struct str *ret_token,
                      struct err *err)
{
    struct rv_op op = { .size = sizeof(op), .token = kit_rv(token) };
    struct rv_result ret = { .size = sizeof(ret) };
    struct value *page = NULL;
    struct host_call host;
    int rc = 0;

    host_call_init(&host,
                   &(struct host_options){ .loop = r->loop, .timeout_ms = r->ask->timeout_ms });
    r->provider->driver->list(r->provider->self, &host.host, &op, &ret);
    if (ret.verdict != RV_DONE)
        rc = err_set(err, ERR_UNREACHABLE, "provider '%.*s' cannot be listed: %.*s",
                     STR_ARG(r->provider->name), STR_ARG(kit_str(ret.message)));
    else
        rc = json_parse(r->a, str_copy(r->a, kit_str(ret.observed)), HOST_BODY_MAX, &page, err);
    *ret_token = str_copy(r->a, kit_str(ret.token));
    host_call_fini(&host);
    for (size_t i = 0; !rc && i < value_count(value_get(page, S("items"))); i++)
        world_take(r, value_item(value_get(page, S("items")), i));
    return rc ? rc : arena_status(r->a, err);
}

static int world_list(struct world_reader *r, struct err *err)
{
    struct str token = S("");

    do
        if (world_page(r, token, &token, err))
            return err->code;
    while (token.n);
    return 0;
}

static int world_compare(const void *a, const void *b)
{
    const struct owned *x = a, *y = b;
    int order = str_cmp(x->env_uid, y->env_uid);

    if (!order)
        order = str_cmp(x->kind, y->kind);
    if (!order)
        order = str_cmp(x->name, y->name);
    if (!order)
        order = (x->incarnation < y->incarnation) - (x->incarnation > y->incarnation);
    if (!order)
        order = str_cmp(x->provider, y->provider);
    return order ? order : str_cmp(x->id, y->id);
}

static int world_list_or_skip(struct world_reader *r, struct err *err)
{
    struct world *w = r->world;

    if (r->provider->driver->list && !world_list(r, err))
        return 0;
    if (r->provider->driver->list && (!r->ask->skips || err->code != ERR_UNREACHABLE))
        return err->code;
    *err = ERR_INIT;
    w->unlisted = str_fmt(r->a, "%.*s%s%.*s", STR_ARG(w->unlisted), w->unlisted.n ? ", " : "",
                          STR_ARG(r->provider->name));
    return 0;
}

int world_read(struct arena *a, struct loop *loop, const struct registry *providers,
               const struct world_ask *ask, struct world *ret, struct err *err)
{
    struct world w = { .installation = ask->installation, .unlisted = S("") };
    struct world_reader r = { .a = a, .loop = loop, .ask = ask, .world = &w };

    for (size_t i = 0; i < providers->n; i++) {
        r.provider = &providers->list[i];
        if (world_list_or_skip(&r, err))
            return err->code;
    }
    if (w.things.n)
        qsort(w.things.p, w.things.n, sizeof(w.things.p[0]), world_compare);
    *ret = w;
    return arena_status(a, err);
}
