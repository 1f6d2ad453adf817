/* reeve-site: the path that a request names, and the part of a file that it asks for. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/guard.h"
#include "providers/launch/site_request.h"

static void test_paths(void **state)
{
    static const struct {
        const char *line; /* of the request */
        int status;       /* 0: it is looked for */
        const char *path;
    } rows[] = {
        { "GET / HTTP/1.1", 0, "/" },
        { "HEAD /a/b.css HTTP/1.0", 0, "/a/b.css" },
        { "GET /a%20b?x=/.c HTTP/1.1", 0, "/a b" },
        { "GET /a..b/c. HTTP/1.1", 0, "/a..b/c." },
        { "GET /.well-known/security.txt HTTP/1.1", 0, "/.well-known/security.txt" },
        { "GET /%2ewell-known/x HTTP/1.1", 0, "/.well-known/x" },
        /* what begins with a dot is not there */
        { "GET /.secret HTTP/1.1", 404, NULL },
        { "GET /%2esecret HTTP/1.1", 404, NULL },
        { "GET /%2Esecret HTTP/1.1", 404, NULL },
        { "GET /a/.git/config HTTP/1.1", 404, NULL },
        { "GET /a%2f.git HTTP/1.1", 404, NULL },
        { "GET /.well-known HTTP/1.1", 404, NULL },
        { "GET /.well-knownx/a HTTP/1.1", 404, NULL },
        { "GET /.well-known/.secret HTTP/1.1", 404, NULL },
        { "GET /.well-known/../.secret HTTP/1.1", 404, NULL },
        { "GET /a/.well-known/x HTTP/1.1", 404, NULL },
        { "GET /.. HTTP/1.1", 404, NULL },
        { "GET /../etc/passwd HTTP/1.1", 404, NULL },
        { "GET /a/%2e%2e/b HTTP/1.1", 404, NULL },
        { "GET /./a HTTP/1.1", 404, NULL },
        /* nor what no file can be called */
        { "GET /a%00b HTTP/1.1", 404, NULL },
        { "GET /a%2 HTTP/1.1", 404, NULL },
        { "GET /a%zz HTTP/1.1", 404, NULL },
        { "GET a HTTP/1.1", 404, NULL },
        { "GET  HTTP/1.1", 404, NULL },
        { "GET http://x/a HTTP/1.1", 404, NULL },
        { "POST / HTTP/1.1", 405, NULL },
        { "GET /", 400, NULL },
        { "GET / FTP/1.1", 400, NULL },
        { "", 400, NULL },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct site_request r = { .head = NULL };
        char text[256];
        int status;

        (void)snprintf(text, sizeof(text), "%s\r\nHost: x\r\n\r\n", rows[i].line);
        status = site_request_read(text, &r);
        if (status != rows[i].status || (rows[i].path && strcmp(r.path, rows[i].path) != 0))
            fail_msg("'%s': %d, '%s'", rows[i].line, status, r.path);
    }
}

static void test_a_path_that_is_too_long_is_not_there(void **state)
{
    static char text[SITE_PATH_MAX + 64];
    struct site_request r = { .head = NULL };
    int n = snprintf(text, sizeof(text), "GET /");

    (void)state;
    memset(text + n, 'a', SITE_PATH_MAX);
    (void)snprintf(text + n + SITE_PATH_MAX, 32, " HTTP/1.1\r\n\r\n");
    assert_int_equal(site_request_read(text, &r), 404);
    (void)snprintf(text + n + SITE_PATH_MAX - 2, 32, " HTTP/1.1\r\n\r\n");
    assert_int_equal(site_request_read(text, &r), 0);
    assert_int_equal(strlen(r.path), SITE_PATH_MAX - 1);
}

/* Of ten bytes. */
static void test_ranges(void **state)
{
    static const struct {
        const char *text;
        int status;
        off_t from, end;
    } rows[] = {
        { "bytes=2-4\r", 206, 2, 5 },   { "bytes=0-\r", 206, 0, 10 },
        { "bytes=-3\r", 206, 7, 10 },   { "bytes=-30\r", 206, 0, 10 },
        { "bytes=8-99\r", 206, 8, 10 }, { "bytes=9-9\r", 206, 9, 10 },
        { "bytes=10-\r", 416, 0, 10 },  { "bytes=4-2\r", 416, 0, 10 },
        { "bytes=-0\r", 416, 10, 10 },  { "bytes=0-1,4-5\r", 200, 0, 10 },
        { "bytes=-\r", 200, 0, 10 },    { "bytes=+1-2\r", 200, 0, 10 },
        { "lines=1-2\r", 200, 0, 10 },  { NULL, 200, 0, 10 },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        off_t from = 0, end = 10;
        int status = site_request_range(rows[i].text, 10, &from, &end);

        if (status != rows[i].status ||
            (status == 206 && (from != rows[i].from || end != rows[i].end)))
            fail_msg("'%s': %d, %lld to %lld", rows[i].text, status, (long long)from,
                     (long long)end);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_a_path_that_is_too_long_is_not_there),
        cmocka_unit_test(test_ranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
