/*
 * feed: events as they come, to whoever listens. SPDX-License-Identifier: Apache-2.0
 *
 * What is new is read once and kept for a while in pages that all listeners are served from; who is
 * further behind than those pages is served from the database, a page at a time, until it has caught up.
 * A listener gets the next bytes when it has taken the ones before: nothing is buffered for it beyond that,
 * and who takes nothing is cut by the server (HTTP_STREAM_MS).
 *
 * A stream ends with what its listener has shown: when that expires, is revoked, or the person signs out or gets
 * another password. Others are heard for FEED_LIFE_MS, too, and no longer.
 *
 * Server-sent events: `id` is the event's seq, `event` its kind, `data` it as JSON. A comment is sent every
 * FEED_PING_MS, which finds out who is gone.
 *
 * Owns     its listeners and pages.
 * Thread   the loop's; `read` runs on POOL_QUERY.
 * Fails    ERR_NOMEM.
 * Limits   those of feed_page.h; FEED_READINGS_MAX pages are read at once, for whoever they are.
 */
#pragma once

#include "reconciler/http/feed_page.h"
#include "reconciler/http/server.h"

#define FEED_PING_MS 15000
#define FEED_LIFE_MS (10 * 60 * 1000) /* then a stream ends: who comes again says again who it is */
#define FEED_HELLO "retry: 2000\n\n"  /* ms after which a browser comes again */
#define FEED_READINGS_MAX 2

struct feed;

/* The events after `after`, the oldest first, at most FEED_PAGE_EVENTS: a list as of the route history. */
typedef int feed_read(void *ctx, struct arena *a, int64_t after, const struct value **ret,
                      struct err *err);

struct feed_options {
    struct loop *loop;
    feed_read *read;
    void *ctx;
    int64_t ping_ms, life_ms; /* 0: as above; shorter in tests */
};

struct feed_listener {         /* who, and from where on */
    const struct value *scope; /* environments; NULL: all. As long as the exchange */
    int64_t after, head;       /* head: an event at which it was known who this is */
    struct str who;   /* the subject of events about it; "": of none. As long as the exchange */
    int64_t until_ms; /* its end by the wall clock; 0: none */
};

struct feed *feed_new(const struct feed_options *options);
/* The exchange is answered, with the stream or with an error. */
void feed_join(struct feed *f, struct http_exchange *x, const struct feed_listener *in);
/* Events were written. */
void feed_news(struct feed *f);
size_t feed_count(const struct feed *f); /* listeners */
/* Every stream ends; then `ended` is called and the feed is gone. */
void feed_stop(struct feed *f, loop_fn *ended, void *ctx);
