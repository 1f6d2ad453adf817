/*
 * upgrade: the program that was installed meanwhile goes on in this process. SPDX-License-Identifier: Apache-2.0
 *
 *   CHECK -> OVER      the new program is asked whether it would start: `reeve check`
 *
 * What listens stays open in between: who connects waits in the kernel for the new program, nobody is refused.
 * What was being applied goes on as after any stop. A program that would not start changes nothing.
 *
 * Memory   its own arena.
 * Thread   the loop's.
 * Fails    upgrade_become(): ERR_IO, once the sockets were moved; the process can only end then.
 */
#pragma once

#include "reconciler/cli/service.h"
#include "reconciler/rt/wait.h"

#define UPGRADE_CHECK_MS 60000

struct upgrade {
    struct task task;
    struct arena arena;
    struct exec_request request;
    struct exec_result result;
    const char *argv[6];
    int is_asked;     /* a check runs */
    loop_fn *granted; /* the new program would start */
    void *ctx;
};

/* Ask the program at `self`, with this configuration; then `granted` is called, or the log says why not. Nothing
 * while it is being asked. */
void upgrade_start(struct upgrade *u, struct loop *loop, const char *self, const char *config,
                   loop_fn *granted, void *ctx);
/* Does not come back where it succeeds. `argv` as we were started. */
int upgrade_become(const char *self, char **argv, const struct http_given *doors, struct err *err);
