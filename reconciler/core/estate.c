/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/estate.h"

#include <stdlib.h>
#include <string.h>

static int order_names(struct str kind, struct str name, struct str other_kind,
                       struct str other_name)
{
    int order = str_cmp(kind, other_kind);

    return order ? order : str_cmp(name, other_name);
}

static int order_keys(struct str service, const struct digest *key, struct str other_service,
                      const struct digest *other_key)
{
    int order = str_cmp(service, other_service);

    return order ? order : memcmp(key->b, other_key->b, sizeof(key->b));
}

static int compare_wanted(const void *a, const void *b)
{
    const struct spec_resource *x = *(const struct spec_resource *const *)a,
                               *y = *(const struct spec_resource *const *)b;

    return order_names(x->kind, x->name, y->kind, y->name);
}

static int compare_renamed(const void *a, const void *b)
{
    const struct spec_resource *x = *(const struct spec_resource *const *)a,
                               *y = *(const struct spec_resource *const *)b;

    return order_names(x->kind, x->moved_from, y->kind, y->moved_from);
}

static int compare_recorded(const void *a, const void *b)
{
    const struct recorded *x = *(const struct recorded *const *)a,
                          *y = *(const struct recorded *const *)b;

    return order_names(x->kind, x->name, y->kind, y->name);
}

static int compare_sets(const void *a, const void *b)
{
    const struct rec_set *x = *(const struct rec_set *const *)a,
                         *y = *(const struct rec_set *const *)b;

    return order_keys(x->service, &x->set_key, y->service, &y->set_key);
}

static int compare_instances(const void *a, const void *b)
{
    const struct rec_instance *x = &(*(const struct observed_instance *const *)a)->rec,
                              *y = &(*(const struct observed_instance *const *)b)->rec;
    int order = order_keys(x->service, &x->set_key, y->service, &y->set_key);

    return order ? order : (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

/* Whoever has its own name already is renamed no more, unless that is how it came by it. A name that is taken was
 * given up by nobody. */
static void collect_renamed(struct estate *e)
{
    for (size_t i = 0; i < e->n_wanted; i++) {
        const struct spec_resource *r = e->wanted[i];
        const struct recorded *have = estate_find_recorded(e, r->kind, r->name);

        if (r->moved_from.n && (!have || str_eq(have->was, r->moved_from)) &&
            !estate_find_wanted(e, r->kind, r->moved_from))
            e->renamed[e->n_renamed++] = r;
    }
    qsort(e->renamed, e->n_renamed, sizeof(e->renamed[0]), compare_renamed);
}

int estate_make(struct arena *a, const struct snapshot *s, struct estate *ret, struct err *err)
{
    struct estate e = { .s = s,
                        .n_wanted = s->target->resources.n,
                        .n_recorded = s->n_recorded,
                        .n_sets = s->n_sets,
                        .n_instances = s->n_instances };

    e.wanted = arena_new_n(a, const struct spec_resource *, e.n_wanted + 1);
    e.renamed = arena_new_n(a, const struct spec_resource *, e.n_wanted + 1);
    e.recorded = arena_new_n(a, const struct recorded *, e.n_recorded + 1);
    e.sets = arena_new_n(a, const struct rec_set *, e.n_sets + 1);
    e.instances = arena_new_n(a, const struct observed_instance *, e.n_instances + 1);
    if (arena_status(a, err))
        return err->code;
    for (size_t i = 0; i < e.n_wanted; i++)
        e.wanted[i] = &s->target->resources.p[i];
    for (size_t i = 0; i < e.n_recorded; i++)
        e.recorded[i] = &s->recorded[i];
    for (size_t i = 0; i < e.n_sets; i++)
        e.sets[i] = &s->sets[i];
    for (size_t i = 0; i < e.n_instances; i++)
        e.instances[i] = &s->instances[i];
    qsort(e.wanted, e.n_wanted, sizeof(e.wanted[0]), compare_wanted);
    qsort(e.recorded, e.n_recorded, sizeof(e.recorded[0]), compare_recorded);
    qsort(e.sets, e.n_sets, sizeof(e.sets[0]), compare_sets);
    qsort(e.instances, e.n_instances, sizeof(e.instances[0]), compare_instances);
    collect_renamed(&e);
    *ret = e;
    return 0;
}

const struct spec_resource *estate_find_wanted(const struct estate *e, struct str kind,
                                               struct str name)
{
    const struct spec_resource key = { .kind = kind, .name = name }, *at = &key, **found;

    found = bsearch(&at, e->wanted, e->n_wanted, sizeof(e->wanted[0]), compare_wanted);
    return found ? *found : NULL;
}

const struct recorded *estate_find_recorded(const struct estate *e, struct str kind,
                                            struct str name)
{
    const struct recorded key = { .kind = kind, .name = name }, *at = &key, **found;

    found = bsearch(&at, e->recorded, e->n_recorded, sizeof(e->recorded[0]), compare_recorded);
    return found ? *found : NULL;
}

const struct recorded *estate_find_was(const struct estate *e, const struct spec_resource *want)
{
    return want->moved_from.n && estate_find_renamed(e, want->kind, want->moved_from) == want
               ? estate_find_recorded(e, want->kind, want->moved_from)
               : NULL;
}

const struct recorded *estate_find_before(const struct estate *e, const struct spec_resource *want)
{
    const struct recorded *have = estate_find_recorded(e, want->kind, want->name);

    return have ? have : estate_find_was(e, want);
}

const struct spec_resource *estate_find_renamed(const struct estate *e, struct str kind,
                                                struct str name)
{
    const struct spec_resource key = { .kind = kind, .moved_from = name }, *at = &key, **found;

    found = bsearch(&at, e->renamed, e->n_renamed, sizeof(e->renamed[0]), compare_renamed);
    return found ? *found : NULL;
}

const struct rec_set **estate_sets_of(const struct estate *e, struct str service, size_t *ret_n)
{
    size_t low = 0, high = e->n_sets, n = 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (str_cmp(e->sets[middle]->service, service) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    while (low + n < e->n_sets && str_eq(e->sets[low + n]->service, service))
        n++;
    *ret_n = n;
    return &e->sets[low];
}

int64_t estate_count_instances(const struct estate *e, const struct rec_set *set)
{
    size_t low = 0, high = e->n_instances;
    int64_t n = 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct rec_instance *r = &e->instances[middle]->rec;

        if (order_keys(r->service, &r->set_key, set->service, &set->set_key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < e->n_instances; low++) {
        const struct observed_instance *o = e->instances[low];

        if (order_keys(o->rec.service, &o->rec.set_key, set->service, &set->set_key))
            break;
        n += o->health != INSTANCE_LOST;
    }
    return n;
}
