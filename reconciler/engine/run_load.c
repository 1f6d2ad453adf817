/* What a run reads when it begins, and again when a person settled one of its operations. SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/core/judge.h"
#include "reconciler/engine/run.h"
#include "reconciler/engine/snapshot_load.h"
#include "state/plans.h"
#include "state/revisions.h"

static enum item_status rows_item_status(const struct rec_operation *op)
{
    if (!op->outcome.p)
        return ITEM_OPEN;
    if (str_eq_c(op->outcome, "done"))
        return ITEM_DONE;
    return str_eq_c(op->outcome, "parked") ? ITEM_PARKED : ITEM_FAILED;
}

/* An open row of a former life goes on: its body, its resource, one more death. */
static int rows_load_open(struct run *r, struct arena *a, const struct rec_operation *row,
                          struct run_child *child, struct err *err)
{
    struct db *db = r->engine->db;
    struct op_found *found = arena_new(a, struct op_found);
    int rc;

    if (!found)
        return arena_status(a, err);
    found->rec = *row;
    child->found = found;
    if (str_eq_c(row->kind, "gate")) {
        child->gate = arena_new(a, struct rec_gate);
        if (!child->gate)
            return arena_status(a, err);
        child->gate->operation = row->uid;
        rc = db_get(db, a, REC_gate, child->gate, err);
        return rc;
    }
    rc = resources_now(db, a, row->env, row->kind, row->name, &found->resource, err);
    if (rc)
        return rc;
    return db_document(db, a, &row->desired, &found->body, err);
}

/* What an item that ended in a former life said of what was deployed. */
static int rows_load_verdict(struct run *r, const struct rec_operation *row,
                             struct run_child *child, struct err *err)
{
    struct rec_gate gate = { .operation = row->uid };

    if (!row->outcome.p)
        return 0;
    if (!str_eq_c(row->kind, "gate")) {
        child->is_at_fault = str_eq_c(row->outcome, "failed") && row->verdict.p &&
                             judge_is_at_fault(
                                 row->kind, (enum rv_verdict)kit_verdict_from_name(row->verdict),
                                 str_eq_c(row->acted, "no") ? RV_ACTED_NO : RV_ACTED_YES);
        return 0;
    }
    if (db_get(r->engine->db, &r->arena, REC_gate, &gate, err))
        return err->code;
    child->is_at_fault = gate.verdict.p && str_eq_c(gate.verdict, "failed");
    child->verdict = gate.verdict.p && str_eq_c(gate.verdict, "outage") ? GATE_OUTAGE : GATE_OPEN;
    return 0;
}

static int rows_load_operations(struct run *r, struct err *err)
{
    struct rec_operation *rows;
    size_t n;

    if (DB_SELECT(r->engine->db, &r->arena, operation, "WHERE plan = $1 ORDER BY intent_ms, uid",
                  &rows, &n, err, DB_D(&r->plan_id)))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        size_t at = (size_t)rows[i].item;

        if (at >= r->plan.items.n)
            return err_set(err, ERR_CORRUPT, "operation '%.*s' names no item of its plan",
                           STR_ARG(rows[i].uid));
        r->schedule.items[at] = rows_item_status(&rows[i]);
        r->children[at].message = rows[i].message.p ? rows[i].message : S("");
        if (rows_load_verdict(r, &rows[i], &r->children[at], err))
            return err->code;
        if (r->schedule.items[at] == ITEM_OPEN &&
            rows_load_open(r, &r->arena, &rows[i], &r->children[at], err))
            return err->code;
    }
    return 0;
}

static const struct {
    const char *state;
    enum group_state group;
} rollout_states[] = {
    { "rolling", GROUP_ROLLING },
    { "switched", GROUP_ROLLING },
    { "proven", GROUP_PROVEN },
    { "reverting", GROUP_REVERTING },
    { "reverted", GROUP_REVERTED },
    { "outage", GROUP_REVERTED },
    { "revert_failed", GROUP_REVERTING },
    { "superseded", GROUP_REVERTED },
    { "held", GROUP_HELD },
};

static enum group_state rows_group_state(struct str state)
{
    for (size_t i = 0; i < N_ELEMENTS(rollout_states); i++)
        if (str_eq_c(state, rollout_states[i].state))
            return rollout_states[i].group;
    return GROUP_ROLLING;
}

static int rows_make_rollouts(struct run *r, struct err *err)
{
    struct arena *a = &r->arena;
    struct tx *tx;

    if (engine_tx(r->engine,
                  &(struct engine_event){ .kind = S("rollout.began"),
                                          .subject = engine_short(a, &r->plan_id),
                                          .env = r->plan.env_uid },
                  &tx, err))
        return err->code;
    for (size_t i = 0; i < r->plan.groups.n; i++) {
        r->rollouts[i] = (struct rec_rollout){
            .uid = sys_uuid7(a, tx_time_ms(tx)),
            .plan = r->plan_id,
            .env = r->plan.env_uid,
            .grp = str_fmt(a, "%zu", i),
            .group_digest = r->plan.groups.p[i].digest,
            .from_rev = r->plan.base,
            .to_rev = r->plan.target,
            .state = S("rolling"),
            .counters = S("{}"),
            .began_seq = tx_seq(tx),
            .ended_seq = REC_NONE,
        };
        if (tx_put(tx, REC_rollout, &r->rollouts[i], err)) {
            tx_rollback(tx);
            return err->code;
        }
    }
    return tx_commit(tx, err);
}

static int rows_load_rollouts(struct run *r, struct err *err)
{
    struct rec_rollout *rows;
    size_t n;

    r->rollouts = arena_new_n(&r->arena, struct rec_rollout, r->plan.groups.n + 1);
    if (!r->rollouts)
        return arena_status(&r->arena, err);
    if (DB_SELECT(r->engine->db, &r->arena, rollout, "WHERE plan = $1", &rows, &n, err,
                  DB_D(&r->plan_id)))
        return err->code;
    if (!n && r->plan.groups.n)
        return rows_make_rollouts(r, err);
    for (size_t i = 0; i < n; i++) {
        int64_t g = -1;

        if (str_to_i64(rows[i].grp, &g) || g < 0 || (size_t)g >= r->plan.groups.n)
            return err_set(err, ERR_CORRUPT, "rollout '%.*s' names no group of its plan",
                           STR_ARG(rows[i].uid));
        r->rollouts[g] = rows[i];
        r->schedule.groups[g] = rows_group_state(rows[i].state);
    }
    return 0;
}

static enum schedule_end rows_main_end(struct str state)
{
    static const struct {
        const char *state;
        enum schedule_end end;
    } ends[] = {
        { "applied", SCHEDULE_APPLIED },       { "reverted", SCHEDULE_REVERTED },
        { "superseded", SCHEDULE_SUPERSEDED }, { "failed", SCHEDULE_FAILED },
        { "cancelled", SCHEDULE_REVERTED },
    };

    for (size_t i = 0; i < N_ELEMENTS(ends); i++)
        if (str_eq_c(state, ends[i].state))
            return ends[i].end;
    return SCHEDULE_RUNS;
}

/* A person wanted it back in a former life. */
static int rows_load_wish(struct run *r, struct err *err)
{
    struct rec_decision *rows;
    size_t n;

    if (plans_decisions(r->engine->db, &r->arena, &r->plan_id, &rows, &n, err))
        return err->code;
    for (size_t i = 0; i < n; i++)
        if (str_eq_c(rows[i].verdict, "cancelled"))
            r->schedule.wish = WISH_CANCEL;
    return 0;
}

int run_rows_made(struct engine *e, struct str env_uid, struct map *ret, struct err *err)
{
    struct rec_secret_version *rows;
    size_t n;

    if (DB_SELECT(e->db, ret->arena, secret_version,
                  "WHERE env = $1 AND version LIKE 'g:%' AND fingerprint <> ''", &rows, &n, err,
                  DB_T(env_uid)))
        return err->code;
    for (size_t i = 0; i < n; i++)
        map_put(ret,
                str_fmt(ret->arena, "%.*s@%.*s", STR_ARG(rows[i].name), STR_ARG(rows[i].version)),
                NULL);
    return arena_status(ret->arena, err);
}

/* What its target refers to, also where nothing of that changes. */
static int rows_load_pins(struct run *r, struct err *err)
{
    AUTO_ARENA struct arena scratch = { 0 };
    struct environment_spec target;
    int rc;

    map_init(&r->pins, &r->arena);
    map_init(&r->made, &r->arena);
    if (!value_count(r->secrets))
        return 0;
    rc = snapshot_load_revision(&scratch, r->engine->db, r->plan.env_uid, &r->plan.target, &target,
                                err);
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    for (size_t i = 0; i < target.resources.n; i++)
        secret_sets_collect(target.resources.p[i].desired, &r->pins);
    return run_rows_made(r->engine, r->plan.env_uid, &r->made, err);
}

struct run_plan *run_plan_keep(const struct value *document)
{
    struct run_plan *kept = alloc_zero(sizeof(*kept));
    struct err ignored = ERR_INIT; /* then it is read */

    if (!kept)
        return NULL;
    arena_init(&kept->arena, PLAN_BYTES_MAX * 4);
    if (!plan_of_value(&kept->arena, value_copy_content(&kept->arena, document), &kept->plan,
                       &ignored))
        return kept;
    run_plan_free(kept);
    return NULL;
}

void run_plan_free(struct run_plan *kept)
{
    if (kept)
        arena_fini(&kept->arena);
    alloc_free(kept);
}

static int load_plan(struct run *r, const struct rec_plan *row, struct err *err)
{
    struct str document;

    if (r->kept) {
        r->plan = r->kept->plan;
        return 0;
    }
    if (db_document(r->engine->db, &r->arena, &row->doc, &document, err))
        return err->code;
    return plan_parse(&r->arena, document, &r->plan, err);
}

int run_rows_load(struct run *r, struct err *err)
{
    struct arena *a = &r->arena;
    struct db *db = r->engine->db;
    struct rec_plan plan = { .id = r->plan_id };
    struct rec_environment env;
    struct rec_revision_commit *commits;
    size_t n_commits;

    if (db_get(db, a, REC_plan, &plan, err) || load_plan(r, &plan, err) ||
        environments_by_uid(db, a, plan.env, &env, err))
        return err_wrap(err, "load plan %.*s", STR_ARG(engine_short(a, &r->plan_id)));
    r->env_name = env.name;
    if (revisions_commits(db, a, plan.env, &r->plan.target, &commits, &n_commits, err))
        return err->code;
    r->commit_id = n_commits ? commits[n_commits - 1].commit_id : S("");
    r->secrets = r->plan.secrets;
    if (rows_load_pins(r, err))
        return err->code;
    r->main_end = rows_main_end(plan.state);
    r->schedule.plan = &r->plan;
    r->schedule.items = arena_new_n(a, enum item_status, r->plan.items.n + 1);
    r->schedule.groups = arena_new_n(a, enum group_state, r->plan.groups.n + 1);
    r->children = arena_new_n(a, struct run_child, r->plan.items.n + 1);
    if (arena_status(a, err))
        return err->code;
    for (size_t i = 0; i < r->plan.items.n; i++)
        r->children[i] = (struct run_child){ .run = r, .index = i };
    if (rows_load_operations(r, err) || rows_load_rollouts(r, err) || rows_load_wish(r, err))
        return err->code;
    return arena_status(a, err);
}

/* Settled to be tried again: its row is kept from now on. */
static int rows_take_up(struct run *r, struct str uid, struct run_child *child, struct err *err)
{
    struct rec_operation row = { .uid = str_copy(&r->rows, uid) };

    if (db_get(r->engine->db, &r->rows, REC_operation, &row, err))
        return err->code;
    return rows_load_open(r, &r->rows, &row, child, err);
}

int run_rows_reload(struct run *r, struct err *err)
{
    AUTO_ARENA struct arena look = { 0 }; /* it may be looked at for months */
    struct rec_operation *rows;
    size_t n;

    if (DB_SELECT(r->engine->db, &look, operation, "WHERE plan = $1 ORDER BY intent_ms, uid", &rows,
                  &n, err, DB_D(&r->plan_id)))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        size_t at = (size_t)rows[i].item;

        if (r->schedule.items[at] != ITEM_PARKED)
            continue;
        if (!rows[i].outcome.p && rows_take_up(r, rows[i].uid, &r->children[at], err))
            return err->code;
        r->schedule.items[at] = rows_item_status(&rows[i]);
    }
    return 0;
}
