/* What clears: sets that are neither live nor wanted, and spare artifacts. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/planner.h"

struct dropping {
    struct arena *a;
    const struct plan *from;
    size_t *places;    /* of each item among those that stay */
    size_t *marked_by; /* the last one that stays and looked at it as a need, + 1 */
};

int plan_clears(const struct plan *p)
{
    for (size_t i = 0; i < p->items.n; i++)
        if (p->items.p[i].clears)
            return 1;
    return 0;
}

/* A step that clears and does something else is needed for that; one that only clears, for what came before. */
static void add_needs(struct dropping *d, const struct plan_item *of, size_t at,
                      struct plan_item *ret)
{
    size_t n_before = ret->needs.n;

    for (size_t i = 0; i < of->needs.n; i++) {
        size_t needed = of->needs.p[i], *slot;

        if (d->from->items.p[needed].clears || d->marked_by[needed] == at + 1)
            continue;
        d->marked_by[needed] = at + 1;
        slot = vec_push(d->a, &ret->needs);
        if (slot)
            *slot = d->places[needed];
    }
    for (size_t i = 0; ret->needs.n == n_before && i < of->needs.n; i++) {
        size_t needed = of->needs.p[i];

        if (!d->from->items.p[needed].clears || d->marked_by[needed] == at + 1)
            continue;
        d->marked_by[needed] = at + 1;
        add_needs(d, &d->from->items.p[needed], at, ret); /* a step or two: no item clears deep */
    }
}

/* A flip names the item that made its generation. */
static const struct value *renumber(const struct dropping *d, const struct value *desired)
{
    const struct value *made = value_get(desired, S("routes_item"));
    struct value *copy;

    if (!value_is(made, VALUE_INT) || made->u.number < 0 ||
        made->u.number >= (int64_t)d->from->items.n)
        return desired;
    copy = value_map(d->a);
    for (size_t i = 0; i < value_count(desired); i++) {
        const struct value_entry *e = &desired->u.map.entries[i];

        if (e->value == made)
            value_set_int(d->a, copy, e->key, (int64_t)d->places[made->u.number]);
        else
            value_set(d->a, copy, e->key, e->value);
    }
    return copy;
}

void plan_drop_clears(struct arena *a, struct plan *p)
{
    const struct plan from = *p;
    struct dropping d = { .a = a, .from = &from };
    size_t n = 0;

    if (!plan_clears(p))
        return;
    d.places = arena_new_n(a, size_t, from.items.n);
    d.marked_by = arena_new_n(a, size_t, from.items.n);
    p->items = (__typeof__(p->items)){ 0 };
    for (size_t i = 0; d.places && i < from.items.n; i++)
        if (!from.items.p[i].clears)
            d.places[i] = n++;
    for (size_t i = 0; d.places && d.marked_by && i < from.items.n; i++) {
        const struct plan_item *item = &from.items.p[i];
        struct plan_item *slot = item->clears ? NULL : vec_push(a, &p->items);

        if (!slot)
            continue;
        *slot = *item;
        slot->needs = (__typeof__(slot->needs)){ 0 };
        if (item->only_after >= 0)
            slot->only_after = (int)d.places[item->only_after];
        slot->desired = renumber(&d, item->desired);
        add_needs(&d, item, i, slot);
    }
}

static size_t find_last_mark(const struct plan *p)
{
    size_t i = p->items.n;

    while (i && p->items.p[i - 1].action != PLAN_MARK)
        i--;
    return i;
}

void plan_add_spare(struct arena *a, struct plan *p, const struct plan_spare *spare, size_t n)
{
    size_t mark = find_last_mark(p);

    for (size_t i = 0; mark && i < n; i++) {
        struct plan_item *item = vec_push(a, &p->items);
        struct value *desired = value_map(a);
        size_t *need;

        if (!item)
            return; /* the arena remembers */
        value_set_text(a, desired, S("key"), digest_hex(a, &spare[i].key));
        *item = (struct plan_item){ .lane = LANE_TAIL,
                                    .action = PLAN_DELETE,
                                    .group = -1,
                                    .only_after = -1,
                                    .clears = 1,
                                    .kind = S("artifact"),
                                    .name = spare[i].name,
                                    .service = S(""),
                                    .provider = spare[i].provider,
                                    .from = S(""),
                                    .desired = desired };
        need = vec_push(a, &item->needs);
        if (need)
            *need = mark - 1;
    }
}

int plan_item_is_spare(const struct plan_item *item)
{
    return item->action == PLAN_DELETE && str_eq_c(item->kind, "artifact");
}
