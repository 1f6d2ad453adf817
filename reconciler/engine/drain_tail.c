/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/drain_tail.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "base/map.h"
#include "base/sys.h"
#include "reconciler/core/identity.h"
#include "reconciler/core/scope.h"
#include "reconciler/engine/log_hide.h"
#include "specs/json_io.h"
#include "state/environments.h"

#define DRAIN_SPEC_MAX (1u << 20) /* bytes of a keeper's spec.json */

struct drain_tail {
    struct drain_tail *next;
    struct arena own;
    struct str owner;
    struct drain_place place;
    int is_there, is_asked, is_wanted, has_news;
    int n_asks; /* that brought no answer */
    struct str env_uid, env, service, name, set, colour, revision, commit;
    struct value *given; /* names of secrets; NULL: not known */
    struct drain_mark mark;
    struct drain_at pending, sure; /* sent before the last look, and before the one before that */
    int64_t unsure_before,
        unsure; /* line ends between sure and pending, between pending and mark.at */
    int in_batch;
    struct drain_at batch_at;
    int64_t batch_ends, batch_lost; /* line ends in it; lines that were told to be lost */
};

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
        arena_fini(&t->own);
        alloc_free(t);
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
    arena_fini(&t->own);
    alloc_free(t);
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

/* --- whose they are ------------------------------------------------------------------------------ */

/* One that went before anybody saw it. */
static int find_row(struct drain_tail *t, struct db *db, struct arena *round, struct err *err)
{
    struct rec_resource *rows;
    size_t n;
    int rc = DB_SELECT(db, round, resource,
                       "WHERE owner = $1 AND kind = 'instance' ORDER BY valid_from DESC LIMIT 1",
                       &rows, &n, err, DB_T(t->owner));

    if (rc || !n)
        return rc;
    t->env_uid = str_copy(&t->own, rows[0].env);
    t->name = str_copy(&t->own, rows[0].name);
    return 0;
}

/* "web@0123456789ab.0" */
static void read_name(struct drain_tail *t)
{
    struct str rest = t->name;

    if (str_next(&rest, '@', &t->service))
        (void)str_next(&rest, '.', &t->set);
}

static int find_set(struct drain_tail *t, struct db *db, struct arena *round, struct err *err)
{
    struct rec_revision_commit *commits;
    struct rec_set *rows;
    size_t n, n_commits;
    int rc = DB_SELECT(db, round, set, "WHERE env = $1 AND service = $2", &rows, &n, err,
                       DB_T(t->env_uid), DB_T(t->service));

    for (size_t i = 0; !rc && i < n; i++) {
        if (!str_eq(str_slice(digest_hex(round, &rows[i].set_key), 0, IDENTITY_SHORT), t->set))
            continue;
        t->colour = str_copy(&t->own, rows[i].colour);
        t->revision = str_copy(&t->own,
                               str_slice(digest_hex(round, &rows[i].revision), 0, IDENTITY_SHORT));
        rc = DB_SELECT(db, round, revision_commit,
                       "WHERE env = $1 AND digest = $2 ORDER BY seen_seq, commit_id LIMIT 1",
                       &commits, &n_commits, err, DB_T(t->env_uid), DB_D(&rows[i].revision));
        if (!rc && n_commits)
            t->commit = str_copy(&t->own, commits[0].commit_id);
    }
    return rc;
}

static int is_wanted(const struct drain_tails *d, const struct drain_tail *t)
{
    return t->env.n && scope_has(value_get(d->config, S("environments")), t->env) &&
           scope_has(value_get(d->config, S("services")), t->service);
}

/* Answered where it is known whose it is, and what it was given or that nobody wants it. */
static int ask_one(struct drain_tails *d, struct drain_tail *t, struct db *db, struct arena *round,
                   struct err *err)
{
    struct rec_resource row = { .kind = S("instance"), .owner = t->owner };
    struct rec_environment env;
    struct value *given = NULL;
    int rc = t->env_uid.n ? 0 : find_row(t, db, round, err);

    if (rc || !t->env_uid.n)
        return rc;
    rc = environments_by_uid(db, round, t->env_uid, &env, err);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc)
        return rc;
    t->env = str_copy(&t->own, env.name);
    read_name(t);
    t->is_asked = !is_wanted(d, t);
    if (t->is_asked)
        return 0;
    row.env = t->env_uid;
    row.name = t->name;
    if (find_set(t, db, round, err) || log_hide_names(db, round, &row, &given, err))
        return err->code;
    t->given = given ? value_copy(&t->own, given) : NULL;
    if (arena_status(&t->own, err))
        return err->code;
    t->is_wanted = t->is_asked = given || t->n_asks + 1 >= DRAIN_ASK_TIMES;
    if (t->is_wanted)
        d->counts.lost += t->mark.lost; /* before anybody knew whose they were */
    return 0;
}

int drain_tails_ask(struct drain_tails *d, struct db *db, struct arena *round, struct err *err)
{
    size_t n = 0;

    for (struct drain_tail *t = d->first; t && n < DRAIN_ASKS_MAX; t = t->next) {
        if (t->is_asked || !t->has_news)
            continue;
        n++;
        if (ask_one(d, t, db, round, err))
            return err->code;
        t->is_asked |= ++t->n_asks >= DRAIN_ASK_TIMES;
    }
    return arena_status(round, err);
}

/* --- a batch ------------------------------------------------------------------------------------- */

struct forming {
    struct drain_tails *d;
    struct arena *round, *secrets;
    struct map hidden; /* env uid -> struct log_hide * */
    enum drain_kind kind;
    struct drain_batch *batch;
    struct sb body;
    VEC(struct str) frames;
    size_t bytes;  /* of output */
    int64_t lines; /* line ends of it */
};

static const struct log_hide *hide_of(struct forming *f, struct str env_uid)
{
    struct log_hide *hide = map_find(&f->hidden, env_uid);

    if (hide)
        return hide;
    hide = arena_new(f->secrets, struct log_hide);
    if (hide)
        log_hide_find(f->secrets, f->d->daemon, env_uid, hide);
    map_put(&f->hidden, env_uid, hide);
    return hide;
}

static void add_line(struct forming *f, const struct drain_tail *t, struct str text,
                     int64_t time_ms, int64_t lost)
{
    const struct drain_line line = { .host = f->d->host,
                                     .env = t->env,
                                     .service = t->service,
                                     .instance = t->name,
                                     .set = t->set,
                                     .colour = t->colour,
                                     .revision = t->revision,
                                     .commit = t->commit,
                                     .text = text,
                                     .time_ms = time_ms,
                                     .lost = lost };
    struct sb one;
    struct str *slot;

    if (f->kind == DRAIN_JSON) {
        drain_form_json(&f->body, &line);
        return;
    }
    if (f->kind == DRAIN_SYSLOG) {
        drain_form_syslog(&f->body, &line, DRAIN_COUNTED);
        return;
    }
    sb_init(&one, f->round);
    drain_form_syslog(&one, &line, DRAIN_BARE);
    slot = vec_push(f->round, &f->frames);
    if (slot)
        *slot = sb_str(&one);
}

static int64_t count_ends(struct str text)
{
    int64_t n = 0;

    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\n';
    return n;
}

/* What may be the begin of a value is not shown: nobody can tell before its end was read. */
static struct str shown(const struct drain_read *r, const struct log_hide *hide,
                        struct arena *round)
{
    struct str text = log_hide_text(hide, round, r->text), line;

    if (r->is_part)
        text.n = text.n > hide->longest ? text.n - hide->longest : 0;
    if (r->was_skipping && !str_next(&text, '\n', &line))
        text.n = 0;
    return text;
}

static void add_lines(struct forming *f, const struct drain_tail *t, struct str text,
                      int64_t time_ms)
{
    struct str line;

    while (str_next(&text, '\n', &line)) {
        if (!text.n && !line.n)
            break;
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        add_line(f, t, line, time_ms, 0);
        f->batch->lines++;
    }
}

/* So many line ends of it, and what stands before them. */
static struct str first_lines(struct str text, int64_t n)
{
    size_t at = 0;

    while (at < text.n && n > 0)
        n -= text.p[at++] == '\n';
    return n > 0 ? text : str_slice(text, 0, at);
}

static void add_tail_lines(struct forming *f, struct drain_tail *t)
{
    const struct log_hide *hide;
    struct drain_read r;

    drain_file_read(&t->place, &t->mark.at, f->round, &r);
    if (!r.text.n)
        return;
    hide = hide_of(f, t->env_uid);
    if (!hide)
        return; /* out of memory: nothing is sent */
    f->batch->is_full |= r.text.n > DRAIN_READ_MAX / 2;
    r.text = first_lines(r.text, DRAIN_BATCH_LINES - f->lines);
    t->in_batch = 1;
    t->batch_at = drain_file_after(&r);
    t->batch_ends = count_ends(r.text);
    t->batch_lost = t->mark.lost;
    if (t->batch_lost)
        add_line(f, t, drain_form_lost(f->round, t->batch_lost), r.time_ms, t->batch_lost);
    if (log_hide_knows(hide, t->given))
        add_lines(f, t, shown(&r, hide, f->round), r.time_ms);
    else
        f->batch->withheld += t->batch_ends;
    f->bytes += r.text.n;
    f->lines += t->batch_ends;
    f->d->after = t->owner;
}

/* From the one behind who was served last, once around. */
static void add_all(struct forming *f)
{
    struct drain_tail *from = f->d->first;
    int is_around = 0;

    while (from && !str_eq_c(from->owner, f->d->after_text))
        from = from->next;
    from = from && from->next ? from->next : f->d->first;
    for (struct drain_tail *t = from; t && !(is_around && t == from);) {
        if (f->bytes >= DRAIN_BATCH_BYTES || f->lines >= DRAIN_BATCH_LINES) {
            f->batch->is_full = 1;
            break;
        }
        if (t->is_wanted && t->has_news)
            add_tail_lines(f, t);
        t = t->next;
        if (!t && !is_around) {
            is_around = 1;
            t = f->d->first;
        }
    }
}

int drain_tails_read(struct drain_tails *d, enum drain_kind kind, struct arena *round,
                     struct drain_batch *ret, struct err *err)
{
    AUTO_WIPED_ARENA struct arena secrets = { 0 };
    struct forming f = { .d = d, .round = round, .secrets = &secrets, .kind = kind, .batch = ret };

    *ret = (struct drain_batch){ .lines = 0 };
    d->after = STR_NONE;
    map_init(&f.hidden, &secrets);
    sb_init(&f.body, round);
    add_all(&f);
    ret->body = sb_str(&f.body);
    ret->frames = f.frames.p;
    ret->n_frames = f.frames.n;
    if (d->after.p)
        (void)snprintf(d->after_text, sizeof(d->after_text), "%.*s", STR_ARG(d->after));
    return arena_status(&secrets, err) ? err->code : arena_status(round, err);
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
        arena_fini(&t->own);
        alloc_free(t);
    }
    arena_fini(&d->noted_own);
}
