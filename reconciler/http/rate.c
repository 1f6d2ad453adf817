/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/rate.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/hash.h"

#define PLACES 8 /* that a key may have */
#define NETWORK_BYTES 8

void rate_init(struct rate *r, uint64_t seed, int64_t per_s)
{
    *r = (struct rate){ .seed = seed };
    r->per_s[RATE_ADDRESS] = per_s ? per_s : RATE_ADDRESS_PER_S;
    r->per_s[RATE_CREDENTIAL] = per_s ? per_s : RATE_CREDENTIAL_PER_S;
}

static uint64_t key_of(const struct rate *r, enum rate_kind kind, struct str text)
{
    struct digest d;
    struct hash h;
    uint64_t key;

    hash_init(&h);
    hash_add_be64(&h, r->seed + (uint64_t)kind);
    hash_add_str(&h, text);
    d = hash_end(&h);
    memcpy(&key, d.b, sizeof(key));
    return key | 1;
}

static int64_t left_now(const struct rate *r, const struct rate_bucket *b, enum rate_kind kind,
                        int64_t now_ms)
{
    int64_t full = r->per_s[kind] * RATE_BURST_S * 1000;
    int64_t passed_ms = now_ms - b->at_ms;

    if (!b->key || passed_ms > RATE_BURST_S * 1000)
        return full;
    return b->left_milli + passed_ms * r->per_s[kind] < full
               ? b->left_milli + passed_ms * r->per_s[kind]
               : full;
}

static struct rate_bucket *bucket_of(struct rate *r, enum rate_kind kind, uint64_t key,
                                     int64_t now_ms)
{
    struct rate_bucket *places = &r->buckets[key / PLACES % (RATE_BUCKETS / PLACES) * PLACES];
    struct rate_bucket *best = &places[0];

    for (int i = 0; i < PLACES; i++) {
        if (places[i].key == key)
            return &places[i];
        if (left_now(r, &places[i], kind, now_ms) > left_now(r, best, kind, now_ms))
            best = &places[i];
    }
    *best = (struct rate_bucket){ .key = key,
                                  .left_milli = r->per_s[kind] * RATE_BURST_S * 1000,
                                  .at_ms = now_ms };
    return best;
}

int rate_take(struct rate *r, enum rate_kind kind, struct str key, int64_t now_ms)
{
    struct rate_bucket *b = bucket_of(r, kind, key_of(r, kind, key), now_ms);

    b->left_milli = left_now(r, b, kind, now_ms);
    b->at_ms = now_ms;
    if (b->left_milli < 1000)
        return (int)((1000 - b->left_milli) / (r->per_s[kind] * 1000)) + 1;
    b->left_milli -= 1000;
    return 0;
}

struct str rate_network(struct arena *a, struct str address)
{
    const char *text = str_to_c(a, address);
    unsigned char bytes[2 * NETWORK_BYTES];

    if (!text || inet_pton(AF_INET6, text, bytes) != 1)
        return address;
    return str_copy(a, (struct str){ (const char *)bytes, NETWORK_BYTES });
}
