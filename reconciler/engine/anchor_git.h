/*
 * anchor_git: a repository that keeps heads of the history, asked through the worker. SPDX-License-Identifier: Apache-2.0
 *
 * Each daemon has a folder there, named by its installation. A line is appended where the branch is still as it was
 * read, and nothing is ever forced. A start begins the task's wait; its answer is parsed in the state after it, as with
 * source.h.
 *
 * Memory   borrows what it is given for as long as it lives; answers are views into the arena.
 * Thread   the loop's; a parse runs on any.
 * Fails    parse: ERR_CONFLICT, the place contradicts what was brought there; ERR_STALE, somebody pushed meanwhile;
 *          ERR_UNREACHABLE, ERR_TIMEOUT, ERR_REFUSED, ERR_LIMIT.
 */
#pragma once

#include "reconciler/rt/wait.h"
#include "specs/value.h"

struct anchor_git {
    const char *const *worker;  /* { "/usr/bin/reeve", "git-worker", NULL } */
    const struct value *config; /* of the place */
    struct str mirror;          /* absolute; made when absent */
    struct str folder;          /* the installation */
    int64_t timeout_ms;
    int64_t memory_bytes, cpu_s; /* of the worker; 0: no limit */
};

struct anchor_git_call {
    struct exec_request exec;
    struct exec_result result;
};

/* What stands there, and the commit that it is of; tip STR_NONE: the branch is not there yet. */
struct anchor_git_there {
    struct str tip, text;
};

/* `known`: the commit that was brought there last; STR_NONE: none was. */
void anchor_git_read(const struct anchor_git *g, struct task *t, struct arena *a,
                     struct str password, struct str known, struct anchor_git_call *call);
int anchor_git_read_parse(struct arena *a, const struct anchor_git_call *call,
                          struct anchor_git_there *ret, struct err *err);

void anchor_git_push(const struct anchor_git *g, struct task *t, struct arena *a,
                     struct str password, struct str tip, struct str line, int64_t time_ms,
                     struct anchor_git_call *call);
int anchor_git_push_parse(struct arena *a, const struct anchor_git_call *call,
                          struct str *ret_commit, struct err *err);
