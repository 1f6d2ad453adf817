/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/command_write.h"

#include "base/sys.h"
#include "reconciler/core/standing.h"
#include "reconciler/engine/env_secrets.h"
#include "reconciler/engine/env_task.h"
#include "specs/scalar.h"
#include "state/holds.h"
#include "state/plans.h"
#include "state/quarantine.h"
#include "state/resources.h"
#include "state/revisions.h"

static struct db *command_db(struct command_call *c)
{
    return c->engine->db;
}

static int find_plan(struct command_call *c, struct command_found *f, struct err *err)
{
    if (plans_by_prefix(command_db(c), &c->arena, c->in.plan, &f->plan, err))
        return err->code;
    return environments_by_uid(command_db(c), &c->arena, f->plan.env, &f->env, err);
}

int command_write_find(struct command_call *c, struct command_found *f, struct err *err)
{
    int64_t number;

    if (c->in.verb == COMMAND_APPROVE || c->in.verb == COMMAND_OVERRIDE ||
        c->in.verb == COMMAND_REJECT)
        return find_plan(c, f, err);
    if (c->in.verb == COMMAND_SETTLE || c->in.verb == COMMAND_CLOCK ||
        c->in.verb == COMMAND_BUNDLE || c->in.token)
        return 0; /* the operation says which; of none; of a source's branches; of none */
    if (c->in.verb == COMMAND_DENIED)
        return c->in.env.n && environments_by_name(command_db(c), &c->arena, c->in.env, &f->env,
                                                   &(struct err){ 0 }) == ERR_NOMEM
                   ? err_set(err, ERR_NOMEM, "out of memory")
                   : 0; /* it may be one that nobody has heard of */
    if (!environments_by_name(command_db(c), &c->arena, c->in.env, &f->env, err))
        return 0;
    if (c->in.verb != COMMAND_RECONCILE || err->code != ERR_NOT_FOUND ||
        scalar_read(SCALAR_NAME, c->in.env, &number))
        return err->code;
    f->env = (struct rec_environment){ .name = c->in.env, .sync = S("unknown") };
    return 0;
}

int command_write_nothing(struct command_call *c, struct command_found *f, struct tx *tx,
                          struct err *err)
{
    (void)c;
    (void)tx;
    (void)err;
    f->state = f->env.sync;
    return 0;
}

static int refuse_when_held(struct command_call *c, struct command_found *f, struct err *err)
{
    struct rec_hold *holds;
    size_t n;

    if (holds_active(command_db(c), &c->arena, f->env.uid, clock_task_due_ms(&c->engine->clock),
                     &holds, &n, err))
        return err->code;
    if (n && !c->in.overrides && standing_way(STANDING_PERSON, STANDING_HOLD) == STANDING_REFUSED)
        return err_set(err, ERR_REFUSED,
                       "environment '%.*s' is held by %.*s: %.*s (reeve resume %.*s)",
                       STR_ARG(f->env.name), STR_ARG(holds[0].actor), STR_ARG(holds[0].reason),
                       STR_ARG(f->env.name));
    return 0;
}

/* It outlives the daemon until it is planned. */
static int write_ask(struct command_call *c, struct command_found *f, struct tx *tx,
                     enum plan_cause cause, struct err *err)
{
    f->state = S("converging");
    f->env.ask = str_from_c(plan_cause_name(cause));
    f->env.ask_revision = f->revision;
    f->env.ask_actor = c->in.actor;
    f->env.ask_overrides = c->in.overrides;
    return tx_put(tx, REC_environment, &f->env, err);
}

/* 1: a plan is being applied. */
static int find_applying(struct command_call *c, struct command_found *f, struct err *err)
{
    int rc = plans_applying(command_db(c), &c->arena, f->env.uid, &f->plan, err);

    if (rc == ERR_NOT_FOUND)
        return 0;
    return rc ? rc : 1;
}

/* What is kept belongs to the revision before the one that the running plan leads to: the one before the
 * live revision is another. */
static int refuse_while_baking(struct command_call *c, struct command_found *f, struct err *err)
{
    struct rec_set *sets;
    size_t n;
    int rc = find_applying(c, f, err);

    if (rc <= 0)
        return rc;
    if (DB_SELECT(command_db(c), &c->arena, set,
                  "WHERE env = $1 AND state = 'previous' AND kept_by = $2", &sets, &n, err,
                  DB_T(f->env.uid), DB_D(&f->plan.id)))
        return err->code;
    if (n)
        return err_set(err, ERR_CONFLICT,
                       "plan %.*s is being applied: reeve cancel %.*s takes it back",
                       STR_ARG(engine_short(&c->arena, &f->plan.id)), STR_ARG(f->env.name));
    f->plan = (struct rec_plan){ 0 };
    return 0;
}

int command_write_cancel(struct command_call *c, struct command_found *f, struct tx *tx,
                         struct err *err)
{
    int rc = find_applying(c, f, err);

    f->state = f->env.sync;
    return rc > 0 ? command_write_cancelled(c, f, tx, err) : rc;
}

static int read_plan(struct command_call *c, const struct rec_plan *row, struct plan *ret,
                     struct err *err)
{
    struct str document;

    if (db_document(command_db(c), &c->arena, &row->doc, &document, err))
        return err->code;
    return plan_parse(&c->arena, document, ret, err);
}

/* Each open gate that it may end says who ended it; of the group of one service where that is named. */
static int advance_gates(struct command_call *c, struct command_found *f, struct tx *tx, int *ret_n,
                         struct err *err)
{
    struct arena *a = &c->arena;
    struct rec_operation *ops;
    struct plan plan;
    size_t n;

    *ret_n = 0;
    if (read_plan(c, &f->plan, &plan, err) ||
        DB_SELECT(command_db(c), a, operation,
                  "WHERE plan = $1 AND kind = 'gate' AND outcome IS NULL", &ops, &n, err,
                  DB_D(&f->plan.id)))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        struct rec_gate gate = { .operation = ops[i].uid };

        if (db_get(command_db(c), a, REC_gate, &gate, err))
            return err->code;
        if (!gate_can_advance(&plan.items.p[ops[i].item]) || gate.advanced_by.p ||
            !plan_item_is_about(&plan, (size_t)ops[i].item, c->in.service))
            continue;
        gate.advanced_by = c->in.actor;
        if (tx_put(tx, REC_gate, &gate, err))
            return err->code;
        ++*ret_n;
    }
    return 0;
}

int command_write_advance(struct command_call *c, struct command_found *f, struct tx *tx,
                          struct err *err)
{
    int n = 0, rc = find_applying(c, f, err);

    if (rc < 0 || (rc && advance_gates(c, f, tx, &n, err)))
        return err->code;
    f->state = f->env.sync;
    if (n)
        return 0;
    if (c->in.service.n)
        return err_set(err, ERR_CONFLICT, "nothing of service '%.*s' of '%.*s' waits to go on",
                       STR_ARG(c->in.service), STR_ARG(f->env.name));
    return err_set(err, ERR_CONFLICT, "nothing of environment '%.*s' waits to go on",
                   STR_ARG(f->env.name));
}

/* Back to the sets that are kept warm: the revision before the live one. */
int command_write_undo(struct command_call *c, struct command_found *f, struct tx *tx,
                       struct err *err)
{
    struct rec_rollout *rollouts;
    struct rec_set *sets;
    size_t n, n_sets;

    if (refuse_when_held(c, f, err) || refuse_while_baking(c, f, err))
        return err->code;
    if (DB_SELECT(command_db(c), &c->arena, set, "WHERE env = $1 AND state = 'previous'", &sets,
                  &n_sets, err, DB_T(f->env.uid)) ||
        DB_SELECT(command_db(c), &c->arena, rollout,
                  "WHERE env = $1 AND to_rev = $2 AND state = 'proven' ORDER BY began_seq DESC",
                  &rollouts, &n, err, DB_T(f->env.uid), DB_D(&f->env.live_rev)))
        return err->code;
    if (!n_sets || !n || digest_is_none(&rollouts[0].from_rev))
        return err_set(err, ERR_REFUSED,
                       "nothing of environment '%.*s' is kept to go back to; use rollback",
                       STR_ARG(f->env.name));
    f->revision = rollouts[0].from_rev;
    return write_ask(c, f, tx, PLAN_CAUSE_UNDO, err);
}

int command_write_rollback(struct command_call *c, struct command_found *f, struct tx *tx,
                           struct err *err)
{
    struct environment_spec spec;
    struct rec_revision row;
    struct str gone;

    if (refuse_when_held(c, f, err) ||
        revisions_by_n(command_db(c), &c->arena, f->env.uid, c->in.revision, &row, err))
        return err->code;
    if (row.proven_seq == REC_NONE)
        return err_set(err, ERR_REFUSED, "revision %lld of '%.*s' was never proven",
                       (long long)row.n, STR_ARG(f->env.name));
    if (digest_eq(&row.digest, &f->env.live_rev))
        return err_set(err, ERR_CONFLICT, "revision %lld is live", (long long)row.n);
    if (snapshot_load_revision(&c->arena, command_db(c), f->env.uid, &row.digest, &spec, err) ||
        env_secrets_repin(c->engine, &c->arena, f->env.uid, &spec, &gone, err))
        return err_wrap(err, "revision %lld", (long long)row.n);
    f->revision = row.digest;
    return write_ask(c, f, tx, PLAN_CAUSE_ROLLBACK, err);
}

/* A hold that holds nothing would only seem to be one. */
static int check_hold(struct command_call *c, const struct command_found *f, struct err *err)
{
    struct rec_set *sets;
    size_t n = 1;

    if (c->in.until_ms && c->in.until_ms <= loop_wall_ms(c->engine->loop))
        return err_set(err, ERR_USAGE, "the hold would end before it begins");
    if (c->in.service.n &&
        DB_SELECT(command_db(c), &c->arena, set, "WHERE env = $1 AND service = $2 LIMIT 1", &sets,
                  &n, err, DB_T(f->env.uid), DB_T(c->in.service)))
        return err->code;
    return n ? 0
             : err_set(err, ERR_NOT_FOUND, "environment '%.*s' has no service '%.*s'",
                       STR_ARG(f->env.name), STR_ARG(c->in.service));
}

int command_write_hold(struct command_call *c, struct command_found *f, struct tx *tx,
                       struct err *err)
{
    const struct rec_hold row = {
        .uid = sys_uuid7(&c->arena, tx_time_ms(tx)),
        .env = f->env.uid,
        .service = c->in.service.n ? c->in.service : STR_NONE,
        .actor = c->in.actor,
        .reason = c->in.reason,
        .until_ms = c->in.until_ms ? c->in.until_ms : REC_NONE,
        .ended_seq = REC_NONE,
    };

    if (check_hold(c, f, err))
        return err->code;
    f->state = S("held");
    return tx_put(tx, REC_hold, &row, err);
}

int command_write_resume(struct command_call *c, struct command_found *f, struct tx *tx,
                         struct err *err)
{
    struct rec_hold *holds;
    size_t n;

    if (holds_active(command_db(c), &c->arena, f->env.uid, clock_task_due_ms(&c->engine->clock),
                     &holds, &n, err))
        return err->code;
    if (!n)
        return err_set(err, ERR_CONFLICT, "environment '%.*s' is not held", STR_ARG(f->env.name));
    for (size_t i = 0; i < n; i++) {
        holds[i].ended_seq = tx_seq(tx);
        if (tx_put(tx, REC_hold, &holds[i], err))
            return err->code;
    }
    f->state = S("converging");
    f->message = str_fmt(&c->arena, "%zu hold%s ended", n, n == 1 ? "" : "s");
    return 0;
}

int command_write_clock(struct command_call *c, struct command_found *f, struct tx *tx,
                        struct err *err)
{
    clock_task_trust(&c->engine->clock);
    f->state = S("believed");
    return clock_task_put(&c->engine->clock, tx, &c->arena, err);
}

int command_write_retry(struct command_call *c, struct command_found *f, struct tx *tx,
                        struct err *err)
{
    struct rec_quarantine *rows;
    size_t n;

    if (quarantine_active(command_db(c), &c->arena, f->env.uid,
                          clock_task_due_ms(&c->engine->clock), &rows, &n, err))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        rows[i].lifted_by = c->in.actor;
        if (tx_put(tx, REC_quarantine, &rows[i], err))
            return err->code;
    }
    f->state = S("converging");
    f->message = str_fmt(&c->arena, "%zu quarantine%s lifted", n, n == 1 ? "" : "s");
    return 0;
}

#define SETTLE_LENGTH_MS (3600 * 1000) /* of an operation that is taken up again */

/* Done: it is believed, and read back as after any answer. Retry: as if it had never begun. */
static int reopen_operation(struct command_call *c, struct rec_operation *op, struct err *err)
{
    if (str_eq_c(c->in.as, "failed")) {
        op->outcome = c->in.as;
        return 0;
    }
    if (!str_eq_c(c->in.as, "retry") && !str_eq_c(c->in.as, "done"))
        return err_set(err, ERR_USAGE, "--as is done, failed or retry");
    op->outcome = op->verdict = op->acted = op->token = STR_NONE;
    op->phase = S("INTENT");
    op->deaths = 0;
    op->deadline_ms = loop_wall_ms(c->engine->loop) + SETTLE_LENGTH_MS;
    if (str_eq_c(c->in.as, "retry") &&
        str_eq_c(op->kind, "release")) /* the same key is the same run */
        op->key = str_fmt(&c->arena, "%.*s+", STR_ARG(op->key));
    if (str_eq_c(c->in.as, "done")) {
        op->phase = S("SETTLED");
        op->verdict = c->in.as;
    }
    return 0;
}

/* Nobody waits for a person any more. */
static int give_up_resource(struct command_call *c, const struct rec_operation *op, struct tx *tx,
                            struct err *err)
{
    struct rec_resource row;
    int rc = resources_now(command_db(c), &c->arena, op->env, op->kind, op->name, &row, err);

    if (rc || !str_eq_c(row.status, "parked"))
        return rc == ERR_NOT_FOUND ? 0 : rc;
    row.status = S("failed");
    row.reason = c->in.reason;
    return tx_put_resource(tx, &row, err);
}

int command_write_settle(struct command_call *c, struct command_found *f, struct tx *tx,
                         struct err *err)
{
    struct rec_operation op = { .uid = c->in.operation };

    int rc = db_get(command_db(c), &c->arena, REC_operation, &op, err);

    if (rc == ERR_NOT_FOUND)
        return err_set(err, rc, "there is no operation '%.*s'", STR_ARG(c->in.operation));
    if (rc)
        return rc;
    if (!op.outcome.p || !str_eq_c(op.outcome, "parked"))
        return err_set(err, ERR_CONFLICT, "operation '%.*s' is not parked", STR_ARG(op.uid));
    if (plans_by_id(command_db(c), &c->arena, &op.plan, &f->settled, err) ||
        environments_by_uid(command_db(c), &c->arena, op.env, &f->env, err) ||
        reopen_operation(c, &op, err))
        return err->code;
    op.message = c->in.reason;
    f->state = op.outcome.p ? op.outcome : S("retry");
    if (op.outcome.p && give_up_resource(c, &op, tx, err))
        return err->code;
    return tx_put(tx, REC_operation, &op, err);
}
