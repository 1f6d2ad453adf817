/* Commands that may come twice and are done once. SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "base/log.h"
#include "reconciler/engine/command_write.h"
#include "reconciler/engine/engine_state.h"
#include "specs/json_io.h"

#define ANSWER_MAX 65536
#define FORGOTTEN_AT_ONCE 16

int command_once_find(struct command_call *c, struct command_found *f, struct err *err)
{
    struct rec_reply row = { .key = c->in.once };
    int rc;

    if (digest_is_none(&c->in.once))
        return 0;
    rc = db_get(c->engine->db, &c->arena, REC_reply, &row, err);
    if (rc == ERR_NOT_FOUND) {
        err->code = 0;
        return 0;
    }
    if (rc || loop_wall_ms(c->engine->loop) - row.at_ms > COMMAND_ONCE_MS)
        return rc;
    if (!digest_is_same(&row.body, &c->in.once_body))
        return err_set(err, ERR_INVALID, "this Idempotency-Key came with another body before");
    return json_parse(&c->arena, row.answer, ANSWER_MAX, &f->again, err);
}

static int forget_old(struct command_call *c, int64_t now_ms, struct err *err)
{
    struct rec_reply *rows;
    size_t n;
    int rc = DB_SELECT(c->engine->db, &c->arena, reply, "WHERE at_ms < $1 LIMIT $2", &rows, &n, err,
                       DB_I(now_ms - COMMAND_ONCE_MS), DB_I(FORGOTTEN_AT_ONCE));

    for (size_t i = 0; !rc && i < n; i++)
        rc = db_cache_remove(c->engine->db, REC_reply, &rows[i], err);
    return rc;
}

void command_once_keep(struct command_call *c, const struct value *answer)
{
    int64_t now_ms = loop_wall_ms(c->engine->loop);
    struct rec_reply row = { .key = c->in.once,
                             .body = c->in.once_body,
                             .answer = json_format(&c->arena, answer),
                             .at_ms = now_ms };
    struct err err = ERR_INIT;

    if (digest_is_none(&c->in.once))
        return;
    if (forget_old(c, now_ms, &err) || db_cache_put(c->engine->db, REC_reply, &row, &err))
        LOG(LOG_WARN, "a command would be done again if it came again", LOG_C("err", err.text));
}
