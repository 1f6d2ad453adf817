/* Requests written in many ways, times what a route may ask: each is decided as its plain form, or
 * refused. SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/guard.h"
#include "tests/support/test_edge.h"

#define LIMIT 10
#define REQUEST_MAX 4096
#define LONG_MIN 7900 /* letters of a path: around half of the proxy's buffer, and all of it */
#define LONG_MAX 16500
#define LONG_STEP 433

enum { /* where a row does not name a status */
       AS_PLAIN,
       AS_CASE, /* another path for who asks nothing, refused for all others; but where the letters are the same */
};

static struct test_edge edge; /* one proxy for the rows */
static size_t n_decided;

/* clang-format off */
static const struct rule {
    const char *name, *path, *rules;
    int status; /* of the plain form */
} rules[] = {
    { "plain", "/plain", "{}", 200 },
    { "deny",  "/deny",  "{\"deny\":true}", 403 },
    { "basic", "/basic", "{\"access\":{\"type\":\"basic\",\"users\":{\"ann\":{\"secret\":\"ann\"}}}}", 401 },
    { "ip",    "/ip",    "{\"access\":{\"type\":\"ip\",\"allow\":[\"10.0.0.0/8\"]}}", 403 },
    { "limit", "/limit", "{\"rate_limit\":{\"requests\":10,\"per_ms\":86400000}}", 429 },
    { "case",  "/Case",  "{\"deny\":true}", 403 },
};

#define LINES(first, more) first "\r\nHost: a.test\r\n" more "Connection: close\r\n\r\n"
#define TO(target) LINES("GET " target " HTTP/1.1", "")
#define WITH(more) LINES("GET $P HTTP/1.1", more)
#define AT(host) "GET $P HTTP/1.1\r\nHost:" host "\r\nConnection: close\r\n\r\n"
#define SEND(more, body) LINES("PUT $P HTTP/1.1", more) body

/* $P: the rule's path; $U: in upper case; $L: in lower case; $E: with an encoded letter; $D: one encoded twice. */
static const struct row {
    const char *sentence, *request;
    int want;
} rows[] = {
    /* the path */
    { "the plain form", TO("$P"), AS_PLAIN },
    { "a final slash", TO("$P/"), AS_PLAIN },
    { "something below", TO("$P/x"), AS_PLAIN },
    { "a query", TO("$P?x=1"), AS_PLAIN },
    { "dots in the query", TO("$P?/../../plain"), AS_PLAIN },
    { "an encoded slash in the query", TO("$P?%2f"), AS_PLAIN },
    { "two slashes first", TO("/$P"), AS_PLAIN },
    { "four slashes first", TO("///$P"), AS_PLAIN },
    { "two slashes last", TO("$P//"), AS_PLAIN },
    { "two slashes that look like a host", TO("//a.test/..$P"), AS_PLAIN },
    { "two slashes and a name are no host", TO("//a.test$P"), 201 },
    { "nor are they behind a dot", TO("/.//a.test$P"), 201 },
    { "out of another and in", TO("/x/..$P"), AS_PLAIN },
    { "out of an open path and in", TO("/plain/..$P"), AS_PLAIN },
    { "out of the root and in", TO("/../..$P"), AS_PLAIN },
    { "slashes before the way out", TO("/x//../..$P"), AS_PLAIN },
    { "a dot first", TO("/.$P"), AS_PLAIN },
    { "a dot last", TO("$P/."), AS_PLAIN },
    { "dots within", TO("$P/./x/../y"), AS_PLAIN },
    { "below and back", TO("$P/x/.."), AS_PLAIN },
    { "in, out and in again", TO("$P/../..$P"), AS_PLAIN },
    { "an encoded dot", TO("/%2e$P"), AS_PLAIN },
    { "two encoded dots", TO("/x/%2e%2e$P"), AS_PLAIN },
    { "two encoded dots in upper case", TO("/x/%2E%2E$P"), AS_PLAIN },
    { "a dot and an encoded one", TO("/x/.%2e$P"), AS_PLAIN },
    { "an encoded letter", TO("$E"), AS_PLAIN },
    { "an encoded letter after encoded dots", TO("/%2e%2e/x/..$E"), AS_PLAIN },
    { "an encoded slash before it", TO("/%2f$P"), 400 },
    { "an encoded slash behind it", TO("$P%2fx"), 400 },
    { "one in upper case", TO("$P%2Fx"), 400 },
    { "an encoded slash and dots", TO("/plain/..%2f..$P"), 400 },
    { "an encoded backslash", TO("$P%5cx"), 400 },
    { "an encoded backslash and dots", TO("/plain%5C..$P"), 400 },
    { "a backslash", TO("$P\\x"), 400 },
    { "a backslash and dots", TO("/plain\\..$P"), 400 },
    { "an encoded NUL", TO("$P%00"), 400 },
    { "an encoded line end", TO("$P%0a"), 400 },
    { "an encoded carriage return", TO("$P%0d%0a"), 400 },
    { "an encoded tab", TO("$P%09"), 400 },
    { "an encoded DEL", TO("$P%7f"), 400 },
    { "a slash encoded twice", TO("$P%252fx"), 400 },
    { "dots encoded twice", TO("/plain/%252e%252E$P"), 400 },
    { "a slash encoded three times", TO("$P%25252fx"), 400 },
    { "a letter encoded twice", TO("$D"), 400 },
    { "dots encoded twice, digits encoded too", TO("/plain/%25%32%65%25%32%65$P"), 400 },
    { "a slash in two bytes of UTF-8", TO("$P%c0%afx"), 400 },
    { "a slash in three bytes of UTF-8", TO("$P%e0%80%afx"), 400 },
    { "a slash in four bytes of UTF-8", TO("$P%f0%80%80%afx"), 400 },
    { "a slash in five bytes of UTF-8", TO("$P%f8%80%80%80%afx"), 400 },
    { "a slash in six bytes of UTF-8", TO("$P%fc%80%80%80%80%afx"), 400 },
    { "dots in two bytes of UTF-8", TO("/plain/%c0%ae%c0%ae$P"), 400 },
    { "a percent sign at the end", TO("$P%"), 400 },
    { "half an encoding", TO("$P%2"), 400 },
    { "half an encoding of a slash", TO("$P/%2/x"), 400 },
    { "an encoding that is none", TO("$P%zz"), 400 },
    { "a slash as servers of old wrote it", TO("$P%u002fx"), 400 },
    { "a parameter", TO("$P;x"), AS_PLAIN },
    { "an empty parameter", TO("$P;/x"), AS_PLAIN },
    { "a parameter with a value", TO("$P;x=1/y"), AS_PLAIN },
    { "an encoded semicolon", TO("$P%3bx"), AS_PLAIN },
    { "an encoded question mark is another path", TO("$P%3fx"), 201 },
    { "an encoded space is another path", TO("$P%20"), 201 },
    { "a final dot is another path", TO("$P."), 201 },
    { "one in upper case and a path", TO("$P%3Bx=1/y"), AS_PLAIN },
    { "a segment that is a parameter", TO("/;x$P"), AS_PLAIN },
    { "parameters of every segment", TO("/;x/;y$P;z"), AS_PLAIN },
    { "dots with a semicolon", TO("/x/..;$P"), 400 },
    { "dots with a parameter", TO("/plain/..;a=b$P"), 400 },
    { "dots with an encoded semicolon", TO("/plain/..%3b$P"), 400 },
    { "encoded dots with a semicolon", TO("/plain/%2e%2e;$P"), 400 },
    { "a dot with a semicolon", TO("/.;$P"), 400 },
    { "dots behind a parameter", TO("/x;y/..$P"), AS_PLAIN },
    { "a fragment", TO("$P#x"), 400 },
    { "a fragment within", TO("/plain#/..$P"), 400 },
    { "upper case", TO("$U"), AS_CASE },
    { "upper case below", TO("$U/x"), AS_CASE },
    { "lower case", TO("$L"), AS_CASE },
    { "lower case below, and a slash", TO("//$L/x"), AS_CASE },
    { "upper case, encoded dots, slashes", TO("//x/%2e%2e$U"), AS_CASE },
    { "upper case and a parameter", TO("$U;x"), AS_CASE },
    { "a longer name is another path", TO("$Px"), 201 },
    { "it below another is another path", TO("/x$P"), 201 },
    { "a space in it", TO("$P /x"), 400 },
    { "a tab in it", TO("$P\t/x"), 400 },
    { "a raw byte above 127", TO("$P\xc0\xaf"), 400 },
    { "no slash first", TO("x$P"), 400 },
    { "a question mark first", TO("?$P"), 400 },
    { "a star", LINES("OPTIONS * HTTP/1.1", ""), 201 },

    /* the host */
    { "a host in upper case", AT(" A.Test"), AS_PLAIN },
    { "a host with a final dot", AT(" a.test."), AS_PLAIN },
    { "a host with two", AT(" a.test.."), AS_PLAIN },
    { "a host with a port", AT(" a.test:80"), AS_PLAIN },
    { "a host with an empty port", AT(" a.test:"), AS_PLAIN },
    { "all of it", AT(" A.TEST.:8080"), AS_PLAIN },
    { "no space before the host", AT("a.test"), AS_PLAIN },
    { "spaces and tabs around the host", AT(" \t a.test \t "), AS_PLAIN },
    { "another host", AT(" b.test"), 404 },
    { "a host below", AT(" x.a.test"), 404 },
    { "a host with a dot first", AT(" .a.test"), 400 },
    { "an address as host", AT(" 127.0.0.1"), 404 },
    { "two hosts in one line", AT(" b.test, a.test"), 400 },
    { "two hosts with a space", AT(" a.test b.test"), 400 },
    { "a user in the host", AT(" b.test@a.test"), 400 },
    { "a path in the host", AT(" a.test/plain"), 400 },
    { "a key in the host", AT(" a.test/plain/?"), 400 },
    { "an encoded letter in the host", AT(" %61.test"), 400 },
    { "an address of IPv6 as host", AT(" [::1]"), 400 },
    { "a host with an underscore", AT(" a_.test"), 400 },
    { "a host in Unicode", AT(" \xef\xbd\x81.test"), 400 },
    { "a NUL behind the host", AT(" a.test%00.b.test"), 400 },
    { "an empty host", AT(" "), 400 },
    { "a port alone", AT(" :21000"), 400 },
    { "two ports", AT(" a.test:1:2"), 400 },
    { "a port that is none", AT(" a.test:x"), 400 },
    { "a path behind a port", AT(" a.test:80/plain"), 400 },
    { "a host behind a port", AT(" b.test:80@a.test"), 400 },
    { "no host", "GET $P HTTP/1.1\r\nConnection: close\r\n\r\n", 400 },
    { "no host in HTTP/1.0", "GET $P HTTP/1.0\r\n\r\n", 400 },
    { "the host twice", WITH("Host: a.test\r\n"), AS_PLAIN },
    { "two hosts, ours last", "GET $P HTTP/1.1\r\nHost: b.test\r\nHost: a.test\r\nConnection: close\r\n\r\n", 400 },
    { "two hosts, ours first", WITH("Host: b.test\r\n"), 400 },
    { "the host in a folded line", AT("\r\n a.test"), AS_PLAIN },
    { "a space behind Host", "GET $P HTTP/1.1\r\nHost : a.test\r\nConnection: close\r\n\r\n", 400 },
    { "Host as a folded line of another", "GET $P HTTP/1.1\r\nX: y\r\n Host: b.test\r\nHost: a.test\r\nConnection: close\r\n\r\n", AS_PLAIN },

    /* the whole target */
    { "absolute form", TO("http://a.test$P"), AS_PLAIN },
    { "absolute form in upper case", TO("HTTP://A.TEST$P"), AS_PLAIN },
    { "absolute form with a port", TO("http://a.test:80$P"), AS_PLAIN },
    { "absolute form with another port than the host's", TO("http://a.test:81$P"), 400 },
    { "absolute form of https", TO("https://a.test$P"), AS_PLAIN },
    { "absolute form of another scheme", TO("ftp://a.test$P"), AS_PLAIN },
    { "absolute form without a path", TO("http://a.test"), 201 },
    { "absolute form and a query alone", TO("http://a.test?$P"), 400 },
    { "absolute form and dots", TO("http://a.test/plain/..$P"), AS_PLAIN },
    { "absolute form and encoded dots", TO("http://a.test/plain/%2e%2e$P"), AS_PLAIN },
    { "absolute form and slashes", TO("http://a.test/$P"), AS_PLAIN },
    { "absolute form and an encoded slash", TO("http://a.test$P%2fx"), 400 },
    { "absolute form and a parameter", TO("http://a.test/plain/..;$P"), 400 },
    { "absolute form and upper case", TO("http://a.test$U"), AS_CASE },
    { "absolute form of another host", TO("http://b.test$P"), 400 },
    { "absolute form with a user", TO("http://b.test@a.test$P"), AS_PLAIN },
    { "absolute form without a host", "GET http://a.test$P HTTP/1.1\r\nConnection: close\r\n\r\n", 400 },
    { "CONNECT", LINES("CONNECT a.test:80 HTTP/1.1", ""), 405 },
    { "HTTP/1.0", LINES("GET $P HTTP/1.0", ""), AS_PLAIN },
    { "a line of the PROXY protocol", "PROXY TCP4 10.0.0.1 127.0.0.1 1 80\r\n" TO("$P"), 400 },
    { "HTTP/0.9", "GET $P\r\n\r\n", 400 },
    { "the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400 },
    { "two spaces in the line", LINES("GET  $P HTTP/1.1", ""), AS_PLAIN },
    { "an empty line first", "\r\n" TO("$P"), AS_PLAIN },
    { "line ends without a carriage return", "GET $P HTTP/1.1\nHost: a.test\nConnection: close\n\n", AS_PLAIN },
    { "HEAD", LINES("HEAD $P HTTP/1.1", ""), AS_PLAIN },
    { "DELETE", LINES("DELETE $P HTTP/1.1", ""), AS_PLAIN },
    { "OPTIONS", LINES("OPTIONS $P HTTP/1.1", ""), AS_PLAIN },
    { "TRACE", LINES("TRACE $P HTTP/1.1", ""), AS_PLAIN },
    { "a method in lower case", LINES("get $P HTTP/1.1", ""), AS_PLAIN },
    { "a method that is none", LINES("LOOK $P HTTP/1.1", ""), AS_PLAIN },

    /* headers */
    { "a header with an underscore", WITH("X_Access: none\r\n"), 400 },
    { "a header with a dot", WITH("X.Access: none\r\n"), 400 },
    { "X-Access", WITH("X-Access: none\r\n"), AS_PLAIN },
    { "X-Original-URL", WITH("X-Original-URL: /plain\r\n"), AS_PLAIN },
    { "X-Rewrite-URL", WITH("X-Rewrite-URL: /plain\r\n"), AS_PLAIN },
    { "X-Forwarded-For of an allowed address", WITH("X-Forwarded-For: 10.0.0.1\r\n"), AS_PLAIN },
    { "it twice", WITH("X-Forwarded-For: 10.0.0.1\r\nx-forwarded-for: 10.0.0.1\r\n"), AS_PLAIN },
    { "Forwarded", WITH("Forwarded: for=10.0.0.1;host=a.test\r\n"), AS_PLAIN },
    { "X-Real-IP", WITH("X-Real-IP: 10.0.0.1\r\n"), AS_PLAIN },
    { "True-Client-IP", WITH("True-Client-IP: 10.0.0.1\r\n"), AS_PLAIN },
    { "X-Forwarded-Host", WITH("X-Forwarded-Host: b.test\r\n"), AS_PLAIN },
    { "X-Forwarded-Prefix", WITH("X-Forwarded-Prefix: /plain\r\n"), AS_PLAIN },
    { "X-HTTP-Method-Override", WITH("X-HTTP-Method-Override: HEAD\r\n"), AS_PLAIN },
    { "Connection that names headers", WITH("Connection: X-Forwarded-For, Host, Authorization\r\n"), AS_PLAIN },
    { "an upgrade to h2c", WITH("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"), AS_PLAIN },
    { "an upgrade to TLS", WITH("Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n"), AS_PLAIN },
    { "a websocket without its key", WITH("Connection: Upgrade\r\nUpgrade: websocket\r\n"), 400 },
    { "a folded line", WITH("X-A: b\r\n c: d\r\n"), AS_PLAIN },
    { "a carriage return in a value", WITH("X-A: b\rX-B: c\r\n"), 400 },
    { "a space behind a name", WITH("X-A : b\r\n"), 400 },
    { "a line without a colon", WITH("X-A\r\n"), 400 },
    { "an empty name", WITH(": b\r\n"), 400 },
    { "a password that is none", WITH("Authorization: Basic x\r\n"), AS_PLAIN },
    { "a user without a password", WITH("Authorization: Basic YW5u\r\n"), AS_PLAIN },
    { "an empty password", WITH("Authorization: Basic YW5uOg==\r\n"), AS_PLAIN },
    { "a wrong password", WITH("Authorization: Basic YW5uOndyb25n\r\n"), AS_PLAIN },
    { "nobody's name and password", WITH("Authorization: Basic Og==\r\n"), AS_PLAIN },
    { "a user with a colon of the map", WITH("Authorization: Basic OmFubjp3cm9uZw==\r\n"), AS_PLAIN },
    { "two passwords", WITH("Authorization: Basic YW5uOndyb25n\r\nAuthorization: Basic YW5uOndyb25n\r\n"), 400 },
    { "a token", WITH("Authorization: Bearer ann\r\n"), AS_PLAIN },
    { "an empty pass", WITH("Cookie: " "__Host-reeve-pass=\r\n"), AS_PLAIN },
    { "a pass of a dot", WITH("Cookie: " "__Host-reeve-pass=.\r\n"), AS_PLAIN },
    { "a pass for ever, unsigned", WITH("Cookie: " "__Host-reeve-pass=9999999999\r\n"), AS_PLAIN },
    { "a pass for ever with an empty sign", WITH("Cookie: " "__Host-reeve-pass=9999999999.\r\n"), AS_PLAIN },
    { "a pass for ever with a wrong sign", WITH("Cookie: " "__Host-reeve-pass=9999999999.0000000000000000000000000000000000000000000000000000000000000000\r\n"), AS_PLAIN },
    { "two passes", WITH("Cookie: __Host-reeve-pass=1.2; __Host-reeve-pass=3.4\r\n"), 400 },
    { "a pass behind a comma", WITH("Cookie: a=b,__Host-reeve-pass=1.2\r\n"), 400 },
    { "a pass behind a tab", WITH("Cookie: a=b;\t__Host-reeve-pass=1.2\r\n"), 400 },
    { "a pass with a space in its name", WITH("Cookie: __Host-reeve-pass =1.2\r\n"), 400 },
    { "a pass within a value", WITH("Cookie: a=\"b; __Host-reeve-pass=1.2\"\r\n"), AS_PLAIN },

    /* how long it is */
    { "a body", SEND("Content-Length: 4\r\n", "body"), AS_PLAIN },
    { "a request in a body", SEND("Content-Length: 38\r\n", "GET /plain HTTP/1.1\r\nHost: a.test\r\n\r\n\r\n"), AS_PLAIN },
    { "a length and chunks", SEND("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), AS_PLAIN },
    { "chunks and a length, and a request behind", SEND("Transfer-Encoding: chunked\r\nContent-Length: 43\r\n", "0\r\n\r\nGET /plain HTTP/1.1\r\nHost: a.test\r\n\r\n\r\n"), AS_PLAIN },
    { "chunks twice", SEND("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400 },
    { "chunks with a parameter", SEND("Transfer-Encoding: chunked;x\r\n", "0\r\n\r\n"), 400 },
    { "chunks with a control in front", SEND("Transfer-Encoding:\x0b" "chunked\r\n", "0\r\n\r\n"), 400 },
    { "chunks by another name", SEND("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 400 },
    { "chunks behind identity", SEND("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n"), 422 },
    { "chunks in HTTP/1.0", LINES("PUT $P HTTP/1.0", "Transfer-Encoding: chunked\r\n") "0\r\n\r\n", AS_PLAIN },
    { "the same length twice", SEND("Content-Length: 0\r\nContent-Length: 0\r\n", ""), AS_PLAIN },
    { "two lengths", SEND("Content-Length: 0\r\nContent-Length: 5\r\n", ""), 400 },
    { "two lengths in one line", SEND("Content-Length: 0, 5\r\n", ""), 400 },
    { "a length with a sign", SEND("Content-Length: +0\r\n", ""), 400 },
    { "an empty length", SEND("Content-Length:\r\n", ""), 400 },
    { "a length in hex", SEND("Content-Length: 0x0\r\n", ""), 400 },
    { "a chunk of a wrong size", SEND("Transfer-Encoding: chunked\r\n", "zz\r\n\r\n"), 400 },
};
/* clang-format on */

static int given_routes(const char *app, const char *root)
{
    char text[4096];
    size_t n = (size_t)snprintf(text, sizeof(text),
                                "{\"environment\":\"e1\",\"generation\":1,\"label\":{},\"routes\":["
                                "{\"route\":\"a:/\",\"host\":\"a.test\",\"path\":\"/\","
                                "\"backend\":\"%s\"}",
                                root);

    for (size_t i = 0; i < N_ELEMENTS(rules); i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n,
                              ",{\"route\":\"a:%s\",\"host\":\"a.test\",\"path\":\"%s\","
                              "\"backend\":\"%s\",\"rules\":%s}",
                              rules[i].path, rules[i].path, app, rules[i].rules);
    (void)snprintf(text + n, sizeof(text) - n, "]}"); /* fits */
    return test_edge_must(&edge, RV_CREATE, "routes", "G1", "rv1r1", text) &&
           test_edge_must(&edge, RV_CREATE, "switch", "one", "rv1s1",
                          "{\"environment\":\"e1\",\"generation\":1}");
}

static int given_edge(void **state)
{
    struct test_edge_answer a;
    char app[16], root[16];

    (void)state;
    if (test_edge_init(&edge, 4, 2))
        return -1;
    test_host_secret(&edge.t, "ann", "correct horse battery staple");
    if (!test_edge_backend(&edge, "rv1app", test_edge_server(&edge, "served", NULL), app) ||
        !test_edge_backend(&edge, "rv1root", test_edge_server(&edge, "another", NULL), root) ||
        !given_routes(app, root))
        return -1;
    for (int i = 0; i < LIMIT; i++)
        test_edge_get(edge.http, "a.test", "/limit", &a);
    return a.status == 200 ? 0 : -1;
}

static int given_edge_gone(void **state)
{
    (void)state;
    test_edge_fini(&edge);
    return 0;
}

static char in_case(char token, char c)
{
    if (token == 'U')
        return (char)toupper((unsigned char)c);
    return (char)(token == 'L' ? tolower((unsigned char)c) : c);
}

static size_t put_token(char *to, char token, const char *path)
{
    char *at = to;

    if (token == 'E' || token == 'D')
        return (size_t)sprintf(at, "/%s%02x%s", token == 'D' ? "%25" : "%", path[1], path + 2);
    for (; *path; path++)
        *at++ = in_case(token, *path);
    return (size_t)(at - to);
}

static void write_request(const char *written, const char *path, char *ret)
{
    size_t n = 0;

    for (; *written && n < REQUEST_MAX - 64; written++) {
        if (*written == '$')
            n += put_token(ret + n, *++written, path);
        else
            ret[n++] = *written;
    }
    ret[n] = 0;
}

static int is_in_case(const struct row *row, const char *path)
{
    char token = strstr(row->request, "$U") ? 'U' : 'L';

    while (*path && in_case(token, *path) == *path)
        path++;
    return !*path;
}

static int status_wanted(const struct row *row, const struct rule *rule)
{
    if (row->want == AS_PLAIN || (row->want == AS_CASE && is_in_case(row, rule->path)))
        return rule->status;
    if (row->want == AS_CASE)
        return rule->status == 200 ? 201 : 400;
    return row->want;
}

/* 201: the application at the root answered. */
static int status_seen(const struct test_edge_answer *a)
{
    return a->status == 200 && strstr(a->head, "x-app: another") ? 201 : a->status;
}

static void test_request(void **state)
{
    const struct row *row = *state;
    int n_wrong = 0;

    for (size_t i = 0; i < N_ELEMENTS(rules); i++) {
        char request[REQUEST_MAX];
        struct test_edge_answer a;
        int wanted = status_wanted(row, &rules[i]), seen;

        write_request(row->request, rules[i].path, request);
        test_edge_send(edge.http, request, &a);
        seen = status_seen(&a);
        n_decided++;
        if (seen != wanted || (wanted != 200 && strstr(a.body, "served"))) {
            print_error("%s: %d instead of %d\n%s\n%s\n%s\n", rules[i].name, seen, wanted, request,
                        a.head, a.body);
            n_wrong++;
        }
    }
    assert_int_equal(n_wrong, 0);
}

/* The status of the last answer on a connection. */
static int last_status(const struct test_edge_answer *a)
{
    const char *at = a->body, *next;
    int status = a->status;

    while ((next = strstr(at, "HTTP/1.1 "))) {
        at = next + strlen("HTTP/1.1 ");
        status = atoi(at);
    }
    return status;
}

static void test_what_came_before_on_the_connection_opens_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rules); i++) {
        struct test_edge_answer a;
        char request[REQUEST_MAX];

        write_request("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n" TO("$P"), rules[i].path, request);
        test_edge_send(edge.http, request, &a);
        assert_int_equal(a.status, 200);
        assert_int_equal(last_status(&a), rules[i].status);
        if (rules[i].status != 200)
            assert_null(strstr(a.body, "served"));
    }
}

/* Around the longest that the proxy takes; beyond it a request is refused. */
static void test_a_long_path_is_decided_or_refused(void **state)
{
    static const char *const forms[] = { "//%s/%s", "x/../%s//%s", "%s;%s", "/;%2$s/%1$s" };
    static char request[LONG_MAX + 1024], target[LONG_MAX + 512], more[LONG_MAX];

    (void)state;
    for (size_t n = LONG_MIN; n < LONG_MAX; n += LONG_STEP)
        for (size_t k = 0; k < N_ELEMENTS(rules) * N_ELEMENTS(forms); k++) {
            const struct rule *rule = &rules[k / N_ELEMENTS(forms)];
            struct test_edge_answer a;

            memset(more, 'a', n);
            more[n] = 0;
            (void)snprintf(target, sizeof(target), forms[k % N_ELEMENTS(forms)], rule->path + 1,
                           more);                                        /* fits */
            (void)snprintf(request, sizeof(request), TO("/%s"), target); /* fits */
            test_edge_send(edge.http, request, &a);
            n_decided++;
            if (status_seen(&a) != rule->status && a.status != 400 && a.status != 414)
                fail_msg("%s: %d for %zu letters", rule->name, a.status, n);
        }
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMENTS(rows) + 2] = {
        cmocka_unit_test(test_what_came_before_on_the_connection_opens_nothing),
        cmocka_unit_test(test_a_long_path_is_decided_or_refused),
    };
    int rc;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        tests[i + 2] = (struct CMUnitTest){ rows[i].sentence, test_request, NULL, NULL,
                                            (void *)(uintptr_t)&rows[i] };
    rc = _cmocka_run_group_tests("haproxy requests", tests, N_ELEMENTS(tests), given_edge,
                                 given_edge_gone);
    print_message("%zu requests x %zu rules: %zu decisions\n", N_ELEMENTS(rows), N_ELEMENTS(rules),
                  n_decided);
    return rc;
}
