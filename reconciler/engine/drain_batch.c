/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/drain_batch.h"

#include <stdio.h>

#include "base/guard.h"
#include "base/map.h"
#include "reconciler/core/drain_form.h"
#include "reconciler/engine/log_hide.h"

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

int drain_batch_read(struct drain_tails *d, enum drain_kind kind, struct arena *round,
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
