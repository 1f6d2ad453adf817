/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/heartbeat_task.h"

#include <stdio.h>

#include "base/guard.h"
#include "base/log.h"
#include "reconciler/engine/env_task.h"

#define HEARTBEAT_ROUND_MAX (1u << 20)
#define HEARTBEAT_ANSWER_MAX 512
#define HEARTBEAT_TIMEOUT_MS 10000

enum { BEAT_REST, BEAT_ADDRESS, BEAT_ASK, BEAT_HEARD, BEAT_PAUSE };

/* clang-format off */
static const struct task_state beat_states[] = {
    /*                 name       successors        on error     deadline_ms */
    [BEAT_REST]    = { "REST",    TO(BEAT_ADDRESS), BEAT_REST,   0 },
    [BEAT_ADDRESS] = { "ADDRESS", TO(BEAT_ASK),     BEAT_HEARD,  0 },
    [BEAT_ASK]     = { "ASK",     TO(BEAT_HEARD),   BEAT_HEARD,  0 },
    [BEAT_HEARD]   = { "HEARD",   TO(BEAT_PAUSE),   BEAT_PAUSE,  0 },
    [BEAT_PAUSE]   = { "PAUSE",   TO(BEAT_REST),    BEAT_REST,   0 },
};
/* clang-format on */

static const struct value *beat_config(const struct heartbeat_task *h)
{
    return h->engine ? value_get(h->engine->options.daemon, S("heartbeat")) : NULL;
}

static int beat_address(struct task *t, struct err *err)
{
    struct heartbeat_task *h = container_of(t, struct heartbeat_task, task);
    struct str name = value_get_text(value_get(beat_config(h), S("url")), S("secret"), S(""));
    struct secret *secret;
    int rc = secret_store_read_own(h->engine->secrets, name, &secret, err);

    if (rc)
        return rc;
    h->request = (struct http_request){ .method = "GET",
                                        .url = str_to_c(&h->round, secret_reveal(secret)),
                                        .body_max = HEARTBEAT_ANSWER_MAX,
                                        .timeout_ms = HEARTBEAT_TIMEOUT_MS };
    secret_free(secret);
    return arena_status(&h->round, err);
}

/* Errors of the request name the address: their kind is enough. */
static void beat_judge(struct heartbeat_task *h, const struct task *t)
{
    int was_heard = !h->trouble[0];

    if (t->rc)
        (void)snprintf(h->trouble, sizeof(h->trouble), "%s", err_text(t->rc));
    else if (h->reply.status < 200 || h->reply.status > 299)
        (void)snprintf(h->trouble, sizeof(h->trouble), "status %d", h->reply.status);
    else
        h->trouble[0] = 0;
    if (!h->trouble[0])
        h->sent_mono_ms = loop_mono_ms(t->loop);
    if (was_heard && h->trouble[0])
        LOG(LOG_WARN, "nobody hears the heartbeat", LOG_C("err", h->trouble));
    if (!was_heard && !h->trouble[0])
        LOG(LOG_INFO, "the heartbeat is heard again");
}

static enum task_verdict beat_step(struct task *t)
{
    struct heartbeat_task *h = container_of(t, struct heartbeat_task, task);

    if (t->cancelled)
        return task_done(t);
    switch (t->state) {
    case BEAT_REST:
        wait_signal_start(t, -1);
        return task_then(t, BEAT_ADDRESS);
    case BEAT_ADDRESS:
        h->reply = (struct http_reply){ 0 };
        wait_work_start(t, POOL_FILE, beat_address);
        return task_then(t, BEAT_ASK);
    case BEAT_ASK:
        wait_http_start(t, &h->request, &h->round, &h->reply);
        return task_then(t, BEAT_HEARD);
    case BEAT_HEARD:
        beat_judge(h, t);
        t->rc = 0;
        arena_wipe(&h->round);
        return task_goto(t, BEAT_PAUSE);
    case BEAT_PAUSE:
        wait_until_start(t, loop_mono_ms(t->loop) + value_get_int(beat_config(h), S("every"), 0));
        return task_then(t, BEAT_REST);
    }
    UNREACHABLE();
}

void heartbeat_task_start(struct heartbeat_task *h, struct engine *e)
{
    h->engine = e;
    if (!beat_config(h))
        return;
    arena_init(&h->round, HEARTBEAT_ROUND_MAX);
    task_start(&h->task, e->loop, "heartbeat", beat_states, N_ELEMENTS(beat_states), BEAT_REST,
               beat_step, engine_task_ended, e);
}

void heartbeat_task_beat(struct heartbeat_task *h)
{
    if (beat_config(h))
        wait_signal(&h->task);
}

void heartbeat_task_stop(struct heartbeat_task *h)
{
    if (beat_config(h))
        task_cancel(&h->task, ERR_CANCELLED);
}

void heartbeat_task_fini(struct heartbeat_task *h)
{
    arena_wipe(&h->round);
}

struct value *heartbeat_task_view(const struct heartbeat_task *h, struct arena *a)
{
    struct value *v;

    if (!beat_config(h))
        return NULL;
    v = value_map(a);
    value_set_int(a, v, S("sent_ms_ago"),
                  h->sent_mono_ms ? loop_mono_ms(h->engine->loop) - h->sent_mono_ms : -1);
    if (h->trouble[0])
        value_set_text(a, v, S("error"), str_copy(a, str_from_c(h->trouble)));
    return v;
}
