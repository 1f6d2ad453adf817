/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/uncarried.h"

#include "base/guard.h"
#include "specs/forge.h"
#include "specs/rule.h"
#include "specs/schema_path.h"

/* clang-format off */
static const struct uncarried {
    const char *kind, *path, *words, *drivers, *what, *mend;
} uncarried_rows[] = {
#define UNCARRIED(kind, path, words, drivers, what, mend) { kind, path, words, drivers, what, mend },
#include "specs/uncarried.def"
#undef UNCARRIED
};
/* clang-format on */

struct uncarried_asked {
    struct normalise *n;
    const struct uncarried *row;
    struct str provider, driver; /* STR_NONE: the daemon itself keeps it */
};

static int uncarried_is_meant(const struct uncarried *row, const struct value *v)
{
    if (!row->words[0])
        return 1;
    if (!value_is(v, VALUE_TEXT))
        return 0;
    return row->words[0] == '!' ? !schema_is_word(v->u.text, row->words + 1)
                                : schema_is_word(v->u.text, row->words);
}

static void uncarried_say(const struct uncarried_asked *a, struct value_place place)
{
    if (a->provider.p)
        normalise_complain(a->n, place, "unsupported", str_from_c(a->row->mend),
                           "provider '%.*s' (driver %.*s) does not carry %s", STR_ARG(a->provider),
                           STR_ARG(a->driver), a->row->what);
    else
        normalise_complain(a->n, place, "unsupported", str_from_c(a->row->mend),
                           "%s: not supported by this version", a->row->what);
}

/* What a default says nobody asked for. A duration is NAME_ms by now. */
static void uncarried_look(const struct uncarried_asked *a, const struct value *v, struct str path)
{
    struct str name;

    if (!path.n) {
        if (v->place.line && uncarried_is_meant(a->row, v))
            uncarried_say(a, v->place);
        return;
    }
    (void)str_next(&path, '.', &name); /* there is one */
    if (!path.p)
        path = S("");
    if (str_eq_c(name, "*")) {
        for (size_t i = 0; i < value_count(v); i++)
            uncarried_look(a, v->kind == VALUE_LIST ? value_item(v, i) : v->u.map.entries[i].value,
                           path);
        return;
    }
    if (!value_get(v, name))
        name = str_fmt(a->n->arena, "%.*s_ms", STR_ARG(name));
    if (value_get(v, name))
        uncarried_look(a, value_get(v, name), path);
}

static int uncarried_keeps(const struct uncarried *row, struct str driver)
{
    return str_eq_c(driver, "null") || schema_is_word(driver, row->drivers);
}

/* Nothing that it does is real, so nothing that it does not do is missed. */
static int uncarried_is_null(const struct normalise *n)
{
    const struct value *providers = value_get(n->in->rule, S("providers"));

    for (size_t i = 0; i < value_count(providers); i++) {
        const struct value *names = providers->u.map.entries[i].value;

        if (value_is(names, VALUE_TEXT) &&
            !str_eq_c(rule_driver(n->in->rule, names->u.text), "null"))
            return 0;
        for (size_t j = 0; j < value_count(names); j++)
            if (!str_eq_c(rule_driver(n->in->rule, value_item(names, j)->u.text), "null"))
                return 0;
    }
    return value_count(providers) > 0;
}

static const struct value_entry *uncarried_written(const struct normalise *n,
                                                   const struct spec_resource *r)
{
    const struct value *all = normalise_enabled(n, r->kind);

    return value_entry(all, r->name);
}

static void uncarried_check_resource(struct normalise *n, const struct spec_resource *r)
{
    const struct value_entry *written = uncarried_written(n, r);
    struct uncarried_asked a = { .n = n, .provider = r->provider };

    a.driver = rule_driver(n->in->rule, r->provider);
    for (size_t i = 0; written && r->provider.n && i < N_ELEMENTS(uncarried_rows); i++) {
        a.row = &uncarried_rows[i];
        if (!str_eq_c(r->kind, a.row->kind) || uncarried_keeps(a.row, a.driver))
            continue;
        if (a.row->path[0])
            uncarried_look(&a, written->value, str_from_c(a.row->path));
        else
            uncarried_say(&a, written->key_place);
    }
}

static void uncarried_check_document(struct normalise *n, const char *kind,
                                     const struct value *document)
{
    struct uncarried_asked a = { .n = n };

    for (size_t i = 0; i < N_ELEMENTS(uncarried_rows); i++) {
        a.row = &uncarried_rows[i];
        if (str_eq_c(str_from_c(kind), a.row->kind))
            uncarried_look(&a, document, str_from_c(a.row->path));
    }
}

void uncarried_check(struct normalise *n, const struct environment_spec *spec)
{
    if (!n->in->rule)
        return;
    for (size_t i = 0; i < spec->resources.n; i++)
        uncarried_check_resource(n, &spec->resources.p[i]);
    if (uncarried_is_null(n))
        return;
    forge_check(n);
    uncarried_check_document(n, "environment", n->document);
    uncarried_check_document(n, "rule", n->in->rule);
}

/* "depends_on.*.condition" of a service is services.depends_on.condition. */
static int uncarried_is_field(const struct uncarried *row, struct str field)
{
    static const struct {
        const char *kind;
        struct str begins;
    } kinds[] = { { "service", S_INIT("services.") },
                  { "job", S_INIT("jobs.") },
                  { "domain", S_INIT("domains.") },
                  { "environment", S_INIT("") } };
    struct str rest = str_from_c(row->path), part, name;
    size_t i = 0;

    while (i < N_ELEMENTS(kinds) && !str_eq_c(str_from_c(row->kind), kinds[i].kind))
        i++;
    if (i == N_ELEMENTS(kinds))
        return 0;
    if (!rest.n)
        return str_eq(field, str_slice(kinds[i].begins, 0, kinds[i].begins.n - 1));
    if (!str_starts(field, kinds[i].begins))
        return 0;
    field = str_slice(field, kinds[i].begins.n, field.n);
    while (str_next(&rest, '.', &part))
        if (!str_eq_c(part, "*") && (!str_next(&field, '.', &name) || !str_eq(name, part)))
            return 0;
    return !field.n;
}

void uncarried_explain(struct sb *b, struct str field)
{
    for (size_t i = 0; i < N_ELEMENTS(uncarried_rows); i++) {
        const struct uncarried *row = &uncarried_rows[i];

        if (uncarried_is_field(row, field))
            sb_addf(b, "  %s%s: %s; %s\n",
                    row->drivers[0] ? "of drivers these alone act on it: "
                                    : "nothing acts on it yet",
                    row->drivers, row->what, row->mend);
    }
}
