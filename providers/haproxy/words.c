/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/haproxy/words.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define LOWER_NUM "abcdefghijklmnopqrstuvwxyz0123456789"
#define PORT_MAX 65535

static int words_made_of(struct str s, const char *set)
{
    if (!s.p || !s.n || s.n > HAPROXY_WORD_MAX)
        return 0;
    for (size_t i = 0; i < s.n; i++)
        if (!s.p[i] || !strchr(set, s.p[i]))
            return 0;
    return 1;
}

static int words_is_port(struct str s)
{
    int64_t port = 0;

    return s.n && s.n <= 5 && s.p[0] != '0' && !str_to_i64(s, &port) && port > 0 &&
           port <= PORT_MAX;
}

int haproxy_word_is(struct str s)
{
    return words_made_of(s, ALNUM "._:/~-");
}

int haproxy_environment_is(struct str s)
{
    return words_made_of(s, ALNUM "._-");
}

int haproxy_host_is(struct str s)
{
    struct str rest = s, label;

    if (!words_made_of(s, LOWER_NUM ".-") || s.n > 253 || s.p[s.n - 1] == '.')
        return 0;
    while (str_next(&rest, '.', &label))
        if (!label.n || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-')
            return 0;
    return 1;
}

int haproxy_path_is(struct str s)
{
    struct str rest, segment;

    if (!words_made_of(s, ALNUM "._~/-") || s.p[0] != '/')
        return 0;
    if (s.n == 1)
        return 1;
    rest = str_slice(s, 1, s.n);
    if (str_ends(rest, S("/")))
        rest.n--;
    while (str_next(&rest, '/', &segment))
        if (!segment.n || str_eq(segment, S(".")) || str_eq(segment, S("..")))
            return 0;
    return 1;
}

int haproxy_server_is(struct str s)
{
    struct str address = s, octet;
    size_t colon = str_find_char(s, ':'), n = 0;
    int64_t value = 0;

    if (colon == STR_NPOS || !words_is_port(str_slice(s, colon + 1, s.n)))
        return 0;
    address.n = colon;
    if (!words_made_of(address, "0123456789.") || str_ends(address, S(".")))
        return 0;
    for (; str_next(&address, '.', &octet); n++)
        if (octet.n > 3 || (octet.n > 1 && octet.p[0] == '0') || str_to_i64(octet, &value) ||
            value > 255)
            return 0;
    return n == 4;
}

int haproxy_bind_is(struct str s)
{
    size_t colon = s.n;

    if (!words_made_of(s, ALNUM ".:*[]-"))
        return 0;
    while (colon > 0 && s.p[colon - 1] != ':')
        colon--;
    return colon > 0 && words_is_port(str_slice(s, colon, s.n));
}

int haproxy_user_is(struct str s)
{
    return s.n <= HAPROXY_NAME_MAX && words_made_of(s, ALNUM "._-");
}

int haproxy_header_is(struct str s)
{
    return s.n <= HAPROXY_NAME_MAX && words_made_of(s, ALNUM "-");
}

int haproxy_header_value_is(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > '~')
            return 0;
    return s.n > 0;
}

int haproxy_header_eq(struct str name, const char *lower)
{
    return name.n == strlen(lower) && !strncasecmp(name.p, lower, name.n);
}

int haproxy_range_parse(struct str s, int64_t *ret_first, int64_t *ret_last)
{
    size_t dash = str_find_char(s, '-');
    struct str first = str_slice(s, 0, dash == STR_NPOS ? s.n : dash);
    struct str last = dash == STR_NPOS ? s : str_slice(s, dash + 1, s.n);
    int64_t from = 0, to = 0;

    if (!words_is_port(first) || !words_is_port(last))
        return -1;
    if (str_to_i64(first, &from) || str_to_i64(last, &to) || from > to)
        return -1;
    *ret_first = from;
    *ret_last = to;
    return 0;
}

struct str haproxy_route_key(struct arena *a, struct str host, struct str path, int64_t port)
{
    if (!host.n)
        return str_fmt(a, ":%" PRId64 "/", port);
    return str_fmt(a, "%.*s%.*s%s", STR_ARG(host), STR_ARG(path),
                   str_ends(path, S("/")) ? "" : "/");
}
