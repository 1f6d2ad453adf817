/*
 * notify_template: a text of a recipient's own, filled with what is said. SPDX-License-Identifier: Apache-2.0
 *
 * `{NAME}` of NOTIFY_PLACEHOLDERS becomes what the message says, cut as everywhere; what it does not say becomes nothing. Both
 * what stands in the template and what is filled in come from outside: each goes its way into the medium, which makes it
 * harmless there. Nothing that was filled in is read again. What is over `max` bytes is left out, whole pieces of it.
 *
 * Pure. Memory: the arena given.
 */
#pragma once

#include "base/str.h"

struct notify_message;

typedef void notify_template_add(struct sb *b, struct str text);
struct notify_template_ways { /* into a medium */
    notify_template_add *text, *value;
};

/* `title`: as it is made, of words of ours. */
struct str notify_template_fill(struct arena *a, struct str template,
                                const struct notify_message *m, struct str title,
                                const struct notify_template_ways *ways, size_t max);
