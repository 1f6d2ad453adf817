/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <string.h>

size_t utf8_decode(struct str s, uint32_t *ret)
{
    static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
    const unsigned char *b = (const unsigned char *)s.p;
    size_t more;
    uint32_t c;

    if (!s.n)
        return 0;
    more = b[0] < 0x80 ? 0 : b[0] >= 0xf0 ? 3 : b[0] >= 0xe0 ? 2 : 1;
    c = more ? b[0] & (0x3fu >> more) : b[0];
    if ((b[0] >= 0x80 && b[0] < 0xc2) || b[0] > 0xf4 || more >= s.n)
        return 0;
    for (size_t i = 1; i <= more; i++) {
        if ((b[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (b[i] & 0x3f);
    }
    if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *ret = c;
    return more + 1;
}

void utf8_trim(char *text)
{
    size_t n = strlen(text), back = 1;

    while (back < 4 && back < n && ((unsigned char)text[n - back] & 0xc0) == 0x80)
        back++;
    if (n && (unsigned char)text[n - back] >= 0xc0) {
        unsigned char first = (unsigned char)text[n - back];

        if (back < (first >= 0xf0 ? 4u : first >= 0xe0 ? 3u : 2u))
            text[n - back] = 0;
    }
}

int utf8_is_unseen(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        { 0x00, 0x1f },     { 0x7f, 0x9f },     { 0xad, 0xad },     { 0x34f, 0x34f },
        { 0x61c, 0x61c },   { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 }, { 0x180b, 0x180f },
        { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0x3164, 0x3164 },
        { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb }, { 0xe0000, 0xe0fff },
    };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return 1;
    return 0;
}
