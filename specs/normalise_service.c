/* SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "specs/refs.h"
#include "specs/rule.h"

#define SITE_PORT 80

/* Fields whose filled form is the canonical one. */
static const struct str normalise_taken[] = {
    S_INIT("command"),    S_INIT("port"),   S_INIT("replicas"),    S_INIT("termination"),
    S_INIT("depends_on"), S_INIT("user"),   S_INIT("connections"), S_INIT("logs"),
    S_INIT("assets"),     S_INIT("static"), S_INIT("metrics")
};

static int routes_to(const struct value *domain, struct str service)
{
    const struct value *routes = value_get(domain, S("routes"));

    for (size_t i = 0; i < value_count(routes); i++)
        if (str_eq(value_get_text(routes->u.map.entries[i].value, S("service"), STR_NONE), service))
            return 1;
    return 0;
}

/* The first host of the first domain, by name, that has a route to the service. */
static struct str host_of(const struct normalise *n, struct str service)
{
    struct str best = STR_NONE, host = STR_NONE;

    for (size_t i = 0; i < value_count(n->domains); i++) {
        const struct value_entry *e = &n->domains->u.map.entries[i];
        const struct value *first = value_item(value_get(e->value, S("hosts")), 0);

        if (first && routes_to(e->value, service) && (!best.p || str_cmp(e->key, best) < 0)) {
            best = e->key;
            host = first->u.text;
        }
    }
    return host;
}

static void check_probe(struct normalise *n, const struct value *probe, const char *name,
                        int has_port)
{
    const struct value *tcp = value_get(probe, S("tcp"));
    int n_kinds = (value_get(probe, S("http")) != NULL) + (tcp != NULL) +
                  (value_get(probe, S("command")) != NULL);

    if (n_kinds != 1)
        normalise_complain(n, probe->place, "probe", STR_NONE,
                           "healthcheck.%s: one of http, tcp and command is needed, not %d", name,
                           n_kinds);
    else if (tcp && !value_get_bool(probe, S("tcp"), 0))
        normalise_complain(n, tcp->place, "probe", STR_NONE, "healthcheck.%s.tcp can only be true",
                           name);
    else if (!has_port && !value_get(probe, S("command")))
        normalise_complain(n, probe->place, "probe", STR_NONE,
                           "healthcheck.%s: the service has no port to ask", name);
}

static void set_probe(struct normalise *n, struct value *healthcheck, const struct value *service,
                      const char *name, struct str service_name)
{
    const struct value *probe = value_get(value_get(service, S("healthcheck")), str_from_c(name));
    struct value *copy = value_copy_content(n->arena, probe);
    const struct value_entry *http = value_entry(copy, S("http"));
    struct str host = host_of(n, service_name);

    if (!probe)
        return;
    check_probe(n, probe, name, value_get(service, S("port")) || value_get(service, S("static")));
    if (http && host.p && !value_get(http->value, S("host")))
        value_set_text(n->arena, http->value, S("host"), str_copy(n->arena, host));
    value_set(n->arena, healthcheck, str_from_c(name), copy);
}

static void set_release(struct normalise *n, struct value *desired, const struct value *release,
                        struct spec_resource *of)
{
    struct value *copy = value_copy_content(n->arena, release);

    if (!release)
        return;
    rule_check_trailer(n, release);
    value_set(n->arena, copy, S("environment"),
              refs_variables(n, value_get(release, S("environment")), REFS_RUN, of));
    value_set(n->arena, desired, S("release"), copy);
}

static void set_verify(struct normalise *n, struct value *desired, const struct value *verify,
                       struct spec_resource *of)
{
    struct value *copy = value_copy_content(n->arena, verify);

    if (!verify)
        return;
    if (value_get(verify, S("environment")))
        value_set(n->arena, copy, S("environment"),
                  refs_variables(n, value_get(verify, S("environment")), REFS_RUN, of));
    value_set(n->arena, desired, S("verify"), copy);
}

static void check_steps(struct normalise *n, const struct value *rollout)
{
    const struct value *steps = value_at(rollout, S("canary.steps"));
    int64_t before = 0;

    if (!value_count(steps))
        normalise_complain(n, value_get(rollout, S("strategy"))->place, "required",
                           S("add canary: {steps: [{weight: 10%, pause: 5m}]}"),
                           "rollout: strategy canary needs canary.steps");
    for (size_t i = 0; i < value_count(steps); i++) {
        const struct value *weight = value_get(value_item(steps, i), S("weight"));

        if (weight && weight->u.number <= before)
            normalise_complain(n, weight->place, "range", STR_NONE,
                               "rollout: a step of a canary takes more than the one before it");
        before = weight ? weight->u.number : before;
    }
}

/* What the strategy has no use for is not there, so that it changes nothing. */
static void set_rollout(struct normalise *n, struct value *desired, const struct value *rollout)
{
    struct value *copy = value_map(n->arena);
    struct str strategy = value_get_text(rollout, S("strategy"), S(""));
    int is_canary = str_eq_c(strategy, "canary"), is_rolling = str_eq_c(strategy, "rolling");

    if (is_canary)
        check_steps(n, rollout);
    NORMALISE_ENTRIES(rollout, e)
    {
        if ((!str_eq_c(e->key, "canary") || is_canary) && !str_eq_c(e->key, "max_unavailable"))
            value_set(n->arena, copy, e->key, e->value);
    }
    if (is_rolling)
        value_set_int(n->arena, copy, S("max_unavailable"),
                      value_get_int(rollout, S("max_unavailable"), 1));
    value_set(n->arena, desired, S("rollout"), copy);
}

/* Without a port, and with a Redis that is a queue. */
static int consumes_queue(struct normalise *n, const struct value *in)
{
    const struct value *variables = value_get(in, S("environment"));

    if (value_get(in, S("port")))
        return 0;
    NORMALISE_ENTRIES(variables, e)
    {
        const struct value *name = value_get(e->value, S("redis"));
        const struct value *redis = name ? value_get(n->redis, name->u.text) : NULL;

        if (str_eq_c(value_get_text(redis, S("use"), S("")), "queue"))
            return 1;
    }
    return 0;
}

static void set_standby(struct normalise *n, struct value *desired, const struct value *in)
{
    if (value_get(in, S("standby")))
        normalise_take(n, desired, in, S("standby"));
    else
        value_set_text(n->arena, desired, S("standby"),
                       consumes_queue(n, in) ? S("stopped") : S("running"));
}

static void check_replicas(struct normalise *n, const struct value *replicas)
{
    const struct value *max = value_get(replicas, S("max"));

    if (max && max->u.number < value_get_int(replicas, S("min"), 0))
        normalise_complain(n, max->place, "range", STR_NONE, "replicas: max is less than min");
}

/* An image may know what it runs; a site runs nothing. */
static void check_command(struct normalise *n, const struct value_entry *service)
{
    const struct value *in = service->value, *site = value_get(in, S("static"));

    const struct value *from = value_get(in, S("image_from"));

    if (!value_get(in, S("command")) && from && !value_get(in, S("image")))
        normalise_complain(n, from->place, "required", STR_NONE,
                           "services.%.*s: 'command' is missing", STR_ARG(service->key));
    if (value_get(in, S("command")) && site)
        normalise_complain(
            n, site->place, "conflict", STR_NONE,
            "services.%.*s: static runs no command (%.*s:%u:%u)", STR_ARG(service->key),
            STR_ARG(value_file(value_get(in, S("command"))->place)),
            value_get(in, S("command"))->place.line, value_get(in, S("command"))->place.column);
    if (site && !value_get(in, S("source")))
        normalise_complain(n, site->place, "required", STR_NONE,
                           "services.%.*s: static needs a source", STR_ARG(service->key));
}

/* They are files of what is built or pulled. */
static void check_assets(struct normalise *n, const struct value_entry *service)
{
    const struct value *assets = value_get(service->value, S("assets"));

    if (assets && !value_get(service->value, S("source")) && !value_get(service->value, S("image")))
        normalise_complain(n, assets->place, "required", STR_NONE,
                           "services.%.*s: assets need a source or an image",
                           STR_ARG(service->key));
}

/* They are asked for where it listens; a site of files has none. */
static void check_metrics(struct normalise *n, const struct value_entry *service)
{
    const struct value *metrics = value_get(service->value, S("metrics"));
    const struct value *site = value_get(service->value, S("static"));

    if (metrics && site)
        normalise_complain(n, metrics->place, "conflict", STR_NONE,
                           "services.%.*s: static has no metrics", STR_ARG(service->key));
    else if (metrics && !value_get(service->value, S("port")))
        normalise_complain(n, metrics->place, "required", STR_NONE,
                           "services.%.*s: metrics need a port", STR_ARG(service->key));
}

/* It is listened for by a program of ours, which has a port like any other. */
static void set_site(struct normalise *n, struct value *desired, const struct value *service)
{
    if (value_get(service, S("static")) && !value_get(service, S("port")))
        value_set_int(n->arena, desired, S("port"), SITE_PORT);
}

static void set_needs(struct normalise *n, const struct value *service, struct spec_resource *of)
{
    const struct value *depends_on = value_get(service, S("depends_on"));

    NORMALISE_ENTRIES(depends_on, on)
    {
        refs_need(n, of,
                  str_eq_c(value_get_text(on->value, S("condition"), S("")),
                           "service_completed_successfully")
                      ? "job"
                      : "service",
                  on->key);
    }
}

void normalise_service(struct normalise *n, const struct value_entry *service,
                       struct spec_resource *ret)
{
    const struct value *in = service->value;
    struct value *desired = value_map(n->arena), *healthcheck = value_map(n->arena);

    set_needs(n, in, ret);
    ret->provider = rule_provider(n, "services", value_get(in, S("provider")), ret->place);
    value_set_text(n->arena, desired, S("provider"), ret->provider);
    normalise_take_all(n, desired, in, normalise_taken);
    normalise_artifact(n, desired, in, ret);
    set_rollout(n, desired, value_get(in, S("rollout")));
    set_site(n, desired, in);
    set_standby(n, desired, in);
    check_replicas(n, value_get(in, S("replicas")));
    check_command(n, service);
    check_assets(n, service);
    check_metrics(n, service);
    value_set(n->arena, desired, S("environment"),
              refs_variables(n, value_get(in, S("environment")), REFS_RUN, ret));
    set_probe(n, healthcheck, in, "readiness", service->key);
    set_probe(n, healthcheck, in, "liveness", service->key);
    if (value_count(healthcheck))
        value_set(n->arena, desired, S("healthcheck"), healthcheck);
    set_release(n, desired, value_get(in, S("release")), ret);
    set_verify(n, desired, value_get(in, S("verify")), ret);
    normalise_resources(n, desired, in, ret);

    rule_check_replicas(n, value_get(in, S("replicas")));
    ret->desired = desired;
}
