/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/logs.h"

#include "base/hash.h"
#include "providers/keeper_client.h"
#include "reconciler/engine/log_hide.h"
#include "specs/json_io.h"

/* --- lines --------------------------------------------------------------------------------------- */

static struct str last_lines(struct str text, size_t n_lines)
{
    size_t at = text.n && text.p[text.n - 1] == '\n' ? text.n - 1 : text.n;

    if (!n_lines)
        return S("");
    for (; at; at--)
        if (text.p[at - 1] == '\n' && !--n_lines)
            break;
    return str_slice(text, at, text.n);
}

static struct value *list_lines(struct arena *a, struct str text)
{
    struct value *list = value_list(a);
    struct str line;

    while (str_next(&text, '\n', &line))
        if (text.n || line.n)
            value_add(a, list, value_text(a, line));
    return list;
}

static struct value *read_one(const struct view *v, const struct value *daemon,
                              const struct rec_resource *r, const struct logs_ask *ask,
                              const struct log_hide *hidden)
{
    const struct value *provider = value_get(value_get(daemon, S("providers")), r->provider);
    struct str directory = value_get_text(provider, S("directory"), S(""));
    const struct keeper_place place = {
        .runs = str_fmt(v->a, "%.*s/%s", STR_ARG(directory), ask->is_gone ? "gone" : "run"),
        .owner = r->owner,
    };
    struct value *one = value_map(v->a);
    struct str text = S("");

    if (str_eq_c(value_get_text(provider, S("driver"), S("")), "process"))
        text = keeper_log_text(v->a, &place, LOGS_BYTES_MAX);
    value_set_text(v->a, one, S("name"),
                   str_fmt(v->a, "%.*s/%.*s", STR_ARG(r->kind), STR_ARG(r->name)));
    value_set_text(v->a, one, S("status"), r->status);
    text = log_hide_text(hidden, v->a, last_lines(text, ask->n_lines));
    value_set(v->a, one, S("lines"), list_lines(v->a, text));
    return one;
}

static int add_gone(const struct view *v, const struct value *daemon, const struct rec_resource *r,
                    const struct logs_ask *ask, const struct log_hide *hidden, struct value *list,
                    struct err *err)
{
    struct value *one = read_one(v, daemon, r, ask, hidden);
    struct value *names = NULL;

    if (!value_count(value_get(one, S("lines"))))
        return 0; /* it printed nothing, or that is gone as well */
    if (log_hide_names(v->db, v->a, r, &names, err))
        return err->code;
    if (!log_hide_knows(hidden, names)) {
        value_set(v->a, one, S("lines"), value_list(v->a));
        value_set_text(
            v->a, one, S("not_shown"),
            S("a secret that it was given is not kept any more, and could not be hidden"));
    }
    value_add(v->a, list, one);
    return 0;
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

/* The same lines have the same tag. */
static void set_tag(struct arena *a, struct value *map, const struct value *instances,
                    struct str after)
{
    struct digest digest = hash_bytes(json_format(a, instances));
    struct str tag = digest_hex(a, &digest);

    value_set_text(a, map, S("tag"), tag);
    if (str_eq(tag, after))
        value_set(a, map, S("same"), value_bool(a, 1));
}

int logs_is_news(const struct value *logs)
{
    return !value_get_bool(logs, S("same"), 0);
}

int logs_read(const struct view *v, const struct value *daemon, struct str env,
              const struct logs_ask *ask, struct value **ret, struct err *err)
{
    AUTO_WIPED_ARENA struct arena secrets = { 0 };
    struct log_hide hidden;
    struct value *map = value_map(v->a), *list = value_list(v->a);
    struct rec_environment row;
    struct rec_resource *rows;
    size_t n = 0;
    int rc = view_find_environment(v, env, &row, err);

    if (!rc && ask->service.n)
        rc = check_service(v, &row, ask->service, err);
    /* builds and releases write too; the newest first, because most are long done */
    if (!rc)
        rc = DB_SELECT(
            v->db, v->a, resource,
            "WHERE env = $1 AND kind IN ('instance', 'artifact', 'release') AND "
            "valid_to IS NULL AND (status = 'gone') = $3 AND (kind = 'instance' OR NOT $3) "
            "AND ($2 = '' OR substr(name, 1, length($2) + 1) = $2 || '@') "
            "ORDER BY kind = 'instance' DESC, valid_from DESC LIMIT 32",
            &rows, &n, err, DB_T(row.uid), DB_T(ask->service.p ? ask->service : S("")),
            DB_I(ask->is_gone != 0));
    if (rc)
        return rc;
    log_hide_find(&secrets, daemon, row.uid, &hidden);
    for (size_t i = 0; i < n; i++)
        if (!ask->is_gone)
            value_add(v->a, list, read_one(v, daemon, &rows[i], ask, &hidden));
        else if (add_gone(v, daemon, &rows[i], ask, &hidden, list, err))
            return err->code;
    value_set(v->a, map, S("instances"), list);
    set_tag(v->a, map, list, ask->after);
    *ret = map;
    return arena_status(v->a, err);
}
