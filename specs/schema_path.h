/*
 * schema_path: where in a document a message is about. SPDX-License-Identifier: Apache-2.0
 *
 * Made on the stack while walking, from the inside out; written only when there is a message.
 */
#pragma once

#include "specs/spec.h"

struct schema_path {
    const struct schema_path *outer; /* NULL: the document itself */
    struct str name;
};

/* "services.api.port: ", or "" for the document itself. */
struct str schema_path_text(struct arena *a, const struct schema_path *path);

/* An error about `path`; fmt is a literal. */
#define schema_complain(a, m, path, place, rule, hint, fmt, ...)                                   \
    spec_message_add((m), SPEC_ERROR, (place), S(rule), (hint), "%.*s" fmt,                        \
                     STR_ARG(schema_path_text((a), (path))) __VA_OPT__(, ) __VA_ARGS__)

/* A value as a message quotes it: 'VALUE'. One that is longer than a slip may be a secret in the wrong place, and
 * messages are kept and shown: "this". */
#define SCHEMA_SHOWN_MAX 20
struct str schema_shown(struct arena *a, struct str text);

/* The nearest of several names to a misspelt one. */
#define SCHEMA_HINT_DISTANCE 3u
struct schema_nearest {
    struct str wanted, name; /* name.n 0: none is near */
    size_t distance;
};
struct schema_nearest schema_nearest_to(struct str wanted);
void schema_nearest_try(struct schema_nearest *n, struct str name);
void schema_nearest_try_words(struct schema_nearest *n, const char *words); /* "a|b" */
/* "did you mean 'NAME'?" or STR_NONE. */
struct str schema_nearest_hint(struct arena *a, const struct schema_nearest *n);

int schema_is_word(struct str text, const char *words); /* "a|b", NULL is none */
