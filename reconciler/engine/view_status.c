/* Environments, and one of them in full. SPDX-License-Identifier: Apache-2.0 */
#include "providers/kit.h"
#include "reconciler/core/scope.h"
#include "reconciler/engine/view_jobs.h"
#include "state/events.h"

#define REVISIONS_SHOWN "10"

/* Whether an environment in scope is of this source, and of this branch; `branch` STR_NONE: any. */
static int is_in_scope(const struct view *v, struct str source, struct str branch, int *ret,
                       struct err *err)
{
    struct rec_environment *rows;
    size_t n = 0;
    int rc = !v->scope
                 ? 0
                 : DB_SELECT(v->db, v->a, environment, "WHERE source = $1 AND deleted_ms IS NULL",
                             &rows, &n, err, DB_T(source));

    *ret = !v->scope;
    for (size_t i = 0; !rc && i < n; i++)
        *ret |= scope_has(v->scope, rows[i].name) && (!branch.p || str_eq(branch, rows[i].branch));
    return rc;
}

/* The error of a branch names documents of every environment. */
static struct str error_in_scope(const struct view *v, struct str error)
{
    return v->scope && error.n ? S("there are errors, which this scope does not show") : error;
}

static int set_heads(const struct view *v, struct value *source, struct str name, struct err *err)
{
    struct value *list = value_list(v->a);
    struct rec_head *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, head, "WHERE source = $1 ORDER BY branch LIMIT 1000", &rows, &n,
                       err, DB_T(name));

    for (size_t i = 0; !rc && i < n; i++) {
        struct value *one = value_map(v->a);
        int is_shown;

        rc = is_in_scope(v, name, rows[i].branch, &is_shown, err);
        if (rc || !is_shown)
            continue;
        value_set_text(v->a, one, S("branch"), rows[i].branch);
        value_set_text(v->a, one, S("commit"), rows[i].commit_id);
        value_set_int(v->a, one, S("seen_ms"), rows[i].seen_ms);
        view_set_int(v, one, "gone_ms", rows[i].gone_ms);
        view_set(v, one, "error", error_in_scope(v, rows[i].error));
        value_add(v->a, list, one);
    }
    value_set(v->a, source, S("heads"), list);
    return rc;
}

static int set_sources(const struct view *v, struct value *status, struct err *err)
{
    struct value *list = value_list(v->a);
    struct rec_source *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, source, "ORDER BY name", &rows, &n, err);

    for (size_t i = 0; !rc && i < n; i++) {
        struct value *one = value_map(v->a);
        int is_shown;

        rc = is_in_scope(v, rows[i].name, STR_NONE, &is_shown, err);
        if (rc || !is_shown)
            continue;
        value_set_text(v->a, one, S("name"), rows[i].name);
        value_set_text(v->a, one, S("url"), rows[i].url);
        view_set(v, one, "error", error_in_scope(v, rows[i].error));
        rc = set_heads(v, one, rows[i].name, err);
        value_add(v->a, list, one);
    }
    value_set(v->a, status, S("sources"), list);
    return rc;
}

/* 0: none, or one that is named by a plan that was never begun. */
static int revision_number(const struct view *v, const struct rec_environment *env, int64_t *ret,
                           struct err *err)
{
    struct rec_revision rev = { .env = env->uid, .digest = env->live_rev };
    int rc = digest_is_none(&env->live_rev) ? ERR_NOT_FOUND
                                            : db_get(v->db, v->a, REC_revision, &rev, err);

    *ret = rc ? 0 : rev.n;
    if (rc == ERR_NOT_FOUND)
        rc = err->code = 0;
    return rc;
}

int view_environment_map(const struct view *v, const struct rec_environment *env, int64_t revision,
                         const struct rec_plan *plan, struct value **ret, struct err *err)
{
    struct value *map = value_map(v->a), *plan_head;

    if (plan && view_plan_head(v, plan, &plan_head, err))
        return err->code;
    value_set_text(v->a, map, S("name"), env->name);
    value_set_text(v->a, map, S("uid"), env->uid);
    value_set_text(v->a, map, S("source"), env->source);
    value_set_text(v->a, map, S("branch"), env->branch);
    value_set_text(v->a, map, S("sync"), env->sync);
    value_set_text(v->a, map, S("health"), env->health);
    value_set_text(v->a, map, S("reason"), env->reason);
    view_set(v, map, "commit", env->commit_id);
    view_set_int(v, map, "deleted_ms", env->deleted_ms);
    if (revision)
        value_set_int(v->a, map, S("revision"), revision);
    if (plan)
        value_set(v->a, map, S("plan"), plan_head);
    *ret = map;
    return 0;
}

static int environment_head(const struct view *v, const struct rec_environment *env,
                            struct value **ret, struct err *err)
{
    struct rec_plan plan;
    int64_t revision;

    if (revision_number(v, env, &revision, err) || view_open_plan(v, env->uid, &plan, err))
        return err->code;
    return view_environment_map(v, env, revision, plan.env.n ? &plan : NULL, ret, err);
}

/* When something happened to it last. */
static int set_newest(const struct view *v, struct value *map, struct str env, struct err *err)
{
    int64_t event_ms;
    int rc = events_newest_ms(v->db, env, &event_ms, err);

    if (!rc && event_ms)
        value_set_int(v->a, map, S("event_ms"), event_ms);
    return rc;
}

int view_sources(const struct view *v, struct value **ret, struct err *err)
{
    struct value *map = value_map(v->a);
    int rc = set_sources(v, map, err);

    *ret = map;
    return rc ? rc : arena_status(v->a, err);
}

int view_status(const struct view *v, struct value **ret, struct err *err)
{
    struct value *map = value_map(v->a);
    const struct value *clock = NULL;
    struct digest hash;
    int64_t seq;
    int rc = events_head(v->db, &seq, &hash, err);

    if (!rc)
        rc = view_status_environments(v, map, err);
    if (!rc)
        rc = set_sources(v, map, err);
    if (!rc)
        rc = view_clock(v, &clock, err);
    if (rc)
        return rc;
    if (clock)
        value_set(v->a, map, S("suspect_clock"), value_copy(v->a, clock));
    value_set_text(v->a, map, S("version"), S(REEVE_VERSION));
    value_set_text(v->a, map, S("installation"), str_copy(v->a, db_installation(v->db)));
    value_set_int(v->a, map, S("now_ms"), v->now_ms);
    value_set_int(v->a, map, S("seq"), seq);
    view_set_digest(v, map, "hash", &hash);
    *ret = map;
    return arena_status(v->a, err);
}

/* --- one environment ----------------------------------------------------------------------------- */

static int set_instances(const struct view *v, struct value *map, const struct rec_set *set,
                         struct err *err)
{
    struct value *list = value_list(v->a);
    struct rec_instance *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, instance,
                       "WHERE env = $1 AND service = $2 AND set_key = $3 AND state <> 'gone' "
                       "ORDER BY ordinal",
                       &rows, &n, err, DB_T(set->env), DB_T(set->service), DB_D(&set->set_key));

    for (size_t i = 0; !rc && i < n; i++) {
        struct value *one = value_map(v->a);

        value_set_int(v->a, one, S("ordinal"), rows[i].ordinal);
        value_set_text(v->a, one, S("state"), rows[i].state);
        view_set(v, one, "address", rows[i].address);
        view_set(v, one, "provider_id", rows[i].provider_id);
        value_set_int(v->a, one, S("restarts"), rows[i].restarts);
        view_set(v, one, "exit", rows[i].exit);
        value_add(v->a, list, one);
    }
    value_set(v->a, map, S("instances"), list);
    return rc;
}

static int set_view(const struct view *v, const struct rec_set *set, struct value **ret,
                    struct err *err)
{
    struct value *map = value_map(v->a), *revision;
    int rc = view_revision(v, set->env, &set->revision, INT64_MAX, &revision, err);

    if (rc)
        return rc;
    view_set_digest(v, map, "set", &set->set_key);
    value_set_text(v->a, map, S("colour"), set->colour);
    value_set_text(v->a, map, S("state"), set->state);
    value_set_int(v->a, map, S("replicas"), set->replicas);
    value_set_int(v->a, map, S("since_ms"), set->since_ms);
    value_set(v->a, map, S("proven"), value_bool(v->a, set->proven_seq != REC_NONE));
    view_set(v, map, "backend", set->backend);
    view_set_int(v, map, "keep_ms", set->keep_ms);
    if (value_get(revision, S("revision")))
        value_set_int(v->a, map, S("revision"), value_get_int(revision, S("revision"), 0));
    *ret = map;
    return set_instances(v, map, set, err);
}

static int set_services(const struct view *v, struct value *map, struct str env, struct err *err)
{
    struct value *services = value_list(v->a), *sets = NULL;
    struct str last = STR_NONE;
    struct rec_set *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, set,
                       "WHERE env = $1 AND state <> 'gone' ORDER BY service, since_ms DESC", &rows,
                       &n, err, DB_T(env));

    for (size_t i = 0; !rc && i < n; i++) {
        struct value *one = NULL;

        if (!sets || !str_eq(last, rows[i].service)) {
            struct value *service = value_map(v->a);

            last = rows[i].service;
            sets = value_list(v->a);
            value_set_text(v->a, service, S("name"), last);
            value_set(v->a, service, S("sets"), sets);
            value_add(v->a, services, service);
        }
        rc = set_view(v, &rows[i], &one, err);
        value_add(v->a, sets, one);
    }
    value_set(v->a, map, S("services"), services);
    return rc;
}

static int set_rules(const struct view *v, struct value *map, struct str rules, struct err *err)
{
    struct value *parsed;

    if (!rules.p)
        return 0;
    if (json_parse(v->a, rules, KIT_BODY_MAX, &parsed, err))
        return err->code;
    value_set(v->a, map, S("rules"), parsed);
    return 0;
}

static int set_routes(const struct view *v, struct value *map, const struct rec_environment *env,
                      struct err *err)
{
    struct value *list = value_list(v->a);
    struct rec_route *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, route, "WHERE env = $1 AND route_gen = $2 ORDER BY route",
                       &rows, &n, err, DB_T(env->uid), DB_I(env->route_gen));

    for (size_t i = 0; !rc && i < n; i++) {
        struct value *one = value_map(v->a);

        value_set_text(v->a, one, S("route"), rows[i].route);
        value_set_text(v->a, one, S("backend"), rows[i].backend);
        value_set_int(v->a, one, S("weight"), rows[i].weight);
        if (rows[i].canary.p)
            value_set_text(v->a, one, S("canary"), rows[i].canary);
        rc = set_rules(v, one, rows[i].rules, err);
        value_add(v->a, list, one);
    }
    value_set(v->a, map, S("routes"), list);
    value_set_int(v->a, map, S("route_generation"), env->route_gen);
    return rc;
}

static int set_resources(const struct view *v, struct value *map, struct str env, struct err *err)
{
    struct value *list = value_list(v->a);
    struct rec_resource *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, resource,
                       "WHERE env = $1 AND valid_to IS NULL AND status <> 'gone' "
                       "ORDER BY kind, name LIMIT 1000",
                       &rows, &n, err, DB_T(env));

    for (size_t i = 0; !rc && i < n; i++) {
        struct value *one = value_map(v->a);

        value_set_text(v->a, one, S("name"),
                       str_fmt(v->a, "%.*s/%.*s", STR_ARG(rows[i].kind), STR_ARG(rows[i].name)));
        value_set_text(v->a, one, S("status"), rows[i].status);
        view_set(v, one, "provider", rows[i].provider);
        view_set(v, one, "provider_id", rows[i].provider_id);
        view_set(v, one, "reason", rows[i].reason);
        view_set(v, one, "drift", view_drift_text(v, &rows[i]));
        view_set_json(v, one, "outputs", rows[i].outputs);
        value_add(v->a, list, one);
    }
    value_set(v->a, map, S("resources"), list);
    return rc;
}

static int set_revisions(const struct view *v, struct value *map, struct str env, struct err *err)
{
    struct value *list = value_list(v->a);
    struct rec_revision *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, revision,
                       "WHERE env = $1 ORDER BY n DESC LIMIT " REVISIONS_SHOWN, &rows, &n, err,
                       DB_T(env));

    for (size_t i = 0; !rc && i < n; i++) {
        struct value *one = NULL;

        rc = view_revision(v, env, &rows[i].digest, INT64_MAX, &one, err);
        value_add(v->a, list, one);
    }
    value_set(v->a, map, S("revisions"), list);
    return rc;
}

int view_environment(const struct view *v, struct str name, struct value **ret, struct err *err)
{
    struct value *map = NULL, *holds = NULL, *quarantine = NULL;
    struct value *stops = value_list(v->a), *choices = value_list(v->a);
    struct rec_environment env;
    int rc = view_find_environment(v, name, &env, err);

    if (!rc)
        rc = environment_head(v, &env, &map, err);
    if (!rc)
        rc = set_newest(v, map, env.uid, err);
    if (!rc)
        rc = set_services(v, map, env.uid, err);
    if (!rc)
        rc = set_routes(v, map, &env, err);
    if (!rc)
        rc = set_resources(v, map, env.uid, err);
    if (!rc)
        rc = view_jobs_set(v, map, env.uid, err);
    if (!rc)
        rc = set_revisions(v, map, env.uid, err);
    if (!rc)
        rc = view_holds(v, env.uid, &holds, err);
    if (!rc)
        rc = view_quarantine(v, env.uid, &quarantine, err);
    if (!rc)
        rc = view_add_stops(v, &env, stops, choices, err);
    if (rc)
        return rc;
    value_set(v->a, map, S("because"), view_with_word(v, &env, stops));
    value_set(v->a, map, S("holds"), holds);
    value_set(v->a, map, S("quarantine"), quarantine);
    *ret = map;
    return arena_status(v->a, err);
}
