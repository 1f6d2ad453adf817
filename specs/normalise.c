/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/normalise.h"

#include <stdlib.h>

#include "specs/digest.h"
#include "specs/policy.h"
#include "specs/policy_rules.h"
#include "specs/rule.h"
#include "specs/schema_path.h"

struct str normalise_hint(struct arena *a, struct str wanted, const struct value *map)
{
    struct schema_nearest nearest = schema_nearest_to(wanted);

    for (size_t i = 0; i < value_count(map); i++)
        schema_nearest_try(&nearest, map->u.map.entries[i].key);
    return schema_nearest_hint(a, &nearest);
}

void normalise_take(struct normalise *n, struct value *to, const struct value *from,
                    struct str name)
{
    const struct value_entry *e = value_entry(from, name);

    if (e)
        value_set(n->arena, to, name, e->value);
}

static const struct value *find_document(struct normalise *n, const struct map *documents,
                                         const char *kind, struct str name,
                                         struct value_place place)
{
    const struct value *found = map_find(documents, name);
    struct schema_nearest nearest = schema_nearest_to(name);

    if (found)
        return found;
    for (size_t i = 0; i < documents->n; i++)
        schema_nearest_try(&nearest, documents->entries[i].key);
    normalise_complain(n, place, "reference", schema_nearest_hint(n->arena, &nearest),
                       "there is no %s '%.*s'", kind, STR_ARG(name));
    return NULL;
}

static struct value *enabled_services(const struct normalise *n)
{
    const struct value *all = value_get(n->document, S("services"));
    struct value *enabled = value_map(n->arena);

    for (size_t i = 0; i < value_count(all); i++) {
        const struct value_entry *e = &all->u.map.entries[i];

        if (value_get_bool(e->value, S("enabled"), 1))
            value_set_placed(n->arena, enabled, e->key, e->key_place, e->value);
    }
    return enabled;
}

/* Merge and fill; 0 when a document is missing, with a message. */
static int normalise_prepare(struct normalise *n, const struct bundle *b)
{
    const struct value *environment, *application, *name;
    struct schema_fill fill = { .arena = n->arena, .m = n->m, .names = SCHEMA_NAMES_OF_UNITS };

    environment = find_document(n, &b->environments, "environment", n->in->environment,
                                (struct value_place){ 0 });
    name = value_get(environment, S("application"));
    if (!value_is(name, VALUE_TEXT))
        return 0; /* said already */
    application = find_document(n, &b->applications, "application", name->u.text, name->place);
    if (!application)
        return 0;

    n->branch = rule_branch(n, value_at(environment, S("trigger.branch")));
    fill.environment = n->in->environment;
    fill.branch = n->branch.p ? n->branch : S("");
    n->document = schema_fill(&fill, SCHEMA_ENVIRONMENT,
                              schema_merge(n->arena, SCHEMA_ENVIRONMENT, application, environment),
                              STR_NONE);
    n->services = enabled_services(n);
    n->domains = value_get(n->document, S("domains"));
    n->secrets = value_get(n->document, S("secrets"));
    map_init(&n->used_secrets, n->arena);
    return 1;
}

static void add_resource(struct normalise *n, struct environment_spec *spec, const char *kind,
                         const struct value_entry *e,
                         void (*make)(struct normalise *n, const struct value_entry *e,
                                      struct spec_resource *ret))
{
    struct spec_resource *r = vec_push(n->arena, &spec->resources);

    if (!r)
        return; /* the arena remembers */
    r->kind = str_from_c(kind);
    r->name = str_copy(n->arena, e->key);
    r->place = e->key_place;
    r->place.file = str_copy(n->arena, r->place.file);
    make(n, e, r);
    r->provider = str_copy(n->arena, r->provider);
    r->desired = value_copy_content(n->arena, r->desired);
    r->digest = digest_value(n->arena, S("desired"), r->desired);
}

static int compare_strs(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static int compare_resources(const void *a, const void *b)
{
    const struct spec_resource *x = a, *y = b;
    int order = str_cmp(x->kind, y->kind);

    return order ? order : str_cmp(x->name, y->name);
}

static void add_resources(struct normalise *n, struct environment_spec *spec)
{
    for (size_t i = 0; i < value_count(n->services); i++)
        add_resource(n, spec, "service", &n->services->u.map.entries[i], normalise_service);
    for (size_t i = 0; i < value_count(n->domains); i++)
        add_resource(n, spec, "domain", &n->domains->u.map.entries[i], normalise_domain);
    for (size_t i = 0; i < spec->resources.n; i++)
        if (spec->resources.p[i].needs.n)
            qsort(spec->resources.p[i].needs.p, spec->resources.p[i].needs.n, sizeof(struct str),
                  compare_strs);
    if (spec->resources.n)
        qsort(spec->resources.p, spec->resources.n, sizeof(*spec->resources.p), compare_resources);
}

static struct digest revision_of(struct normalise *n, const struct environment_spec *spec)
{
    struct value *all = value_map(n->arena);

    for (size_t i = 0; i < spec->resources.n; i++) {
        const struct spec_resource *r = &spec->resources.p[i];

        value_set_text(n->arena, all,
                       str_fmt(n->arena, "%.*s/%.*s", STR_ARG(r->kind), STR_ARG(r->name)),
                       digest_hex(n->arena, &r->digest));
    }
    return digest_value(n->arena, S("revision"), all);
}

static struct value *waived_rules(const struct normalise *n)
{
    const struct value *waivers = value_get(n->document, S("waive"));
    struct value *ids = value_list(n->arena);

    for (size_t i = 0; i < value_count(waivers); i++)
        value_add(n->arena, ids,
                  value_copy_content(n->arena, value_get(value_item(waivers, i), S("rule"))));
    return ids;
}

/* The document's own, with the stricter of it and the daemon's floor. */
static struct value *policy_of(struct normalise *n)
{
    const struct value *written = value_get(n->document, S("approval"));
    struct value *policy = value_map(n->arena), *trigger = value_map(n->arena), *asked;

    value_set_text(n->arena, trigger, S("branch"), n->branch.p ? n->branch : S(""));
    asked = policy_written(n->arena, written);
    value_set(n->arena, policy, S("approval"),
              policy_stricter(n->arena, asked, policy_floor(n->arena, n->in->rule)));
    value_set(n->arena, policy, S("asked"), asked);
    value_set(n->arena, policy, S("trigger"), trigger);
    if (value_count(value_get(n->document, S("waive"))))
        value_set(n->arena, policy, S("waive"), waived_rules(n));
    value_set(n->arena, policy, S("reconcile"),
              value_copy_content(n->arena, value_get(n->document, S("reconcile"))));
    return policy;
}

static struct value_place policy_place(struct normalise *n)
{
    const struct value *written = value_get(n->document, S("approval"));
    struct value_place place = { 0 };

    if (!written || !written->place.line)
        written = value_get(n->document, S("name"));
    if (written)
        place = written->place;
    place.file = str_copy(n->arena, place.file);
    return place;
}

static struct value *used_secrets(struct normalise *n)
{
    struct value *used = value_map(n->arena);

    map_sort(&n->used_secrets);
    for (size_t i = 0; i < n->used_secrets.n; i++)
        value_set(n->arena, used, str_copy(n->arena, n->used_secrets.entries[i].key),
                  value_copy_content(n->arena, n->used_secrets.entries[i].value));
    return used;
}

int normalise_environment(struct arena *a, const struct bundle *b, const struct normalise_input *in,
                          struct environment_spec *ret, struct spec_messages *m, struct err *err)
{
    struct normalise n = { .arena = a, .in = in, .m = m };
    struct environment_spec spec = { .name = str_copy(a, in->environment) };

    if (normalise_prepare(&n, b)) {
        spec.application = str_copy(a, value_get_text(n.document, S("application"), STR_NONE));
        spec.branch = str_copy(a, n.branch);
        add_resources(&n, &spec);
        spec.revision = revision_of(&n, &spec);
        spec.policy = value_copy_content(a, policy_of(&n));
        spec.policy_place = policy_place(&n);
        spec.secrets = used_secrets(&n);
        spec.schema_change = str_copy(a, in->schema_change.p ? in->schema_change : S(""));
        spec.below = rule_below_floor(&n, value_get(n.document, S("approval")));
        rule_check_sums(&n);
        rule_check_uncarried(&n);
        policy_rules_check(&n);
    }
    if (arena_status(a, err))
        return ERR_NOMEM;
    *ret = spec;
    return 0;
}

static void want(struct arena *a, struct map *wanted, struct str path)
{
    if (!map_has(wanted, path))
        map_put(wanted, str_copy(a, path), NULL);
}

static void want_paths(struct normalise *n, struct normalise_wants *ret)
{
    struct map wanted;

    map_init(&wanted, n->arena);
    for (size_t i = 0; i < n->used_secrets.n; i++) {
        const struct value *used = n->used_secrets.entries[i].value;

        if (rule_store_is_in_commit(n->in->rule, value_get_text(used, S("store"), STR_NONE)))
            want(n->arena, &wanted, value_get_text(used, S("path"), STR_NONE));
    }
    for (size_t i = 0; i < value_count(n->services); i++) {
        const struct value *source = value_get(n->services->u.map.entries[i].value, S("source"));
        const struct value *watch = value_get(source, S("watch"));

        if (source)
            want(n->arena, &wanted, value_get_text(source, S("context"), S(".")));
        for (size_t j = 0; j < value_count(watch); j++)
            want(n->arena, &wanted, value_item(watch, j)->u.text);
    }
    map_sort(&wanted);
    for (size_t i = 0; i < wanted.n; i++) {
        struct str *slot = vec_push(n->arena, &ret->paths);

        if (slot)
            *slot = wanted.entries[i].key;
    }
}

int normalise_wants(struct arena *a, const struct bundle *b, const struct normalise_input *in,
                    struct normalise_wants *ret, struct spec_messages *m, struct err *err)
{
    struct normalise_input blind = *in;
    struct normalise n = { .arena = a, .in = &blind, .m = m };
    struct environment_spec spec = { 0 };
    struct normalise_wants wants = { 0 };

    blind.trees = blind.secrets = NULL; /* nobody has looked yet */
    if (normalise_prepare(&n, b)) {
        add_resources(&n, &spec);
        want_paths(&n, &wants);
        wants.secret_refs = used_secrets(&n);
        for (size_t i = 0; i < n.used_secrets.n; i++) {
            struct str *slot = vec_push(a, &wants.secrets);

            if (slot)
                *slot = wants.secret_refs->u.map.entries[i].key;
        }
    }
    if (arena_status(a, err))
        return ERR_NOMEM;
    *ret = wants;
    return 0;
}
