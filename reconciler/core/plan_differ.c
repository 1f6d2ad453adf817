/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/plan_differ.h"

#include "reconciler/core/diff.h"

#define MOVED_MAX 20u /* that are named */

static struct str key_of(struct arena *a, struct str kind, struct str name)
{
    return str_fmt(a, "%.*s/%.*s", STR_ARG(kind), STR_ARG(name));
}

static void note(struct arena *a, struct plan *ret, struct str text)
{
    struct str *slot = vec_push(a, &ret->notes);

    if (slot)
        *slot = text;
}

static void record_same(struct arena *a, struct plan *ret, struct str kind, struct str name)
{
    struct plan_record *slot = vec_push(a, &ret->records);

    if (slot)
        *slot = (struct plan_record){ .kind = kind, .name = name };
}

/* --- lines of two plans -------------------------------------------------------------------------- */

static const struct plan_line *find_line(const struct plan *p, struct str kind, struct str name)
{
    for (size_t i = 0; i < p->lines.n; i++)
        if (str_eq(p->lines.p[i].kind, kind) && str_eq(p->lines.p[i].name, name))
            return &p->lines.p[i];
    return NULL;
}

static const struct plan_change *find_change(const struct plan_line *line, struct str path)
{
    for (size_t i = 0; line && i < line->changes.n; i++)
        if (str_eq(line->changes.p[i].path, path))
            return &line->changes.p[i];
    return NULL;
}

static int is_same_text(struct str one, struct str other)
{
    return !one.p == !other.p && str_eq(one, other);
}

static void add_change(struct arena *a, struct plan_line *to, struct str path, struct str before,
                       struct str after)
{
    struct plan_change *slot = is_same_text(before, after) ? NULL : vec_push(a, &to->changes);

    if (slot)
        *slot = (struct plan_change){ path, before, after };
}

/* What one of them does not touch stays as it is. */
static void compare_changes(struct arena *a, const struct plan_line *old,
                            const struct plan_line *now, struct plan_line *to)
{
    for (size_t i = 0; now && i < now->changes.n; i++) {
        const struct plan_change *c = &now->changes.p[i], *was = find_change(old, c->path);

        add_change(a, to, c->path, was ? was->after : c->before, c->after);
    }
    for (size_t i = 0; old && i < old->changes.n; i++) {
        const struct plan_change *c = &old->changes.p[i];

        if (!find_change(now, c->path))
            add_change(a, to, c->path, c->after, c->before);
    }
}

static void say_moved(struct sb *b, const char *what, struct str old, struct str now)
{
    if (!str_eq(old, now))
        sb_addf(b, "%s%s %.*s -> %.*s", b->n ? "; " : "", what, old.n ? (int)old.n : 4,
                old.n ? old.p : "none", now.n ? (int)now.n : 4, now.n ? now.p : "none");
}

static struct str compare_words(struct arena *a, const struct plan_line *old,
                                const struct plan_line *now)
{
    struct sb b;

    if (!old)
        return S("now too");
    if (!now)
        return S("no longer");
    sb_init(&b, a);
    say_moved(&b, "action", str_from_c(plan_action_name(old->action)),
              str_from_c(plan_action_name(now->action)));
    say_moved(&b, "class", plan_class_names(a, old->classes), plan_class_names(a, now->classes));
    say_moved(&b, "disruption", old->disruption, now->disruption);
    say_moved(&b, "reason", old->reason, now->reason);
    return sb_str(&b);
}

static void compare_lines(struct arena *a, const struct plan_line *old, const struct plan_line *now,
                          struct plan *ret)
{
    const struct plan_line *one = now ? now : old;
    struct plan_line line = {
        .action = one->action,
        .kind = one->kind,
        .name = one->name,
        .classes = now ? now->classes : 0,
        .disruption = now ? now->disruption : S("none"),
        .reason = compare_words(a, old, now),
        .place = one->place,
        .group = -1,
        .way_back = one->way_back,
    }, *slot;

    compare_changes(a, old, now, &line);
    if (old && now && !line.changes.n && !line.reason.n) {
        record_same(a, ret, one->kind, one->name);
        return;
    }
    slot = vec_push(a, &ret->lines);
    if (slot)
        *slot = line;
}

/* --- what moved ---------------------------------------------------------------------------------- */

static int is_same_read(const struct plan *p, const struct plan_read *r)
{
    for (size_t i = 0; i < p->reads.n; i++)
        if (str_eq(p->reads.p[i].subject, r->subject) && str_eq(p->reads.p[i].path, r->path))
            return digest_eq(&p->reads.p[i].digest, &r->digest);
    return 0;
}

static void note_reads(struct arena *a, const struct plan *old, const struct plan *now,
                       struct plan *ret)
{
    struct map moved;
    const struct plan *sides[] = { old, now };

    map_init(&moved, a);
    for (size_t side = 0; side < 2; side++)
        for (size_t i = 0; i < sides[side]->reads.n; i++) {
            const struct plan_read *r = &sides[side]->reads.p[i];

            if (!is_same_read(sides[!side], r))
                map_put(&moved, str_fmt(a, "%.*s %.*s", STR_ARG(r->subject), STR_ARG(r->path)),
                        NULL);
        }
    map_sort(&moved);
    for (size_t i = 0; i < moved.n && i < MOVED_MAX; i++)
        note(a, ret, str_fmt(a, "moved: %.*s", STR_ARG(moved.entries[i].key)));
    if (moved.n > MOVED_MAX)
        note(a, ret, str_fmt(a, "moved: %zu more", moved.n - MOVED_MAX));
}

void plan_differ(struct arena *a, const struct plan *old, const struct plan *now, struct plan *ret)
{
    *ret = (struct plan){ .cause = now->cause };
    if (!digest_eq(&old->target, &now->target))
        note(a, ret, S("another revision is wanted"));
    if (!digest_eq(&old->base, &now->base))
        note(a, ret, S("another revision is live"));
    if (old->cause != now->cause)
        note(a, ret,
             str_fmt(a, "asked for by %s, not by %s", plan_cause_name(now->cause),
                     plan_cause_name(old->cause)));
    if (old->apply_seq != now->apply_seq)
        note(a, ret, S("another plan was begun in between"));
    note_reads(a, old, now, ret);
    for (size_t i = 0; i < now->lines.n; i++) {
        const struct plan_line *line = &now->lines.p[i];

        compare_lines(a, find_line(old, line->kind, line->name), line, ret);
    }
    for (size_t i = 0; i < old->lines.n; i++) {
        const struct plan_line *line = &old->lines.p[i];

        if (!find_line(now, line->kind, line->name))
            compare_lines(a, line, NULL, ret);
    }
}

/* --- two revisions ------------------------------------------------------------------------------- */

struct spec_side {
    struct str kind, name;
    const struct value *desired;
};

static void put_sides(struct arena *a, struct map *to, const struct environment_spec *spec)
{
    for (size_t i = 0; spec && i < spec->resources.n; i++) {
        const struct spec_resource *r = &spec->resources.p[i];
        struct spec_side *side = arena_new(a, struct spec_side);

        if (!side)
            return; /* the arena remembers */
        *side = (struct spec_side){ r->kind, r->name, r->desired };
        map_put(to, key_of(a, r->kind, r->name), side);
    }
    if (spec && spec->policy) {
        struct spec_side *side = arena_new(a, struct spec_side);

        if (!side)
            return;
        *side = (struct spec_side){ S("policy"), S("environment"), spec->policy };
        map_put(to, S("policy/environment"), side);
    }
}

static void compare_sides(struct arena *a, const struct spec_side *old, const struct spec_side *now,
                          struct plan *ret)
{
    const struct spec_side *one = now ? now : old;
    struct plan_line line = {
        .action = !old ? PLAN_CREATE : !now ? PLAN_DELETE : PLAN_UPDATE,
        .kind = one->kind,
        .name = one->name,
        .disruption = S("none"),
        .reason = S(""),
        .place = S(""),
        .group = -1,
    }, *slot;

    diff_values(a, old ? old->desired : NULL, now ? now->desired : NULL, &line);
    if (old && now && !line.changes.n) {
        record_same(a, ret, one->kind, one->name);
        return;
    }
    slot = vec_push(a, &ret->lines);
    if (slot)
        *slot = line;
}

void plan_differ_specs(struct arena *a, const struct environment_spec *old,
                       const struct environment_spec *now, struct plan *ret)
{
    struct map before, after, keys;

    *ret = (struct plan){ .cause = PLAN_CAUSE_COMMIT };
    map_init(&before, a);
    map_init(&after, a);
    map_init(&keys, a);
    put_sides(a, &before, old);
    put_sides(a, &after, now);
    for (size_t i = 0; i < before.n; i++)
        map_put(&keys, before.entries[i].key, NULL);
    for (size_t i = 0; i < after.n; i++)
        map_put(&keys, after.entries[i].key, NULL);
    map_sort(&keys);
    for (size_t i = 0; i < keys.n; i++)
        compare_sides(a, map_find(&before, keys.entries[i].key),
                      map_find(&after, keys.entries[i].key), ret);
}

/* --- as a value ---------------------------------------------------------------------------------- */

struct value *plan_differ_value(struct arena *a, const struct plan *difference)
{
    struct value *v = value_map(a), *because = value_list(a), *lines = value_list(a),
                 *same = value_list(a);

    for (size_t i = 0; i < difference->notes.n; i++)
        value_add(a, because, value_text(a, difference->notes.p[i]));
    for (size_t i = 0; i < difference->lines.n; i++)
        value_add(a, lines, plan_line_value(a, &difference->lines.p[i]));
    for (size_t i = 0; i < difference->records.n; i++) {
        struct value *one = value_map(a);

        value_set_text(a, one, S("kind"), difference->records.p[i].kind);
        value_set_text(a, one, S("name"), difference->records.p[i].name);
        value_add(a, same, one);
    }
    value_set(a, v, S("because"), because);
    value_set(a, v, S("lines"), lines);
    value_set(a, v, S("unchanged"), same);
    return v;
}

void plan_differ_parse(struct arena *a, const struct value *v, struct plan *ret)
{
    const struct value *because = value_get(v, S("because")), *lines = value_get(v, S("lines")),
                       *same = value_get(v, S("unchanged"));

    *ret = (struct plan){ .cause = PLAN_CAUSE_COMMIT };
    for (size_t i = 0; i < value_count(because); i++)
        if (value_is(value_item(because, i), VALUE_TEXT))
            note(a, ret, value_item(because, i)->u.text);
    for (size_t i = 0; i < value_count(lines); i++) {
        struct plan_line *slot = vec_push(a, &ret->lines);

        if (slot)
            plan_line_parse(a, value_item(lines, i), slot);
    }
    for (size_t i = 0; i < value_count(same); i++)
        record_same(a, ret, value_get_text(value_item(same, i), S("kind"), S("")),
                    value_get_text(value_item(same, i), S("name"), S("")));
}
