/* What a gate looks at, by its item and the rows: on STATE. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/gate_look.h"

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

/* The set of its item; one that is not there has no state. */
static int look_find_set(struct gate_task *g, struct rec_set *ret, struct err *err)
{
    struct rec_set set = { .env = g->rec.env,
                           .service = g->item->service,
                           .set_key = g->item->set_key };
    int rc = db_get(g->engine->db, &g->arena, REC_set, &set, err);

    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    if (rc)
        set.state = S("");
    *err = ERR_INIT;
    *ret = set;
    return 0;
}

static int look_find_live(struct gate_task *g, struct err *err)
{
    struct rec_set set;

    if (look_find_set(g, &set, err))
        return err->code;
    if (str_eq_c(set.state, "live"))
        g->verdict = GATE_CANCELLED;
    return 0;
}

static int look_load_drained(struct gate_task *g, struct err *err)
{
    const struct value *leaving = value_get(g->need, S("leaving"));

    if (value_get(g->need, S("spread_ms")) && g->item->lane == LANE_TAIL &&
        look_find_live(g, err)) /* somebody went back to it */
        return err->code;
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
    struct rec_set set;

    if (look_find_set(g, &set, err))
        return err->code;
    if (!str_eq_c(set.state, "previous") || !digest_eq(&set.kept_by, &g->rec.plan))
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

    if (value_get(g->need, S("spread_ms"))) { /* it compares with nothing */
        g->n_ended = value_get_int(kept, S("ended"), 0);
        return;
    }
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
