/*
 * retry: what an answer means for an operation (PROTOCOL 1, "Not done"). SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdint.h>

#include "base/str.h"
#include "providers/api/driver.h"

#define RETRY_FIRST_MS 1000
#define RETRY_LAST_MS 300000
#define RETRY_TIMES_MAX 8
#define RETRY_ASKED_MAX_S 600000 /* nobody means more */

enum retry_next {
    RETRY_SETTLED, /* it says done: read it back */
    RETRY_PENDING, /* wait for poll_at, then resume */
    RETRY_AGAIN,   /* nothing happened: same key after a back-off */
    RETRY_LOOK,    /* it may have happened: read first */
    RETRY_FAILED,  /* ends the operation */
    RETRY_SUPERSEDED,
    RETRY_CANCELLED,
};

struct retry_facts {
    enum rv_verdict verdict;
    enum rv_acted acted;
    int64_t attempt; /* this one; the first is 1 */
    int for_ever;    /* reverts and stops are tried until they succeed */
};

enum retry_next retry_judge(const struct retry_facts *facts);
/* Doubling from RETRY_FIRST_MS to RETRY_LAST_MS, less up to a quarter by `random`. */
int64_t retry_delay_ms(int64_t attempt, uint64_t random);
/* What the headers of an answer ask for by Retry-After, in seconds: a date is not read. 0: nothing. */
int64_t retry_asked_ms(struct str headers);
