/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/launch/site_request.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define KNOWN "/.well-known/"

static int hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The path, decoded once and without its query; -1: none that a file could have. */
static int read_path(const char *from, size_t n, char ret[SITE_PATH_MAX])
{
    size_t k = 0;

    for (size_t i = 0; i < n && from[i] != '?' && from[i] != '#'; i++) {
        int c = (unsigned char)from[i];

        if (c == '%') {
            if (i + 2 >= n || hex_of(from[i + 1]) < 0 || hex_of(from[i + 2]) < 0)
                return -1;
            c = hex_of(from[i + 1]) * 16 + hex_of(from[i + 2]);
            i += 2;
        }
        if (!c || k + 1 >= SITE_PATH_MAX)
            return -1;
        ret[k++] = (char)c;
    }
    ret[k] = 0;
    return k && ret[0] == '/' && !strstr(site_request_is_known(ret) ? ret + 1 : ret, "/.") ? 0 : -1;
}

int site_request_read(const char *text, struct site_request *ret)
{
    const char *line_end = strstr(text, "\r\n"), *path = strchr(text, ' '), *last;

    if (!line_end || !path || path > line_end)
        return 400;
    last = strchr(path + 1, ' ');
    if (!last || last > line_end || strncmp(last, " HTTP/1.", 8))
        return 400;
    ret->query = path + 1 + strcspn(path + 1, "? #");
    ret->n_query = *ret->query == '?' ? strcspn(ret->query, " #") : 0;
    ret->is_head = !strncmp(text, "HEAD ", 5);
    ret->head = line_end + 2;
    if (!ret->is_head && strncmp(text, "GET ", 4))
        return 405;
    return read_path(path + 1, (size_t)(last - path - 1), ret->path) ? 404 : 0;
}

int site_request_is_known(const char *path)
{
    return !strncmp(path, KNOWN, strlen(KNOWN));
}

const char *site_request_header(const struct site_request *r, const char *name)
{
    size_t n = strlen(name);

    for (const char *line = r->head; line && line[0] != '\r';
         line = strstr(line, "\r\n") ? strstr(line, "\r\n") + 2 : NULL)
        if (!strncasecmp(line, name, n) && line[n] == ':')
            return line + n + 1 + strspn(line + n + 1, " \t");
    return NULL;
}

int site_request_has(const struct site_request *r, const char *name, const char *word)
{
    const char *at = site_request_header(r, name), *end = at ? strstr(at, "\r\n") : NULL,
               *hit = at ? strstr(at, word) : NULL;

    return hit && end && hit < end;
}

int site_request_range(const char *text, off_t size, off_t *ret_from, off_t *ret_end)
{
    unsigned long long a = 0, b = 0;
    int n = 0, has_a, has_b;

    if (!text || strncmp(text, "bytes=", 6))
        return 200;
    text += 6;
    has_a = sscanf(text, "%20llu%n", &a, &n) == 1 && *text >= '0';
    text += has_a ? n : 0;
    if (*text++ != '-')
        return 200;
    has_b = sscanf(text, "%20llu%n", &b, &n) == 1 && *text >= '0';
    text += has_b ? n : 0;
    if (*text != '\r' || (!has_a && !has_b))
        return 200; /* several: all of it */
    if (!has_a) {
        *ret_from = b < (unsigned long long)size ? size - (off_t)b : 0;
        *ret_end = size;
        return b ? 206 : 416;
    }
    if (a >= (unsigned long long)size || (has_b && b < a))
        return 416;
    *ret_from = (off_t)a;
    *ret_end = has_b && b < (unsigned long long)size ? (off_t)b + 1 : size;
    return 206;
}
