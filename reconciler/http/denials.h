/*
 * denials: calls that are refused, counted. SPDX-License-Identifier: Apache-2.0
 *
 * Nobody floods the history. Of calls without a valid credential, from one address prefix (/24, /56) and for one
 * reason, there is one event a minute, with the number of calls. Of who is known the first DENIALS_TOLD a minute are
 * events of their own, and one has the number of the others. Where there are too many of them, the others are one.
 *
 * Owns     its timer.
 * Thread   the loop's.
 * Fails    ERR_NOMEM.
 * Limits   DENIALS_MAX prefixes and reasons a minute, as many actors in an instance of their own.
 */
#pragma once

#include "reconciler/http/notes.h"

#define DENIALS_MS 60000
#define DENIALS_MAX 64
#define DENIALS_TOLD 20
#define DENIALS_TEXT_MAX 64
#define DENIALS_ACTOR_MAX 128

struct denial {
    char actor[DENIALS_ACTOR_MAX], where[DENIALS_TEXT_MAX], reason[DENIALS_TEXT_MAX];
    int64_t n, n_told, first_mono_ms, first_ms;
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
/* Of who is known. 1: it is the caller's to write; 0: it was counted. */
int denials_is_told(struct denials *d, struct str actor);
/* Everything that was counted is written now. */
void denials_flush(struct denials *d);
