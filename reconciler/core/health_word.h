/*
 * health_word: what an instance says of itself, in JSON. SPDX-License-Identifier: Apache-2.0
 *
 * Pure. The word is the text at a path of the answer; true, false and integers are the text they are.
 */
#pragma once

#include "specs/value.h"

#define HEALTH_WORD_BYTES_MAX 65536 /* of an answer */

enum health_word { HEALTH_WORD_HEALTHY, HEALTH_WORD_DEGRADED, HEALTH_WORD_BAD };

/* `expect`: {path, healthy: [..], degraded: [..]}. `*ret_says` explains all but HEALTHY. */
enum health_word health_word_judge(struct arena *a, const struct value *expect, struct str body,
                                   struct str *ret_says);
