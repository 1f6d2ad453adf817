/* Where something is reached: hosts, addresses, URLs. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "base/network.h"
#include "specs/scalar_match.h"

#define SCALAR_HOST_MAX 253u
#define SCALAR_LABEL_MAX 63u
#define SCALAR_PORT_MAX 65535

int scalar_is_network(struct str s)
{
    struct network unused;

    return !network_parse(s, &unused);
}

int scalar_is_host(struct str s)
{
    struct str label;

    if (!s.n || s.n > SCALAR_HOST_MAX)
        return 0;
    while (str_next(&s, '.', &label)) {
        if (!label.n || label.n > SCALAR_LABEL_MAX || label.p[0] == '-' ||
            label.p[label.n - 1] == '-' || !scalar_is_header(label))
            return 0;
    }
    return 1;
}

int scalar_is_host_glob(struct str s)
{
    return scalar_is_host(str_starts(s, S("*.")) ? str_slice(s, 2, s.n) : s);
}

static int scalar_port(struct str s, int64_t *ret)
{
    return scalar_count(s, ret) || *ret < 1 || *ret > SCALAR_PORT_MAX ? -1 : 0;
}

int scalar_is_address(struct str s)
{
    struct str host;
    int64_t port;

    return str_next(&s, ':', &host) && scalar_is_host(host) && s.p && !scalar_port(s, &port);
}

int scalar_is_port_range(struct str s)
{
    struct str first;
    int64_t low, high;

    return str_next(&s, '-', &first) && s.p && !scalar_port(first, &low) &&
           !scalar_port(s, &high) && low <= high;
}

int scalar_is_registry(struct str s)
{
    return scalar_is_host(s) || scalar_is_address(s);
}

/* Host and port behind a user, where one is possible; never a password. */
static int scalar_has_no_password(struct str authority, int may_have_user)
{
    size_t at = str_find_char(authority, '@');
    struct str user = S(""), host;

    if (may_have_user && at != STR_NPOS)
        (void)str_next(&authority, '@', &user);
    if (str_find_char(user, ':') != STR_NPOS || str_find_char(authority, '@') != STR_NPOS)
        return 0;
    if (str_find_char(authority, '[') != STR_NPOS)
        return 1;
    (void)str_next(&authority, ':', &host);
    for (size_t i = 0; i < authority.n; i++)
        if (authority.p[i] < '0' || authority.p[i] > '9')
            return 0;
    return 1;
}

int scalar_is_git_url(struct str s)
{
    static const struct {
        struct str prefix;
        int may_have_user;
    } schemes[] = { { S_INIT("https://"), 0 }, { S_INIT("ssh://"), 1 }, { S_INIT("file://"), 0 } };

    for (size_t i = 0; i < N_ELEMENTS(schemes); i++) {
        struct str rest = str_slice(s, schemes[i].prefix.n, s.n);

        if (str_starts(s, schemes[i].prefix) && rest.n)
            return scalar_has_no_password(str_slice(rest, 0, str_find_char(rest, '/')),
                                          schemes[i].may_have_user) &&
                   scalar_is_file(s);
    }
    return 0;
}

/* What is sent there opens everything: in clear to this machine alone. Where the host begins, or 0. */
static size_t scalar_secret_host(struct str s)
{
    static const char *const local[] = { "http://127.0.0.1", "http://localhost", "http://[::1]" };

    if (str_starts(s, S("https://")))
        return sizeof("https://") - 1;
    for (size_t i = 0; i < N_ELEMENTS(local); i++) {
        size_t n = str_from_c(local[i]).n;

        if (str_starts(s, str_from_c(local[i])) && (s.n == n || s.p[n] == ':' || s.p[n] == '/'))
            return sizeof("http://") - 1;
    }
    return 0;
}

static int scalar_is_host_and_port(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!scalar_is_alnum(s.p[i]) && !scalar_is_one_of(s.p[i], ".-:[]"))
            return 0;
    return s.n > 0;
}

int scalar_is_vault_url(struct str s)
{
    size_t at = scalar_secret_host(s);

    return at && scalar_is_host_and_port(str_slice(s, at, s.n));
}

/* No user, query or fragment: credentials are secrets, and paths are ours. */
int scalar_is_web_url(struct str s)
{
    size_t at = scalar_secret_host(s), slash;

    if (!at)
        return 0;
    s = str_slice(s, at, s.n);
    slash = str_find_char(s, '/');
    return scalar_is_host_and_port(str_slice(s, 0, slash)) &&
           (slash == STR_NPOS || scalar_is_url_path(str_slice(s, slash, s.n)));
}

int scalar_is_mail_url(struct str s)
{
    size_t at = str_starts(s, S("smtps://"))  ? sizeof("smtps://") - 1
                : str_starts(s, S("smtp://")) ? sizeof("smtp://") - 1
                                              : 0;

    return at && scalar_is_host_and_port(str_slice(s, at, s.n));
}

int scalar_is_mail(struct str s)
{
    struct str user;

    if (!str_next(&s, '@', &user) || !user.n || !scalar_is_host(s))
        return 0;
    for (size_t i = 0; i < user.n; i++)
        if (!scalar_is_alnum(user.p[i]) && !scalar_is_one_of(user.p[i], ".!#$%&'*+/=?^_`{|}~-"))
            return 0;
    return 1;
}
