/* What happened, what was, and whether the record of it holds. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "base/map.h"
#include "reconciler/core/scope.h"
#include "reconciler/engine/view_rows.h"
#include "state/events.h"

#define HISTORY_LIMIT 100

/* Names of environments by uid, read once an answer. */
struct env_names {
    struct map by_uid;
};

static int env_name(const struct view *v, struct env_names *names, struct str uid, struct str *ret,
                    struct err *err)
{
    struct rec_environment *env = map_find(&names->by_uid, uid);
    int rc = 0;

    if (!env) {
        env = arena_new(v->a, struct rec_environment);
        if (!env)
            return arena_status(v->a, err);
        env->uid = uid;
        rc = db_get(v->db, v->a, REC_environment, env, err);
        if (rc == ERR_NOT_FOUND)
            env->name = uid;
        else if (rc)
            return rc;
        map_put(&names->by_uid, uid, env);
    }
    *ret = env->name;
    return 0;
}

/* What somebody or something gave as the reason, of the rows that an event wrote. */
static struct str find_why(const struct value *body)
{
    static const struct {
        const char *rows, *member;
    } places[] = {
        { "plans", "reason" },      { "rollouts", "reason" },     { "holds", "reason" },
        { "quarantine", "reason" }, { "environments", "reason" }, { "operations", "message" },
        { "sources", "error" },     { "heads", "error" },
    };
    struct str why = value_get_text(value_get(body, S("notes")), S("reason"), S(""));

    for (size_t i = 0; !why.n && i < N_ELEMENTS(places); i++)
        why = value_get_text(
            value_item(value_get(value_get(body, S("rows")), str_from_c(places[i].rows)), 0),
            str_from_c(places[i].member), S(""));
    return why;
}

static int history_event(const struct view *v, const struct view_history *in,
                         struct env_names *names, const struct event *e, struct value *list,
                         struct err *err)
{
    struct value *one = value_map(v->a), *body = NULL;
    struct str name = S("");
    int rc = e->env.n ? env_name(v, names, e->env, &name, err) : 0;

    if (rc)
        return rc;
    value_set_int(v->a, one, S("seq"), e->seq);
    value_set_int(v->a, one, S("time_ms"), e->time_ms);
    value_set_text(v->a, one, S("actor"), e->actor);
    value_set_text(v->a, one, S("kind"), e->kind);
    value_set_text(v->a, one, S("subject"), e->subject);
    view_set(v, one, "cause", e->cause);
    view_set(v, one, "environment", name);
    view_set_digest(v, one, "hash", &e->hash);
    if (e->body.n && !json_parse(v->a, e->body, VIEW_JSON_MAX, &body, &(struct err){ 0 })) {
        view_set(v, one, "why", find_why(body));
        if (in->with_body)
            value_set(v->a, one, S("body"), body);
    }
    value_add(v->a, list, one);
    return 0;
}

static int history_query(const struct view_history *in, struct event_query *ret, struct err *err)
{
    *ret = (struct event_query){ .after_seq = in->after,
                                 .before_seq = in->before,
                                 .from_ms = in->from_ms,
                                 .to_ms = in->to_ms,
                                 .kind_prefix = in->kind,
                                 .subject = in->subject,
                                 .actor = in->actor,
                                 .newest_first = in->newest_first,
                                 .with_body = 1, /* it says why */
                                 .limit = in->limit > 0 ? in->limit : HISTORY_LIMIT };
    if (ret->limit > EVENTS_PAGE_MAX)
        ret->limit = EVENTS_PAGE_MAX;
    if (in->cursor.n &&
        str_to_i64(in->cursor, in->newest_first ? &ret->before_seq : &ret->after_seq))
        return err_set(err, ERR_USAGE, "'cursor' is not what an answer gave as 'next'");
    return 0;
}

/* Of one environment, or of those in scope, whether they are still there or not. */
static int history_of(const struct view *v, struct str name, struct event_query *q, struct err *err)
{
    struct value *uids = value_list(v->a);
    struct rec_environment env = { 0 }, *rows;
    size_t n = 0;
    int rc;

    if (name.n) {
        rc = view_find_environment(v, name, &env, err);
        q->env = env.uid;
        return rc;
    }
    if (!v->scope)
        return 0;
    rc = DB_SELECT(v->db, v->a, environment, "ORDER BY uid", &rows, &n, err);
    for (size_t i = 0; !rc && i < n; i++)
        if (scope_has(v->scope, rows[i].name))
            value_add(v->a, uids, value_text(v->a, rows[i].uid));
    q->envs = json_format(v->a, uids);
    return rc;
}

int view_history(const struct view *v, const struct view_history *in, struct value **ret,
                 struct err *err)
{
    struct value *map = value_map(v->a), *list = value_list(v->a);
    struct env_names names;
    struct event_query q;
    struct event *events;
    size_t n = 0;
    int rc = history_query(in, &q, err);

    if (!rc)
        rc = history_of(v, in->env, &q, err);
    map_init(&names.by_uid, v->a);
    if (!rc)
        rc = events_list(v->db, v->a, &q, &events, &n, err);
    for (size_t i = 0; !rc && i < n; i++)
        rc = history_event(v, in, &names, &events[i], list, err);
    if (rc)
        return rc;
    value_set(v->a, map, S("events"), list);
    value_set(v->a, map, S("more"), value_bool(v->a, (int64_t)n == q.limit));
    if (n)
        value_set_int(v->a, map, S("last"), events[n - 1].seq);
    if (n && (int64_t)n == q.limit)
        value_set_text(v->a, map, S("next"), str_fmt(v->a, "%lld", (long long)events[n - 1].seq));
    *ret = map;
    return arena_status(v->a, err);
}

/* --- at a time ----------------------------------------------------------------------------------- */

static int set_resources_at(const struct view *v, struct value *map, struct str env, int64_t seq,
                            struct err *err)
{
    struct value *list = value_list(v->a);
    struct rec_resource *rows;
    size_t n;
    int rc = DB_SELECT(
        v->db, v->a, resource,
        "WHERE env = $1 AND valid_from <= $2 AND (valid_to IS NULL OR valid_to > $2) "
        "AND status <> 'gone' ORDER BY kind, name LIMIT 1000",
        &rows, &n, err, DB_T(env), DB_I(seq));

    for (size_t i = 0; !rc && i < n; i++) {
        struct value *one = value_map(v->a);
        struct str desired;

        value_set_text(v->a, one, S("name"),
                       str_fmt(v->a, "%.*s/%.*s", STR_ARG(rows[i].kind), STR_ARG(rows[i].name)));
        value_set_text(v->a, one, S("status"), rows[i].status);
        view_set(v, one, "provider", rows[i].provider);
        view_set(v, one, "provider_id", rows[i].provider_id);
        view_set_digest(v, one, "digest", &rows[i].desired);
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

/* The plan whose effect stood then: the last one begun before. */
static int set_plan_at(const struct view *v, struct value *map, struct str env, int64_t seq,
                       struct err *err)
{
    struct value *head, *revision, *list = value_list(v->a);
    struct rec_decision *decisions;
    struct rec_plan *plans;
    size_t n, n_decisions = 0;
    int rc = DB_SELECT(v->db, v->a, plan,
                       "WHERE env = $1 AND started_seq <= $2 ORDER BY started_seq DESC LIMIT 1",
                       &plans, &n, err, DB_T(env), DB_I(seq));

    if (rc || !n)
        return rc;
    rc = view_plan_head(v, &plans[0], &head, err);
    if (!rc)
        rc = view_revision(v, env, &plans[0].target, seq, &revision, err);
    if (!rc)
        rc = DB_SELECT(v->db, v->a, decision, "WHERE plan = $1 AND at_seq <= $2 ORDER BY at_seq",
                       &decisions, &n_decisions, err, DB_D(&plans[0].id), DB_I(seq));
    for (size_t i = 0; !rc && i < n_decisions; i++) {
        struct value *one = value_map(v->a);

        value_set_text(v->a, one, S("actor"), decisions[i].actor);
        value_set_text(v->a, one, S("verdict"), decisions[i].verdict);
        value_set_text(v->a, one, S("reason"), decisions[i].reason);
        rc = view_set_time(v, one, "at_ms", decisions[i].at_seq, err);
        value_add(v->a, list, one);
    }
    if (rc)
        return rc;
    value_set(v->a, head, S("decisions"), list);
    value_set(v->a, map, S("plan"), head);
    value_set(v->a, map, S("revision"), revision);
    return 0;
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
    if (rc)
        return rc;
    value_set_text(v->a, map, S("environment"), env.name);
    value_set_int(v->a, map, S("at_ms"), at_ms);
    value_set_int(v->a, map, S("seq"), seq);
    *ret = map;
    return arena_status(v->a, err);
}
