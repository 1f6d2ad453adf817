/* Rows of environments, by one question for each table and not for each environment. SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"
#include "reconciler/core/scope.h"
#include "reconciler/engine/view_rows.h"
#include "state/events.h"
#include "state/plans.h"

/* Those named $1 to $2. */
#define UIDS_OF_SPAN "FROM environments WHERE deleted_ms IS NULL AND name >= $1 AND name <= $2"

struct span {
    struct str first, last;
};

struct rows_of_all { /* by the uid of the environment */
    struct map revisions, plans, services;
};

static int read_revisions(const struct view *v, const struct span *of, struct map *ret,
                          struct err *err)
{
    struct rec_revision *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, revision,
                       "WHERE (env, digest) IN (SELECT uid, live_rev " UIDS_OF_SPAN ")", &rows, &n,
                       err, DB_T(of->first), DB_T(of->last));

    for (size_t i = 0; !rc && i < n; i++)
        map_put(ret, rows[i].env, &rows[i]);
    return rc;
}

/* Of several that of view_open_plan(): the last one here. */
static int read_plans(const struct view *v, const struct span *of, struct map *ret, struct err *err)
{
    struct rec_plan *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, plan,
                       "WHERE env IN (SELECT uid " UIDS_OF_SPAN ") AND " PLANS_UNFINISHED
                       " ORDER BY cause IN ('repair', 'drift') DESC, made_seq",
                       &rows, &n, err, DB_T(of->first), DB_T(of->last));

    for (size_t i = 0; !rc && i < n; i++)
        map_put(ret, rows[i].env, &rows[i]);
    return rc;
}

static int read_services(const struct view *v, const struct span *of, struct map *ret,
                         struct err *err)
{
    struct rec_set *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, set,
                       "WHERE state = 'live' AND env IN (SELECT uid " UIDS_OF_SPAN
                       ") ORDER BY env, service",
                       &rows, &n, err, DB_T(of->first), DB_T(of->last));

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

static int read_all(const struct view *v, const struct span *of, struct rows_of_all *ret,
                    struct err *err)
{
    map_init(&ret->revisions, v->a);
    map_init(&ret->plans, v->a);
    map_init(&ret->services, v->a);
    if (read_revisions(v, of, &ret->revisions, err) || read_plans(v, of, &ret->plans, err) ||
        read_services(v, of, &ret->services, err))
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

static struct span span_of(const struct rec_environment *rows, size_t n)
{
    return (struct span){ n ? rows[0].name : S(""), n ? rows[n - 1].name : S("") };
}

int view_environment_rows(const struct view *v, const struct rec_environment *rows, size_t n,
                          struct map *ret, struct err *err)
{
    const struct span of = span_of(rows, n);
    struct rows_of_all all;
    int rc = read_all(v, &of, &all, err);

    map_init(ret, v->a);
    for (size_t i = 0; !rc && i < n; i++) {
        struct value *one = NULL;

        if (!scope_has(v->scope, rows[i].name))
            continue;
        rc = row_of_all(v, &all, &rows[i], &one, err);
        map_put(ret, rows[i].uid, one);
    }
    return rc ? rc : arena_status(v->a, err);
}

int view_set_newest_of(const struct view *v, const struct rec_environment *rows, size_t n,
                       const struct map *of, struct err *err)
{
    const struct span span = span_of(rows, n);
    struct event_newest *newest;
    size_t n_newest;
    int rc = events_newest_of(v->db, v->a, span.first, span.last, &newest, &n_newest, err);

    for (size_t i = 0; !rc && i < n_newest; i++) {
        struct value *one = map_find(of, newest[i].env);

        if (one && newest[i].time_ms)
            value_set_int(v->a, one, S("event_ms"), newest[i].time_ms);
    }
    return rc;
}

struct value *view_list_of(const struct view *v, const struct map *rows)
{
    struct value *list = value_list(v->a);

    for (size_t i = 0; i < rows->n; i++)
        value_add(v->a, list, rows->entries[i].value);
    return list;
}

int view_status_environments(const struct view *v, struct value *status, struct err *err)
{
    struct rec_environment *rows;
    struct map maps;
    size_t n;

    if (DB_SELECT(v->db, v->a, environment, "WHERE deleted_ms IS NULL ORDER BY name", &rows, &n,
                  err) ||
        view_environment_rows(v, rows, n, &maps, err))
        return err->code;
    value_set(v->a, status, S("environments"), view_list_of(v, &maps));
    return 0;
}
