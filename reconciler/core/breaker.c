/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/breaker.h"

#include "reconciler/core/retry.h"

#define BREAKER_DOUBLES_MAX 7 /* about a minute: one call more or less costs nobody anything */

/* clang-format off */
static const struct {
    enum breaker_answer not_acted, acted;
} breaker_rows[] = {
    /*                 acted no            acted maybe, yes */
    [RV_DONE]      = { BREAKER_ANSWERED,   BREAKER_ANSWERED },
    [RV_PENDING]   = { BREAKER_ANSWERED,   BREAKER_ANSWERED },
    [RV_USER]      = { BREAKER_ANSWERED,   BREAKER_ANSWERED },
    [RV_WAIT]      = { BREAKER_SILENT,     BREAKER_SILENT },
    [RV_RETRY]     = { BREAKER_FAILED,     BREAKER_SILENT }, /* the look that follows says it */
    [RV_STALE]     = { BREAKER_ANSWERED,   BREAKER_ANSWERED },
    [RV_ABSENT]    = { BREAKER_ANSWERED,   BREAKER_ANSWERED },
    [RV_CANCELLED] = { BREAKER_SILENT,     BREAKER_SILENT },
    [RV_FATAL]     = { BREAKER_SILENT,     BREAKER_SILENT },
};
/* clang-format on */

enum breaker_answer breaker_judge(const struct breaker_facts *facts)
{
    enum breaker_answer answer = facts->acted == RV_ACTED_NO
                                     ? breaker_rows[facts->verdict].not_acted
                                     : breaker_rows[facts->verdict].acted;

    if (answer == BREAKER_ANSWERED || facts->is_cancelled)
        return answer == BREAKER_FAILED ? BREAKER_SILENT : answer;
    if (facts->is_late)
        return BREAKER_LATE;
    return facts->is_health ? BREAKER_SILENT : answer;
}

enum breaker_pass breaker_ask(struct breaker *b, int64_t now_ms)
{
    if (!b->is_open)
        return BREAKER_PASSES;
    if (b->is_trying || now_ms < b->again_ms)
        return BREAKER_REFUSES;
    b->is_trying = 1;
    return BREAKER_TRIES;
}

/* Only the call that was let through makes an open one wait longer: others began before it opened, or were not
 * asked for leave. */
static enum breaker_news breaker_note_failure(struct breaker *b, enum breaker_pass pass,
                                              enum breaker_answer answer, int64_t now_ms,
                                              uint64_t random)
{
    if (!b->n_failed++)
        b->since_ms = now_ms;
    b->n_late += answer == BREAKER_LATE;
    if (b->is_open ? pass != BREAKER_TRIES
                   : b->n_failed < BREAKER_FAILED_MAX && b->n_late < BREAKER_LATE_MAX)
        return BREAKER_NO_NEWS;
    if (b->n_opened < BREAKER_DOUBLES_MAX)
        b->n_opened++;
    b->again_ms = now_ms + retry_delay_ms(b->n_opened, random);
    if (b->is_open)
        return BREAKER_NO_NEWS;
    b->is_open = 1;
    return BREAKER_OPENS;
}

enum breaker_news breaker_note(struct breaker *b, enum breaker_pass pass,
                               enum breaker_answer answer, int64_t now_ms, uint64_t random)
{
    int was_open = b->is_open;

    if (pass == BREAKER_TRIES)
        b->is_trying = 0;
    switch (answer) {
    case BREAKER_ANSWERED:
        *b = (struct breaker){ .is_trying = 0 };
        return was_open ? BREAKER_CLOSES : BREAKER_NO_NEWS;
    case BREAKER_FAILED:
    case BREAKER_LATE:
        return breaker_note_failure(b, pass, answer, now_ms, random);
    case BREAKER_SILENT:
        break;
    }
    return BREAKER_NO_NEWS;
}

int64_t breaker_wait_ms(const struct breaker *b, int64_t now_ms)
{
    int64_t left_ms = b->again_ms - now_ms;

    return left_ms > RETRY_FIRST_MS ? left_ms : RETRY_FIRST_MS; /* somebody tries it now */
}
