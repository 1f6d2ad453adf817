/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/registry.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "providers/api/drivers.h"
#include "specs/json_io.h"

typedef const struct rv_driver *registry_fn(void);

static registry_fn *const registry_rows[] = { haproxy_driver, null_driver, process_driver };

const struct rv_driver *registry_driver(struct str name)
{
    for (size_t i = 0; i < N_ELEMENTS(registry_rows); i++)
        if (str_eq_c(name, registry_rows[i]()->name))
            return registry_rows[i]();
    return NULL;
}

struct value *registry_drivers(struct arena *a)
{
    struct value *names = value_list(a);

    for (size_t i = 0; i < N_ELEMENTS(registry_rows); i++)
        value_add(a, names, value_text(a, str_from_c(registry_rows[i]()->name)));
    return names;
}

/* open() may allocate and nothing else: memory of the registry serves. */
static void *registry_alloc(void *ctx, size_t n)
{
    return arena_alloc(ctx, n);
}

static const struct value *registry_config(struct arena *a, const struct registry_options *o,
                                           const struct value *block)
{
    struct value *config = value_copy(a, block);

    value_set_text(a, config, S("installation"), str_copy(a, o->installation));
    value_set_text(a, config, S("state_dir"), str_copy(a, o->state_dir));
    value_set_text(a, config, S("keeper"), str_copy(a, o->keeper));
    value_set_int(a, config, S("grant"), o->grant);
    if (o->covers)
        value_set(a, config, S("covers"), value_copy(a, o->covers));
    if (o->groups)
        value_set(a, config, S("groups"), value_copy(a, o->groups));
    return config;
}

static int registry_open_one(struct registry *r, const struct registry_options *o,
                             const struct value_entry *entry, struct err *err)
{
    struct rv_host host = {
        .size = sizeof(host), .abi = RV_ABI, .ctx = &r->arena, .alloc = registry_alloc
    };
    struct rv_result ret = { .size = sizeof(ret) };
    struct str word = value_get_text(entry->value, S("driver"), S(""));
    struct provider *p = &r->list[r->n];
    struct str config;

    p->driver = registry_driver(word);
    if (!p->driver || p->driver->abi != RV_ABI)
        return err_set(err, ERR_INVALID, "provider '%.*s': there is no driver '%.*s'",
                       STR_ARG(entry->key), STR_ARG(word));
    p->name = str_copy(&r->arena, entry->key);
    p->config = registry_config(&r->arena, o, entry->value);
    config = p->config ? json_format(&r->arena, p->config) : S("");
    if (arena_status(&r->arena, err))
        return err->code;
    if (p->driver->open(&host, (struct rv_str){ config.p, config.n }, (uint32_t)o->may_write,
                        &p->self, &ret))
        return err_set(err, ret.verdict == RV_RETRY ? ERR_NOMEM : ERR_INVALID,
                       "provider '%.*s': %.*s", STR_ARG(entry->key), (int)ret.message.n,
                       ret.message.n ? ret.message.p : "");
    r->n++;
    return 0;
}

static int registry_by_name(const void *a, const void *b)
{
    const struct provider *x = a, *y = b;

    return str_cmp(x->name, y->name);
}

/* It says where others find something, as anchors do, and no driver of this program has anything to do with it. */
static int registry_is_address(const struct value *provider)
{
    struct str word = value_get_text(provider, S("driver"), S(""));

    return str_eq_c(word, "s3") && !registry_driver(word);
}

int registry_open(const struct registry_options *options, const struct value *providers,
                  struct registry **ret, struct err *err)
{
    struct registry *r = alloc_zero(sizeof(*r));
    size_t n = value_count(providers);
    int rc = 0;

    if (!r)
        return err_set(err, ERR_NOMEM, "out of memory");
    arena_init(&r->arena, 0);
    r->list = arena_new_n(&r->arena, struct provider, n + 1);
    if (arena_status(&r->arena, err))
        rc = err->code;
    for (size_t i = 0; !rc && i < n; i++)
        if (!registry_is_address(providers->u.map.entries[i].value))
            rc = registry_open_one(r, options, &providers->u.map.entries[i], err);
    if (rc) {
        registry_close(r);
        return rc;
    }
    if (r->n)
        qsort(r->list, r->n, sizeof(r->list[0]), registry_by_name);
    *ret = r;
    return 0;
}

void registry_close(struct registry *registry)
{
    if (!registry)
        return;
    for (size_t i = 0; i < registry->n; i++)
        registry->list[i].driver->close(registry->list[i].self);
    arena_fini(&registry->arena);
    alloc_free(registry);
}

const struct provider *registry_find(const struct registry *registry, struct str name)
{
    for (size_t i = 0; i < registry->n; i++)
        if (str_eq(registry->list[i].name, name))
            return &registry->list[i];
    return NULL;
}
