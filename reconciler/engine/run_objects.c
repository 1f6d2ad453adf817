/* What a plan says of objects without an operation. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/object.h"
#include "reconciler/engine/run.h"

static void set_adopted(struct run *r, struct rec_resource *row)
{
    const struct plan_record *record = plan_find_record(&r->plan, row->kind, row->name);

    if (record)
        row->desired = record->desired;
    row->status = S("ready");
    row->reason = S("");
}

/* Its data is protected as it was asked for. */
static int set_protection(struct run *r, struct rec_resource *row, struct err *err)
{
    struct value *desired;
    struct str body;

    if (str_eq_c(row->protect, "forget") || digest_is_none(&row->desired))
        return 0;
    if (db_document(r->engine->db, &r->rows, &row->desired, &body, err) ||
        json_parse(&r->rows, body, KIT_BODY_MAX, &desired, err))
        return err->code;
    row->protect = object_protection(object_type(r->engine->schemas, row->provider, row->kind),
                                     desired);
    return 0;
}

int run_rows_object(struct run *r, struct tx *tx, const struct plan_item *item, struct err *err)
{
    size_t colon = str_find_char(item->name, ':');
    struct str word = str_slice(item->name, 0, colon),
               id = str_slice(item->name, colon + 1, item->name.n);
    size_t slash = str_find_char(id, '/');
    struct rec_resource row;

    if (resources_now(r->engine->db, &r->rows, r->plan.env_uid, str_slice(id, 0, slash),
                      str_slice(id, slash + 1, id.n), &row, err))
        return err->code;
    row.turn++;
    if (str_eq_c(word, "adopted")) {
        set_adopted(r, &row);
        if (set_protection(r, &row, err))
            return err->code;
    } else if (str_eq_c(word, "kept")) {
        row.status = S("kept");
        row.reason = S("no longer in the specs, no longer managed: its data is retained");
    } else {
        row.status = S("gone");
        row.provider_id = STR_NONE;
        row.incarnation++;
        row.desired = row.observed = (struct digest){ { 0 } };
        row.protect = S("");
        row.reason = S("forgotten: it stays as it was, with our label");
    }
    return tx_put_resource(tx, &row, err);
}

struct str run_rows_stays(struct run *r, struct arena *a)
{
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < r->plan.items.n; i++) {
        const struct plan_item *item = &r->plan.items.p[i];

        if (object_is_kind(item->kind) && r->schedule.items[i] == ITEM_DONE)
            sb_addf(&b, "%s%s of %.*s/%.*s", b.n ? ", " : "", plan_action_name(item->action),
                    STR_ARG(item->kind), STR_ARG(item->name));
    }
    return sb_str(&b);
}
