/* Tokens, and calls that were refused. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/command_write.h"
#include "reconciler/engine/view.h"

static struct value *token_answer(struct command_call *c, const struct rec_token *row)
{
    const struct view v = { .db = c->engine->db,
                            .a = &c->arena,
                            .now_ms = loop_wall_ms(c->engine->loop) };

    return view_token(&v, row, row->epoch);
}

/* Two that are good at once have two names: who reads the history knows which. */
static int refuse_same_name(struct command_call *c, const struct rec_token *row, struct err *err)
{
    struct rec_token *rows;
    size_t n;

    if (DB_SELECT(c->engine->db, &c->arena, token,
                  "WHERE name = $1 AND epoch = $2 AND revoked_ms IS NULL"
                  " AND (expires_ms IS NULL OR expires_ms > $3) LIMIT 1",
                  &rows, &n, err, DB_T(row->name), DB_I(row->epoch), DB_I(row->created_ms)))
        return err->code;
    return n ? err_set(err, ERR_CONFLICT, "there is a token '%.*s': reeve token revoke %.*s",
                       STR_ARG(row->name), STR_ARG(rows[0].id))
             : 0;
}

int command_write_token(struct command_call *c, struct command_found *f, struct tx *tx,
                        struct err *err)
{
    struct rec_token row = *c->in.token;

    row.created_ms = tx_time_ms(tx);
    row.created_by = c->in.actor;
    if (view_token_epoch(c->engine->db, &c->arena, &row.epoch, err) ||
        refuse_same_name(c, &row, err) || tx_put(tx, REC_token, &row, err))
        return err->code;
    f->token = token_answer(c, &row);
    return 0;
}

int command_write_revoke(struct command_call *c, struct command_found *f, struct tx *tx,
                         struct err *err)
{
    struct rec_token row = { .id = c->in.token->id };
    int rc = db_get(c->engine->db, &c->arena, REC_token, &row, err);

    if (rc == ERR_NOT_FOUND)
        return err_set(err, rc, "there is no token '%.*s'", STR_ARG(row.id));
    if (rc)
        return rc;
    if (row.revoked_ms != REC_NONE)
        return err_set(err, ERR_CONFLICT, "token '%.*s' was revoked before", STR_ARG(row.id));
    row.revoked_ms = tx_time_ms(tx);
    row.revoked_by = c->in.actor;
    f->token = token_answer(c, &row);
    return tx_put(tx, REC_token, &row, err);
}

int command_write_denied(struct command_call *c, struct command_found *f, struct tx *tx,
                         struct err *err)
{
    (void)f;
    (void)err;
    tx_note(tx, S("denied"), c->in.denied_note);
    return 0;
}

int command_write_used(struct command_call *c, struct err *err)
{
    const struct rec_token_use now = { .id = c->in.token->id,
                                       .used_ms = loop_wall_ms(c->engine->loop) };
    struct rec_token_use row = { .id = now.id };
    int rc = db_get(c->engine->db, &c->arena, REC_token_use, &row, err);

    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    err->code = 0;
    if (!rc && now.used_ms - row.used_ms < VIEW_TOKEN_USE_MS && now.used_ms >= row.used_ms)
        return 0; /* another call was quicker */
    return db_cache_put(c->engine->db, REC_token_use, &now, err);
}
