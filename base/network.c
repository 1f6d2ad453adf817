/* SPDX-License-Identifier: Apache-2.0 */
#include "base/network.h"

#include <arpa/inet.h>
#include <string.h>

static int network_bits(struct str s, unsigned max, unsigned *ret)
{
    int64_t n = 0;

    if (!s.n || s.n > 3 || (s.n > 1 && s.p[0] == '0') || str_to_i64(s, &n) || n < 0 || n > max)
        return -1;
    *ret = (unsigned)n;
    return 0;
}

static int network_has_more(const struct network *n)
{
    for (unsigned bit = n->n_bits; bit < n->n_bytes * 8; bit++)
        if (n->b[bit / 8] & (0x80u >> (bit % 8)))
            return 1;
    return 0;
}

int network_has(const struct network *n, const uint8_t *address, unsigned n_bytes)
{
    if (n->n_bytes != n_bytes)
        return 0;
    for (unsigned bit = 0; bit < n->n_bits; bit++)
        if ((n->b[bit / 8] ^ address[bit / 8]) & (0x80u >> (bit % 8)))
            return 0;
    return 1;
}

int network_parse(struct str s, struct network *ret)
{
    size_t slash = str_find_char(s, '/');
    struct str address = str_slice(s, 0, slash == STR_NPOS ? s.n : slash);
    struct network n = { 0 };
    char text[INET6_ADDRSTRLEN];

    if (!address.n || address.n >= sizeof(text) || memchr(address.p, 0, address.n))
        return -1;
    memcpy(text, address.p, address.n);
    text[address.n] = 0;
    if (inet_pton(AF_INET, text, n.b) == 1)
        n.n_bytes = 4;
    else if (inet_pton(AF_INET6, text, n.b) == 1)
        n.n_bytes = 16;
    else
        return -1;

    n.n_bits = n.n_bytes * 8;
    if (slash != STR_NPOS && network_bits(str_slice(s, slash + 1, s.n), n.n_bytes * 8, &n.n_bits))
        return -1;
    if (network_has_more(&n))
        return -1;
    *ret = n;
    return 0;
}
