/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/retry.h"

#include <strings.h>

/* clang-format off */
static const struct {
    enum retry_next not_acted, acted;
} retry_rows[] = {
    /*                 acted no           acted maybe, yes */
    [RV_DONE]      = { RETRY_SETTLED,     RETRY_SETTLED },
    [RV_PENDING]   = { RETRY_PENDING,     RETRY_PENDING },
    [RV_USER]      = { RETRY_FAILED,      RETRY_FAILED },
    [RV_WAIT]      = { RETRY_AGAIN,       RETRY_LOOK },
    [RV_RETRY]     = { RETRY_AGAIN,       RETRY_LOOK },
    [RV_STALE]     = { RETRY_SUPERSEDED,  RETRY_LOOK },
    [RV_ABSENT]    = { RETRY_SETTLED,     RETRY_SETTLED },
    [RV_CANCELLED] = { RETRY_CANCELLED,   RETRY_LOOK },
    [RV_FATAL]     = { RETRY_FAILED,      RETRY_FAILED },
};
/* clang-format on */

enum retry_next retry_judge(const struct retry_facts *facts)
{
    enum retry_next next = facts->acted == RV_ACTED_NO ? retry_rows[facts->verdict].not_acted
                                                       : retry_rows[facts->verdict].acted;

    if (facts->for_ever && (next == RETRY_FAILED || next == RETRY_SUPERSEDED))
        return RETRY_AGAIN;
    if (!facts->for_ever && next == RETRY_AGAIN && facts->attempt >= RETRY_TIMES_MAX)
        return RETRY_FAILED;
    return next;
}

int64_t retry_delay_ms(int64_t attempt, uint64_t random)
{
    int64_t delay = RETRY_FIRST_MS;

    for (int64_t i = 1; i < attempt && delay < RETRY_LAST_MS; i++)
        delay *= 2;
    if (delay > RETRY_LAST_MS)
        delay = RETRY_LAST_MS;
    return delay - (int64_t)(random % (uint64_t)(delay / 4));
}

int64_t retry_asked_ms(struct str headers)
{
    struct str line, name = S("retry-after:");
    int64_t seconds;

    while (str_next(&headers, '\n', &line))
        if (line.n > name.n && !strncasecmp(line.p, name.p, name.n) &&
            !str_to_i64(str_trim(str_slice(line, name.n, line.n)), &seconds) && seconds > 0 &&
            seconds < RETRY_ASKED_MAX_S)
            return seconds * 1000;
    return 0;
}
