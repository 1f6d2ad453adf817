/*
 * forge_task: asks a forge for the checks of one commit. SPDX-License-Identifier: Apache-2.0
 *
 *   SIGN_IN -> ASK -> HEARD -> NEXT -> ASK ..      one question after the other, page by page
 *
 * Whatever is no whole answer is none: task.rc says why, and names no credentials.
 *
 * Memory   facts live in the arena given.
 * Thread   the loop's; parsing on FILE.
 * Limits   FORGE_ANSWER_MAX bytes a page, CHECKS_PAGES_MAX pages.
 */
#pragma once

#include "reconciler/core/checks.h"
#include "reconciler/rt/wait.h"

#define FORGE_ANSWER_MAX ((size_t)4 << 20)

struct engine;

struct forge_task {
    struct task task;
    /* set by the caller */
    struct engine *engine;
    const struct value *config; /* sources.NAME.forge */
    struct str commit;
    struct arena *arena;
    /* own */
    struct check_facts facts;
    char *sign_in; /* wiped */
    const char *headers[4];
    struct http_request request;
    struct http_reply reply;
    size_t question, page;
    int has_more;
};

void forge_task_start(struct forge_task *f, task_ended *ended, void *ctx);
