/*
 * feed_page: events in the form in which a feed sends them, and the newest of them. SPDX-License-Identifier: Apache-2.0
 *
 * A page holds what comes after one event, up to another. Those that are kept follow each other without a gap, so whoever
 * stands within them is served from them.
 *
 * Memory   a page has an arena of its own. Texts that are asked with are borrowed for the call.
 * Thread   one at a time.
 * Fails    ERR_NOMEM.
 * Limits   FEED_PAGES_MAX pages of FEED_PAGE_EVENTS are kept, of FEED_KEPT_BYTES in all, but always the newest; a push has
 *          FEED_PUSH_BYTES, and one event more.
 */
#pragma once

#include "specs/value.h"

#define FEED_PAGE_EVENTS 128
#define FEED_PAGES_MAX 256
#define FEED_KEPT_BYTES (1u << 20)
#define FEED_PUSH_BYTES (32u << 10)

struct feed_event;

struct feed_page {
    struct arena arena;
    struct feed_page *next;
    int64_t after, last; /* holds what is after the one, up to the other */
    struct feed_event *events;
    size_t n, n_bytes, n_ends;
};

struct feed_page *feed_page_new(int64_t after); /* NULL: out of memory */
void feed_page_free(struct feed_page *page);
/* Of a list as of the route history, the oldest first. */
int feed_page_fill(struct feed_page *page, const struct value *list, struct err *err);
/* What of it comes after `after` and is of these environments (NULL: of all), as far as it fits into a push. Answers up to where. */
int64_t feed_page_add(const struct feed_page *page, const struct value *scope, int64_t after,
                      struct sb *ret);
/* Whether something after `after` says that who is known as `who` is known no more. */
int feed_page_ends(const struct feed_page *page, struct str who, int64_t after);

struct feed_pages {
    struct feed_page *first, *last; /* the oldest and the newest */
    size_t n, n_bytes;
};

void feed_pages_keep(struct feed_pages *p, struct feed_page *take_page);
void feed_pages_forget(struct feed_pages *p); /* all of them */
/* What comes after `after` begins in them. */
int feed_pages_reach(const struct feed_pages *p, int64_t after);
