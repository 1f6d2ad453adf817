/*
 * options: what a verb may be given besides words. SPDX-License-Identifier: Apache-2.0
 *
 * One table. A verb has the rows that every verb has and those of the sets that its row of verbs.def names; several verbs
 * may share a letter or a name, so who asks says whose options these are: `of`, a set of OPTION_*.
 *
 * Memory   rows are static.
 */
#pragma once

#include "base/str.h"

struct sb;

#define OPTIONS_MAX 96        /* rows of the table */
#define OPTIONS_LETTERS 0x100 /* keys below are letters */

enum cli_option { /* sets of verbs.def */
                  OPTION_REASON = 1u << 0,
                  OPTION_ALL = 1u << 1,
                  OPTION_RECORDED = 1u << 2,
                  OPTION_FILE = 1u << 3,
                  OPTION_HISTORY = 1u << 4, /* --at, --actor, --plan, --commit */
                  OPTION_SERVICE = 1u << 5,
                  OPTION_UNTIL = 1u << 6,
                  OPTION_AS = 1u << 7,
                  OPTION_LINES = 1u << 8,
                  OPTION_RAW = 1u << 9, /* --raw, --gone */
                  OPTION_LIMIT = 1u << 10,
                  OPTION_AUDIT =
                      1u << 11, /* --replay, --incremental, --anchors, --authority, -o csv .. */
                  OPTION_HOLD_ALL = 1u << 12,
                  OPTION_NO_WAIT = 1u << 13,
                  OPTION_EXIT_CODE = 1u << 14,
                  OPTION_TIMEOUT = 1u << 15,
                  OPTION_SINCE = 1u << 16,
                  OPTION_CLOCK = 1u << 17,
                  OPTION_SIGN = 1u << 18,
                  OPTION_OVERRIDE = 1u << 19,
                  OPTION_BREAK_GLASS = 1u << 20,
                  OPTION_MARKDOWN = 1u << 21,
                  OPTION_BUNDLE = 1u << 22,
                  OPTION_DIFF = 1u << 23,
                  OPTION_REF = 1u << 24,
                  OPTION_SARIF = 1u << 25, /* -o sarif */
                  OPTION_TOKEN = 1u << 26, /* --role, --env, --expires, --admin */
                  OPTION_FOLLOW = 1u << 27,
                  OPTION_ALONE = 1u << 28,
                  OPTION_FENCED = 1u << 29, /* --primary-is-fenced, --without-keys */
                  OPTION_SPAN = 1u << 30,   /* --from, --to */
};

/* Keys of options without a letter. */
enum options_key {
    KEY_SERVER = OPTIONS_LETTERS,
    KEY_COLOUR,
    KEY_REASON,
    KEY_ALL,
    KEY_RECORDED,
    KEY_AT,
    KEY_SINCE,
    KEY_SERVICE,
    KEY_UNTIL,
    KEY_AS,
    KEY_RAW,
    KEY_GONE,
    KEY_REPLAY,
    KEY_HOLD_ALL,
    KEY_NO_WAIT,
    KEY_CLOCK,
    KEY_SIGN,
    KEY_BUNDLE,
    KEY_OVERRIDE,
    KEY_BREAK_GLASS,
    KEY_EXIT_CODE,
    KEY_TIMEOUT,
    KEY_DIFF,
    KEY_REF,
    KEY_TOKEN,
    KEY_CA,
    KEY_ROLE,
    KEY_ENV,
    KEY_EXPIRES,
    KEY_ADMIN,
    KEY_FOLLOW,
    KEY_ALONE,
    KEY_FENCED,
    KEY_WITHOUT_KEYS,
    KEY_ACTOR,
    KEY_PLAN,
    KEY_COMMIT,
    KEY_FROM,
    KEY_TO,
    KEY_INCREMENTAL,
    KEY_ANCHORS,
    KEY_AUTHORITY,
    KEY_VERSION,
};

struct options_row {
    unsigned of; /* set of OPTION_*: verbs with one of them have it; 0: every verb */
    const char *name;
    int key;           /* its letter, or a KEY_ */
    const char *value; /* NULL: it takes none */
    const char *help;
};

const struct options_row *options_get(size_t i); /* the i-th row; NULL: there are no more */
int options_has(unsigned of, const struct options_row *row);
int options_letter(const struct options_row *row); /* 0: it has none */
/* NULL: none of these has it. */
const struct options_row *options_find_key(unsigned of, int key);
/* Whole, or as its only beginning as getopt takes it; NULL: none, or several. */
const struct options_row *options_find_name(unsigned of, struct str name);
/* The whole name that may have been meant; STR_NONE: none is near. */
struct str options_nearest(unsigned of, struct str name);
/* As help shows them. */
void options_write(struct sb *b, unsigned of);
