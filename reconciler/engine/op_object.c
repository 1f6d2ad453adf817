/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/op_object.h"

#include "reconciler/core/drift.h"
#include "reconciler/engine/run.h"
#include "specs/json_io.h"
#include "state/documents.h"

static const struct value *object_type_of(const struct op_task *op)
{
    return object_type(op->engine->schemas, op->rec.provider, op->rec.kind);
}

int op_object_is_as_asked(struct op_task *op, const struct value *desired,
                          const struct value *observed)
{
    struct str key = value_get_text(observed, S("key"), STR_NONE);

    if (key.p)
        return str_eq(key, op->rec.key);
    return !object_compare(&op->rounds[op->round], object_type_of(op), desired, observed).n;
}

int op_object_is_missed(const struct op_task *op)
{
    return object_is_kind(op->rec.kind) && op->item->action != PLAN_DELETE &&
           (!digest_is_none(&op->resource.desired) || op->resource.protect.n);
}

/* --- outputs ------------------------------------------------------------------------------------- */

/* Another incarnation gives other values, whatever they look like. */
static int fingerprint(struct engine *e, struct arena *a, const struct rec_resource *row,
                       struct str key, const struct value *v, struct str *ret, struct err *err)
{
    AUTO_WIPED_ARENA struct arena scratch;
    struct str name;

    arena_init(&scratch, 0);
    name = str_fmt(&scratch, "%.*s/%.*s#%.*s/%lld", STR_ARG(row->kind), STR_ARG(row->name),
                   STR_ARG(key), (long long)row->incarnation);
    return secret_store_fingerprint(e->secrets, row->env, name,
                                    v->kind == VALUE_TEXT ? v->u.text : json_format(&scratch, v), a,
                                    ret, err);
}

int op_object_outputs(struct engine *e, struct arena *a, const struct rec_resource *row,
                      struct str outputs, struct str *ret, struct err *err)
{
    AUTO_WIPED_ARENA struct arena scratch;
    struct value *given = NULL, *had = NULL, *now = value_map(a);

    arena_init(&scratch, 0);
    if (json_parse(&scratch, outputs.n ? outputs : S("{}"), KIT_BODY_MAX, &given, err) ||
        json_parse(a, row->outputs, KIT_BODY_MAX, &had, err))
        return err->code;
    for (size_t i = 0; i < value_count(given); i++) {
        struct str key = str_copy(a, given->u.map.entries[i].key), print;
        const struct value *before = value_get(had, key);
        int64_t version = value_get_int(before, S("v"), 0);
        struct value *one = value_map(a);

        if (fingerprint(e, a, row, key, given->u.map.entries[i].value, &print, err))
            return err->code;
        value_set_text(a, one, S("f"), print);
        value_set_int(a, one, S("v"),
                      str_eq(value_get_text(before, S("f"), S("")), print) ? version : version + 1);
        value_set(a, now, key, one);
    }
    *ret = json_format(a, now);
    return arena_status(a, err);
}

/* What comes after it counts on. */
static int keep_versions(struct arena *a, struct rec_resource *row, struct err *err)
{
    struct value *had, *kept = value_map(a);

    if (json_parse(a, row->outputs, KIT_BODY_MAX, &had, err))
        return err->code;
    for (size_t i = 0; i < value_count(had); i++) {
        struct value *one = value_map(a);

        value_set_text(a, one, S("f"), S(""));
        value_set_int(a, one, S("v"), value_get_int(had->u.map.entries[i].value, S("v"), 0));
        value_set(a, kept, had->u.map.entries[i].key, one);
    }
    row->outputs = json_format(a, kept);
    return arena_status(a, err);
}

/* --- the row ------------------------------------------------------------------------------------- */

static int put_gone(struct op_task *op, struct tx *tx, struct err *err)
{
    struct rec_resource *r = &op->resource;

    r->incarnation++;
    r->provider_id = STR_NONE;
    r->desired = r->observed = (struct digest){ { 0 } };
    r->protect = S("");
    r->drift = S("{}");
    r->status = S("gone");
    r->reason = op->item->action == PLAN_FORGET ? S("forgotten: it stays as it was") : S("");
    if (keep_versions(&op->arena, r, err))
        return err->code;
    return tx_put_resource(tx, r, err);
}

/* The fields that are compared, as they show. */
static int put_observed(struct op_task *op, struct tx *tx, const struct object_differences *all,
                        struct err *err)
{
    struct arena *a = &op->arena;
    const struct value *seen = value_map(a);

    for (size_t i = 0; i < all->n; i++)
        seen = object_with(a, seen, all->p[i].path, all->p[i].seen);
    op->resource.observed = documents_digest(S("observed"), json_format(a, seen));
    return tx_document(tx, S("observed"), &op->resource.observed, json_format(a, seen), err);
}

/* What a person named, or had another name, is looked at before anything is said of it. */
static int is_only_labelled(const struct op_task *op)
{
    return op->item->action == PLAN_ADOPT;
}

static int put_drift(struct op_task *op, struct tx *tx, const struct value *seen, struct err *err)
{
    struct arena *a = &op->arena;
    struct rec_resource *r = &op->resource;
    struct value *memory;
    struct drift_look look = { .type = object_type_of(op),
                               .wanted = op->item->desired,
                               .seen = seen,
                               .now_ms = tx_time_ms(tx) };
    struct drift_news news;

    if (is_only_labelled(op)) {
        r->drift = S("{}");
        return 0;
    }
    if (json_parse(a, r->drift, KIT_BODY_MAX, &memory, err))
        return err->code;
    look.memory = memory;
    news = drift_applied(a, &look);
    r->drift = json_format(a, news.memory);
    if (news.unstable.n)
        tx_note(tx, S("unstable"), json_format(a, value_text(a, news.unstable)));
    return 0;
}

/* Its row has another name now; who was made when it had the old one finds it by its label. */
static int leave_old_name(struct op_task *op, struct tx *tx, struct err *err)
{
    struct rec_resource was;
    int rc;

    if (!op->item->from.n)
        return 0;
    rc = resources_now(op->engine->db, &op->arena, op->rec.env, op->rec.kind, op->item->from, &was,
                       err);
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    was.incarnation++;
    was.provider_id = STR_NONE;
    was.provider = op->resource.provider;
    was.owner = op->resource.owner;
    was.desired = was.observed = (struct digest){ { 0 } };
    was.status = S("gone");
    was.protect = S("");
    was.outputs = was.drift = S("{}");
    was.reason = str_fmt(&op->arena, "it is %.*s/%.*s now", STR_ARG(op->rec.kind),
                         STR_ARG(op->rec.name));
    return tx_put_resource(tx, &was, err);
}

static int put_ready(struct op_task *op, struct tx *tx, struct err *err)
{
    struct arena *a = &op->arena;
    struct rec_resource *r = &op->resource;
    const struct plan_record *record = plan_find_record(&op->run->plan, op->rec.kind, op->rec.name);
    const struct value *seen = driver_answer_value(a, op->answer.observed);
    struct object_differences all = object_compared(a, object_type_of(op), op->item->desired, seen);
    int is_taken = is_only_labelled(op) && !op->item->from.n;

    r->provider_id = op->rec.provider_id;
    r->status = S("ready");
    r->reason = S("");
    r->desired = (struct digest){ { 0 } };
    if (record && !is_taken) /* what a person named is looked at first */
        r->desired = record->desired;
    if (!str_eq_c(r->protect, "forget"))
        r->protect = object_protection(object_type_of(op), op->item->desired);
    if (op_object_outputs(op->engine, a, r, op->answer.outputs, &r->outputs, err) ||
        put_observed(op, tx, &all, err) || put_drift(op, tx, seen, err) ||
        leave_old_name(op, tx, err))
        return err->code;
    return tx_put_resource(tx, r, err);
}

int op_object_verified(struct op_task *op, struct tx *tx, struct err *err)
{
    op->resource.turn++;
    return op->item->action == PLAN_DELETE || op->item->action == PLAN_FORGET
               ? put_gone(op, tx, err)
               : put_ready(op, tx, err);
}

int op_object_not_adopted(struct op_task *op, struct tx *tx, struct err *err)
{
    struct rec_resource *r = &op->resource;
    int is_renamed = op->item->from.n > 0;

    r->status = is_renamed ? S("gone") : op->end == OP_IS_PARKED ? S("parked") : S("adopting");
    r->protect = is_renamed ? S("") : S("adopt");
    if (is_renamed)
        r->provider_id = STR_NONE;
    return tx_put_resource(tx, r, err);
}
