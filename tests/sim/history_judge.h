/*
 * history_judge: how a history that came to rest must have ended, and what is there where it did not.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "tests/sim/history.h"

/* What is wrong goes to `broken`. Retried: what was in quarantine was lifted before the end. */
void history_judge(struct history *h, int was_retried);
/* To stderr: the seed, each environment, and what is not over. */
void history_dump(struct history *h);
