/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/clock_task.h"

#include "base/guard.h"
#include "base/log.h"
#include "base/sys.h"
#include "reconciler/engine/driver_call.h"
#include "reconciler/engine/env_task.h"
#include "specs/json_io.h"
#include "state/events.h"

#define CLOCK_LOOK_MS 30000
#define CLOCK_ROUND_MAX (1u << 20)
#define CLOCK_ROW S("clock")

enum { CLOCK_REST, CLOCK_LOOK };

/* clang-format off */
static const struct task_state clock_states[] = {
    /*               name    successors       on error     deadline_ms */
    [CLOCK_REST] = { "REST", TO(CLOCK_LOOK),  CLOCK_LOOK,  0 },
    [CLOCK_LOOK] = { "LOOK", TO(CLOCK_REST),  CLOCK_REST,  0 },
};
/* clang-format on */

static void look(struct clock_task *c)
{
    (void)clock_look(&c->watch, loop_wall_ms(c->engine->loop), loop_boot_ms(c->engine->loop));
}

/* --- the row ------------------------------------------------------------------------------------- */

int clock_task_put(struct clock_task *c, struct tx *tx, struct arena *a, struct err *err)
{
    struct value *v = value_map(a);
    struct rec_meta row = { .k = CLOCK_ROW };

    value_set_text(a, v, S("boot"), c->boot);
    value_set_int(a, v, S("boot_ms"), c->watch.boot_ms);
    value_set_int(a, v, S("wall_ms"), c->watch.wall_ms);
    value_set(a, v, S("suspect"), value_bool(a, c->watch.is_suspect));
    if (c->watch.is_suspect) {
        value_set_int(a, v, S("due_ms"), c->watch.due_ms);
        value_set_int(a, v, S("stepped_ms"), c->watch.stepped_ms);
        value_set_int(a, v, S("agreed_boot_ms"), c->watch.agreed_boot_ms);
    }
    row.v = json_format(a, v);
    return tx_put(tx, REC_meta, &row, err);
}

static struct clock_watch parse_row(const struct value *v)
{
    return (struct clock_watch){
        .wall_ms = value_get_int(v, S("wall_ms"), 0),
        .boot_ms = value_get_int(v, S("boot_ms"), 0),
        .is_suspect = value_get_bool(v, S("suspect"), 0),
        .due_ms = value_get_int(v, S("due_ms"), 0),
        .stepped_ms = value_get_int(v, S("stepped_ms"), 0),
        .agreed_boot_ms = value_get_int(v, S("agreed_boot_ms"), 0),
    };
}

static int write_news(struct clock_task *c, struct err *err)
{
    const struct engine_event event = { .kind = c->watch.is_suspect ? S("clock.suspect")
                                                                    : S("clock.believed"),
                                        .subject = S("clock") };
    struct tx *tx;

    if (engine_tx(c->engine, &event, &tx, err))
        return err->code;
    return tx_finish(tx, clock_task_put(c, tx, &c->round, err), err);
}

static int note(struct task *t, struct err *err)
{
    struct clock_task *c = container_of(t, struct clock_task, task);

    arena_reset(&c->round);
    look(c);
    if (TAKE(c->tells) && c->failed)
        c->told = !c->told; /* its commit failed */
    if (c->told == c->watch.is_suspect)
        return 0;
    if (write_news(c, err))
        return err->code;
    c->tells = 1;
    c->told = c->watch.is_suspect;
    if (c->told)
        LOG(LOG_WARN, "the clock is suspect: nothing expires",
            LOG_S("stepped_s", str_fmt(&c->round, "%lld", (long long)c->watch.stepped_ms / 1000)));
    else
        LOG(LOG_INFO, "the clock is believed again");
    return 0;
}

/* --- the task ------------------------------------------------------------------------------------ */

static enum task_verdict clock_step(struct task *t)
{
    struct clock_task *c = container_of(t, struct clock_task, task);

    if (t->cancelled)
        return task_done(t);
    switch (t->state) {
    case CLOCK_REST:
        c->failed = t->rc != 0;
        wait_until_start(t, loop_mono_ms(t->loop) + CLOCK_LOOK_MS);
        return task_then(t, CLOCK_LOOK);
    case CLOCK_LOOK:
        wait_work_start(t, POOL_STATE, note);
        return task_then(t, CLOCK_REST);
    }
    UNREACHABLE();
}

int clock_task_open(struct clock_task *c, struct engine *e, struct err *err)
{
    struct str text;
    struct event *last;
    size_t n;

    c->engine = e;
    arena_init(&c->round, CLOCK_ROUND_MAX);
    if (e->options.boot)
        c->boot = str_from_c(e->options.boot);
    else if (sys_boot_id(e->process, &c->boot, err))
        return err->code;
    if (db_meta(e->db, &c->round, CLOCK_ROW, &text, err) ||
        events_list(e->db, &c->round, &(struct event_query){ .newest_first = 1, .limit = 1 }, &last,
                    &n, err))
        return err->code;
    if (text.n) {
        const struct value *row = driver_answer_value(&c->round, text);

        c->watch = parse_row(row);
        c->told = c->watch.is_suspect;
        (void)clock_resume(&c->watch, str_eq(value_get_text(row, S("boot"), S("")), c->boot),
                           n ? last->time_ms : c->watch.wall_ms, loop_wall_ms(e->loop),
                           loop_boot_ms(e->loop));
    } else {
        clock_trust(&c->watch, loop_wall_ms(e->loop), loop_boot_ms(e->loop));
    }
    return 0;
}

void clock_task_start(struct clock_task *c)
{
    task_start(&c->task, c->engine->loop, "clock", clock_states, N_ELEMENTS(clock_states),
               CLOCK_LOOK, clock_step, engine_task_ended, c->engine);
}

void clock_task_fini(struct clock_task *c)
{
    arena_fini(&c->round);
}

int64_t clock_task_due_ms(struct clock_task *c)
{
    look(c);
    return clock_due_ms(&c->watch);
}

int clock_task_is_suspect(struct clock_task *c)
{
    look(c);
    return c->watch.is_suspect;
}

int64_t clock_task_gone_ms(struct clock_task *c, int64_t since_ms)
{
    look(c);
    return c->watch.is_suspect || c->watch.wall_ms < since_ms ? 0 : c->watch.wall_ms - since_ms;
}

void clock_task_trust(struct clock_task *c)
{
    c->told = c->tells = 0;
    clock_trust(&c->watch, loop_wall_ms(c->engine->loop), loop_boot_ms(c->engine->loop));
}
