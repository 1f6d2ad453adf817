/*
 * test_engine_host_given: a host with a task that a test may cancel. SPDX-License-Identifier: Apache-2.0
 *
 * Nothing of it needs the loop to run, but http.
 */
#pragma once

#include "test_rt_fixture.h"

#include "reconciler/engine/host.h"

struct given {
    struct fixture fixture;
    struct task task;
    struct host_call call;
    const struct rv_host *h;
    char ids[64];
    int identified_verdict;
};

static inline struct rv_str text(const char *p)
{
    return (struct rv_str){ p, strlen(p) };
}

static inline int given_secret(void *ctx, struct rv_str ref, struct arena *a, struct str *ret)
{
    static const struct {
        const char *ref, *value;
        int verdict;
    } rows[] = { { "pw@f:1", "hunter2", 0 },
                 { "empty@f:1", "", 0 },
                 { "gone@f:1", NULL, RV_WAIT } };

    (void)ctx;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (str_eq_c(kit_str(ref), rows[i].ref)) {
            *ret = str_copy(a, str_from_c(rows[i].value));
            return rows[i].verdict;
        }
    return RV_USER;
}

static inline int given_identified(void *ctx, struct rv_str id)
{
    struct given *g = ctx;

    strncat(g->ids, id.p, id.n);
    return g->identified_verdict;
}

static inline void given_host_for(struct given *g, int64_t timeout_ms)
{
    given_real_loop(&g->fixture, NULL);
    g->task.cancelled = 0;
    g->ids[0] = 0;
    g->identified_verdict = 0;
    host_call_init(&g->call, &(struct host_options){ .loop = g->fixture.loop,
                                                     .task = &g->task,
                                                     .timeout_ms = timeout_ms,
                                                     .secret = given_secret,
                                                     .identified = given_identified,
                                                     .ctx = g });
    g->h = &g->call.host;
}

static inline void given_host(struct given *g)
{
    given_host_for(g, 30000);
}

static inline void given_fini(struct given *g)
{
    host_call_fini(&g->call);
    fixture_fini(&g->fixture);
}
