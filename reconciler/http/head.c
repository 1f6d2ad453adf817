/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/head.h"

#include <string.h>
#include <strings.h>

#include "base/guard.h"

/* --- where it ends ------------------------------------------------------------------------------- */

static int is_control(char c)
{
    return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

int head_find_end(struct head_scan *scan, struct str text, size_t *ret, struct err *err)
{
    *ret = 0;
    for (; !*ret && scan->n < text.n; scan->n++) {
        char c = text.p[scan->n];

        if ((c == '\n') != (scan->last == '\r'))
            return err_set(err, ERR_USAGE, "a line does not end with CR LF");
        if (is_control(c) && c != '\r' && c != '\n')
            return err_set(err, ERR_USAGE, "the head has a control character");
        if (c == '\n' && !scan->n_line)
            *ret = scan->n + 1;
        if (c == '\n')
            scan->n_line = 0;
        else
            scan->n_line += c != '\r';
        scan->last = c;
    }
    return 0;
}

/* --- words --------------------------------------------------------------------------------------- */

static int is_text(struct arena *a, struct str text)
{
    return str_clean(a, text).p == text.p;
}

static int is_word(struct str text, const char *word)
{
    return text.n == strlen(word) && !strncasecmp(text.p, word, text.n);
}

static struct str lower(struct arena *a, struct str text)
{
    char *copy = str_to_c(a, text);

    for (char *p = copy; p && *p; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
    return copy ? (struct str){ copy, text.n } : S("");
}

static struct str unescape(struct arena *a, struct str text)
{
    char *copy = str_to_c(a, text);

    return copy ? (struct str){ copy, framing_unescape(copy) } : S("");
}

/* --- the line ------------------------------------------------------------------------------------ */

/* A slash that is none, or a way up: others may read it as another path. */
static int check_path(struct arena *a, struct str raw, struct str path, struct err *err)
{
    struct str rest = path, part;
    size_t n_raw = 0, n = 0;

    for (size_t i = 0; i < raw.n; i++)
        n_raw += raw.p[i] == '/';
    for (size_t i = 0; i < path.n; i++) {
        n += path.p[i] == '/';
        if (is_control(path.p[i]) || path.p[i] == '\t' || path.p[i] == '\\')
            return err_set(err, ERR_USAGE, "the path has a character that no path has");
    }
    if (n != n_raw || str_find(path, S("%00")) != STR_NPOS)
        return err_set(err, ERR_USAGE, "the path has an escaped slash or NUL");
    while (str_next(&rest, '/', &part))
        if (str_eq_c(part, ".") || str_eq_c(part, ".."))
            return err_set(err, ERR_USAGE, "the path has a dot segment");
    if (!is_text(a, path))
        return err_set(err, ERR_USAGE, "the path is not UTF-8");
    return 0;
}

/* What is said twice is one thing to us and another to somebody else. */
static int read_query(struct arena *a, struct str text, struct value *map, struct err *err)
{
    struct str part, name;

    while (str_next(&text, '&', &part)) {
        char *plain = str_to_c(a, part);

        if (!part.n || !plain)
            continue;
        for (char *p = plain; *p; p++)
            *p = *p == '+' ? ' ' : *p;
        part.p = plain;
        (void)str_next(&part, '=', &name);
        name = unescape(a, name);
        part = part.p ? unescape(a, part) : S("");
        if (value_count(map) >= HEAD_QUERY_MAX)
            return err_set(err, ERR_USAGE, "the query has too many names");
        if (!is_text(a, name) || !is_text(a, part))
            return err_set(err, ERR_USAGE, "the query is not UTF-8");
        if (value_get(map, name))
            return err_set(err, ERR_USAGE, "the query says something twice");
        value_set_text(a, map, name, part);
    }
    return 0;
}

/* "http://HOST/path" is "/path"; the host is there for the comparison with Host. */
static int split_target(struct str *target, struct str *ret_host, struct err *err)
{
    static const struct str schemes[] = { S_INIT("http://"), S_INIT("https://") };

    *ret_host = STR_NONE;
    for (size_t i = 0; i < N_ELEMENTS(schemes); i++) {
        size_t n = 0;

        if (target->n < schemes[i].n || strncasecmp(target->p, schemes[i].p, schemes[i].n) != 0)
            continue;
        *target = str_slice(*target, schemes[i].n, target->n);
        while (n < target->n && target->p[n] != '/' && target->p[n] != '?')
            n++;
        *ret_host = str_slice(*target, 0, n);
        *target = str_slice(*target, n, target->n);
        return 0;
    }
    if (!str_starts(*target, S("/")))
        return err_set(err, ERR_USAGE, "the target is no path");
    return 0;
}

static int read_version(struct str version, struct head *ret, struct err *err)
{
    ret->is_old = str_eq_c(version, "HTTP/1.0");
    if (ret->is_old || str_eq_c(version, "HTTP/1.1"))
        return 0;
    if (str_starts(version, S("HTTP/")))
        return err_set(err, ERR_VERSION, "this is HTTP/1.1");
    return err_set(err, ERR_USAGE, "the line is no method, target and version");
}

static int read_line(struct arena *a, struct str line, struct head *ret, struct str *ret_host,
                     struct err *err)
{
    struct value *query = value_map(a);
    struct str target = S(""), path;

    ret->query = query;
    if (!str_next(&line, ' ', &ret->method) || !framing_is_token(ret->method) ||
        ret->method.n > HEAD_METHOD_MAX || !str_next(&line, ' ', &target) || !target.n || !line.p ||
        str_find_char(line, ' ') != STR_NPOS || str_find_char(target, '#') != STR_NPOS)
        return err_set(err, ERR_USAGE, "the line is no method, target and version");
    if (read_version(line, ret, err) || split_target(&target, ret_host, err))
        return err->code;
    if (!str_next(&target, '?', &path) || !path.n)
        path = S("/");
    ret->path = unescape(a, path);
    if (check_path(a, path, ret->path, err))
        return err->code;
    return target.p ? read_query(a, target, query, err) : 0;
}

/* --- headers ------------------------------------------------------------------------------------- */

static int read_header(struct arena *a, struct str line, struct value *map, struct head *ret,
                       struct err *err)
{
    struct str name, before;

    if (line.p[0] == ' ' || line.p[0] == '\t')
        return err_set(err, ERR_USAGE, "a header goes on in the next line");
    (void)str_next(&line, ':', &name);
    if (!line.p)
        return err_set(err, ERR_USAGE, "a header has no colon");
    if (value_count(map) >= HEAD_HEADERS_MAX)
        return err_set(err, ERR_HEADERS, "there are more than %d headers", HEAD_HEADERS_MAX);
    name = lower(a, name);
    line = str_trim(line);
    framing_see(&ret->framing, name, line);
    if (!is_text(a, name) || !is_text(a, line))
        return err_set(err, ERR_USAGE, "a header is not UTF-8");
    before = value_get_text(map, name, STR_NONE);
    if (before.p)
        line = str_fmt(a, "%.*s,%.*s", STR_ARG(before), STR_ARG(line));
    value_set_text(a, map, name, line);
    return 0;
}

static int has_word(const struct value *headers, struct str name, const char *word)
{
    struct str rest = value_get_text(headers, name, S("")), part;

    while (str_next(&rest, ',', &part))
        if (is_word(str_trim(part), word))
            return 1;
    return 0;
}

/* What the line and several headers say together. */
static int judge(const struct value *headers, struct str host, struct head *ret, struct err *err)
{
    struct str expect = value_get_text(headers, S("expect"), STR_NONE);
    struct str said = value_get_text(headers, S("host"), S(""));

    if (framing_check(&ret->framing, FRAMING_ANY_SIZE, err))
        return err->code;
    if (host.p && (host.n != said.n || strncasecmp(host.p, said.p, host.n) != 0))
        return err_set(err, ERR_USAGE, "the target names another host than the Host header");
    if (ret->is_old && ret->framing.n_encodings)
        return err_set(err, ERR_USAGE, "HTTP/1.0 knows no Transfer-Encoding");
    if (expect.p && !is_word(expect, "100-continue"))
        return err_set(err, ERR_USAGE, "the only Expect is '100-continue'");
    ret->expects = expect.p && !ret->is_old;
    ret->closes = ret->is_old || has_word(headers, S("connection"), "close");
    return 0;
}

int head_parse(struct arena *a, struct str text, struct head *ret, struct err *err)
{
    struct value *headers = value_map(a);
    struct str host = STR_NONE, line;
    int rc;

    *ret = (struct head){ .method = S(""), .path = S(""), .headers = headers };
    text = str_copy(a, text);
    if (!text.p)
        return arena_status(a, err);
    (void)str_next(&text, '\n', &line);
    rc = read_line(a, str_slice(line, 0, line.n - 1), ret, &host, err);
    while (!rc && str_next(&text, '\n', &line) && line.n > 1)
        rc = read_header(a, str_slice(line, 0, line.n - 1), headers, ret, err);
    if (!rc)
        rc = judge(headers, host, ret, err);
    return rc ? rc : arena_status(a, err);
}
