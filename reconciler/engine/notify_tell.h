/*
 * notify_tell: what happened is put down for those who hear of it, with the same commit. SPDX-License-Identifier: Apache-2.0
 *
 * It looks at each row before it is written: one that becomes what notify_events.def says makes a row of the outbox for
 * each recipient. A terminal one is made once a subject and recipient, for ever; of the others no second waits.
 *
 * Thread   STATE.
 */
#pragma once

#include <stdatomic.h>

#include "state/tx.h"

struct engine;

struct notify_tell {
    struct engine *engine;
    struct tx_watch watch;
    atomic_int has_news; /* rows were put since the loop looked */
};

void notify_tell_open(struct notify_tell *t, struct engine *e);
