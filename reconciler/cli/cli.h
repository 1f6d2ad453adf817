/*
 * cli: what every verb is given. SPDX-License-Identifier: Apache-2.0
 *
 * A verb is a row of verbs.def and a function. It answers 0 or an ERR_* with a sentence; main prints the
 * sentence and turns the code into the exit status of errcodes.def.
 *
 * Memory   everything lives in the process's arena.
 * Thread   one.
 */
#pragma once

#include <stdio.h>
#include <sys/types.h>

#include "reconciler/cli/args.h"
#include "reconciler/cli/options.h"
#include "reconciler/core/render.h"
#include "specs/spec.h"

struct cli {
    struct arena *arena;
    struct cli_args args;
    char **argv; /* as it was started */
    FILE *out, *err_out;
    int err_is_terminal, colour;
    int can_draw;               /* standard output is a terminal that can move its cursor */
    size_t width;               /* its columns; 0: not known, or no terminal */
    const struct value *daemon; /* normalised; NULL until config_need() */
    const char *config_path;
    struct str config_text;
    struct client *client; /* made by the first call */
    int is_copy;           /* a standby answered, and it was said */
    int is_local;          /* the last GET was answered from the state file */
    int write_error;       /* the first errno of standard output; 0: none */
};

typedef int cli_verb_fn(struct cli *c, struct err *err);

enum cli_need { NEED_NOTHING, NEED_STATE, NEED_LOCK, NEED_DAEMON };
enum cli_group {
    GROUP_LOOK,
    GROUP_CHANGE,
    GROUP_STOP,
    GROUP_RUN,
    GROUP_PROVE,
    GROUP_HIDDEN,
    N_CLI_GROUPS
};

struct cli_verb {
    const char *name;
    enum cli_group group;
    enum cli_need need;
    size_t args_min, args_max;
    const char *args; /* "ENV", as shown */
    unsigned options; /* set of OPTION_* */
    const char *help; /* one line */
    const char *more; /* below the options; "" for none */
    cli_verb_fn *run;
};
const struct cli_verb *cli_verbs(size_t *ret_n);
const struct cli_verb *cli_find_verb(struct str name); /* NULL */
/* The nearest name, or STR_NONE. */
struct str cli_nearest_verb(struct str name);

int cli_main(int argc, char **argv);

/* The story, the verbs by what one wants, examples. */
void help_write(struct cli *c);
void help_write_verb(struct cli *c, const struct cli_verb *verb);
const char *help_group(enum cli_group group); /* its title; NULL: it is not shown */

/* --- what verbs use ------------------------------------------------------------------------------ */

struct str cli_arg(const struct cli *c, size_t i); /* positional, STR_NONE when absent */
/* As many hex digits as name a plan. */
int cli_is_plan_id(struct str word);
struct str cli_text(const struct value *map, const char *key); /* S("") when absent */
struct str cli_joined(struct cli *c, const struct value *list, const char *between);
struct str cli_ago(struct cli *c, int64_t time_ms); /* "2 m ago"; "never" of 0 */
/* "/api/v1/WHAT/WORD" and the rest; whatever WORD holds, it stays one word. */
struct str cli_path(struct cli *c, const char *what, struct str word, const char *rest);
void cli_query_number(struct cli *c, struct value *query, const char *name, int64_t number);
/* As args_time.h reads it; nothing where `text` is not given. */
int cli_query_time(struct cli *c, struct value *query, const char *name, struct str text,
                   struct err *err);
/* What was written into the arena's builder goes out. */
void cli_write(struct cli *c, struct sb *b);
/* A line about what happens, on standard error; not with --quiet. */
void cli_note(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One of several failures, on standard error; the verb goes on. */
void cli_report(struct cli *c, const struct err *err);
/* -o json: write it and answer 1. On a terminal, too, no character of it is one that steers. */
int cli_wrote_json(struct cli *c, const struct value *v);
void cli_write_json(struct cli *c, const struct value *v); /* whatever was asked for */
struct render cli_render(struct cli *c, struct sb *b);
/* For the terminal, or as a comment. `about`: of render_plan(). */
void cli_write_plan(struct cli *c, const struct plan *p, const struct value *about);

/* Of the API's answer: its document and what is said about it. */
int cli_show_plan(struct cli *c, const struct value *answer, struct err *err);
/* Of plan_differ_value(). */
void cli_show_difference(struct cli *c, const struct value *difference);

/* The Daemon document that applies; its messages are printed. ERR_INVALID, ERR_NOT_FOUND. */
int config_need(struct cli *c, struct err *err);
/* What stands there now, of a daemon that runs. As above, and ERR_IO. */
int config_again(struct arena *a, const char *path, const struct value **ret, struct err *err);
/* Says what of it this version does not act on. ERR_INVALID: a daemon would break a promise. */
int config_serves(struct cli *c, struct err *err);
/* Whom `user:` of the Daemon document names; ERR_INVALID: nobody. */
int config_user(struct cli *c, uid_t *ret_uid, gid_t *ret_gid, struct err *err);
/* Started as root: become `user:` of the Daemon document, for good. */
int config_drop(struct cli *c, struct err *err);
/* As root: become the owner of a file that is read, where he can read it. */
int config_drop_to_owner(const char *path, struct err *err);

/* --server names a URL: nothing of this machine is asked. */
int cli_is_remote(const struct cli *c);
/* GET: from the daemon, else from the state file where the verb's row allows. `query`: {name: text} or NULL. */
int cli_get(struct cli *c, struct str path, const struct value *query, struct value **ret,
            struct err *err);
int cli_post(struct cli *c, struct str path, const struct value *body, struct value **ret,
             struct err *err);

/* Follow a plan until it ends or waits. What c->arena holds is gone afterwards. */
int progress_follow(struct cli *c, struct str env, struct str plan, struct err *err);
