/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/normalise.h"

#include <stdlib.h>

#include "base/guard.h"
#include "specs/digest.h"
#include "specs/policy_rules.h"
#include "specs/rule.h"
#include "specs/schema_path.h"
#include "specs/uncarried.h"
#include "specs/zone_check.h"

/* Nobody knows a commit offline; what it stands in is judged all the same. */
#define NORMALISE_SOME_COMMIT "0000000000000000000000000000000000000000"

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

static struct value *enabled(const struct normalise *n, struct str kinds)
{
    const struct value *all = value_get(n->document, kinds);
    struct value *enabled = value_map(n->arena);

    NORMALISE_ENTRIES(all, e)
    {
        if (value_get_bool(e->value, S("enabled"), 1))
            value_set_placed(n->arena, enabled, e->key, e->key_place, e->value);
    }
    return enabled;
}

const struct value *normalise_enabled(const struct normalise *n, struct str kind)
{
    const struct {
        const char *kind;
        const struct value *all;
    } kinds[] = { { "service", n->services },   { "job", n->jobs },    { "domain", n->domains },
                  { "database", n->databases }, { "redis", n->redis }, { "backup", n->backups } };

    for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
        if (str_eq_c(kind, kinds[i].kind))
            return kinds[i].all;
    return NULL;
}

static int names_commit(const struct value *all)
{
    NORMALISE_ENTRIES(all, e)
    {
        struct str image = value_get_text(e->value, S("image"), S(""));

        if (str_find(image, S("${commit}")) != STR_NPOS || str_find(image, S("${tag}")) != STR_NPOS)
            return 1;
    }
    return 0;
}

/* Merge and fill; 0 when a document is missing, with a message. */
static int normalise_prepare(struct normalise *n)
{
    const struct value *overrides = normalise_overrides(n), *application, *name, *merged;
    struct schema_fill fill = { .arena = n->arena, .m = n->m, .names = SCHEMA_NAMES_OF_UNITS };

    name = value_get(overrides, S("application"));
    if (!value_is(name, VALUE_TEXT))
        return 0; /* said already */
    application = normalise_document(n, &n->bundle->applications, "application", name->u.text,
                                     name->place);
    if (!application)
        return 0;

    n->branch = rule_branch(n, value_at(overrides, S("trigger.branch")));
    fill.branch = n->branch.p ? n->branch : S("");
    fill.commit = n->in->commit.p ? n->in->commit : S(NORMALISE_SOME_COMMIT);
    fill.tag = n->in->tag;
    if (!fill.tag.p && value_at(overrides, S("trigger.tag")))
        fill.tag = S("0");
    fill.number = n->in->number;
    fill.slug = n->in->slug;
    normalise_name(n, &fill, overrides);
    merged = schema_merge(n->arena, SCHEMA_ENVIRONMENT, application, overrides);
    n->is_of_commit = names_commit(value_get(merged, S("services"))) ||
                      names_commit(value_get(merged, S("jobs")));
    n->document = schema_fill(&fill, SCHEMA_ENVIRONMENT, merged, STR_NONE);
    n->services = enabled(n, S("services"));
    n->jobs = enabled(n, S("jobs"));
    n->databases = enabled(n, S("databases"));
    n->redis = enabled(n, S("redis"));
    n->backups = enabled(n, S("backups"));
    n->domains = value_get(n->document, S("domains"));
    n->secrets = value_get(n->document, S("secrets"));
    map_init(&n->used_secrets, n->arena);
    map_init(&n->moved, n->arena);
    normalise_from(n);
    return 1;
}

const struct value *normalise_document(struct normalise *n, const struct map *documents,
                                       const char *kind, struct str name, struct value_place place)
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

void normalise_check_environment(struct normalise *n, const struct value *name)
{
    if (name)
        (void)normalise_document(n, &n->bundle->environments, "environment", name->u.text,
                                 name->place);
}

static void add_resource(struct normalise *n, struct environment_spec *spec, const char *kind,
                         const struct value_entry *e, normalise_fn *make)
{
    struct spec_resource *r = vec_push(n->arena, &spec->resources);

    if (!r)
        return; /* the arena remembers */
    r->kind = str_from_c(kind);
    r->name = str_copy(n->arena, e->key);
    r->place = value_place_copy(n->arena, e->key_place);
    make(n, e, r);
    normalise_beside(n, e, r);
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
    const struct {
        const char *kind;
        const struct value *all;
        normalise_fn *make;
    } kinds[] = {
        { "service", n->services, normalise_service },
        { "job", n->jobs, normalise_job },
        { "domain", n->domains, normalise_domain },
        { "database", n->databases, normalise_database },
        { "redis", n->redis, normalise_redis },
        { "backup", n->backups, normalise_backup },
        { "dns", normalise_dns_hosts(n), normalise_dns },
    };

    for (size_t k = 0; k < N_ELEMENTS(kinds); k++)
        NORMALISE_ENTRIES(kinds[k].all, e)
        {
            add_resource(n, spec, kinds[k].kind, e, kinds[k].make);
        }
    for (size_t i = 0; i < spec->resources.n; i++)
        if (spec->resources.p[i].needs.n)
            qsort(spec->resources.p[i].needs.p, spec->resources.p[i].needs.n, sizeof(struct str),
                  compare_strs);
    if (spec->resources.n)
        qsort(spec->resources.p, spec->resources.n, sizeof(*spec->resources.p), compare_resources);
}

static void add_forgotten(struct normalise *n, struct environment_spec *spec)
{
    const struct value *written = value_get(n->document, S("forget"));

    for (size_t i = 0; i < value_count(written); i++) {
        struct str *slot = vec_push(n->arena, &spec->forget);

        if (slot)
            *slot = str_copy(n->arena, value_item(written, i)->u.text);
    }
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

static struct value_place policy_place(struct normalise *n)
{
    const struct value *written = value_get(n->document, S("approval"));

    if (!written || !written->place.line)
        written = value_get(n->document, S("name"));
    return written ? value_place_copy(n->arena, written->place) : (struct value_place){ 0 };
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
    struct normalise n = { .arena = a, .in = in, .m = m, .bundle = b };
    struct environment_spec spec = { .name = str_copy(a, in->environment) };

    if (normalise_prepare(&n)) {
        spec.name = str_copy(a, n.environment);
        spec.application = str_copy(a, value_get_text(n.document, S("application"), STR_NONE));
        spec.branch = str_copy(a, n.branch);
        add_resources(&n, &spec);
        spec.revision = revision_of(&n, &spec);
        spec.policy = value_copy_content(a, normalise_policy(&n));
        spec.policy_place = policy_place(&n);
        spec.secrets = used_secrets(&n);
        spec.schema_change = str_copy(a, in->schema_change.p ? in->schema_change : S(""));
        add_forgotten(&n, &spec);
        normalise_check_beside(&n);
        spec.below = rule_below_floor(&n, value_get(n.document, S("approval")));
        rule_check_sums(&n);
        rule_check_storage(&n, n.databases);
        normalise_check_secrets(&n);
        uncarried_check(&n, &spec);
        if (in->zone_is_there)
            zone_check(m, n.document, in->zone_is_there);
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

static void want_sources(struct normalise *n, const struct value *all, struct map *wanted)
{
    NORMALISE_ENTRIES(all, e)
    {
        const struct value *source = value_get(e->value, S("source"));
        const struct value *watch = value_get(source, S("watch"));

        if (source)
            want(n->arena, wanted, value_get_text(source, S("context"), S(".")));
        for (size_t j = 0; j < value_count(watch); j++)
            want(n->arena, wanted, value_item(watch, j)->u.text);
        if (value_get(source, S("dockerfile")))
            want(n->arena, wanted, value_get(source, S("dockerfile"))->u.text);
    }
}

static void want_masks(struct normalise *n, struct map *wanted)
{
    static const struct str masks[] = { S_INIT("seed.mask"), S_INIT("refresh.mask") };

    NORMALISE_ENTRIES(n->databases, e)
    for (size_t i = 0; i < N_ELEMENTS(masks); i++)
        if (value_at(e->value, masks[i]))
            want(n->arena, wanted, value_at(e->value, masks[i])->u.text);
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
    want_sources(n, n->services, &wanted);
    want_sources(n, n->jobs, &wanted);
    want_masks(n, &wanted);
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
    struct normalise n = { .arena = a, .in = &blind, .m = m, .bundle = b };
    struct environment_spec spec = { 0 };
    struct normalise_wants wants = { 0 };

    blind.trees = blind.secrets = NULL; /* nobody has looked yet */
    if (normalise_prepare(&n)) {
        add_resources(&n, &spec);
        want_paths(&n, &wants);
        wants.secret_refs = used_secrets(&n);
        wants.is_of_commit = n.is_of_commit;
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
