/* Who may come in by a token. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/view_rows.h"

int view_token_epoch(struct db *db, struct arena *a, int64_t *ret, struct err *err)
{
    struct str text;
    int rc = db_meta(db, a, S("token_epoch"), &text, err);

    if (rc)
        return rc;
    *ret = 0;
    return text.p && str_to_i64(text, ret)
               ? err_set(err, ERR_CORRUPT, "the epoch of tokens is '%.*s'", STR_ARG(text))
               : 0;
}

static const char *token_state(const struct view *v, const struct rec_token *row, int64_t epoch)
{
    if (row->revoked_ms != REC_NONE)
        return "revoked";
    if (row->epoch != epoch)
        return "lost";
    return row->expires_ms != REC_NONE && row->expires_ms <= v->now_ms ? "expired" : "good";
}

struct value *view_token(const struct view *v, const struct rec_token *row, int64_t epoch)
{
    struct value *one = value_map(v->a), *roles = value_list(v->a);
    struct str rest = row->roles, role;

    value_set_text(v->a, one, S("id"), row->id);
    value_set_text(v->a, one, S("name"), row->name);
    value_set_text(v->a, one, S("state"), str_from_c(token_state(v, row, epoch)));
    while (str_next(&rest, ' ', &role))
        value_add(v->a, roles, value_text(v->a, role));
    value_set(v->a, one, S("roles"), roles);
    view_set_json(v, one, "environments", row->scope);
    value_set_int(v->a, one, S("created_ms"), row->created_ms);
    value_set_text(v->a, one, S("created_by"), row->created_by);
    view_set_int(v, one, "expires_ms", row->expires_ms);
    view_set_int(v, one, "revoked_ms", row->revoked_ms);
    view_set(v, one, "revoked_by", row->revoked_by);
    return one;
}

static int set_used(const struct view *v, struct value *one, struct str id, struct err *err)
{
    struct rec_token_use *rows;
    size_t n;

    if (DB_SELECT(v->db, v->a, token_use, "WHERE id = $1", &rows, &n, err, DB_T(id)))
        return err->code;
    if (n)
        value_set_int(v->a, one, S("used_ms"), rows[0].used_ms);
    return 0;
}

int view_tokens(const struct view *v, struct value **ret, struct err *err)
{
    struct value *map = value_map(v->a), *list = value_list(v->a);
    struct rec_token *rows;
    int64_t epoch;
    size_t n = 0;
    int rc = view_token_epoch(v->db, v->a, &epoch, err);

    if (!rc)
        rc = DB_SELECT(v->db, v->a, token, "ORDER BY created_ms DESC, id LIMIT 1000", &rows, &n,
                       err);
    for (size_t i = 0; !rc && i < n; i++) {
        struct value *one = view_token(v, &rows[i], epoch);

        rc = set_used(v, one, rows[i].id, err);
        value_add(v->a, list, one);
    }
    if (rc)
        return rc;
    value_set(v->a, map, S("tokens"), list);
    *ret = map;
    return arena_status(v->a, err);
}
