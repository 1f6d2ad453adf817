/*
 * once: the header Idempotency-Key. SPDX-License-Identifier: Apache-2.0
 *
 * A client that lost an answer sends the same again: within COMMAND_ONCE_MS it is done once, for the same
 * actor, method, path and key. Another body with that key is a mistake.
 *
 * Thread   any.
 * Fails    ERR_USAGE: not a key, or not of a command whose answer can be said twice.
 */
#pragma once

#include "reconciler/engine/command.h"
#include "reconciler/http/server.h"

#define ONCE_KEY_MAX 128

/* Sets `once` and `once_body` of a command whose verb is set; nothing where there is no such header. */
int once_read(const struct http_exchange *x, struct str actor, struct command *c, struct err *err);
