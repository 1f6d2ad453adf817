/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/gate_look.h"

#include "specs/json_io.h"

/* --- probes: on the loop ------------------------------------------------------------------------- */

void gate_look_begin(struct gate_task *g)
{
    size_t n = 0;

    g->waited = arena_new_n(&g->round, struct task *, g->n_subjects + 1);
    for (size_t i = 0; g->waited && i < g->n_subjects; i++) {
        struct gate_subject *s = &g->subjects[i];

        if (s->sample.is_live && !g->asks_live)
            continue;
        probe_task_start(&s->probe, g->engine, NULL, NULL);
        s->is_probing = 1;
        g->waited[n++] = &s->probe.task;
    }
    wait_join_start(&g->task, g->waited, n);
}

void gate_look_probed(struct gate_task *g)
{
    int64_t now_ms = loop_mono_ms(g->task.loop);

    g->is_blind = 0;
    for (size_t i = 0; i < g->n_subjects; i++) {
        struct gate_subject *s = &g->subjects[i];
        struct gate_sample *x = &s->sample;

        if (!s->is_probing)
            continue;
        s->is_probing = 0;
        x->is_unknown = s->probe.is_unknown;
        if (x->is_unknown) {
            g->is_blind = 1;
            g->blind_mono_ms = now_ms;
            x->ready_since_ms = -1;
            x->message = str_copy(&g->arena, str_from_c(s->probe.message));
            probe_task_fini(&s->probe);
            continue;
        }
        x->ok_in_row = s->probe.ok ? x->ok_in_row + 1 : 0;
        x->failed_in_row = s->probe.ok ? 0 : x->failed_in_row + 1;
        x->has_exited = s->probe.has_exited;
        x->is_gone = s->probe.is_gone;
        if (!s->probe.ok) {
            x->ready_since_ms = -1;
            x->message = str_copy(&g->arena, str_from_c(s->probe.message));
        } else if (x->ready_since_ms < 0) {
            x->ready_since_ms = now_ms;
        }
        if (s->restarts_before < 0)
            s->restarts_before = s->probe.restarts;
        x->restarts = s->probe.restarts < 0 ? 0 : s->probe.restarts - s->restarts_before;
        probe_task_fini(&s->probe);
    }
}

void gate_look_fini(struct gate_task *g)
{
    for (size_t i = 0; i < g->n_subjects; i++)
        if (g->subjects[i].is_probing)
            probe_task_fini(&g->subjects[i].probe);
}

/* --- what was seen ------------------------------------------------------------------------------- */

struct gate_facts gate_look_facts(struct gate_task *g, int is_over, int is_progress_over)
{
    struct gate_sample *samples = arena_new_n(&g->round, struct gate_sample, g->n_subjects + 1);
    struct gate_counts *counts = arena_new_n(&g->round, struct gate_counts, g->n_backends + 1);
    int streams = 0;

    for (size_t i = 0; samples && i < g->n_subjects; i++)
        samples[i] = g->subjects[i].sample;
    for (size_t i = 0; counts && i < g->n_backends; i++) {
        counts[i] = g->backends[i].counts;
        streams |= counts[i].streams != 0;
    }
    g->n_calm = streams || g->task.rc ? 0 : g->n_calm + 1;
    return (struct gate_facts){
        .now_ms = loop_mono_ms(g->task.loop),
        .is_over = is_over,
        .is_progress_over = is_progress_over,
        .calm_samples = g->n_calm,
        .n_ended = g->n_ended,
        .samples = samples,
        .n_samples = samples ? g->n_subjects : 0,
        .counts = counts,
        .n_counts = counts ? g->n_backends : 0,
    };
}

void gate_look_show(struct gate_task *g)
{
    for (size_t i = 0; i < g->n_backends; i++) {
        struct gate_backend *b = &g->backends[i];

        if (!b->is_new)
            b->shown = (struct gate_shown){ 1, b->counts.requests, b->counts.errors,
                                            b->counts.streams };
    }
}

void gate_task_view(const struct gate_task *g, struct arena *a, struct value *list)
{
    for (size_t i = 0; g->end_mono_ms && i < g->n_backends; i++) {
        const struct gate_backend *b = &g->backends[i];
        struct value *one = value_map(a);

        if (!b->shown.is_known)
            continue;
        value_set_text(a, one, S("gate"), str_copy(a, g->item->name));
        value_set_text(a, one, S("service"), str_copy(a, b->counts.service));
        value_set_int(a, one, S("requests"), b->shown.requests);
        value_set_int(a, one, S("errors"), b->shown.errors);
        value_set_int(a, one, S("streams"), b->shown.streams);
        value_add(a, list, one);
    }
}

struct str gate_look_have(struct gate_task *g)
{
    struct arena *a = &g->arena;
    struct value *have = value_map(a);

    for (size_t i = 0; i < g->n_subjects; i++) {
        const struct gate_sample *s = &g->subjects[i].sample;
        struct value *one = value_map(a);

        value_set_int(a, one, S("ok"), s->ok_in_row);
        value_set_int(a, one, S("failed"), s->failed_in_row);
        value_set_int(a, one, S("restarts"), s->restarts);
        if (s->message.n)
            value_set_text(a, one, S("message"), s->message);
        value_set(a, have, s->subject, one);
    }
    for (size_t i = 0; i < g->n_backends; i++) {
        const struct gate_counts *c = &g->backends[i].counts;
        struct value *one = value_map(a);

        value_set_int(a, one, S("requests"), c->requests);
        value_set_int(a, one, S("errors"), c->errors);
        value_set_int(a, one, S("streams"), c->streams);
        if (value_count(c->latency))
            value_set(a, one, S("latency"), value_copy(a, c->latency));
        if (g->backends[i].n_anew)
            value_set_int(a, one, S("counted_anew"), g->backends[i].n_anew);
        value_set(a, have, c->service, one);
    }
    return json_format(a, have);
}

static struct value *look_beside_value(struct arena *a, const struct gate_beside *x)
{
    struct value *v = value_map(a);

    value_set_int(a, v, S("since"), x->since);
    value_set_int(a, v, S("requests"), x->requests);
    value_set_int(a, v, S("errors"), x->errors);
    if (x->latency)
        value_set(a, v, S("latency"), value_copy(a, x->latency));
    return v;
}

struct str gate_look_baseline(struct gate_task *g)
{
    struct arena *a = &g->arena;
    struct value *all = value_map(a);

    for (size_t i = 0; i < g->n_backends; i++) {
        const struct gate_backend *b = &g->backends[i];
        struct value *one = value_map(a);

        value_set_int(a, one, S("since"), b->since);
        value_set_int(a, one, S("requests"), b->base_requests);
        value_set_int(a, one, S("errors"), b->base_errors);
        value_set_int(a, one, S("before_requests"), b->counts.baseline_requests);
        value_set_int(a, one, S("before_errors"), b->counts.baseline_errors);
        if (b->base_latency)
            value_set(a, one, S("latency"), value_copy(a, b->base_latency));
        if (b->beside.is_known)
            value_set(a, one, S("beside"), look_beside_value(a, &b->beside));
        if (b->counts.baseline_latency)
            value_set(a, one, S("before_latency"), value_copy(a, b->counts.baseline_latency));
        value_set(a, all, b->counts.service, one);
    }
    return json_format(a, all);
}

struct str gate_look_ended(struct gate_task *g, int64_t n)
{
    struct value *all = value_map(&g->arena);

    value_set_int(&g->arena, all, S("ended"), n);
    return json_format(&g->arena, all);
}
