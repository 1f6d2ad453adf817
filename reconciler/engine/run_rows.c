/* The rows that a run's switches, groups and end leave. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/run.h"
#include "state/plans.h"

#define ROLLOUT_OVER_STEP 11 /* the last of PROTOCOL 2: its tail is through */

/* --- sets ---------------------------------------------------------------------------------------- */

static int rows_set_state(struct run *r, struct tx *tx, struct str service,
                          const struct digest *key, struct str state, struct err *err)
{
    struct rec_set set = { .env = r->plan.env_uid, .service = service, .set_key = *key };
    int rc = db_get(r->engine->db, &r->rows, REC_set, &set, err);

    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    if (!str_eq(set.state, state))
        set.since_ms = tx_time_ms(tx);
    set.state = state;
    set.keep_ms = REC_NONE;
    set.kept_by = (struct digest){ { 0 } };
    return tx_put(tx, REC_set, &set, err);
}

/* What was live until now: this plan's tail takes it away when its time is over. */
static int rows_keep_set(struct run *r, struct tx *tx, int group, struct str service,
                         const struct digest *key, struct err *err)
{
    struct rec_set set = { .env = r->plan.env_uid, .service = service, .set_key = *key };
    int rc = db_get(r->engine->db, &r->rows, REC_set, &set, err);

    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    set.state = S("previous");
    set.since_ms = tx_time_ms(tx);
    set.kept_by = r->plan_id;
    set.keep_ms = REC_NONE;
    for (size_t i = 0; i < r->plan.items.n; i++) {
        const struct plan_item *item = &r->plan.items.p[i];

        if (item->group == group && plan_item_keeps(item) && str_eq(item->service, service))
            set.keep_ms = value_get_int(item->gate, S("length_ms"), REC_NONE);
    }
    return tx_put(tx, REC_set, &set, err);
}

/* One previous a service: what was kept until now makes way. */
static int rows_retire_previous(struct run *r, struct tx *tx, struct str service, struct err *err)
{
    struct rec_set *rows;
    size_t n;

    if (DB_SELECT(r->engine->db, &r->rows, set,
                  "WHERE env = $1 AND service = $2 AND state = 'previous'", &rows, &n, err,
                  DB_T(r->plan.env_uid), DB_T(service)))
        return err->code;
    for (size_t i = 0; i < n; i++)
        if (rows_set_state(r, tx, service, &rows[i].set_key, S("draining"), err))
            return err->code;
    return 0;
}

static int rows_flip_member(struct run *r, struct tx *tx, int group, const struct value *m,
                            int is_back, struct err *err)
{
    struct str service = value_get_text(m, S("service"), S(""));
    struct digest to, from;
    int has_to = !digest_from_hex(value_get_text(m, S("to"), S("")), &to);
    int has_from = !digest_from_hex(value_get_text(m, S("from"), S("")), &from);

    if (is_back) {
        if (has_to && rows_set_state(r, tx, service, &to, S("failed"), err))
            return err->code;
        return has_from ? rows_set_state(r, tx, service, &from, S("live"), err) : 0;
    }
    if (rows_retire_previous(r, tx, service, err) ||
        (has_from && rows_set_state(r, tx, service, &from, S("draining"), err)) ||
        (has_to && rows_set_state(r, tx, service, &to, S("live"), err)))
        return err->code;
    if (has_from && r->plan.cause != PLAN_CAUSE_UNDO && !value_get_bool(m, S("leaves"), 0))
        return rows_keep_set(r, tx, group, service, &from, err);
    return 0;
}

int run_rows_flip(struct run *r, struct tx *tx, const struct plan_item *item, struct err *err)
{
    const struct value *members = value_get(item->desired, S("members"));
    struct str moves = value_get_text(item->desired, S("moves"), S(""));
    struct rec_rollout *rollout = item->group >= 0 ? &r->rollouts[item->group] : NULL;

    for (size_t i = 0; !str_eq_c(moves, "away") && plan_item_share(item) == PLAN_SHARE_ALL &&
                       i < value_count(members);
         i++)
        if (rows_flip_member(r, tx, item->group, value_item(members, i), str_eq_c(moves, "back"),
                             err))
            return err->code;
    if (!rollout || !str_eq_c(moves, "forward"))
        return 0;
    rollout->state = S("switched");
    rollout->step = 6;
    return tx_put(tx, REC_rollout, rollout, err);
}

/* --- groups and the plan ------------------------------------------------------------------------- */

int run_rows_end_rollout(struct run *r, struct tx *tx, int group, struct str state, struct err *err)
{
    struct rec_rollout *rollout = &r->rollouts[group];

    counts_rollout(r->engine, rollout, state);
    rollout->state = state;
    rollout->step = 8;
    rollout->ended_seq = tx_seq(tx);
    return tx_put(tx, REC_rollout, rollout, err);
}

int run_rollout_goes_back(struct str state)
{
    return str_eq_c(state, "reverting") || str_eq_c(state, "revert_failed");
}

int run_group_goes_back(const struct run *r, int group, int has_failed)
{
    if (has_failed && !r->plan.groups.p[group].auto_revert &&
        !schedule_is_shared(&r->schedule, group)) /* a share of requests is never left to fail */
        return 0;
    for (size_t i = 0; i < r->plan.items.n; i++)
        if (r->plan.items.p[i].group == group && r->plan.items.p[i].lane == LANE_REVERT)
            return 1;
    return 0;
}

int run_rows_group(struct run *r, struct tx *tx, const struct schedule_move *move, struct err *err)
{
    struct rec_rollout *rollout = &r->rollouts[move->group];
    const struct run_child *culprit = move->culprit >= 0 ? &r->children[move->culprit] : NULL;

    if (move->kind == MOVE_REVERTED)
        return run_rollout_goes_back(rollout->state)
                   ? run_rows_end_rollout(r, tx, move->group, S("reverted"), err)
                   : 0;
    rollout->state = run_group_goes_back(r, move->group, culprit != NULL) ? S("reverting")
                                                                          : S("held");
    if (culprit) {
        const struct plan_item *item = &r->plan.items.p[move->culprit];

        rollout->culprit = item->service.n ? item->service : item->name;
        rollout->reason = str_fmt(&r->rows, "%.*s %.*s: %.*s", STR_ARG(item->kind),
                                  STR_ARG(item->name),
                                  STR_ARG(culprit->message.n ? culprit->message : S("failed")));
        rollout->at_fault = culprit->is_at_fault;
    } else {
        rollout->reason = r->schedule.wish == WISH_CANCEL ? S("cancelled") : S("superseded");
    }
    if (str_eq_c(rollout->state, "held")) {
        counts_rollout(r->engine, rollout, rollout->state);
        rollout->ended_seq = tx_seq(tx);
    }
    return tx_put(tx, REC_rollout, rollout, err);
}

/* What a person has given up for this plan: a leftover, which the next one takes away. */
static int rows_leave_sets(struct run *r, struct tx *tx, struct err *err)
{
    for (size_t i = 0; i < r->plan.items.n; i++) {
        const struct plan_item *item = &r->plan.items.p[i];
        struct rec_set set = { .env = r->plan.env_uid,
                               .service = item->service,
                               .set_key = item->set_key };
        int rc;

        if (item->action != PLAN_DELETE || r->schedule.items[i] != ITEM_FAILED ||
            digest_is_none(&item->set_key))
            continue;
        rc = db_get(r->engine->db, &r->rows, REC_set, &set, err);
        if (rc && rc != ERR_NOT_FOUND)
            return rc;
        if (!rc && str_eq_c(set.state, "draining") &&
            rows_set_state(r, tx, item->service, &item->set_key, S("failed"), err))
            return err->code;
    }
    return 0;
}

int run_rows_over(struct run *r, struct tx *tx, struct err *err)
{
    for (size_t i = 0; i < r->plan.groups.n; i++) {
        r->rollouts[i].step = ROLLOUT_OVER_STEP;
        if (tx_put(tx, REC_rollout, &r->rollouts[i], err))
            return err->code;
    }
    return rows_leave_sets(r, tx, err);
}

static const struct {
    const char *plan, *sync;
} end_words[] = {
    [SCHEDULE_RUNS] = { "applying", "converging" },
    [SCHEDULE_APPLIED] = { "applied", "in_sync" },
    [SCHEDULE_REVERTED] = { "reverted", "reverted" },
    [SCHEDULE_SUPERSEDED] = { "superseded", "waiting" },
    [SCHEDULE_FAILED] = { "failed", "failed" },
};

int run_rows_is_beside(struct run *r, struct err *err)
{
    struct rec_plan row;
    int rc = plans_applying(r->engine->db, &r->rows, r->plan.env_uid, &row, err);

    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    return !digest_eq(&row.id, &r->plan_id);
}

int run_rows_end(struct run *r, struct tx *tx, enum schedule_end end, struct err *err)
{
    struct arena *a = &r->rows;
    struct db *db = r->engine->db;
    struct rec_plan plan = { .id = r->plan_id };
    struct rec_environment env;
    struct str stays;
    int is_beside = run_rows_is_beside(r, err);

    if (is_beside < 0 || db_get(db, a, REC_plan, &plan, err) ||
        environments_by_uid(db, a, r->plan.env_uid, &env, err))
        return err->code;
    plan.state = r->schedule.wish == WISH_CANCEL ? S("cancelled") : str_from_c(end_words[end].plan);
    stays = run_rows_stays(r, a);
    plan.reason = stays.n ? str_fmt(a, "%.*s%sdone and stays: %.*s", STR_ARG(r->reason),
                                    r->reason.n ? "; " : "", STR_ARG(stays))
                          : r->reason;
    plan.ended_seq = tx_seq(tx);
    env.sync = str_from_c(end_words[end].sync);
    env.reason = r->reason;
    if (tx_put(tx, REC_plan, &plan, err))
        return err->code;
    return is_beside ? 0 : tx_put(tx, REC_environment, &env, err);
}
