/*
 * test_core_objects: databases and the like in the world of plans. SPDX-License-Identifier: Apache-2.0
 *
 * Their provider is "stores": a database and a redis hold data, `engine` cannot be changed in place, `version`
 * interrupts. What was asked for is what shows, until a test says otherwise.
 */
#pragma once

#include "reconciler/core/object.h"
#include "tests/unit/test_core_world.h"

static inline const struct value *world_schemas(struct arena *a)
{
    return given_json(a, "{\"stores\":{\"*\":{\"stateful\":false},"
                         "\"database\":{\"stateful\":true,\"forget\":true,\"replace\":[\"engine\"],"
                         "\"downtime\":[\"version\"],\"restart\":[\"memory\"],"
                         "\"unordered\":[\"extensions\"]},\"redis\":{\"stateful\":true}}}");
}

static inline struct recorded *world_find(struct world *w, struct str kind, struct str name)
{
    for (size_t i = 0; i < w->recorded.n; i++)
        if (str_eq(w->recorded.p[i].kind, kind) && str_eq(w->recorded.p[i].name, name))
            return &w->recorded.p[i];
    return NULL;
}

/* "adopted:database/main" */
static inline struct recorded *world_find_marked(struct world *w, struct str name)
{
    struct str id = str_slice(name, str_find_char(name, ':') + 1, name.n);
    size_t slash = str_find_char(id, '/');

    return world_find(w, str_slice(id, 0, slash), str_slice(id, slash + 1, id.n));
}

static inline void world_settle_object(struct world *w, struct recorded *r,
                                       const struct plan_record *asked)
{
    const struct value *type = object_type(world_schemas(w->a), asked->provider, asked->kind);
    const struct spec_resource *of = map_find(
        &w->asked, world_asked(w, asked->kind, asked->name, &asked->desired));

    r->provider = asked->provider;
    r->digest = asked->desired;
    r->desired = map_find(&w->documents, digest_hex(w->a, &asked->desired));
    r->state = OBJECT_READY;
    r->is_lost = 0;
    r->protect = object_protection(type, r->desired);
    r->needs = of ? of->needs.p : NULL;
    r->n_needs = of ? of->needs.n : 0;
}

/* When one is begun its row is there, whatever becomes of it. */
static inline void world_claim_object(struct world *w, const struct plan_item *item)
{
    struct recorded *r;

    if (item->action != PLAN_CREATE || world_find(w, item->kind, item->name))
        return;
    r = vec_push(w->a, &w->recorded);
    *r = (struct recorded){
        .kind = item->kind, .name = item->name, .provider = item->provider, .state = OBJECT_LEFT
    };
}

/* It happened, and nobody could see that. */
static inline void world_half_object(struct world *w, const struct plan_item *item)
{
    struct recorded *r = world_find(w, item->kind, item->name);

    if (r && (item->action == PLAN_CREATE || item->action == PLAN_UPDATE))
        r->seen = item->desired;
}

static inline void world_do_object(struct world *w, const struct plan *plan,
                                   const struct plan_item *item)
{
    const struct plan_record *asked = plan_find_record(plan, item->kind, item->name);
    struct recorded *r = world_find(w, item->kind, item->name);

    if (item->action == PLAN_DELETE || item->action == PLAN_FORGET) {
        world_unrecord(w, item->kind, item->name);
        return;
    }
    assert_non_null(asked);
    if (item->action == PLAN_ADOPT && !item->from.n) { /* it is looked at next */
        assert_non_null(r);
        r->state = OBJECT_FOUND;
        return;
    }
    if (item->from.n) {
        struct recorded was = *world_find(w, item->kind, item->from);

        world_unrecord(w, item->kind, item->from);
        r = vec_push(w->a, &w->recorded);
        *r = was;
        r->name = item->name;
    }
    if (!r) {
        world_record(w, item->kind, item->name, asked->provider, &asked->desired);
        r = world_find(w, item->kind, item->name);
    }
    world_settle_object(w, r, asked);
    r->seen = item->desired;
}

/* 0: the mark is about something else. */
static inline int world_mark_object(struct world *w, const struct plan *plan, struct str word,
                                    struct str name)
{
    struct recorded *r = world_find_marked(w, name);

    if (str_eq_c(word, "adopted"))
        world_settle_object(w, r, plan_find_record(plan, r->kind, r->name));
    else if (str_eq_c(word, "kept"))
        r->state = OBJECT_KEPT;
    else if (str_eq_c(word, "forgotten"))
        world_unrecord(w, r->kind, r->name);
    else
        return 0;
    return 1;
}
