/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/feed.h"

#include "base/alloc.h"
#include "base/guard.h"
#include "base/log.h"
#include "reconciler/rt/wait.h"

/* A page being read, for all or for one. */
struct feed_reading {
    struct task task;
    struct feed *feed;
    struct listener *listener; /* NULL: for all, or for one who is gone */
    struct arena scratch;
    struct feed_page *page;
    int64_t after, head; /* head: up to which there was something when it began */
    int is_news;
};

struct listener {
    struct feed *feed;
    struct listener *next, *prev;
    struct http_stream *stream; /* NULL: its headers are not sent yet */
    const struct value *scope;
    struct str who;
    int64_t after, since_ms, until_ms;
    int64_t known; /* up to there nothing ends it */
    int is_greeted, is_over;
    struct feed_reading *reading; /* NULL: none */
};

struct feed {
    struct feed_options options;
    struct loop_timer *soon, *ping;
    struct listener *listeners;
    size_t n_listeners, n_readings;
    struct feed_pages pages;
    int64_t head;                  /* seq up to which all was read */
    int is_reading, has_more_news; /* for all */
    int is_stopping;
    loop_fn *ended;
    void *ended_ctx;
};

enum { READING_READ, READING_END };

/* clang-format off */
static const struct task_state reading_states[] = {
    [READING_READ] = { "READ", TO(READING_END), READING_END,   0 },
    [READING_END]  = { "END",  0,               NO_ERROR_EDGE, 0 },
};
/* clang-format on */

/* --- reading ------------------------------------------------------------------------------------- */

static int reading_work(struct task *t, struct err *err)
{
    struct feed_reading *r = container_of(t, struct feed_reading, task);
    const struct value *list = NULL;
    int rc = r->feed->options.read(r->feed->options.ctx, &r->scratch, r->after, &list, err);

    if (rc)
        return rc;
    rc = feed_page_fill(r->page, list, err);
    if (!rc)
        rc = arena_status(&r->scratch, err);
    arena_fini(&r->scratch); /* the loop may come to it much later */
    arena_init(&r->scratch, 0);
    return rc;
}

static enum task_verdict reading_step(struct task *t)
{
    if (t->state == READING_READ) {
        wait_work_start(t, POOL_QUERY, reading_work);
        return task_then(t, READING_END);
    }
    return task_done(t);
}

static void free_when_over(struct feed *f)
{
    loop_fn *ended = f->ended;
    void *ctx = f->ended_ctx;

    if (!f->is_stopping || f->listeners || f->n_readings)
        return;
    feed_pages_forget(&f->pages);
    loop_timer_free(f->soon);
    loop_timer_free(f->ping);
    alloc_free(f);
    ended(ctx);
}

static void serve_soon(struct feed *f)
{
    loop_timer_set(f->soon, loop_mono_ms(f->options.loop));
}

static void push(struct listener *l, struct sb *bytes, struct arena *a)
{
    struct err err = ERR_INIT;

    if (bytes->n && !arena_status(a, &err))
        http_stream_push(l->stream, sb_str(bytes));
    else if (bytes->n)
        http_stream_end(l->stream); /* it comes again and says where it was */
}

static void news_read(struct feed *f, struct feed_reading *r)
{
    f->is_reading = 0;
    if (!r->task.rc && r->page->n && f->n_listeners && r->after == f->head) {
        f->has_more_news |= r->page->n == FEED_PAGE_EVENTS;
        f->head = r->page->last;
        feed_pages_keep(&f->pages, TAKE(r->page));
    } else if (r->task.rc) {
        LOG(LOG_WARN, "events could not be read for those who listen",
            LOG_C("err", r->task.err.text));
    }
}

/* Who is behind gets the page as it is; what of it did not fit is read again. */
static void past_read(struct listener *l, struct feed_reading *r)
{
    struct arena a;
    struct sb bytes;

    l->reading = NULL;
    if (r->task.rc)
        http_stream_end(l->stream);
    if (!http_stream_has_room(l->stream))
        return;
    arena_init(&a, 0);
    sb_init(&bytes, &a);
    l->after = feed_page_add(r->page, l->scope, l->after, &bytes);
    if (!r->page->n)
        l->after = r->head;
    push(l, &bytes, &a);
    arena_fini(&a);
}

static void reading_ended(struct task *t, void *ctx)
{
    struct feed_reading *r = ctx;
    struct feed *f = r->feed;

    (void)t;
    f->n_readings--;
    if (r->is_news)
        news_read(f, r);
    else if (r->listener)
        past_read(r->listener, r);
    feed_page_free(r->page);
    arena_fini(&r->scratch);
    alloc_free(r);
    if (f->is_stopping)
        free_when_over(f);
    else
        serve_soon(f);
}

static struct feed_reading *read_start(struct feed *f, struct listener *l, int64_t after)
{
    struct feed_reading *r = alloc_zero(sizeof(*r));

    if (r)
        r->page = feed_page_new(after);
    if (!r || !r->page) {
        alloc_free(r);
        return NULL;
    }
    arena_init(&r->scratch, 0);
    r->after = after;
    r->feed = f;
    r->head = f->head;
    r->listener = l;
    r->is_news = !l;
    f->n_readings++;
    task_start(&r->task, f->options.loop, "feed", reading_states, (int)N_ELEMENTS(reading_states),
               READING_READ, reading_step, reading_ended, r);
    return r;
}

/* --- listeners ----------------------------------------------------------------------------------- */

/* What comes next for it is in no page that is kept. */
static int is_behind(const struct listener *l)
{
    const struct feed *f = l->feed;

    return l->after < f->head && !feed_pages_reach(&f->pages, l->after);
}

static int wants_past(const struct listener *l)
{
    return l->stream && l->is_greeted && !l->is_over && !l->reading && is_behind(l) &&
           http_stream_has_room(l->stream);
}

/* A few at a time, as each page read is memory: first who is furthest behind, so that everybody comes up. */
static void serve_past(struct feed *f)
{
    while (f->n_readings < FEED_READINGS_MAX) {
        struct listener *next = NULL;

        for (struct listener *l = f->listeners; l; l = l->next)
            if (wants_past(l) && (!next || l->after < next->after))
                next = l;
        if (!next)
            return;
        next->reading = read_start(f, next, next->after);
        if (!next->reading) {
            http_stream_end(next->stream);
            return;
        }
    }
}

/* Also of who is far behind: they hear no more of what was, either. */
static int is_over(struct listener *l)
{
    const struct feed *f = l->feed;

    for (const struct feed_page *page = f->pages.first; page; page = page->next)
        l->is_over |= feed_page_ends(page, l->who, l->known);
    if (f->head > l->known)
        l->known = f->head;
    return l->is_over;
}

static void serve(struct listener *l, struct arena *a)
{
    struct feed *f = l->feed;
    struct sb bytes;
    int is_known = !is_over(l);

    if (l->stream && !is_known)
        http_stream_end(l->stream); /* it comes again and says who it is */
    if (!l->stream || !is_known || !http_stream_has_room(l->stream))
        return;
    arena_reset(a);
    sb_init(&bytes, a);
    if (!l->is_greeted)
        sb_add_c(&bytes, FEED_HELLO);
    l->is_greeted = 1;
    for (const struct feed_page *page = f->pages.first;
         page && feed_pages_reach(&f->pages, l->after) && bytes.n < FEED_PUSH_BYTES;
         page = page->next)
        if (page->last > l->after)
            l->after = feed_page_add(page, l->scope, l->after, &bytes);
    push(l, &bytes, a);
}

static void serve_all(void *ctx)
{
    struct feed *f = ctx;
    struct arena a;

    if (f->is_stopping) {
        for (struct listener *l = f->listeners; l; l = l->next)
            if (l->stream)
                http_stream_end(l->stream);
        free_when_over(f);
        return;
    }
    if (f->has_more_news && !f->is_reading && f->n_listeners) {
        f->has_more_news = 0;
        f->is_reading = read_start(f, NULL, f->head) != NULL;
    }
    arena_init(&a, 0);
    for (struct listener *l = f->listeners; l; l = l->next)
        serve(l, &a);
    arena_fini(&a);
    serve_past(f);
}

static void ping_all(void *ctx)
{
    struct feed *f = ctx;
    int64_t now_ms = loop_mono_ms(f->options.loop), wall_ms = loop_wall_ms(f->options.loop);

    for (struct listener *l = f->listeners; l; l = l->next) {
        int has_time = now_ms - l->since_ms < f->options.life_ms &&
                       (!l->until_ms || wall_ms < l->until_ms);

        if (l->stream && !has_time)
            http_stream_end(l->stream);
        else if (l->stream && http_stream_has_room(l->stream))
            http_stream_push(l->stream, S(": ping\n\n"));
    }
    if (f->listeners)
        feed_news(f); /* what could not be read before */
    loop_timer_set(f->ping, f->listeners ? now_ms + f->options.ping_ms : -1);
}

/* Called while libmicrohttpd runs: what comes next is pushed when it does not. */
static void on_taken(void *ctx, struct http_stream *stream)
{
    struct listener *l = ctx;

    l->stream = stream;
    serve_soon(l->feed);
}

static void on_ended(void *ctx)
{
    struct listener *l = ctx;
    struct feed *f = l->feed;

    if (l->prev)
        l->prev->next = l->next;
    else
        f->listeners = l->next;
    if (l->next)
        l->next->prev = l->prev;
    if (l->reading)
        l->reading->listener = NULL;
    alloc_free(l);
    if (!--f->n_listeners)
        feed_pages_forget(&f->pages);
    if (f->is_stopping)
        serve_soon(f); /* not while libmicrohttpd runs */
}

/* --- the feed ------------------------------------------------------------------------------------ */

struct feed *feed_new(const struct feed_options *options)
{
    struct feed *f = alloc_zero(sizeof(*f));

    if (!f)
        return NULL;
    f->options = *options;
    if (!f->options.ping_ms)
        f->options.ping_ms = FEED_PING_MS;
    if (!f->options.life_ms)
        f->options.life_ms = FEED_LIFE_MS;
    f->soon = loop_timer_new(options->loop, serve_all, f);
    f->ping = loop_timer_new(options->loop, ping_all, f);
    if (f->soon && f->ping)
        return f;
    if (f->soon)
        loop_timer_free(f->soon);
    if (f->ping)
        loop_timer_free(f->ping);
    alloc_free(f);
    return NULL;
}

void feed_join(struct feed *f, struct http_exchange *x, const struct feed_listener *in)
{
    struct listener *l = alloc_zero(sizeof(*l));
    struct err err = ERR_INIT;

    if (!l || f->is_stopping) {
        alloc_free(l);
        (void)err_set(&err, ERR_BUSY, "nobody can listen now");
        http_answer_error(x, &err);
        return;
    }
    *l = (struct listener){ .feed = f,
                            .next = f->listeners,
                            .scope = in->scope,
                            .who = in->who,
                            .after = in->after,
                            .known = in->head,
                            .until_ms = in->until_ms,
                            .since_ms = loop_mono_ms(f->options.loop) };
    if (http_stream_begin(x, "text/event-stream",
                          &(struct http_stream_calls){ on_taken, on_ended, l })) {
        alloc_free(l);
        return;
    }
    if (l->next)
        l->next->prev = l;
    f->listeners = l;
    if (!f->n_listeners++) { /* nothing was read while nobody listened */
        f->head = in->head;
        loop_timer_set(f->ping, l->since_ms + f->options.ping_ms);
    }
    feed_news(f); /* what came since the head was asked for */
}

void feed_news(struct feed *f)
{
    f->has_more_news = 1;
    serve_soon(f);
}

size_t feed_count(const struct feed *f)
{
    return f->n_listeners;
}

void feed_stop(struct feed *f, loop_fn *ended, void *ctx)
{
    f->is_stopping = 1;
    f->ended = ended;
    f->ended_ctx = ctx;
    serve_soon(f);
}
