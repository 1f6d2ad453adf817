/* Connections that stay open are ended where nobody is led any more. SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

#include "tests/unit/test_driver_haproxy_given.h"

#define N_SOCKETS 6
#define OPEN_WORDS                                                                                 \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"                   \
    "Sec-WebSocket-Key: " TINY_HTTP_WEBSOCKET_KEY "\r\n\r\n"

/* A websocket to whoever serves the host. */
static int open_socket(struct test_edge *e, const char *host)
{
    const struct sockaddr_in to = { .sin_family = AF_INET,
                                    .sin_port = htons(e->http),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const struct timeval limit = { .tv_sec = PATIENCE_MS / 1000 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char request[512], text[1024] = "";

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    (void)snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: %s\r\n" OPEN_WORDS,
                   host); /* fits */
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    for (size_t n = 0; !strstr(text, "\r\n\r\n");) {
        ssize_t got = recv(fd, text + n, sizeof(text) - 1 - n, 0);

        assert_true(got > 0);
        n += (size_t)got;
    }
    assert_non_null(strstr(text, " 101 "));
    return fd;
}

static void open_sockets(struct test_edge *e, const char *host, int *fds)
{
    for (size_t i = 0; i < N_SOCKETS; i++)
        fds[i] = open_socket(e, host);
}

/* How many of them still say a byte back; all are closed. */
static int count_open(int *fds)
{
    int n = 0;

    for (size_t i = 0; i < N_SOCKETS; i++) {
        char byte = 'x';

        n += send(fds[i], &byte, 1, MSG_NOSIGNAL) == 1 && recv(fds[i], &byte, 1, 0) == 1;
        (void)close(fds[i]); /* asked to its end */
    }
    return n;
}

static void expect_ended(struct test_edge *e, const char *owner, const char *desired, int n)
{
    char want[32];

    (void)snprintf(want, sizeof(want), "{\"n\":%d}", n); /* fits */
    assert_int_equal(test_edge_shed(e, owner, desired), RV_DONE);
    assert_true(test_rv_has(e->ret.observed, want));
}

/* The hosts a.test and b.test, each with a set of its own. */
static void given_two_hosts(struct test_edge *e, char ids[2][16])
{
    assert_true(test_edge_backend(e, "rv1a", test_edge_server(e, "v0", NULL), ids[0]));
    assert_true(test_edge_backend(e, "rv1b", test_edge_server(e, "v1", NULL), ids[1]));
    assert_true(given_routes(e, "a", 1, ids[0]));
    assert_true(given_routes(e, "b", 1, ids[1]));
    assert_int_equal(when_switched(e, "a", 1), RV_DONE);
    assert_int_equal(when_switched(e, "b", 1), RV_DONE);
}

/* a.test moves to the set of b.test. */
static void when_a_is_left(struct test_edge *e, char ids[2][16])
{
    assert_true(given_routes(e, "a", 2, ids[1]));
    assert_int_equal(when_switched(e, "a", 2), RV_DONE);
}

static void test_so_many_are_ended_and_nobody_else(void **state)
{
    struct test_edge *e = *state;
    int left[N_SOCKETS], live[N_SOCKETS];
    char ids[2][16];

    given_two_hosts(e, ids);
    open_sockets(e, "a.test", left);
    open_sockets(e, "b.test", live);
    when_a_is_left(e, ids);
    expect_ended(e, "rv1a", "{\"n\":2}", 2);
    expect_ended(e, "rv1a", "{\"n\":0}", 0);
    assert_int_equal(count_open(left), N_SOCKETS - 2);
    assert_int_equal(count_open(live), N_SOCKETS);
    assert_int_equal(test_edge_shed(e, "rv1c", "{\"n\":2}"), RV_ABSENT);
}

static void test_who_left_alone_is_ended(void **state)
{
    struct test_edge *e = *state;
    uint16_t goes = test_edge_server(e, "goes", NULL), stays = test_edge_server(e, "stays", NULL);
    int both[N_SOCKETS];
    char of_goes[64], of_both[64], id[16];

    (void)snprintf(of_goes, sizeof(of_goes), "{\"n\":%d,\"servers\":[\"127.0.0.1:%u\"]}", N_SOCKETS,
                   goes); /* fits */
    (void)snprintf(of_both, sizeof(of_both), "{\"servers\":[\"127.0.0.1:%u\",\"127.0.0.1:%u\"]}",
                   goes, stays); /* fits */
    assert_true(test_edge_must(e, RV_CREATE, "backend", "n", "rv1two", of_both));
    (void)snprintf(id, sizeof(id), "%s", e->ret.id.p); /* fits */
    assert_true(given_routes(e, "e", 1, id));
    assert_int_equal(when_switched(e, "e", 1), RV_DONE);
    open_sockets(e, "e.test", both);
    expect_ended(e, "rv1two", of_goes, 0); /* it has requests */
    (void)snprintf(of_both, sizeof(of_both), "{\"servers\":[\"127.0.0.1:%u\"]}", stays); /* fits */
    assert_true(test_edge_must(e, RV_UPDATE, "backend", "n", "rv1two", of_both));
    expect_ended(e, "rv1two", of_goes, N_SOCKETS / 2);
    assert_int_equal(test_edge_shed(e, "rv1two", "{\"n\":2}"), RV_STALE);
    assert_int_equal(count_open(both), N_SOCKETS / 2);
}

/* Who goes back to a set has its connections: the old word to end them comes too late. */
static void test_what_is_live_again_is_left(void **state)
{
    struct test_edge *e = *state;
    int held[N_SOCKETS];
    char ids[2][16];

    given_two_hosts(e, ids);
    open_sockets(e, "a.test", held);
    when_a_is_left(e, ids);
    assert_true(given_routes(e, "a", 3, ids[0]));
    assert_int_equal(when_switched(e, "a", 3), RV_DONE);
    assert_int_equal(test_edge_shed(e, "rv1a", "{\"n\":2}"), RV_STALE);
    assert_int_equal(e->ret.acted, RV_ACTED_NO);
    assert_int_equal(count_open(held), N_SOCKETS);
}

/* A life that is over ends nothing, nor does who may only look. */
static void test_an_older_life_ends_nothing(void **state)
{
    struct test_edge *e = *state;
    int held[N_SOCKETS];
    char ids[2][16];

    e->epoch = 2;
    given_two_hosts(e, ids);
    open_sockets(e, "a.test", held);
    when_a_is_left(e, ids);
    e->epoch = 1;
    assert_int_equal(test_edge_shed(e, "rv1a", "{\"n\":2}"), RV_FATAL);
    assert_int_equal(count_open(held), N_SOCKETS);
}

/* --- a name of a connection is given again ------------------------------------------------------- */

static struct {
    struct test_edge *edge;
    char backend[24];
    int (*connect)(void *ctx, struct rv_str address, int *ret_fd);
    int *left, *live;
    size_t n, at;
} turn;

/* Between the list and its first use all that was listed ends, and as many others begin. */
static int connect_in_turn(void *ctx, struct rv_str address, int *ret_fd)
{
    int64_t until_ms = sys_mono_ms() + PATIENCE_MS;
    char text[8192];

    if (turn.n++ == turn.at) {
        for (size_t i = 0; i < N_SOCKETS; i++)
            (void)close(turn.left[i]); /* only said to the proxy */
        do {
            pause_ms(5);
            assert_true(sys_mono_ms() < until_ms);
            test_edge_ask(turn.edge, "show sess\n", text, sizeof(text));
        } while (strstr(text, turn.backend));
        open_sockets(turn.edge, "b.test", turn.live);
    }
    return turn.connect(ctx, address, ret_fd);
}

static void test_a_name_that_is_given_again_is_another(void **state)
{
    struct test_edge *e = *state;
    int left[N_SOCKETS], live[N_SOCKETS];
    char ids[2][16];
    size_t before;

    given_two_hosts(e, ids);
    open_sockets(e, "a.test", left);
    when_a_is_left(e, ids);
    before = e->t.calls[TEST_HOST_CONNECT];
    expect_ended(e, "rv1a", "{\"n\":0}", 0);
    turn = (typeof(turn)){ .edge = e,
                           .connect = e->t.host.connect,
                           .left = left,
                           .live = live,
                           .at = e->t.calls[TEST_HOST_CONNECT] - before };
    (void)snprintf(turn.backend, sizeof(turn.backend), " be=%s ", ids[0]); /* fits */
    e->t.host.connect = connect_in_turn;
    expect_ended(e, "rv1a", "{\"n\":6}", 0);
    e->t.host.connect = turn.connect;
    assert_int_equal(count_open(live), N_SOCKETS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EDGE_TEST(test_so_many_are_ended_and_nobody_else),
        EDGE_TEST(test_who_left_alone_is_ended),
        EDGE_TEST(test_what_is_live_again_is_left),
        EDGE_TEST(test_an_older_life_ends_nothing),
        EDGE_TEST(test_a_name_that_is_given_again_is_another),
    };

    return cmocka_run_group_tests_name("haproxy shed", tests, NULL, NULL);
}
