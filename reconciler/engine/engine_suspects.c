/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/engine_suspects.h"

#include "base/log.h"
#include "base/sys.h"
#include "reconciler/core/suspects.h"
#include "reconciler/engine/driver_call.h"
#include "specs/json_io.h"

static int hold_suspect(struct engine *e, struct arena *a, struct tx *tx, struct str uid,
                        struct err *err)
{
    struct rec_hold hold = { .uid = sys_uuid7(a, tx_time_ms(tx)),
                             .env = uid,
                             .actor = ENGINE_ACTOR,
                             .until_ms = REC_NONE,
                             .ended_seq = REC_NONE };
    struct rec_environment env;
    int rc = environments_by_uid(e->db, a, uid, &env, err);

    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc; /* it died before its row was written */
    hold.reason = str_fmt(a,
                          "%.*s: the daemon died %d times within %d minutes while it was in work",
                          STR_ARG(ENGINE_SUSPECT), SUSPECTS_DEATHS, SUSPECTS_WITHIN_MS / 60000);
    env.sync = S("held");
    env.reason = str_fmt(a, "held by reeve: %.*s", STR_ARG(hold.reason));
    LOG(LOG_ERROR, "an environment is suspected of killing the daemon: held, look at it",
        LOG_S("env", env.name));
    if (tx_put(tx, REC_hold, &hold, err))
        return err->code;
    return tx_put(tx, REC_environment, &env, err);
}

static int write_death(struct engine *e, struct arena *a, const struct value *deaths,
                       const struct value *suspects, struct err *err)
{
    const struct engine_event event = { .kind = S("daemon.died"),
                                        .subject = str_from_c(e->options.holder) };
    const struct rec_meta row = { .k = S("deaths"), .v = json_format(a, deaths) };
    struct tx *tx;
    int rc = engine_tx(e, &event, &tx, err);

    if (rc)
        return rc;
    tx_note(tx, S("in_work"), json_format(a, e->left_in_work));
    rc = tx_put(tx, REC_meta, &row, err);
    for (size_t i = 0; !rc && i < value_count(suspects); i++)
        rc = hold_suspect(e, a, tx, value_item(suspects, i)->u.text, err);
    if (!rc)
        return tx_commit(tx, err);
    tx_rollback(tx);
    return rc;
}

int engine_suspects_seek(struct engine *e, struct err *err)
{
    int64_t now_ms = loop_wall_ms(e->loop);
    AUTO_ARENA struct arena a;
    const struct value *before;
    struct value *deaths, *suspects;
    struct str text;

    arena_init(&a, 0);
    if (!e->was_killed || !value_count(e->left_in_work))
        return 0;
    if (db_meta(e->db, &a, S("deaths"), &text, err))
        return err->code;
    before = value_get(
        driver_answer_value(&a, text.p ? str_fmt(&a, "{\"deaths\":%.*s}", STR_ARG(text)) : S("")),
        S("deaths"));
    deaths = suspects_note(&a, before, now_ms, e->left_in_work, &suspects);
    if (arena_status(&a, err) || write_death(e, &a, deaths, suspects, err))
        return err->code;
    if (suspects_are_sought(deaths, now_ms))
        e->careful_until_mono_ms = loop_mono_ms(e->loop) + SUSPECTS_WITHIN_MS;
    return 0;
}
