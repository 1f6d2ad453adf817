/* SPDX-License-Identifier: Apache-2.0 */
#include "base/url.h"

#include <string.h>

#define URL_ENDS " \t\r\n\"'`<>"

/* One without an end in sight may go on with a password. */
static size_t url_login_end(const char *p, size_t n, int is_last)
{
    size_t slash = 0, at = n;

    while (slash < n && p[slash] != '/')
        slash++;
    for (size_t i = 0; i < n; i++)
        if (p[i] == '@' && (i < slash || memchr(p, ':', slash)))
            at = i;
    if (at < n)
        return at;
    return is_last && slash == n && memchr(p, ':', n) ? n : 0;
}

void url_hide_logins(char *text, size_t n)
{
    for (size_t i = 0; i + 3 <= n; i++) {
        size_t from = i + 3, to = from;

        if (memcmp(text + i, "://", 3) != 0)
            continue;
        while (to < n && text[to] && !strchr(URL_ENDS, text[to]))
            to++;
        memset(text + from, '*', url_login_end(text + from, to - from, to == n));
        i = to - 1;
    }
}
