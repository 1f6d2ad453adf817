/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/rollout_items.h"

#include "reconciler/core/identity.h"
#include "reconciler/core/share.h"

#define ROLLOUT_WIDE 64 /* a step of more items ends in one that needs the others */

/* --- lanes --------------------------------------------------------------------------------------- */

void rollout_items_need(struct lowering *low, size_t item, size_t needs)
{
    size_t *slot;

    if (item >= low->plan->items.n)
        return;
    slot = vec_push(low->a, &low->plan->items.p[item].needs);
    if (slot)
        *slot = needs;
}

struct lane rollout_items_lane(struct lowering *low, enum plan_lane lane, int group)
{
    return (struct lane){ .low = low, .lane = lane, .group = group, .only_after = -1 };
}

void rollout_items_after(struct lane *l, size_t item)
{
    size_t *slot = vec_push(l->low->a, &l->before);

    if (slot)
        *slot = item;
}

void rollout_items_step(struct lane *l)
{
    size_t n = l->now.n;

    if (!n)
        return;
    l->before.n = 0;
    if (n > ROLLOUT_WIDE) { /* else needs would grow with the square of a step */
        size_t last = l->now.p[n - 1];

        for (size_t i = 0; i + 1 < n; i++)
            rollout_items_need(l->low, last, l->now.p[i]);
        rollout_items_after(l, last);
    } else {
        for (size_t i = 0; i < n; i++)
            rollout_items_after(l, l->now.p[i]);
    }
    l->now.n = 0;
}

size_t rollout_items_add(struct lane *l, int step, struct plan_item item)
{
    struct plan *plan = l->low->plan;
    struct plan_item *slot = vec_push(l->low->a, &plan->items);
    size_t at = plan->items.n - 1, *now;

    if (!slot)
        return 0; /* the arena remembers; plan_make() asks it */
    item.lane = l->lane;
    item.group = l->group;
    item.step = step;
    item.only_after = l->only_after;
    item.clears = l->clears;
    *slot = item;
    for (size_t i = 0; i < l->before.n; i++)
        rollout_items_need(l->low, at, l->before.p[i]);
    now = vec_push(l->low->a, &l->now);
    if (now)
        *now = at;
    return at;
}

static struct str short_hex(struct arena *a, const struct digest *d)
{
    return str_slice(digest_hex(a, d), 0, IDENTITY_SHORT);
}

static void set_part(struct lowering *low, struct value *map, struct str field,
                     const struct value *from, struct str path)
{
    share_part(low->a, map, field, value_at(from, path));
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

struct str rollout_items_context(const struct value *service)
{
    return place_of(service).context;
}

/* --- steps 1, 3: artifact and release ------------------------------------------------------------ */

void rollout_items_build(struct lane *l, const struct member *m)
{
    struct arena *a = l->low->a;
    struct str key = value_get_text(m->desired, S("artifact"), STR_NONE);
    struct value *desired;

    if (!key.p || map_has(l->low->s->artifacts, key))
        return;
    desired = value_map(a);
    value_set_text(a, desired, S("key"), key);
    set_part(l->low, desired, S("argv"), m->desired, S("build.argv"));
    set_part(l->low, desired, S("environment"), m->desired, S("build.environment"));
    set_part(l->low, desired, S("secrets"), m->desired, S("build.secrets"));
    value_set_text(a, desired, S("context"), place_of(m->desired).context);
    value_set_text(a, desired, S("export"), place_of(m->desired).exported);
    set_part(l->low, desired, S("network"), m->desired, S("build.network"));
    set_part(l->low, desired, S("timeout_ms"), m->desired, S("build.timeout_ms"));
    set_part(l->low, desired, S("isolation"), m->desired, S("isolation"));
    (void)rollout_items_add(l, 1,
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

int rollout_items_runs_release(const struct lowering *low, const struct member *m)
{
    struct digest key;

    if (!value_get(m->desired, S("release")))
        return 0;
    key = identity_release_key(low->a, m->desired);
    return !map_has(low->s->releases, digest_hex(low->a, &key));
}

int rollout_items_is_one_way(const struct lowering *low, const struct member *m)
{
    const struct value *release = value_get(m->desired, S("release"));
    int says = spec_schema_change(value_get_text(release, S("schema_change"), S("none")));
    int raised = spec_schema_change(low->s->target->schema_change);

    return release && (says > raised ? says : raised) >= spec_schema_change(S("contract"));
}

void rollout_items_release(struct lane *l, const struct member *m)
{
    struct arena *a = l->low->a;
    struct digest key;
    struct value *desired;

    if (!rollout_items_runs_release(l->low, m))
        return;
    key = identity_release_key(a, m->desired);
    desired = value_map(a);
    set_part(l->low, desired, S("artifact"), m->desired, S("artifact"));
    set_part(l->low, desired, S("command"), m->desired, S("release.command"));
    set_part(l->low, desired, S("environment"), m->desired, S("release.environment"));
    value_set_text(a, desired, S("context"), place_of(m->desired).context);
    set_part(l->low, desired, S("timeout_ms"), m->desired, S("release.timeout_ms"));
    set_part(l->low, desired, S("isolation"), m->desired, S("isolation"));
    value_set_text(a, desired, S("release"), digest_hex(a, &key));
    if (rollout_items_is_one_way(l->low, m))
        value_set_text(a, desired, S("on_unknown"), S("park"));
    (void)rollout_items_add(
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
    set_part(low, desired, S("artifact"), service, S("artifact"));
    value_set_text(a, desired, S("context"), place_of(service).context);
    set_part(low, desired, S("command"), service, S("command"));
    set_part(low, desired, S("static"), service, S("static"));
    set_part(low, desired, S("assets"), service, S("assets"));
    set_part(low, desired, S("environment"), service, S("environment"));
    set_part(low, desired, S("port"), service, S("port"));
    set_part(low, desired, S("termination"), service, S("termination"));
    set_part(low, desired, S("isolation"), service, S("isolation"));
    set_part(low, desired, S("limits"), service, S("limits"));
    set_part(low, desired, S("logs"), service, S("logs"));
    return desired;
}

size_t rollout_items_act(struct lane *l, int step, enum plan_action action, const struct member *m,
                         const struct digest *key, int64_t ordinal, const struct value *desired)
{
    return rollout_items_add(
        l, step,
        (struct plan_item){
            .action = action,
            .kind = S("instance"),
            .name = identity_instance_name(l->low->a, m->service, key, ordinal),
            .service = m->service,
            .provider = m->provider,
            .set_key = *key,
            .desired = desired,
        });
}

size_t rollout_items_instance(struct lane *l, enum plan_action action, const struct member *m,
                              const struct value *service, const struct digest *key,
                              int64_t ordinal)
{
    return rollout_items_act(l, action == PLAN_CREATE ? 4 : 0, action, m, key, ordinal,
                             instance_desired(l->low, m, service, key, ordinal));
}

size_t rollout_items_instances(struct lane *l, const struct member *m, const struct value *service,
                               const struct digest *key, struct span span)
{
    size_t first = l->low->plan->items.n;

    for (int64_t i = span.from; i < span.to; i++)
        (void)rollout_items_instance(l, PLAN_CREATE, m, service, key, i);
    return first;
}

/* The servers are the addresses of instances; they are known when the operation begins. */
size_t rollout_items_servers(struct lane *l, int step, enum plan_action action,
                             const struct member *m, const struct digest *key,
                             const struct set_part *parts, size_t n)
{
    struct arena *a = l->low->a;
    struct value *desired = value_map(a), *servers = value_list(a);

    for (size_t p = 0; p < n; p++)
        for (int64_t i = 0; i < parts[p].n; i++) {
            struct str name = identity_instance_name(a, m->service, parts[p].key, i);
            struct value *output = value_map(a);

            value_set_text(a, output, S("output"), str_fmt(a, "instance/%.*s", STR_ARG(name)));
            value_set_text(a, output, S("key"), S("address"));
            value_add(a, servers, output);
        }
    value_set(a, desired, S("servers"), servers);
    return rollout_items_add(l, step,
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

size_t rollout_items_backend(struct lane *l, int step, enum plan_action action,
                             const struct member *m, const struct digest *key, int64_t n_instances)
{
    const struct set_part own = { key, n_instances };

    return rollout_items_servers(l, step, action, m, key, &own, 1);
}

/* --- what goes ----------------------------------------------------------------------------------- */

void rollout_items_stop(struct lane *l, int step, const struct member *m,
                        const struct value *service, const struct digest *key, struct span span,
                        size_t made)
{
    struct value *desired = value_map(l->low->a);
    int only_after = l->only_after;

    set_part(l->low, desired, S("termination"), service, S("termination"));
    for (int64_t i = span.from; i < span.to; i++) {
        if (made != ROLLOUT_NO_ITEM)
            l->only_after = (int)(made + (size_t)(i - span.from));
        (void)rollout_items_act(l, step, PLAN_DELETE, m, key, i, desired);
    }
    l->only_after = only_after;
}

size_t rollout_items_drop_backend(struct lane *l, int step, const struct member *m,
                                  const struct digest *key)
{
    return rollout_items_add(l, step,
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

void rollout_items_stop_set(struct lane *l, int step, const struct member *m,
                            const struct value *service, const struct rec_set *set)
{
    rollout_items_stop(l, step, m, service, &set->set_key, (struct span){ 0, set->replicas },
                       ROLLOUT_NO_ITEM);
    if (set->backend.p)
        (void)rollout_items_drop_backend(l, step, m, &set->set_key);
}

void rollout_items_drop_address(struct lane *l, const struct member *m)
{
    if (m->has_address)
        (void)rollout_items_add(l, 11,
                                (struct plan_item){
                                    .action = PLAN_DELETE,
                                    .kind = S("address"),
                                    .name = m->service,
                                    .service = m->service,
                                    .provider = l->low->s->edge_provider,
                                    .desired = value_map(l->low->a),
                                });
    rollout_items_step(l);
}

/* Which one is known when the operation begins; without one it is done at once. */
void rollout_items_drop_routes(struct lane *l, int times)
{
    for (int i = 0; i < times; i++) {
        rollout_items_step(l);
        (void)rollout_items_add(l, 11,
                                (struct plan_item){
                                    .action = PLAN_DELETE,
                                    .kind = S("routes"),
                                    .name = S("oldest"),
                                    .provider = l->low->s->edge_provider,
                                    .desired = value_map(l->low->a),
                                });
    }
    rollout_items_step(l);
}
