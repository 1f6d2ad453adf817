/* http/head, intake, tap: what is no strict HTTP is refused by us, once, and nothing behind it is heard. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/test_http_server_given.h"

#include "reconciler/http/head.h"

#define BEHIND "GET /smuggled HTTP/1.1\r\nHost: l\r\n\r\n"
#define HOST "Host: l\r\n"

struct row {
    const char *sentence, *request;
    size_t n; /* 0: to its NUL */
    const char *status;
};
#define BYTES(text) text, sizeof(text) - 1

static const struct row refused[] = {
    { "no line of a request", "hello\r\n\r\n", 0, " 400 " },
    { "no version", "GET /\r\n" HOST "\r\n", 0, " 400 " },
    { "two spaces", "GET  / HTTP/1.1\r\n" HOST "\r\n", 0, " 400 " },
    { "a space in the target", "GET /a b HTTP/1.1\r\n" HOST "\r\n", 0, " 400 " },
    { "a tab in the line", "GET\t/ HTTP/1.1\r\n" HOST "\r\n", 0, " 400 " },
    { "a method that is no word", "G(T / HTTP/1.1\r\n" HOST "\r\n", 0, " 400 " },
    { "a fragment", "GET /a#b HTTP/1.1\r\n" HOST "\r\n", 0, " 400 " },
    { "an empty line before it", "\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 0, " 400 " },
    { "TLS where there is none", BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), " 400 " },
    { "HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, " 505 " },
    { "HTTP/0.9", "GET / HTTP/0.9\r\n" HOST "\r\n", 0, " 505 " },
    { "lower case HTTP", "GET / http/1.1\r\n" HOST "\r\n", 0, " 400 " },
    { "a star", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 0, " 400 " },
    { "an authority", "CONNECT l:443 HTTP/1.1\r\n" HOST "\r\n", 0, " 400 " },
    { "another host in the target", "GET http://evil.test/a HTTP/1.1\r\n" HOST "\r\n", 0, " 400 " },
    { "a file", "GET file:///etc/passwd HTTP/1.1\r\n" HOST "\r\n", 0, " 400 " },
    { "LF alone ends the line", "GET / HTTP/1.1\n" HOST "\r\n", 0, " 400 " },
    { "LF alone ends a header", "GET / HTTP/1.1\r\nHost: l\nX: y\r\n\r\n", 0, " 400 " },
    { "LF alone ends the head", "GET / HTTP/1.1\r\n" HOST "\n", 0, " 400 " },
    { "CR alone", "GET / HTTP/1.1\r\nX: a\rb\r\n" HOST "\r\n", 0, " 400 " },
    { "a folded header", "GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 0, " 400 " },
    { "folded by a tab", "GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n", 0, " 400 " },
    { "a first header that is folded", "GET / HTTP/1.1\r\n X: a\r\n" HOST "\r\n", 0, " 400 " },
    { "NUL in a value", BYTES("GET / HTTP/1.1\r\nHost: l\0x\r\n\r\n"), " 400 " },
    { "NUL in a name", BYTES("GET / HTTP/1.1\r\nX\0Y: a\r\n" HOST "\r\n"), " 400 " },
    { "NUL in the target", BYTES("GET /a\0b HTTP/1.1\r\n" HOST "\r\n"), " 400 " },
    { "a control character in a value", "GET / HTTP/1.1\r\n" HOST "X: a\x01z\r\n\r\n", 0, " 400 " },
    { "a control character in a name", "GET / HTTP/1.1\r\n" HOST "X\x7f: a\r\n\r\n", 0, " 400 " },
    { "a space before the colon", "GET / HTTP/1.1\r\n" HOST "X : a\r\n\r\n", 0, " 400 " },
    { "a length with one", "POST / HTTP/1.1\r\n" HOST "Content-Length : 3\r\n\r\nabc", 0, " 400 " },
    { "no colon", "GET / HTTP/1.1\r\n" HOST "X\r\n\r\n", 0, " 400 " },
    { "no name", "GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", 0, " 400 " },
    { "a header that is not UTF-8", "GET / HTTP/1.1\r\n" HOST "X: \xff\r\n\r\n", 0, " 400 " },
    { "no Host", "GET / HTTP/1.1\r\n\r\n", 0, " 400 " },
    { "no Host, long ago", "GET / HTTP/1.0\r\n\r\n", 0, " 400 " },
    { "two Hosts", "GET / HTTP/1.1\r\nHost: l\r\nHost: l\r\n\r\n", 0, " 400 " },
    { "two lengths", "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
      0, " 400 " },
    { "two lengths in one", "POST / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\na", 0,
      " 400 " },
    { "a length with a sign", "POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\na", 0,
      " 400 " },
    { "less than nothing", "POST / HTTP/1.1\r\n" HOST "Content-Length: -0\r\n\r\n", 0, " 400 " },
    { "a length in hex", "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\na", 0, " 400 " },
    { "no length", "POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", 0, " 400 " },
    { "a length beyond all",
      "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", 0, " 400 " },
    { "a length that is too large", "POST / HTTP/1.1\r\n" HOST "Content-Length: 9999999\r\n\r\n", 0,
      " 413 " },
    { "a length and chunks",
      "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      0, " 400 " },
    { "chunks and a length",
      "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
      0, " 400 " },
    { "chunks twice",
      "POST / HTTP/1.1\r\n" HOST
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
      0, " 400 " },
    { "another coding", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", 0, " 501 " },
    { "a coding that looks like one",
      "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 0, " 501 " },
    { "chunks long ago", "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      0, " 400 " },
    { "a coded body",
      "POST / HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", 0,
      " 400 " },
    { "another Expect", "GET / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\n\r\n", 0, " 400 " },
    { "an escaped slash", "GET /a%2fb HTTP/1.1\r\n" HOST "\r\n", 0, " 400 " },
    { "an escaped NUL", "GET /a%00b HTTP/1.1\r\n" HOST "\r\n", 0, " 400 " },
    { "an escaped line end", "GET /a%0d%0ab HTTP/1.1\r\n" HOST "\r\n", 0, " 400 " },
    { "a way up", "GET /a/../b HTTP/1.1\r\n" HOST "\r\n", 0, " 400 " },
    { "an escaped way up", "GET /a/%2e%2E/b HTTP/1.1\r\n" HOST "\r\n", 0, " 400 " },
    { "a way up for others", "GET /a/..%5cb HTTP/1.1\r\n" HOST "\r\n", 0, " 400 " },
    { "a path that is not UTF-8", "GET /%ff HTTP/1.1\r\n" HOST "\r\n", 0, " 400 " },
    { "a query that is not UTF-8", "GET /?q=%ff HTTP/1.1\r\n" HOST "\r\n", 0, " 400 " },
    { "a query that says something twice", "GET /?q=a&q=b HTTP/1.1\r\n" HOST "\r\n", 0, " 400 " },
    { "the same by an escape", "GET /?q=a&%71=b HTTP/1.1\r\n" HOST "\r\n", 0, " 400 " },
};

/* Of bodies; what is behind the head was begun to be read. */
#define CHUNKED "POST /b HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
static const struct row broken[] = {
    { "no size", CHUNKED "\r\n\r\n", 0, " 400 " },
    { "no number", CHUNKED "z\r\n", 0, " 400 " },
    { "a sign", CHUNKED "+1\r\na\r\n0\r\n\r\n", 0, " 400 " },
    { "a space behind the size", CHUNKED "1 \r\na\r\n0\r\n\r\n", 0, " 400 " },
    { "0x", CHUNKED "0x1\r\na\r\n0\r\n\r\n", 0, " 400 " },
    { "LF behind the size", CHUNKED "1\na\r\n0\r\n\r\n", 0, " 400 " },
    { "a size without end", CHUNKED "0000000000000000000001\r\na\r\n0\r\n\r\n", 0, " 400 " },
    { "a size beyond all", CHUNKED "ffffffffffffffff\r\na\r\n0\r\n\r\n", 0, " 400 " },
    { "an extension", CHUNKED "1;x=y\r\na\r\n0\r\n\r\n", 0, " 400 " },
    { "a chunk that is longer than it says", CHUNKED "1\r\nab\r\n0\r\n\r\n", 0, " 400 " },
    { "LF behind a chunk", CHUNKED "1\r\na\n0\r\n\r\n", 0, " 400 " },
    { "a trailer", CHUNKED "1\r\na\r\n0\r\nX: y\r\n\r\n", 0, " 400 " },
    { "LF behind the last one", CHUNKED "1\r\na\r\n0\r\n\n", 0, " 400 " },
};

static void send_all(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        bytes += sent;
        n -= (size_t)sent;
    }
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;

    for (const char *p = strstr(text, part); p; p = strstr(p + 1, part))
        n++;
    return n;
}

/* One answer, ours, that ends the connection. */
static void expect_refused(const char *sentence, int fd, const char *status)
{
    char buf[4096];
    const char *heard = hear(fd, buf, sizeof(buf), NULL);

    expect_answer(sentence, heard, status);
    expect_answer(sentence, heard, "application/problem+json");
    expect_answer(sentence, heard, "X-Content-Type-Options: nosniff");
    expect_answer(sentence, heard, "Connection: close");
    if (count(heard, "HTTP/1.1 ") != 1 || strstr(heard, "<html"))
        expect_answer(sentence, heard, "one answer of ours");
}

static void talk_rows(struct fixture *f, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        AUTO_CLOSE int fd = dial(f);

        send_all(fd, rows[i].request, rows[i].n ? rows[i].n : strlen(rows[i].request));
        send_all(fd, BEHIND, sizeof(BEHIND) - 1);
        expect_refused(rows[i].sentence, fd, rows[i].status);
    }
}

static void talk_refused(struct fixture *f)
{
    talk_rows(f, refused, N_ELEMENTS(refused));
}

static void test_what_is_not_strict_is_refused_in_our_words(void **state)
{
    (void)state;
    run(talk_refused);
    expect_no_failure();
}

static void talk_broken(struct fixture *f)
{
    talk_rows(f, broken, N_ELEMENTS(broken));
}

static void test_broken_chunks_are_refused_in_our_words(void **state)
{
    (void)state;
    run(talk_broken);
    expect_no_failure();
}

/* --- too much ------------------------------------------------------------------------------------ */

static void talk_too_much(struct fixture *f)
{
    enum { N = 3 * HEAD_MAX };
    char *text = malloc(N + 1);
    struct sb b;
    AUTO_ARENA struct arena a = { 0 };

    memset(text, 'a', N);
    text[N] = 0;
    sb_init(&b, &a);
    sb_addf(&b, "GET /%.*s HTTP/1.1\r\n" HOST "\r\n", N, text);
    for (int i = 0; i < 4; i++) {
        static const char *const statuses[] = { " 414 ", " 431 ", " 431 ", " 431 " };
        AUTO_CLOSE int fd = dial(f);

        b.n = i ? 0 : b.n;
        if (i == 1)
            sb_addf(&b, "GET / HTTP/1.1\r\n" HOST "X: %.*s\r\n\r\n", N, text);
        if (i == 2) {
            sb_add_c(&b, "GET / HTTP/1.1\r\n" HOST);
            for (int k = 0; k < HEAD_HEADERS_MAX; k++)
                sb_addf(&b, "X-%d: y\r\n", k);
            sb_add_c(&b, "\r\n");
        }
        if (i == 3) { /* as many cookies as nobody has */
            sb_add_c(&b, "GET / HTTP/1.1\r\n" HOST "Cookie: a=b");
            for (int k = 0; k < HEAD_MAX; k++)
                sb_add_c(&b, ";a");
            sb_add_c(&b, "\r\n\r\n");
        }
        send_all(fd, b.p, b.n);
        expect_refused("too much", fd, statuses[i]);
    }
    free(text);
}

static void test_too_much_is_refused_in_our_words(void **state)
{
    (void)state;
    run(talk_too_much);
    expect_no_failure();
}

/* As much as may be: nothing of it reaches a parser with limits of its own. */
static void talk_much(struct fixture *f)
{
    AUTO_ARENA struct arena a = { 0 };
    AUTO_CLOSE int fd = dial(f);
    char buf[4096];
    struct sb b;

    sb_init(&b, &a);
    sb_add_c(&b, "GET /much?q=all HTTP/1.1\r\n" HOST);
    for (int k = 0; k < HEAD_HEADERS_MAX - 2; k++)
        sb_addf(&b, "X-%d: y\r\n", k);
    sb_add_c(&b, "Cookie: a");
    while (b.n < HEAD_MAX - 5)
        sb_add_c(&b, ";a");
    sb_add_c(&b, "\r\n\r\n");
    send_all(fd, b.p, b.n);
    expect_answer("as much as may be", hear(fd, buf, sizeof(buf), "n=0"), "GET /much q=all n=0");
}

static void test_what_is_within_the_limits_is_taken(void **state)
{
    (void)state;
    run(talk_much);
    expect_no_failure();
}

/* --- what is taken ------------------------------------------------------------------------------- */

static void talk_taken(struct fixture *f)
{
    static const struct {
        const char *sentence, *request, *answers[3]; /* in this order */
    } rows[] = {
        { "two at once",
          "GET /a HTTP/1.1\r\n" HOST "\r\nGET /b HTTP/1.1\r\n" HOST "\r\n",
          { "GET /a q=- n=0", "GET /b q=- n=0" } },
        { "behind a body",
          "POST /a HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabcPOST /b HTTP/1.1\r\n" HOST
          "Content-Length: 2\r\n\r\nabGET /c HTTP/1.1\r\n" HOST "\r\n",
          { "POST /a q=- n=3", "POST /b q=- n=2", "GET /c q=- n=0" } },
        { "behind chunks",
          "POST /a HTTP/1.1\r\n" HOST
          "Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\nGET "
          "/b HTTP/1.1\r\n" HOST "\r\n",
          { "POST /a q=- n=13", "GET /b q=- n=0" } },
        { "a length that is nothing",
          "POST /a HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\nGET /b HTTP/1.1\r\n" HOST "\r\n",
          { "POST /a q=- n=0", "GET /b q=- n=0" } },
        { "the host in the target",
          "GET http://L/a?q=z HTTP/1.1\r\n" HOST "\r\n",
          { "GET /a q=z n=0" } },
        { "another method", "DELETE /a HTTP/1.1\r\n" HOST "\r\n", { "DELETE /a q=- n=0" } },
        { "escapes",
          "GET /a%20b%zz?q=%26%3d+x HTTP/1.1\r\n" HOST "\r\n",
          { "GET /a b%zz q=&= x n=0" } },
        { "long ago",
          "GET /a HTTP/1.0\r\n" HOST "\r\n",
          { "Connection: close", "GET /a q=- n=0" } },
        { "it says that it ends",
          "GET /a HTTP/1.1\r\n" HOST "Connection: x, Close\r\n\r\n",
          { "Connection: close", "GET /a q=- n=0" } },
        { "it waits to be told",
          "POST /a HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
          { "HTTP/1.1 100 ", "POST /a q=- n=1" } },
        { "what is good before what is bad",
          "GET /a HTTP/1.1\r\n" HOST "\r\nGET /b HTTP/1.1\n" HOST "\r\n" BEHIND,
          { "GET /a q=- n=0", " 400 ", "CR LF" } },
    };

    for (size_t i = 0; i < 2 * N_ELEMENTS(rows); i++) {
        const char *request = rows[i / 2].request;
        AUTO_CLOSE int fd = dial(f);
        const char *heard;
        char buf[8192];

        for (size_t at = 0; i % 2 && request[at]; at++) /* a byte at a time */
            send_all(fd, request + at, 1);
        if (i % 2 == 0)
            send_all(fd, request, strlen(request));
        (void)shutdown(fd, SHUT_WR);
        heard = hear(fd, buf, sizeof(buf), NULL);
        for (size_t k = 0; k < N_ELEMENTS(rows[0].answers) && rows[i / 2].answers[k]; k++) {
            expect_answer(rows[i / 2].sentence, heard, rows[i / 2].answers[k]);
            heard = strstr(heard, rows[i / 2].answers[k]) ? strstr(heard, rows[i / 2].answers[k])
                                                          : heard;
        }
        if (strstr(buf, "smuggled"))
            expect_answer(rows[i / 2].sentence, buf, "nothing behind it");
    }
}

static void test_what_is_strict_is_taken_however_it_comes(void **state)
{
    (void)state;
    run(talk_taken);
    expect_no_failure();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_strict_is_refused_in_our_words),
        cmocka_unit_test(test_broken_chunks_are_refused_in_our_words),
        cmocka_unit_test(test_too_much_is_refused_in_our_words),
        cmocka_unit_test(test_what_is_within_the_limits_is_taken),
        cmocka_unit_test(test_what_is_strict_is_taken_however_it_comes),
    };

    return cmocka_run_group_tests_name("http strict", tests, NULL, NULL);
}
