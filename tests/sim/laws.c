/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/laws.h"

#include "base/guard.h"
#include "reconciler/core/identity.h"
#include "specs/json_io.h"
#include "state/events_chain.h"
#include "state/replay.h"
#include "state/revisions.h"

#define LAWS_BODY_MAX (1 << 20)

#define BROKEN(...) (str_fmt(&w->arena, __VA_ARGS__).p)

static const struct value *desired_of(struct arena *a, const struct null_object *o)
{
    struct value *v;

    MUST(json_parse(a, o->desired, LAWS_BODY_MAX, &v, err));
    return v;
}

static const struct null_object *find_object(struct world *w, const char *type, int64_t number)
{
    struct world_walk walk = { 0 };
    struct null_object *o;

    while ((o = world_next(w, &walk)))
        if (str_eq_c(o->type, type) && o->number == number)
            return o;
    return NULL;
}

/* --- what is routed to --------------------------------------------------------------------------- */

static const char *check_server(struct world *w, struct str address, struct str backend)
{
    int64_t port = 0;

    (void)str_to_i64(str_slice(address, str_find_char(address, ':') + 1, address.n), &port);
    if (find_object(w, "instance", port - 10000) || find_object(w, "lost", port - 10000))
        return NULL;
    return BROKEN("traffic goes to %.*s, where nobody is (backend %.*s)", STR_ARG(address),
                  STR_ARG(backend));
}

static const char *check_backend(struct world *w, struct arena *a, struct str name)
{
    const struct null_object *o;
    const struct value *servers;
    int64_t number = -1;

    (void)str_to_i64(str_slice(name, 1, name.n), &number);
    o = find_object(w, "backend", number);
    if (!o)
        return BROKEN("traffic goes to backend %.*s, which is not there", STR_ARG(name));
    servers = value_get(desired_of(a, o), S("servers"));
    if (!value_count(servers))
        return BROKEN("traffic goes to backend %.*s, which has no server", STR_ARG(name));
    for (size_t i = 0; i < value_count(servers); i++) {
        const char *broken = check_server(w, value_item(servers, i)->u.text, name);

        if (broken)
            return broken;
    }
    return NULL;
}

static const struct value *find_routes(struct world *w, struct arena *a, const struct value *sw)
{
    struct str name = str_fmt(a, "G%lld", (long long)value_get_int(sw, S("generation"), -1));
    struct world_walk walk = { 0 };
    struct null_object *o;

    while ((o = world_next(w, &walk))) {
        const struct value *v;

        if (!str_eq_c(o->type, "routes") || !str_eq(o->name, name))
            continue;
        v = desired_of(a, o);
        if (str_eq(value_get_text(v, S("environment"), S("")),
                   value_get_text(sw, S("environment"), S(" "))))
            return value_get(v, S("routes"));
    }
    return NULL;
}

static int env_index(struct str name)
{
    for (int i = 0; i < SHOP_ENVS; i++)
        if (str_eq_c(name, shop_envs[i]))
            return i;
    UNREACHABLE();
}

static const char *check_switch(struct world *w, struct laws *l, const struct null_object *o)
{
    AUTO_ARENA struct arena a;
    const struct value *sw, *routes;
    int env = env_index(o->name), serves = 0;

    arena_init(&a, 0);
    sw = desired_of(&a, o);
    routes = find_routes(w, &a, sw);
    if (!routes)
        return BROKEN("%.*s uses generation %lld, which is not there", STR_ARG(o->name),
                      (long long)value_get_int(sw, S("generation"), -1));
    for (size_t i = 0; i < value_count(routes); i++) {
        const struct value *r = value_item(routes, i), *canary = value_get(r, S("canary"));
        const char *broken = check_backend(w, &a, value_get_text(r, S("backend"), S("")));

        if (!broken && canary)
            broken = check_backend(w, &a, value_get_text(canary, S("backend"), S("")));
        if (broken)
            return broken;
        serves |= value_get_text(r, S("host"), S("")).n &&
                  str_eq_c(value_get_text(r, S("path"), S("")), "/");
    }
    if (l->must_serve[env] && !serves)
        return BROKEN("%.*s serves / no more", STR_ARG(o->name));
    return NULL;
}

/* When a person last went back to a revision without web: what had failed alone was left out of it. */
static int64_t find_farewell(struct world *w, struct arena *a, struct str env)
{
    struct db *db = world_reader(w);
    struct rec_revision revision;
    struct rec_plan *plans;
    struct str doc;
    size_t n;

    MUST(DB_SELECT(db, a, plan,
                   "WHERE env = $1 AND cause = 'rollback' AND started_seq IS NOT NULL "
                   "ORDER BY started_seq DESC",
                   &plans, &n, err, DB_T(env)));
    for (size_t i = 0; i < n; i++) {
        MUST(revisions_by_digest(db, a, env, &plans[i].target, &revision, err));
        MUST(db_document(db, a, &revision.doc, &doc, err));
        if (str_find(doc, S("\"name\":\"web\"")) == STR_NPOS &&
            str_find(doc, S("\"name\":\"site\"")) == STR_NPOS)
            return plans[i].started_seq;
    }
    return 0;
}

static const char *check_counters(struct world *w, struct laws *l)
{
    AUTO_ARENA struct arena a;
    struct rec_environment *rows;
    struct rec_set *sets;
    size_t n, n_sets;

    arena_init(&a, 0);
    MUST(DB_SELECT(world_reader(w), &a, environment, "ORDER BY name", &rows, &n, err));
    for (size_t i = 0; i < n; i++) {
        int env = env_index(rows[i].name);
        int64_t farewell = find_farewell(w, &a, rows[i].uid);

        if (farewell < l->recovered)
            farewell = l->recovered;
        if (rows[i].apply_seq < l->apply_seq[env] || rows[i].route_gen < l->route_gen[env])
            return BROKEN("%s: apply_seq or route_gen went back", shop_envs[env]);
        l->apply_seq[env] = rows[i].apply_seq;
        l->route_gen[env] = rows[i].route_gen;
        MUST(DB_SELECT(world_reader(w), &a, set,
                       "WHERE env = $1 AND service IN ('web', 'site') AND proven_seq > $2", &sets,
                       &n_sets, err, DB_T(rows[i].uid), DB_I(farewell)));
        if (farewell > l->farewell[env])
            l->must_serve[env] = 0;
        l->farewell[env] = farewell;
        l->must_serve[env] |= n_sets != 0;
    }
    return NULL;
}

void laws_recovered(struct world *w, struct laws *l)
{
    struct rec_environment *rows;
    struct digest hash;
    int64_t seq = 0;
    size_t n;

    MUST(events_head(world_reader(w), &seq, &hash, err));
    MUST(DB_SELECT(world_reader(w), &w->arena, environment, "ORDER BY name", &rows, &n, err));
    for (int env = 0; env < SHOP_ENVS; env++) {
        int is_known = 0;

        for (size_t i = 0; i < n; i++)
            is_known |= env_index(rows[i].name) == env;
        if (!is_known) /* nothing is left of it anywhere */
            l->apply_seq[env] = l->route_gen[env] = 0;
        l->farewell[env] = seq;
    }
    l->recovered = seq;
}

/* --- jobs ---------------------------------------------------------------------------------------- */

static struct str job_of(const struct null_object *o)
{
    return str_slice(o->name, 0, str_find_char(o->name, '@'));
}

static struct str env_of(struct arena *a, const struct null_object *o)
{
    return value_get_text(value_get(desired_of(a, o), S("label")), S("env_uid"), S(""));
}

/* Two runs of one job, neither of which has ended. */
static const char *check_alone(struct world *w, const struct null_object *job)
{
    struct world_walk walk = { 0 };
    struct null_object *o;

    while ((o = world_next(w, &walk))) {
        AUTO_ARENA struct arena a = { 0 };

        if (o != job && o->pending && str_eq_c(o->type, "job") && str_eq(job_of(o), job_of(job)) &&
            str_eq(env_of(&a, o), env_of(&a, job)))
            return BROKEN("%.*s runs beside %.*s", STR_ARG(o->name), STR_ARG(job->name));
    }
    return NULL;
}

static const char *check_jobs(struct world *w)
{
    struct world_walk walk = { 0 };
    struct null_object *o;
    const char *broken = NULL;

    if (w->told_twice.n && !w->was_recovered)
        return BROKEN("%.*s was told twice, as another message", STR_ARG(w->told_twice));
    if (w->begun_twice.n)
        return BROKEN("%.*s was begun twice", STR_ARG(w->begun_twice));
    while (!broken && (o = world_next(w, &walk)))
        if (str_eq_c(o->type, "job") && o->pending && !str_eq_c(job_of(o), SHOP_ALLOWED))
            broken = check_alone(w, o);
    return broken;
}

const char *laws_now(struct world *w, struct laws *l)
{
    struct world_walk walk = { 0 };
    struct null_object *o;
    const char *broken = w->box ? check_counters(w, l) : NULL;

    while (!broken && w->box && (o = world_next(w, &walk)))
        if (str_eq_c(o->type, "switch"))
            broken = check_switch(w, l, o);
    return broken || !w->box ? broken : check_jobs(w);
}

/* --- rows and objects ---------------------------------------------------------------------------- */

static int is_run_known(struct world *w, struct arena *a, const struct null_object *o)
{
    struct rec_job_run *rows;
    size_t n;

    MUST(DB_SELECT(world_reader(w), a, job_run,
                   "WHERE is_left = 1 AND job || '@' || at_ms = $1 AND env = $2", &rows, &n, err,
                   DB_T(o->name), DB_T(env_of(a, o))));
    return n == 1;
}

static const char *check_every_object_has_a_row(struct world *w, struct arena *a)
{
    struct world_walk walk = { 0 };
    struct null_object *o;
    struct rec_resource *rows;
    size_t n;

    while ((o = world_next(w, &walk))) {
        if (str_starts(o->owner, S("loose"))) /* it was forgotten: nobody's */
            continue;
        if (str_eq_c(o->type, "lost"))
            return BROKEN("%.*s is lost and was not run again", STR_ARG(o->name));
        if (str_eq_c(o->type, "job")) {
            if (!is_run_known(w, a, o))
                return BROKEN("orphan: %.*s has no row of a run", STR_ARG(o->name));
            continue;
        }
        MUST(DB_SELECT(world_reader(w), a, resource,
                       "WHERE owner = $1 AND valid_to IS NULL AND status <> 'gone'", &rows, &n, err,
                       DB_T(o->owner)));
        if (n != 1)
            return BROKEN("orphan: %.*s %.*s has %zu rows", STR_ARG(o->type), STR_ARG(o->name), n);
    }
    return NULL;
}

static int is_of_the_box(struct str kind)
{
    static const char *const kinds[] = { "instance", "backend",  "routes",  "switch",
                                         "address",  "artifact", "release", "verify" };

    for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
        if (str_eq_c(kind, kinds[i]))
            return 1;
    return 0;
}

static const char *check_every_row_has_an_object(struct world *w, struct arena *a)
{
    struct rec_resource *rows;
    size_t n;

    MUST(DB_SELECT(world_reader(w), a, resource, "WHERE valid_to IS NULL AND status <> 'gone'",
                   &rows, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (!is_of_the_box(rows[i].kind))
            continue;
        if (!world_find(w, rows[i].owner) && !str_eq_c(rows[i].status, "failed"))
            return BROKEN("%.*s/%.*s is %.*s in the rows and not there", STR_ARG(rows[i].kind),
                          STR_ARG(rows[i].name), STR_ARG(rows[i].status));
    }
    return NULL;
}

/* Nothing but live sets when every tail is over. */
static const char *check_sets(struct world *w, struct arena *a)
{
    struct rec_set *rows;
    size_t n;

    MUST(DB_SELECT(world_reader(w), a, set, "ORDER BY env, service", &rows, &n, err));
    for (size_t i = 0; i < n; i++)
        if (!str_eq_c(rows[i].state, "live"))
            return BROKEN("set %.*s of %.*s is still there, %.*s",
                          STR_ARG(identity_set_name(a, rows[i].service, &rows[i].set_key)),
                          STR_ARG(rows[i].env), STR_ARG(rows[i].state));
    return NULL;
}

static const char *check_objects_of_sets(struct world *w, struct arena *a)
{
    struct rec_set *rows;
    struct world_walk walk = { 0 };
    struct null_object *o;
    size_t n;
    int64_t want = 0, want_backends = 0, have = 0, have_backends = 0, n_routes = 0, n_switches = 0;

    MUST(DB_SELECT(world_reader(w), a, set, "ORDER BY env, service", &rows, &n, err));
    for (size_t i = 0; i < n; i++) {
        want += rows[i].replicas;
        want_backends += rows[i].backend.p != NULL;
    }
    while ((o = world_next(w, &walk))) {
        have += str_eq_c(o->type, "instance");
        have_backends += str_eq_c(o->type, "backend");
        n_routes += str_eq_c(o->type, "routes");
        n_switches += str_eq_c(o->type, "switch");
    }
    if (have != want)
        return BROKEN("%lld instances run, the sets have %lld", (long long)have, (long long)want);
    if (have_backends != want_backends)
        return BROKEN("%lld backends, the sets have %lld", (long long)have_backends,
                      (long long)want_backends);
    if (n_routes < n_switches || (n_routes > n_switches && !w->was_recovered))
        return BROKEN("%lld generations of routes for %lld environments", (long long)n_routes,
                      (long long)n_switches);
    return NULL;
}

static const char *check_nothing_open(struct world *w, struct arena *a)
{
    struct rec_operation *ops;
    struct rec_plan *plans;
    size_t n;

    MUST(DB_SELECT(world_reader(w), a, operation, "WHERE outcome IS NULL OR outcome = 'parked'",
                   &ops, &n, err));
    if (n)
        return BROKEN("operation %.*s/%.*s is %.*s", STR_ARG(ops[0].kind), STR_ARG(ops[0].name),
                      STR_ARG(ops[0].outcome.p ? ops[0].outcome : S("open")));
    MUST(DB_SELECT(world_reader(w), a, plan,
                   "WHERE state NOT IN ('applied', 'failed', 'reverted', 'superseded', "
                   "'rejected', 'cancelled')",
                   &plans, &n, err));
    if (n)
        return BROKEN("a plan is %.*s", STR_ARG(plans[0].state));
    return NULL;
}

/* The switch of an environment uses a generation once. */
static const char *check_generations(struct world *w, struct arena *a)
{
    struct rec_operation *ops;
    size_t n;

    MUST(DB_SELECT(world_reader(w), a, operation,
                   "WHERE kind = 'routes' AND action = 'create' ORDER BY env, name", &ops, &n,
                   err));
    for (size_t i = 1; i < n; i++)
        if (str_eq(ops[i].env, ops[i - 1].env) && str_eq(ops[i].name, ops[i - 1].name))
            return BROKEN("generation %.*s was made twice", STR_ARG(ops[i].name));
    return NULL;
}

const char *laws_settled(struct world *w)
{
    AUTO_ARENA struct arena a;
    const char *broken;

    arena_init(&a, 0);
    broken = check_nothing_open(w, &a);
    if (!broken)
        broken = check_every_object_has_a_row(w, &a);
    if (!broken)
        broken = check_every_row_has_an_object(w, &a);
    if (!broken)
        broken = check_sets(w, &a);
    if (!broken)
        broken = check_objects_of_sets(w, &a);
    return broken ? broken : check_generations(w, &a);
}

const char *laws_history(struct world *w)
{
    struct err err = ERR_INIT;
    int64_t n;

    if (events_verify(world_reader(w), &n, &err) || replay_verify(world_reader(w), &n, &err))
        return BROKEN("%s", err.text);
    return NULL;
}

const char *laws_runs(struct world *w, const struct shop *s, int env, enum shop_name service)
{
    AUTO_ARENA struct arena a;
    const struct shop_service *x = &s->services[service];
    struct world_walk walk = { 0 };
    struct null_object *o;
    int n = 0, want = x->present ? x->replicas : 0;

    arena_init(&a, 0);
    while ((o = world_next(w, &walk))) {
        const struct value *v;
        struct str version;

        if (!str_eq_c(o->type, "instance"))
            continue;
        v = desired_of(&a, o);
        if (!str_eq_c(value_get_text(v, S("service"), S("")), shop_name_now(s, service)) ||
            !str_eq_c(value_get_text(value_get(v, S("label")), S("env"), S("")), shop_envs[env]))
            continue;
        n++;
        version = value_get_text(value_get(v, S("environment")), S("VERSION"), S(""));
        if (!str_eq(version, str_fmt(&a, "%d", x->version)))
            return BROKEN("%.*s of %s is version %.*s, asked for is %d", STR_ARG(o->name),
                          shop_envs[env], STR_ARG(version), x->version);
    }
    if (n != want)
        return BROKEN("%d instances of %s run in %s, asked for are %d", n,
                      shop_name_now(s, service), shop_envs[env], want);
    return NULL;
}
