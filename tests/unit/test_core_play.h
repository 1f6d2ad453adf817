/*
 * test_core_play: a plan carried out with everything that can go wrong, and the laws it must keep.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Items end well or badly by chance, operations are parked and settled, newer commits and persons come
 * in between, and the player dies: then it forgets what it knew and goes on from the rows.
 */
#pragma once

#include "reconciler/core/schedule.h"
#include "tests/unit/test_core_apply.h"

struct play_odds { /* permille, at each step */
    int fail, park, die, supersede, cancel;
};

struct play {
    struct world *w;
    const struct plan *plan;
    struct schedule s;
    enum item_status *rows; /* what a new life finds: nothing is kept of what was skipped */
    enum group_state *group_rows;
    int *begun;                    /* was open at some time */
    struct world_set *live_before; /* one a group member, in order of services */
    struct play_odds odds;
    uint64_t random;
    const char *about;
    uint64_t seed;
};

static inline uint64_t play_random(struct play *p)
{
    uint64_t z = (p->random += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline int play_chance(struct play *p, int permille)
{
    return (int)(play_random(p) % 1000) < permille;
}

#define play_law(p, condition, ...)                                                                \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("%s, seed %llu: ", (p)->about, (unsigned long long)(p)->seed);             \
            print_error(__VA_ARGS__);                                                              \
            print_error("\n");                                                                     \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

static inline int play_has_way_back(const struct play *p, int group)
{
    for (size_t i = 0; i < p->plan->items.n; i++)
        if (p->plan->items.p[i].group == group && p->plan->items.p[i].lane == LANE_REVERT)
            return p->plan->groups.p[group].auto_revert || schedule_is_shared(&p->s, group);
    return 0;
}

/* --- laws ---------------------------------------------------------------------------------------- */

static inline int play_is_among(const struct value *servers, struct str name)
{
    for (size_t i = 0; i < value_count(servers); i++) {
        struct str output = value_get_text(value_item(servers, i), S("output"), S("/"));

        if (str_eq(str_slice(output, str_find_char(output, '/') + 1, output.n), name))
            return 1;
    }
    return 0;
}

/* Nothing that requests are routed to is stopped; what is recreated said so. */
static inline void play_law_not_routed(struct play *p, const struct plan_item *item)
{
    if (item->action != PLAN_DELETE || !str_eq_c(item->kind, "instance"))
        return;
    for (size_t i = 0; item->group >= 0 && i < p->plan->items.n; i++) {
        const struct plan_item *other = &p->plan->items.p[i];

        if (other->group == item->group &&
            str_eq_c(value_get_text(other->desired, S("moves"), S("")), "away"))
            return;
    }
    for (size_t i = 0; i < p->w->routes.n; i++) {
        const struct world_route *r = &p->w->routes.p[i];
        const struct world_set *set = world_find_set(p->w, r->service, &r->set),
                               *canary = world_find_set(p->w, r->canary_service, &r->canary);

        play_law(
            p,
            (!set || !play_is_among(set->servers, item->name)) &&
                (!r->canary_service.p || !canary || !play_is_among(canary->servers, item->name)),
            "%.*s is stopped and routed", STR_ARG(item->name));
    }
}

static inline void play_law_start(struct play *p, const struct schedule_move *m)
{
    const struct plan_item *item = &p->plan->items.p[m->item];

    play_law(p, p->s.items[m->item] == ITEM_NONE, "item %zu is begun twice", m->item);
    for (size_t i = 0; i < item->needs.n; i++) {
        enum item_status need = p->s.items[item->needs.p[i]];

        play_law(p, need == ITEM_DONE || need == ITEM_SKIPPED, "item %zu does not wait for %zu",
                 m->item, item->needs.p[i]);
    }
    if (item->lane == LANE_REVERT)
        play_law(p, p->s.groups[item->group] == GROUP_REVERTING, "item %zu reverts by itself",
                 m->item);
    if (item->lane == LANE_TAIL)
        play_law(p, p->s.groups[item->group] == GROUP_PROVEN, "item %zu comes before proven",
                 m->item);
    play_law_not_routed(p, item);
}

/* A newer commit takes back only what is before its switch and not in a release. */
static inline void play_law_boundary(struct play *p, const struct schedule_move *m)
{
    if (m->kind != MOVE_REVERT || m->culprit >= 0 || p->s.wish != WISH_SUPERSEDE)
        return;
    for (size_t i = 0; i < p->plan->items.n; i++) {
        const struct plan_item *item = &p->plan->items.p[i];

        if (item->group != m->group || item->lane != LANE_MAIN || p->s.items[i] == ITEM_NONE ||
            p->s.items[i] == ITEM_SKIPPED)
            continue;
        play_law(p, item->step < 6 && (item->step != 3 || p->s.items[i] == ITEM_DONE),
                 "group %d is superseded inside step %d", m->group, item->step);
    }
}

static inline void play_law_service(struct play *p, size_t group, struct str service,
                                    const struct world_set *before)
{
    struct world_set *live = world_find_live(p->w, service);
    enum group_state state = p->s.groups[group];

    if (state == GROUP_REVERTED && before->was_there)
        play_law(p,
                 live && digest_eq(&live->rec.set_key, &before->rec.set_key) &&
                     !live->rec.backend.p == !before->rec.backend.p,
                 "%.*s does not serve what it served", STR_ARG(service));
    if (state == GROUP_REVERTED && !before->was_there)
        play_law(p, !live, "%.*s serves what went back", STR_ARG(service));
    if (live && live->rec.backend.p && state != GROUP_HELD)
        play_law(p, value_count(live->servers) == (size_t)live->rec.replicas,
                 "%.*s has %zu servers", STR_ARG(service), value_count(live->servers));
    if (live && state != GROUP_HELD)
        play_law(p, world_count(p->w, service, &live->rec.set_key) == live->rec.replicas,
                 "%.*s has %d of %d instances", STR_ARG(service),
                 (int)world_count(p->w, service, &live->rec.set_key), (int)live->rec.replicas);
    for (size_t i = 0; live && i < p->w->routes.n; i++)
        play_law(p,
                 !str_eq(p->w->routes.p[i].service, service) ||
                     digest_eq(&p->w->routes.p[i].set, &live->rec.set_key),
                 "%.*s is routed to what is not live", STR_ARG(service));
}

static inline const struct plan_group *play_find_group(const struct play *p, struct str service)
{
    for (size_t g = 0; g < p->plan->groups.n; g++)
        for (size_t m = 0; m < p->plan->groups.p[g].services.n; m++)
            if (p->plan->groups.p[g].is_switching &&
                str_eq(p->plan->groups.p[g].services.p[m], service))
                return &p->plan->groups.p[g];
    return NULL;
}

static inline const struct plan_route *
play_find_route(const struct play *p, const struct plan_routes *routes, struct str key)
{
    for (size_t i = 0; i < routes->n; i++)
        if (str_eq(plan_route_key(p->w->a, &routes->p[i]), key))
            return &routes->p[i];
    return NULL;
}

/* The switch of one group gives no other any routes: they are what they were until it switches itself. Only who
 * goes away leaves its place to who is wanted there. */
static inline void play_law_own_routes(struct play *p)
{
    const struct plan_item **last = world_switches(p->w, p->plan);

    for (size_t i = 0; i < p->w->routes.n; i++) {
        const struct world_route *r = &p->w->routes.p[i];
        const struct plan_group *g = play_find_group(p, r->service), *before_g;
        const struct plan_route *before = play_find_route(p, &p->plan->routes_before, r->key),
                                *wanted = play_find_route(p, &p->plan->routes, r->key);
        enum plan_way way = g ? plan_item_way(last[g - p->plan->groups.p]) : WAY_FORWARD;

        if (way == WAY_FORWARD || !wanted || !str_eq(wanted->service, r->service))
            continue;
        before_g = before ? play_find_group(p, before->service) : NULL;
        play_law(
            p,
            before && (str_eq(before->service, r->service) ||
                       (before_g && plan_item_way(last[before_g - p->plan->groups.p]) == WAY_AWAY)),
            "%.*s is routed to %.*s, which has not switched", STR_ARG(r->key), STR_ARG(r->service));
    }
}

/* What a proven group asked to be routed is routed, whatever became of the others. */
static inline void play_law_routed(struct play *p, struct str service)
{
    const struct world_set *live = world_find_live(p->w, service);
    size_t n_wanted = 0, n_seen = 0;

    if (!live || !live->rec.backend.p)
        return; /* it has no port any more */
    for (size_t i = 0; i < p->plan->routes.n; i++)
        n_wanted += (size_t)str_eq(p->plan->routes.p[i].service, service);
    for (size_t i = 0; i < p->w->routes.n; i++)
        n_seen += (size_t)str_eq(p->w->routes.p[i].service, service);
    play_law(p, n_seen >= n_wanted, "%.*s has %zu of %zu routes", STR_ARG(service), n_seen,
             n_wanted);
}

static inline void play_law_leftovers(struct play *p)
{
    for (size_t i = 0; i < p->w->sets.n; i++) {
        const struct world_set *set = &p->w->sets.p[i];
        int is_held = 0;

        for (size_t g = 0; g < p->plan->groups.n; g++)
            for (size_t m = 0; m < p->plan->groups.p[g].services.n; m++)
                is_held |= p->s.groups[g] == GROUP_HELD &&
                           str_eq(p->plan->groups.p[g].services.p[m], set->rec.service);
        play_law(p,
                 (set->was_there && !str_eq_c(set->rec.state, "failed")) || is_held ||
                     str_eq_c(set->rec.state, "live") || str_eq_c(set->rec.state, "previous"),
                 "a set of %.*s is left %.*s", STR_ARG(set->rec.service), STR_ARG(set->rec.state));
    }
}

static inline void play_law_end(struct play *p)
{
    size_t at = 0;

    for (size_t i = 0; i < p->plan->items.n; i++)
        play_law(p, p->s.items[i] != ITEM_OPEN, "item %zu is left open", i);
    for (size_t g = 0; g < p->plan->groups.n; g++) {
        const struct plan_group *group = &p->plan->groups.p[g];
        enum group_state state = p->s.groups[g];

        play_law(p,
                 state == GROUP_PROVEN || state == GROUP_REVERTED ||
                     (state == GROUP_HELD && !group->auto_revert),
                 "group %zu ends in state %d", g, (int)state);
        for (size_t m = 0; m < group->services.n; m++)
            play_law_service(p, g, group->services.p[m], &p->live_before[at++]);
        for (size_t m = 0; group->is_switching && m < group->services.n && state == GROUP_PROVEN;
             m++)
            play_law_routed(p, group->services.p[m]);
    }
    for (size_t i = 0; i < p->w->routes.n; i++)
        play_law(p, !p->w->routes.p[i].canary_service.p, "%.*s is shared for ever",
                 STR_ARG(p->w->routes.p[i].key));
    play_law_leftovers(p);
}

/* --- a life -------------------------------------------------------------------------------------- */

static inline void play_set(struct play *p, size_t item, enum item_status status)
{
    p->s.items[item] = p->rows[item] = status;
}

static inline void play_group(struct play *p, const struct schedule_move *m)
{
    enum group_state state = m->kind == MOVE_PROVEN           ? GROUP_PROVEN
                             : m->kind == MOVE_REVERTED       ? GROUP_REVERTED
                             : play_has_way_back(p, m->group) ? GROUP_REVERTING
                                                              : GROUP_HELD;

    play_law_boundary(p, m);
    p->s.groups[m->group] = p->group_rows[m->group] = state;
}

static inline void play_cancel(struct play *p, size_t item)
{
    p->rows[item] = ITEM_FAILED; /* its outcome is `cancelled` */
    p->s.items[item] = p->plan->items.p[item].lane == LANE_TAIL ? ITEM_SKIPPED : ITEM_FAILED;
}

/* One move; 1: the rest must be asked for again. */
static inline int play_move(struct play *p, const struct schedule_move *m)
{
    switch (m->kind) {
    case MOVE_START:
        play_law_start(p, m);
        play_set(p, m->item, ITEM_OPEN);
        p->begun[m->item] = 1;
        world_claim(p->w, p->plan, &p->plan->items.p[m->item]);
        return 0;
    case MOVE_SKIP:
        p->s.items[m->item] = ITEM_SKIPPED;
        return 0;
    case MOVE_CANCEL:
        play_cancel(p, m->item);
        return 0;
    case MOVE_REVERT:
    case MOVE_PROVEN:
    case MOVE_REVERTED:
        play_group(p, m);
        return 1;
    }
    return 0;
}

static inline size_t play_walk(struct play *p)
{
    struct schedule_move moves[SCHEDULE_MOVES_MAX];
    size_t n, n_all = 0;

    while ((n = schedule_next(&p->s, moves, SCHEDULE_MOVES_MAX))) {
        for (size_t i = 0; i < n; i++) {
            n_all++;
            if (play_move(p, &moves[i]))
                break;
        }
        play_law(p, n_all < 100 * p->plan->items.n + 100, "the walk does not end");
    }
    return n_all;
}

/* An item with this status by chance, or -1. */
static inline int play_pick(struct play *p, enum item_status status)
{
    int picked = -1;
    uint64_t n = 0;

    for (size_t i = 0; i < p->plan->items.n; i++)
        if (p->s.items[i] == status && play_random(p) % ++n == 0)
            picked = (int)i;
    return picked;
}

static inline int play_may_fail(const struct plan_item *item)
{
    if (item->lane != LANE_MAIN || item->action == PLAN_DELETE || item->action == PLAN_MARK)
        return 0; /* tried for ever */
    return item->action != PLAN_GATE || item->step == 5 || item->step == 7;
}

/* Where a service that rolls is routed to there are never fewer than there were, or than are wanted. */
static inline void play_law_enough(struct play *p, const struct plan_item *item)
{
    const struct value *member = value_item(value_get(item->desired, S("members")), 0);
    struct str service = value_get_text(member, S("service"), S(""));
    const struct world_set *before = NULL;
    size_t at = 0, least = 0, n_backends = 0;

    if (item->action != PLAN_SWITCH || !value_get_bool(member, S("leaves"), 0))
        return;
    for (size_t g = 0; g < p->plan->groups.n; g++)
        for (size_t m = 0; m < p->plan->groups.p[g].services.n; m++, at++)
            if (str_eq(p->plan->groups.p[g].services.p[m], service))
                before = &p->live_before[at];
    for (size_t i = 0; i < p->plan->items.n; i++) {
        const struct plan_item *made = &p->plan->items.p[i];

        if (made->action != PLAN_CREATE || made->lane != LANE_MAIN ||
            !str_eq(made->service, service))
            continue;
        least += (size_t)str_eq_c(made->kind, "instance");
        n_backends += (size_t)str_eq_c(made->kind, "backend");
    }
    if (before && (size_t)before->rec.replicas < least)
        least = (size_t)before->rec.replicas;
    for (size_t i = 0; before && n_backends && i < p->w->routes.n; i++) {
        const struct world_set *set = world_find_set(p->w, service, &p->w->routes.p[i].set);

        play_law(p,
                 !str_eq(p->w->routes.p[i].service, service) || !set ||
                     value_count(set->servers) >= least,
                 "%.*s is served by %zu", STR_ARG(service), set ? value_count(set->servers) : 0);
    }
}

static inline void play_do(struct play *p, const struct plan_item *item)
{
    world_do(p->w, p->plan, item);
    for (size_t i = 0; str_eq_c(item->kind, "backend") && i < p->plan->items.n; i++)
        play_law_enough(p, &p->plan->items.p[i]);
    if (item->action == PLAN_SWITCH)
        play_law_own_routes(p);
}

static inline void play_end_item(struct play *p, size_t i)
{
    const struct plan_item *item = &p->plan->items.p[i];

    if (play_may_fail(item) && play_chance(p, p->odds.fail)) {
        if (object_is_kind(item->kind))
            world_half_object(p->w, item);
        else if (item->action != PLAN_SWITCH && item->action != PLAN_GATE && play_chance(p, 500))
            world_do(p->w, p->plan, item); /* it happened, and could not be seen */
        play_set(p, i, ITEM_FAILED);
    } else if (item->action != PLAN_GATE && item->action != PLAN_MARK &&
               play_chance(p, p->odds.park)) {
        play_set(p, i, ITEM_PARKED);
    } else {
        play_do(p, item);
        play_set(p, i, ITEM_DONE);
    }
}

/* A person looked: it is done, or it is to be tried again. */
static inline void play_settle(struct play *p, size_t i)
{
    const struct plan_item *item = &p->plan->items.p[i];
    int is_over = item->lane == LANE_MAIN && item->group >= 0 &&
                  p->s.groups[item->group] != GROUP_ROLLING;

    if (is_over || (play_may_fail(item) && play_chance(p, 300))) {
        play_set(p, i, ITEM_FAILED);
    } else if (play_chance(p, 500)) {
        play_set(p, i, ITEM_OPEN);
    } else {
        play_do(p, item);
        play_set(p, i, ITEM_DONE);
    }
}

static inline void play_die(struct play *p)
{
    for (size_t i = 0; i < p->plan->items.n; i++)
        p->s.items[i] = p->rows[i];
    for (size_t g = 0; g < p->plan->groups.n; g++)
        p->s.groups[g] = p->group_rows[g];
    if (schedule_main_end(&p->s) == SCHEDULE_RUNS)
        p->s.wish = WISH_NONE;
}

static inline void play_trouble(struct play *p)
{
    if (play_chance(p, p->odds.die))
        play_die(p);
    if (p->s.wish == WISH_NONE && play_chance(p, p->odds.supersede))
        p->s.wish = WISH_SUPERSEDE;
    if (play_chance(p, p->odds.cancel))
        p->s.wish = WISH_CANCEL;
}

static inline void play_begin(struct play *p)
{
    struct arena *a = p->w->a;
    size_t n_members = 0, at = 0;

    for (size_t g = 0; g < p->plan->groups.n; g++)
        n_members += p->plan->groups.p[g].services.n;
    p->rows = arena_new_n(a, enum item_status, p->plan->items.n + 1);
    p->group_rows = arena_new_n(a, enum group_state, p->plan->groups.n + 1);
    p->begun = arena_new_n(a, int, p->plan->items.n + 1);
    p->live_before = arena_new_n(a, struct world_set, n_members + 1);
    p->s = (struct schedule){ .plan = p->plan,
                              .items = arena_new_n(a, enum item_status, p->plan->items.n + 1),
                              .groups = arena_new_n(a, enum group_state, p->plan->groups.n + 1) };
    for (size_t i = 0; i < p->w->sets.n; i++)
        p->w->sets.p[i].was_there = 1;
    for (size_t g = 0; g < p->plan->groups.n; g++)
        for (size_t m = 0; m < p->plan->groups.p[g].services.n; m++, at++) {
            struct world_set *live = world_find_live(p->w, p->plan->groups.p[g].services.p[m]);

            if (live)
                p->live_before[at] = *live;
        }
    p->random = p->seed;
    p->w->apply_seq++;
}

/* Until nothing is left to do; how the main part ended. */
static inline enum schedule_end play_run(struct play *p)
{
    play_begin(p);
    for (size_t step = 0; !schedule_is_over(&p->s); step++) {
        size_t n_moves = play_walk(p);
        int open = play_pick(p, ITEM_OPEN), parked = play_pick(p, ITEM_PARKED);

        play_law(p, step < 1000 + 50 * p->plan->items.n, "the plan does not end");
        if (open >= 0)
            play_end_item(p, (size_t)open);
        else if (parked >= 0)
            play_settle(p, (size_t)parked);
        else
            play_law(p, n_moves || schedule_main_end(&p->s) != SCHEDULE_RUNS, "the walk stalls");
        if (open >= 0 && parked >= 0 && play_chance(p, 200))
            play_settle(p, (size_t)parked);
        play_trouble(p);
    }
    play_law_end(p);
    return schedule_main_end(&p->s);
}
