/*
 * lockout: how long somebody who failed to sign in is not heard (TRUST 3). SPDX-License-Identifier: Apache-2.0
 *
 * Failures are counted by person and address, and by address alone, so that many names from one place are
 * guessing, too. The first few cost nothing; from then on each doubles the wait. It is the same for a person
 * who does not exist.
 *
 * Times are wall clock milliseconds. Pure.
 */
#pragma once

#include <stdint.h>

#include "base/hash.h"

#define LOCKOUT_FREE 5          /* failures of one person from one address */
#define LOCKOUT_FREE_ADDRESS 30 /* of one address, whoever was named */
#define LOCKOUT_FIRST_MS ((int64_t)15 * 1000)
#define LOCKOUT_MAX_MS ((int64_t)60 * 60 * 1000)
#define LOCKOUT_FORGET_MS ((int64_t)24 * 60 * 60 * 1000) /* after the last failure */

struct lockout {
    int64_t n_failures;
    int64_t last_ms, until_ms; /* of the last failure; until when nobody is heard */
};

/* How much longer; 0: heard now. A clock that went back locks nobody out for longer than it would have. */
int64_t lockout_wait_ms(const struct lockout *l, int64_t now_ms);
/* Another failure: one of `n_free`, or the wait begins. */
void lockout_note(struct lockout *l, int64_t n_free, int64_t now_ms);

/* What a row is kept by: the name is not to be read in it, somebody may have typed a password there. */
struct digest lockout_key(struct str name, struct str place);
/* Where failures of an address are counted: all of it of IPv4, the first 64 bits of IPv6, "local" without one. */
struct str lockout_place(struct arena *a, struct str address);
