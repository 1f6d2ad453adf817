/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/haproxy/types.h"

#include <inttypes.h>

#include "base/guard.h"

const struct haproxy_type *haproxy_type_find(struct str name)
{
    static const struct haproxy_type *const types[] = { &haproxy_backend_type, &haproxy_routes_type,
                                                        &haproxy_switch_type,
                                                        &haproxy_address_type };

    for (size_t i = 0; i < N_ELEMENTS(types); i++)
        if (str_eq_c(name, types[i]->name))
            return types[i];
    return NULL;
}

int haproxy_refuse_stranger(struct haproxy_call *c, const struct haproxy_record *r)
{
    if (!r || str_eq(r->owner, kit_str(c->op->owner)))
        return 0;
    return haproxy_fail(c, RV_USER, "%.*s '%.*s' belongs to '%.*s'", STR_ARG(r->type),
                        STR_ARG(r->id), STR_ARG(r->owner));
}

int haproxy_add(struct haproxy_call *c, struct haproxy_store *s, struct str type, struct str id,
                struct haproxy_record **ret)
{
    *ret = haproxy_model_add(&s->model, type, id, str_copy(c->arena, kit_str(c->op->owner)),
                             str_copy(c->arena, kit_str(c->op->name)));
    return *ret ? 0 : haproxy_fail(c, RV_RETRY, "out of memory");
}

int haproxy_commit(struct haproxy_call *c, struct haproxy_store *s, const struct haproxy_record *r)
{
    struct str id = r->id;
    int rc = haproxy_store_save(c, s);

    if (rc)
        return rc;
    if ((rc = c->h->identified(c->h->ctx, kit_rv(id))))
        return haproxy_fail(c, (enum rv_verdict)rc, "the id '%.*s' was not noted", STR_ARG(id));
    return 0;
}

int64_t haproxy_generation_of(const struct haproxy_model *m, struct str environment)
{
    const struct haproxy_record *r = haproxy_model_find(m, S("switch"), environment);

    return r ? value_get_int(r->body, S("generation"), 0) : 0;
}

struct haproxy_record *haproxy_find_routes(const struct haproxy_model *m, struct str environment,
                                           int64_t generation)
{
    for (size_t i = 0; i < m->records.n; i++) {
        struct haproxy_record *r = &m->records.p[i];

        if (str_eq(r->type, S("routes")) &&
            value_get_int(r->body, S("generation"), 0) == generation &&
            str_eq(value_get_text(r->body, S("environment"), S("")), environment))
            return r;
    }
    return NULL;
}
