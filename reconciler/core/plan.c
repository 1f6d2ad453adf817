/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/plan.h"

#include <stdlib.h>

#include "reconciler/core/identity.h"
#include "reconciler/core/object.h"
#include "reconciler/core/planner.h"
#include "specs/digest.h"

struct str planner_id(struct planner *p, struct str kind, struct str name)
{
    return str_fmt(p->low.a, "%.*s/%.*s", STR_ARG(kind), STR_ARG(name));
}

void planner_note(struct planner *p, struct str text)
{
    struct str *slot = vec_push(p->low.a, &p->plan->notes);

    if (slot)
        *slot = text;
}

int planner_keeps_policy(const struct planner *p)
{
    return (planner_is_asked(p) || planner_only_repairs(p)) &&
           estate_find_recorded(&p->estate, S("policy"), S("environment"));
}

/* --- what is read -------------------------------------------------------------------------------- */

void planner_add_read(struct planner *p, struct str subject, struct str path, struct digest digest)
{
    struct plan_read *read = vec_push(p->low.a, &p->plan->reads);

    if (read)
        *read = (struct plan_read){ subject, path, digest };
}

static void read_instances(struct planner *p)
{
    for (size_t i = 0; i < p->estate.n_instances; i++) {
        const struct observed_instance *o = p->estate.instances[i];
        const struct subject *x = planner_find_subject(p, o->rec.service);

        if (o->health == INSTANCE_LOST && !(x && x->m.leaves_gaps && !plan_subjects_fills(x)))
            planner_add_read(p,
                             planner_id(p, S("instance"),
                                        identity_instance_name(p->low.a, o->rec.service,
                                                               &o->rec.set_key, o->rec.ordinal)),
                             S("state"), hash_bytes(S("lost")));
    }
}

/* Of the services that change: what their builds gave. */
static void read_artifacts(struct planner *p)
{
    for (size_t i = 0; p->s->artifacts && i < p->subjects.n; i++) {
        const struct subject *x = &p->subjects.p[i];
        struct str key = x->fate == FATE_SAME || !x->want
                             ? STR_NONE
                             : value_get_text(x->m.desired, S("artifact"), STR_NONE);
        const struct digest *output = key.p ? map_find(p->s->artifacts, key) : NULL;

        if (output)
            planner_add_read(p, planner_id(p, S("artifact"), key), S("output"), *output);
    }
}

static int compare_reads(const void *a, const void *b)
{
    const struct plan_read *x = a, *y = b;
    int order = str_cmp(x->subject, y->subject);

    return order ? order : str_cmp(x->path, y->path);
}

/* Two services may be made of one artifact: it is read once. */
static void drop_doubles(struct plan *plan)
{
    size_t n = 0;

    for (size_t i = 0; i < plan->reads.n; i++)
        if (!n || compare_reads(&plan->reads.p[n - 1], &plan->reads.p[i]))
            plan->reads.p[n++] = plan->reads.p[i];
    plan->reads.n = n;
}

/* A set that is kept is read where it is to serve again; else it may go when it likes. */
static int is_read(struct planner *p, const struct rec_set *set)
{
    const struct subject *x;

    if (str_eq_c(set->state, "live"))
        return 1;
    x = str_eq_c(set->state, "previous") ? planner_find_subject(p, set->service) : NULL;
    return x && x->m.warm == set;
}

static void collect_reads(struct planner *p)
{
    const struct estate *e = &p->estate;
    struct plan *plan = p->plan;

    for (size_t i = 0; i < e->n_recorded; i++)
        planner_add_read(p, planner_id(p, e->recorded[i]->kind, e->recorded[i]->name), S("desired"),
                         e->recorded[i]->digest);
    for (size_t i = 0; i < e->n_sets; i++)
        if (is_read(p, e->sets[i]))
            planner_add_read(p, planner_id(p, S("set"), e->sets[i]->service), e->sets[i]->state,
                             e->sets[i]->set_key);
    read_instances(p);
    read_artifacts(p);
    plan_objects_add_reads(p);
    if (plan->reads.n)
        qsort(plan->reads.p, plan->reads.n, sizeof(plan->reads.p[0]), compare_reads);
    drop_doubles(plan);
}

/* --- what is recorded when it is through --------------------------------------------------------- */

void planner_add_record(struct planner *p, struct str kind, struct str name, struct str provider,
                        const struct digest *desired)
{
    struct plan_record *r = vec_push(p->low.a, &p->plan->records);

    if (r)
        *r = (struct plan_record){ kind, name, provider, *desired };
}

static int compare_records(const void *a, const void *b)
{
    const struct plan_record *x = a, *y = b;
    int order = str_cmp(x->kind, y->kind);

    return order ? order : str_cmp(x->name, y->name);
}

static void add_policy_record(struct planner *p)
{
    const struct recorded *have = estate_find_recorded(&p->estate, S("policy"), S("environment"));
    struct digest d;

    if (planner_keeps_policy(p)) {
        planner_add_record(p, have->kind, have->name, have->provider, &have->digest);
    } else if (p->s->target->policy) {
        d = digest_value(p->low.a, S("desired"), p->s->target->policy);
        planner_add_record(p, S("policy"), S("environment"), S(""), &d);
    }
}

/* Domains of the target; those that are recorded where nothing of them moves. */
static void add_other_records(struct planner *p)
{
    const struct estate *e = &p->estate;
    int is_repair = planner_only_repairs(p);

    for (size_t i = 0; !is_repair && i < e->n_wanted; i++) {
        const struct spec_resource *want = e->wanted[i];
        const struct recorded *have = estate_find_recorded(e, want->kind, want->name);
        int is_still = have && plan_routes_is_still(p, want->name);

        if (!str_eq_c(want->kind, "service") && !object_is_kind(want->kind) &&
            !plan_routes_bars_domain(p, want))
            planner_add_record(p, want->kind, want->name,
                               is_still ? have->provider : want->provider,
                               is_still ? &have->digest : &want->digest);
    }
    for (size_t i = 0; i < e->n_recorded; i++) {
        const struct recorded *r = e->recorded[i];

        if (is_repair ? str_eq_c(r->kind, "domain") || str_eq_c(r->kind, "job")
                      : plan_routes_keeps_domain(p, r))
            planner_add_record(p, r->kind, r->name, r->provider, &r->digest);
    }
}

static void collect_records(struct planner *p)
{
    add_policy_record(p);
    add_other_records(p);
    plan_objects_add_records(p);
    for (size_t i = 0; i < p->subjects.n; i++) {
        const struct subject *x = &p->subjects.p[i];

        if (x->want)
            planner_add_record(p, S("service"), x->m.service, x->m.provider, &x->want->digest);
        else if (x->is_kept && x->have)
            planner_add_record(p, S("service"), x->m.service, x->have->provider, &x->have->digest);
    }
    if (p->plan->records.n)
        qsort(p->plan->records.p, p->plan->records.n, sizeof(p->plan->records.p[0]),
              compare_records);
}

static struct digest effective_revision(struct planner *p)
{
    struct arena *a = p->low.a;
    struct value *map = value_map(a);

    for (size_t i = 0; i < p->plan->records.n; i++) {
        const struct plan_record *r = &p->plan->records.p[i];

        if (str_eq_c(r->kind, "policy"))
            continue; /* how it is approved is not what it is */
        value_set_text(a, map, planner_id(p, r->kind, r->name), digest_hex(a, &r->desired));
    }
    return digest_value(a, S("revision"), map);
}

static int compare_drivers(const void *a, const void *b)
{
    const struct snapshot_driver *x = a, *y = b;
    int order = str_cmp(x->name, y->name);

    return order ? order : str_cmp(x->version, y->version);
}

static const struct value *drivers_value(struct planner *p)
{
    struct arena *a = p->low.a;
    size_t n = p->s->n_drivers;
    struct snapshot_driver *sorted = arena_copy(a, p->s->drivers, n * sizeof(*sorted));
    struct value *list = value_list(a);

    if (n && sorted)
        qsort(sorted, n, sizeof(*sorted), compare_drivers);
    for (size_t i = 0; sorted && i < n; i++) {
        struct value *one = value_map(a);

        value_set_text(a, one, S("name"), sorted[i].name);
        value_set_text(a, one, S("version"), sorted[i].version);
        value_set_text(a, one, S("schema"), digest_hex(a, &sorted[i].schema));
        value_add(a, list, one);
    }
    return list;
}

/* --- the whole ----------------------------------------------------------------------------------- */

int plan_make(struct arena *a, const struct snapshot *s, struct plan *ret, struct err *err)
{
    struct planner p = { .low = { .a = a, .s = s, .plan = ret }, .s = s, .plan = ret };

    *ret = (struct plan){
        .env_uid = s->env.uid,
        .apply_seq = s->env.apply_seq,
        .cause = s->cause,
        .base = s->env.live_rev,
    };
    p.prunes = value_get_bool(value_get(s->target->policy, S("reconcile")), S("prune"), 1);
    if (graph_make(a, s->target, &p.graph, err) || estate_make(a, s, &p.estate, err) ||
        plan_subjects_collect(&p, err) || plan_depends_collect(&p, err) ||
        plan_routes_collect(&p, err) || plan_objects_collect(&p, err))
        return err->code;
    plan_groups_make(&p);
    plan_objects_keep_needed(&p);
    plan_lines_add(&p);
    plan_budget_judge(&p);
    plan_lower_all(&p);
    plan_limits_remark(&p);
    plan_promises_remark(&p);
    collect_records(&p);
    ret->target = effective_revision(&p);
    collect_reads(&p);
    ret->secrets = s->target->secrets;
    ret->drivers = drivers_value(&p);
    if (arena_status(a, err) || plan_index(ret))
        return arena_status(a, err) ? err_wrap(err, "plan '%.*s'", STR_ARG(s->env.name))
                                    : err_set(err, ERR_CORRUPT, "a plan's items are not in order");
    ret->id = plan_identity(a, ret);
    if (arena_status(a, err))
        return err_wrap(err, "plan '%.*s'", STR_ARG(s->env.name));
    return 0;
}

int plan_is_empty(const struct plan *p)
{
    return p->items.n == 0;
}

/* Every index of an item is that of an item or a group. */
static int is_sound(const struct plan *p, const struct plan_item *item)
{
    if (item->group < -1 || item->group >= (int)p->groups.n || item->only_after < -1 ||
        item->only_after >= (int)p->items.n)
        return 0;
    for (size_t i = 0; i < item->needs.n; i++)
        if (item->needs.p[i] >= p->items.n)
            return 0;
    return 1;
}

int plan_index(struct plan *p)
{
    for (size_t g = 0; g < p->groups.n; g++)
        p->groups.p[g].first_item = p->groups.p[g].n_items = 0;
    for (size_t i = 0; i < p->items.n; i++) {
        const struct plan_item *item = &p->items.p[i];
        struct plan_group *g;

        if (!is_sound(p, item))
            return -1;
        if (item->group < 0)
            continue;
        g = &p->groups.p[item->group];
        if (!g->n_items)
            g->first_item = i;
        if (g->first_item + g->n_items++ != i)
            return -1;
    }
    return 0;
}

enum plan_way plan_item_way(const struct plan_item *item)
{
    return item ? plan_way_from_name(value_get_text(item->desired, S("moves"), S(""))) : WAY_NONE;
}

int64_t plan_item_share(const struct plan_item *item)
{
    return item ? value_get_int(item->desired, S("share"), PLAN_SHARE_ALL) : PLAN_SHARE_ALL;
}

int plan_item_is_about(const struct plan *p, size_t item, struct str service)
{
    const struct plan_group *g = item < p->items.n && p->items.p[item].group >= 0
                                     ? &p->groups.p[p->items.p[item].group]
                                     : NULL;
    int is_about = !service.n;

    for (size_t i = 0; g && i < g->services.n; i++)
        is_about |= str_eq(g->services.p[i], service);
    return is_about;
}

int plan_item_keeps(const struct plan_item *item)
{
    return item->action == PLAN_GATE &&
           str_eq_c(value_get_text(item->gate, S("type"), S("")), "keep");
}

const struct plan_record *plan_find_record(const struct plan *p, struct str kind, struct str name)
{
    const struct plan_record key = { .kind = kind, .name = name };

    return p->records.n ? bsearch(&key, p->records.p, p->records.n, sizeof(key), compare_records)
                        : NULL;
}
