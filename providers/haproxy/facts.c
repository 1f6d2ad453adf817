/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/haproxy/facts.h"

#include "providers/haproxy/edge.h"
#include "providers/haproxy/edge_replace.h"
#include "providers/haproxy/latency.h"
#include "providers/haproxy/render.h"
#include "providers/haproxy/runtime.h"

#define FACTS_PIDS_MAX (1 << 22) /* the kernel gives none above */

/* One number for the proxy's start, second and pid: counters of two different ones do not compare. */
static int facts_since(struct haproxy_call *c, int64_t *ret)
{
    int64_t start_s = 0, pid = 0;
    struct str info;
    int rc = HAPROXY_ASK(c, &info, S("show"), S("info"));

    if (rc)
        return rc;
    if (str_to_i64(haproxy_info_find(info, S("Start_time_sec")), &start_s) ||
        str_to_i64(haproxy_info_find(info, S("Pid")), &pid))
        return haproxy_fail(c, RV_RETRY, "the proxy does not say when it started");
    *ret = start_s * FACTS_PIDS_MAX + pid;
    return 0;
}

/* Those that leave too, for as long as nobody else has their place. */
static struct value *facts_servers(struct haproxy_call *c, const struct haproxy_stats *stats)
{
    struct value *servers = value_map(c->arena);

    for (size_t i = 0; i < stats->rows.n; i++) {
        const struct haproxy_stat *row = &stats->rows.p[i];

        if (!str_eq(row->name, S("BACKEND")) && !str_eq_c(row->address, HAPROXY_FREE_ADDRESS))
            value_set_int(c->arena, servers, row->address, row->current);
    }
    return servers;
}

int haproxy_facts_before(struct haproxy_call *c, struct str backend, struct value **ret)
{
    const struct haproxy_stat *all;
    struct haproxy_stats stats;
    int64_t since = 0;
    int rc;

    if ((rc = facts_since(c, &since)) || (rc = haproxy_read_stats(c, backend, &stats)))
        return rc;
    if (!(all = haproxy_stats_find(&stats, S("BACKEND"))))
        return haproxy_fail(c, RV_RETRY, "the proxy has no backend '%.*s'", STR_ARG(backend));
    *ret = value_map(c->arena);
    value_set_int(c->arena, *ret, S("since"), since);
    value_set_int(c->arena, *ret, S("requests"), all->requests);
    value_set_int(c->arena, *ret, S("responses_5xx"), all->responses_5xx);
    return 0;
}

/* What other sets had in the same place is not this one's; a proxy that was started since counts from 0. */
static const struct value *facts_read_before(struct haproxy_call *c,
                                             const struct haproxy_glance *backend, int64_t since)
{
    struct err ignored = ERR_INIT; /* unreadable: as if nothing had been counted before */
    const struct value *before;
    struct value *record;

    if (json_parse(c->arena, backend->json, KIT_BODY_MAX, &record, &ignored))
        return NULL;
    before = value_at(record, S("body.before"));
    return value_get_int(before, S("since"), -1) == since ? before : NULL;
}

static int facts_count(struct haproxy_call *c, const struct haproxy_glance *glance)
{
    struct str backend = glance->id;
    const struct value *before;
    struct haproxy_stats stats;
    int64_t since = 0, still = 0, leaving = haproxy_edge_is_leaving(c);
    struct value *out = value_map(c->arena), *latency = NULL;
    const struct haproxy_stat *all;
    int rc;

    if ((rc = facts_since(c, &since)) || (rc = haproxy_read_stats(c, backend, &stats)) ||
        (rc = haproxy_latency_read(c, backend, &latency)) || (rc = facts_since(c, &still)))
        return rc;
    if (still != since)
        return haproxy_fail(c, RV_RETRY, "the proxy was replaced meanwhile");
    if (!(all = haproxy_stats_find(&stats, S("BACKEND"))))
        return haproxy_fail(c, RV_RETRY, "the proxy has no backend '%.*s'", STR_ARG(backend));
    before = facts_read_before(c, glance, since);
    value_set_text(c->arena, out, S("backend"), backend);
    value_set_int(c->arena, out, S("since"), since);
    value_set_int(c->arena, out, S("current"), all->current + leaving);
    value_set_int(c->arena, out, S("queued"), all->queued);
    value_set_int(c->arena, out, S("requests"),
                  all->requests - value_get_int(before, S("requests"), 0));
    value_set_int(c->arena, out, S("responses_5xx"),
                  all->responses_5xx - value_get_int(before, S("responses_5xx"), 0));
    value_set_int(c->arena, out, S("errors_connect"), all->errors_connect);
    value_set_int(c->arena, out, S("errors_response"), all->errors_response);
    value_set_int(c->arena, out, S("retries"), all->retries);
    value_set_int(c->arena, out, S("redispatches"), all->redispatches);
    value_set_int(c->arena, out, S("aborted_client"), all->aborted_client);
    value_set(c->arena, out, S("latency"), latency);
    value_set(c->arena, out, S("servers"), facts_servers(c, &stats));
    c->ret->id = kit_give(c->h, backend);
    c->ret->observed = kit_give_json(c->h, c->arena, out);
    return haproxy_fail(c, c->ret->observed.p ? RV_DONE : RV_RETRY, "%s", "");
}

int haproxy_count(struct haproxy_call *c)
{
    struct haproxy_glance backend = haproxy_store_glance(c);
    int rc;

    if (!backend.id.n || (rc = facts_count(c, &backend)) == RV_RETRY) {
        if ((rc = haproxy_edge_start(c)))
            return rc;
        backend = haproxy_store_glance(c);
        rc = backend.id.n ? facts_count(c, &backend)
                          : haproxy_fail(c, RV_ABSENT, "nothing of '%.*s' is here",
                                         STR_ARG(kit_str(c->op->owner)));
    }
    return rc;
}

int haproxy_serves(struct haproxy_call *c)
{
    struct value *out = value_map(c->arena);
    int rc = haproxy_runs(c);

    if (rc == RV_RETRY && !haproxy_store_is_there(c))
        return haproxy_fail(c, RV_ABSENT, "the edge was never started");
    if (rc && (rc = haproxy_edge_start(c)))
        return rc;
    value_set(c->arena, out, S("serving"), value_bool(c->arena, 1));
    c->ret->observed = kit_give_json(c->h, c->arena, out);
    return haproxy_fail(c, c->ret->observed.p ? RV_DONE : RV_RETRY, "%s", "");
}
