/* The rows that a mark leaves. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/core/object.h"
#include "reconciler/engine/run.h"
#include "state/rollouts.h"

#define ROLLOUT_FAILURES_MAX 3 /* in a row: then the environment is held for a person */
#define ROLLOUT_LOOK_BACK 20

static struct str name_before(const struct run *r, struct str service)
{
    for (size_t i = 0; i < r->plan.lines.n; i++)
        if (str_eq_c(r->plan.lines.p[i].kind, "service") &&
            str_eq(r->plan.lines.p[i].name, service))
            return r->plan.lines.p[i].from;
    return S("");
}

/* `was`: the name that it had; "": as it was recorded. */
static int rows_record(struct run *r, struct tx *tx, const struct plan_record *record,
                       struct str status, struct str was, struct err *err)
{
    struct arena *a = &r->rows;
    struct rec_resource row;
    struct identity_subject subject = { r->engine->installation, r->plan.env_uid, record->kind,
                                        record->name, 1 };
    int rc = resources_now(r->engine->db, a, r->plan.env_uid, record->kind, record->name, &row,
                           err);

    if (rc == ERR_NOT_FOUND)
        row = (struct rec_resource){ .env = r->plan.env_uid,
                                     .kind = record->kind,
                                     .name = record->name,
                                     .incarnation = 1,
                                     .outputs = S("{}"),
                                     .protect = S(""),
                                     .drift = S("{}"),
                                     .reason = S("") };
    else if (rc)
        return rc;
    if (str_eq_c(row.status, "gone") && !str_eq_c(status, "gone"))
        row.incarnation++;
    subject.incarnation = row.incarnation;
    row.owner = identity_owner(a, &subject);
    row.provider = record->provider;
    row.desired = row.observed = record->desired;
    row.status = status;
    if (was.n || str_eq_c(status, "gone"))
        row.was = was.n ? was : STR_NONE;
    row.turn++;
    return tx_put_resource(tx, &row, err);
}

static int rows_record_group(struct run *r, struct tx *tx, int group, struct str status,
                             struct err *err)
{
    const struct plan_group *g = &r->plan.groups.p[group];

    for (size_t i = 0; i < g->services.n; i++) {
        struct plan_record gone = { .kind = S("service"),
                                    .name = g->services.p[i],
                                    .provider = S("") };
        const struct plan_record *record = plan_find_record(&r->plan, S("service"),
                                                            g->services.p[i]);

        if (rows_record(r, tx, record ? record : &gone, status, name_before(r, gone.name), err))
            return err->code;
    }
    return 0;
}

static int rows_prove_sets(struct run *r, struct tx *tx, int group, struct err *err)
{
    const struct plan_group *g = &r->plan.groups.p[group];

    for (size_t i = 0; i < g->services.n; i++) {
        struct rec_set *rows;
        size_t n;

        if (DB_SELECT(r->engine->db, &r->rows, set,
                      "WHERE env = $1 AND service = $2 AND state = 'live'", &rows, &n, err,
                      DB_T(r->plan.env_uid), DB_T(g->services.p[i])))
            return err->code;
        if (!n)
            continue;
        rows[0].proven_seq = tx_seq(tx);
        if (tx_put(tx, REC_set, &rows[0], err))
            return err->code;
    }
    return 0;
}

static int rows_quarantine(struct run *r, struct tx *tx, int group, const struct digest *digest,
                           struct str culprit, struct str reason, struct err *err)
{
    const struct rec_quarantine row = {
        .env = r->plan.env_uid,
        .group_digest = *digest,
        .culprit = culprit,
        .reason = reason,
        .rollout = r->rollouts[group].uid,
        .until_ms = REC_NONE,
    };

    return tx_put(tx, REC_quarantine, &row, err);
}

/* A person went back: what served until now must not come again by itself. */
static int rows_quarantine_undone(struct run *r, struct tx *tx, const struct plan_item *item,
                                  struct err *err)
{
    for (size_t i = 0; i < r->plan.items.n; i++) {
        const struct plan_item *other = &r->plan.items.p[i];
        const struct value *members = value_get(other->desired, S("members"));

        if (other->group != item->group || other->lane != LANE_MAIN || !members)
            continue;
        for (size_t m = 0; m < value_count(members); m++) {
            struct rec_set set = { .env = r->plan.env_uid,
                                   .service = value_get_text(value_item(members, m), S("service"),
                                                             S("")) };

            if (digest_from_hex(value_get_text(value_item(members, m), S("from"), S("")),
                                &set.set_key) ||
                db_get(r->engine->db, &r->rows, REC_set, &set, err) ||
                digest_is_none(&set.group_digest))
                continue;
            if (rows_quarantine(r, tx, item->group, &set.group_digest, set.service,
                                str_fmt(&r->rows, "%s by a person", plan_cause_name(r->plan.cause)),
                                err))
                return err->code;
        }
    }
    return 0;
}

static int mark_proven(struct run *r, struct tx *tx, const struct plan_item *item, struct err *err)
{
    if ((r->plan.cause == PLAN_CAUSE_UNDO || r->plan.cause == PLAN_CAUSE_ROLLBACK) &&
        rows_quarantine_undone(r, tx, item, err))
        return err->code;
    if (rows_prove_sets(r, tx, item->group, err) ||
        rows_record_group(r, tx, item->group, S("ready"), err))
        return err->code;
    return run_rows_end_rollout(r, tx, item->group, S("proven"), err);
}

static int mark_removed(struct run *r, struct tx *tx, const struct plan_item *item, struct err *err)
{
    if (rows_record_group(r, tx, item->group, S("gone"), err))
        return err->code;
    return run_rows_end_rollout(r, tx, item->group, S("proven"), err);
}

static int mark_routed(struct run *r, struct tx *tx, const struct plan_item *item, struct err *err)
{
    return run_rows_end_rollout(r, tx, item->group, S("proven"), err);
}

static int mark_scaled(struct run *r, struct tx *tx, const struct plan_item *item, struct err *err)
{
    struct rec_set set = { .env = r->plan.env_uid,
                           .service = value_get_text(item->desired, S("service"), S("")) };

    (void)digest_from_hex(value_get_text(item->desired, S("set"), S("")),
                          &set.set_key); /* our own */
    if (db_get(r->engine->db, &r->rows, REC_set, &set, err))
        return err->code;
    set.replicas = value_get_int(item->desired, S("replicas"), set.replicas);
    if (tx_put(tx, REC_set, &set, err))
        return err->code;
    return mark_proven(r, tx, item, err);
}

/* Did one of the gates of the way back find that the old set does not serve either? */
static const struct run_child *rows_find_outage(const struct run *r, int group)
{
    for (size_t i = 0; i < r->plan.items.n; i++)
        if (r->plan.items.p[i].group == group && r->children[i].verdict == GATE_OUTAGE)
            return &r->children[i];
    return NULL;
}

/* Whatever is rolled out fails: something else is wrong, and trying on would wear out what serves. */
static int rows_hold_after_failures(struct run *r, struct tx *tx, const struct rec_rollout *last,
                                    struct err *err)
{
    struct arena *a = &r->rows;
    struct rec_rollout *rows;
    struct rec_hold *holds, hold;
    size_t n, n_holds, n_failed = 1;

    if (rollouts_list(r->engine->db, a, r->plan.env_uid, ROLLOUT_LOOK_BACK, &rows, &n, err) ||
        DB_SELECT(r->engine->db, a, hold, "WHERE env = $1 AND actor = 'reeve' ORDER BY uid DESC",
                  &holds, &n_holds, err, DB_T(r->plan.env_uid)))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        if (str_eq_c(rows[i].state, "proven") && !digest_eq(&rows[i].plan, &last->plan) &&
            !digest_eq(&rows[i].from_rev, &rows[i].to_rev)) /* more of the same proves nothing */
            break;
        if (n_holds && holds[0].ended_seq != REC_NONE && rows[i].began_seq < holds[0].ended_seq)
            break; /* a person looked at these */
        if (!str_eq(rows[i].uid, last->uid) && rows[i].at_fault &&
            str_eq_c(rows[i].state, "reverted"))
            n_failed++;
    }
    if (n_failed < ROLLOUT_FAILURES_MAX || (n_holds && holds[0].ended_seq == REC_NONE))
        return 0;
    hold = (struct rec_hold){ .uid = sys_uuid7(a, tx_time_ms(tx)),
                              .env = r->plan.env_uid,
                              .actor = ENGINE_ACTOR,
                              .reason = str_fmt(a, "%zu rollouts in a row failed", n_failed),
                              .until_ms = REC_NONE,
                              .ended_seq = REC_NONE };
    return tx_put(tx, REC_hold, &hold, err);
}

static int mark_reverted(struct run *r, struct tx *tx, const struct plan_item *item,
                         struct err *err)
{
    struct rec_rollout *rollout = &r->rollouts[item->group];
    const struct run_child *outage = rows_find_outage(r, item->group);

    if (outage) {
        rollout->reason = outage->message;
        return run_rows_end_rollout(r, tx, item->group, S("outage"), err);
    }
    if (!rollout->culprit.p)
        return run_rows_end_rollout(r, tx, item->group, S("superseded"), err);
    if (r->plan.cause == PLAN_CAUSE_SCALE)
        rollout->at_fault = 0; /* nothing new was deployed: nothing is kept out for it */
    if (rollout->at_fault &&   /* a provider's fault says nothing about what was deployed */
        (rows_quarantine(r, tx, item->group, &rollout->group_digest, rollout->culprit,
                         rollout->reason, err) ||
         rows_hold_after_failures(r, tx, rollout, err)))
        return err->code;
    return run_rows_end_rollout(r, tx, item->group, S("reverted"), err);
}

/* Who made what is live is known up to the commit; up to the one before where something of this one was left
 * alone: it is a change when it comes. Asked for by a person, it is known from when it was proven first. */
static int rows_prove_commit(struct run *r, const struct rec_environment *env,
                             struct rec_revision *rev, struct err *err)
{
    struct rec_revision base = { .env = env->uid, .digest = r->plan.base };
    int rc;

    if (r->plan.cause != PLAN_CAUSE_COMMIT)
        return 0;
    rev->commit_id = env->commit_id; /* the row has it since the plan was started */
    if (!r->plan.notes.n)
        return 0;
    rc = digest_is_none(&base.digest) ? ERR_NOT_FOUND
                                      : db_get(r->engine->db, &r->rows, REC_revision, &base, err);
    rev->commit_id = rc ? STR_NONE : base.commit_id;
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* Everything that no group recorded. */
static int record_rest(struct run *r, struct tx *tx, struct err *err)
{
    for (size_t i = 0; i < r->plan.records.n; i++)
        if (!object_is_kind(r->plan.records.p[i].kind) &&
            rows_record(r, tx, &r->plan.records.p[i], S("ready"), S(""), err))
            return err->code;
    for (size_t i = 0; i < r->plan.lines.n; i++) {
        const struct plan_line *line = &r->plan.lines.p[i];
        struct plan_record gone = { .kind = line->kind,
                                    .name = line->action == PLAN_DELETE ? line->name : line->from,
                                    .provider = S("") };

        if (gone.name.n && (str_eq_c(line->kind, "domain") || str_eq_c(line->kind, "job")) &&
            rows_record(r, tx, &gone, S("gone"), S(""), err))
            return err->code;
    }
    return 0;
}

/* The revision is live and proven. */
static int mark_applied(struct run *r, struct tx *tx, const struct plan_item *item, struct err *err)
{
    struct arena *a = &r->rows;
    struct db *db = r->engine->db;
    struct rec_plan plan = { .id = r->plan_id };
    struct rec_environment env;
    struct rec_revision rev = { .env = r->plan.env_uid, .digest = r->plan.target };
    int is_beside = run_rows_is_beside(r, err);

    (void)item;
    if (is_beside < 0 || (!is_beside && record_rest(r, tx, err)))
        return err->code;
    if (db_get(db, a, REC_plan, &plan, err) ||
        environments_by_uid(db, a, r->plan.env_uid, &env, err))
        return err->code;
    plan.state = S("applied");
    plan.ended_seq = tx_seq(tx);
    if (is_beside)
        return tx_put(tx, REC_plan, &plan, err);
    if (!plan_cause_repairs(r->plan.cause)) /* which makes nothing new */
        env.live_rev = env.proven_rev = r->plan.target;
    env.sync = S("in_sync");
    env.health = S("healthy");
    env.reason = r->plan.notes.n ? r->plan.notes.p[0] : S("");
    if (tx_put(tx, REC_plan, &plan, err) || tx_put(tx, REC_environment, &env, err))
        return err->code;
    if (plan_cause_repairs(r->plan.cause))
        return 0;
    if (db_get(db, a, REC_revision, &rev, err))
        return err->code == ERR_NOT_FOUND ? 0 : err->code;
    rev.proven_seq = tx_seq(tx);
    if (rows_prove_commit(r, &env, &rev, err))
        return err->code;
    return tx_put(tx, REC_revision, &rev, err);
}

typedef int mark_fn(struct run *r, struct tx *tx, const struct plan_item *item, struct err *err);

static const struct {
    const char *word;
    mark_fn *fn;
} mark_rows[] = {
    { "proven", mark_proven },        { "removed", mark_removed },
    { "routed", mark_routed },        { "scaled", mark_scaled },
    { "reverted", mark_reverted },    { "applied", mark_applied },
    { "flip-back", run_rows_flip },   { "flip", run_rows_flip },
    { "adopted", run_rows_object },   { "kept", run_rows_object },
    { "forgotten", run_rows_object },
};

int run_rows_mark(struct run *r, struct tx *tx, const struct plan_item *item, struct err *err)
{
    struct str word = str_slice(item->name, 0, str_find_char(item->name, ':'));

    for (size_t i = 0; i < N_ELEMENTS(mark_rows); i++)
        if (str_eq_c(word, mark_rows[i].word))
            return mark_rows[i].fn(r, tx, item, err);
    return err_set(err, ERR_CORRUPT, "a mark '%.*s' is not known", STR_ARG(item->name));
}
