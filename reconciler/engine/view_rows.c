/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/view_rows.h"

#include "reconciler/core/scope.h"
#include "state/events.h"
#include "state/plans.h"

#define NEAR_MAX 3

/* The living one whose name is nearest, or "". */
static int nearest_environment(const struct view *v, struct str name, struct str *ret,
                               struct err *err)
{
    struct rec_environment *rows;
    size_t n, best = NEAR_MAX;
    int rc = DB_SELECT(v->db, v->a, environment,
                       "WHERE deleted_ms IS NULL ORDER BY name LIMIT 1000", &rows, &n, err);

    *ret = S("");
    for (size_t i = 0; !rc && i < n; i++) {
        size_t d = str_distance(name, rows[i].name, best);

        if (d < best && d < rows[i].name.n && scope_has(v->scope, rows[i].name)) {
            best = d;
            *ret = rows[i].name;
        }
    }
    return rc;
}

/* The living one, by its index; else the last that had the name. */
static int environment_named(const struct view *v, struct str name, struct rec_environment **ret,
                             size_t *ret_n, struct err *err)
{
    int rc = DB_SELECT(v->db, v->a, environment, "WHERE name = $1 AND deleted_ms IS NULL", ret,
                       ret_n, err, DB_T(name));

    if (rc || *ret_n)
        return rc;
    return DB_SELECT(v->db, v->a, environment, "WHERE name = $1 ORDER BY deleted_ms DESC LIMIT 1",
                     ret, ret_n, err, DB_T(name));
}

int view_find_environment(const struct view *v, struct str name, struct rec_environment *ret,
                          struct err *err)
{
    struct str near;
    struct rec_environment *rows;
    size_t n;
    int rc = environment_named(v, name, &rows, &n, err);

    if (rc)
        return rc;
    n = scope_has(v->scope, name) ? n : 0;
    if (!n && nearest_environment(v, name, &near, err))
        return err->code;
    if (!n)
        return err_set(err, ERR_NOT_FOUND, "no environment '%.*s'%s%.*s%s", STR_ARG(name),
                       near.n ? ": did you mean '" : "", STR_ARG(near), near.n ? "'?" : "");
    *ret = rows[0];
    return 0;
}

/* The lowest or highest digest that begins so. */
static int pad_prefix(struct str prefix, char with, struct digest *ret)
{
    char hex[2 * DIGEST_BYTES];

    for (size_t i = 0; i < sizeof(hex); i++)
        hex[i] = i < prefix.n ? prefix.p[i] : with;
    return digest_from_hex((struct str){ hex, sizeof(hex) }, ret);
}

int view_find_plan(const struct view *v, struct str id, struct rec_plan *ret, struct err *err)
{
    struct digest low, high;
    struct rec_plan *rows;
    size_t n;
    int rc;

    if (id.n < VIEW_PREFIX_MIN || id.n > 2 * DIGEST_BYTES || pad_prefix(id, '0', &low) ||
        pad_prefix(id, 'f', &high))
        return err_set(err, ERR_INVALID, "'%.*s' is not a plan id (at least %d hex digits)",
                       STR_ARG(id), VIEW_PREFIX_MIN);
    rc = DB_SELECT(v->db, v->a, plan, "WHERE id >= $1 AND id <= $2 LIMIT 2", &rows, &n, err,
                   DB_D(&low), DB_D(&high));
    if (rc)
        return rc;
    if (!n)
        return err_set(err, ERR_NOT_FOUND, "no plan '%.*s'", STR_ARG(id));
    if (n > 1)
        return err_set(err, ERR_CONFLICT, "several plans begin with '%.*s': give more digits",
                       STR_ARG(id));
    *ret = rows[0];
    return 0;
}

int view_time_of(const struct view *v, int64_t seq, int64_t *ret, struct err *err)
{
    struct event_query q = { .limit = 1 };
    struct event *event;
    size_t n = 0;
    int rc = 0;

    if (seq > 0) {
        q.after_seq = seq - 1;
        q.before_seq = seq + 1;
        rc = events_list(v->db, v->a, &q, &event, &n, err);
    }
    if (!rc)
        *ret = n ? event->time_ms : 0;
    return rc;
}

void view_set(const struct view *v, struct value *map, const char *key, struct str text)
{
    if (text.n)
        value_set_text(v->a, map, str_from_c(key), text);
}

void view_set_int(const struct view *v, struct value *map, const char *key, int64_t number)
{
    if (number != REC_NONE)
        value_set_int(v->a, map, str_from_c(key), number);
}

void view_set_digest(const struct view *v, struct value *map, const char *key,
                     const struct digest *d)
{
    if (!digest_is_none(d))
        value_set_text(v->a, map, str_from_c(key), digest_hex(v->a, d));
}

int view_set_time(const struct view *v, struct value *map, const char *key, int64_t seq,
                  struct err *err)
{
    int64_t time_ms;
    int rc = view_time_of(v, seq, &time_ms, err);

    if (!rc && time_ms)
        value_set_int(v->a, map, str_from_c(key), time_ms);
    return rc;
}

void view_set_json(const struct view *v, struct value *map, const char *key, struct str json)
{
    struct err err = ERR_INIT;
    struct value *parsed;

    if (json.n && !json_parse(v->a, json, VIEW_JSON_MAX, &parsed, &err))
        value_set(v->a, map, str_from_c(key), parsed);
}

int view_revision(const struct view *v, struct str env, const struct digest *d, int64_t seq,
                  struct value **ret, struct err *err)
{
    struct rec_revision rev = { .env = env, .digest = *d };
    struct value *map = value_map(v->a), *commits = value_list(v->a);
    struct rec_revision_commit *rows;
    size_t n;
    int rc;

    *ret = map;
    if (digest_is_none(d))
        return 0;
    view_set_digest(v, map, "digest", d);
    rc = db_get(v->db, v->a, REC_revision, &rev, err);
    if (rc == ERR_NOT_FOUND)
        return 0; /* named by a plan that was never begun */
    if (!rc)
        rc = DB_SELECT(v->db, v->a, revision_commit,
                       "WHERE env = $1 AND digest = $2 AND seen_seq <= $3 "
                       "ORDER BY seen_seq DESC LIMIT 20",
                       &rows, &n, err, DB_T(env), DB_D(d), DB_I(seq));
    if (rc)
        return rc;
    value_set_int(v->a, map, S("revision"), rev.n);
    value_set(v->a, map, S("proven"), value_bool(v->a, rev.proven_seq != REC_NONE));
    for (size_t i = 0; i < n; i++) {
        struct value *one = value_map(v->a);

        value_set_text(v->a, one, S("commit"), rows[i].commit_id);
        value_set_text(v->a, one, S("author"), rows[i].author);
        value_set_text(v->a, one, S("summary"), rows[i].summary);
        value_add(v->a, commits, one);
    }
    value_set(v->a, map, S("commits"), commits);
    return view_set_time(v, map, "made_ms", rev.made_seq, err);
}

struct value *view_operation(const struct view *v, const struct rec_operation *op)
{
    struct value *map = value_map(v->a);

    value_set_text(v->a, map, S("uid"), op->uid);
    value_set_int(v->a, map, S("item"), op->item);
    value_set_int(v->a, map, S("step"), op->step);
    value_set_text(v->a, map, S("kind"), op->kind);
    value_set_text(v->a, map, S("name"), op->name);
    value_set_text(v->a, map, S("action"), op->action);
    value_set_text(v->a, map, S("phase"), op->phase);
    value_set_int(v->a, map, S("attempt"), op->attempt);
    view_set(v, map, "outcome", op->outcome);
    view_set(v, map, "provider", op->provider);
    view_set(v, map, "provider_id", op->provider_id);
    view_set(v, map, "verdict", op->verdict);
    view_set(v, map, "acted", op->acted);
    view_set(v, map, "message", op->message);
    view_set_int(v, map, "intent_ms", op->intent_ms);
    view_set_int(v, map, "not_before_ms", op->not_before_ms);
    view_set_int(v, map, "poll_at_ms", op->poll_at_ms);
    return map;
}

int view_plan_head(const struct view *v, const struct rec_plan *plan, struct value **ret,
                   struct err *err)
{
    struct value *map = value_map(v->a);
    int rc;

    view_set_digest(v, map, "id", &plan->id);
    value_set_text(v->a, map, S("state"), plan->state);
    value_set_text(v->a, map, S("reason"), plan->reason);
    value_set_text(v->a, map, S("cause"), plan->cause);
    view_set(v, map, "actor", plan->actor);
    view_set_int(v, map, "expires_ms", plan->expires_ms);
    view_set_digest(v, map, "superseded_by", &plan->superseded_by);
    rc = view_set_time(v, map, "made_ms", plan->made_seq, err);
    if (!rc)
        rc = view_set_time(v, map, "started_ms", plan->started_seq, err);
    if (!rc)
        rc = view_set_time(v, map, "ended_ms", plan->ended_seq, err);
    *ret = map;
    return rc;
}

int view_holds(const struct view *v, struct str env, struct value **ret, struct err *err)
{
    struct value *list = value_list(v->a);
    struct rec_hold *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, hold, "WHERE env = $1 AND ended_seq IS NULL ORDER BY uid",
                       &rows, &n, err, DB_T(env));

    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++) {
        struct value *one = value_map(v->a);

        if (rows[i].until_ms != REC_NONE && rows[i].until_ms <= v->now_ms)
            continue;
        value_set_text(v->a, one, S("uid"), rows[i].uid);
        view_set(v, one, "service", rows[i].service);
        value_set_text(v->a, one, S("actor"), rows[i].actor);
        value_set_text(v->a, one, S("reason"), rows[i].reason);
        view_set_int(v, one, "until_ms", rows[i].until_ms);
        value_add(v->a, list, one);
    }
    *ret = list;
    return 0;
}

int view_clock(const struct view *v, const struct value **ret, struct err *err)
{
    struct value *row, *clock;
    struct str text;

    *ret = NULL;
    if (db_meta(v->db, v->a, S("clock"), &text, err))
        return err->code;
    if (!text.n)
        return 0;
    if (json_parse(v->a, text, VIEW_JSON_MAX, &row, err))
        return err->code;
    if (!value_get_bool(row, S("suspect"), 0))
        return 0;
    clock = value_map(v->a);
    value_set_int(v->a, clock, S("due_ms"), value_get_int(row, S("due_ms"), 0));
    value_set_int(v->a, clock, S("stepped_ms"), value_get_int(row, S("stepped_ms"), 0));
    *ret = clock;
    return 0;
}

int view_open_plan(const struct view *v, struct str env, struct rec_plan *ret, struct err *err)
{
    struct rec_plan *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, plan,
                       "WHERE env = $1 AND " PLANS_UNFINISHED
                       " ORDER BY cause IN ('repair', 'drift'), made_seq DESC LIMIT 1",
                       &rows, &n, err, DB_T(env));

    if (rc)
        return rc;
    *ret = n ? rows[0] : (struct rec_plan){ .env = S("") };
    return 0;
}
