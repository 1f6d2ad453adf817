/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/logs.h"

#include "base/vec.h"
#include "providers/keeper_client.h"

static struct value *last_lines(struct arena *a, struct str text, size_t n_lines)
{
    struct value *list = value_list(a);
    VEC(struct str) lines = { 0 };
    struct str line;

    while (str_next(&text, '\n', &line)) {
        struct str *slot = text.n || line.n ? vec_push(a, &lines) : NULL;

        if (slot)
            *slot = line;
    }
    for (size_t i = lines.n > n_lines ? lines.n - n_lines : 0; i < lines.n; i++)
        value_add(a, list, value_text(a, lines.p[i]));
    return list;
}

static struct value *read_one(const struct view *v, const struct value *daemon,
                              const struct rec_resource *r, size_t n_lines)
{
    const struct value *provider = value_get(value_get(daemon, S("providers")), r->provider);
    struct str directory = value_get_text(provider, S("directory"), S(""));
    const struct keeper_place place = {
        .runs = str_fmt(v->a, "%.*s/run", STR_ARG(directory)),
        .owner = r->owner,
    };
    struct value *one = value_map(v->a);
    struct str text = S("");

    if (str_eq_c(value_get_text(provider, S("driver"), S("")), "process"))
        text = keeper_log_text(v->a, &place, LOGS_BYTES_MAX);
    value_set_text(v->a, one, S("name"),
                   str_fmt(v->a, "%.*s/%.*s", STR_ARG(r->kind), STR_ARG(r->name)));
    value_set_text(v->a, one, S("status"), r->status);
    value_set(v->a, one, S("lines"), last_lines(v->a, text, n_lines));
    return one;
}

/* A name that nothing has is a mistake, not silence. */
static int check_service(const struct view *v, const struct rec_environment *env,
                         struct str service, struct err *err)
{
    struct rec_set *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, set, "WHERE env = $1 AND service = $2 LIMIT 1", &rows, &n, err,
                       DB_T(env->uid), DB_T(service));

    return rc || n ? rc
                   : err_set(err, ERR_NOT_FOUND, "environment '%.*s' has no service '%.*s'",
                             STR_ARG(env->name), STR_ARG(service));
}

int logs_read(const struct view *v, const struct value *daemon, struct str env, struct str service,
              size_t n_lines, struct value **ret, struct err *err)
{
    struct value *map = value_map(v->a), *list = value_list(v->a);
    struct rec_environment row;
    struct rec_resource *rows;
    size_t n = 0;
    int rc = view_find_environment(v, env, &row, err);

    if (!rc && service.n)
        rc = check_service(v, &row, service, err);
    /* builds and releases write too; the newest first, because most are long done */
    if (!rc)
        rc = DB_SELECT(v->db, v->a, resource,
                       "WHERE env = $1 AND kind IN ('instance', 'artifact', 'release') AND "
                       "valid_to IS NULL AND status <> 'gone' AND "
                       "($2 = '' OR substr(name, 1, length($2) + 1) = $2 || '@') "
                       "ORDER BY kind = 'instance' DESC, valid_from DESC LIMIT 32",
                       &rows, &n, err, DB_T(row.uid), DB_T(service.p ? service : S("")));
    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++)
        value_add(v->a, list, read_one(v, daemon, &rows[i], n_lines));
    value_set(v->a, map, S("instances"), list);
    *ret = map;
    return arena_status(v->a, err);
}
