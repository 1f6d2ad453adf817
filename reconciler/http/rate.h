/*
 * rate: how much one address or one credential may ask. SPDX-License-Identifier: Apache-2.0
 *
 * Each has a bucket that holds RATE_BURST requests and gets so many a second. There are RATE_BUCKETS places;
 * when a new one finds none among those that it may have, it takes that of who asked least, who loses nothing
 * but a little patience of ours.
 *
 * Thread   the loop's.
 */
#pragma once

#include <stdint.h>

#include "base/str.h"

#define RATE_BUCKETS 4096
#define RATE_ADDRESS_PER_S 100
#define RATE_CREDENTIAL_PER_S 50
#define RATE_BURST_S 4 /* a full bucket is what comes in so many seconds */

enum rate_kind { RATE_ADDRESS, RATE_CREDENTIAL, N_RATE_KINDS };

struct rate_bucket {
    uint64_t key; /* 0: free */
    int64_t left_milli, at_ms;
};

struct rate {
    uint64_t seed; /* nobody outside can tell which keys share places */
    int64_t per_s[N_RATE_KINDS];
    struct rate_bucket buckets[RATE_BUCKETS];
};

/* per_s: of both kinds, in tests; 0: as above. */
void rate_init(struct rate *r, uint64_t seed, int64_t per_s);
/* One request; 0, or after how many seconds the next one may come. */
int rate_take(struct rate *r, enum rate_kind kind, struct str key, int64_t now_ms);
/* The part of an address that one customer has: of IPv6 the first half. */
struct str rate_network(struct arena *a, struct str address);
