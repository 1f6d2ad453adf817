/* All environments, by one question for each table and not for each environment. SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"
#include "reconciler/core/scope.h"
#include "reconciler/engine/view_rows.h"
#include "state/plans.h"

struct rows_of_all { /* by the uid of the environment */
    struct map revisions, plans, services;
};

static int read_revisions(const struct view *v, struct map *ret, struct err *err)
{
    struct rec_revision *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, revision,
                       "WHERE (env, digest) IN (SELECT uid, live_rev FROM environments"
                       " WHERE deleted_ms IS NULL)",
                       &rows, &n, err);

    for (size_t i = 0; !rc && i < n; i++)
        map_put(ret, rows[i].env, &rows[i]);
    return rc;
}

/* Of several that of view_open_plan(): the last one here. */
static int read_plans(const struct view *v, struct map *ret, struct err *err)
{
    struct rec_plan *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, plan,
                       "WHERE " PLANS_UNFINISHED
                       " ORDER BY cause IN ('repair', 'drift') DESC, made_seq",
                       &rows, &n, err);

    for (size_t i = 0; !rc && i < n; i++)
        map_put(ret, rows[i].env, &rows[i]);
    return rc;
}

static int read_services(const struct view *v, struct map *ret, struct err *err)
{
    struct rec_set *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, set, "WHERE state = 'live' ORDER BY env, service", &rows, &n,
                       err);

    for (size_t i = 0; !rc && i < n; i++) {
        struct value *list = map_find(ret, rows[i].env);

        if (!list) {
            list = value_list(v->a);
            map_put(ret, rows[i].env, list);
        }
        value_add(v->a, list, value_text(v->a, rows[i].service));
    }
    return rc;
}

static int read_all(const struct view *v, struct rows_of_all *ret, struct err *err)
{
    map_init(&ret->revisions, v->a);
    map_init(&ret->plans, v->a);
    map_init(&ret->services, v->a);
    if (read_revisions(v, &ret->revisions, err) || read_plans(v, &ret->plans, err) ||
        read_services(v, &ret->services, err))
        return err->code;
    return arena_status(v->a, err);
}

static int row_of_all(const struct view *v, const struct rows_of_all *all,
                      const struct rec_environment *env, struct value **ret, struct err *err)
{
    const struct rec_revision *revision = map_find(&all->revisions, env->uid);
    struct value *services = map_find(&all->services, env->uid);

    if (view_environment_map(v, env, revision ? revision->n : 0, map_find(&all->plans, env->uid),
                             ret, err))
        return err->code;
    value_set(v->a, *ret, S("services"), services ? services : value_list(v->a));
    return 0;
}

int view_status_environments(const struct view *v, struct value *status, struct err *err)
{
    struct value *list = value_list(v->a);
    struct rec_environment *rows;
    struct rows_of_all all;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, environment, "WHERE deleted_ms IS NULL ORDER BY name", &rows,
                       &n, err);

    if (!rc)
        rc = read_all(v, &all, err);
    for (size_t i = 0; !rc && i < n; i++) {
        struct value *one = NULL;

        if (!scope_has(v->scope, rows[i].name))
            continue;
        rc = row_of_all(v, &all, &rows[i], &one, err);
        value_add(v->a, list, one);
    }
    value_set(v->a, status, S("environments"), list);
    return rc;
}
