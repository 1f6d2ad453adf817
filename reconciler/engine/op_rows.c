/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/op_rows.h"

#include "base/guard.h"
#include "reconciler/core/object.h"
#include "reconciler/engine/op_object.h"
#include "reconciler/engine/run.h"

/* --- rows by kind -------------------------------------------------------------------------------- */

static int64_t rows_output_int(struct op_task *op, struct str key)
{
    struct value *outputs = NULL;
    struct err ignored = ERR_INIT;

    if (json_parse(&op->arena, op->answer.outputs.n ? op->answer.outputs : S("{}"), KIT_BODY_MAX,
                   &outputs, &ignored))
        return -1; /* the driver's own JSON was checked when it answered */
    return value_get_int(outputs, key, -1);
}

static struct str rows_output_text(struct op_task *op, struct str key)
{
    struct value *outputs = NULL;
    struct err ignored = ERR_INIT;

    if (json_parse(&op->arena, op->answer.outputs.n ? op->answer.outputs : S("{}"), KIT_BODY_MAX,
                   &outputs, &ignored))
        return S(""); /* as above */
    return str_copy(&op->arena, value_get_text(outputs, key, S("")));
}

static int rows_find_set(struct op_task *op, struct rec_set *ret, struct err *err)
{
    *ret = (struct rec_set){ .env = op->rec.env,
                             .service = op->item->service,
                             .set_key = op->item->set_key };
    return db_get(op->engine->db, &op->arena, REC_set, ret, err);
}

/* The colour that the live set does not have. */
static int rows_free_colour(struct op_task *op, struct str *ret, struct err *err)
{
    struct rec_set *rows;
    size_t n;

    if (DB_SELECT(op->engine->db, &op->arena, set,
                  "WHERE env = $1 AND service = $2 AND state = 'live'", &rows, &n, err,
                  DB_T(op->rec.env), DB_T(op->item->service)))
        return err->code;
    *ret = n && str_eq_c(rows[0].colour, "blue") ? S("green") : S("blue");
    return 0;
}

static int rows_count_replicas(struct op_task *op)
{
    int n = 0;

    for (size_t i = 0; i < op->run->plan.items.n; i++) {
        const struct plan_item *item = &op->run->plan.items.p[i];

        n += item->action == PLAN_CREATE && str_eq_c(item->kind, "instance") &&
             item->lane == op->item->lane && str_eq(item->service, op->item->service) &&
             digest_eq(&item->set_key, &op->item->set_key);
    }
    return n;
}

static int rows_make_set(struct op_task *op, struct tx *tx, struct err *err)
{
    const struct plan *plan = &op->run->plan;
    const struct plan_record *record = plan_find_record(plan, S("service"), op->item->service);
    struct rec_set set;
    int rc = rows_find_set(op, &set, err);

    if (rc != ERR_NOT_FOUND)
        return rc;
    set = (struct rec_set){
        .env = op->rec.env,
        .service = op->item->service,
        .set_key = op->item->set_key,
        .state = S("making"),
        .replicas = rows_count_replicas(op),
        .desired = record ? record->desired : op->item->set_key,
        .group_digest = op->item->group >= 0 ? plan->groups.p[op->item->group].digest
                                             : (struct digest){ { 0 } },
        .revision = plan->target,
        .proven_seq = REC_NONE,
        .since_ms = tx_time_ms(tx),
        .keep_ms = REC_NONE,
    };
    if (rows_free_colour(op, &set.colour, err))
        return err->code;
    return tx_put(tx, REC_set, &set, err);
}

static int64_t rows_ordinal(struct op_task *op)
{
    size_t dot = op->rec.name.n;
    int64_t ordinal = 0;

    while (dot && op->rec.name.p[dot - 1] != '.')
        dot--;
    (void)str_to_i64(str_slice(op->rec.name, dot, op->rec.name.n), &ordinal); /* our own name */
    return ordinal;
}

static int rows_put_instance(struct op_task *op, struct tx *tx, struct str state, struct err *err)
{
    struct rec_instance row = { .env = op->rec.env,
                                .service = op->item->service,
                                .set_key = op->item->set_key,
                                .ordinal = rows_ordinal(op) };
    int rc = db_get(op->engine->db, &op->arena, REC_instance, &row, err);

    if (rc == ERR_NOT_FOUND)
        row.restarts = 0;
    else if (rc)
        return rc;
    row.provider_id = op->rec.provider_id.p ? op->rec.provider_id : S("");
    row.address = rows_output_text(op, S("address"));
    row.state = state;
    return tx_put(tx, REC_instance, &row, err);
}

/* A set that is not whole any more is not warm. */
static int rows_drain_set(struct op_task *op, struct tx *tx, struct err *err)
{
    struct rec_set set;
    int rc = rows_find_set(op, &set, err);

    if (rc || !str_eq_c(set.state, "previous"))
        return rc == ERR_NOT_FOUND ? 0 : rc;
    set.state = S("draining");
    return tx_put(tx, REC_set, &set, err);
}

/* It rests from the intent on: whoever wants it wakes it first. */
static int rows_rest_instance(struct op_task *op, struct tx *tx, int rests, struct err *err)
{
    struct rec_instance row = { .env = op->rec.env,
                                .service = op->item->service,
                                .set_key = op->item->set_key,
                                .ordinal = rows_ordinal(op) };
    int rc = db_get(op->engine->db, &op->arena, REC_instance, &row, err);

    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    row.state = rests ? S("frozen") : S("running");
    return tx_put(tx, REC_instance, &row, err);
}

static int claim_instance(struct op_task *op, struct tx *tx, struct err *err)
{
    if (op->item->action == PLAN_DELETE)
        return rows_drain_set(op, tx, err);
    if (value_get(op->item->desired, S("draining")))
        return 0;
    if (value_get(op->item->desired, S("frozen")))
        return rows_rest_instance(op, tx, 1, err);
    if (rows_make_set(op, tx, err))
        return err->code;
    return rows_put_instance(op, tx, S("making"), err);
}

/* A set is gone when nothing of it is left. */
static int rows_forget_set(struct op_task *op, struct tx *tx, struct err *err)
{
    struct rec_instance *rows;
    struct rec_set set;
    size_t n;
    int rc = rows_find_set(op, &set, err);

    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    if (DB_SELECT(op->engine->db, &op->arena, instance,
                  "WHERE env = $1 AND service = $2 AND set_key = $3", &rows, &n, err,
                  DB_T(op->rec.env), DB_T(op->item->service), DB_D(&op->item->set_key)))
        return err->code;
    if (n || set.backend.p)
        return 0;
    return tx_remove(tx, REC_set, &set, err);
}

/* What is live has as many replicas as it has instances, also half way through a rolling change. */
static int rows_count_live(struct op_task *op, struct tx *tx, struct err *err)
{
    struct rec_instance *rows;
    struct rec_set set;
    size_t n;
    int rc = rows_find_set(op, &set, err);

    if (rc || !str_eq_c(set.state, "live"))
        return rc == ERR_NOT_FOUND ? 0 : rc;
    if (DB_SELECT(op->engine->db, &op->arena, instance,
                  "WHERE env = $1 AND service = $2 AND set_key = $3", &rows, &n, err,
                  DB_T(op->rec.env), DB_T(op->item->service), DB_D(&op->item->set_key)))
        return err->code;
    set.replicas = (int64_t)n;
    return tx_put(tx, REC_set, &set, err);
}

static int verified_instance(struct op_task *op, struct tx *tx, struct err *err)
{
    struct rec_instance gone = { .env = op->rec.env,
                                 .service = op->item->service,
                                 .set_key = op->item->set_key,
                                 .ordinal = rows_ordinal(op) };

    if (value_get(op->item->desired, S("draining")))
        return 0;
    if (value_get(op->item->desired, S("frozen")))
        return rows_rest_instance(op, tx, value_get_bool(op->item->desired, S("frozen"), 0), err);
    if (op->item->action == PLAN_UPDATE)
        return rows_put_instance(op, tx, S("running"), err);
    if (op->item->action == PLAN_DELETE
            ? tx_remove(tx, REC_instance, &gone, err) || rows_forget_set(op, tx, err)
            : rows_put_instance(op, tx, S("running"), err))
        return err->code;
    return rows_count_live(op, tx, err);
}

static int claim_backend(struct op_task *op, struct tx *tx, struct err *err)
{
    return op->item->action == PLAN_DELETE ? rows_drain_set(op, tx, err) : 0;
}

static int verified_backend(struct op_task *op, struct tx *tx, struct err *err)
{
    struct rec_set set;
    int rc = rows_find_set(op, &set, err);

    if (rc)
        return rc == ERR_NOT_FOUND && op->item->action == PLAN_DELETE ? 0 : rc;
    set.backend = op->item->action == PLAN_DELETE ? STR_NONE : rows_output_text(op, S("backend"));
    if (tx_put(tx, REC_set, &set, err))
        return err->code;
    return op->item->action == PLAN_DELETE ? rows_forget_set(op, tx, err) : 0;
}

/* A generation is spent when it is asked for, not when it stands: never twice the same. */
static int claim_routes(struct op_task *op, struct tx *tx, struct err *err)
{
    struct rec_environment env;

    if (op->item->action != PLAN_CREATE)
        return 0;
    if (environments_by_uid(op->engine->db, &op->arena, op->rec.env, &env, err))
        return err->code;
    env.route_gen++;
    return tx_put(tx, REC_environment, &env, err);
}

static int verified_routes(struct op_task *op, struct tx *tx, struct err *err)
{
    struct value *body;
    const struct value *routes;
    int64_t generation;

    if (json_parse(&op->arena, op->body, KIT_BODY_MAX, &body, err))
        return err->code;
    generation = value_get_int(body, S("generation"), 0);
    if (op->item->action == PLAN_DELETE) {
        struct rec_route *rows;
        size_t n;

        if (DB_SELECT(op->engine->db, &op->arena, route, "WHERE env = $1 AND route_gen = $2", &rows,
                      &n, err, DB_T(op->rec.env), DB_I(generation)))
            return err->code;
        for (size_t i = 0; i < n; i++)
            if (tx_remove(tx, REC_route, &rows[i], err))
                return err->code;
        return 0;
    }
    routes = value_get(body, S("routes"));
    for (size_t i = 0; i < value_count(routes); i++) {
        const struct value *r = value_item(routes, i), *canary = value_get(r, S("canary"));
        struct rec_route row = {
            .env = op->rec.env,
            .route_gen = generation,
            .route = str_fmt(&op->arena, "%.*s@%.*s", STR_ARG(value_get_text(r, S("route"), S(""))),
                             STR_ARG(value_get_text(r, S("host"), S("")))),
            .backend = value_get_text(r, S("backend"), S("")),
            .weight = PLAN_SHARE_ALL - value_get_int(canary, S("share"), 0),
            .canary = value_get_text(canary, S("backend"), STR_NONE),
            .rules = value_get(r, S("rules")) ? json_format(&op->arena, value_get(r, S("rules")))
                                              : STR_NONE,
        };

        if (tx_put(tx, REC_route, &row, err))
            return err->code;
    }
    return 0;
}

static int verified_switch(struct op_task *op, struct tx *tx, struct err *err)
{
    return run_rows_flip(op->run, tx, op->item, err);
}

static struct rec_artifact rows_artifact(const struct op_task *op)
{
    struct rec_artifact row = { .made_for = op->rec.env };

    (void)digest_from_hex(value_get_text(op->item->desired, S("key"), S("")),
                          &row.key); /* made by specs */
    return row;
}

/* From the intent on it is not there for anybody: who needs it builds it again. */
static int claim_artifact(struct op_task *op, struct tx *tx, struct err *err)
{
    struct rec_artifact row = rows_artifact(op);
    int rc;

    if (op->item->action != PLAN_DELETE)
        return 0;
    rc = db_get(op->engine->db, &op->arena, REC_artifact, &row, err);
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    row.state = S("going");
    return tx_put(tx, REC_artifact, &row, err);
}

static int verified_artifact(struct op_task *op, struct tx *tx, struct err *err)
{
    struct rec_artifact row = rows_artifact(op);

    if (op->item->action == PLAN_DELETE)
        return tx_remove(tx, REC_artifact, &row, err);
    row.state = S("ready");
    row.bytes = rows_output_int(op, S("bytes"));
    row.used_ms = tx_time_ms(tx);
    (void)digest_from_hex(rows_output_text(op, S("digest")), &row.output_digest); /* absent: none */
    return tx_put(tx, REC_artifact, &row, err);
}

static int verified_release(struct op_task *op, struct tx *tx, struct err *err)
{
    struct rec_release row = {
        .env = op->rec.env, .service = op->item->service, .state = S("done"), .done_seq = tx_seq(tx)
    };

    (void)digest_from_hex(value_get_text(op->item->desired, S("release"), S("")),
                          &row.key); /* ours */
    return tx_put(tx, REC_release, &row, err);
}

typedef int rows_fn(struct op_task *op, struct tx *tx, struct err *err);

static const struct {
    const char *kind;
    rows_fn *claim, *verified;
} rows_table[] = {
    { "instance", claim_instance, verified_instance },
    { "backend", claim_backend, verified_backend },
    { "routes", claim_routes, verified_routes },
    { "switch", NULL, verified_switch },
    { "artifact", claim_artifact, verified_artifact },
    { "release", NULL, verified_release },
};

static int rows_call(struct op_task *op, struct tx *tx, int verified, struct err *err)
{
    for (size_t i = 0; i < N_ELEMENTS(rows_table); i++)
        if (str_eq_c(op->item->kind, rows_table[i].kind)) {
            rows_fn *fn = verified ? rows_table[i].verified : rows_table[i].claim;

            return fn ? fn(op, tx, err) : 0;
        }
    return 0;
}

/* --- the resource's own row ---------------------------------------------------------------------- */

static int rows_put_resource(struct op_task *op, struct tx *tx, struct str status, struct err *err)
{
    struct rec_resource r = op->resource;

    r.status = status;
    return tx_put_resource(tx, &r, err);
}

/* What nobody could tell of the resource this operation will: nobody has to settle it any more. */
static int rows_unpark(struct op_task *op, struct tx *tx, struct err *err)
{
    struct rec_operation *rows;
    size_t n;

    if (!str_eq_c(op->resource.status, "parked") && op->item->action != PLAN_ADOPT)
        return 0;
    if (DB_SELECT(op->engine->db, &op->arena, operation,
                  "WHERE env = $1 AND kind = $2 AND name = $3 AND outcome = 'parked'", &rows, &n,
                  err, DB_T(op->rec.env), DB_T(op->rec.kind), DB_T(op->rec.name)))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        rows[i].outcome = S("superseded");
        if (tx_put(tx, REC_operation, &rows[i], err))
            return err->code;
    }
    return 0;
}

int op_rows_claim(struct op_task *op, struct tx *tx, struct err *err)
{
    if (rows_call(op, tx, 0, err) || rows_unpark(op, tx, err))
        return err->code;
    if (!object_is_kind(op->rec.kind)) /* of which the row says what was verified last */
        op->resource.desired = op->rec.desired;
    return rows_put_resource(op, tx,
                             op->item->action == PLAN_DELETE ? S("deleting") : S("updating"), err);
}

int op_rows_verified(struct op_task *op, struct tx *tx, struct err *err)
{
    int gone = op->item->action == PLAN_DELETE;

    if (object_is_kind(op->rec.kind))
        return op_object_verified(op, tx, err);
    if (rows_call(op, tx, 1, err))
        return err->code;
    op->resource.turn++;
    op->resource.incarnation += gone;
    op->resource.provider_id = gone ? STR_NONE : op->rec.provider_id;
    op->resource.outputs = gone || !op->answer.outputs.n ? S("{}") : op->answer.outputs;
    op->resource.observed = gone ? (struct digest){ { 0 } } : op->resource.desired;
    op->resource.reason = S("");
    return rows_put_resource(op, tx, gone ? S("gone") : S("ready"), err);
}

int op_rows_ended(struct op_task *op, struct tx *tx, struct err *err)
{
    op->resource.turn++;
    op->resource.reason = op->rec.message.p ? op->rec.message : S("");
    if (op->item->action == PLAN_ADOPT)
        return op_object_not_adopted(op, tx, err);
    op->resource.provider_id = op->is_absent ? STR_NONE : op->rec.provider_id;
    return rows_put_resource(op, tx,
                             op->end == OP_IS_PARKED                     ? S("parked")
                             : op->is_absent && !op_object_is_missed(op) ? S("gone")
                                                                         : S("failed"),
                             err);
}
