/* address: a port of the edge that stays for a service's life. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "providers/haproxy/types.h"

static int address_check(struct haproxy_call *c, const struct value *body)
{
    return value_is(body, VALUE_MAP) ? 0 : haproxy_fail(c, RV_USER, "the body is not a map");
}

static int address_put(struct haproxy_call *c, struct haproxy_store *s, struct haproxy_record *r,
                       struct haproxy_record **ret)
{
    struct str port;
    int rc;

    if (!r) {
        port = haproxy_model_take_port(&s->model);
        if (!port.n)
            return haproxy_fail(c, RV_USER,
                                "the internal range is used up: all %zu ports are addresses",
                                haproxy_model_count(&s->model, S("address")));
        if ((rc = haproxy_add(c, s, S("address"), port, &r)))
            return rc;
    }
    haproxy_model_set(r, c->desired);
    *ret = r;
    return haproxy_commit(c, s, r); /* the proxy listens on the whole range */
}

static int address_drop(struct haproxy_call *c, struct haproxy_store *s, struct haproxy_record *r)
{
    if (!r)
        return 0;
    for (size_t i = 0; i < s->model.records.n; i++) {
        const struct haproxy_record *routes = &s->model.records.p[i];
        const struct value *list = value_get(routes->body, S("routes"));

        for (size_t n = 0; n < value_count(list); n++)
            if (str_eq(
                    str_fmt(c->arena, "%" PRId64, value_get_int(value_item(list, n), S("port"), 0)),
                    r->id))
                return haproxy_fail(c, RV_WAIT, "routes '%.*s' lead to port %.*s",
                                    STR_ARG(routes->id), STR_ARG(r->id));
    }
    haproxy_model_remove(&s->model, r);
    return haproxy_store_save(c, s);
}

static int address_observe(struct haproxy_call *c, struct haproxy_store *s,
                           struct haproxy_record *r, struct value *observed, struct value *outputs)
{
    int64_t port = 0;

    (void)s;
    if (str_to_i64(r->id, &port))
        return haproxy_fail(c, RV_FATAL, "address '%.*s' is not a port", STR_ARG(r->id));
    value_set_int(c->arena, observed, S("port"), port);
    value_set_int(c->arena, outputs, S("port"), port);
    value_set_text(c->arena, outputs, S("internal_url"),
                   str_fmt(c->arena, "http://127.0.0.1:%" PRId64, port));
    return 0;
}

const struct haproxy_type haproxy_address_type = { "address", address_check, address_put,
                                                   address_drop, address_observe };
