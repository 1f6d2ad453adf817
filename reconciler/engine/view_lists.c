/* Lists that may be long, a page at a time; and parts of an environment alone. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/view_jobs.h"

#define PAGE_DEFAULT 100

/* "NUMBER-KEY": the last row of the page before, by what the list is ordered. */
struct cursor {
    int64_t number;
    struct str key;
};

static int read_cursor(struct str text, struct cursor *ret, struct err *err)
{
    struct str number;

    *ret = (struct cursor){ INT64_MAX, S("") };
    if (!text.n)
        return 0;
    if (!str_next(&text, '-', &number) || str_to_i64(number, &ret->number))
        return err_set(err, ERR_USAGE, "'cursor' is not what an answer gave as 'next'");
    ret->key = text.p ? text : S("");
    return 0;
}

static int64_t page_limit(const struct view_page *page)
{
    int64_t limit = page->limit > 0 ? page->limit : PAGE_DEFAULT;

    return limit < VIEW_LIST_MAX ? limit : VIEW_LIST_MAX;
}

/* One row more than the page has was read: then there is a next one. */
static size_t page_shown(const struct view_page *page, size_t n)
{
    return (int64_t)n > page_limit(page) ? (size_t)page_limit(page) : n;
}

static size_t end_page(const struct view *v, const struct view_page *page, size_t n,
                       struct value *map, const char *name, struct value *list)
{
    value_set(v->a, map, str_from_c(name), list);
    return page_shown(page, n);
}

static void set_next(const struct view *v, struct value *map, size_t n_shown, size_t n,
                     int64_t number, struct str key)
{
    if (n_shown < n)
        value_set_text(v->a, map, S("next"),
                       str_fmt(v->a, "%lld-%.*s", (long long)number, STR_ARG(key)));
}

int view_environments(const struct view *v, const struct view_page *page, struct value **ret,
                      struct err *err)
{
    struct value *map = value_map(v->a);
    const struct str scope = v->scope ? json_format(v->a, v->scope) : S("null");
    struct rec_environment *rows;
    struct map maps;
    struct cursor from;
    size_t n, n_shown;

    if (read_cursor(page->cursor, &from, err) ||
        DB_SELECT(v->db, v->a, environment,
                  "WHERE deleted_ms IS NULL AND name > $1 AND ($2 = 'null' OR EXISTS (SELECT 1"
                  " FROM json_each($2) AS s WHERE name GLOB s.value)) ORDER BY name LIMIT $3",
                  &rows, &n, err, DB_T(from.key), DB_T(scope), DB_I(page_limit(page) + 1)))
        return err->code;
    n_shown = page_shown(page, n);
    if (view_environment_rows(v, rows, n_shown, &maps, err) ||
        view_set_newest_of(v, rows, n_shown, &maps, err))
        return err->code;
    value_set(v->a, map, S("environments"), view_list_of(v, &maps));
    if (n_shown)
        set_next(v, map, n_shown, n, 0, rows[n_shown - 1].name);
    *ret = map;
    return arena_status(v->a, err);
}

int view_plans(const struct view *v, struct str name, const struct view_page *page,
               struct value **ret, struct err *err)
{
    struct value *map = value_map(v->a), *list = value_list(v->a), *one = NULL;
    struct rec_environment env;
    struct digest after = { { 0 } };
    struct rec_plan *rows;
    struct cursor from;
    size_t n, n_shown;

    if (view_find_environment(v, name, &env, err) || read_cursor(page->cursor, &from, err))
        return err->code;
    (void)digest_from_hex(from.key, &after); /* of the first page: none */
    if (DB_SELECT(v->db, v->a, plan,
                  "WHERE env = $1 AND (made_seq < $2 OR (made_seq = $2 AND id > $3)) "
                  "ORDER BY made_seq DESC, id LIMIT $4",
                  &rows, &n, err, DB_T(env.uid), DB_I(from.number), DB_D(&after),
                  DB_I(page_limit(page) + 1)))
        return err->code;
    n_shown = end_page(v, page, n, map, "plans", list);
    for (size_t i = 0; i < n_shown; i++) {
        if (view_plan_head(v, &rows[i], &one, err))
            return err->code;
        value_add(v->a, list, one);
    }
    if (n_shown)
        set_next(v, map, n_shown, n, rows[n_shown - 1].made_seq,
                 digest_hex(v->a, &rows[n_shown - 1].id));
    *ret = map;
    return arena_status(v->a, err);
}

int view_operations(const struct view *v, struct str name, const struct view_page *page,
                    struct value **ret, struct err *err)
{
    struct value *map = value_map(v->a), *list = value_list(v->a);
    struct rec_environment env;
    struct rec_operation *rows;
    struct cursor from;
    size_t n, n_shown;

    if (view_find_environment(v, name, &env, err) || read_cursor(page->cursor, &from, err) ||
        DB_SELECT(v->db, v->a, operation,
                  "WHERE env = $1 AND (intent_ms < $2 OR (intent_ms = $2 AND uid > $3)) "
                  "ORDER BY intent_ms DESC, uid LIMIT $4",
                  &rows, &n, err, DB_T(env.uid), DB_I(from.number), DB_T(from.key),
                  DB_I(page_limit(page) + 1)))
        return err->code;
    n_shown = end_page(v, page, n, map, "operations", list);
    for (size_t i = 0; i < n_shown; i++)
        value_add(v->a, list, view_operation(v, &rows[i]));
    if (n_shown)
        set_next(v, map, n_shown, n, rows[n_shown - 1].intent_ms, rows[n_shown - 1].uid);
    *ret = map;
    return arena_status(v->a, err);
}

int view_rollouts(const struct view *v, struct str name, const struct view_page *page,
                  struct value **ret, struct err *err)
{
    struct value *map = value_map(v->a), *list = value_list(v->a), *one = NULL;
    struct rec_environment env;
    struct rec_rollout *rows;
    struct cursor from;
    size_t n, n_shown;

    if (view_find_environment(v, name, &env, err) || read_cursor(page->cursor, &from, err) ||
        DB_SELECT(v->db, v->a, rollout,
                  "WHERE env = $1 AND (began_seq < $2 OR (began_seq = $2 AND uid > $3)) "
                  "ORDER BY began_seq DESC, uid LIMIT $4",
                  &rows, &n, err, DB_T(env.uid), DB_I(from.number), DB_T(from.key),
                  DB_I(page_limit(page) + 1)))
        return err->code;
    n_shown = end_page(v, page, n, map, "rollouts", list);
    for (size_t i = 0; i < n_shown; i++) {
        if (view_rollout_past(v, &rows[i], &one, err))
            return err->code;
        value_add(v->a, list, one);
    }
    if (n_shown)
        set_next(v, map, n_shown, n, rows[n_shown - 1].began_seq, rows[n_shown - 1].uid);
    *ret = map;
    return arena_status(v->a, err);
}

int view_revisions(const struct view *v, struct str name, const struct view_page *page,
                   struct value **ret, struct err *err)
{
    struct value *map = value_map(v->a), *list = value_list(v->a), *one = NULL;
    struct rec_environment env;
    struct rec_revision *rows;
    struct cursor from;
    size_t n, n_shown;

    if (view_find_environment(v, name, &env, err) || read_cursor(page->cursor, &from, err) ||
        DB_SELECT(v->db, v->a, revision, "WHERE env = $1 AND n < $2 ORDER BY n DESC LIMIT $3",
                  &rows, &n, err, DB_T(env.uid), DB_I(from.number), DB_I(page_limit(page) + 1)))
        return err->code;
    n_shown = end_page(v, page, n, map, "revisions", list);
    for (size_t i = 0; i < n_shown; i++) {
        if (view_revision(v, env.uid, &rows[i].digest, INT64_MAX, &one, err))
            return err->code;
        value_add(v->a, list, one);
    }
    if (n_shown)
        set_next(v, map, n_shown, n, rows[n_shown - 1].n, S(""));
    *ret = map;
    return arena_status(v->a, err);
}

/* --- parts of an environment --------------------------------------------------------------------- */

int view_jobs(const struct view *v, struct str name, struct value **ret, struct err *err)
{
    struct value *map = value_map(v->a);
    struct rec_environment env;

    if (view_find_environment(v, name, &env, err) || view_jobs_set(v, map, env.uid, err))
        return err->code;
    *ret = map;
    return arena_status(v->a, err);
}

int view_stops(const struct view *v, struct str name, enum view_stop which, struct value **ret,
               struct err *err)
{
    struct value *map = value_map(v->a), *list;
    struct rec_environment env;

    if (view_find_environment(v, name, &env, err) ||
        (which == VIEW_HOLDS ? view_holds(v, env.uid, &list, err)
                             : view_quarantine(v, env.uid, &list, err)))
        return err->code;
    value_set(v->a, map, which == VIEW_HOLDS ? S("holds") : S("quarantine"), list);
    *ret = map;
    return arena_status(v->a, err);
}
