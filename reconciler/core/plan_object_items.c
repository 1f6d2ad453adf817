/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/planner.h"
#include "reconciler/core/rollout_items.h"

/* --- what runs ----------------------------------------------------------------------------------- */

static size_t add_item(struct planner *p, struct planned_object *o, enum plan_action action,
                       struct str provider, const struct value *desired)
{
    struct lane l = rollout_items_lane(&p->low, LANE_MAIN, -1);
    size_t at = rollout_items_add(&l, 0,
                                  (struct plan_item){
                                      .action = action,
                                      .kind = o->kind,
                                      .name = o->name,
                                      .provider = provider,
                                      .desired = desired ? desired : value_map(p->low.a),
                                  });

    if (o->last != ROLLOUT_NO_ITEM)
        rollout_items_need(&p->low, at, o->last);
    else
        o->first = at;
    o->last = at;
    return at;
}

/* Rows alone. */
static void add_mark(struct planner *p, struct planned_object *o, const char *word)
{
    struct lane l = rollout_items_lane(&p->low, LANE_MAIN, -1);

    o->first = o->last = rollout_items_add(
        &l, 0,
        (struct plan_item){
            .action = PLAN_MARK,
            .kind = S("mark"),
            .name = str_fmt(p->low.a, "%s:%.*s/%.*s", word, STR_ARG(o->kind), STR_ARG(o->name)),
        });
}

static void add_moved(struct planner *p, struct planned_object *o)
{
    size_t at = add_item(p, o, PLAN_ADOPT, o->have->provider, o->desired);

    if (at < p->plan->items.n)
        p->plan->items.p[at].from = o->have->name;
    if (!value_eq(o->before, o->desired))
        (void)add_item(p, o, PLAN_UPDATE, o->want->provider, o->desired);
}

static void make_one(struct planner *p, struct planned_object *o)
{
    switch (o->fate) {
    case OBJECT_RECORDED:
        add_mark(p, o, "adopted");
        break;
    case OBJECT_TAKEN:
        (void)add_item(p, o, PLAN_ADOPT, o->want->provider, o->desired);
        break;
    case OBJECT_MOVED:
        add_moved(p, o);
        break;
    case OBJECT_CREATED:
        (void)add_item(p, o, PLAN_CREATE, o->want->provider, o->desired);
        break;
    case OBJECT_UPDATED:
        (void)add_item(p, o, PLAN_UPDATE, o->want->provider, o->desired);
        break;
    case OBJECT_REPLACED:
        (void)add_item(p, o, PLAN_DELETE, o->have->provider, o->have->desired);
        (void)add_item(p, o, PLAN_CREATE, o->want->provider, o->desired);
        break;
    case OBJECT_STAYS:
    case OBJECT_HELD:
    case OBJECT_DELETED:
    case OBJECT_LET_GO:
    case OBJECT_FORGOTTEN:
    case N_OBJECT_FATES:
        break; /* nothing, or later */
    }
}

void plan_object_items_make(struct planner *p)
{
    for (size_t i = 0; i < p->objects.n; i++)
        make_one(p, &p->objects.p[i]);
    for (size_t i = 0; i < p->objects.n; i++) {
        const struct planned_object *o = &p->objects.p[i];

        for (size_t n = 0; o->want && o->first != ROLLOUT_NO_ITEM && n < o->want->needs.n; n++) {
            const struct planned_object *needed = plan_objects_find(p, o->want->needs.p[n]);

            if (needed && needed != o && needed->last != ROLLOUT_NO_ITEM)
                rollout_items_need(&p->low, o->first, needed->last);
        }
    }
}

/* --- who waits for whom -------------------------------------------------------------------------- */

static void group_waits_for(struct planner *p, const struct subject *x, unsigned char *is_awaited)
{
    for (size_t n = 0; x->want && n < x->want->needs.n; n++) {
        const struct planned_object *o = plan_objects_find(p, x->want->needs.p[n]);

        if (!o || o->last == ROLLOUT_NO_ITEM)
            continue;
        is_awaited[o - p->objects.p] = 1;
        plan_lower_group_waits(p, x->group, o->last);
    }
}

static int needs_services(const struct planned_object *o)
{
    for (size_t n = 0; o->want && n < o->want->needs.n; n++)
        if (str_starts(o->want->needs.p[n], S("service/")) ||
            str_starts(o->want->needs.p[n], S("domain/")))
            return 1;
    return 0;
}

/* A name leads somewhere when what it leads to serves. */
void plan_object_items_order(struct planner *p)
{
    unsigned char *is_awaited = arena_new_n(p->low.a, unsigned char, p->objects.n + 1);

    if (!is_awaited)
        return; /* the arena remembers */
    for (size_t i = 0; i < p->subjects.n; i++)
        if (p->subjects.p[i].group >= 0)
            group_waits_for(p, &p->subjects.p[i], is_awaited);
    for (size_t i = 0; i < p->objects.n; i++) {
        const struct planned_object *o = &p->objects.p[i];

        if (o->first == ROLLOUT_NO_ITEM || is_awaited[i] || !needs_services(o))
            continue;
        for (size_t g = 0; g < p->proven.n; g++)
            rollout_items_need(&p->low, o->first, p->proven.p[g]);
    }
}

/* --- what goes ----------------------------------------------------------------------------------- */

static int goes(const struct planned_object *o)
{
    return o->fate == OBJECT_DELETED || o->fate == OBJECT_FORGOTTEN;
}

static int used_to_need(struct planner *p, const struct recorded *have, struct str id)
{
    struct map used;

    if (!have)
        return 0;
    for (size_t i = 0; i < have->n_needs; i++)
        if (str_eq(have->needs[i], id))
            return 1;
    map_init(&used, p->low.a);
    plan_objects_used(have->desired, &used);
    return map_has(&used, id);
}

void plan_object_items_mark_users(struct planner *p)
{
    for (size_t i = 0; i < p->subjects.n; i++) {
        struct subject *x = &p->subjects.p[i];
        struct map used;

        if (x->group < 0 || !x->m.live)
            continue;
        map_init(&used, p->low.a);
        plan_objects_used(x->m.before, &used);
        for (size_t k = 0; k < used.n; k++) {
            const struct planned_object *o = plan_objects_find(p, used.entries[k].key);

            x->m.lets_go |= o && goes(o);
        }
    }
}

/* Its old set is gone, too: it still used what goes. */
static void wait_for_subject(struct planner *p, const struct planned_object *o,
                             const struct subject *x)
{
    const struct plan_group *g = &p->plan->groups.p[x->group];

    if ((size_t)x->group < p->proven.n)
        rollout_items_need(&p->low, o->first, p->proven.p[x->group]);
    for (size_t i = g->first_item; i < g->first_item + g->n_items; i++) {
        const struct plan_item *item = &p->plan->items.p[i];

        if (item->lane == LANE_TAIL && item->action == PLAN_DELETE &&
            str_eq(item->service, x->m.service) && x->m.live &&
            digest_eq(&item->set_key, &x->m.live->set_key))
            rollout_items_need(&p->low, o->first, i);
    }
}

static void wait_for_users(struct planner *p, const struct planned_object *o)
{
    struct str id = planner_id(p, o->kind, o->name);

    for (size_t i = 0; i < p->objects.n; i++) {
        const struct planned_object *user = &p->objects.p[i];

        if (user != o && user->last != ROLLOUT_NO_ITEM && used_to_need(p, user->have, id))
            rollout_items_need(&p->low, o->first, user->last);
    }
    for (size_t i = 0; i < p->subjects.n; i++)
        if (p->subjects.p[i].group >= 0 && used_to_need(p, p->subjects.p[i].have, id))
            wait_for_subject(p, o, &p->subjects.p[i]);
}

static void drop_one(struct planner *p, struct planned_object *o)
{
    if (o->fate == OBJECT_LET_GO)
        add_mark(p, o, "kept");
    else if (o->fate == OBJECT_DELETED)
        (void)add_item(p, o, PLAN_DELETE, o->have->provider, o->have->desired);
    else if (o->fate == OBJECT_FORGOTTEN && o->have->state != OBJECT_TAKING &&
             value_get_bool(o->type, S("forget"), 0))
        (void)add_item(p, o, PLAN_FORGET, o->have->provider, o->have->desired);
    else if (o->fate == OBJECT_FORGOTTEN)
        add_mark(p, o, "forgotten");
}

void plan_object_items_drop(struct planner *p)
{
    for (size_t i = 0; i < p->objects.n; i++)
        drop_one(p, &p->objects.p[i]);
    for (size_t i = 0; i < p->objects.n; i++)
        if (goes(&p->objects.p[i]))
            wait_for_users(p, &p->objects.p[i]);
}
