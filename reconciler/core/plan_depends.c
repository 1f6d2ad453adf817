/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/identity.h"
#include "reconciler/core/planner.h"
#include "reconciler/core/rollout_items.h"

enum condition {
    CONDITION_HEALTHY, /* they switch as one */
    CONDITION_STARTED, /* its instances first, whatever becomes of them */
    CONDITION_ENDED,   /* a job, to its end */
};

static enum condition condition_of(const struct value *on)
{
    struct str word = value_get_text(on, S("condition"), S(""));

    if (str_eq_c(word, "service_started"))
        return CONDITION_STARTED;
    return str_eq_c(word, "service_completed_successfully") ? CONDITION_ENDED : CONDITION_HEALTHY;
}

void plan_depends_services(const struct value *service, struct map *ret)
{
    const struct value *depends = value_get(service, S("depends_on"));

    for (size_t i = 0; i < value_count(depends); i++)
        if (condition_of(depends->u.map.entries[i].value) != CONDITION_ENDED)
            map_put(ret, depends->u.map.entries[i].key, NULL);
}

/* --- jobs that end first ------------------------------------------------------------------------- */

static int waits_for(const struct subject *x, const struct spec_resource *job)
{
    const struct value *on = value_get(value_get(x->m.desired, S("depends_on")), job->name);

    return on && condition_of(on) == CONDITION_ENDED;
}

static int is_plain(const struct planner *p)
{
    for (size_t i = 0; i < p->subjects.n; i++) {
        const struct value *depends = value_get(p->subjects.p[i].m.desired, S("depends_on"));

        for (size_t k = 0; k < value_count(depends); k++)
            if (condition_of(depends->u.map.entries[k].value) != CONDITION_HEALTHY)
                return 0;
    }
    return 1;
}

static void collect_job(struct planner *p, const struct spec_resource *job)
{
    struct arena *a = p->low.a;
    struct value *sets = value_map(a);
    struct awaited_job *j = arena_new(a, struct awaited_job), **slot;

    if (!j)
        return; /* the arena remembers */
    for (size_t i = 0; i < p->subjects.n; i++) {
        struct subject *x = &p->subjects.p[i];

        if (!waits_for(x, job))
            continue;
        value_set_text(a, sets, x->m.service, digest_hex(a, &x->m.set_key));
        slot = vec_push(a, &x->jobs);
        if (slot)
            *slot = j;
    }
    if (!value_count(sets))
        return;
    *j = (struct awaited_job){ .job = job,
                               .key = identity_awaited_key(a, job->desired, sets),
                               .first = ROLLOUT_NO_ITEM,
                               .last = ROLLOUT_NO_ITEM };
    slot = vec_push(a, &p->jobs);
    if (slot)
        *slot = j;
}

/* Whether a need makes its two sides switch as one. */
static int joins(void *ctx, size_t from, size_t to)
{
    const struct planner *p = ctx;
    const struct spec_resource *r = &p->s->target->resources.p[from];
    struct str name = p->graph.names[to];
    size_t slash = str_find_char(name, '/');
    const struct value *on;
    struct map addresses;

    if (!str_eq_c(r->kind, "service"))
        return 1;
    if (str_starts(name, S("job/")))
        return 0;
    on = value_get(value_get(r->desired, S("depends_on")), str_slice(name, slash + 1, name.n));
    if (!on || condition_of(on) != CONDITION_STARTED || !str_starts(name, S("service/")))
        return 1;
    map_init(&addresses, p->low.a);
    plan_routes_addresses(r->desired, &addresses);
    return map_has(&addresses, str_slice(name, slash + 1, name.n));
}

int plan_depends_collect(struct planner *p, struct err *err)
{
    const struct estate *e = &p->estate;

    p->ties = p->graph;
    if (is_plain(p))
        return 0;
    for (size_t i = 0; i < e->n_wanted; i++)
        if (str_eq_c(e->wanted[i]->kind, "job"))
            collect_job(p, e->wanted[i]);
    return graph_filter(p->low.a, &p->graph, joins, p, &p->ties, err);
}

static int makes_set(const struct subject *x)
{
    return x->fate == FATE_ROLLING || x->fate == FATE_RECREATE ||
           (x->fate == FATE_ROLL && !x->m.warm);
}

int plan_depends_runs(const struct planner *p, const struct subject *x, const struct awaited_job *j)
{
    return makes_set(x) && !map_has(p->s->releases, digest_hex(p->low.a, &j->key));
}

/* --- their items --------------------------------------------------------------------------------- */

const struct value *plan_depends_desired(struct planner *p, const struct awaited_job *j)
{
    static const char *const taken[] = { "artifact", "command",   "environment",
                                         "limits",   "isolation", "timeout_ms" };
    struct arena *a = p->low.a;
    struct value *desired = value_map(a);

    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        const struct value *part = value_get(j->job->desired, str_from_c(taken[i]));

        if (part)
            value_set(a, desired, str_from_c(taken[i]), value_copy(a, part));
    }
    value_set_text(a, desired, S("context"), rollout_items_context(j->job->desired));
    value_set_text(a, desired, S("release"), digest_hex(a, &j->key));
    value_set_text(a, desired, S("on_unknown"), S("park"));
    return desired;
}

static void make_job(struct planner *p, struct awaited_job *j)
{
    struct lane l = rollout_items_lane(&p->low, LANE_MAIN, -1);
    const struct member m = { .service = j->job->name,
                              .provider = j->job->provider,
                              .desired = j->job->desired };
    struct str artifact = value_get_text(m.desired, S("artifact"), STR_NONE);
    struct str key = str_slice(digest_hex(p->low.a, &j->key), 0, IDENTITY_SHORT);

    j->first = p->plan->items.n;
    if (artifact.p && !plan_lower_is_built(p, m.provider, artifact))
        rollout_items_build(&l, &m);
    rollout_items_step(&l);
    j->last = rollout_items_add(
        &l, 3,
        (struct plan_item){
            .action = PLAN_RUN,
            .kind = S("release"),
            .name = str_fmt(p->low.a, "%.*s@%.*s", STR_ARG(m.service), STR_ARG(key)),
            .service = m.service,
            .provider = m.provider,
            .desired = plan_depends_desired(p, j),
        });
}

void plan_depends_make(struct planner *p, size_t last_address)
{
    for (size_t i = 0; i < p->subjects.n; i++) {
        const struct subject *x = &p->subjects.p[i];

        for (size_t k = 0; k < x->jobs.n; k++)
            if (x->group >= 0 && x->jobs.p[k]->last == ROLLOUT_NO_ITEM &&
                plan_depends_runs(p, x, x->jobs.p[k]))
                make_job(p, x->jobs.p[k]);
    }
    for (size_t i = 0; i < p->jobs.n; i++) {
        const struct awaited_job *j = p->jobs.p[i];

        if (j->last == ROLLOUT_NO_ITEM)
            continue;
        if (last_address != ROLLOUT_NO_ITEM)
            rollout_items_need(&p->low, j->first, last_address);
        for (size_t n = 0; n < j->job->needs.n; n++) {
            const struct planned_object *o = plan_objects_find(p, j->job->needs.p[n]);

            if (o && o->last != ROLLOUT_NO_ITEM)
                rollout_items_need(&p->low, j->first, o->last);
        }
    }
}

/* --- who waits for whom -------------------------------------------------------------------------- */

/* Which group waits for which: what would close a circle is not waited for. */
struct waits {
    struct planner *p;
    struct group_orders all;
    unsigned char *marks;
    int *stack;
};

static void note_wait(struct waits *w, int group, int on)
{
    struct group_order *o = group == on ? NULL : vec_push(w->p->low.a, &w->all);

    if (o)
        *o = (struct group_order){ group, on };
}

/* Marks the group and all that it waits for, also by others. */
static void mark_reached(struct waits *w, int from)
{
    size_t n = w->p->plan->groups.n, depth = 0;

    for (size_t i = 0; i < n; i++)
        w->marks[i] = 0;
    w->marks[from] = 1;
    w->stack[depth++] = from;
    while (depth) {
        int at = w->stack[--depth];

        for (size_t i = 0; i < w->all.n; i++)
            if (w->all.p[i].waits == at && !w->marks[w->all.p[i].on]) {
                w->marks[w->all.p[i].on] = 1;
                w->stack[depth++] = w->all.p[i].on;
            }
    }
}

/* A service that the job needs is proven first. */
static void job_waits_for(struct waits *w, const struct awaited_job *j, int on)
{
    struct planner *p = w->p;

    mark_reached(w, on);
    for (int turn = 0; turn < 2; turn++)
        for (size_t i = 0; i < p->subjects.n; i++)
            for (size_t k = 0; k < p->subjects.p[i].jobs.n; k++) {
                int group = p->subjects.p[i].jobs.p[k] == j ? p->subjects.p[i].group : -1;

                if (group >= 0 && turn)
                    note_wait(w, group, on);
                else if (group >= 0 && w->marks[group])
                    return;
            }
    rollout_items_need(&p->low, j->first, p->proven.p[on]);
}

static void order_job(struct waits *w, const struct awaited_job *j)
{
    for (size_t n = 0; n < j->job->needs.n; n++) {
        struct str need = j->job->needs.p[n];
        const struct subject *y = str_starts(need, S("service/"))
                                      ? planner_find_subject(w->p, str_slice(need, 8, need.n))
                                      : NULL;

        if (y && y->group >= 0 && (size_t)y->group < w->p->proven.n)
            job_waits_for(w, j, y->group);
    }
}

/* The instances that a group makes of a service first: all of them, or of what rolls the first of them. */
static int is_first_instance(const struct plan_item *item, const struct subject *x)
{
    return item->lane == LANE_MAIN && item->step == 4 && str_eq_c(item->kind, "instance") &&
           str_eq(item->service, x->m.service);
}

static size_t end_of_start(const struct planner *p, const struct subject *x)
{
    const struct plan_group *g = &p->plan->groups.p[x->group];
    size_t i = g->first_item;

    while (i < g->first_item + g->n_items && p->plan->items.p[i].step != 5)
        i++;
    return i;
}

static void start_after(struct planner *p, const struct subject *x, const struct subject *y)
{
    size_t first = p->plan->groups.p[x->group].first_item;

    for (size_t i = first; i < end_of_start(p, x); i++)
        for (size_t k = p->plan->groups.p[y->group].first_item; k < end_of_start(p, y); k++)
            if (is_first_instance(&p->plan->items.p[i], x) &&
                is_first_instance(&p->plan->items.p[k], y))
                rollout_items_need(&p->low, i, k);
}

static void order_started(struct waits *w, const struct subject *x)
{
    const struct value *depends = value_get(x->m.desired, S("depends_on"));

    for (size_t k = 0; makes_set(x) && k < value_count(depends); k++) {
        const struct subject *y = planner_find_subject(w->p, depends->u.map.entries[k].key);

        if (condition_of(depends->u.map.entries[k].value) != CONDITION_STARTED || !y ||
            y->group < 0 || !makes_set(y))
            continue;
        mark_reached(w, y->group);
        if (y->group != x->group && w->marks[x->group])
            continue;
        note_wait(w, x->group, y->group);
        start_after(w->p, x, y);
    }
}

void plan_depends_order(struct planner *p)
{
    struct waits w = { .p = p };

    if (is_plain(p))
        return;
    w.all = plan_groups_order(p);
    w.marks = arena_new_n(p->low.a, unsigned char, p->plan->groups.n + 1);
    w.stack = arena_new_n(p->low.a, int, p->plan->groups.n + 1);
    if (!w.marks || !w.stack)
        return; /* the arena remembers */
    for (size_t i = 0; i < p->subjects.n; i++)
        for (size_t k = 0; p->subjects.p[i].group >= 0 && k < p->subjects.p[i].jobs.n; k++)
            if (p->subjects.p[i].jobs.p[k]->last != ROLLOUT_NO_ITEM)
                plan_lower_group_waits(p, p->subjects.p[i].group, p->subjects.p[i].jobs.p[k]->last);
    for (size_t i = 0; i < p->jobs.n; i++)
        if (p->jobs.p[i]->last != ROLLOUT_NO_ITEM)
            order_job(&w, p->jobs.p[i]);
    for (size_t i = 0; i < p->subjects.n; i++)
        if (p->subjects.p[i].group >= 0)
            order_started(&w, &p->subjects.p[i]);
}
