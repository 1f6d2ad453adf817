/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/engine_suspects.h"

#include "base/log.h"
#include "base/sys.h"
#include "reconciler/core/suspects.h"
#include "reconciler/engine/driver_call.h"
#include "specs/json_io.h"
#include "state/plans.h"

#define HEAD_MARK "head:"
#define HEAD_MARK_DIGITS 40u
#define PASSED "passed/"

/* 1: it was held for that before, and died on the way back. */
static int is_held_already(struct engine *e, struct arena *a, struct str uid, struct err *err)
{
    struct rec_hold *holds;
    size_t n;

    if (DB_SELECT(e->db, a, hold,
                  "WHERE env = $1 AND ended_seq IS NULL AND actor = $2 AND reason LIKE $3", &holds,
                  &n, err, DB_T(uid), DB_T(ENGINE_ACTOR), DB_T(S("crash_suspect%"))))
        return err->code;
    return n != 0;
}

/* What is being applied goes back: its row remembers it, as if a person had said so. */
static int take_back(struct engine *e, struct arena *a, struct tx *tx, struct str uid,
                     struct err *err)
{
    struct rec_plan plan;
    struct rec_decision row = { .actor = ENGINE_ACTOR,
                                .verdict = S("cancelled"),
                                .class = S(""),
                                .reason = ENGINE_SUSPECT,
                                .at_seq = tx_seq(tx),
                                .person = ENGINE_ACTOR,
                                .principals = S("[]"),
                                .until_ms = REC_NONE };
    int rc = plans_applying(e->db, a, uid, &plan, err);

    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    row.plan = plan.id;
    return tx_put(tx, REC_decision, &row, err);
}

static int put_hold(struct engine *e, struct arena *a, struct tx *tx, struct rec_environment *env,
                    int is_again, struct err *err)
{
    const struct rec_hold hold = {
        .uid = sys_uuid7(a, tx_time_ms(tx)),
        .env = env->uid,
        .actor = ENGINE_ACTOR,
        .reason = str_fmt(a, "%.*s: the daemon died %d times within %d minutes while it was %s",
                          STR_ARG(is_again ? ENGINE_SUSPECT_LEFT : ENGINE_SUSPECT), SUSPECTS_DEATHS,
                          SUSPECTS_WITHIN_MS / 60000, is_again ? "taken back" : "in work"),
        .until_ms = REC_NONE,
        .ended_seq = REC_NONE,
    };

    env->sync = S("held");
    env->reason = str_fmt(a, "held by reeve: %.*s", STR_ARG(hold.reason));
    LOG(LOG_ERROR, "an environment is suspected of killing the daemon: held, look at it",
        LOG_S("env", env->name));
    if (!is_again && take_back(e, a, tx, env->uid, err))
        return err->code;
    if (tx_put(tx, REC_hold, &hold, err))
        return err->code;
    return tx_put(tx, REC_environment, env, err);
}

static int hold_environment(struct engine *e, struct arena *a, struct tx *tx, struct str uid,
                            struct err *err)
{
    struct rec_environment env;
    int is_again, rc = environments_by_uid(e->db, a, uid, &env, err);

    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc; /* it died before its row was written */
    is_again = is_held_already(e, a, uid, err);
    return is_again < 0 ? is_again : put_hold(e, a, tx, &env, is_again, err);
}

static int pass_head(struct arena *a, struct tx *tx, struct str mark, struct err *err)
{
    const struct rec_meta row = { .k = str_fmt(a, PASSED "%.*s", STR_ARG(mark)),
                                  .v = S(REEVE_VERSION) };

    LOG(LOG_ERROR, "a commit is suspected of killing the daemon: it is not read any more");
    return tx_put(tx, REC_meta, &row, err);
}

static int hold_suspect(struct engine *e, struct arena *a, struct tx *tx, struct str mark,
                        struct err *err)
{
    return str_starts(mark, S(HEAD_MARK)) ? pass_head(a, tx, mark, err)
                                          : hold_environment(e, a, tx, mark, err);
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
    return tx_finish(tx, rc, err);
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

/* --- commits ------------------------------------------------------------------------------------- */

struct str engine_suspects_mark(struct arena *a, struct str source, struct str branch,
                                struct str commit)
{
    struct digest d = hash_bytes(
        str_fmt(a, "%.*s\n%.*s\n%.*s", STR_ARG(source), STR_ARG(branch), STR_ARG(commit)));

    return str_fmt(a, HEAD_MARK "%.*s", HEAD_MARK_DIGITS, digest_hex(a, &d).p);
}

/* Another version may be able to. */
int engine_suspects_load(struct engine *e, struct err *err)
{
    struct rec_meta *rows;
    size_t n;

    map_init(&e->passed, e->process);
    if (DB_SELECT(e->db, e->process, meta, "WHERE k LIKE $1 AND v = $2", &rows, &n, err,
                  DB_T(S(PASSED "%")), DB_T(S(REEVE_VERSION))))
        return err->code;
    for (size_t i = 0; i < n; i++)
        map_put(&e->passed, str_slice(rows[i].k, sizeof(PASSED) - 1, rows[i].k.n), NULL);
    return arena_status(e->process, err);
}

int engine_suspects_is_passed(const struct engine *e, struct str mark)
{
    return map_has(&e->passed, mark);
}
