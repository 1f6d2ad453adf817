/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/gate_look.h"

#include "base/guard.h"
#include "reconciler/core/latency.h"
#include "reconciler/engine/run.h"
#include "specs/json_io.h"

/* --- what to look at: on STATE ------------------------------------------------------------------- */

static int look_add_instance(struct gate_task *g, const struct rec_instance *row,
                             const struct value *probe, int is_live, struct err *err)
{
    struct arena *a = &g->arena;
    struct gate_subject *s = &g->subjects[g->n_subjects];
    struct str name = identity_instance_name(a, row->service, &row->set_key, row->ordinal);
    struct rec_resource r;
    int rc = resources_now(g->engine->db, a, row->env, S("instance"), name, &r, err);

    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    *s = (struct gate_subject){
        .sample = { .subject = name, .is_live = is_live, .ready_since_ms = -1, .message = S("") },
        .restarts_before = -1,
    };
    s->probe.probe = probe;
    s->probe.provider = r.provider;
    s->probe.resource = name;
    s->probe.provider_id = r.provider_id;
    s->probe.owner = r.owner;
    s->probe.address = row->address;
    g->n_subjects++;
    return 0;
}

static int look_add_set(struct gate_task *g, struct str service, const struct digest *key,
                        const struct value *probe, int is_live, struct err *err)
{
    struct rec_instance *rows;
    struct gate_subject *more;
    size_t n;

    if (DB_SELECT(g->engine->db, &g->arena, instance,
                  "WHERE env = $1 AND service = $2 AND set_key = $3 ORDER BY ordinal", &rows, &n,
                  err, DB_T(g->rec.env), DB_T(service), DB_D(key)))
        return err->code;
    more = arena_new_n(&g->arena, struct gate_subject, g->n_subjects + n);
    if (!more)
        return arena_status(&g->arena, err);
    for (size_t i = 0; i < g->n_subjects; i++)
        more[i] = g->subjects[i];
    g->subjects = more;
    for (size_t i = 0; i < n; i++)
        if (look_add_instance(g, &rows[i], probe, is_live, err))
            return err->code;
    return 0;
}

static int look_backend_of(struct gate_task *g, struct str service, const struct digest *key,
                           struct str *ret_name, struct rec_resource *ret, struct err *err)
{
    *ret_name = identity_set_name(&g->arena, service, key);
    return resources_now(g->engine->db, &g->arena, g->rec.env, S("backend"), *ret_name, ret, err);
}

/* A set without a port has no backend: nothing to count. */
static int look_add_backend(struct gate_task *g, struct str service, const struct digest *key,
                            const struct digest *before, struct err *err)
{
    struct gate_backend *b = &g->backends[g->n_backends], found = { .is_new = 1 };
    struct rec_resource r;
    int rc = look_backend_of(g, service, key, &found.resource, &r, err);

    if (rc || !engine_resource_exists(&r))
        return rc == ERR_NOT_FOUND ? 0 : rc;
    found.counts = (struct gate_counts){ .service = service, .streams = -1 };
    found.provider = r.provider;
    found.provider_id = r.provider_id;
    found.owner = r.owner;
    if (before) {
        rc = look_backend_of(g, service, before, &found.before, &r, err);
        if (rc && rc != ERR_NOT_FOUND)
            return rc;
        found.before = rc ? STR_NONE : found.before;
        found.before_provider_id = rc ? STR_NONE : r.provider_id;
        found.before_owner = rc ? STR_NONE : r.owner;
    }
    *b = found;
    g->n_backends++;
    return 0;
}

static int look_digest(const struct value *map, struct str key, struct digest *ret)
{
    return digest_from_hex(value_get_text(map, key, S("")), ret) == 0;
}

/* While it has requests, or a person makes up their mind: what serves is not repaired meanwhile. */
static int look_watches_live(const struct gate_task *g)
{
    return value_get(g->need, S("share")) || value_get_bool(g->need, S("manual"), 0);
}

static int look_load_members(struct gate_task *g, struct err *err)
{
    const struct value *members = value_get(g->need, S("members"));

    g->asks_live = look_watches_live(g);
    g->backends = arena_new_n(&g->arena, struct gate_backend, value_count(members) + 1);
    if (!g->backends)
        return arena_status(&g->arena, err);
    for (size_t i = 0; i < value_count(members); i++) {
        const struct value *m = value_item(members, i);
        struct str service = value_get_text(m, S("service"), S(""));
        struct digest set, live;
        int has_live = look_digest(m, S("live"), &live);

        if (!look_digest(m, S("set"), &set))
            return err_set(err, ERR_CORRUPT, "gate '%.*s' names no set", STR_ARG(g->item->name));
        if (look_add_set(g, service, &set, value_get(m, S("probe")), 0, err) ||
            look_add_backend(g, service, &set, has_live ? &live : NULL, err) ||
            (has_live && g->asks_live && !value_get_bool(m, S("unrecorded"), 0) &&
             look_add_set(g, service, &live, NULL, 1, err)))
            return err->code;
    }
    return 0;
}

/* What serves again, and what was tried: whether that is there at all. */
static int look_load_recover(struct gate_task *g, struct err *err)
{
    const struct value *members = value_get(g->need, S("members"));

    g->asks_live = 1;
    for (size_t i = 0; i < value_count(members); i++) {
        const struct value *m = value_item(members, i);
        struct str service = value_get_text(m, S("service"), S(""));
        struct digest set, tried;

        if (!look_digest(m, S("set"), &set) || !look_digest(m, S("tried"), &tried))
            return err_set(err, ERR_CORRUPT, "gate '%.*s' names no set", STR_ARG(g->item->name));
        if (look_add_set(g, service, &set, value_get(m, S("probe")), 1, err) ||
            look_add_set(g, service, &tried, NULL, 0, err))
            return err->code;
    }
    return 0;
}

static int look_load_ready(struct gate_task *g, struct err *err)
{
    const struct value *probe = value_get(g->need, S("probe"));
    struct digest live;

    if (look_add_set(g, g->item->service, &g->item->set_key, probe, 0, err))
        return err->code;
    if (look_digest(g->need, S("live"), &live) && probe)
        return look_add_set(g, g->item->service, &live, probe, 1, err);
    return 0;
}

/* Some instances of a set leave a backend that goes on serving. */
static int look_load_leaving(struct gate_task *g, const struct value *leaving, struct err *err)
{
    struct rec_instance *rows;
    struct digest set;
    size_t n;

    if (!look_digest(leaving, S("set"), &set))
        return err_set(err, ERR_CORRUPT, "gate '%.*s' names no set", STR_ARG(g->item->name));
    if (DB_SELECT(g->engine->db, &g->arena, instance,
                  "WHERE env = $1 AND service = $2 AND set_key = $3 AND ordinal >= $4 "
                  "AND ordinal < $5",
                  &rows, &n, err, DB_T(g->rec.env), DB_T(g->item->service), DB_D(&set),
                  DB_I(value_get_int(leaving, S("from"), 0)),
                  DB_I(value_get_int(leaving, S("to"), 0))))
        return err->code;
    g->n_leaving = n;
    g->leaving = arena_new_n(&g->arena, struct str, n + 1);
    for (size_t i = 0; g->leaving && i < n; i++)
        g->leaving[i] = rows[i].address;
    return arena_status(&g->arena, err);
}

static int look_load_drained(struct gate_task *g, struct err *err)
{
    const struct value *leaving = value_get(g->need, S("leaving"));

    g->backends = arena_new_n(&g->arena, struct gate_backend, 1);
    if (!g->backends)
        return arena_status(&g->arena, err);
    if (leaving && look_load_leaving(g, leaving, err))
        return err->code;
    return look_add_backend(g, g->item->service, &g->item->set_key, NULL, err);
}

/* A later plan took the set over: it is live again, kept by that plan, or on its way out. */
static int look_load_keep(struct gate_task *g, struct err *err)
{
    struct rec_set set = { .env = g->rec.env,
                           .service = g->item->service,
                           .set_key = g->item->set_key };
    int rc = db_get(g->engine->db, &g->arena, REC_set, &set, err);

    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    if (rc || !str_eq_c(set.state, "previous") || !digest_eq(&set.kept_by, &g->rec.plan))
        g->verdict = GATE_CANCELLED;
    return 0;
}

static void look_restore_beside(struct gate_backend *b, const struct value *kept)
{
    if (kept)
        b->beside = (struct gate_beside){ .is_known = 1,
                                          .since = value_get_int(kept, S("since"), 0),
                                          .requests = value_get_int(kept, S("requests"), 0),
                                          .errors = value_get_int(kept, S("errors"), 0),
                                          .latency = value_get(kept, S("latency")) };
}

/* Counters at the start, from a former life. */
static void look_restore_baseline(struct gate_task *g)
{
    const struct value *kept = driver_answer_value(&g->arena, g->row.baseline);

    for (size_t i = 0; i < g->n_backends; i++) {
        struct gate_backend *b = &g->backends[i];
        const struct value *one = value_get(kept, b->counts.service);

        if (!one)
            continue;
        b->is_new = 0;
        b->since = value_get_int(one, S("since"), 0);
        b->base_requests = value_get_int(one, S("requests"), 0);
        b->base_errors = value_get_int(one, S("errors"), 0);
        b->counts.baseline_requests = value_get_int(one, S("before_requests"), 0);
        b->counts.baseline_errors = value_get_int(one, S("before_errors"), 0);
        look_restore_beside(b, value_get(one, S("beside")));
        b->base_latency = value_get(one, S("latency"));
        b->counts.baseline_latency = value_get(one, S("before_latency"));
    }
}

int gate_look_load(struct gate_task *g, struct err *err)
{
    struct str type = value_get_text(g->need, S("type"), S(""));
    int rc = 0;

    g->n_subjects = g->n_backends = 0;
    if (str_eq_c(type, "ready"))
        rc = look_load_ready(g, err);
    else if (str_eq_c(type, "bake") || str_eq_c(type, "promote"))
        rc = look_load_members(g, err);
    else if (str_eq_c(type, "recover"))
        rc = look_load_recover(g, err);
    else if (str_eq_c(type, "drained"))
        rc = look_load_drained(g, err);
    else if (str_eq_c(type, "keep"))
        rc = look_load_keep(g, err);
    if (rc)
        return err_wrap(err, "gate '%.*s'", STR_ARG(g->item->name));
    look_restore_baseline(g);
    return 0;
}

/* --- counters: on DRIVER ------------------------------------------------------------------------- */

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
        .samples = samples,
        .n_samples = samples ? g->n_subjects : 0,
        .counts = counts,
        .n_counts = counts ? g->n_backends : 0,
    };
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
