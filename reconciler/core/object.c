/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/object.h"

#include "base/guard.h"
#include "base/map.h"
#include "specs/reference.h"

int object_is_kind(struct str kind)
{
    static const char *const kinds[] = { "database", "redis", "backup", "dns" };

    for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
        if (str_eq_c(kind, kinds[i]))
            return 1;
    return 0;
}

const struct value *object_type(const struct value *schemas, struct str provider, struct str kind)
{
    const struct value *schema = value_get(schemas, provider), *type = value_get(schema, kind);

    return type ? type : value_get(schema, S("*"));
}

int object_is_stateful(const struct value *type)
{
    return value_get_bool(type, S("stateful"), 0);
}

static int holds(struct str path, struct str inner)
{
    return str_starts(inner, path) &&
           (path.n == inner.n || !path.n || (path.n < inner.n && inner.p[path.n] == '.'));
}

int object_type_names(const struct value *type, const char *word, struct str path)
{
    const struct value *paths = value_get(type, str_from_c(word));

    for (size_t i = 0; i < value_count(paths); i++)
        if (value_is(value_item(paths, i), VALUE_TEXT) && holds(value_item(paths, i)->u.text, path))
            return 1;
    return 0;
}

struct str object_protection(const struct value *type, const struct value *desired)
{
    return object_is_stateful(type) ? value_get_text(desired, S("deletion_policy"), S("retain"))
                                    : S("");
}

/* --- differences --------------------------------------------------------------------------------- */

struct comparing {
    struct arena *a;
    const struct value *type;
    struct object_differences *found;
    int with_equal;
};

static int has_item(const struct value *list, const struct value *item)
{
    for (size_t i = 0; i < value_count(list); i++)
        if (value_eq(value_item(list, i), item))
            return 1;
    return 0;
}

static int is_same_set(const struct value *a, const struct value *b)
{
    if (value_count(a) != value_count(b))
        return 0;
    for (size_t i = 0; i < value_count(a); i++)
        if (!has_item(b, value_item(a, i)) || !has_item(a, value_item(b, i)))
            return 0;
    return 1;
}

static int is_equal(const struct comparing *c, struct str path, const struct value *wanted,
                    const struct value *seen)
{
    if (value_is(wanted, VALUE_LIST) && value_is(seen, VALUE_LIST) &&
        object_type_names(c->type, "unordered", path))
        return is_same_set(wanted, seen);
    return value_eq(wanted, seen);
}

/* What names it in the world is ours, and no part of what was asked for. */
static int is_label(struct str path)
{
    return str_eq_c(path, "label");
}

/* It is only known when an operation begins: as the specs say it, or as the driver is given it. */
static int is_filled_in(const struct value *v)
{
    return reference_of(v) ||
           (value_count(v) == 1 && value_is(value_get(v, S("secret")), VALUE_TEXT));
}

static int holds_filled_in(const struct value *v)
{
    if (is_filled_in(v))
        return 1;
    for (size_t i = 0; i < value_count(v); i++)
        if (holds_filled_in(value_is(v, VALUE_LIST) ? value_item(v, i) : v->u.map.entries[i].value))
            return 1;
    return 0;
}

static void compare_at(struct comparing *c, struct str path, const struct value *wanted,
                       const struct value *seen)
{
    struct object_difference *slot;

    if (!seen || is_filled_in(wanted) || is_label(path))
        return;
    if (value_is(wanted, VALUE_MAP) && value_is(seen, VALUE_MAP)) {
        for (size_t i = 0; i < value_count(wanted); i++) {
            const struct value_entry *e = &wanted->u.map.entries[i];

            compare_at(c,
                       path.n ? str_fmt(c->a, "%.*s.%.*s", STR_ARG(path), STR_ARG(e->key)) : e->key,
                       e->value, value_get(seen, e->key));
        }
        return;
    }
    if (holds_filled_in(wanted) || (is_equal(c, path, wanted, seen) && !c->with_equal))
        return;
    slot = vec_push(c->a, c->found);
    if (slot)
        *slot = (struct object_difference){ path, wanted, seen };
}

static int compare_paths(const void *a, const void *b)
{
    return str_cmp(((const struct object_difference *)a)->path,
                   ((const struct object_difference *)b)->path);
}

static struct object_differences compare(struct arena *a, const struct value *type,
                                         const struct value *wanted, const struct value *seen,
                                         int with_equal)
{
    struct object_differences found = { 0 };
    struct comparing c = { a, type, &found, with_equal };

    compare_at(&c, S(""), wanted, seen);
    if (found.n)
        qsort(found.p, found.n, sizeof(found.p[0]), compare_paths);
    return found;
}

struct object_differences object_compare(struct arena *a, const struct value *type,
                                         const struct value *wanted, const struct value *seen)
{
    return compare(a, type, wanted, seen, 0);
}

struct object_differences object_compared(struct arena *a, const struct value *type,
                                          const struct value *wanted, const struct value *seen)
{
    return compare(a, type, wanted, seen, 1);
}

/* --- drift --------------------------------------------------------------------------------------- */

static enum drift_mode mode_from(const struct value *word)
{
    static const char *const words[] = { "enforce", "report", "ignore", "keep" };

    for (size_t i = 0; word && i < N_ELEMENTS(words); i++)
        if (value_is(word, VALUE_TEXT) && str_eq_c(word->u.text, words[i]))
            return (enum drift_mode)i;
    return DRIFT_ENFORCE;
}

enum drift_mode object_mode_of_replicas(const struct value *modes)
{
    return mode_from(value_get(modes, S("replicas")));
}

enum drift_mode object_mode(const struct value *modes, struct str path)
{
    const struct value *best = NULL;
    size_t length = 0;

    for (size_t i = 0; i < value_count(modes); i++) {
        const struct value_entry *e = &modes->u.map.entries[i];

        if (holds(e->key, path) && (!best || e->key.n >= length)) {
            best = e->value;
            length = e->key.n;
        }
    }
    return mode_from(best);
}

struct value *object_with(struct arena *a, const struct value *base, struct str path,
                          const struct value *v)
{
    size_t dot = str_find_char(path, '.');
    struct str key = str_slice(path, 0, dot == STR_NPOS ? path.n : dot);
    struct value *copy = value_map(a), *within;
    int is_there = 0;

    within = dot == STR_NPOS
                 ? (v ? value_copy_content(a, v) : NULL)
                 : object_with(a, value_get(base, key), str_slice(path, dot + 1, path.n), v);
    for (size_t i = 0; i < value_count(base); i++) {
        const struct value_entry *e = &base->u.map.entries[i];
        int is_it = str_eq(e->key, key);

        is_there |= is_it;
        if (!is_it)
            value_set(a, copy, e->key, e->value);
        else if (within)
            value_set(a, copy, e->key, within);
    }
    if (!is_there && within)
        value_set(a, copy, key, within);
    return copy;
}
