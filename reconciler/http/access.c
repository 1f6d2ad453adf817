/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/access.h"

#include "base/guard.h"
#include "reconciler/core/scope.h"
#include "reconciler/http/routes_parts.h"
#include "state/environments.h"
#include "state/plans.h"

int access_breaks_glass(const struct route_call *call)
{
    return value_get_bool(call->body, S("break_glass"), 0);
}

/* --- what it is about ---------------------------------------------------------------------------- */

static int name_of(struct arena *a, struct db *db, struct str uid, struct str *ret, struct err *err)
{
    struct rec_environment env;
    int rc = environments_by_uid(db, a, uid, &env, err);

    if (!rc)
        *ret = env.name;
    return rc;
}

static int name_of_plan(struct arena *a, struct db *db, struct str id, struct str *ret,
                        struct err *err)
{
    struct rec_plan plan;
    int rc = plans_by_prefix(db, a, id, &plan, err);

    return rc ? rc : name_of(a, db, plan.env, ret, err);
}

static int name_of_operation(struct arena *a, struct db *db, struct str uid, struct str *ret,
                             struct err *err)
{
    struct rec_operation op = { .uid = uid };
    int rc = db_get(db, a, REC_operation, &op, err);

    return rc ? rc : name_of(a, db, op.env, ret, err);
}

typedef int find_name(struct arena *a, struct db *db, struct str word, struct str *ret,
                      struct err *err);

static int name_itself(struct arena *a, struct db *db, struct str word, struct str *ret,
                       struct err *err)
{
    (void)a;
    (void)db;
    (void)err;
    *ret = word;
    return 0;
}

static const struct about {
    const char *path, *noun;
    find_name *find;
} about_rows[] = {
    { ENV, "environment", name_itself },
    { PLAN, "plan", name_of_plan },
    { OPERATION, "operation", name_of_operation },
    { "", NULL, NULL }, /* of no one environment */
};

static const struct about *about_of(const struct route *route)
{
    const struct about *row = about_rows;

    while (!str_starts(str_from_c(route->path), str_from_c(row->path)))
        row++;
    return row;
}

/* What cannot be found is its handler's to say, to those who may know everything. */
static int check_scope(struct arena *a, struct db *db, const struct auth_actor *actor,
                       const struct route_call *call, struct str *ret_env, struct err *err)
{
    const struct about *about = about_of(call->route);
    int rc = about->find ? about->find(a, db, call->param, ret_env, err) : 0;

    if (rc && rc != ERR_NOT_FOUND && rc != ERR_CONFLICT && rc != ERR_USAGE)
        return rc;
    err->code = 0;
    if (!actor->scope || call->route->flags & ROUTE_LIST)
        return 0;
    if (!about->find)
        return err_set(err, ERR_REFUSED, "%.*s may not: it is about more than %s environments",
                       STR_ARG(actor->name), actor->kind == AUTH_TOKEN ? "its" : "their");
    if (rc || !scope_has(actor->scope, *ret_env))
        return err_set(err, ERR_NOT_FOUND, "no %s '%.*s'", about->noun, STR_ARG(call->param));
    return 0;
}

/* --- what it needs ------------------------------------------------------------------------------- */

/* Whoever has it anywhere has it for a list, which shows them what is theirs. */
static int has_role(const struct auth_actor *actor, const struct route *route, unsigned roles,
                    struct str env)
{
    return route->flags & ROUTE_LIST ? (actor->roles & roles) != 0 : auth_may(actor, roles, env);
}

static int check_role(const struct auth_actor *actor, const struct route_call *call, struct str env,
                      struct err *err)
{
    const unsigned wanted[] = { call->route->roles,
                                value_get_bool(call->body, S("override"), 0) ? AUTH_OVERRIDE : 0 };

    for (size_t i = 0; i < N_ELEMENTS(wanted); i++)
        if (wanted[i] && !has_role(actor, call->route, wanted[i], env))
            return err_set(err, ERR_REFUSED, "%.*s may not: it needs %s", STR_ARG(actor->name),
                           auth_role_names(wanted[i]));
    return 0;
}

int access_check(struct arena *a, struct db *db, const struct auth_actor *actor,
                 const struct route_call *call, struct str *ret_env, struct err *err)
{
    *ret_env = S("");
    if (check_scope(a, db, actor, call, ret_env, err))
        return err->code;
    if (actor->kind == AUTH_TOKEN && call->route->flags & ROUTE_PERSON)
        return err_set(err, ERR_REFUSED, "only a person %s, and %.*s is a token",
                       call->route->work ? "sets a password" : "approves", STR_ARG(actor->name));
    if (!access_breaks_glass(call)) /* a role that is lacking may be taken in an emergency */
        return check_role(actor, call, *ret_env, err);
    return actor->may_break_glass
               ? 0
               : err_set(err, ERR_REFUSED, "%.*s may not: it is not among auth.break_glass",
                         STR_ARG(actor->name));
}

/* --- what is running ----------------------------------------------------------------------------- */

/* How far a source has come, for who waits for it; its errors speak of every environment. */
static struct value *live_sources(struct arena *a, const struct value *sources)
{
    static const char *const kept[] = { "failures", "rounds", "fetched_ms_ago" };
    struct value *map = value_map(a);

    for (size_t i = 0; i < value_count(sources); i++) {
        const struct value_entry *e = &sources->u.map.entries[i];
        struct value *one = value_map(a);

        for (size_t j = 0; j < N_ELEMENTS(kept); j++)
            value_set_int(a, one, str_from_c(kept[j]),
                          value_get_int(e->value, str_from_c(kept[j]), 0));
        value_set(a, map, e->key, one);
    }
    return map;
}

struct value *access_live(struct arena *a, const struct auth_actor *actor, struct value *live)
{
    const struct value *all = value_get(live, S("environments"));
    struct value *map = value_map(a), *envs = value_map(a);

    if (!actor->scope)
        return live;
    for (size_t i = 0; i < value_count(all); i++)
        if (scope_has(actor->scope, all->u.map.entries[i].key))
            value_set(a, envs, all->u.map.entries[i].key,
                      value_copy(a, all->u.map.entries[i].value));
    if (value_get(live, S("stale")))
        value_set(a, map, S("stale"), value_copy(a, value_get(live, S("stale"))));
    value_set(a, map, S("sources"), live_sources(a, value_get(live, S("sources"))));
    value_set(a, map, S("environments"), envs);
    return map;
}
