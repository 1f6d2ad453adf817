/*
 * args: the command line as a struct. SPDX-License-Identifier: Apache-2.0
 *
 * One table of options (args.c); each verb takes the common ones and those its row names.
 *
 * Fails    ERR_USAGE with a sentence that names the option.
 */
#pragma once

#include "base/str.h"
#include "base/vec.h"

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

enum cli_output {
    OUTPUT_TEXT,
    OUTPUT_JSON,
    OUTPUT_MARKDOWN,
    OUTPUT_SARIF,
    OUTPUT_JSONL,
    OUTPUT_CSV
};
enum cli_colour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

struct cli_verb;

struct cli_args {
    struct arena *arena;
    const struct cli_verb *verb; /* NULL: none was given */
    VEC(struct str) words;       /* positional */
    const char *config, *server, *token, *ca, *file, *sign, *bundle, *anchors, *authority;
    struct str reason, at, since, from, to, service, until, as, ref, follow, alone, fenced;
    struct str actor, plan, commit;
    enum cli_output output;
    enum cli_colour colour;
    int quiet, help, version;
    int all, recorded, raw, gone, replay, hold_all, no_wait, exit_code, clock, override,
        break_glass, diff, without_keys, incremental;
    int admin;
    VEC(struct str) roles, envs; /* as often as one likes */
    struct str expires;
    int64_t lines, limit, timeout_ms; /* 0: not given */
    struct err refusal;               /* of a value, while options are read */
};

int args_parse(struct arena *a, int argc, char **argv, struct cli_args *ret, struct err *err);
/* The options of a verb as help shows them. */
void args_write_options(struct sb *b, unsigned options);

struct args_option {
    unsigned of; /* set of OPTION_*: verbs with one of them have it; 0: every verb */
    int letter;  /* 0: none */
    const char *name, *value, *help; /* value NULL: it takes none */
};
/* The i-th row of the table; 0: there are no more. */
int args_option(size_t i, struct args_option *ret);
