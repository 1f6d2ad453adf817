/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/edge_task.h"

#include <stdio.h>

#include "base/guard.h"
#include "base/log.h"
#include "base/utf8.h"
#include "reconciler/engine/env_task.h"
#include "specs/json_io.h"

#define EDGE_ROUND_MAX (1u << 20)

enum { EDGE_REST, EDGE_LOOK, EDGE_TELL };

/* clang-format off */
static const struct task_state edge_states[] = {
    /*              name    successors       on error       deadline_ms */
    [EDGE_REST] = { "REST", TO(EDGE_LOOK),   NO_ERROR_EDGE, 0 },
    [EDGE_LOOK] = { "LOOK", TO(EDGE_TELL),   EDGE_TELL,     0 }, /* the call's own */
    [EDGE_TELL] = { "TELL", TO(EDGE_REST),   NO_ERROR_EDGE, 0 },
};
/* clang-format on */

static struct edge_task *edge_of(struct task *t)
{
    return container_of(t, struct edge_task, task);
}

static int edge_look(struct task *t, struct err *err)
{
    struct edge_task *w = edge_of(t);
    const struct driver_call call = {
        .engine = w->engine,
        .task = t,
        .provider = w->provider->name,
        .kind = CALL_HEALTH,
        .is_urgent = 1, /* the look starts a proxy that is gone */
        .op = { .type = kit_rv(S("switch")) },
    };

    return driver_call(&call, &w->round, &w->answer, err);
}

/* One that was never started has nothing to serve. */
static void edge_tell(struct edge_task *w)
{
    int is_well = !w->task.rc && (w->answer.verdict == RV_DONE || w->answer.verdict == RV_ABSENT);
    struct str why = w->task.rc ? str_from_c(w->task.err.text) : w->answer.message;
    struct str told = is_well ? S("") : str_fmt(&w->round, "edge: %.*s", STR_ARG(why));

    w->told_mono_ms = loop_mono_ms(w->task.loop);
    w->took_ms = w->told_mono_ms - w->began_mono_ms;
    if (is_well && w->trouble[0])
        LOG(LOG_INFO, "the edge runs again", LOG_S("provider", w->provider->name));
    if (!is_well && !w->trouble[0])
        LOG(LOG_WARN, "the edge does not run, tried again", LOG_S("provider", w->provider->name),
            LOG_S("err", why));
    (void)snprintf(w->trouble, sizeof(w->trouble), "%.*s", STR_ARG(told)); /* cut to what is kept */
    utf8_trim(w->trouble);
}

static enum task_verdict edge_step(struct task *t)
{
    struct edge_task *w = edge_of(t);

    if (t->cancelled)
        return task_done(t);
    switch (t->state) {
    case EDGE_REST:
        arena_reset(&w->round);
        wait_until_start(t, loop_mono_ms(t->loop) + w->every_ms);
        return task_then(t, EDGE_LOOK);
    case EDGE_LOOK:
        w->began_mono_ms = loop_mono_ms(t->loop);
        wait_work_start(t, POOL_REVERT, edge_look);
        return task_then(t, EDGE_TELL);
    case EDGE_TELL:
        edge_tell(w);
        t->rc = 0; /* told */
        return task_goto(t, EDGE_REST);
    }
    UNREACHABLE();
}

int64_t edge_task_interval_ms(const struct provider *p)
{
    AUTO_ARENA struct arena a;
    struct err ignored = ERR_INIT; /* a driver without a schema asks for nothing */
    struct value *schema;
    struct rv_str text = p->driver->schema();

    arena_init(&a, 0);
    if (json_parse(&a, kit_str(text), KIT_BODY_MAX, &schema, &ignored))
        return 0;
    return value_get_int(value_at(schema, S("types.switch")), S("watch_ms"), 0);
}

void edge_task_start(struct edge_task *w, struct engine *e, const struct provider *p)
{
    *w = (struct edge_task){ .engine = e, .provider = p, .every_ms = edge_task_interval_ms(p) };
    arena_init(&w->round, EDGE_ROUND_MAX);
    task_start(&w->task, e->loop, "edge", edge_states, N_ELEMENTS(edge_states), EDGE_LOOK,
               edge_step, engine_task_ended, e);
}

void edge_task_fini(struct edge_task *w)
{
    arena_fini(&w->round);
}
