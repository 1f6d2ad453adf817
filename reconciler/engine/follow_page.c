/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/follow_page.h"

#include "specs/json_io.h"

static void set_digest(struct arena *a, struct value *map, struct str name,
                       const struct digest *digest)
{
    value_set_text(a, map, name, digest_hex(a, digest));
}

static struct value *event_value(struct arena *a, const struct event *e)
{
    struct value *v = value_map(a);

    value_set_int(a, v, S("seq"), e->seq);
    value_set_int(a, v, S("epoch"), e->epoch);
    value_set_int(a, v, S("time_ms"), e->time_ms);
    value_set_int(a, v, S("mono_ms"), e->mono_ms);
    value_set_text(a, v, S("actor"), e->actor);
    value_set_text(a, v, S("cause"), e->cause);
    value_set_text(a, v, S("kind"), e->kind);
    value_set_text(a, v, S("subject"), e->subject);
    value_set_text(a, v, S("env"), e->env);
    set_digest(a, v, S("body_hash"), &e->body_hash);
    set_digest(a, v, S("prev_hash"), &e->prev_hash);
    set_digest(a, v, S("hash"), &e->hash);
    if (e->body.p)
        value_set_text(a, v, S("body"), e->body);
    return v;
}

struct value *follow_page_value(struct arena *a, const struct replica_page *page)
{
    struct value *v = value_map(a), *events = value_list(a), *documents = value_list(a);

    value_set_text(a, v, S("installation"), page->installation);
    value_set_int(a, v, S("epoch"), page->epoch);
    value_set_int(a, v, S("after_seq"), page->after_seq);
    if (!digest_is_none(&page->after_hash))
        set_digest(a, v, S("after_hash"), &page->after_hash);
    value_set_int(a, v, S("head_seq"), page->head_seq);
    value_set_int(a, v, S("head_ms"), page->head_ms);
    for (size_t i = 0; i < page->n_events; i++)
        value_add(a, events, event_value(a, &page->events[i]));
    value_set(a, v, S("events"), events);
    for (size_t i = 0; i < page->n_documents; i++) {
        struct value *one = value_map(a);

        set_digest(a, one, S("digest"), &page->documents[i].digest);
        value_set_text(a, one, S("kind"), page->documents[i].kind);
        value_set_text(a, one, S("body"), page->documents[i].body);
        value_add(a, documents, one);
    }
    value_set(a, v, S("documents"), documents);
    return v;
}

/* --- and back ------------------------------------------------------------------------------------ */

static int get_digest(const struct value *map, struct str name, struct digest *ret)
{
    return digest_from_hex(value_get_text(map, name, S("")), ret);
}

static int parse_event(const struct value *v, struct event *ret)
{
    *ret = (struct event){
        .seq = value_get_int(v, S("seq"), 0),
        .epoch = value_get_int(v, S("epoch"), 0),
        .time_ms = value_get_int(v, S("time_ms"), 0),
        .mono_ms = value_get_int(v, S("mono_ms"), 0),
        .actor = value_get_text(v, S("actor"), S("")),
        .cause = value_get_text(v, S("cause"), S("")),
        .kind = value_get_text(v, S("kind"), S("")),
        .subject = value_get_text(v, S("subject"), S("")),
        .env = value_get_text(v, S("env"), S("")),
        .body = value_get_text(v, S("body"), STR_NONE),
    };
    return get_digest(v, S("body_hash"), &ret->body_hash) ||
           get_digest(v, S("prev_hash"), &ret->prev_hash) || get_digest(v, S("hash"), &ret->hash);
}

static int parse_events(struct arena *a, const struct value *list, struct replica_page *page)
{
    page->n_events = value_count(list);
    page->events = arena_new_n(a, struct event, page->n_events + 1);
    for (size_t i = 0; page->events && i < page->n_events; i++)
        if (parse_event(value_item(list, i), &page->events[i]))
            return -1;
    return 0;
}

static int parse_documents(struct arena *a, const struct value *list, struct replica_page *page)
{
    page->n_documents = value_count(list);
    page->documents = arena_new_n(a, struct replica_document, page->n_documents + 1);
    for (size_t i = 0; page->documents && i < page->n_documents; i++) {
        const struct value *v = value_item(list, i);

        page->documents[i].kind = value_get_text(v, S("kind"), S(""));
        page->documents[i].body = value_get_text(v, S("body"), S(""));
        if (get_digest(v, S("digest"), &page->documents[i].digest))
            return -1;
    }
    return 0;
}

int follow_page_parse(struct arena *a, struct str text, struct replica_page *ret, struct err *err)
{
    struct replica_page page = { 0 };
    struct value *v;

    if (json_parse(a, text, FOLLOW_PAGE_MAX, &v, err)) {
        if (err->code != ERR_NOMEM)
            err->code = ERR_CORRUPT;
        return err_wrap(err, "its answer");
    }
    page.installation = value_get_text(v, S("installation"), S(""));
    page.epoch = value_get_int(v, S("epoch"), 0);
    page.after_seq = value_get_int(v, S("after_seq"), -1);
    page.head_seq = value_get_int(v, S("head_seq"), -1);
    page.head_ms = value_get_int(v, S("head_ms"), 0);
    if (!page.installation.n || page.after_seq < 0 || page.head_seq < 0 ||
        (value_get(v, S("after_hash")) && get_digest(v, S("after_hash"), &page.after_hash)) ||
        parse_events(a, value_get(v, S("events")), &page) ||
        parse_documents(a, value_get(v, S("documents")), &page))
        return err_set(err, ERR_CORRUPT, "its answer is no stretch of a history");
    *ret = page;
    return arena_status(a, err);
}
