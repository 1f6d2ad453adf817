/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/op_assets.h"

#include "reconciler/core/rollout_items.h"
#include "specs/json_io.h"

#define ASSETS_BACK_MAX 200 /* how far back it is looked */

/* Whether one of the list, or the body itself, is of this artifact. */
static int assets_has(const struct value *body, const struct value *list, struct str artifact)
{
    if (str_eq(value_get_text(body, S("artifact"), S("")), artifact))
        return 1;
    for (size_t i = 0; i < value_count(list); i++)
        if (str_eq(value_get_text(value_item(list, i), S("artifact"), S("")), artifact))
            return 1;
    return 0;
}

/* As its document said; `path` where it had no assets yet. */
static int assets_add(struct op_task *op, const struct rec_resource *was, const struct value *body,
                      struct value *list, struct err *err)
{
    struct str path = value_get_text(value_get(body, S("assets")), S("path"), S(".")), text, key;
    struct arena *a = &op->arena;
    struct value *service, *one;
    int rc = db_document(op->engine->db, a, &was->desired, &text, err);

    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    if (json_parse(a, text, KIT_BODY_MAX, &service, err))
        return err->code;
    key = value_get_text(service, S("artifact"), STR_NONE);
    if (!key.p || assets_has(body, list, key))
        return 0;
    one = value_map(a);
    value_set_text(a, one, S("artifact"), key);
    value_set_text(a, one, S("context"), rollout_items_context(service));
    value_set_text(a, one, S("path"),
                   value_get_text(value_get(service, S("assets")), S("path"), path));
    value_add(a, list, one);
    return 0;
}

int op_assets_history(struct arena *a, struct db *db, struct str env, struct str service,
                      struct rec_resource **ret, size_t *ret_n, struct err *err)
{
    return DB_SELECT(db, a, resource,
                     "WHERE env = $1 AND kind = 'service' AND name = $2 AND desired IS NOT NULL "
                     "GROUP BY desired ORDER BY MAX(valid_from) DESC LIMIT $3",
                     ret, ret_n, err, DB_T(env), DB_T(service), DB_I(ASSETS_BACK_MAX));
}

int op_assets_fill(struct op_task *op, struct value *body, struct err *err)
{
    const struct value *assets = value_get(body, S("assets"));
    size_t n, retain = (size_t)value_get_int(assets, S("retain"), 0);
    struct arena *a = &op->arena;
    struct value *list = value_list(a), *with;
    struct rec_resource *rows;

    if (!assets)
        return 0;
    if (op_assets_history(a, op->engine->db, op->rec.env, op->item->service, &rows, &n, err))
        return err->code;
    for (size_t i = 0; i < n && value_count(list) < retain; i++)
        if (assets_add(op, &rows[i], body, list, err))
            return err->code;
    with = value_copy(a, assets);
    value_set(a, with, S("of"), list);
    value_set(a, body, S("assets"), with);
    return arena_status(a, err);
}
