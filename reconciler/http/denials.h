/*
 * denials: calls without a valid credential, counted. SPDX-License-Identifier: Apache-2.0
 *
 * Nobody outside floods the history: of one address prefix (/24, /56) and one reason there is one event a minute,
 * with the number of calls. Where there are too many prefixes, the others are one.
 *
 * Owns     its timer.
 * Thread   the loop's.
 * Fails    ERR_NOMEM.
 * Limits   DENIALS_MAX prefixes and reasons a minute.
 */
#pragma once

#include "reconciler/http/notes.h"

#define DENIALS_MS 60000
#define DENIALS_MAX 64
#define DENIALS_TEXT_MAX 64

struct denial {
    char where[DENIALS_TEXT_MAX], reason[DENIALS_TEXT_MAX];
    int64_t n, first_mono_ms, first_ms;
};

struct denials {
    struct notes *notes;
    struct loop *loop;
    struct loop_timer *timer;
    struct denial rows[DENIALS_MAX];
    size_t n;
};

int denials_init(struct denials *d, struct loop *loop, struct notes *notes, struct err *err);
void denials_fini(struct denials *d);
/* `address` "": at the socket. */
void denials_count(struct denials *d, struct str address, struct str reason);
/* Everything that was counted is written now. */
void denials_flush(struct denials *d);
