/* SPDX-License-Identifier: Apache-2.0 */
#include "base/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
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

/* "host" of "//host:port/" */
static struct str host_of(struct str url)
{
    struct str rest = str_slice(url, str_find(url, S("//")) + 2, SIZE_MAX), host;

    if (str_starts(rest, S("[")))
        return str_slice(rest, 1, str_find_char(rest, ']') - 1);
    (void)str_next(&rest, '/', &host); /* the whole of it where there is none */
    return str_slice(host, 0, str_find_char(host, ':'));
}

static int is_this_machine(struct str host)
{
    char text[64];
    struct in_addr v4;
    struct in6_addr v6;

    if (str_eq_c(host, "localhost"))
        return 1;
    if (host.n >= sizeof(text))
        return 0;
    memcpy(text, host.p, host.n);
    text[host.n] = 0;
    if (inet_pton(AF_INET, text, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

int url_check(struct str url, enum url_carries carries, struct err *err)
{
    int is_plain = str_starts(url, S("http://"));
    int is_odd = !is_plain && !str_starts(url, S("https://"));

    for (size_t i = 0; i < url.n; i++)
        is_odd |= (unsigned char)url.p[i] <= ' ' || strchr("@?#\\", url.p[i]) != NULL;
    if (is_odd || !host_of(url).n)
        return err_set(err, ERR_USAGE, "'%.*s' is not http://HOST:PORT or https://HOST:PORT",
                       STR_ARG(url));
    if (is_plain && carries == URL_WITH_TOKEN && !is_this_machine(host_of(url)))
        return err_set(err, ERR_USAGE, "a token is not sent in the clear to '%.*s': https://...",
                       STR_ARG(url));
    return 0;
}
