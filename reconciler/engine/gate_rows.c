/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/gate_rows.h"

#include "base/sys.h"
#include "reconciler/core/standing.h"
#include "reconciler/engine/gate_look.h"
#include "state/holds.h"

/* While only a person can end it the environment says so. */
static int gate_tell(struct gate_task *g, struct tx *tx, struct err *err)
{
    struct arena *a = &g->arena;
    int64_t share = value_get_int(g->need, S("share"), 0);
    struct rec_environment env;

    if (!gate_is_manual(g))
        return 0;
    if (environments_by_uid(g->engine->db, a, g->rec.env, &env, err))
        return err->code;
    env.sync = g->verdict ? S("converging") : S("waiting");
    env.reason = S("");
    if (!g->verdict)
        env.reason = str_fmt(a, "%s: reeve advance %.*s goes on, reeve cancel %.*s goes back",
                             share ? str_fmt(a, "the new set has %lld.%02lld%% of the requests",
                                             (long long)share / 100, (long long)share % 100)
                                         .p
                                   : "the new set is ready",
                             STR_ARG(env.name), STR_ARG(env.name));
    return tx_put(tx, REC_environment, &env, err);
}

static int gate_write(struct gate_task *g, struct str kind, struct err *err)
{
    struct tx *tx;

    if (engine_tx(g->engine,
                  &(struct engine_event){
                      .kind = kind,
                      .subject = g->item->name,
                      .env = g->rec.env,
                      .cause = str_fmt(&g->arena, "plan:%.*s",
                                       STR_ARG(engine_short(&g->arena, &g->rec.plan))),
                  },
                  &tx, err))
        return err->code;
    if (tx_put(tx, REC_operation, &g->rec, err) || tx_put(tx, REC_gate, &g->row, err) ||
        gate_tell(g, tx, err)) {
        tx_rollback(tx);
        return err_wrap(err, "write gate '%.*s'", STR_ARG(g->item->name));
    }
    return tx_commit(tx, err);
}

int gate_rows_load(struct task *t, struct err *err)
{
    struct gate_task *g = gate_of(t);

    if (g->was_open)
        g->gone_ms = clock_task_gone_ms(&g->engine->clock, g->row.since_ms);
    return gate_look_load(g, err);
}

int gate_rows_open(struct task *t, struct err *err)
{
    struct gate_task *g = gate_of(t);
    int64_t now_ms = loop_wall_ms(t->loop);

    if (g->was_open)
        return 0;
    g->rec.uid = sys_uuid7(&g->arena, now_ms);
    g->rec.phase = S("INTENT");
    g->rec.epoch = g->engine->epoch;
    g->rec.attempt = 1;
    g->rec.intent_ms = now_ms;
    g->rec.deadline_ms = now_ms + value_get_int(g->need, S("length_ms"), 0);
    g->rec.not_before_ms = g->rec.poll_at_ms = REC_NONE;
    g->rec.key = g->rec.owner = S("");
    g->rec.expected = S("{}");
    g->rec.provider = S("engine");
    g->row.operation = g->rec.uid;
    g->row.need = json_format(&g->arena, g->need);
    g->row.have = S("{}");
    g->row.baseline = gate_look_baseline(g);
    g->row.since_ms = now_ms;
    g->row.length_ms = value_get_int(g->need, S("length_ms"), 0);
    return gate_write(g, S("gate.opened"), err);
}

int gate_rows_note(struct task *t, struct err *err)
{
    struct gate_task *g = gate_of(t);
    int64_t n = g->backends[0].counts.streams;

    g->row.baseline = gate_look_ended(g, n);
    if (gate_write(g, S("gate.ending"), err))
        return err->code;
    g->n_ended = n;
    return 0;
}

int gate_rows_find_hold(struct task *t, struct err *err)
{
    struct gate_task *g = gate_of(t);
    struct rec_hold *holds;
    size_t n;

    arena_reset(&g->round);
    g->is_held = standing_way(STANDING_STOP, STANDING_HOLD) == STANDING_WAITS;
    if (g->engine->options.hold_all)
        return 0;
    if (holds_active(g->engine->db, &g->round, g->rec.env, clock_task_due_ms(&g->engine->clock),
                     &holds, &n, err))
        return err->code;
    while (n && holds[n - 1].service.p && !str_eq(holds[n - 1].service, g->item->service))
        n--;
    g->is_held = g->is_held && n;
    return 0;
}

static const char *gate_verdict_name(enum gate_verdict verdict)
{
    static const char *const names[] = { NULL, "passed", "failed", "outage", "over" };

    return names[verdict];
}

int gate_rows_close(struct task *t, struct err *err)
{
    struct gate_task *g = gate_of(t);
    int done = g->verdict == GATE_PASSED ||
               (g->verdict == GATE_OUTAGE && g->item->lane == LANE_REVERT);

    g->rec.phase = done ? S("VERIFIED") : S("END");
    g->rec.outcome = done ? S("done") : g->verdict == GATE_CANCELLED ? S("cancelled") : S("failed");
    g->rec.message = g->reason.n ? g->reason : STR_NONE;
    g->row.verdict = str_from_c(gate_verdict_name(g->verdict));
    g->row.have = gate_look_have(g);
    return gate_write(g, S("gate.verdict"), err);
}
