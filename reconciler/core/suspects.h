/*
 * suspects: who was in work each time the daemon died. SPDX-License-Identifier: Apache-2.0
 *
 * Pure. Deaths are a list of {at_ms, envs: [uid]}, oldest first, as it is stored.
 *
 * Memory   the arena given; texts are borrowed.
 */
#pragma once

#include "specs/value.h"

#define SUSPECTS_DEATHS 3
#define SUSPECTS_WITHIN_MS (5 * 60000)

/* The deaths that still count, with the new one; `ret_suspects` a list of those who were in work at every one of
 * SUSPECTS_DEATHS, empty where there are fewer. After a verdict the count begins anew. */
struct value *suspects_note(struct arena *a, const struct value *before, int64_t at_ms,
                            const struct value *in_work, struct value **ret_suspects);
/* 1: one died so lately that it is looked who does it. */
int suspects_are_sought(const struct value *deaths, int64_t now_ms);
