/*
 * args: the command line as a struct. SPDX-License-Identifier: Apache-2.0
 *
 * Options are rows of options.h; a value that is wrong is told by the option's whole name.
 *
 * Fails    ERR_USAGE with a sentence that names the option.
 */
#pragma once

#include "base/str.h"
#include "base/vec.h"

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
