/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/haproxy/list.h"

#include <inttypes.h>

#include "providers/haproxy/store.h"

#define LIST_BYTES_MAX (1u << 20) /* of the records of a page; the last one may pass it */

/* What a record says of itself; servers are its slots in use. */
static struct value *list_outputs(struct haproxy_call *c, const struct haproxy_record *r)
{
    struct value *v = value_map(c->arena);
    int64_t port = 0;

    if (str_eq(r->type, S("backend")))
        value_set_text(c->arena, v, S("backend"), r->id);
    if (str_eq(r->type, S("routes")) || str_eq(r->type, S("switch")))
        value_set_int(c->arena, v, S("generation"), value_get_int(r->body, S("generation"), 0));
    if (str_eq(r->type, S("address")) && !str_to_i64(r->id, &port)) {
        value_set_text(c->arena, v, S("internal_url"),
                       str_fmt(c->arena, "http://127.0.0.1:%" PRId64, port));
        value_set_int(c->arena, v, S("port"), port);
    }
    return v;
}

static struct value *list_item(struct haproxy_call *c, const struct haproxy_store *s,
                               const struct haproxy_record *r)
{
    return kit_item_value(c->arena,
                          &(struct kit_item){
                              .type = r->type,
                              .id = r->id,
                              .owner = r->owner,
                              .name = r->name,
                              .epoch = s->model.epoch,
                              .label = value_get(r->body, S("label")),
                              .observed = kit_rv(json_format(c->arena, r->body)),
                              .outputs = kit_rv(json_format(c->arena, list_outputs(c, r))),
                          });
}

int haproxy_list(struct haproxy_call *c)
{
    AUTO_STORE struct haproxy_store s = HAPROXY_STORE_NONE;
    struct str type = kit_str(c->op->type), token = S("");
    struct value *items = value_list(c->arena);
    struct err err = ERR_INIT;
    size_t n_bytes = 0;
    int64_t at = 0;
    int rc;

    c->may_write = 0; /* a glance: no lock, no proxy */
    if ((rc = haproxy_store_open(c, &s)))
        return rc;
    if (c->op->token.n && str_to_i64(kit_str(c->op->token), &at))
        return haproxy_fail(c, RV_USER, "'%.*s' is no page", STR_ARG(kit_str(c->op->token)));
    for (; at < (int64_t)s.model.records.n && value_count(items) < KIT_PAGE_MAX &&
           n_bytes < LIST_BYTES_MAX;
         at++) {
        const struct haproxy_record *r = &s.model.records.p[at];

        if (type.n && !str_eq(r->type, type))
            continue;
        value_add(c->arena, items, list_item(c, &s, r));
        n_bytes += r->text.n;
    }
    if (at < (int64_t)s.model.records.n)
        token = str_fmt(c->arena, "%" PRId64, at);
    if (arena_status(c->arena, &err))
        return haproxy_fail_err(c, &err);
    kit_answer_page(c->h, c->arena, items, token, c->ret);
    return (int)c->ret->verdict;
}
