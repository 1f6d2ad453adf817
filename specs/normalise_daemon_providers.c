/* Which driver carries which kind. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "specs/normalise_daemon.h"
#include "specs/schema_path.h"

/* A kind is a field of a rule's `providers`. */
static const struct kind {
    struct str name;
    const char *drivers;
} kinds[] = {
    { S_INIT("services"), "process|docker|rest|exec|null" },
    { S_INIT("domains"), "haproxy|rest|exec|null" },
    { S_INIT("databases"), "postgres|rest|exec|null" },
    { S_INIT("redis"), "redis|rest|exec|null" },
    { S_INIT("backups"), "s3|rest|exec|null" },
    { S_INIT("dns"), "rest|exec|null" },
};

static struct str drivers_hint(struct arena *a, const struct kind *kind)
{
    struct str rest = str_from_c(kind->drivers), word;
    struct sb b;

    sb_init(&b, a);
    sb_addf(&b, "drivers that do:");
    while (str_next(&rest, '|', &word))
        sb_addf(&b, " %.*s", STR_ARG(word));
    return sb_str(&b);
}

static void check_provider(const struct daemon_check *c, const struct value *name,
                           const struct kind *kind)
{
    const struct value *providers = value_get(c->daemon, S("providers")), *driver;
    const struct value_entry *provider = name ? value_entry(providers, name->u.text) : NULL;

    normalise_daemon_check_named(c, name, "provider", providers);
    driver = provider ? value_get(provider->value, S("driver")) : NULL;
    if (driver && !schema_is_word(driver->u.text, kind->drivers))
        spec_message_add(c->m, SPEC_ERROR, name->place, S("reference"), drivers_hint(c->a, kind),
                         "provider '%.*s' (driver %.*s, at %.*s:%u:%u) does not carry %.*s",
                         STR_ARG(name->u.text), STR_ARG(driver->u.text),
                         STR_ARG(value_file(driver->place)), driver->place.line,
                         driver->place.column, STR_ARG(kind->name));
}

/* One name, or a list of them. */
static size_t n_names(const struct value *v)
{
    return value_is(v, VALUE_TEXT) ? 1 : value_count(v);
}

static const struct value *name_at(const struct value *v, size_t i)
{
    return value_is(v, VALUE_TEXT) ? v : value_item(v, i);
}

void normalise_daemon_check_providers(const struct daemon_check *c, const struct value *rule)
{
    for (size_t k = 0; k < N_ELEMENTS(kinds); k++) {
        const struct value *names = value_get(value_get(rule, S("providers")), kinds[k].name);

        for (size_t i = 0; i < n_names(names); i++)
            check_provider(c, name_at(names, i), &kinds[k]);
    }
}

/* Who may push to a source writes what is applied; and what comes twice keeps nothing more. */
static void check_place(const struct daemon_check *c, const struct value *anchors, size_t i)
{
    const struct value *sources = value_get(c->daemon, S("sources"));
    const struct value *url = value_get(value_item(anchors, i), S("url"));
    size_t first = 0;

    if (!value_is(url, VALUE_TEXT))
        return;
    for (size_t k = 0; k < value_count(sources); k++)
        if (value_eq(value_get(sources->u.map.entries[k].value, S("url")), url))
            spec_message_add(c->m, SPEC_ERROR, url->place, S("anchor"), STR_NONE,
                             "anchors are kept in a repository that is not a source, as '%.*s' is",
                             STR_ARG(sources->u.map.entries[k].key));
    while (first < i && !value_eq(value_get(value_item(anchors, first), S("url")), url))
        first++;
    if (first < i)
        spec_message_add(c->m, SPEC_ERROR, url->place, S("anchor"), STR_NONE,
                         "'%.*s' is one of the places already", STR_ARG(url->u.text));
}

static int is_same_bucket(const struct value *a, const struct value *b)
{
    static const struct str names[] = { S_INIT("provider"), S_INIT("bucket"), S_INIT("prefix") };

    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        if (!str_eq(value_get_text(a, names[i], S("")), value_get_text(b, names[i], S(""))))
            return 0;
    return 1;
}

static void check_bucket(const struct daemon_check *c, const struct value *anchors, size_t i)
{
    const struct value *bucket = value_get(value_item(anchors, i), S("bucket"));

    for (size_t first = 0; value_is(bucket, VALUE_TEXT) && first < i; first++)
        if (is_same_bucket(value_item(anchors, first), value_item(anchors, i))) {
            spec_message_add(c->m, SPEC_ERROR, bucket->place, S("anchor"), STR_NONE,
                             "'%.*s' is one of the places already", STR_ARG(bucket->u.text));
            return;
        }
}

void normalise_daemon_check_stores_of_history(const struct daemon_check *c)
{
    static const struct kind buckets = { S_INIT("anchors"), "s3" },
                             copies = { S_INIT("copies"), "s3" };
    const struct value *backup = value_at(c->daemon, S("state.backup"));
    const struct value *anchors = value_get(c->daemon, S("anchors"));

    check_provider(c, value_get(backup, S("provider")), &copies);
    if (backup && !value_get(backup, S("provider")) && !value_get(backup, S("directory")))
        spec_message_add(c->m, SPEC_ERROR, backup->place, S("required"), STR_NONE,
                         "state.backup: either directory or provider says where copies lie");
    for (size_t i = 0; i < value_count(anchors); i++) {
        check_provider(c, value_get(value_item(anchors, i), S("provider")), &buckets);
        check_place(c, anchors, i);
        check_bucket(c, anchors, i);
    }
}

struct value *normalise_daemon_drivers(struct arena *a, const struct value *daemon,
                                       const struct value *rule)
{
    const struct value *providers = value_get(daemon, S("providers"));
    struct value *drivers = value_map(a);

    for (size_t k = 0; k < N_ELEMENTS(kinds); k++) {
        const struct value *names = value_get(value_get(rule, S("providers")), kinds[k].name);

        for (size_t i = 0; i < n_names(names); i++) {
            struct str name = name_at(names, i)->u.text;
            const struct value *driver = value_get(value_get(providers, name), S("driver"));

            if (driver)
                value_set_text(a, drivers, name, driver->u.text);
        }
    }
    return drivers;
}
