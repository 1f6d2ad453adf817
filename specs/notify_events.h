/*
 * notify_events: the words of what somebody can be told (notify_events.def). SPDX-License-Identifier: Apache-2.0
 *
 * Pure.
 */
#pragma once

#include <stddef.h>

#include "base/str.h"

enum notify_scope { NOTIFY_ENVIRONMENT, NOTIFY_DAEMON, NOTIFY_FORGE };
enum notify_end { NOTIFY_EACH, NOTIFY_TERMINAL };
enum notify_severity { NOTIFY_INFO, NOTIFY_WARNING, NOTIFY_ERROR, NOTIFY_CRITICAL };

enum notify_word {
#define NOTIFY_WORD(word, scope, end, severity, title, text) NOTIFY_IS_##word,
#include "specs/notify_events.def"
    N_NOTIFY_WORDS
};

struct notify_event {
    const char *word;
    enum notify_scope scope;
    enum notify_end end;
    enum notify_severity severity;
    const char *title, *text;
};
extern const struct notify_event notify_events[N_NOTIFY_WORDS];

struct notify_made { /* what makes it */
    enum notify_word word;
    const char *record, *column, *from, *to;
};
extern const struct notify_made notify_events_made[];
extern const size_t notify_events_n_made;

/* "a|b": what an environment's `on` may name, and the daemon's. */
#define NOTIFY_EVENTS_WORDS (notify_events_words + 1)
#define NOTIFY_EVENTS_DAEMON_WORDS (notify_events_daemon_words + 1)
extern const char notify_events_words[], notify_events_daemon_words[]; /* each behind a '|' */

/* What a template may name, each in braces. */
#define NOTIFY_PLACEHOLDERS "env|plan|commit|summary|author|actor|text|link|title"

const struct notify_event *notify_events_find(struct str word); /* NULL: none */
/* info warning error critical */
const char *notify_events_severity(enum notify_severity severity);
/* Whether that text makes it, whatever it was before. */
int notify_events_is_meant(const struct notify_made *made, struct str now);
/* Whether a column that was `before` and is `now` makes it; STR_NONE: null, or there was no row. */
int notify_events_matches(const struct notify_made *made, struct str before, struct str now);
/* The table of docs/notifications.md. */
struct str notify_events_page(struct arena *a);
