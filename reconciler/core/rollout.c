/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/rollout.h"

#include "base/guard.h"
#include "reconciler/core/identity.h"

/* Items of one lane in the order of their steps: each new step needs every item of the step before it. */
struct lane {
    struct lowering *low;
    enum plan_lane lane;
    int group;
    int only_after;
    VEC(size_t) before, now;
};

size_t rollout_item(struct lowering *low, struct plan_item item)
{
    struct plan_item *slot = vec_push(low->a, &low->plan->items);

    if (!slot)
        return 0; /* the arena remembers; plan_make() asks it */
    *slot = item;
    return low->plan->items.n - 1;
}

void rollout_need(struct lowering *low, size_t item, size_t needs)
{
    size_t *slot;

    if (item >= low->plan->items.n)
        return;
    slot = vec_push(low->a, &low->plan->items.p[item].needs);
    if (slot)
        *slot = needs;
}

static struct lane lane_begin(struct lowering *low, enum plan_lane lane, int group)
{
    return (struct lane){ .low = low, .lane = lane, .group = group, .only_after = -1 };
}

static void lane_step(struct lane *l)
{
    if (!l->now.n)
        return;
    l->before.n = 0;
    for (size_t i = 0; i < l->now.n; i++) {
        size_t *slot = vec_push(l->low->a, &l->before);

        if (slot)
            *slot = l->now.p[i];
    }
    l->now.n = 0;
}

static size_t lane_add(struct lane *l, int step, struct plan_item item)
{
    size_t at, *slot;

    item.lane = l->lane;
    item.group = l->group;
    item.step = step;
    item.only_after = l->only_after;
    at = rollout_item(l->low, item);
    for (size_t i = 0; i < l->before.n; i++)
        rollout_need(l->low, at, l->before.p[i]);
    slot = vec_push(l->low->a, &l->now);
    if (slot)
        *slot = at;
    return at;
}

static struct str short_hex(struct arena *a, const struct digest *d)
{
    return str_slice(digest_hex(a, d), 0, IDENTITY_SHORT);
}

static void set_copy(struct lowering *low, struct value *map, struct str field,
                     const struct value *from, struct str path)
{
    const struct value *v = value_at(from, path);

    if (v)
        value_set(low->a, map, field, value_copy(low->a, v));
}

/* A build sees what its key is made of: the context alone, or with `watch` the whole tree. */
struct place {
    struct str exported, context;
};

static struct place place_of(const struct value *service)
{
    struct str context = value_get_text(value_get(service, S("build")), S("context"), S("."));

    if (value_get(value_at(service, S("build.trees")), context))
        return (struct place){ context, S(".") };
    return (struct place){ S("."), context };
}

/* --- steps 1, 3: artifact and release ------------------------------------------------------------ */

static void add_build(struct lane *l, const struct member *m)
{
    struct arena *a = l->low->a;
    struct str key = value_get_text(m->desired, S("artifact"), STR_NONE);
    struct value *desired;

    if (!key.p || map_has(l->low->s->artifacts, key))
        return;
    desired = value_map(a);
    value_set_text(a, desired, S("key"), key);
    set_copy(l->low, desired, S("argv"), m->desired, S("build.argv"));
    set_copy(l->low, desired, S("environment"), m->desired, S("build.environment"));
    value_set_text(a, desired, S("context"), place_of(m->desired).context);
    value_set_text(a, desired, S("export"), place_of(m->desired).exported);
    set_copy(l->low, desired, S("timeout_ms"), m->desired, S("build.timeout_ms"));
    (void)lane_add(l, 1,
                   (struct plan_item){
                       .action = PLAN_RUN,
                       .kind = S("artifact"),
                       .name = str_fmt(a, "%.*s@%.*s", STR_ARG(m->service),
                                       STR_ARG(str_slice(key, 0, IDENTITY_SHORT))),
                       .service = m->service,
                       .provider = m->provider,
                       .desired = desired,
                   });
}

static void add_release(struct lane *l, const struct member *m)
{
    struct arena *a = l->low->a;
    struct digest key;
    struct value *desired;

    if (!value_get(m->desired, S("release")))
        return;
    key = identity_release_key(a, m->desired);
    if (map_has(l->low->s->releases, digest_hex(a, &key)))
        return;
    desired = value_map(a);
    set_copy(l->low, desired, S("artifact"), m->desired, S("artifact"));
    set_copy(l->low, desired, S("command"), m->desired, S("release.command"));
    set_copy(l->low, desired, S("environment"), m->desired, S("release.environment"));
    value_set_text(a, desired, S("context"), place_of(m->desired).context);
    set_copy(l->low, desired, S("timeout_ms"), m->desired, S("release.timeout_ms"));
    value_set_text(a, desired, S("release"), digest_hex(a, &key));
    (void)lane_add(
        l, 3,
        (struct plan_item){
            .action = PLAN_RUN,
            .kind = S("release"),
            .name = str_fmt(a, "%.*s@%.*s", STR_ARG(m->service), STR_ARG(short_hex(a, &key))),
            .service = m->service,
            .provider = m->provider,
            .desired = desired,
        });
}

/* --- instances and backends ---------------------------------------------------------------------- */

static const struct value *instance_desired(struct lowering *low, const struct member *m,
                                            const struct value *service, const struct digest *key,
                                            int64_t ordinal)
{
    struct arena *a = low->a;
    struct value *desired = value_map(a);

    value_set_text(a, desired, S("service"), m->service);
    value_set_text(a, desired, S("set"), short_hex(a, key));
    value_set_int(a, desired, S("ordinal"), ordinal);
    set_copy(low, desired, S("artifact"), service, S("artifact"));
    value_set_text(a, desired, S("context"), place_of(service).context);
    set_copy(low, desired, S("command"), service, S("command"));
    set_copy(low, desired, S("environment"), service, S("environment"));
    set_copy(low, desired, S("port"), service, S("port"));
    set_copy(low, desired, S("termination"), service, S("termination"));
    return desired;
}

static void add_instances(struct lane *l, int step, const struct member *m,
                          const struct value *service, const struct digest *key, int64_t from,
                          int64_t to)
{
    for (int64_t i = from; i < to; i++)
        (void)lane_add(l, step,
                       (struct plan_item){
                           .action = PLAN_CREATE,
                           .kind = S("instance"),
                           .name = identity_instance_name(l->low->a, m->service, key, i),
                           .service = m->service,
                           .provider = m->provider,
                           .set_key = *key,
                           .desired = instance_desired(l->low, m, service, key, i),
                       });
}

/* The servers are the addresses of the set's instances; they are known when the operation begins. */
static size_t add_backend(struct lane *l, enum plan_action action, const struct member *m,
                          const struct digest *key, int64_t n_instances)
{
    struct arena *a = l->low->a;
    struct value *desired = value_map(a), *servers = value_list(a);

    for (int64_t i = 0; i < n_instances; i++) {
        struct value *output = value_map(a);

        value_set_text(
            a, output, S("output"),
            str_fmt(a, "instance/%.*s", STR_ARG(identity_instance_name(a, m->service, key, i))));
        value_set_text(a, output, S("key"), S("address"));
        value_add(a, servers, output);
    }
    value_set(a, desired, S("servers"), servers);
    return lane_add(l, 4,
                    (struct plan_item){
                        .action = action,
                        .kind = S("backend"),
                        .name = identity_set_name(a, m->service, key),
                        .service = m->service,
                        .provider = l->low->s->edge_provider,
                        .set_key = *key,
                        .desired = desired,
                    });
}

static void add_stop_instances(struct lane *l, const struct member *m, const struct value *service,
                               const struct digest *key, int64_t from, int64_t to)
{
    struct value *desired = value_map(l->low->a);

    set_copy(l->low, desired, S("termination"), service, S("termination"));
    for (int64_t i = from; i < to; i++)
        (void)lane_add(l, 11,
                       (struct plan_item){
                           .action = PLAN_DELETE,
                           .kind = S("instance"),
                           .name = identity_instance_name(l->low->a, m->service, key, i),
                           .service = m->service,
                           .provider = m->provider,
                           .set_key = *key,
                           .desired = desired,
                       });
}

static void add_drop_backend(struct lane *l, const struct member *m, const struct digest *key)
{
    (void)lane_add(l, 11,
                   (struct plan_item){
                       .action = PLAN_DELETE,
                       .kind = S("backend"),
                       .name = identity_set_name(l->low->a, m->service, key),
                       .service = m->service,
                       .provider = l->low->s->edge_provider,
                       .set_key = *key,
                       .desired = value_map(l->low->a),
                   });
}

/* The oldest generation that the proxy does not use; which one is known when the operation begins. */
static void add_drop_routes(struct lane *l)
{
    (void)lane_add(l, 11,
                   (struct plan_item){
                       .action = PLAN_DELETE,
                       .kind = S("routes"),
                       .name = S("oldest"),
                       .provider = l->low->s->edge_provider,
                       .desired = value_map(l->low->a),
                   });
}

static void add_stop_set(struct lane *l, const struct member *m, const struct value *service,
                         const struct rec_set *set)
{
    add_stop_instances(l, m, service, &set->set_key, 0, set->replicas);
    if (set->backend.p)
        add_drop_backend(l, m, &set->set_key);
}

/* --- gates and marks ----------------------------------------------------------------------------- */

static size_t add_gate(struct lane *l, int step, struct str type, struct str name,
                       struct str service, const struct digest *key, struct value *need)
{
    struct arena *a = l->low->a;

    value_set_text(a, need, S("type"), type);
    return lane_add(l, step,
                    (struct plan_item){
                        .action = PLAN_GATE,
                        .kind = S("gate"),
                        .name = str_fmt(a, "%.*s:%.*s", STR_ARG(type), STR_ARG(name)),
                        .service = service,
                        .set_key = key ? *key : (struct digest){ { 0 } },
                        .gate = need,
                    });
}

static size_t add_mark(struct lane *l, int step, struct str word, const struct value *desired)
{
    struct lowering *low = l->low;

    return lane_add(
        l, step,
        (struct plan_item){
            .action = PLAN_MARK,
            .kind = S("mark"),
            .name = str_fmt(low->a, "%.*s:%.*s", STR_ARG(word),
                            STR_ARG(short_hex(low->a, &low->plan->groups.p[l->group].digest))),
            .desired = desired,
        });
}

static void add_ready(struct lane *l, const struct member *m, const struct value *service,
                      const struct digest *key, int64_t replicas)
{
    struct arena *a = l->low->a;
    struct value *need = value_map(a);

    set_copy(l->low, need, S("probe"), service, S("healthcheck.readiness"));
    set_copy(l->low, need, S("min_healthy_ms"), service, S("rollout.min_healthy_time_ms"));
    set_copy(l->low, need, S("length_ms"), service, S("rollout.healthy_deadline_ms"));
    set_copy(l->low, need, S("progress_ms"), service, S("rollout.progress_deadline_ms"));
    value_set_int(a, need, S("replicas"), replicas);
    if (m->live && !digest_eq(&m->live->set_key, key))
        value_set_text(a, need, S("live"), digest_hex(a, &m->live->set_key));
    (void)add_gate(l, 5, S("ready"), identity_set_name(a, m->service, key), m->service, key, need);
}

static struct value *bake_member(struct lowering *low, const struct member *m,
                                 const struct digest *key)
{
    struct arena *a = low->a;
    struct value *one = value_map(a);

    value_set_text(a, one, S("service"), m->service);
    value_set_text(a, one, S("set"), digest_hex(a, key));
    if (m->live)
        value_set_text(a, one, S("live"), digest_hex(a, &m->live->set_key));
    set_copy(low, one, S("abort_if"), m->desired, S("rollout.abort_if"));
    set_copy(low, one, S("probe"), m->desired, S("healthcheck.readiness"));
    return one;
}

static int64_t longest(const struct member *members, size_t n, struct str path)
{
    int64_t most = 0;

    for (size_t i = 0; i < n; i++) {
        const struct value *v = value_at(members[i].desired, path);

        if (value_is(v, VALUE_INT) && v->u.number > most)
            most = v->u.number;
    }
    return most;
}

static void add_bake(struct lane *l, const struct member *members, size_t n)
{
    struct lowering *low = l->low;
    struct value *need = value_map(low->a), *list = value_list(low->a);

    for (size_t i = 0; i < n; i++)
        value_add(low->a, list, bake_member(low, &members[i], &members[i].set_key));
    value_set(low->a, need, S("members"), list);
    value_set_int(low->a, need, S("length_ms"), longest(members, n, S("rollout.bake_time_ms")));
    (void)add_gate(l, 7, S("bake"), short_hex(low->a, &low->plan->groups.p[l->group].digest), S(""),
                   NULL, need);
}

static void add_drained(struct lane *l, const struct member *m, const struct value *service,
                        const struct digest *key)
{
    struct value *need = value_map(l->low->a);

    if (!m->is_routed)
        return;
    set_copy(l->low, need, S("length_ms"), service, S("termination.drain_ms"));
    (void)add_gate(l, 10, S("drained"), identity_set_name(l->low->a, m->service, key), m->service,
                   key, need);
}

/* --- step 6 -------------------------------------------------------------------------------------- */

enum switch_way {
    WAY_FORWARD, /* members go to the wanted set */
    WAY_BACK,    /* to their live one */
    WAY_AWAY,    /* their routes are left out */
};

static const struct member *find_member(const struct member *members, size_t n, struct str service)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(members[i].service, service))
            return &members[i];
    return NULL;
}

/* Every route of the environment; a member's names its set, any other is whatever is live when it begins. */
static struct value *switch_routes(struct lowering *low, const struct member *members, size_t n,
                                   enum switch_way way, const struct value *routes)
{
    struct arena *a = low->a;
    struct value *list = value_list(a);

    for (size_t i = 0; i < value_count(routes); i++) {
        const struct value *route = value_item(routes, i);
        const struct member *m = find_member(members, n,
                                             value_get_text(route, S("service"), S("")));
        struct value *copy = value_copy(a, route);
        const struct digest *key = NULL;

        if (m && way == WAY_BACK)
            key = m->live ? &m->live->set_key : NULL;
        else if (m && way == WAY_FORWARD && m->desired)
            key = &m->set_key;
        if (m && !key)
            continue;
        if (m)
            value_set_text(a, copy, S("set"), digest_hex(a, key));
        value_add(a, list, copy);
    }
    return list;
}

static const char *const way_names[] = { "forward", "back", "away" };

/* How the rows of the members move when this is done: {moves, members: [{service, to, from}]}. */
static struct value *flip_desired(struct lowering *low, const struct member *members, size_t n,
                                  enum switch_way way)
{
    struct arena *a = low->a;
    struct value *desired = value_map(a), *list = value_list(a);

    value_set_text(a, desired, S("moves"), str_from_c(way_names[way]));
    for (size_t i = 0; i < n; i++) {
        struct value *one = value_map(a);

        value_set_text(a, one, S("service"), members[i].service);
        if (members[i].desired)
            value_set_text(a, one, S("to"), digest_hex(a, &members[i].set_key));
        if (members[i].live)
            value_set_text(a, one, S("from"), digest_hex(a, &members[i].live->set_key));
        value_add(a, list, one);
    }
    value_set(a, desired, S("members"), list);
    return desired;
}

/* routes/next, then switch; the index of the switch item comes back. */
static size_t add_switch(struct lane *l, const struct member *members, size_t n,
                         enum switch_way way, const struct value *routes)
{
    struct lowering *low = l->low;
    struct value *desired = value_map(low->a), *moves = flip_desired(low, members, n, way);
    size_t at;

    lane_step(l);
    value_set(low->a, desired, S("routes"), switch_routes(low, members, n, way, routes));
    at = lane_add(l, 6,
                  (struct plan_item){
                      .action = PLAN_CREATE,
                      .kind = S("routes"),
                      .name = S("next"),
                      .provider = low->s->edge_provider,
                      .desired = desired,
                  });
    lane_step(l);
    value_set_int(low->a, moves, S("routes_item"), (int64_t)at);
    at = lane_add(l, 6,
                  (struct plan_item){
                      .action = PLAN_SWITCH,
                      .kind = S("switch"),
                      .name = low->s->env.name,
                      .provider = low->s->edge_provider,
                      .desired = moves,
                  });
    lane_step(l);
    return at;
}

static int any_routed(const struct member *members, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (members[i].is_routed)
            return 1;
    return 0;
}

/* Forward: through the proxy where anything is routed, else rows alone. The first item comes back. */
static size_t add_flip(struct lane *l, const struct member *members, size_t n)
{
    size_t at;

    lane_step(l);
    if (any_routed(members, n))
        return add_switch(l, members, n, WAY_FORWARD, l->low->routes);
    at = add_mark(l, 6, S("flip"), flip_desired(l->low, members, n, WAY_FORWARD));
    lane_step(l);
    return at;
}

/* --- a blue-green group -------------------------------------------------------------------------- */

/* Sets that stand in the way: neither live nor wanted. */
static void add_clear(struct lane *l, const struct member *m)
{
    const struct snapshot *s = l->low->s;

    for (size_t i = 0; i < s->n_sets; i++) {
        const struct rec_set *set = &s->sets[i];

        if (str_eq(set->service, m->service) && set != m->live && set != m->warm)
            add_stop_set(l, m, m->before ? m->before : m->desired, set);
    }
}

static void lower_green(struct lane *l, const struct member *members, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!members[i].warm)
            add_build(l, &members[i]);
    lane_step(l);
    for (size_t i = 0; i < n; i++)
        add_clear(l, &members[i]);
    lane_step(l);
    for (size_t i = 0; i < n; i++)
        if (!members[i].warm)
            add_release(l, &members[i]);
    lane_step(l);
    for (size_t i = 0; i < n; i++)
        if (!members[i].warm)
            add_instances(l, 4, &members[i], members[i].desired, &members[i].set_key, 0,
                          members[i].replicas);
    lane_step(l);
    for (size_t i = 0; i < n; i++)
        if (!members[i].warm && members[i].is_routed)
            (void)add_backend(l, PLAN_CREATE, &members[i], &members[i].set_key,
                              members[i].replicas);
    lane_step(l);
}

static void lower_tail(struct lowering *low, int group, size_t proven, const struct member *m)
{
    struct lane l = lane_begin(low, LANE_TAIL, group);
    struct value *need = value_map(low->a);
    size_t keep;

    set_copy(low, need, S("length_ms"), m->desired, S("rollout.keep_previous_ms"));
    keep = add_gate(&l, 9, S("keep"), identity_set_name(low->a, m->service, &m->live->set_key),
                    m->service, &m->live->set_key, need);
    rollout_need(low, keep, proven);
    lane_step(&l);
    add_drained(&l, m, m->before, &m->live->set_key);
    lane_step(&l);
    add_stop_set(&l, m, m->before, m->live);
    if (m->is_routed)
        add_drop_routes(&l);
}

static void add_recover(struct lane *l, const struct member *members, size_t n)
{
    struct lowering *low = l->low;
    struct value *need = value_map(low->a), *list = value_list(low->a);

    for (size_t i = 0; i < n; i++)
        if (members[i].live)
            value_add(low->a, list, bake_member(low, &members[i], &members[i].live->set_key));
    if (!value_count(list))
        return;
    value_set(low->a, need, S("members"), list);
    value_set_int(low->a, need, S("length_ms"),
                  longest(members, n, S("rollout.min_healthy_time_ms")));
    (void)add_gate(l, 7, S("recover"), short_hex(low->a, &low->plan->groups.p[l->group].digest),
                   S(""), NULL, need);
    lane_step(l);
}

static void lower_revert(struct lowering *low, int group, size_t flip, const struct member *members,
                         size_t n)
{
    struct lane l = lane_begin(low, LANE_REVERT, group);
    int routed = any_routed(members, n);

    l.only_after = (int)flip;
    if (routed)
        (void)add_switch(&l, members, n, WAY_BACK, low->routes_before);
    else
        (void)add_mark(&l, 6, S("flip-back"), flip_desired(low, members, n, WAY_BACK));
    lane_step(&l);
    add_recover(&l, members, n);
    for (size_t i = 0; i < n; i++)
        if (!members[i].warm)
            add_drained(&l, &members[i], members[i].desired, &members[i].set_key);
    lane_step(&l);
    l.only_after = -1;
    for (size_t i = 0; i < n; i++) {
        if (members[i].warm)
            continue;
        add_stop_instances(&l, &members[i], members[i].desired, &members[i].set_key, 0,
                           members[i].replicas);
        if (members[i].is_routed)
            add_drop_backend(&l, &members[i], &members[i].set_key);
    }
    lane_step(&l);
    for (int i = 0; routed && i < 2; i++) { /* of the way there and of the way before it */
        add_drop_routes(&l);
        lane_step(&l);
    }
    (void)add_mark(&l, 8, S("reverted"), NULL);
}

size_t rollout_lower(struct lowering *low, int group, const struct member *members, size_t n)
{
    struct lane l = lane_begin(low, LANE_MAIN, group);
    size_t flip, proven;

    lower_green(&l, members, n);
    for (size_t i = 0; low->s->cause != PLAN_CAUSE_UNDO && i < n; i++)
        add_ready(&l, &members[i], members[i].desired, &members[i].set_key,
                  members[i].warm ? members[i].warm->replicas : members[i].replicas);
    lane_step(&l);
    flip = add_flip(&l, members, n);
    if (low->s->cause != PLAN_CAUSE_UNDO)
        add_bake(&l, members, n);
    lane_step(&l);
    proven = add_mark(&l, 8, S("proven"), NULL);
    for (size_t i = 0; i < n; i++)
        if (members[i].live)
            lower_tail(low, group, proven, &members[i]);
    if (low->plan->groups.p[group].auto_revert)
        lower_revert(low, group, flip, members, n);
    return proven;
}

/* --- the other shapes ---------------------------------------------------------------------------- */

/* Two switches leave two generations behind. */
static void lower_stale_routes(struct lowering *low, int group, size_t proven,
                               const struct member *m)
{
    struct lane l = lane_begin(low, LANE_TAIL, group);

    for (int i = 0; m->is_routed && i < 2; i++) {
        add_drop_routes(&l);
        rollout_need(low, low->plan->items.n - 1, proven);
        lane_step(&l);
    }
}

/* Downtime, and said so: the old set is stopped before the new one is made. Its revert makes it again. */
size_t rollout_lower_recreate(struct lowering *low, int group, const struct member *m)
{
    struct lane l = lane_begin(low, LANE_MAIN, group), back = lane_begin(low, LANE_REVERT, group);
    size_t stop = 0, proven;

    add_build(&l, m);
    lane_step(&l);
    add_clear(&l, m);
    lane_step(&l);
    if (m->live) {
        stop = low->plan->items.n;
        if (m->is_routed)
            (void)add_switch(&l, m, 1, WAY_AWAY, low->routes_before);
        add_drained(&l, m, m->before, &m->live->set_key);
        lane_step(&l);
        stop = low->plan->items.n;
        add_stop_set(&l, m, m->before, m->live);
        lane_step(&l);
    }
    add_release(&l, m);
    lane_step(&l);
    add_instances(&l, 4, m, m->desired, &m->set_key, 0, m->replicas);
    lane_step(&l);
    if (m->is_routed)
        (void)add_backend(&l, PLAN_CREATE, m, &m->set_key, m->replicas);
    lane_step(&l);
    add_ready(&l, m, m->desired, &m->set_key, m->replicas);
    (void)add_flip(&l, m, 1);
    add_bake(&l, m, 1);
    lane_step(&l);
    proven = add_mark(&l, 8, S("proven"), NULL);
    lower_stale_routes(low, group, proven, m);
    if (!low->plan->groups.p[group].auto_revert)
        return proven;

    add_stop_instances(&back, m, m->desired, &m->set_key, 0, m->replicas);
    lane_step(&back);
    if (m->is_routed)
        add_drop_backend(&back, m, &m->set_key);
    lane_step(&back);
    if (m->live) {
        back.only_after = (int)stop;
        add_instances(&back, 4, m, m->before, &m->live->set_key, 0, m->live->replicas);
        lane_step(&back);
        if (m->is_routed)
            (void)add_backend(&back, PLAN_CREATE, m, &m->live->set_key, m->live->replicas);
        lane_step(&back);
        add_ready(&back, m, m->before, &m->live->set_key, m->live->replicas);
        lane_step(&back);
        if (m->is_routed)
            (void)add_switch(&back, m, 1, WAY_BACK, low->routes_before);
        else
            (void)add_mark(&back, 6, S("flip-back"), flip_desired(low, m, 1, WAY_BACK));
        lane_step(&back);
        back.only_after = -1;
    }
    (void)add_mark(&back, 8, S("reverted"), NULL);
    return proven;
}

/* Replicas alone: instances of the live set are added, or drained and stopped. */
size_t rollout_lower_scale(struct lowering *low, int group, const struct member *m)
{
    struct lane l = lane_begin(low, LANE_MAIN, group);
    const struct digest *key = &m->live->set_key;
    int64_t have = m->live->replicas, want = m->replicas;
    struct value *scaled = value_map(low->a);

    if (want > have)
        add_instances(&l, 4, m, m->desired, key, have, want);
    lane_step(&l);
    if (want > have)
        add_ready(&l, m, m->desired, key, want);
    lane_step(&l);
    if (m->is_routed)
        (void)add_backend(&l, PLAN_UPDATE, m, key, want);
    lane_step(&l);
    if (want < have) {
        add_drained(&l, m, m->desired, key);
        lane_step(&l);
        add_stop_instances(&l, m, m->desired, key, want, have);
    }
    lane_step(&l);
    value_set_text(low->a, scaled, S("service"), m->service);
    value_set_text(low->a, scaled, S("set"), digest_hex(low->a, key));
    value_set_int(low->a, scaled, S("replicas"), want);
    return add_mark(&l, 8, S("scaled"), scaled);
}

static void add_drop_address(struct lane *l, const struct member *m)
{
    const struct snapshot *s = l->low->s;

    for (size_t i = 0; i < s->n_recorded; i++)
        if (str_eq_c(s->recorded[i].kind, "address") && str_eq(s->recorded[i].name, m->service))
            (void)lane_add(l, 11,
                           (struct plan_item){
                               .action = PLAN_DELETE,
                               .kind = S("address"),
                               .name = m->service,
                               .service = m->service,
                               .provider = s->edge_provider,
                               .desired = value_map(l->low->a),
                           });
}

size_t rollout_lower_remove(struct lowering *low, int group, const struct member *members, size_t n)
{
    struct lane l = lane_begin(low, LANE_MAIN, group);
    int routed = any_routed(members, n);

    if (routed)
        (void)add_switch(&l, members, n, WAY_FORWARD, low->routes);
    for (size_t i = 0; i < n; i++)
        if (members[i].live)
            add_drained(&l, &members[i], members[i].before, &members[i].live->set_key);
    lane_step(&l);
    for (size_t i = 0; i < low->s->n_sets; i++) {
        const struct rec_set *set = &low->s->sets[i];
        const struct member *m = find_member(members, n, set->service);

        if (m)
            add_stop_set(&l, m, m->before, set);
    }
    if (routed)
        add_drop_routes(&l);
    for (size_t i = 0; i < n; i++)
        add_drop_address(&l, &members[i]);
    lane_step(&l);
    return add_mark(&l, 8, S("removed"), NULL);
}

size_t rollout_lower_routes(struct lowering *low, int group)
{
    struct lane l = lane_begin(low, LANE_MAIN, group);

    (void)add_switch(&l, NULL, 0, WAY_FORWARD, low->routes);
    add_drop_routes(&l);
    lane_step(&l);
    return add_mark(&l, 8, S("routed"), NULL);
}

void rollout_lower_repair(struct lowering *low, const struct observed_instance *lost,
                          struct str provider, const struct value *desired)
{
    const struct member m = { .service = lost->rec.service, .provider = provider };

    (void)rollout_item(low, (struct plan_item){
                                .lane = LANE_MAIN,
                                .action = PLAN_UPDATE,
                                .group = -1,
                                .only_after = -1,
                                .kind = S("instance"),
                                .name = identity_instance_name(
                                    low->a, m.service, &lost->rec.set_key, lost->rec.ordinal),
                                .service = m.service,
                                .provider = provider,
                                .set_key = lost->rec.set_key,
                                .desired = instance_desired(low, &m, desired, &lost->rec.set_key,
                                                            lost->rec.ordinal),
                            });
}
