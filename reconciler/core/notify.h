/*
 * notify: what of a recipient's messages is sent next, and when. SPDX-License-Identifier: Apache-2.0
 *
 * Rows that wait, the oldest first, and the time are arguments. Of one recipient one message is under way at a time:
 *
 *     1  until the time of one that was tried nothing goes; then it goes first, alone and with its id: it may have arrived.
 *     2  in quiet hours only what is critical goes, tried before or not.
 *     3  after NOTIFY_BURST messages in NOTIFY_BURST_MS the rest waits until that time is over.
 *     4  more than NOTIFY_FLOOD that wait then go as one, where the recipient is one who reads.
 *
 * Pure.
 */
#pragma once

#include <stdint.h>

#include "base/str.h"
#include "specs/notify_events.h"

#define NOTIFY_FIRST_MS ((int64_t)5 * 1000)
#define NOTIFY_LAST_MS ((int64_t)10 * 60 * 1000)
#define NOTIFY_GIVE_UP_MS                                                                          \
    ((int64_t)24 * 3600 * 1000) /* of trying; while nobody tries it does not count */
#define NOTIFY_BURST 5
#define NOTIFY_BURST_MS ((int64_t)60 * 1000)
#define NOTIFY_FLOOD 3
#define NOTIFY_DIGEST_MAX 500 /* messages in one */
#define NOTIFY_NEVER INT64_MAX

struct notify_row {
    int64_t attempt, next_ms;
    enum notify_severity severity;
};

struct notify_facts {
    const struct notify_row *rows; /* that wait, the oldest first */
    size_t n;
    const int64_t *sent_ms; /* of the newest messages that were sent to them, the newest first */
    size_t n_sent;
    int collapses;          /* a person reads it */
    int64_t quiet_until_ms; /* 0: it is no quiet hour; NOTIFY_NEVER: it stays quiet */
    int64_t now_ms;
};

enum notify_move { NOTIFY_WAIT, NOTIFY_SEND, NOTIFY_COLLAPSE };

struct notify_next {
    enum notify_move move;
    int64_t at_ms; /* WAIT: look again then; NOTIFY_NEVER: when there is something new */
    size_t row;    /* SEND */
};

struct notify_next notify_decide(const struct notify_facts *f);
/* COLLAPSE: is this one of those that become one? */
int notify_is_collapsed(const struct notify_facts *f, size_t row);

/* After the attempt that failed, the first is 1: doubling, or what the receiver asked for, at most NOTIFY_LAST_MS. */
int64_t notify_delay_ms(int64_t attempt, int64_t asked_ms);
/* After that many attempts it is not tried again. */
int notify_is_over(int64_t attempt);
