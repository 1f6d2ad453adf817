/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/anchor_start.h"

#include "base/guard.h"
#include "base/log.h"
#include "reconciler/engine/anchor_place.h"

enum { START_SIGN_IN, START_READ, START_HEARD };

/* clang-format off */
static const struct task_state start_states[] = {
    /*                  name       successors       on error       deadline_ms */
    [START_SIGN_IN] = { "SIGN_IN", TO(START_READ),  NO_ERROR_EDGE, 0 },
    [START_READ]    = { "READ",    TO(START_HEARD), NO_ERROR_EDGE, 0 },
    [START_HEARD]   = { "HEARD",   0,               NO_ERROR_EDGE, 0 },
};
/* clang-format on */

struct start_round;

struct start_question {
    struct task task;
    struct start_round *round;
    struct anchor_place place;
    struct anchor_round ask;
};

struct start_round {
    struct engine *engine;
    struct secret_store *secrets; /* it uses our loop */
    struct start_question *questions;
    size_t n, n_running;
};

static int start_sign_in(struct task *t, struct err *err)
{
    struct start_question *q = container_of(t, struct start_question, task);

    return q->place.kind->sign_in(&q->place, q->round->secrets, &q->ask, err);
}

static enum task_verdict start_step(struct task *t)
{
    struct start_question *q = container_of(t, struct start_question, task);

    if (t->cancelled)
        return task_done(t);
    switch (t->state) {
    case START_SIGN_IN:
        wait_work_start(t, POOL_FILE, start_sign_in);
        return task_then(t, START_READ);
    case START_READ:
        q->place.kind->read(&q->place, &q->ask, t, STR_NONE);
        return task_then(t, START_HEARD);
    case START_HEARD:
        return task_done(t);
    }
    UNREACHABLE();
}

static void start_ended(struct task *t, void *ctx)
{
    struct start_round *r = ctx;

    if (!--r->n_running)
        loop_stop(t->loop);
}

static void ask_all(struct start_round *r, struct loop *loop)
{
    for (size_t i = 0; i < r->n; i++) {
        r->n_running++;
        task_start(&r->questions[i].task, loop, "anchored", start_states, N_ELEMENTS(start_states),
                   START_SIGN_IN, start_step, start_ended, r);
    }
    if (r->n)
        loop_run(loop);
}

static int judge_one(struct start_question *q, struct arena *a, struct str *ret_why,
                     struct err *err)
{
    struct engine *e = q->round->engine;
    struct str key = { e->seal.key, SEAL_KEY_BYTES };
    struct err why = q->task.err;
    struct anchor_line newest;
    int rc = q->task.rc;

    if (!rc)
        rc = q->place.kind->read_parse(&q->place, &q->ask, &why);
    if (!rc)
        rc = anchor_place_judge(e->db, a, key, q->ask.there.text, &newest, &why);
    if (!rc)
        return 0;
    if (rc == ERR_NOMEM)
        return err_set(err, rc, "%s", why.text);
    if (rc == ERR_CONFLICT)
        *ret_why = str_fmt(a, "'%.*s': %s", STR_ARG(q->place.name), why.text);
    else
        LOG(LOG_WARN, "whether the database is as new as what was anchored is not known",
            LOG_S("place", q->place.name), LOG_C("err", why.text));
    return arena_status(a, err);
}

static int open_round(struct start_round *r, struct arena *a, struct loop *loop, struct err *err)
{
    const struct secret_store_options stores = {
        .daemon = r->engine->options.daemon,
        .dir = r->engine->state_dir.p,
        .keys = r->engine->keys_dir.p,
        .self = r->engine->options.self,
        .loop = loop,
    };
    const struct value *places = value_get(r->engine->options.daemon, S("anchors"));

    r->questions = arena_new_n(a, struct start_question, value_count(places) + 1);
    for (size_t i = 0; r->questions && i < value_count(places); i++) {
        struct start_question *q = &r->questions[r->n];

        *q = (struct start_question){ .round = r };
        if (anchor_place_open(r->engine, a, value_item(places, i), ANCHOR_START_MS, &q->place, err))
            return err->code;
        if (!q->place.kind->read)
            continue; /* it keeps nothing that could be read */
        anchor_place_round_init(&q->ask);
        r->n++;
    }
    return arena_status(a, err) ? err->code : secret_store_new(&stores, &r->secrets, err);
}

int anchor_start_judge(struct engine *e, struct arena *a, struct str *ret_why, struct err *err)
{
    struct start_round r = { .engine = e };
    struct loop *loop;
    int rc;

    *ret_why = STR_NONE;
    if (!value_count(value_get(e->options.daemon, S("anchors"))) || e->options.make_source)
        return 0; /* who simulates sources has no worker */
    if (loop_uv_new(&(struct loop_options){ 0 }, &loop, err))
        return err->code;
    rc = open_round(&r, a, loop, err);
    if (!rc)
        ask_all(&r, loop);
    for (size_t i = 0; i < r.n; i++) {
        if (!rc && !ret_why->p)
            rc = judge_one(&r.questions[i], a, ret_why, err);
        anchor_place_round_end(&r.questions[i].ask);
    }
    secret_store_free(r.secrets);
    loop_free(loop);
    return rc;
}
