/* The counters of a gate's backends, and what they are compared with: on DRIVER. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/core/latency.h"
#include "reconciler/engine/gate_look.h"

static int look_counters(struct gate_task *g, const struct gate_backend *b, struct str resource,
                         struct str provider_id, struct str owner, const struct value **ret,
                         struct err *err)
{
    struct driver_answer answer;
    const struct driver_call call = {
        .engine = g->engine,
        .task = &g->task,
        .provider = b->provider,
        .kind = CALL_COUNTERS,
        .op = { .type = kit_rv(S("backend")),
                .name = kit_rv(resource),
                .id = kit_rv(provider_id),
                .owner = kit_rv(owner) },
    };

    if (driver_call(&call, &g->round, &answer, err))
        return err->code;
    if (answer.verdict != RV_DONE && answer.verdict != RV_ABSENT) /* gone: nothing streams */
        return err_set(err, ERR_UNREACHABLE, "counters of '%.*s': %.*s", STR_ARG(resource),
                       STR_ARG(answer.message));
    *ret = driver_answer_value(&g->round, answer.observed.n ? answer.observed : answer.outputs);
    return 0;
}

static int64_t look_number(const struct value *counters, const char *name)
{
    return value_get_int(counters, str_from_c(name), 0);
}

/* What a gate compares with: the live set over its life, and this one when the gate began. A proxy that was
 * restarted counts from 0. */
static void look_base(struct gate_task *g, struct gate_backend *b, const struct value *now)
{
    const struct value *before;
    struct err ignored = ERR_INIT; /* then nothing is compared with */
    int64_t since = look_number(now, "since");
    int is_new = b->is_new;

    if (!is_new && b->since == since)
        return;
    if (is_new && b->before.p &&
        !look_counters(g, b, b->before, b->before_provider_id, b->before_owner, &before,
                       &ignored)) {
        b->counts.baseline_requests = look_number(before, "requests");
        b->counts.baseline_errors = look_number(before, "responses_5xx");
        b->counts.baseline_latency = value_copy(&g->arena, value_get(before, S("latency")));
    }
    b->base_requests = is_new ? look_number(now, "requests") : 0;
    b->base_errors = is_new ? look_number(now, "responses_5xx") : 0;
    b->base_latency = is_new ? value_copy(&g->arena, value_get(now, S("latency"))) : NULL;
    b->n_anew += !is_new;
    b->since = since;
    b->is_new = 0;
}

/* A server that the proxy does not name has its place taken by another: what it still had cannot be told. */
static int64_t look_streams(const struct gate_task *g, const struct value *counters)
{
    const struct value *servers = value_get(counters, S("servers"));
    int64_t n = 0;

    if (!g->leaving)
        return look_number(counters, "current") + look_number(counters, "queued");
    for (size_t i = 0; n >= 0 && i < g->n_leaving; i++) {
        int64_t current = value_get_int(servers, g->leaving[i], -1);

        n = current < 0 ? -1 : n + current;
    }
    return n;
}

/* While both have requests: what the live set did in the same time. */
static void look_beside(struct gate_task *g, struct gate_backend *b)
{
    const struct value *now;
    struct err ignored = ERR_INIT; /* then nothing is compared with in this round */
    struct gate_beside *x = &b->beside;
    int64_t since;

    if (look_counters(g, b, b->before, b->before_provider_id, b->before_owner, &now, &ignored))
        return;
    since = look_number(now, "since");
    if (!x->is_known || x->since != since)
        *x = (struct gate_beside){
            .is_known = 1,
            .since = since,
            .requests = x->is_known ? 0 : look_number(now, "requests"),
            .errors = x->is_known ? 0 : look_number(now, "responses_5xx"),
            .latency = x->is_known ? NULL : value_copy(&g->arena, value_get(now, S("latency")))
        };
    b->counts.baseline_requests = look_number(now, "requests") - x->requests;
    b->counts.baseline_errors = look_number(now, "responses_5xx") - x->errors;
    b->counts.baseline_latency = latency_since(&g->round, value_get(now, S("latency")), x->latency);
}

static int look_is_shared(const struct gate_task *g)
{
    return value_get(g->need, S("share")) != NULL;
}

/* Its part of those that stay open. What cannot be ended now is with the next part. */
static void look_shed(struct gate_task *g, const struct gate_backend *b)
{
    struct value *desired = value_map(&g->round), *servers = value_list(&g->round);
    const struct provider *p = engine_provider(g->engine, b->provider);
    struct err ignored = ERR_INIT;
    struct driver_answer answer;
    struct driver_call call = { .engine = g->engine,
                                .task = &g->task,
                                .provider = b->provider,
                                .kind = CALL_SHED,
                                .op = { .type = kit_rv(S("backend")),
                                        .name = kit_rv(b->resource),
                                        .id = kit_rv(b->provider_id),
                                        .owner = kit_rv(b->owner) } };

    if (!g->shed_rounds || b->counts.streams <= 0 || !p || !p->driver->shed)
        return;
    value_set_int(&g->round, desired, S("n"),
                  (b->counts.streams + g->shed_rounds - 1) / g->shed_rounds);
    for (size_t i = 0; i < g->n_leaving; i++)
        value_add(&g->round, servers, value_text(&g->round, g->leaving[i]));
    if (g->leaving)
        value_set(&g->round, desired, S("servers"), servers);
    call.op.desired = kit_rv(json_format(&g->round, desired));
    (void)driver_call(&call, &g->round, &answer, &ignored); /* counted again in the next round */
}

static int look_count_backend(struct gate_task *g, struct gate_backend *b, struct err *err)
{
    const struct value *now;
    const struct provider *p = engine_provider(g->engine, b->provider);

    if (p && !p->driver->counters) { /* nobody counts there: nothing to wait for */
        b->counts.streams = b->is_new = 0;
        return 0;
    }
    if (look_counters(g, b, b->resource, b->provider_id, b->owner, &now, err))
        return err->code;
    look_base(g, b, now);
    if (look_is_shared(g) && b->before.p)
        look_beside(g, b);
    b->counts.streams = look_streams(g, now);
    look_shed(g, b);
    b->counts.requests = look_number(now, "requests") - b->base_requests;
    b->counts.errors = look_number(now, "responses_5xx") - b->base_errors;
    b->counts.latency = latency_since(&g->round, value_get(now, S("latency")), b->base_latency);
    return 0;
}

static int look_count(struct task *t, struct err *err)
{
    struct gate_task *g = container_of(t, struct gate_task, task);

    arena_reset(&g->round);
    for (size_t i = 0; i < g->n_backends; i++) { /* they were the last round's */
        g->backends[i].counts.latency = NULL;
        if (look_is_shared(g))
            g->backends[i].counts.baseline_latency = NULL;
    }
    for (size_t i = 0; i < g->n_backends; i++)
        if (look_count_backend(g, &g->backends[i], err))
            return err->code;
    return 0;
}

/* The backends of one environment lie on one edge. */
void gate_look_count(struct gate_task *g)
{
    provider_line_start(g->engine, &g->task, g->n_backends ? g->backends[0].provider : S(""),
                        look_count);
}
