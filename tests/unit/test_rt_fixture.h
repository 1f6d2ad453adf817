/*
 * What the tests of rt share: both loops behind one row, and a task that is one wait. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/rt/loop_sim.h"

#define FAR_MS 100000
#define TOO_LONG_MS 60000 /* a test that still runs then has failed */

struct fixture {
    struct loop *loop;
    struct arena arena;
    struct loop_timer *watchdog;
    int n_running;
};

static void fixture_is_late(void *ctx)
{
    (void)ctx;
    fail_msg("the loop still runs");
}

static inline int sim_exec_is_slow(void *ctx, const struct exec_request *in, struct arena *a,
                                   struct exec_result *ret, int64_t *ret_delay_ms)
{
    (void)ctx;
    (void)in;
    (void)a;
    (void)ret;
    *ret_delay_ms = FAR_MS;
    return 0;
}

static inline int sim_http_is_slow(void *ctx, const struct http_request *in, struct arena *a,
                                   struct http_reply *ret, int64_t *ret_delay_ms)
{
    (void)ctx;
    (void)in;
    (void)a;
    (void)ret;
    *ret_delay_ms = FAR_MS;
    return 0;
}

static inline int sim_connect_is_slow(void *ctx, const char *host, int port, int64_t *ret_delay_ms)
{
    (void)ctx;
    (void)host;
    (void)port;
    *ret_delay_ms = FAR_MS;
    return 0;
}

static inline void given_real_loop(struct fixture *f, const struct loop_batch *batch)
{
    struct loop_options options = { .n_driver_threads = 4 };
    struct err err = ERR_INIT;

    *f = (struct fixture){ 0 };
    if (batch)
        options.batch = *batch;
    assert_int_equal(loop_uv_new(&options, &f->loop, &err), 0);
    arena_init(&f->arena, 0);
    f->watchdog = loop_timer_new(f->loop, fixture_is_late, f);
    loop_timer_set(f->watchdog, loop_mono_ms(f->loop) + TOO_LONG_MS);
}

static inline void given_simulated_loop(struct fixture *f, const struct loop_batch *batch)
{
    struct loop_sim_options options = { .seed = 7, .work_ms_max = 5 };

    options.exec = sim_exec_is_slow;
    options.http = sim_http_is_slow;
    options.connect = sim_connect_is_slow;
    *f = (struct fixture){ 0 };
    if (batch)
        options.batch = *batch;
    f->loop = loop_sim_new(&options);
    assert_non_null(f->loop);
    arena_init(&f->arena, 0);
}

static inline void fixture_fini(struct fixture *f)
{
    loop_timer_free(f->watchdog);
    loop_free(f->loop); /* asserts that every handle was closed */
    arena_fini(&f->arena);
}

typedef void given_loop(struct fixture *f, const struct loop_batch *batch);
static given_loop *const both_loops[] = { given_real_loop, given_simulated_loop };
#define FOR_BOTH_LOOPS(i) for (size_t i = 0; i < N_ELEMENTS(both_loops); i++)

/* One wait, then the end:  WAIT -> AFTER, on error FAILED. What was entered is in trace. */
enum { PROBE_WAIT, PROBE_AFTER, PROBE_FAILED };
struct probe {
    struct task task;
    struct fixture *fixture;
    void (*start)(struct probe *p);
    char trace[64];
    int n_ended;
    void *ctx;
};

/* clang-format off */
static const struct task_state probe_states[] = {
    [PROBE_WAIT]   = { "WAIT",   TO(PROBE_AFTER), PROBE_FAILED, 0 },
    [PROBE_AFTER]  = { "AFTER",  TO(PROBE_AFTER), NO_ERROR_EDGE, 0 },
    [PROBE_FAILED] = { "FAILED", TO(PROBE_AFTER), NO_ERROR_EDGE, 0 },
};
static const struct task_state probe_states_with_deadline[] = {
    [PROBE_WAIT]   = { "WAIT",   TO(PROBE_AFTER), PROBE_FAILED, 30 },
    [PROBE_AFTER]  = { "AFTER",  TO(PROBE_AFTER), NO_ERROR_EDGE, 0 },
    [PROBE_FAILED] = { "FAILED", TO(PROBE_AFTER), NO_ERROR_EDGE, 0 },
};
/* clang-format on */

static inline void probe_note(struct probe *p, const char *text)
{
    strncat(p->trace, text, sizeof(p->trace) - strlen(p->trace) - 1);
}

static inline enum task_verdict probe_step(struct task *t)
{
    struct probe *p = container_of(t, struct probe, task);

    probe_note(p, t->states[t->state].name);
    probe_note(p, " ");
    if (t->state != PROBE_WAIT)
        return task_done(t);
    p->start(p);
    return task_then(t, PROBE_AFTER);
}

static inline void probe_ended(struct task *t, void *ctx)
{
    struct probe *p = ctx;

    (void)t;
    p->n_ended++;
    if (!--p->fixture->n_running)
        loop_stop(p->fixture->loop);
}

static inline void given_probe_in(struct probe *p, struct fixture *f,
                                  const struct task_state *states, void (*start)(struct probe *p))
{
    *p = (struct probe){ .fixture = f, .start = start, .ctx = p->ctx };
    f->n_running++;
    task_start(&p->task, f->loop, "probe", states, 3, PROBE_WAIT, probe_step, probe_ended, p);
}

static inline void given_probe(struct probe *p, struct fixture *f, void (*start)(struct probe *p))
{
    given_probe_in(p, f, probe_states, start);
}

static inline void expect_end(const struct probe *p, const char *trace, int rc)
{
    assert_string_equal(p->trace, trace);
    assert_string_equal(err_name(p->task.rc), err_name(rc));
    assert_int_equal(p->n_ended, 1);
}
