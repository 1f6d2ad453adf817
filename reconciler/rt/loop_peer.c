/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/rt/loop_peer.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "base/guard.h"

struct peer_range {
    unsigned char prefix[16];
    int n_bits;
};

/* clang-format off */
static const struct peer_range peer_v4[] = {
    { { 0 }, 8 },             { { 10 }, 8 },            { { 100, 64 }, 10 },   { { 127 }, 8 },
    { { 169, 254 }, 16 },     { { 172, 16 }, 12 },      { { 192, 0, 0 }, 24 }, { { 192, 0, 2 }, 24 },
    { { 192, 88, 99 }, 24 },
    { { 192, 168 }, 16 },     { { 198, 18 }, 15 },      { { 198, 51, 100 }, 24 },
    { { 203, 0, 113 }, 24 },  { { 224 }, 4 },           { { 240 }, 4 },
};
static const struct peer_range peer_v6_global = { { 0x20 }, 3 }; /* all that was ever given out to the internet */
static const struct peer_range peer_v6[] = {
    { { 0x20, 0x01, 0x00, 0x00 }, 23 },                 /* protocols: Teredo and others */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 },                 /* documentation */
    { { 0x3f, 0xff }, 20 },                             /* the same */
};
/* Ranges of IPv6 that carry an IPv4 address, and at which byte. */
static const struct {
    struct peer_range range;
    size_t at;
} peer_inner[] = {
    { { { 0 }, 96 }, 12 },                                                   /* ::, ::1, ::a.b.c.d */
    { { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff }, 96 }, 12 },
    { { { 0x00, 0x64, 0xff, 0x9b }, 96 }, 12 },
    { { { 0x20, 0x02 }, 16 }, 2 },
};
/* clang-format on */

static int peer_is_in(const unsigned char *address, const struct peer_range *range)
{
    int whole = range->n_bits / 8, rest = range->n_bits % 8;

    return !memcmp(address, range->prefix, (size_t)whole) &&
           (!rest || (address[whole] ^ range->prefix[whole]) >> (8 - rest) == 0);
}

static int peer_v4_is_public(const unsigned char *address)
{
    for (size_t i = 0; i < N_ELEMENTS(peer_v4); i++)
        if (peer_is_in(address, &peer_v4[i]))
            return 0;
    return 1;
}

static int peer_v6_is_public(const unsigned char *address)
{
    for (size_t i = 0; i < N_ELEMENTS(peer_inner); i++)
        if (peer_is_in(address, &peer_inner[i].range))
            return peer_v4_is_public(address + peer_inner[i].at);
    for (size_t i = 0; i < N_ELEMENTS(peer_v6); i++)
        if (peer_is_in(address, &peer_v6[i]))
            return 0;
    return peer_is_in(address, &peer_v6_global);
}

int loop_peer_is_public(const struct sockaddr *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof(v4));
        return peer_v4_is_public((const unsigned char *)&v4.sin_addr);
    }
    if (address->sa_family == AF_INET6) {
        memcpy(&v6, address, sizeof(v6));
        return peer_v6_is_public(v6.sin6_addr.s6_addr);
    }
    return 0;
}

int loop_peer_is_in(const struct sockaddr *address, const struct network *networks, size_t n)
{
    static const struct peer_range mapped = { { [10] = 0xff, [11] = 0xff }, 96 };
    struct sockaddr_in v4 = { 0 };
    struct sockaddr_in6 v6 = { 0 };
    int is_mapped = 0;

    if (address->sa_family == AF_INET)
        memcpy(&v4, address, sizeof(v4));
    else if (address->sa_family == AF_INET6)
        memcpy(&v6, address, sizeof(v6));
    else
        return 0;
    if (address->sa_family == AF_INET6 && peer_is_in(v6.sin6_addr.s6_addr, &mapped)) {
        memcpy(&v4.sin_addr, v6.sin6_addr.s6_addr + 12, 4);
        is_mapped = 1;
    }
    for (size_t i = 0; i < n; i++)
        if ((address->sa_family == AF_INET || is_mapped)
                ? network_has(&networks[i], (const uint8_t *)&v4.sin_addr, 4)
                : network_has(&networks[i], v6.sin6_addr.s6_addr, 16))
            return 1;
    return 0;
}
