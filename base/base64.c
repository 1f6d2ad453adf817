/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <stdint.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct str base64_encode(struct arena *a, struct str bytes)
{
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t n = bytes.n - i < 3 ? bytes.n - i : 3;
        uint32_t bits = 0;

        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (j < n ? (unsigned char)bytes.p[i + j] : 0u);
        for (size_t j = 0; j < 4; j++)
            sb_add_char(&b, j <= n ? digits[bits >> (18 - 6 * j) & 63] : '=');
    }
    return sb_str(&b);
}

int base64_decode(struct arena *a, struct str text, struct str *ret)
{
    uint32_t bits = 0;
    unsigned n_bits = 0;
    struct sb b;

    sb_init(&b, a);
    while (text.n && text.p[text.n - 1] == '=')
        text.n--;
    for (size_t i = 0; i < text.n; i++) {
        size_t digit = str_find_char((struct str){ digits, 64 }, text.p[i]);

        if (digit == STR_NPOS)
            return -1;
        bits = bits << 6 | (uint32_t)digit;
        n_bits += 6;
        if (n_bits < 8)
            continue;
        n_bits -= 8;
        sb_add_char(&b, (char)(bits >> n_bits & 255));
    }
    if (text.n % 4 == 1)
        return -1;
    *ret = sb_str(&b);
    return 0;
}

struct str base64_url_encode(struct arena *a, struct str bytes)
{
    struct str text = base64_encode(a, bytes);
    struct sb b;

    sb_init(&b, a);
    while (str_ends(text, S("=")))
        text.n--;
    for (size_t i = 0; i < text.n; i++)
        sb_add_char(&b, text.p[i] == '+' ? '-' : text.p[i] == '/' ? '_' : text.p[i]);
    return sb_str(&b);
}

int base64_url_decode(struct arena *a, struct str text, struct str *ret)
{
    struct str bytes;
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '+' || text.p[i] == '/' || text.p[i] == '=')
            return -1;
        sb_add_char(&b, text.p[i] == '-' ? '+' : text.p[i] == '_' ? '/' : text.p[i]);
    }
    if (base64_decode(a, sb_str(&b), &bytes) || !str_eq(base64_url_encode(a, bytes), text))
        return -1;
    *ret = bytes;
    return 0;
}
