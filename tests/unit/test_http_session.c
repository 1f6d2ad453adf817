/* http: cookies, their tokens, and when a session is over. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/guard.h"
#include "reconciler/http/session.h"

#define NOW ((int64_t)1700000000000)
#define MINUTE ((int64_t)60 * 1000)

static struct http_exchange given_request(struct arena *a, struct str cookie, struct str csrf)
{
    struct value *headers = value_map(a);

    if (cookie.p)
        value_set_text(a, headers, S("cookie"), cookie);
    if (csrf.p)
        value_set_text(a, headers, S("x-csrf-token"), csrf);
    return (struct http_exchange){ .headers = headers };
}

static struct str value_of(struct str set_cookie)
{
    struct str part;

    (void)str_next(&set_cookie, ';', &part);
    return part;
}

static void test_a_cookie_is_known_again(void **state)
{
    AUTO_ARENA struct arena a;
    struct err err = ERR_INIT;
    struct session drawn, shown;

    (void)state;
    arena_init(&a, 0);
    for (int is_tls = 0; is_tls < 2; is_tls++) {
        struct http_exchange x;
        struct str cookie;

        assert_int_equal(session_draw(&a, &drawn, &err), 0);
        cookie = session_cookie(&a, &drawn, is_tls);
        assert_int_equal(str_starts(cookie, S("__Host-reeve=")), is_tls);
        assert_int_equal(str_ends(cookie, S("; HttpOnly; SameSite=Strict; Secure")), is_tls);
        assert_true(str_find(cookie, S("; Path=/; ")) != STR_NPOS);
        x = given_request(&a, str_fmt(&a, "a=b; %.*s; c", STR_ARG(value_of(cookie))), drawn.csrf);
        x.is_tls = is_tls;
        assert_true(session_shown(&a, &x, &shown));
        assert_true(digest_eq(&shown.hash, &drawn.hash));
        assert_true(session_has_csrf(&shown, &x));
        x.is_tls = !is_tls; /* the other name */
        assert_false(session_shown(&a, &x, &shown));
    }
}

/* A name that only what stands before us can have been asked by. */
static void test_who_comes_by_tls(void **state)
{
    static const struct {
        const char *host;
        enum http_door door;
        int is_tls, is_sealed;
    } rows[] = {
        { "reeve.test", HTTP_DOOR_API, 0, 1 },     { "reeve.test:7420", HTTP_DOOR_API, 0, 1 },
        { "localhost:7420", HTTP_DOOR_API, 0, 0 }, { "127.0.0.1:7420", HTTP_DOOR_API, 0, 0 },
        { "[::1]:7420", HTTP_DOOR_API, 0, 0 },     { "localhost", HTTP_DOOR_API, 1, 1 },
        { "reeve.test", HTTP_DOOR_SOCKET, 0, 0 },  { "", HTTP_DOOR_API, 0, 0 },
    };
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct value *headers = value_map(&a);
        const struct http_exchange x = { .headers = headers,
                                         .door = rows[i].door,
                                         .is_tls = rows[i].is_tls };

        value_set_text(&a, headers, S("host"), str_from_c(rows[i].host));
        if (session_is_sealed(&x) != rows[i].is_sealed)
            fail_msg("%s", rows[i].host);
    }
}

static const struct {
    const char *sentence, *cookie;
    int is_shown;
} cookies[] = {
    { "none", NULL, 0 },
    { "of others", "a=b; reeves=AAAA", 0 },
    { "twice", "reeve=AAAA; reeve=BBBB", 0 },
    { "too short is nobody's", "reeve=AAAA", 1 },
    { "not its alphabet is nobody's", "reeve=++++", 1 },
    { "nothing in it is nobody's", "reeve=", 1 },
};

static void test_cookies(void **state)
{
    AUTO_ARENA struct arena a;
    struct session none, shown;
    struct err err = ERR_INIT;

    (void)state;
    arena_init(&a, 0);
    assert_int_equal(session_draw(&a, &none, &err), 0);
    for (size_t i = 0; i < N_ELEMENTS(cookies); i++) {
        struct http_exchange x = given_request(&a, str_from_c(cookies[i].cookie), STR_NONE);

        if (session_shown(&a, &x, &shown) != cookies[i].is_shown)
            fail_msg("%s", cookies[i].sentence);
    }
}

static void test_csrf(void **state)
{
    AUTO_ARENA struct arena a;
    struct session one, other;
    struct err err = ERR_INIT;
    struct http_exchange x;

    (void)state;
    arena_init(&a, 0);
    assert_int_equal(session_draw(&a, &one, &err), 0);
    assert_int_equal(session_draw(&a, &other, &err), 0);
    x = given_request(&a, STR_NONE, other.csrf);
    assert_false(session_has_csrf(&one, &x));
    x = given_request(&a, STR_NONE, STR_NONE);
    assert_false(session_has_csrf(&one, &x));
    x = given_request(&a, STR_NONE, str_slice(one.csrf, 0, one.csrf.n - 1));
    assert_false(session_has_csrf(&one, &x));
    assert_true(str_find(session_cookie(&a, &one, 1), one.csrf) == STR_NPOS);
}

/* Of one person, by one password. */
static void test_browsers_are_known(void **state)
{
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (int is_tls = 0; is_tls < 2; is_tls++) {
        struct str cookie = session_known_cookie(&a, STR_NONE, S("ann"), S("a hash"), is_tls), id;
        struct str longer = str_fmt(&a, "%.*sA", STR_ARG(value_of(cookie)));
        struct str bare = str_slice(value_of(cookie), 0, value_of(cookie).n - 44);
        struct http_exchange x = given_request(&a, value_of(cookie), STR_NONE);
        struct http_exchange y = given_request(&a, longer, STR_NONE);
        struct http_exchange z = given_request(&a, bare, STR_NONE);

        x.is_tls = y.is_tls = z.is_tls = is_tls;
        assert_int_equal(str_starts(cookie, S("__Host-reeve-known=")), is_tls);
        assert_int_equal(str_ends(cookie, S("; HttpOnly; SameSite=Strict; Secure")), is_tls);
        id = session_known(&a, &x, S("ann"), S("a hash"));
        assert_int_equal(id.n, 22);
        assert_false(session_known(&a, &x, S("bob"), S("a hash")).p);
        assert_false(session_known(&a, &x, S("ann"), S("another")).p);
        assert_false(session_known(&a, &x, S("ann"), STR_NONE).p);
        assert_false(session_known(&a, &y, S("ann"), S("a hash")).p);
        assert_false(session_known(&a, &z, S("ann"), S("a hash")).p);
        assert_true(str_eq(session_known_cookie(&a, id, S("ann"), S("a hash"), is_tls), cookie));
        x.is_tls = !is_tls;
        assert_false(session_known(&a, &x, S("ann"), S("a hash")).p);
    }
}

static const struct {
    const char *sentence;
    int64_t made_min, used_min, left_min; /* ago; 0 left: it is over */
} ages[] = {
    { "new", 0, 0, 60 },
    { "used just now", 120, 0, 60 },
    { "idle for a while", 120, 59, 1 },
    { "idle for too long", 120, 60, 0 },
    { "at the end of it", 719, 0, 1 },
    { "as old as any, whatever is asked", 720, 0, 0 },
};

static void test_ages(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(ages); i++) {
        const struct rec_session row = { .made_ms = NOW - ages[i].made_min * MINUTE,
                                         .used_ms = NOW - ages[i].used_min * MINUTE };
        int64_t until_ms = session_until_ms(&row, NOW);

        if (until_ms != (ages[i].left_min ? NOW + ages[i].left_min * MINUTE : 0))
            fail_msg("%s", ages[i].sentence);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_cookie_is_known_again),
        cmocka_unit_test(test_who_comes_by_tls),
        cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_csrf),
        cmocka_unit_test(test_browsers_are_known),
        cmocka_unit_test(test_ages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
