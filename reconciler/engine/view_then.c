/* What was at an instant, and what differs between two. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/view_rows.h"
#include "state/events.h"

static int resources_then(const struct view *v, struct str env, int64_t seq,
                          struct rec_resource **ret, size_t *ret_n, struct err *err)
{
    return DB_SELECT(v->db, v->a, resource,
                     "WHERE env = $1 AND valid_from <= $2 AND (valid_to IS NULL OR valid_to > $2) "
                     "AND status <> 'gone' ORDER BY kind, name LIMIT 1000",
                     ret, ret_n, err, DB_T(env), DB_I(seq));
}

static struct str resource_name(const struct view *v, const struct rec_resource *row)
{
    return str_fmt(v->a, "%.*s/%.*s", STR_ARG(row->kind), STR_ARG(row->name));
}

static struct value *resource_then(const struct view *v, const struct rec_resource *row)
{
    struct value *one = value_map(v->a);

    value_set_text(v->a, one, S("status"), row->status);
    view_set(v, one, "provider", row->provider);
    view_set(v, one, "provider_id", row->provider_id);
    view_set_digest(v, one, "digest", &row->desired);
    return one;
}

static int set_resources_at(const struct view *v, struct value *map, struct str env, int64_t seq,
                            struct err *err)
{
    struct value *list = value_list(v->a);
    struct rec_resource *rows;
    size_t n = 0;
    int rc = resources_then(v, env, seq, &rows, &n, err);

    for (size_t i = 0; !rc && i < n; i++) {
        struct value *one = resource_then(v, &rows[i]);
        struct str desired;

        value_set_text(v->a, one, S("name"), resource_name(v, &rows[i]));
        if (!digest_is_none(&rows[i].desired)) {
            rc = db_document(v->db, v->a, &rows[i].desired, &desired, err);
            if (!rc)
                view_set_json(v, one, "desired", desired);
        }
        value_add(v->a, list, one);
    }
    value_set(v->a, map, S("resources"), list);
    return rc;
}

/* With what had been decided of it by then. */
static int plan_then(const struct view *v, const struct rec_plan *plan, int64_t seq,
                     struct value **ret, struct err *err)
{
    struct value *head, *list = value_list(v->a);
    struct rec_decision *rows;
    size_t n = 0;
    int rc = view_plan_head(v, plan, &head, err);

    if (!rc)
        rc = DB_SELECT(v->db, v->a, decision, "WHERE plan = $1 AND at_seq <= $2 ORDER BY at_seq",
                       &rows, &n, err, DB_D(&plan->id), DB_I(seq));
    for (size_t i = 0; !rc && i < n; i++) {
        struct value *one = value_map(v->a);

        value_set_text(v->a, one, S("actor"), rows[i].actor);
        value_set_text(v->a, one, S("verdict"), rows[i].verdict);
        value_set_text(v->a, one, S("reason"), rows[i].reason);
        rc = view_set_time(v, one, "at_ms", rows[i].at_seq, err);
        value_add(v->a, list, one);
    }
    if (rc)
        return rc;
    value_set(v->a, head, S("decisions"), list);
    *ret = head;
    return 0;
}

/* The plan whose effect stood then: the last one begun before. */
static int set_plan_at(const struct view *v, struct value *map, struct str env, int64_t seq,
                       struct err *err)
{
    struct value *plan = NULL, *revision = NULL;
    struct rec_plan *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, plan,
                       "WHERE env = $1 AND started_seq <= $2 ORDER BY started_seq DESC LIMIT 1",
                       &rows, &n, err, DB_T(env), DB_I(seq));

    if (rc || !n)
        return rc;
    rc = plan_then(v, &rows[0], seq, &plan, err);
    if (!rc)
        rc = view_revision(v, env, &rows[0].target, seq, &revision, err);
    if (rc)
        return rc;
    value_set(v->a, map, S("plan"), plan);
    value_set(v->a, map, S("revision"), revision);
    return 0;
}

/* Before all: the answer says since when there is anything. */
static int set_begin(const struct view *v, struct value *map, struct err *err)
{
    struct event first;
    int rc = events_get(v->db, v->a, 1, &first, err);

    if (!rc)
        value_set_int(v->a, map, S("begins_ms"), first.time_ms);
    return rc;
}

int view_state_at(const struct view *v, struct str name, int64_t at_ms, struct value **ret,
                  struct err *err)
{
    struct value *map = value_map(v->a);
    struct rec_environment env;
    int64_t seq = 0;
    int rc = view_find_environment(v, name, &env, err);

    if (!rc)
        rc = events_seq_at(v->db, at_ms, &seq, err);
    if (!rc)
        rc = set_resources_at(v, map, env.uid, seq, err);
    if (!rc)
        rc = set_plan_at(v, map, env.uid, seq, err);
    if (!rc && !seq)
        rc = set_begin(v, map, err);
    if (rc)
        return rc;
    value_set_text(v->a, map, S("environment"), env.name);
    value_set_int(v->a, map, S("at_ms"), at_ms);
    value_set_int(v->a, map, S("seq"), seq);
    *ret = map;
    return arena_status(v->a, err);
}

/* --- between two --------------------------------------------------------------------------------- */

struct instant {
    int64_t at_ms, seq;
    struct value *map; /* {at_ms, seq, plan?, revision?} */
    struct rec_resource *rows;
    size_t n;
};

static int look_at(const struct view *v, struct str env, int64_t at_ms, struct instant *ret,
                   struct err *err)
{
    *ret = (struct instant){ .at_ms = at_ms, .map = value_map(v->a) };
    if (events_seq_at(v->db, at_ms, &ret->seq, err) ||
        set_plan_at(v, ret->map, env, ret->seq, err) ||
        resources_then(v, env, ret->seq, &ret->rows, &ret->n, err))
        return err->code;
    value_set_int(v->a, ret->map, S("at_ms"), at_ms);
    value_set_int(v->a, ret->map, S("seq"), ret->seq);
    return 0;
}

static int compare_names(const struct rec_resource *a, const struct rec_resource *b)
{
    int by_kind = str_cmp(a->kind, b->kind);

    return by_kind ? by_kind : str_cmp(a->name, b->name);
}

static int is_same(const struct rec_resource *a, const struct rec_resource *b)
{
    return a->incarnation == b->incarnation && str_eq(a->status, b->status) &&
           str_eq(a->provider_id, b->provider_id) && digest_eq(&a->desired, &b->desired);
}

static void add_change(const struct view *v, struct value *list, const struct rec_resource *was,
                       const struct rec_resource *is)
{
    struct value *one = value_map(v->a);

    if (was && is && is_same(was, is))
        return;
    value_set_text(v->a, one, S("name"), resource_name(v, was ? was : is));
    if (was)
        value_set(v->a, one, S("was"), resource_then(v, was));
    if (is)
        value_set(v->a, one, S("is"), resource_then(v, is));
    value_add(v->a, list, one);
}

/* Both are in the order of their names. */
static struct value *resource_changes(const struct view *v, const struct instant *from,
                                      const struct instant *to)
{
    struct value *list = value_list(v->a);
    size_t i = 0, j = 0;

    while (i < from->n || j < to->n) {
        int order = i == from->n ? 1
                    : j == to->n ? -1
                                 : compare_names(&from->rows[i], &to->rows[j]);

        add_change(v, list, order <= 0 ? &from->rows[i] : NULL, order >= 0 ? &to->rows[j] : NULL);
        i += order <= 0;
        j += order >= 0;
    }
    return list;
}

static int set_plans_between(const struct view *v, struct value *map, struct str env,
                             const struct instant *from, const struct instant *to, struct err *err)
{
    struct value *list = value_list(v->a), *one = NULL;
    struct rec_plan *rows;
    size_t n = 0;
    int rc = DB_SELECT(v->db, v->a, plan,
                       "WHERE env = $1 AND started_seq > $2 AND started_seq <= $3 "
                       "ORDER BY started_seq LIMIT 1000",
                       &rows, &n, err, DB_T(env), DB_I(from->seq), DB_I(to->seq));

    for (size_t i = 0; !rc && i < n; i++) {
        rc = plan_then(v, &rows[i], to->seq, &one, err);
        if (!rc)
            value_add(v->a, list, one);
    }
    value_set(v->a, map, S("plans"), list);
    return rc;
}

/* Where both had a revision, and its documents are still kept. */
static int set_specs(const struct view *v, struct value *map, struct str name,
                     const struct instant *from, const struct instant *to, struct err *err)
{
    struct str old = value_get_text(value_get(from->map, S("revision")), S("digest"), S("")),
               now = value_get_text(value_get(to->map, S("revision")), S("digest"), S(""));
    struct err gone = ERR_INIT;
    struct value *difference;
    int rc = old.n && now.n && !str_eq(old, now) ? view_diff(v, name, old, now, &difference, &gone)
                                                 : ERR_NOT_FOUND;

    if (!rc)
        value_set(v->a, map, S("specs"), difference);
    return rc && rc != ERR_NOT_FOUND ? err_set(err, rc, "%s", gone.text) : 0;
}

int view_changes(const struct view *v, struct str name, int64_t from_ms, int64_t to_ms,
                 struct value **ret, struct err *err)
{
    struct value *map = value_map(v->a);
    struct rec_environment env;
    struct instant from, to;

    if (from_ms > to_ms)
        return err_set(err, ERR_USAGE, "the first instant is after the second");
    if (view_find_environment(v, name, &env, err) || look_at(v, env.uid, from_ms, &from, err) ||
        look_at(v, env.uid, to_ms, &to, err) ||
        set_plans_between(v, map, env.uid, &from, &to, err) ||
        set_specs(v, map, env.name, &from, &to, err))
        return err->code;
    value_set_text(v->a, map, S("environment"), env.name);
    value_set(v->a, map, S("from"), from.map);
    value_set(v->a, map, S("to"), to.map);
    value_set(v->a, map, S("resources"), resource_changes(v, &from, &to));
    *ret = map;
    return arena_status(v->a, err);
}
