/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/health.h"

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/engine/edge_task.h"
#include "reconciler/engine/env_task.h"
#include "reconciler/engine/follow.h"
#include "state/events.h"
#include "state/outbox.h"

/* --- live ---------------------------------------------------------------------------------------- */

static int64_t ago(const struct engine *e, int64_t mono_ms)
{
    return mono_ms ? loop_mono_ms(e->loop) - mono_ms : -1;
}

static void add_writer(const struct engine *e, struct arena *a, struct value *list)
{
    const struct counts *c = &e->counts;
    struct health_part part = { .kind = S("database"), .name = S("writer"), .message = S("") };

    part.response_time_ms = c->commit_mono_ms ? c->commit_ms : -1;
    part.checked_ms_ago = ago(e, c->commit_mono_ms);
    if (c->commit_failed)
        part.message = S("the last commit failed");
    if (e->stale.p)
        part.message = str_fmt(a, "it is older than the world: %.*s", STR_ARG(e->stale));
    part.status = part.message.n ? HEALTH_UNHEALTHY : HEALTH_HEALTHY;
    health_sum_add(a, list, &part);
}

static void add_sources(const struct engine *e, struct arena *a, struct value *list)
{
    for (size_t i = 0; i < e->n_sources; i++) {
        const struct source_task *s = e->sources[i];

        health_sum_add(a, list,
                       &(struct health_part){ .kind = S("source"),
                                              .name = s->name,
                                              .status = s->failures >= HEALTH_SOURCE_FAILURES
                                                            ? HEALTH_UNHEALTHY
                                                        : s->failures ? HEALTH_DEGRADED
                                                                      : HEALTH_HEALTHY,
                                              .response_time_ms = s->took_ms,
                                              .checked_ms_ago = ago(e, s->fetched_mono_ms),
                                              .message = str_from_c(s->error) });
    }
}

static void add_providers(const struct engine *e, struct arena *a, struct value *list)
{
    for (size_t i = 0; i < e->n_lines; i++) {
        struct provider_line *line = &e->lines[i];

        PRE(!pthread_mutex_lock(&line->lock));
        health_sum_add(
            a, list,
            &(struct health_part){ .kind = S("provider"),
                                   .name = line->provider->name,
                                   .status = line->breaker.is_open    ? HEALTH_UNHEALTHY
                                             : line->breaker.n_failed ? HEALTH_DEGRADED
                                                                      : HEALTH_HEALTHY,
                                   .response_time_ms = line->said_mono_ms ? line->took_ms : -1,
                                   .checked_ms_ago = ago(e, line->said_mono_ms),
                                   .message = str_from_c(line->error) });
        PRE(!pthread_mutex_unlock(&line->lock));
    }
}

static void add_edges(const struct engine *e, struct arena *a, struct value *list)
{
    for (size_t i = 0; i < e->n_edges; i++) {
        const struct edge_task *edge = &e->edges[i];

        health_sum_add(
            a, list,
            &(struct health_part){ .kind = S("edge"),
                                   .name = edge->provider->name,
                                   .status = edge->trouble[0] ? HEALTH_UNHEALTHY : HEALTH_HEALTHY,
                                   .response_time_ms = edge->told_mono_ms ? edge->took_ms : -1,
                                   .checked_ms_ago = ago(e, edge->told_mono_ms),
                                   .message = str_from_c(edge->trouble) });
    }
}

/* What is done now and then, and says when and how it went. */
static void add_task(struct arena *a, struct value *list, struct str kind, const struct value *view,
                     struct str member)
{
    struct str error = value_get_text(view, S("error"), S(""));

    if (view)
        health_sum_add(a, list,
                       &(struct health_part){ .kind = kind,
                                              .name = kind,
                                              .status = error.n ? HEALTH_DEGRADED : HEALTH_HEALTHY,
                                              .response_time_ms = -1,
                                              .checked_ms_ago = value_get_int(view, member, -1),
                                              .message = error });
}

static void add_drains(const struct engine *e, struct arena *a, struct value *list)
{
    for (size_t i = 0; i < e->n_drains; i++) {
        const struct drain_task *d = &e->drains[i];

        health_sum_add(
            a, list,
            &(struct health_part){ .kind = S("log_drain"),
                                   .name = d->tails.name,
                                   .status = d->trouble[0] ? HEALTH_DEGRADED : HEALTH_HEALTHY,
                                   .response_time_ms = -1,
                                   .checked_ms_ago = ago(e, d->sent_mono_ms),
                                   .message = str_from_c(d->trouble) });
    }
}

struct value *health_live(struct engine *e, struct arena *a)
{
    struct value *list = value_list(a);

    add_writer(e, a, list);
    if (!e->stale.p)
        add_sources(e, a, list);
    add_providers(e, a, list);
    add_edges(e, a, list);
    add_task(a, list, S("copies"), copy_task_view(&e->copies, a), S("made_ms_ago"));
    add_task(a, list, S("heartbeat"), heartbeat_task_view(&e->heartbeat, a), S("sent_ms_ago"));
    add_drains(e, a, list);
    return list;
}

struct value *health_standby(const struct follow *f, struct arena *a)
{
    struct value *list = value_list(a), *view = follow_view(f, a);
    int64_t heard_ms = value_get_int(view, S("heard_ms_ago"), -1);
    struct str error = value_get_text(view, S("error"), S(""));
    int is_late = heard_ms < 0 || heard_ms > HEALTH_STANDBY_LATE_MS;

    health_sum_add(a, list,
                   &(struct health_part){ .kind = S("daemon"),
                                          .name = value_get_text(view, S("url"), S("")),
                                          .status = is_late   ? HEALTH_UNHEALTHY
                                                    : error.n ? HEALTH_DEGRADED
                                                              : HEALTH_HEALTHY,
                                          .response_time_ms = -1,
                                          .checked_ms_ago = heard_ms,
                                          .message = error });
    return list;
}

int health_is_ready(struct engine *e)
{
    if (e->is_ready || e->stale.p)
        return e->is_ready;
    for (size_t i = 0; i < e->n_sources; i++)
        if (!e->sources[i]->rounds_ended)
            return 0;
    for (size_t i = 0; i < e->envs.n; i++)
        if (!e->envs.p[i]->has_looked && !e->envs.p[i]->is_suspect)
            return 0;
    e->is_ready = 1;
    return 1;
}

/* --- of the state -------------------------------------------------------------------------------- */

static int add_reader(const struct view *v, struct value *list, struct err *err)
{
    int64_t began_ms = sys_mono_ms(), seq;
    struct digest hash;
    int rc = events_head(v->db, &seq, &hash, err);

    if (!rc)
        health_sum_add(v->a, list,
                       &(struct health_part){ .kind = S("database"),
                                              .name = S("reader"),
                                              .response_time_ms = sys_mono_ms() - began_ms,
                                              .message = S("") });
    return rc;
}

static void add_disk(const struct view *v, const char *path, struct value *list)
{
    int64_t began_ms = sys_mono_ms(), n_free, size, permille;
    struct health_part part = { .kind = S("disk"), .name = S("state"), .message = S("") };
    struct err err = ERR_INIT;

    if (sys_disk_free(path, &n_free, &size, &err)) {
        part.status = HEALTH_DEGRADED;
        part.message = str_from_c(err.text);
    } else {
        permille = n_free / (size / 1000 + 1);
        part.status = permille < HEALTH_DISK_LAST_PERMILLE ? HEALTH_UNHEALTHY
                      : permille < HEALTH_DISK_PERMILLE    ? HEALTH_DEGRADED
                                                           : HEALTH_HEALTHY;
        if (part.status)
            part.message = str_fmt(v->a, "%lld MiB are free", (long long)(n_free >> 20));
    }
    part.response_time_ms = sys_mono_ms() - began_ms;
    health_sum_add(v->a, list, &part);
}

static int add_clock(const struct view *v, struct value *list, struct err *err)
{
    const struct value *clock;
    int64_t began_ms = sys_mono_ms();
    int rc = view_clock(v, &clock, err);

    if (!rc)
        health_sum_add(v->a, list,
                       &(struct health_part){
                           .kind = S("clock"),
                           .name = S("clock"),
                           .status = clock ? HEALTH_DEGRADED : HEALTH_HEALTHY,
                           .response_time_ms = sys_mono_ms() - began_ms,
                           .message = clock ? S("it stepped: nothing expires by it") : S("") });
    return rc;
}

static int add_outbox(const struct view *v, struct value *list, struct err *err)
{
    struct health_part part = { .kind = S("outbox"), .name = S("outbox"), .message = S("") };
    int64_t began_ms = sys_mono_ms(), n = 0, next_ms = REC_NONE;
    int rc = outbox_next_ms(v->db, v->a, &next_ms, err);

    if (!rc && next_ms != REC_NONE)
        rc = outbox_waiting(v->db, &n, err);
    if (rc)
        return rc;
    if (next_ms != REC_NONE && v->now_ms - next_ms > HEALTH_OUTBOX_LATE_MS) {
        part.status = HEALTH_DEGRADED;
        part.message = str_fmt(v->a, "%lld messages are not told, one for %lld min", (long long)n,
                               (long long)(v->now_ms - next_ms) / 60000);
    }
    part.response_time_ms = sys_mono_ms() - began_ms;
    health_sum_add(v->a, list, &part);
    return 0;
}

int health_state(const struct view *v, const char *state_path, struct value *list, struct err *err)
{
    int rc = add_reader(v, list, err);

    if (!rc)
        rc = add_clock(v, list, err);
    if (!rc)
        rc = add_outbox(v, list, err);
    if (!rc)
        add_disk(v, state_path, list);
    return rc;
}
