/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/git_url.h"

#include <string.h>

#include "base/guard.h"

#define GIT_URL_MAX 2048

/* clang-format off */
static const struct git_url_row {
    struct str prefix;
    int taken;
    enum git_url_scheme scheme;
    const char *why_not;
} git_url_rows[] = {
    { S_INIT("https://"), 1, GIT_URL_HTTPS, NULL },
    { S_INIT("ssh://"),   1, GIT_URL_SSH,   NULL },
    { S_INIT("file://"),  1, GIT_URL_FILE,  NULL },
    { S_INIT("http://"),  0, 0, "http:// shows credentials and lets anybody on the way change the "
                                "commits: use https://" },
    { S_INIT("git://"),   0, 0, "git:// lets anybody on the way change the commits: use https:// or "
                                "ssh://" },
};
/* clang-format on */

static int git_url_is_word(struct str s, const char *more)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        int alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!c || (!alnum && !strchr(more, c)))
            return 0;
    }
    return s.n > 0 && s.p[0] != '-';
}

/* No byte that a shell, a header or a log could take for something else. */
static int git_url_is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 0x20 || s.p[i] == 0x7f || strchr("'\"`\\!$", s.p[i]))
            return 0;
    return 1;
}

static int git_url_bad(struct err *err, const char *what)
{
    return err_set(err, ERR_REFUSED, "the source's url has %s", what);
}

static int git_url_parse_host(struct str authority, struct git_url *url, struct err *err)
{
    struct str port = STR_NONE;
    size_t at;

    if (str_starts(authority, S("["))) {
        at = str_find_char(authority, ']');
        if (at == STR_NPOS)
            return git_url_bad(err, "an address without its closing bracket");
        url->host = str_slice(authority, 1, at - 1);
        authority = str_slice(authority, at + 1, authority.n);
        if (authority.n && authority.p[0] != ':')
            return git_url_bad(err, "text behind its address");
        if (!git_url_is_word(url->host, ":.") && !str_starts(url->host, S(":")))
            return git_url_bad(err, "a host that is no address");
        port = authority.n ? str_slice(authority, 1, authority.n) : STR_NONE;
    } else {
        at = str_find_char(authority, ':');
        url->host = str_slice(authority, 0, at);
        port = at == STR_NPOS ? STR_NONE : str_slice(authority, at + 1, authority.n);
        if (!git_url_is_word(url->host, ".-_"))
            return git_url_bad(err, "a host that is no name");
    }
    if (port.p && (str_to_i64(port, &url->port) || url->port < 1 || url->port > 65535))
        return git_url_bad(err, "a port that is no number from 1 to 65535");
    return 0;
}

static int git_url_parse_authority(struct str authority, struct git_url *url, struct err *err)
{
    size_t at = STR_NPOS;

    if (url->scheme == GIT_URL_FILE)
        return authority.n ? git_url_bad(err, "a host: write file:///path") : 0;
    for (size_t i = 0; i < authority.n; i++)
        if (authority.p[i] == '@')
            at = i;
    if (at != STR_NPOS) {
        url->user = str_slice(authority, 0, at);
        authority = str_slice(authority, at + 1, authority.n);
        if (url->scheme != GIT_URL_SSH || str_find_char(url->user, ':') != STR_NPOS)
            return git_url_bad(err, "a user or password in it: they belong in 'credentials'");
        if (!git_url_is_word(url->user, "._-"))
            return git_url_bad(err, "a user that is no name");
    }
    return git_url_parse_host(authority, url, err);
}

int git_url_parse(struct arena *a, struct str text, struct git_url *ret, struct err *err)
{
    struct git_url url = { .whole = str_copy(a, text) };
    const struct git_url_row *row = NULL;
    struct str rest;
    size_t slash;
    int rc;

    for (size_t i = 0; i < N_ELEMENTS(git_url_rows) && !row; i++)
        if (str_starts(url.whole, git_url_rows[i].prefix))
            row = &git_url_rows[i];
    if (!row)
        return err_set(err, ERR_REFUSED, "a source's url begins with https://, ssh:// or file://");
    if (!row->taken)
        return err_set(err, ERR_REFUSED, "%s", row->why_not);
    if (url.whole.n > GIT_URL_MAX || !git_url_is_plain(url.whole))
        return git_url_bad(err, "blanks, quotes, control characters or too many bytes");
    url.scheme = row->scheme;
    rest = str_slice(url.whole, row->prefix.n, url.whole.n);
    slash = str_find_char(rest, '/');
    url.path = slash == STR_NPOS ? S("") : str_slice(rest, slash, rest.n);
    rc = git_url_parse_authority(str_slice(rest, 0, slash), &url, err);
    if (rc)
        return rc;
    if (url.path.n < 2)
        return git_url_bad(err, "no path");
    *ret = url;
    return arena_status(a, err);
}
