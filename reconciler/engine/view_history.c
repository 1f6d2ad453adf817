/* What happened. SPDX-License-Identifier: Apache-2.0 */
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
                                 .without_steps = in->without_steps,
                                 .limit = in->limit > 0 ? in->limit : HISTORY_LIMIT };
    if (ret->limit > EVENTS_PAGE_MAX)
        ret->limit = EVENTS_PAGE_MAX;
    if (in->cursor.n &&
        str_to_i64(in->cursor, in->newest_first ? &ret->before_seq : &ret->after_seq))
        return err_set(err, ERR_USAGE, "'cursor' is not what an answer gave as 'next'");
    return 0;
}

static int is_kind(struct str word)
{
    for (size_t i = 0; i < word.n; i++)
        if ((word.p[i] < 'a' || word.p[i] > 'z') && word.p[i] != '_')
            return 0;
    return word.n > 0;
}

static int history_of_resource(struct str text, struct event_query *q, struct err *err)
{
    size_t slash = str_find_char(text, '/');

    if (!text.n)
        return 0;
    if (slash == STR_NPOS || slash + 1 == text.n || !is_kind(str_slice(text, 0, slash)))
        return err_set(err, ERR_USAGE, "'%.*s' is not KIND/NAME", STR_ARG(text));
    q->resource_kind = str_slice(text, 0, slash);
    q->resource_name = str_slice(text, slash + 1, text.n);
    return 0;
}

/* The plans that were to bring the commit into an environment, and what names it. */
static int mention_commit(const struct view *v, struct str commit, struct value *list,
                          struct err *err)
{
    struct rec_plan *plans;
    size_t n = 0;
    int rc;

    if (commit.n < VIEW_PREFIX_MIN)
        return err_set(err, ERR_USAGE, "'%.*s' is not a commit (at least %d hex digits)",
                       STR_ARG(commit), VIEW_PREFIX_MIN);
    value_add(v->a, list, value_text(v->a, str_fmt(v->a, "\"%.*s", STR_ARG(commit))));
    rc = DB_SELECT(v->db, v->a, plan,
                   "WHERE EXISTS (SELECT 1 FROM revision_commits c WHERE c.env = plans.env"
                   " AND c.digest = plans.target"
                   " AND substr(c.commit_id, 1, length($1)) = $1) ORDER BY id",
                   &plans, &n, err, DB_T(commit));
    for (size_t i = 0; !rc && i < n; i++)
        value_add(v->a, list, value_text(v->a, digest_hex(v->a, &plans[i].id)));
    return rc;
}

/* What lies out of scope is not there. */
static int mention_plan(const struct view *v, struct str id, struct value *list, struct err *err)
{
    struct rec_environment env = { 0 };
    struct rec_plan plan;
    int rc = view_find_plan(v, id, &plan, err);

    if (rc)
        return rc;
    env.uid = plan.env;
    if (v->scope) {
        rc = db_get(v->db, v->a, REC_environment, &env, err);
        if (rc || !scope_has(v->scope, env.name))
            return err_set(err, ERR_NOT_FOUND, "no plan '%.*s'", STR_ARG(id));
    }
    value_add(v->a, list, value_text(v->a, digest_hex(v->a, &plan.id)));
    return 0;
}

static int history_about(const struct view *v, const struct view_history *in, struct event_query *q,
                         struct err *err)
{
    struct value *list = value_list(v->a);

    if (in->plan.n && in->commit.n)
        return err_set(err, ERR_USAGE, "of a plan or of a commit, not of both");
    if ((in->plan.n && mention_plan(v, in->plan, list, err)) ||
        (in->commit.n && mention_commit(v, in->commit, list, err)))
        return err->code;
    if (in->mark.n)
        value_add(v->a, list, value_text(v->a, in->mark));
    if (value_count(list))
        q->mentions = json_format(v->a, list);
    return history_of_resource(in->resource, q, err);
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

/* What looks into bodies does not find what is in none any more. */
static int set_kept(const struct view *v, struct value *map, const struct event_query *q,
                    struct err *err)
{
    int64_t seq = 0, since_ms = 0;

    if ((q->resource_kind.n || q->mentions.p) && events_kept_since(v->db, &seq, &since_ms, err))
        return err->code;
    if (seq)
        value_set_int(v->a, map, S("kept_since_ms"), since_ms);
    return 0;
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
    if (!rc)
        rc = history_about(v, in, &q, err);
    map_init(&names.by_uid, v->a);
    if (!rc)
        rc = events_list(v->db, v->a, &q, &events, &n, err);
    for (size_t i = 0; !rc && i < n; i++)
        rc = history_event(v, in, &names, &events[i], list, err);
    if (!rc)
        rc = set_kept(v, map, &q, err);
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
