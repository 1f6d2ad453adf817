/* engine: requests that a host makes for a driver, and where they may go. SPDX-License-Identifier: Apache-2.0 */
#include "test_engine_host_given.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Inside work, while the loop runs. */
struct request {
    struct probe probe;
    struct rv_http in;
    enum host_egress egress;
    struct network allowed;
    int verdict;
    uint32_t status;
    char body[64], headers[64];
};

static int work_requests(struct task *t, struct err *err)
{
    struct request *r = container_of(t, struct request, probe.task);
    struct rv_reply reply = { .size = sizeof(reply) };
    struct host_call call;

    (void)err;
    host_call_init(&call, &(struct host_options){ .loop = t->loop,
                                                  .task = t,
                                                  .timeout_ms = 20000,
                                                  .egress = r->egress,
                                                  .allowed = &r->allowed,
                                                  .n_allowed = r->allowed.n_bytes != 0 });
    r->verdict = call.host.http(call.host.ctx, &r->in, &reply);
    r->status = reply.status;
    (void)snprintf(r->body, sizeof(r->body), "%.*s", (int)reply.body.n, reply.body.p);
    (void)snprintf(r->headers, sizeof(r->headers), "%.*s", (int)reply.headers.n, reply.headers.p);
    host_call_fini(&call);
    return 0;
}

static void wait_requests(struct probe *p)
{
    wait_work_start(&p->task, POOL_DRIVER, work_requests);
}

/* Answers the first request of each of n connections with what it was sent: method, X-Test, body. */
static void *serve(void *ctx)
{
    int listener = *(int *)ctx, fd;

    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        char got[2048], answer[2400], *test, *end;
        ssize_t n = read(fd, got, sizeof(got) - 1);

        got[n > 0 ? n : 0] = 0;
        test = strstr(got, "X-Test: ");
        end = strstr(got, "\r\n\r\n");
        n = snprintf(answer, sizeof(answer),
                     "HTTP/1.1 201 Made\r\nConnection: close\r\n\r\n%.4s|%.3s|%s", got,
                     test ? test + 8 : "-", end ? end + 4 : "-");
        if (write(fd, answer, (size_t)n) != n)
            abort();
        (void)close(fd);
    }
    return NULL;
}

static void test_a_request_goes_where_egress_allows(void **state)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    char url[64], https_url[64];
    pthread_t thread;
    struct {
        const char *name, *method, *url, *headers, *body;
        enum host_egress egress;
        uint64_t body_max;
        int verdict;
        const char *want;
    } rows[] = {
        { "GET", "GET", url, "", "", HOST_EGRESS_ANY, 0, 0, "GET |-|" },
        { "POST", "POST", url, "X-Test: abc\nX-More: d\n", "hi", HOST_EGRESS_ANY, 0, 0,
          "POST|abc|hi" },
        { "an answer over the limit is none", "GET", url, "", "", HOST_EGRESS_ANY, 3, RV_USER, "" },
        { "plain http is never sent to the internet", "GET", "http://1.1.1.1/", "", "",
          HOST_EGRESS_PUBLIC, 0, RV_USER, "" },
        { "this machine is not the internet", "GET", https_url, "", "", HOST_EGRESS_PUBLIC, 0,
          RV_USER, "" },
        { "nobody listens", "GET", "http://127.0.0.1:1/", "", "", HOST_EGRESS_ANY, 0, RV_RETRY,
          "" },
        { "a header of two lines", "GET", url, "X: 1\r\nbad", "", HOST_EGRESS_ANY, 0, RV_USER, "" },
    };

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &n), 0);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(at.sin_port));
    (void)snprintf(https_url, sizeof(https_url), "https://127.0.0.1:%d/", ntohs(at.sin_port));
    assert_int_equal(pthread_create(&thread, NULL, serve, &listener), 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct fixture f;
        struct request r = { .egress = rows[i].egress };

        given_real_loop(&f, NULL);
        r.in = (struct rv_http){ .size = sizeof(r.in),
                                 .method = text(rows[i].method),
                                 .url = text(rows[i].url),
                                 .headers = text(rows[i].headers),
                                 .body = text(rows[i].body),
                                 .body_max = rows[i].body_max };
        given_probe(&r.probe, &f, wait_requests);
        loop_run(f.loop);
        if (r.verdict != rows[i].verdict)
            fail_msg("%s: %s", rows[i].name, kit_verdict_name((uint32_t)r.verdict));
        assert_string_equal(r.body, rows[i].want);
        assert_int_equal(r.status, rows[i].verdict ? 0 : 201);
        fixture_fini(&f);
    }
    (void)shutdown(listener, SHUT_RDWR);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(listener);
}

/* RV_USER: refused before anything was sent. RV_RETRY: the connection was made, and was no TLS. */
static void test_an_address_is_the_same_however_it_is_spelled(void **state)
{
    static const struct {
        const char *sentence, *host, *allowed;
        int verdict;
    } rows[] = {
        { "by name", "localhost", NULL, RV_USER },
        { "in short", "127.1", NULL, RV_USER },
        { "as one number", "2130706433", NULL, RV_USER },
        { "in hexadecimal", "0x7f000001", NULL, RV_USER },
        { "in octal", "0177.0.0.1", NULL, RV_USER },
        { "all of this machine", "0.0.0.0", NULL, RV_USER },
        { "in IPv6", "[::1]", NULL, RV_USER },
        { "mapped", "[::ffff:127.0.0.1]", NULL, RV_USER },
        { "mapped, in hexadecimal", "[::ffff:7f00:1]", NULL, RV_USER },
        { "compatible", "[::127.0.0.1]", NULL, RV_USER },
        { "by NAT64", "[64:ff9b::7f00:1]", NULL, RV_USER },
        { "by 6to4", "[2002:7f00:1::]", NULL, RV_USER },
        { "behind a user", "example.org@127.0.0.1", NULL, RV_USER },
        { "where clouds keep their secrets", "169.254.169.254", NULL, RV_USER },
        { "a private one", "10.0.0.1", NULL, RV_USER },
        { "a local one", "[fd00::1]", NULL, RV_USER },
        { "one of a link", "[fe80::1]", NULL, RV_USER },
        { "of many", "224.0.0.1", NULL, RV_USER },
        { "named", "127.0.0.1", "127.0.0.1", RV_RETRY },
        { "named with others", "localhost", "127.0.0.0/8", RV_RETRY },
        { "named, in another spelling", "[::ffff:127.0.0.1]", "127.0.0.0/8", RV_RETRY },
        { "another one is named", "127.0.0.1", "127.0.0.2", RV_USER },
        { "another kind is named", "127.0.0.1", "::/0", RV_USER },
    };
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    pthread_t thread;

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &n), 0);
    assert_int_equal(pthread_create(&thread, NULL, serve, &listener), 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct request r = { .egress = HOST_EGRESS_PUBLIC };
        struct fixture f;
        char url[128];

        (void)snprintf(url, sizeof(url), "https://%s:%d/", rows[i].host, ntohs(at.sin_port));
        if (rows[i].allowed)
            assert_int_equal(network_parse(str_from_c(rows[i].allowed), &r.allowed), 0);
        given_real_loop(&f, NULL);
        r.in = (struct rv_http){ .size = sizeof(r.in), .method = text("GET"), .url = text(url) };
        given_probe(&r.probe, &f, wait_requests);
        loop_run(f.loop);
        if (r.verdict != rows[i].verdict)
            fail_msg("%s: %s", rows[i].sentence, kit_verdict_name((uint32_t)r.verdict));
        fixture_fini(&f);
    }
    (void)shutdown(listener, SHUT_RDWR);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_goes_where_egress_allows),
        cmocka_unit_test(test_an_address_is_the_same_however_it_is_spelled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
