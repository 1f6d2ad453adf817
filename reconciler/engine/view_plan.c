/* Plans and what became of them. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/engine/view_rows.h"
#include "specs/json_io.h"
#include "state/events.h"

#define PLAN_JSON_MAX (16u << 20)
#define CAUSE_DIGITS_MIN 8

static int set_decisions(const struct view *v, const struct rec_plan *plan, struct value *map,
                         struct err *err)
{
    struct value *list = value_list(v->a);
    struct rec_decision *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, decision, "WHERE plan = $1 ORDER BY at_seq", &rows, &n, err,
                       DB_D(&plan->id));

    for (size_t i = 0; !rc && i < n; i++) {
        struct value *one = value_map(v->a);

        value_set_text(v->a, one, S("actor"), rows[i].actor);
        value_set_text(v->a, one, S("person"), rows[i].person);
        value_set(v->a, one, S("signed"), value_bool(v->a, rows[i].signature.n != 0));
        value_set_text(v->a, one, S("verdict"), rows[i].verdict);
        value_set_text(v->a, one, S("class"), rows[i].class);
        value_set_text(v->a, one, S("reason"), rows[i].reason);
        rc = view_set_time(v, one, "at_ms", rows[i].at_seq, err);
        value_add(v->a, list, one);
    }
    value_set(v->a, map, S("decisions"), list);
    return rc;
}

/* Who may not approve it, and what is asked of those who do. */
static int set_needs(const struct view *v, const struct rec_plan *plan, struct value *map,
                     struct err *err)
{
    struct value *list = value_list(v->a);
    struct rec_plan_author *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, plan_author, "WHERE plan = $1 ORDER BY mail", &rows, &n, err,
                       DB_D(&plan->id));

    for (size_t i = 0; !rc && i < n; i++) {
        struct value *one = value_map(v->a);

        value_set_text(v->a, one, S("mail"), rows[i].mail);
        value_set_text(v->a, one, S("name"), rows[i].name);
        value_set(v->a, one, S("signed"), value_bool(v->a, rows[i].is_signer != 0));
        value_set_text(v->a, one, S("commit"), rows[i].commit_id);
        value_add(v->a, list, one);
    }
    value_set(v->a, map, S("authors"), list);
    if (plan->needs.p)
        view_set_json(v, map, "needs", plan->needs);
    return rc;
}

static int set_operations(const struct view *v, const struct rec_plan *plan, struct value *map,
                          struct err *err)
{
    struct value *list = value_list(v->a);
    struct rec_operation *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, operation, "WHERE plan = $1 ORDER BY item, uid", &rows, &n, err,
                       DB_D(&plan->id));

    for (size_t i = 0; !rc && i < n; i++)
        value_add(v->a, list, view_operation(v, &rows[i]));
    value_set(v->a, map, S("operations"), list);
    return rc;
}

static int set_rollouts(const struct view *v, const struct rec_plan *plan, struct value *map,
                        struct err *err)
{
    struct value *list = value_list(v->a);
    struct rec_rollout *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, rollout, "WHERE plan = $1 ORDER BY uid", &rows, &n, err,
                       DB_D(&plan->id));

    for (size_t i = 0; !rc && i < n; i++) {
        struct value *one = value_map(v->a);

        value_set_text(v->a, one, S("group"), rows[i].grp);
        value_set_text(v->a, one, S("state"), rows[i].state);
        value_set_int(v->a, one, S("step"), rows[i].step);
        value_set_int(v->a, one, S("lost"), rows[i].lost);
        view_set(v, one, "culprit", rows[i].culprit);
        view_set(v, one, "reason", rows[i].reason);
        view_set_json(v, one, "counters", rows[i].counters);
        value_add(v->a, list, one);
    }
    value_set(v->a, map, S("rollouts"), list);
    return rc;
}

static int set_revisions(const struct view *v, const struct rec_plan *plan,
                         const struct value *document, struct value *map, struct err *err)
{
    struct digest base = { { 0 } };
    struct value *revision;
    int rc;

    (void)digest_from_hex(value_get_text(value_get(document, S("core")), S("base"), S("")),
                          &base); /* absent: the first plan has none */
    rc = view_revision(v, plan->env, &base, INT64_MAX, &revision, err);
    if (rc)
        return rc;
    value_set(v->a, map, S("base"), revision);
    rc = view_revision(v, plan->env, &plan->target, INT64_MAX, &revision, err);
    if (!rc)
        value_set(v->a, map, S("target"), revision);
    return rc;
}

static int set_difference(const struct view *v, const struct rec_plan *plan, struct value *map,
                          struct err *err)
{
    struct value *difference;
    int rc = view_plan_difference(v, plan, &difference, err);

    if (!rc)
        value_set(v->a, map, S("difference"), difference);
    return rc;
}

static int view_plan_row(const struct view *v, const struct rec_plan *plan, struct value **ret,
                         struct err *err)
{
    struct rec_environment env = { .uid = plan->env };
    struct value *map, *document;
    struct str body;
    int rc = view_plan_head(v, plan, &map, err);

    if (!rc)
        rc = db_get(v->db, v->a, REC_environment, &env, err);
    if (!rc)
        rc = db_document(v->db, v->a, &plan->doc, &body, err);
    if (!rc)
        rc = json_parse(v->a, body, PLAN_JSON_MAX, &document, err);
    if (!rc)
        rc = set_revisions(v, plan, document, map, err);
    if (!rc)
        rc = set_decisions(v, plan, map, err);
    if (!rc)
        rc = set_needs(v, plan, map, err);
    if (!rc)
        rc = set_operations(v, plan, map, err);
    if (!rc)
        rc = set_rollouts(v, plan, map, err);
    if (!rc && str_eq_c(plan->state, "superseded"))
        rc = set_difference(v, plan, map, err);
    if (rc)
        return rc;
    value_set_text(v->a, map, S("environment"), env.name);
    value_set_text(v->a, map, S("source"), env.source);
    value_set_text(v->a, map, S("branch"), env.branch);
    value_set(v->a, map, S("document"), document);
    *ret = map;
    return arena_status(v->a, err);
}

int view_plan(const struct view *v, struct str id, struct value **ret, struct err *err)
{
    struct rec_plan plan;
    int rc = view_find_plan(v, id, &plan, err);

    return rc ? rc : view_plan_row(v, &plan, ret, err);
}

int view_plan_of(const struct view *v, struct str name, struct value **ret, struct err *err)
{
    struct rec_environment env;
    struct rec_plan plan, *last;
    size_t n;
    int rc = view_find_environment(v, name, &env, err);

    if (!rc)
        rc = view_open_plan(v, env.uid, &plan, err);
    if (rc)
        return rc;
    if (!plan.env.n) {
        rc = DB_SELECT(v->db, v->a, plan, "WHERE env = $1 ORDER BY made_seq DESC LIMIT 1", &last,
                       &n, err, DB_T(env.uid));
        if (!rc && !n)
            rc = err_set(err, ERR_NOT_FOUND, "environment '%.*s' has no plan yet", STR_ARG(name));
        if (rc)
            return rc;
        plan = last[0];
    }
    return view_plan_row(v, &plan, ret, err);
}

/* --- progress ------------------------------------------------------------------------------------ */

static int is_of_plan(const struct event *e, struct str hex)
{
    struct str id = str_slice(e->cause, 5, SIZE_MAX);

    if (str_starts(e->subject, S("plan/")))
        return str_starts(hex, str_slice(e->subject, 5, SIZE_MAX));
    if (e->subject.n >= CAUSE_DIGITS_MIN && str_starts(hex, e->subject))
        return 1;
    return str_starts(e->cause, S("plan:")) && id.n >= CAUSE_DIGITS_MIN && str_starts(hex, id);
}

static int set_events(const struct view *v, const struct rec_plan *plan, int64_t after_seq,
                      struct value *map, struct err *err)
{
    struct event_query q = { .after_seq = after_seq, .env = plan->env, .limit = EVENTS_PAGE_MAX };
    struct str hex = digest_hex(v->a, &plan->id);
    struct value *list = value_list(v->a);
    struct event *events;
    size_t n;
    int rc;

    if (q.after_seq < plan->made_seq - 1)
        q.after_seq = plan->made_seq - 1;
    rc = events_list(v->db, v->a, &q, &events, &n, err);
    for (size_t i = 0; !rc && i < n; i++) {
        struct value *one = value_map(v->a);

        after_seq = events[i].seq;
        if (!is_of_plan(&events[i], hex))
            continue;
        value_set_int(v->a, one, S("seq"), events[i].seq);
        value_set_int(v->a, one, S("time_ms"), events[i].time_ms);
        value_set_text(v->a, one, S("kind"), events[i].kind);
        value_set_text(v->a, one, S("subject"), events[i].subject);
        value_set_text(v->a, one, S("actor"), events[i].actor);
        value_add(v->a, list, one);
    }
    value_set(v->a, map, S("events"), list);
    value_set_int(v->a, map, S("seq"), after_seq);
    return rc;
}

static int set_gate(const struct view *v, struct value *op, struct str uid, struct err *err)
{
    struct rec_gate gate = { .operation = uid };
    int rc = db_get(v->db, v->a, REC_gate, &gate, err);

    if (rc == ERR_NOT_FOUND)
        return 0;
    if (!rc) {
        value_set_int(v->a, op, S("since_ms"), gate.since_ms);
        value_set_int(v->a, op, S("length_ms"), gate.length_ms);
        view_set_json(v, op, "have", gate.have);
    }
    return rc;
}

static int set_running(const struct view *v, const struct rec_plan *plan, struct value *map,
                       struct err *err)
{
    struct value *running = value_list(v->a), *ended = value_list(v->a);
    struct rec_operation *rows;
    size_t n, n_done = 0;
    int rc = DB_SELECT(v->db, v->a, operation, "WHERE plan = $1 ORDER BY item, uid", &rows, &n, err,
                       DB_D(&plan->id));

    for (size_t i = 0; !rc && i < n; i++) {
        struct value *op;

        if (str_eq_c(rows[i].outcome, "done")) {
            n_done++;
            continue;
        }
        op = view_operation(v, &rows[i]);
        value_add(v->a, rows[i].outcome.n ? ended : running, op);
        if (!rows[i].outcome.n)
            rc = set_gate(v, op, rows[i].uid, err);
    }
    value_set(v->a, map, S("running"), running);
    value_set(v->a, map, S("not_done"), ended);
    value_set_int(v->a, map, S("n_done"), (int64_t)n_done);
    return rc;
}

/* A pause that only a person ends: the environment says what it has come to. */
static int set_pause(const struct view *v, const struct rec_plan *plan, struct value *map,
                     struct err *err)
{
    struct rec_environment env = { .uid = plan->env };

    if (!str_eq_c(plan->state, "applying"))
        return 0;
    if (db_get(v->db, v->a, REC_environment, &env, err))
        return err->code;
    if (str_eq_c(env.sync, "waiting"))
        value_set_text(v->a, map, S("waits"), env.reason);
    return 0;
}

int view_progress(const struct view *v, struct str id, int64_t after_seq, struct value **ret,
                  struct err *err)
{
    struct rec_plan plan;
    struct value *map = NULL;
    int rc = view_find_plan(v, id, &plan, err);

    if (!rc)
        rc = view_plan_head(v, &plan, &map, err);
    if (!rc)
        rc = set_events(v, &plan, after_seq, map, err);
    if (!rc)
        rc = set_running(v, &plan, map, err);
    if (!rc)
        rc = set_rollouts(v, &plan, map, err);
    if (!rc)
        rc = set_pause(v, &plan, map, err);
    if (!rc)
        *ret = map;
    return rc ? rc : arena_status(v->a, err);
}

int view_progress_is_news(const struct value *progress)
{
    static const char *const going[] = { "open", "approved", "applying" };
    struct str state = value_get_text(progress, S("state"), S(""));

    for (size_t i = 0; i < N_ELEMENTS(going); i++)
        if (str_eq_c(state, going[i]))
            return value_count(value_get(progress, S("events"))) > 0;
    return 1;
}
