/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/drain_tail.h"

#include <dirent.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/sys.h"
#include "reconciler/core/identity.h"
#include "reconciler/engine/drain_batch.h"
#include "specs/json_io.h"

#define DRAIN_SPEC_MAX (1u << 20) /* bytes of a keeper's spec.json */

/* --- who is there -------------------------------------------------------------------------------- */

static struct drain_at read_at(const struct value *noted)
{
    struct drain_at at = { .birth_ns = value_get_int(noted, S("birth"), 0),
                           .offset = value_get_int(noted, S("at"), 0),
                           .skips = value_get_bool(noted, S("skips"), 0) };

    at.inode = (uint64_t)value_get_int(noted, S("inode"), 0);
    return at;
}

/* Where a former life was sure of. */
static void take_up(struct drain_tails *d, struct drain_tail *t)
{
    const struct value *noted = value_get(d->noted, t->owner);

    t->mark.at = t->mark.seen = t->sure = t->pending = read_at(noted);
    t->mark.lost = value_get_int(noted, S("lost"), 0);
}

/* What its keeper's file says; one that has gone is asked of the state. */
static void read_spec(struct drain_tail *t, struct arena *round)
{
    struct err err = ERR_INIT;
    const struct value *about;
    struct value *spec = NULL;
    struct str text;

    if (sys_read_file(round, str_fmt(round, "%s/spec.json", t->place.run).p, DRAIN_SPEC_MAX, &text,
                      &err) ||
        json_parse(round, text, DRAIN_SPEC_MAX, &spec, &err))
        return;
    about = value_get(spec, S("about"));
    t->env_uid = str_copy(&t->own,
                          value_get_text(value_get(about, S("label")), S("env_uid"), S("")));
    t->name = str_copy(&t->own, value_get_text(about, S("name"), S("")));
    t->is_asked = !str_eq_c(value_get_text(about, S("type"), S("")), "instance"); /* a build */
}

static void free_tail(struct drain_tail *t)
{
    arena_fini(&t->own);
    alloc_free(t);
}

static struct drain_tail *add_tail(struct drain_tails *d, struct arena *round, struct str directory,
                                   struct str owner)
{
    struct drain_tail *t = alloc_zero(sizeof(*t));

    if (!t)
        return NULL;
    arena_init(&t->own, 0);
    t->owner = str_copy(&t->own, owner);
    t->place.run = str_fmt(&t->own, "%.*s/run/%.*s", STR_ARG(directory), STR_ARG(owner)).p;
    t->place.gone = str_fmt(&t->own, "%.*s/gone/%.*s", STR_ARG(directory), STR_ARG(owner)).p;
    if (arena_status(&t->own, &(struct err){ 0 })) {
        free_tail(t);
        return NULL;
    }
    take_up(d, t);
    read_spec(t, round);
    t->next = d->first;
    d->first = t;
    return t;
}

/* Owner labels: [a-z0-9-]. */
static void scan_directory(struct drain_tails *d, struct arena *round, struct str directory,
                           const char *which, struct map *known)
{
    const char *path = str_fmt(round, "%.*s/%s", STR_ARG(directory), which).p;
    DIR *dir = path ? opendir(path) : NULL;
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        struct str owner = str_from_c(entry->d_name);
        struct drain_tail *t = map_find(known, owner);

        if (!identity_is_owner(owner))
            continue;
        if (!t)
            t = add_tail(d, round, directory, owner);
        if (!t)
            continue;
        t->is_there = 1;
        map_put(known, t->owner, t);
    }
    if (dir)
        (void)closedir(dir); /* only read */
}

static void drop_tail(struct drain_tails *d, struct drain_tail **at)
{
    struct drain_tail *t = *at;

    d->counts.lost += t->is_wanted ? t->mark.waiting : 0;
    *at = t->next;
    free_tail(t);
}

/* What was lost is behind us: from there on is what will be sent again where a connection is cut. */
static void look_at(struct drain_tails *d, struct drain_tail *t)
{
    int64_t lost = t->mark.lost;

    t->has_news = drain_file_look(&t->place, &t->mark);
    if (t->mark.lost == lost && t->sure.inode)
        return;
    t->sure = t->pending = t->mark.at;
    t->unsure_before = t->unsure = 0;
    d->is_changed = 1;
    if (t->is_wanted)
        d->counts.lost += t->mark.lost - lost;
}

/* What is not there any more, and what came of what is. */
static void look_at_all(struct drain_tails *d)
{
    struct drain_tail **at = &d->first;

    d->n_asks = 0;
    d->counts.waiting = 0;
    while (*at) {
        struct drain_tail *t = *at;

        if (!t->is_there) {
            drop_tail(d, at);
            continue;
        }
        if (!t->is_asked || t->is_wanted)
            look_at(d, t);
        if (t->is_wanted)
            d->counts.waiting += t->mark.waiting;
        d->n_asks += !t->is_asked && t->has_news;
        t->in_batch = 0;
        at = &t->next;
    }
}

static void read_noted(struct drain_tails *d, struct arena *round)
{
    struct err err =
        ERR_INIT; /* what cannot be read was never written: what is kept is sent again */
    struct value *noted = NULL;
    struct str text;

    d->has_noted = 1;
    arena_init(&d->noted_own, 0);
    if (!sys_read_file(round, str_fmt(round, "%s/%.*s", d->dir, STR_ARG(d->name)).p, DRAIN_NOTE_MAX,
                       &text, &err) &&
        !json_parse(round, text, DRAIN_NOTE_MAX, &noted, &err))
        d->noted = value_copy(&d->noted_own, noted);
}

int drain_tails_scan(struct drain_tails *d, struct arena *round, struct err *err)
{
    const struct value *providers = value_get(d->daemon, S("providers"));
    struct map known;

    if (!d->has_noted)
        read_noted(d, round);
    map_init(&known, round);
    for (struct drain_tail *t = d->first; t; t = t->next) {
        map_put(&known, t->owner, t);
        t->is_there = 0;
    }
    for (size_t i = 0; i < value_count(providers); i++) {
        const struct value *one = providers->u.map.entries[i].value;
        struct str directory = value_get_text(one, S("directory"), S(""));

        if (!str_eq_c(value_get_text(one, S("driver"), S("")), "process"))
            continue;
        scan_directory(d, round, directory, "run", &known);
        scan_directory(d, round, directory, "gone", &known);
    }
    look_at_all(d);
    if (d->noted) { /* every owner that is there has taken up what is his */
        d->noted = NULL;
        arena_reset(&d->noted_own);
    }
    return arena_status(round, err);
}

/* --- what came of it ----------------------------------------------------------------------------- */

void drain_tails_sent(struct drain_tails *d, const struct drain_batch *batch, enum drain_fate fate)
{
    *(fate == DRAIN_TAKEN ? &d->counts.sent : &d->counts.refused) += batch->lines;
    d->counts.withheld += batch->withheld;
    for (struct drain_tail *t = d->first; t; t = t->next) {
        if (!t->in_batch)
            continue;
        t->in_batch = 0;
        t->mark.at = t->batch_at;
        t->mark.lost -= t->batch_lost;
        t->mark.waiting -= t->batch_ends < t->mark.waiting ? t->batch_ends : t->mark.waiting;
        t->unsure += t->batch_ends;
    }
}

static int is_same(const struct drain_at *a, const struct drain_at *b)
{
    return a->inode == b->inode && a->birth_ns == b->birth_ns && a->offset == b->offset;
}

void drain_tails_sure(struct drain_tails *d, enum drain_sure which)
{
    for (struct drain_tail *t = d->first; t; t = t->next) {
        const struct drain_at *sure = which == DRAIN_SURE_NOW ? &t->mark.at : &t->pending;

        d->is_changed |= !is_same(&t->sure, sure);
        t->sure = *sure;
        t->pending = t->mark.at;
        t->unsure_before = which == DRAIN_SURE_NOW ? 0 : t->unsure;
        t->unsure = 0;
    }
}

/* What was counted to be sent since is sent again, and counted again when it is. */
void drain_tails_again(struct drain_tails *d)
{
    for (struct drain_tail *t = d->first; t; t = t->next) {
        t->mark.at = t->pending = t->sure;
        t->mark.waiting += t->unsure_before + t->unsure;
        t->unsure_before = t->unsure = 0;
        t->in_batch = 0;
    }
}

int drain_tails_note(struct drain_tails *d, struct arena *round, struct err *err)
{
    const char *path = str_fmt(round, "%s/%.*s", d->dir, STR_ARG(d->name)).p;
    struct value *all = value_map(round);

    for (const struct drain_tail *t = d->first; t; t = t->next) {
        struct value *one = value_map(round);

        if ((t->is_asked && !t->is_wanted) || !t->sure.inode)
            continue;
        value_set_int(round, one, S("inode"), (int64_t)t->sure.inode);
        value_set_int(round, one, S("birth"), t->sure.birth_ns);
        value_set_int(round, one, S("at"), t->sure.offset);
        value_set(round, one, S("skips"), value_bool(round, t->sure.skips));
        if (t->mark.lost)
            value_set_int(round, one, S("lost"), t->mark.lost);
        value_set(round, all, t->owner, one);
    }
    if (arena_status(round, err) || sys_mkdir_all(d->dir, 0700, err))
        return err->code;
    return sys_write_file(path, 0600, json_format(round, all), err);
}

void drain_tails_fini(struct drain_tails *d)
{
    while (d->first) {
        struct drain_tail *t = d->first;

        d->first = t->next;
        free_tail(t);
    }
    arena_fini(&d->noted_own);
}
