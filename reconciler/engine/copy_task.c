/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/copy_task.h"

#include <stdio.h>

#include "base/guard.h"
#include "base/log.h"
#include "reconciler/engine/env_task.h"
#include "specs/json_io.h"

#define COPY_ROUND_MAX (16u << 20)
#define COPY_AGAIN_MS 60000
#define COPY_EVERY_MS (15 * 60000)

enum { COPY_MAKE, COPY_NOTE, COPY_REST };

/* clang-format off */
static const struct task_state copy_states[] = {
    /*              name    successors     on error    deadline_ms */
    [COPY_MAKE] = { "MAKE", TO(COPY_NOTE), COPY_NOTE,  0 },
    [COPY_NOTE] = { "NOTE", TO(COPY_REST), COPY_REST,  0 },
    [COPY_REST] = { "REST", TO(COPY_MAKE), COPY_MAKE,  0 },
};
/* clang-format on */

static const struct value *copy_config(const struct copy_task *c)
{
    return value_get(value_get(c->engine->options.daemon, S("state")), S("backup"));
}

static int copy_now(struct task *t, struct err *err)
{
    struct copy_task *c = container_of(t, struct copy_task, task);
    struct copy_place at = { .installation = c->engine->installation };
    int rc;

    arena_reset(&c->round);
    (void)copy_place_of(&c->round, c->engine->options.daemon, &at); /* it was asked before */
    rc = copy_make(&c->round, &at, engine_state_path(c->engine), err);
    return rc < 0 ? rc : 0;
}

/* On STATE: that it begins to fail, and that it works again. */
static int copy_note(struct task *t, struct err *err)
{
    struct copy_task *c = container_of(t, struct copy_task, task);
    const struct engine_event event = { .kind = c->trouble[0] ? S("copy.failed") : S("copy.made"),
                                        .subject = S("state") };
    struct tx *tx;

    if (c->is_failing == (c->trouble[0] != 0))
        return 0;
    if (engine_tx(c->engine, &event, &tx, err))
        return err->code;
    if (c->trouble[0])
        tx_note(tx, S("reason"),
                json_format(&c->round, value_text(&c->round, str_from_c(c->trouble))));
    if (tx_commit(tx, err))
        return err->code;
    c->is_failing = c->trouble[0] != 0;
    return 0;
}

static void judge(struct copy_task *c, const struct task *t)
{
    if (t->rc && !c->trouble[0])
        LOG(LOG_ERROR, "no copy of the database can be made", LOG_C("err", t->err.text));
    if (!t->rc && c->trouble[0])
        LOG(LOG_INFO, "copies of the database are made again");
    (void)snprintf(c->trouble, sizeof(c->trouble), "%s", t->rc ? t->err.text : "");
    if (!t->rc)
        c->made_mono_ms = loop_mono_ms(t->loop);
}

static enum task_verdict copy_step(struct task *t)
{
    struct copy_task *c = container_of(t, struct copy_task, task);

    if (t->cancelled)
        return task_done(t);
    switch (t->state) {
    case COPY_MAKE:
        wait_work_start(t, POOL_QUERY, copy_now);
        return task_then(t, COPY_NOTE);
    case COPY_NOTE:
        judge(c, t);
        t->rc = 0;
        wait_work_start(t, POOL_STATE, copy_note);
        return task_then(t, COPY_REST);
    case COPY_REST:
        wait_until_start(t, loop_mono_ms(t->loop) +
                                (c->trouble[0]
                                     ? COPY_AGAIN_MS
                                     : value_get_int(copy_config(c), S("every"), COPY_EVERY_MS)));
        return task_then(t, COPY_MAKE);
    }
    UNREACHABLE();
}

void copy_task_start(struct copy_task *c, struct engine *e)
{
    c->engine = e;
    if (!copy_config(c))
        return;
    arena_init(&c->round, COPY_ROUND_MAX);
    task_start(&c->task, e->loop, "copy", copy_states, N_ELEMENTS(copy_states), COPY_MAKE,
               copy_step, engine_task_ended, e);
}

void copy_task_stop(struct copy_task *c)
{
    if (c->engine && copy_config(c))
        task_cancel(&c->task, ERR_CANCELLED);
}

void copy_task_fini(struct copy_task *c)
{
    arena_fini(&c->round);
}

struct value *copy_task_view(const struct copy_task *c, struct arena *a)
{
    struct value *v;

    if (!c->engine || !copy_config(c))
        return NULL;
    v = value_map(a);
    value_set_int(a, v, S("made_ms_ago"),
                  c->made_mono_ms ? loop_mono_ms(c->engine->loop) - c->made_mono_ms : -1);
    if (c->trouble[0])
        value_set_text(a, v, S("error"), str_copy(a, str_from_c(c->trouble)));
    return v;
}
