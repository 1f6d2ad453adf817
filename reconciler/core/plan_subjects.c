/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "reconciler/core/identity.h"
#include "reconciler/core/object.h"
#include "reconciler/core/planner.h"

static int compare_subjects(const void *a, const void *b)
{
    return str_cmp(((const struct subject *)a)->m.service, ((const struct subject *)b)->m.service);
}

struct subject *planner_find_subject(struct planner *p, struct str service)
{
    const struct subject key = { .m.service = service };

    return p->subjects.n
               ? bsearch(&key, p->subjects.p, p->subjects.n, sizeof(key), compare_subjects)
               : NULL;
}

int planner_is_asked(const struct planner *p)
{
    return p->s->cause == PLAN_CAUSE_UNDO || p->s->cause == PLAN_CAUSE_ROLLBACK;
}

int planner_only_repairs(const struct planner *p)
{
    return plan_cause_repairs(p->s->cause);
}

/* A commit that asks for another number gets all of it. */
int plan_subjects_fills(const struct subject *x)
{
    return x->fate == FATE_SCALE || (x->fate < FATE_SCALE && !x->m.leaves_gaps);
}

/* How it is met is said by the newest commit, also where nothing else of that is wanted. */
static int leaves_gaps(const struct planner *p, struct str service)
{
    const struct spec_resource *r = estate_find_wanted(&p->estate, S("service"), service);

    return r && object_mode_of_replicas(r->drift) != DRIFT_ENFORCE;
}

void plan_subjects_keep(struct subject *x)
{
    x->fate = FATE_SAME;
    x->want = NULL;
    x->is_kept = 1;
}

/* --- what happens to each ------------------------------------------------------------------------ */

/* How a set takes over from the live one. */
static enum fate judge_change(const struct member *m)
{
    struct str strategy = value_get_text(value_get(m->desired, S("rollout")), S("strategy"), S(""));

    if (str_eq_c(strategy, "recreate"))
        return FATE_RECREATE;
    return str_eq_c(strategy, "rolling") && m->runs ? FATE_ROLLING : FATE_ROLL;
}

static enum fate judge_fate(const struct planner *p, const struct subject *x)
{
    const struct member *m = &x->m;
    int is_swap = p->s->cause == PLAN_CAUSE_UNDO && m->warm;

    if (!x->want)
        return FATE_REMOVE;
    if (!m->live || !digest_eq(&m->live->set_key, &m->set_key))
        return m->live && !is_swap ? judge_change(m) : FATE_ROLL;
    if (m->live->replicas != m->replicas)
        return FATE_SCALE;
    return x->have && digest_eq(&x->have->digest, &x->want->digest) ? FATE_SAME : FATE_SETTINGS;
}

static const struct rec_set *find_state(const struct member *m, const char *state)
{
    for (size_t i = 0; i < m->n_sets; i++)
        if (str_eq_c(m->sets[i]->state, state))
            return m->sets[i];
    return NULL;
}

/* A set is warm while every instance of it has its place. */
static const struct rec_set *find_warm(const struct planner *p, const struct member *m)
{
    const struct rec_set *set = find_state(m, "previous");

    if (!set || !digest_eq(&set->set_key, &m->set_key) ||
        estate_count_instances(&p->estate, set) != set->replicas)
        return NULL;
    return set;
}

const struct scale_wish *planner_find_wish(const struct planner *p, const struct member *m)
{
    for (size_t i = 0; p->s->cause == PLAN_CAUSE_SCALE && m->live && i < p->s->n_wishes; i++) {
        const struct scale_wish *w = &p->s->wishes[i];

        if (str_eq(w->service, m->service) && digest_eq(&w->set_key, &m->live->set_key) &&
            w->from == m->live->replicas)
            return w;
    }
    return NULL;
}

/* Between two numbers: as many as there are, where that is within them. What is found to be needed is a plan's own affair. */
static int64_t wanted_replicas(const struct value *desired, const struct rec_set *live,
                               const struct scale_wish *wish)
{
    const struct value *range = value_get(desired, S("replicas"));
    int64_t min, max, n;

    if (!value_is(range, VALUE_MAP))
        return value_get_int(desired, S("replicas"), 1);
    min = value_get_int(range, S("min"), 1);
    max = value_get_int(range, S("max"), min);
    n = wish ? wish->to : live ? live->replicas : min;
    return n < min ? min : n > max ? max : n;
}

static int is_resting(const struct planner *p, const struct rec_set *set)
{
    for (size_t i = 0; set && i < p->estate.n_instances; i++) {
        const struct rec_instance *r = &p->estate.instances[i]->rec;

        if (str_eq_c(r->state, "frozen") && str_eq(r->service, set->service) &&
            digest_eq(&r->set_key, &set->set_key))
            return 1;
    }
    return 0;
}

static int makes_live(const struct planner *p, const struct member *m, const struct value *service)
{
    struct digest key;

    if (!service || !m->live)
        return 0;
    key = identity_set_key(p->low.a, service);
    return digest_eq(&key, &m->live->set_key);
}

/* What was left for a person is live, and is neither recorded nor need it be wanted still. */
static const struct value *what_runs(const struct planner *p, const struct member *m)
{
    const struct value *made_of;

    if (m->desired && m->live && digest_eq(&m->live->set_key, &m->set_key))
        return m->desired;
    if (makes_live(p, m, m->before))
        return m->before;
    made_of = p->s->made_of && m->live ? p->s->made_of[m->live - p->s->sets] : NULL;
    return makes_live(p, m, made_of) ? made_of : NULL;
}

static void add_subject(struct planner *p, const struct spec_resource *want,
                        const struct recorded *have)
{
    struct subject *x = vec_push(p->low.a, &p->subjects);
    struct member *m;

    if (!x)
        return;
    *x = (struct subject){ .want = want, .have = have, .group = -1 };
    m = &x->m;
    m->service = want ? want->name : have->name;
    m->provider = want ? want->provider : have->provider;
    m->desired = want ? want->desired : NULL;
    m->before = have ? have->desired : NULL;
    m->sets = estate_sets_of(&p->estate, m->service, &m->n_sets);
    m->live = find_state(m, "live");
    m->has_address = estate_find_recorded(&p->estate, S("address"), m->service) != NULL;
    m->is_routed = p->s->edge_provider.p && value_get(m->desired, S("port"));
    x->node = graph_find(&p->graph, planner_id(p, S("service"), m->service));
    if (want) {
        m->set_key = identity_set_key(p->low.a, m->desired);
        m->warm = find_warm(p, m);
        m->is_resting = is_resting(p, m->warm);
        m->replicas = wanted_replicas(m->desired, m->live, planner_find_wish(p, m));
    }
    m->runs = what_runs(p, m);
    m->leaves_gaps = leaves_gaps(p, m->service);
    x->fate = judge_fate(p, x);
    m->is_leaving = x->fate == FATE_ROLLING;
    if (x->fate == FATE_RECREATE || x->fate == FATE_ROLLING)
        m->warm = NULL; /* never two beside each other: what is left of it goes first */
}

static int check_replicas(const struct spec_resource *r, struct err *err)
{
    if (wanted_replicas(r->desired, NULL, NULL) > 0)
        return 0;
    return err_set(err, ERR_INVALID,
                   "%.*s:%u:%u: error: service '%.*s' has no replicas; 'enabled: false' leaves it "
                   "out [replicas]",
                   STR_ARG(value_file(r->place)), r->place.line, r->place.column, STR_ARG(r->name));
}

/* What its driver would refuse half way. */
static int check_slots(const struct planner *p, const struct subject *x, struct err *err)
{
    const struct member *m = &x->m;
    const struct value *range = value_get(m->desired, S("replicas"));
    int64_t n = value_get_int(range, S("max"), m->replicas), most = n;
    int is_range = value_is(range, VALUE_MAP); /* both sets may have come to max by then */

    if (x->fate == FATE_ROLLING)
        most = rollout_rolling_most(m->desired,
                                    is_range && n > m->live->replicas ? n : m->live->replicas, n);
    if (!p->s->edge_slots || !m->is_routed || most <= p->s->edge_slots ||
        x->fate < (is_range ? FATE_SETTINGS : FATE_SCALE))
        return 0;
    return err_set(err, ERR_INVALID,
                   "%.*s:%u:%u: error: service '%.*s' has up to %lld instances behind one backend"
                   "%s, and a backend of provider '%.*s' has %lld slots: fewer of them, or more "
                   "'pool.slots' of the provider [slots]",
                   STR_ARG(value_file(x->want->place)), x->want->place.line, x->want->place.column,
                   STR_ARG(m->service), (long long)most,
                   x->fate == FATE_ROLLING ? " while it rolls by 'max_unavailable'" : "",
                   STR_ARG(p->s->edge_provider), (long long)p->s->edge_slots);
}

static int collect_wanted(struct planner *p, struct err *err)
{
    const struct estate *e = &p->estate;

    for (size_t i = 0; i < e->n_wanted; i++) {
        const struct spec_resource *r = e->wanted[i];

        if (!str_eq_c(r->kind, "service"))
            continue;
        if (check_replicas(r, err))
            return err->code;
        add_subject(p, r, estate_find_recorded(e, r->kind, r->name));
        if (p->subjects.n && check_slots(p, &p->subjects.p[p->subjects.n - 1], err))
            return err->code;
    }
    return 0;
}

/* A live set that was never proven was left for a person: recording it would prove it. */
static void keep_unproven(struct planner *p, struct subject *x)
{
    if (planner_is_asked(p) || !x->want || !x->m.live || x->m.live->proven_seq != REC_NONE ||
        !digest_eq(&x->m.live->set_key, &x->m.set_key) || makes_live(p, &x->m, x->m.before))
        return;
    planner_note(p, str_fmt(p->low.a, "unproven: %.*s (its rollout was left for a person)",
                            STR_ARG(x->m.service)));
    plan_subjects_keep(x);
}

/* It serves, nobody wants it, and after the database was lost nobody remembers it either. */
static void collect_forgotten(struct planner *p)
{
    const struct estate *e = &p->estate;

    for (size_t i = 0; i < e->n_sets; i++) {
        struct str service = e->sets[i]->service;
        struct recorded *have;

        if (!str_eq_c(e->sets[i]->state, "live") ||
            estate_find_recorded(e, S("service"), service) ||
            estate_find_wanted(e, S("service"), service))
            continue;
        have = arena_new(p->low.a, struct recorded);
        if (!have)
            return; /* the arena remembers */
        *have = (struct recorded){ .kind = S("service"), .name = service, .provider = S("") };
        add_subject(p, NULL, have);
        if (p->subjects.n && !p->prunes)
            plan_subjects_keep(&p->subjects.p[p->subjects.n - 1]);
    }
}

/* A new set takes over from that of the old name, which goes then, whether or not others would. */
static void link_renamed(struct planner *p)
{
    for (size_t i = 0; i < p->subjects.n; i++) {
        struct subject *x = &p->subjects.p[i],
                       *y = x->want && x->want->moved_from.n
                                ? planner_find_subject(p, x->want->moved_from)
                                : NULL;

        if (!y || estate_find_renamed(&p->estate, S("service"), y->m.service) != x->want)
            continue;
        x->was = y;
        y->becomes = x;
        if (!x->m.live)
            x->m.replicas = wanted_replicas(x->m.desired, y->m.live, NULL);
        y->fate = FATE_REMOVE;
        y->is_kept = 0;
    }
}

/* As it is recorded, but for the number of instances of a live set that was made of that. */
static void collect_scaled(struct planner *p, const struct recorded *r)
{
    const struct spec_resource *same = estate_find_wanted(&p->estate, r->kind, r->name);
    size_t n = p->subjects.n;

    add_subject(p, same, r);
    if (p->subjects.n > n && p->subjects.p[n].fate != FATE_SCALE)
        plan_subjects_keep(&p->subjects.p[n]);
}

int plan_subjects_collect(struct planner *p, struct err *err)
{
    const struct estate *e = &p->estate;
    int is_repair = planner_only_repairs(p);

    if (!is_repair && collect_wanted(p, err))
        return err->code;
    for (size_t i = 0; i < e->n_recorded; i++) {
        const struct recorded *r = e->recorded[i];

        if (!str_eq_c(r->kind, "service") ||
            (!is_repair && estate_find_wanted(e, r->kind, r->name)))
            continue;
        if (p->s->cause == PLAN_CAUSE_SCALE) {
            collect_scaled(p, r);
            continue;
        }
        add_subject(p, NULL, r);
        if (p->subjects.n && (is_repair || !p->prunes))
            plan_subjects_keep(&p->subjects.p[p->subjects.n - 1]);
    }
    if (!is_repair)
        collect_forgotten(p);
    if (p->subjects.n)
        qsort(p->subjects.p, p->subjects.n, sizeof(p->subjects.p[0]), compare_subjects);
    link_renamed(p);
    for (size_t i = 0; i < p->subjects.n; i++)
        keep_unproven(p, &p->subjects.p[i]);
    return 0;
}

/* --- what stays because of others ---------------------------------------------------------------- */

void plan_subjects_needed_before(const struct subject *x, struct map *ret)
{
    plan_depends_services(x->m.before, ret);
    plan_routes_addresses(x->m.before, ret);
}

static int keep_needed_of(struct planner *p, const struct subject *x)
{
    struct map names;
    int n_kept = 0;

    map_init(&names, p->low.a);
    plan_subjects_needed_before(x, &names);
    for (size_t i = 0; i < names.n; i++) {
        struct subject *y = planner_find_subject(p, names.entries[i].key);

        if (!y || y->fate != FATE_REMOVE)
            continue;
        planner_note(p, str_fmt(p->low.a, "kept: %.*s (%.*s still needs it)", STR_ARG(y->m.service),
                                STR_ARG(x->m.service)));
        plan_subjects_keep(y);
        n_kept++;
    }
    return n_kept;
}

/* Its new name is kept out: it goes on under the old one. */
static int keep_unrenamed(struct planner *p, struct subject *y)
{
    if (y->fate != FATE_REMOVE || !y->becomes || y->becomes->have || !y->becomes->is_kept)
        return 0;
    planner_note(p, str_fmt(p->low.a, "kept: %.*s (%.*s has not taken over)", STR_ARG(y->m.service),
                            STR_ARG(y->becomes->m.service)));
    plan_subjects_keep(y);
    return 1;
}

void plan_subjects_keep_needed(struct planner *p)
{
    int n_kept;

    do {
        n_kept = 0;
        for (size_t i = 0; i < p->subjects.n; i++)
            n_kept += keep_unrenamed(p, &p->subjects.p[i]);
        for (size_t i = 0; i < p->subjects.n; i++)
            if (p->subjects.p[i].is_kept)
                n_kept += keep_needed_of(p, &p->subjects.p[i]);
    } while (n_kept);
}
