/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/op_rows.h"

#include "reconciler/engine/op_body.h"
#include "reconciler/engine/run.h"
#include "reconciler/engine/spare.h"
#include "specs/digest.h"
#include "state/plans.h"

static int rows_resource_is_free(struct op_task *op, struct err *err)
{
    struct rec_operation *rows;
    size_t n;

    if (DB_SELECT(op->engine->db, &op->arena, operation,
                  "WHERE env = $1 AND kind = $2 AND name = $3 AND outcome IS NULL", &rows, &n, err,
                  DB_T(op->rec.env), DB_T(op->rec.kind), DB_T(op->rec.name)))
        return err->code;
    if (n)
        return err_set(err, ERR_BUSY, "an operation of '%.*s/%.*s' is open", STR_ARG(op->rec.kind),
                       STR_ARG(op->rec.name));
    return 0;
}

/* Whether the switch of these routes is still to come: it stands right behind them. */
static int rows_switch_is_ahead(struct op_task *op, size_t routes, int *ret, struct err *err)
{
    struct rec_operation *rows;
    size_t n;

    *ret = 0;
    if (DB_SELECT(op->engine->db, &op->arena, operation, "WHERE plan = $1 AND item IN ($2, $3)",
                  &rows, &n, err, DB_D(&op->rec.plan), DB_I((int64_t)routes),
                  DB_I((int64_t)routes + 1)))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        int is_switch = rows[i].item == (int64_t)routes + 1;

        if (is_switch && rows[i].outcome.p && !str_eq_c(rows[i].outcome, "parked")) {
            *ret = 0;
            return 0;
        }
        *ret |= is_switch || !rows[i].outcome.p || str_eq_c(rows[i].outcome, "done");
    }
    return 0;
}

/* A lane that its group has left switches no more. */
static int rows_lane_is_left(const struct op_task *op, const struct plan_item *item)
{
    struct str state = item->group >= 0 ? op->run->rollouts[item->group].state : S("rolling");

    if (item->lane == LANE_REVERT)
        return !run_rollout_goes_back(state);
    return !str_eq_c(state, "rolling") && !str_eq_c(state, "switched");
}

/* Routes are made of what is live now: from here to the switch nobody else may move anything, or it would be
 * moved back. Only the newest generation can be on its way. */
static int rows_routes_are_free(struct op_task *op, struct err *err)
{
    struct arena *a = &op->arena;
    const struct plan_item *item;
    struct rec_environment env;
    struct rec_operation *rows;
    size_t n;
    int ahead;

    if (environments_by_uid(op->engine->db, a, op->rec.env, &env, err) ||
        DB_SELECT(op->engine->db, a, operation,
                  "WHERE plan = $1 AND kind = 'routes' AND action = 'create' AND name = $2", &rows,
                  &n, err, DB_D(&op->rec.plan),
                  DB_T(str_fmt(a, "G%lld", (long long)env.route_gen))))
        return err->code;
    if (!n)
        return 0;
    item = &op->run->plan.items.p[rows[0].item];
    if (rows[0].item == (int64_t)op->index || rows_lane_is_left(op, item))
        return 0;
    if (rows_switch_is_ahead(op, (size_t)rows[0].item, &ahead, err))
        return err->code;
    return ahead ? err_set(err, ERR_BUSY, "another group is about to switch") : 0;
}

/* Whether the plan that is being applied, not this one, moves the service. */
static int rows_service_moves(struct op_task *op, int *ret, struct err *err)
{
    struct arena *a = &op->arena;
    struct rec_plan row;
    struct plan plan;
    struct str document;
    int rc = plans_applying(op->engine->db, a, op->rec.env, &row, err);

    *ret = 0;
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    if (digest_eq(&row.id, &op->rec.plan))
        return 0;
    if (db_document(op->engine->db, a, &row.doc, &document, err) ||
        plan_parse(a, document, &plan, err))
        return err->code;
    for (size_t g = 0; g < plan.groups.n; g++)
        for (size_t i = 0; i < plan.groups.p[g].services.n; i++)
            *ret |= str_eq(plan.groups.p[g].services.p[i], op->item->service);
    return 0;
}

/* A later plan made it live again, or took it away, or keeps it for itself. */
static int rows_is_kept(const struct op_task *op, const struct rec_set *set)
{
    if (str_eq_c(set->state, "previous"))
        return digest_eq(&set->kept_by, &op->rec.plan);
    return !str_eq_c(set->state, "live");
}

/* The end of what was kept, or of its running; a later plan may be about to make it live again. */
static int rows_may_stop_kept(struct op_task *op, struct err *err)
{
    struct rec_set set = { .env = op->rec.env,
                           .service = op->item->service,
                           .set_key = op->item->set_key };
    int moves, rc = db_get(op->engine->db, &op->arena, REC_set, &set, err);

    if (rc == ERR_NOT_FOUND || (!rc && !rows_is_kept(op, &set)))
        return err_set(err, ERR_CANCELLED, "the set is not kept any more");
    if (rc || rows_service_moves(op, &moves, err))
        return err->code;
    return moves ? err_set(err, ERR_BUSY, "a later plan moves the service") : 0;
}

/* Somebody may have come to need it since the plan was made; who applies another one may be about to. */
static int rows_may_drop_spare(struct op_task *op, struct err *err)
{
    struct str key = value_get_text(op->item->desired, S("key"), S(""));
    struct rec_plan other;
    int is_needed = 0, rc = plans_applying(op->engine->db, &op->arena, op->rec.env, &other, err);

    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    if (rc && spare_is_needed(&op->arena, op->engine->db, op->rec.env, key, &is_needed, err))
        return err->code;
    return !rc || is_needed ? err_set(err, ERR_CANCELLED, "the artifact may be needed") : 0;
}

static int rows_may_begin(struct op_task *op, struct err *err)
{
    const struct plan_item *item = op->item;

    if (plan_item_is_spare(item))
        return rows_may_drop_spare(op, err);
    if (item->action == PLAN_CREATE && str_eq_c(item->kind, "routes"))
        return rows_routes_are_free(op, err);
    if (item->lane == LANE_TAIL && !digest_is_none(&item->set_key)) /* stopped, or put to rest */
        return rows_may_stop_kept(op, err);
    return 0;
}

static int rows_load_resource(struct op_task *op, struct err *err)
{
    int rc = resources_now(op->engine->db, &op->arena, op->rec.env, op->rec.kind, op->rec.name,
                           &op->resource, err);

    if (rc != ERR_NOT_FOUND)
        return rc;
    op->resource = (struct rec_resource){
        .env = op->rec.env,
        .kind = op->rec.kind,
        .name = op->rec.name,
        .incarnation = 1,
        .turn = 0,
        .provider = op->item->provider,
        .outputs = S("{}"),
        .status = S("gone"),
        .protect = S(""),
        .drift = S("{}"),
        .reason = S(""),
    };
    return 0;
}

/* What goes is with whoever made it: the service may have moved to another since. */
static struct str rows_provider(const struct op_task *op)
{
    int goes = op->item->action == PLAN_DELETE && engine_resource_exists(&op->resource);

    return op->item->provider.n && !(goes && op->resource.provider.n) ? op->item->provider
                                                                      : op->resource.provider;
}

/* The object that had another name is the same. */
static int rows_load_moved(struct op_task *op, struct err *err)
{
    struct rec_resource was;
    int rc;

    if (!op->item->from.n || engine_resource_exists(&op->resource))
        return 0;
    rc = resources_now(op->engine->db, &op->arena, op->rec.env, op->rec.kind, op->item->from, &was,
                       err);
    if (rc)
        return rc;
    op->rec.provider_id = was.provider_id;
    op->resource.protect = was.protect;
    return 0;
}

static void rows_identify(struct op_task *op)
{
    struct arena *a = &op->arena;
    const struct identity_subject subject = { op->engine->installation, op->rec.env, op->rec.kind,
                                              op->rec.name, op->resource.incarnation };
    struct digest asked = digest_value(a, S("item"), op->item->desired);

    op->rec.provider = rows_provider(op);
    op->resource.provider = op->rec.provider;
    op->rec.owner = identity_owner(a, &subject);
    op->rec.key = identity_idempotency_key(a, &subject, op->resource.turn, op->rec.action, &asked);
    op->resource.owner = op->rec.owner;
    if (op->resource.provider_id.p && engine_resource_exists(&op->resource))
        op->rec.provider_id = op->resource.provider_id;
}

int op_prepare(struct op_task *op, struct err *err)
{
    struct value *body;

    op->rec.kind = op->item->kind;
    op->rec.name = op->item->name;
    op->rec.action = str_from_c(plan_action_name(op->item->action));
    if (rows_may_begin(op, err) || op_body_make(op, &body, err) || rows_resource_is_free(op, err) ||
        rows_load_resource(op, err) || rows_load_moved(op, err) || op_body_seal(op, body, err))
        return err->code;
    rows_identify(op);
    return 0;
}
