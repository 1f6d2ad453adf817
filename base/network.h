/*
 * network: an address or a network as it is written. SPDX-License-Identifier: Apache-2.0
 *
 * "192.0.2.7", "10.0.0.0/8", "::1", "2001:db8::/32". Pure.
 */
#pragma once

#include <stdint.h>

#include "base/str.h"

#define NETWORK_BYTES_MAX 16

struct network {
    uint8_t b[NETWORK_BYTES_MAX]; /* bits behind the prefix are 0 */
    unsigned n_bytes;             /* 4 or 16 */
    unsigned n_bits;              /* of the prefix */
};

/* 0, or -1: it is none, or has bits behind its prefix. */
int network_parse(struct str s, struct network *ret);
/* `address` has n_bytes; one of the other kind is not in it. */
int network_has(const struct network *n, const uint8_t *address, unsigned n_bytes);
