/* http/connections: what one address has of them. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/guard.h"
#include "reconciler/http/connections.h"

#define MAX 2

static void nothing(void *ctx)
{
    (void)ctx;
}

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static union address address_of(const char *text)
{
    union address a = { .v6 = { .sin6_family = AF_INET6 } };

    if (inet_pton(AF_INET6, text, &a.v6.sin6_addr) == 1)
        return a;
    a = (union address){ .v4 = { .sin_family = AF_INET } };
    assert_int_equal(inet_pton(AF_INET, text, &a.v4.sin_addr), 1);
    return a;
}

static void test_an_address_has_a_share_of_the_connections(void **state)
{
    static const struct {
        const char *from;
        int is_cut;
    } rows[] = {
        { "192.0.2.1", 0 },        { "192.0.2.1", 0 },
        { "192.0.2.2", 0 },        { "::ffff:192.0.2.1", 1 }, /* the same, at an IPv6 socket */
        { "2001:db8::1", 0 },      { "2001:db8::2", 0 },
        { "2001:db8::ffff:3", 1 }, { "2001:db8:0:1::1", 0 }, /* another customer's */
        { "c000:201::", 0 }, /* begins with the bytes of 192.0.2.1 */
    };
    struct connections all = { .n_max = MAX, .cut = nothing };
    struct connection *added[N_ELEMENTS(rows)];
    int fds[N_ELEMENTS(rows)][2];
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(loop_uv_new(&(struct loop_options){ 0 }, &all.loop, &err), 0);
    assert_int_equal(connections_init(&all, &err), 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        union address from = address_of(rows[i].from);
        char byte;

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds[i]), 0);
        added[i] = connections_add(&all, fds[i][0], &from.any);
        assert_non_null(added[i]);
        if ((recv(fds[i][1], &byte, 1, 0) == 0) != rows[i].is_cut)
            fail_msg("%s, row %zu", rows[i].from, i);
    }
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        connections_remove(added[i]);
        (void)close(fds[i][0]);
        (void)close(fds[i][1]);
    }
    connections_fini(&all);
    loop_free(all.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_address_has_a_share_of_the_connections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
