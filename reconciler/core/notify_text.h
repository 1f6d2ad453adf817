/*
 * notify_text: a message in words, as a medium takes them. SPDX-License-Identifier: Apache-2.0
 *
 * A message is a map: {word, env?, subject, text?, plan?, commit?, author?, summary?, actor?, revision?}, for several that
 * became one {word: digest, n, counts: {WORD: N}, lines: [..]}, of a test {word: test ..}. Pure.
 *
 * Memory   the arena given.
 * Limits   NOTIFY_TEXT_MAX, NOTIFY_FIELD_MAX bytes; NOTIFY_LINES_MAX lines of a digest.
 */
#pragma once

#include "reconciler/core/notify_template.h"
#include "specs/notify_events.h"
#include "specs/value.h"

#define NOTIFY_TEXT_MAX 2000u
#define NOTIFY_FIELD_MAX 300u
#define NOTIFY_LINES_MAX 20u

struct notify_message {
    struct str id; /* the same at each attempt */
    int64_t made_ms, now_ms;
    enum notify_severity severity;
    const struct value *says;
    struct str link;              /* "": there is none */
    const struct value *template; /* {title?, text?} of the recipient; NULL: as it is made */
};

extern const struct notify_template_ways notify_text_plain, notify_text_slack;

/* What it says under a key; "": nothing. */
struct str notify_text_get(const struct notify_message *m, const char *key);
int notify_text_is_digest(const struct notify_message *m);
int notify_text_is_test(const struct notify_message *m);

/* "applied": of a word. */
struct str notify_text_title_of(struct str word);
/* "prod: applied", or as the template says. */
struct str notify_text_title(struct arena *a, const struct notify_message *m,
                             const struct notify_template_ways *ways);
/* What stands behind the title, a line each; or as the template says. */
struct str notify_text_lines(struct arena *a, const struct notify_message *m,
                             const struct notify_template_ways *ways);
/* "2026-11-22T23:59:01Z" */
struct str notify_text_time(struct arena *a, int64_t time_ms);
/* At most `max` bytes, cut at the end of a character. */
struct str notify_text_cut(struct str text, size_t max);
