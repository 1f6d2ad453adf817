/*
 * breaker: whether a provider is asked at all (DESIGN 7). SPDX-License-Identifier: Apache-2.0
 *
 * After BREAKER_FAILED_MAX failures or BREAKER_LATE_MAX deadlines in a row it is open: calls are refused, and one
 * is let through after a back-off. Whatever call is answered closes it again.
 *
 * Times are monotonic milliseconds. Pure.
 */
#pragma once

#include <stdint.h>

#include "providers/api/driver.h"

#define BREAKER_FAILED_MAX 5
#define BREAKER_LATE_MAX 3

enum breaker_answer {
    BREAKER_ANSWERED, /* whatever it said */
    BREAKER_FAILED,   /* it cannot be reached, and nothing happened */
    BREAKER_LATE,     /* the call's deadline passed */
    BREAKER_SILENT,   /* says nothing about the provider */
};

struct breaker_facts {
    enum rv_verdict verdict;
    enum rv_acted acted;
    int is_late;
    int is_cancelled; /* by us, before it was over */
    int is_health;    /* what fails may be the instance that was looked at */
};

struct breaker {
    int64_t n_failed, n_late; /* in a row */
    int64_t n_opened;         /* in a row: ever longer back-offs */
    int64_t since_ms;         /* the first failure of them */
    int64_t again_ms;         /* open: when a call is let through */
    int is_open, is_trying;
};

enum breaker_pass {
    BREAKER_PASSES,
    BREAKER_TRIES, /* the one that is let through */
    BREAKER_REFUSES,
};

enum breaker_news { BREAKER_NO_NEWS, BREAKER_OPENS, BREAKER_CLOSES };

enum breaker_answer breaker_judge(const struct breaker_facts *facts);
/* Before a call; each that is not refused is noted when it is over. */
enum breaker_pass breaker_ask(struct breaker *b, int64_t now_ms);
enum breaker_news breaker_note(struct breaker *b, enum breaker_pass pass,
                               enum breaker_answer answer, int64_t now_ms, uint64_t random);
/* Open: when to ask again. */
int64_t breaker_wait_ms(const struct breaker *b, int64_t now_ms);
