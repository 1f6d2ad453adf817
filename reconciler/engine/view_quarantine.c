/* What is not tried again, which commit it was, and who or what decided that. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/render.h"
#include "reconciler/engine/view_rows.h"
#include "state/events.h"

/* What a person wrote when they went back: the note of the last command before the plan began. */
static int find_note(const struct view *v, const struct rec_plan *plan, struct str *ret,
                     struct err *err)
{
    const struct event_query q = { .before_seq = plan->started_seq,
                                   .env = plan->env,
                                   .kind_prefix = str_fmt(v->a, "command.%.*s",
                                                          STR_ARG(plan->cause)),
                                   .newest_first = 1,
                                   .with_body = 1,
                                   .limit = 1 };
    struct value *body;
    struct event *event;
    size_t n;
    int rc = events_list(v->db, v->a, &q, &event, &n, err);

    *ret = S("");
    if (!rc && n && !json_parse(v->a, event->body, VIEW_JSON_MAX, &body, &(struct err){ 0 }))
        *ret = value_get_text(value_get(body, S("notes")), S("reason"), S(""));
    return rc;
}

/* The revision that went wrong; of a plan that goes back, the one it leaves. */
static int find_culprit(const struct view *v, const struct rec_quarantine *row,
                        struct value **ret_revision, struct str *ret_why, struct err *err)
{
    struct rec_rollout rollout = { .uid = row->rollout };
    struct str note = S("");
    struct rec_plan plan;
    int rc, is_back;

    *ret_revision = NULL;
    *ret_why = row->reason;
    rc = row->rollout.n ? db_get(v->db, v->a, REC_rollout, &rollout, err) : ERR_NOT_FOUND;
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    plan = (struct rec_plan){ .id = rollout.plan };
    rc = db_get(v->db, v->a, REC_plan, &plan, err);
    if (rc)
        return rc;
    is_back = str_eq_c(plan.cause, "undo") || str_eq_c(plan.cause, "rollback");
    if (is_back && plan.started_seq != REC_NONE)
        rc = find_note(v, &plan, &note, err);
    if (is_back)
        *ret_why = str_fmt(v->a, "%.*s by %.*s%s%.*s", STR_ARG(plan.cause), STR_ARG(plan.actor),
                           note.n ? ": " : "", STR_ARG(note));
    return rc ? rc
              : view_revision(v, row->env, is_back ? &rollout.from_rev : &rollout.to_rev, INT64_MAX,
                              ret_revision, err);
}

static int quarantine_view(const struct view *v, const struct rec_quarantine *row,
                           struct value **ret, struct err *err)
{
    struct value *one = value_map(v->a), *revision;
    const struct value *commit;
    struct str what = row->culprit, why;
    int rc = find_culprit(v, row, &revision, &why, err);

    if (rc)
        return rc;
    commit = value_item(value_get(revision, S("commits")), 0);
    if (value_get(revision, S("revision")))
        what = str_fmt(v->a, "revision %lld", (long long)value_get_int(revision, S("revision"), 0));
    if (commit)
        what = str_fmt(v->a, "%.*s (%.*s \"%.*s\")", STR_ARG(what),
                       STR_ARG(render_short(value_get_text(commit, S("commit"), S("")))),
                       STR_ARG(value_get_text(commit, S("summary"), S(""))));
    value_set_text(v->a, one, S("culprit"), row->culprit);
    value_set_text(v->a, one, S("reason"), why);
    value_set_text(v->a, one, S("text"),
                   str_fmt(v->a, "%.*s is quarantined: %.*s", STR_ARG(what), STR_ARG(why)));
    view_set_digest(v, one, "group", &row->group_digest);
    view_set_int(v, one, "until_ms", row->until_ms);
    if (revision)
        value_set(v->a, one, S("revision"), revision);
    *ret = one;
    return 0;
}

int view_quarantine(const struct view *v, struct str env, struct value **ret, struct err *err)
{
    struct value *list = value_list(v->a), *one;
    struct rec_quarantine *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, quarantine,
                       "WHERE env = $1 AND lifted_by IS NULL ORDER BY culprit, group_digest", &rows,
                       &n, err, DB_T(env));

    for (size_t i = 0; !rc && i < n; i++) {
        if (rows[i].until_ms != REC_NONE && rows[i].until_ms <= v->now_ms)
            continue;
        rc = quarantine_view(v, &rows[i], &one, err);
        if (!rc)
            value_add(v->a, list, one);
    }
    if (!rc)
        *ret = list;
    return rc;
}
