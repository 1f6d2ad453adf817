/*
 * notify_test: each recipient of an environment, or of the daemon, is sent a test now. SPDX-License-Identifier: Apache-2.0
 *
 *   FIND -> SENT -> OVER
 *
 * Who asked is an event, `notify.tested`, before the first is sent; what they answer is in the result alone: nothing of it
 * is in the outbox, in the history or counted as told. An answer is good or bad once, nobody is asked again.
 *
 *     {environment, recipients: [{name, type, state: taken|failed|skipped, message?}]}
 *
 * Thread   the loop's; finding on STATE.
 * Fails    ERR_NOT_FOUND: nobody is told; ERR_THROTTLED; ERR_LIMIT.
 * Limits   NOTIFY_TESTS_MAX tests in NOTIFY_TESTS_MS of one environment, or of the daemon; NOTIFY_TESTED_MAX recipients a test.
 */
#pragma once

#include <stdint.h>

#include "reconciler/engine/command.h"

#define NOTIFY_TESTS_MAX 5
#define NOTIFY_TESTS_MS ((int64_t)60 * 1000)
#define NOTIFY_TESTED_MAX 32

struct notify_tests { /* the last ones, the loop's; all zero: none */
    int64_t at_mono_ms[NOTIFY_TESTS_MAX];
    size_t n;
};

/* A command whose `id` is the name of a recipient, "" for all of them; `env` "": the daemon's. */
void notify_test_start(struct engine *e, struct command_call *call, task_ended *ended, void *ctx);
