/* What stands beside a desired value and is no part of it. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "specs/rule.h"
#include "specs/schema_path.h"

#define BESIDE_MODES_MAX 1000 /* each is held against each resource */

/* clang-format off */
static const struct beside_kind {
    const char *kind, *documents; /* "service", and its map in a document */
    enum schema_object object;
} beside_kinds[] = {
    { "service",  "services",  SCHEMA_SERVICE },
    { "job",      "jobs",      SCHEMA_JOB },
    { "domain",   "domains",   SCHEMA_DOMAIN },
    { "database", "databases", SCHEMA_DATABASE },
    { "redis",    "redis",     SCHEMA_REDIS },
    { "backup",   "backups",   SCHEMA_BACKUP },
};
/* clang-format on */

static const struct beside_kind *beside_find(struct str kind)
{
    for (size_t i = 0; i < N_ELEMENTS(beside_kinds); i++)
        if (str_eq_c(kind, beside_kinds[i].kind) || str_eq_c(kind, beside_kinds[i].documents))
            return &beside_kinds[i];
    return NULL;
}

/* A path of the grammar as it is in the canonical form: durations are NAME_ms. 0: no such field. */
static int beside_path(enum schema_object object, struct str path, struct schema_nearest *nearest,
                       struct sb *b)
{
    const struct schema_field *f = NULL;
    struct str name;

    while (path.n && str_next(&path, '.', &name)) {
        size_t n_fields;
        const struct schema_field *fields = schema_fields(object, &n_fields);

        if (f && f->shape == SCHEMA_MAP) { /* the name of an entry */
            sb_addf(b, ".%.*s", STR_ARG(name));
            f = NULL;
            continue;
        }
        *nearest = schema_nearest_to(name);
        for (size_t i = 0; i < n_fields; i++)
            schema_nearest_try(nearest, fields[i].name);
        f = object ? schema_field(object, name) : NULL;
        if (!f)
            return 0;
        object = f->nested;
        sb_addf(b, "%s%.*s%s", b->n ? "." : "", STR_ARG(name),
                f->type == SCHEMA_TYPE_DURATION ? "_ms" : "");
    }
    return 1;
}

/* Of a service nothing can become another but how many instances there are; edges are written whole, and jobs do not
 * stand. What does nothing keeps everything. */
static void beside_check_mode(struct normalise *n, const struct beside_kind *kind, struct str path,
                              const struct spec_resource *r, const struct value_entry *mode)
{
    int is_service = str_eq_c(S("service"), kind->kind);
    struct str word = mode->value->u.text;

    if (!n->in->rule || !r->provider.n || str_eq_c(word, "enforce") ||
        str_eq_c(rule_driver(n->in->rule, r->provider), "null") ||
        !(is_service || str_eq_c(S("domain"), kind->kind) || str_eq_c(S("job"), kind->kind)))
        return;
    if (!is_service)
        normalise_complain(n, mode->key_place, "unsupported", S("leave it out"),
                           "drift: nothing of a %s can become another by itself, so nothing can be "
                           "met with '%.*s'",
                           kind->kind, STR_ARG(word));
    else if (!str_eq_c(path, "replicas"))
        normalise_complain(n, mode->key_place, "unsupported", S("say it of replicas"),
                           "drift: of a service only replicas can become others, so '%.*s' of "
                           "'%.*s' would do nothing",
                           STR_ARG(word), STR_ARG(path.n ? path : S("default")));
    else if (str_eq_c(word, "keep"))
        normalise_complain(n, mode->key_place, "unsupported", S("use ignore or report"),
                           "drift: nobody but Reeve changes replicas here, so there is nothing to "
                           "'keep'");
}

static void beside_add(struct normalise *n, struct value *drift, const struct beside_kind *kind,
                       struct str path, const struct spec_resource *r,
                       const struct value_entry *mode)
{
    struct schema_nearest nearest = { 0 };
    struct sb b;

    sb_init(&b, n->arena);
    beside_check_mode(n, kind, path, r, mode);
    if (beside_path(kind->object, path, &nearest, &b))
        value_set(n->arena, drift, sb_str(&b).p ? sb_str(&b) : S(""), mode->value);
    else
        normalise_complain(n, mode->key_place, "reference", schema_nearest_hint(n->arena, &nearest),
                           "drift: a %s has no field '%.*s'", kind->kind, STR_ARG(path));
}

/* services.api.replicas of reconcile.drift is `replicas` of service/api; an unknown name is said by check_modes(). */
static void beside_of_document(struct normalise *n, const struct beside_kind *kind,
                               const struct spec_resource *r, struct value *drift)
{
    const struct value *modes = value_at(n->document, S("reconcile.drift"));

    if (value_count(modes) > BESIDE_MODES_MAX)
        return; /* said by check_modes() */
    NORMALISE_ENTRIES(modes, mode)
    {
        struct str rest = mode->key, first, name = STR_NONE;

        (void)str_next(&rest, '.', &first); /* there is one */
        if (str_eq_c(mode->key, "default"))
            value_set(n->arena, drift, S(""), mode->value);
        else if (str_eq_c(first, kind->documents) && str_next(&rest, '.', &name) &&
                 str_eq(name, r->name))
            beside_add(n, drift, kind, rest.p ? rest : S(""), r, mode);
    }
}

/* Of two that were one, neither is it. */
static void check_moved_once(struct normalise *n, const struct value_entry *written,
                             const struct beside_kind *kind, struct value *moved)
{
    struct str key = str_fmt(n->arena, "%s/%.*s", kind->kind, STR_ARG(moved->u.text));
    const struct value *other = map_find(&n->moved, key);

    if (!other)
        map_put(&n->moved, key, moved);
    else if (other != moved)
        normalise_complain(n, moved->place, "conflict", STR_NONE,
                           "%s '%.*s' has another name already (%.*s:%u:%u), not '%.*s'",
                           kind->kind, STR_ARG(moved->u.text), STR_ARG(value_file(other->place)),
                           other->place.line, other->place.column, STR_ARG(written->key));
}

/* A new set of the new name takes over from the old one: for a while there are both. */
static void check_moved_beside(struct normalise *n, const struct value_entry *written,
                               const struct value *moved)
{
    struct str strategy = value_get_text(value_get(written->value, S("rollout")), S("strategy"),
                                         S(""));

    if (str_eq_c(strategy, "recreate"))
        normalise_complain(n, moved->place, "conflict",
                           S("rename it with another strategy, and take `moved` out afterwards"),
                           "service '%.*s': strategy recreate allows no two beside each other, and "
                           "a renamed one begins beside the old one",
                           STR_ARG(written->key));
}

void normalise_beside(struct normalise *n, const struct value_entry *written,
                      struct spec_resource *r)
{
    const struct beside_kind *kind = beside_find(r->kind);
    const struct value *own = value_get(written->value, S("drift"));
    const struct value_entry *moving = value_entry(written->value, S("moved"));
    struct value *moved = moving ? moving->value : NULL;
    struct value *drift = value_map(n->arena);

    if (!kind)
        return; /* dns is not written by itself */
    beside_of_document(n, kind, r, drift);
    NORMALISE_ENTRIES(own, mode)
    {
        beside_add(n, drift, kind, str_eq_c(mode->key, "default") ? S("") : mode->key, r, mode);
    }
    if (value_count(drift))
        r->drift = value_copy_content(n->arena, drift);
    if (!moved)
        return;
    r->moved_from = str_copy(n->arena, moved->u.text);
    check_moved_once(n, written, kind, moved);
    check_moved_beside(n, written, moved);
    if (value_get(normalise_enabled(n, r->kind), moved->u.text))
        normalise_complain(n, moved->place, "conflict", STR_NONE,
                           "%s '%.*s' is still there: it has not become '%.*s'", kind->kind,
                           STR_ARG(moved->u.text), STR_ARG(r->name));
}

/* Modes of what is not there. */
static void check_modes(struct normalise *n)
{
    const struct value *modes = value_at(n->document, S("reconcile.drift"));

    if (value_count(modes) > BESIDE_MODES_MAX)
        normalise_complain(n, modes->place, "range", S("say it in the resources themselves"),
                           "reconcile.drift: has %zu entries, at most %d", value_count(modes),
                           BESIDE_MODES_MAX);
    NORMALISE_ENTRIES(modes, mode)
    {
        struct str rest = mode->key, first, name = S("");
        const struct beside_kind *kind;
        const struct value *all;

        (void)str_next(&rest, '.', &first); /* there is one */
        kind = beside_find(first);
        (void)str_next(&rest, '.', &name); /* an empty one is none */
        all = kind && str_eq_c(first, kind->documents) ? value_get(n->document, first) : NULL;
        if (!str_eq_c(mode->key, "default") && !value_get(all, name))
            normalise_complain(n, mode->key_place, "reference", normalise_hint(n->arena, name, all),
                               "drift: there is no %.*s", STR_ARG(mode->key));
    }
}

static void check_forgotten(struct normalise *n)
{
    const struct value *written = value_get(n->document, S("forget"));

    for (size_t i = 0; i < value_count(written); i++) {
        const struct value *one = value_item(written, i);
        struct str name = one->u.text, kind;

        (void)str_next(&name, '/', &kind); /* there is one */
        if (value_get(normalise_enabled(n, kind), name))
            normalise_complain(
                n, one->place, "conflict", S("take it out of the spec, or out of forget"),
                "%.*s is to be forgotten, and the spec still names it", STR_ARG(one->u.text));
    }
}

void normalise_check_beside(struct normalise *n)
{
    check_modes(n);
    check_forgotten(n);
}

void normalise_check_secrets(struct normalise *n)
{
    NORMALISE_ENTRIES(n->secrets, secret)
    {
        const struct value *rotate = value_get(secret->value, S("rotate_ms"));
        const struct value *kind = value_get(secret->value, S("kind"));

        if (rotate && kind)
            normalise_complain(
                n, rotate->place, "conflict", STR_NONE,
                "secret '%.*s': rotate would lose what it protects, its kind is data "
                "(%.*s:%u:%u)",
                STR_ARG(secret->key), STR_ARG(value_file(kind->place)), kind->place.line,
                kind->place.column);
    }
}
