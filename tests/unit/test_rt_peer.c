/* rt: which addresses are public. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <sys/un.h>

#include "base/guard.h"
#include "reconciler/rt/loop_peer.h"

static int is_public(const char *text)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return loop_peer_is_public((const struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return loop_peer_is_public((const struct sockaddr *)&v6);
}

static void test_only_the_internet_is_public(void **state)
{
    static const struct {
        const char *address;
        int is_public;
    } rows[] = {
        { "1.1.1.1", 1 },
        { "9.255.255.255", 1 },
        { "11.0.0.0", 1 },
        { "100.63.255.255", 1 },
        { "100.128.0.0", 1 },
        { "172.15.255.255", 1 },
        { "172.32.0.0", 1 },
        { "192.167.255.255", 1 },
        { "223.255.255.255", 1 },
        { "0.0.0.0", 0 },
        { "10.1.2.3", 0 },
        { "100.64.0.1", 0 },
        { "127.0.0.1", 0 },
        { "127.255.255.254", 0 },
        { "169.254.169.254", 0 },
        { "172.16.0.1", 0 },
        { "172.31.255.255", 0 },
        { "192.0.0.8", 0 },
        { "192.168.1.1", 0 },
        { "198.19.255.255", 0 },
        { "224.0.0.1", 0 },
        { "255.255.255.255", 0 },
        { "2606:4700:4700::1111", 1 },
        { "2001:4860:4860::8888", 1 },
        { "64:ff9b::101:101", 1 },
        { "::ffff:1.1.1.1", 1 },
        { "2002:101:101::1", 1 },
        { "::", 0 },
        { "::1", 0 },
        { "::ffff:127.0.0.1", 0 },
        { "::127.0.0.1", 0 },
        { "64:ff9b::a00:1", 0 },
        { "64:ff9b:1::1", 0 },
        { "2002:7f00:1::1", 0 },
        { "2001::1", 0 },
        { "2001:db8::1", 0 },
        { "fc00::1", 0 },
        { "fdff::1", 0 },
        { "fe80::1", 0 },
        { "ff02::1", 0 },
        { "192.88.99.1", 0 },
        { "::ffff:0:127.0.0.1", 0 }, /* translated, RFC 2765 */
        { "100:0:0:1::1", 0 },
        { "4000::1", 0 }, /* given to nobody */
        { "5f00::1", 0 }, /* segments of a network's own */
        { "3fff::1", 0 },
        { "fec0::1", 0 },
        { "64:ff9c::101:101", 0 },
        { "3ffe:ffff::1", 1 },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (is_public(rows[i].address) != rows[i].is_public)
            fail_msg("%s should%s be public", rows[i].address, rows[i].is_public ? "" : " not");
}

static int is_in(const char *text, const char *written)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    struct network network;

    assert_int_equal(network_parse(str_from_c(written), &network), 0);
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return loop_peer_is_in((const struct sockaddr *)&v4, &network, 1);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return loop_peer_is_in((const struct sockaddr *)&v6, &network, 1);
}

static void test_networks_have_their_addresses(void **state)
{
    static const struct {
        const char *address, *network;
        int is_in;
    } rows[] = {
        { "10.0.0.0", "10.0.0.0/8", 1 },
        { "10.255.255.255", "10.0.0.0/8", 1 },
        { "11.0.0.0", "10.0.0.0/8", 0 },
        { "192.168.129.0", "192.168.128.0/17", 1 },
        { "192.168.127.0", "192.168.128.0/17", 0 },
        { "10.1.2.3", "10.1.2.3", 1 },
        { "10.1.2.4", "10.1.2.3", 0 },
        { "127.0.0.1", "0.0.0.0/0", 1 },
        { "::1", "0.0.0.0/0", 0 },
        { "127.0.0.1", "::/0", 0 },
        { "::ffff:10.1.2.3", "10.0.0.0/8", 1 },
        { "::ffff:11.1.2.3", "10.0.0.0/8", 0 },
        { "fd00::1", "fd00::/8", 1 },
        { "fe80::1", "fd00::/8", 0 },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (is_in(rows[i].address, rows[i].network) != rows[i].is_in)
            fail_msg("%s should%s be in %s", rows[i].address, rows[i].is_in ? "" : " not",
                     rows[i].network);
}

static void test_a_socket_of_another_family_is_not_public(void **state)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };

    (void)state;
    assert_false(loop_peer_is_public((const struct sockaddr *)&un));
    assert_false(loop_peer_is_in((const struct sockaddr *)&un, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_internet_is_public),
        cmocka_unit_test(test_networks_have_their_addresses),
        cmocka_unit_test(test_a_socket_of_another_family_is_not_public),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
