/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/drift.h"

#include "base/hash.h"
#include "specs/digest.h"

#define SEEN_HEX 16u

static struct str state_of(const struct value *memory, struct str path)
{
    return value_get_text(value_get(memory, path), S("is"), S(""));
}

int drift_is_unstable(const struct value *memory, struct str path)
{
    return str_eq_c(state_of(memory, path), "unstable");
}

struct judging {
    struct arena *a;
    const struct drift_look *look;
    struct value *memory;
    struct sb reported, unstable;
};

static void begin(struct judging *j, struct arena *a, const struct drift_look *look)
{
    *j = (struct judging){ .a = a, .look = look, .memory = value_map(a) };
    sb_init(&j->reported, a);
    sb_init(&j->unstable, a);
}

static struct drift_news end(struct judging *j)
{
    return (struct drift_news){ j->memory, sb_str(&j->reported), sb_str(&j->unstable) };
}

static void remember(struct judging *j, struct str path, const char *is, const struct value *seen,
                     int64_t at_ms)
{
    struct value *one = value_map(j->a);
    struct digest d = digest_value(j->a, S("observed"), seen);

    value_set_text(j->a, one, S("is"), str_from_c(is));
    if (seen)
        value_set_text(j->a, one, S("seen"), str_slice(digest_hex(j->a, &d), 0, SEEN_HEX));
    if (at_ms)
        value_set_int(j->a, one, S("at_ms"), at_ms);
    value_set(j->a, j->memory, path, one);
}

static void tell(struct sb *b, struct str path)
{
    sb_addf(b, "%s%.*s", b->n ? ", " : "", STR_ARG(path));
}

static void keep(struct judging *j, const struct value_entry *e)
{
    value_set(j->a, j->memory, e->key, value_copy(j->a, e->value));
}

static int is_soon(const struct judging *j, const struct value *was)
{
    int64_t since_ms = j->look->now_ms - value_get_int(was, S("at_ms"), 0);

    return since_ms >= 0 && since_ms < DRIFT_SOON_MS;
}

static void judge_enforced(struct judging *j, const struct object_difference *d)
{
    const struct value *was = value_get(j->look->memory, d->path);
    struct str is = state_of(j->look->memory, d->path);

    if (str_eq_c(is, "repaired") && is_soon(j, was)) {
        tell(&j->unstable, d->path);
        is = S("unstable");
    }
    remember(j, d->path, str_eq_c(is, "unstable") ? "unstable" : "found", NULL, 0);
}

static void judge_reported(struct judging *j, const struct object_difference *d)
{
    struct str before = value_get_text(value_get(j->look->memory, d->path), S("seen"), S(""));

    remember(j, d->path, "reported", d->seen, 0);
    if (!str_eq(before, value_get_text(value_get(j->memory, d->path), S("seen"), S(""))))
        tell(&j->reported, d->path);
}

struct drift_news drift_judge(struct arena *a, const struct drift_look *look)
{
    struct object_differences all = object_compare(a, look->type, look->wanted, look->seen);
    struct judging j;

    begin(&j, a, look);
    for (size_t i = 0; i < value_count(look->memory); i++) {
        const struct value_entry *e = &look->memory->u.map.entries[i];
        struct str is = value_get_text(e->value, S("is"), S(""));

        if (str_eq_c(is, "unstable") || (str_eq_c(is, "repaired") && is_soon(&j, e->value)))
            keep(&j, e);
    }
    for (size_t i = 0; i < all.n; i++) {
        enum drift_mode mode = object_mode(look->modes, all.p[i].path);

        if (mode == DRIFT_ENFORCE)
            judge_enforced(&j, &all.p[i]);
        else if (mode == DRIFT_REPORT)
            judge_reported(&j, &all.p[i]);
    }
    return end(&j);
}

struct drift_news drift_applied(struct arena *a, const struct drift_look *look)
{
    struct object_differences all = object_compare(a, look->type, look->wanted, look->seen);
    struct judging j;

    begin(&j, a, look);
    for (size_t i = 0; i < value_count(look->memory); i++) {
        const struct value_entry *e = &look->memory->u.map.entries[i];

        if (str_eq_c(value_get_text(e->value, S("is"), S("")), "found"))
            remember(&j, e->key, "repaired", NULL, look->now_ms);
    }
    for (size_t i = 0; i < all.n; i++) {
        if (object_mode(look->modes, all.p[i].path) != DRIFT_ENFORCE)
            continue;
        remember(&j, all.p[i].path, "unstable", NULL, 0);
        tell(&j.unstable, all.p[i].path);
    }
    return end(&j);
}
