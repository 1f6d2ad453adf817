/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/digest.h"
#include "specs/refs.h"
#include "specs/rule.h"

/* Fields whose filled form is the canonical one. */
static const struct str normalise_taken[] = { S_INIT("command"),   S_INIT("port"),
                                              S_INIT("replicas"),  S_INIT("rollout"),
                                              S_INIT("standby"),   S_INIT("termination"),
                                              S_INIT("depends_on") };

/* The id of one path at the commit. */
static void add_tree(struct normalise *n, struct value *trees, const struct value *path,
                     struct value_place place)
{
    struct str name = path ? path->u.text : S(".");
    const struct str *id = n->in->trees ? map_find(n->in->trees, name) : NULL;

    if (path && path->place.line)
        place = path->place;
    if (n->in->trees && !id)
        normalise_complain(n, place, "path", STR_NONE, "'%.*s' is not in the repository",
                           STR_ARG(name));
    value_set_text(n->arena, trees, name, id ? *id : S(""));
}

static struct value *source_trees(struct normalise *n, const struct value *source)
{
    const struct value *watch = value_get(source, S("watch"));
    struct value *trees = value_map(n->arena);

    if (!watch)
        add_tree(n, trees, value_get(source, S("context")), source->place);
    for (size_t i = 0; i < value_count(watch); i++)
        add_tree(n, trees, value_item(watch, i), source->place);
    return trees;
}

/* Off leaves nothing. What it brought is part of what was built. */
static void set_network(struct normalise *n, struct value *build, const struct value *source)
{
    const struct value *asked = value_get(source, S("network"));

    if (!value_get_bool(source, S("network"), 0))
        return;
    rule_check_network(n, asked);
    value_set(n->arena, build, S("network"), value_bool(n->arena, 1));
}

/* `build` and the artifact key, which is the digest of it, without its timeout, and of who builds: what one
 * provider has built lies with no other. */
static void set_build(struct normalise *n, struct value *desired, const struct value *source,
                      struct spec_resource *of)
{
    struct value *build = value_map(n->arena), *keyed = value_map(n->arena), *environment;
    const struct value *argv = value_get(source, S("build"));
    struct digest key;

    environment = refs_variables(n, value_get(source, S("environment")), REFS_BUILD, of);
    normalise_take(n, build, source, S("context"));
    value_set(n->arena, build, S("trees"), source_trees(n, source));
    value_set(n->arena, build, S("argv"),
              argv ? value_copy_content(n->arena, argv) : value_list(n->arena));
    value_set(n->arena, build, S("environment"), environment ? environment : value_map(n->arena));
    set_network(n, build, source);
    value_set(n->arena, keyed, S("build"), build);
    value_set_text(n->arena, keyed, S("builder"), of->provider);
    key = digest_value(n->arena, S("artifact"), keyed);
    normalise_take(n, build, source, S("timeout_ms"));
    value_set_text(n->arena, desired, S("artifact"), digest_hex(n->arena, &key));
    value_set(n->arena, desired, S("build"), build);
}

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
    check_probe(n, probe, name, value_get(service, S("port")) != NULL);
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

/* The daemon's word, and part of what is approved; none leaves nothing. */
static void set_isolation(struct normalise *n, struct value *desired)
{
    struct str class = value_get_text(n->in->rule, S("isolation"), S("none"));

    if (!str_eq_c(class, "none"))
        value_set_text(n->arena, desired, S("isolation"), class);
}

static void set_limits(struct normalise *n, struct value *desired, const struct value *service,
                       struct spec_resource *of)
{
    const struct value *limits = value_at(service, S("resources.limits"));
    struct value *places = value_map(n->arena);

    if (!value_count(limits))
        return;
    for (size_t i = 0; i < value_count(limits); i++) {
        const struct value_entry *e = &limits->u.map.entries[i];

        value_set_text(n->arena, places, str_copy(n->arena, e->key),
                       str_fmt(n->arena, "%.*s:%u:%u", STR_ARG(e->key_place.file),
                               e->key_place.line, e->key_place.column));
    }
    value_set(n->arena, desired, S("limits"), value_copy_content(n->arena, limits));
    of->limits_at = places;
}

static void set_needs(struct normalise *n, const struct value *service, struct spec_resource *of)
{
    const struct value *depends_on = value_get(service, S("depends_on"));

    for (size_t i = 0; i < value_count(depends_on); i++)
        refs_need(n, of, "service", depends_on->u.map.entries[i].key);
}

void normalise_service(struct normalise *n, const struct value_entry *service,
                       struct spec_resource *ret)
{
    const struct value *in = service->value, *source = value_get(in, S("source"));
    struct value *desired = value_map(n->arena), *healthcheck = value_map(n->arena);

    set_needs(n, in, ret);
    ret->provider = rule_provider(n, "services", value_get(in, S("provider")), ret->place);
    value_set_text(n->arena, desired, S("provider"), ret->provider);
    for (size_t i = 0; i < sizeof(normalise_taken) / sizeof(normalise_taken[0]); i++)
        normalise_take(n, desired, in, normalise_taken[i]);
    if (source)
        set_build(n, desired, source, ret);
    value_set(n->arena, desired, S("environment"),
              refs_variables(n, value_get(in, S("environment")), REFS_RUN, ret));
    set_probe(n, healthcheck, in, "readiness", service->key);
    set_probe(n, healthcheck, in, "liveness", service->key);
    if (value_count(healthcheck))
        value_set(n->arena, desired, S("healthcheck"), healthcheck);
    set_release(n, desired, value_get(in, S("release")), ret);
    set_isolation(n, desired);
    set_limits(n, desired, in, ret);

    rule_check_replicas(n, value_get(in, S("replicas")));
    ret->desired = desired;
}
