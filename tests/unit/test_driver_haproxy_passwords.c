/* Passwords of a route, and the pass that follows one, on a real HAProxy. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_driver_haproxy_ruled.h"

#include "base/base64.h"
#include "base/hash.h"
#include "providers/haproxy/frontend.h"

static void test_a_password_opens_and_is_not_handed_on(void **state)
{
    struct test_edge_answer a;

    (void)state;
    given_served(ROUTE("a.test", "/", USERS("ann@1")));
    when_asked("127.0.0.1", "a.test", "/headers", "", &a);
    assert_int_equal(a.status, 401);
    assert_non_null(strcasestr(a.head, "www-authenticate: Basic realm=\"a.test\""));
    when_asked("127.0.0.1", "a.test", "/headers", BY_ANN, &a);
    assert_int_equal(a.status, 200);
    assert_null(strcasestr(a.body, "authorization"));
    assert_non_null(strstr(a.head, "; Path=/; Max-Age=43200; Secure; HttpOnly; SameSite=Lax"));
    assert_non_null(strcasestr(a.head, "cache-control: private, no-store"));
}

static void when_asked_by(const char *user, const char *password, struct test_edge_answer *ret)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[512], header[1024];
    size_t n = (size_t)snprintf(text, sizeof(text), "%s:%s", user, password), at;

    at = (size_t)snprintf(header, sizeof(header), "Authorization: Basic ");
    for (size_t i = 0; i < n; i += 3) {
        unsigned bits = 0;

        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (i + k < n ? (unsigned char)text[i + k] : 0u);
        for (size_t k = 0; k < 4; k++)
            header[at++] = i + k > n ? '=' : digits[bits >> (18 - 6 * k) & 63];
    }
    (void)snprintf(header + at, sizeof(header) - at, "\r\n"); /* fits */
    when_asked("127.0.0.1", "a.test", "/", header, ret);
}

/* Who knows what our maps hold knows no password. */
static void test_what_the_maps_hold_opens_nothing(void **state)
{
    AUTO_ARENA struct arena a;
    struct err err = ERR_INIT;
    struct str list, salt, key, rest;
    struct digest digest;
    struct test_edge_answer answer;
    char path[128];

    (void)state;
    given_served(ROUTE("a.test", "/", USERS("ann@1")));
    arena_init(&a, 0);
    (void)snprintf(path, sizeof(path), "%s/users.map", edge.dir); /* fits */
    assert_int_equal(sys_read_file(&a, path, 4096, &rest, &err), 0);
    assert_true(str_next(&rest, ' ', &key) && str_next(&rest, ':', &salt));
    assert_true(str_next(&key, ':', &list));
    when_asked_by("ann", PASSWORD, &answer);
    assert_int_equal(answer.status, 200);

    /* the hash as password; a user that is nobody and looks like a hash, of the list and a guess */
    when_asked_by("ann", str_to_c(&a, str_trim(rest)), &answer);
    assert_int_equal(answer.status, 401);
    digest = hash_bytes(str_fmt(&a, "%.*s:guess", STR_ARG(list)));
    when_asked_by(str_to_c(&a, digest_hex(&a, &digest)), "guess", &answer);
    assert_int_equal(answer.status, 401);
    digest = hash_bytes(S(":guess"));
    when_asked_by(str_to_c(&a, digest_hex(&a, &digest)), "guess", &answer);
    assert_int_equal(answer.status, 401);
}

/* Without its key the proxy takes no pass, whatever stands in it, and gives none. */
static void test_without_a_key_there_is_no_pass(void **state)
{
    AUTO_ARENA struct arena a;
    struct err err = ERR_INIT;
    struct test_edge_answer answer;
    struct str rest, list, text;
    char pass[512], path[128], forged[512], line[256];

    (void)state;
    given_served(ROUTE("host", "/", USERS("ann@1")));
    given_pass("host", pass);
    arena_init(&a, 0);
    (void)snprintf(path, sizeof(path), "%s/users.map", edge.dir); /* fits */
    assert_int_equal(sys_read_file(&a, path, 4096, &rest, &err), 0);
    assert_true(str_next(&rest, ':', &list));
    (void)snprintf(path, sizeof(path), "%s/keys.map", edge.dir); /* fits */
    assert_int_equal(sys_read_file(&a, path, 4096, &text, &err), 0);

    test_edge_tell(&edge, "clear map keys.map\n");
    assert_int_equal(status_of("host", "/", pass), 401);
    (void)snprintf(forged, sizeof(forged),
                   "Cookie: __Host-reeve-pass=9999999999.%.*s:host:9999999999\r\n",
                   STR_ARG(list)); /* fits */
    assert_int_equal(status_of("host", "/", forged), 401);
    when_asked("127.0.0.1", "host", "/", BY_ANN, &answer);
    assert_int_equal(answer.status, 200);
    assert_null(strcasestr(answer.head, "set-cookie"));
    (void)snprintf(line, sizeof(line), "add map keys.map %.*s\n", STR_ARG(str_trim(text)));
    test_edge_tell(&edge, line);
    assert_int_equal(status_of("host", "/", pass), 200);
}

static void test_a_pass_leaves_authorization_to_the_application(void **state)
{
    struct test_edge_answer a;
    char pass[512], both[1024];

    (void)state;
    given_served(ROUTE("a.test", "/", USERS("ann@1")));
    given_pass("a.test", pass);
    (void)snprintf(both, sizeof(both), "%sAuthorization: Bearer its-own\r\n", pass); /* fits */
    when_asked("127.0.0.1", "a.test", "/headers", both, &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strcasestr(a.body, "authorization: Bearer its-own\r\n"));
    assert_null(strcasestr(a.head, "set-cookie"));
    (void)snprintf(both, sizeof(both), "%s" BY_ANN, pass); /* fits */
    when_asked("127.0.0.1", "a.test", "/headers", both, &a);
    assert_int_equal(a.status, 200);
    assert_null(strcasestr(a.body, "authorization"));
}

static void test_the_application_does_not_see_a_pass(void **state)
{
    static const char *const forms[] = { "Cookie: a=b; %s; c=d\r\n", "Cookie: %s; a=b; c=d\r\n",
                                         "Cookie: a=b; c=d; %s\r\n" };
    struct test_edge_answer a;
    char pass[512], header[1024];

    (void)state;
    given_served(ROUTE("a.test", "/", "{}") "," ROUTE("a.test", "/headers", USERS("ann@1")));
    given_pass("a.test", pass);
    when_asked("127.0.0.1", "a.test", "/headers", pass, &a);
    assert_null(strcasestr(a.body, "cookie"));
    pass[strlen(pass) - 2] = 0;
    for (size_t i = 0; i < N_ELEMENTS(forms); i++) {
        (void)snprintf(header, sizeof(header), forms[i], pass + strlen("Cookie: ")); /* fits */
        when_asked("127.0.0.1", "a.test", "/headers", header, &a);
        assert_int_equal(a.status, 200);
        assert_non_null(strstr(a.body, "cookie: a=b; c=d"));
        assert_null(strstr(a.body, "reeve-pass"));
    }
}

static void test_a_pass_counts_where_it_was_given(void **state)
{
    char pass[512], changed[512];
    char *digit;

    (void)state;
    given_served(
        ROUTE("a.test", "/", USERS("ann@1")) "," ROUTE("a.test", "/deep", USERS("ann@1")) "," ROUTE(
            "b.test", "/", USERS("ann@1")) "," ROUTE("a.test", "/other", USERS("ann@2")));
    given_pass("a.test", pass);
    assert_int_equal(status_of("a.test", "/", pass), 200);
    assert_int_equal(status_of("A.Test.:80", "/x", pass), 200);
    assert_int_equal(status_of("a.test", "/deep", pass), 200);  /* the same list */
    assert_int_equal(status_of("a.test", "/other", pass), 401); /* another one */
    assert_int_equal(status_of("b.test", "/", pass), 401);      /* another host */

    (void)snprintf(changed, sizeof(changed), "%s", pass); /* fits */
    digit = strchr(changed, '=') + 1;
    *digit = *digit == '9' ? '8' : (char)(*digit + 1); /* valid for longer */
    assert_int_equal(status_of("a.test", "/", changed), 401);
    (void)snprintf(changed, sizeof(changed), "%s", pass); /* fits */
    digit = strchr(changed, '.') + 1;
    *digit = *digit == '0' ? '1' : '0'; /* signed by somebody else */
    assert_int_equal(status_of("a.test", "/", changed), 401);
}

static struct str text_of(struct arena *a, const char *file)
{
    struct err err = ERR_INIT;
    char path[128];
    struct str text;

    (void)snprintf(path, sizeof(path), "%s/%s", edge.dir, file); /* fits */
    assert_int_equal(sys_read_file(a, path, 65536, &text, &err), 0);
    return text;
}

/* Signed as the edge would have, with what it alone has. */
static void test_a_pass_has_its_time_its_users_and_its_host(void **state)
{
    const int64_t now_s = sys_wall_ms() / 1000;
    const struct {
        const char *sentence;
        int64_t until_s;
        const char *host;
        int is_other_list, status;
    } rows[] = {
        { "for a while", now_s + 3600, "a.test", 0, 200 },
        { "until just now", now_s - 1, "a.test", 0, 401 },
        { "until long ago", 1, "a.test", 0, 401 },
        { "for another host", now_s + 3600, "b.test", 0, 401 },
        { "for other users", now_s + 3600, "a.test", 1, 401 },
    };
    AUTO_ARENA struct arena a;
    struct str list, rest, key;

    (void)state;
    given_served(ROUTE("a.test", "/", USERS("ann@1")));
    arena_init(&a, 0);
    rest = text_of(&a, "users.map");
    assert_true(str_next(&rest, ':', &list));
    rest = str_trim(text_of(&a, "keys.map"));
    assert_true(str_next(&rest, ' ', &key));
    assert_int_equal(base64_decode(&a, rest, &key), 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct str claim = str_fmt(&a, "%.*s:%s:%lld",
                                   STR_ARG(rows[i].is_other_list ? S("other") : list), rows[i].host,
                                   (long long)rows[i].until_s);
        struct digest sign = hash_hmac(key, claim);
        const char *cookie = str_fmt(&a, "Cookie: __Host-reeve-pass=%lld.%.*s\r\n",
                                     (long long)rows[i].until_s, STR_ARG(digest_hex(&a, &sign)))
                                 .p;

        if (status_of("a.test", "/", cookie) != rows[i].status)
            fail_msg("%s", rows[i].sentence);
    }
}

static void test_who_came_before_on_the_connection_opens_nothing(void **state)
{
    struct test_edge_answer a;

    (void)state;
    given_served(ROUTE("a.test", "/", USERS("ann@1")));
    test_edge_send(edge.http,
                   "GET / HTTP/1.1\r\nHost: a.test\r\n" BY_ANN "\r\n"
                   "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n",
                   &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "HTTP/1.1 401"));
}

static void test_a_new_password_ends_the_passes(void **state)
{
    char pass[512];

    (void)state;
    given_served(ROUTE("a.test", "/", USERS("ann@1")));
    given_pass("a.test", pass);
    given_served(ROUTE("a.test", "/", USERS("ann@2")));
    assert_int_equal(status_of("a.test", "/", pass), 401);
    assert_int_equal(status_of("a.test", "/", BY_ANN), 401);
}

static void test_a_restarted_proxy_knows_passes_and_passwords(void **state)
{
    char pass[512];
    pid_t pid;

    (void)state;
    given_served(ROUTE("a.test", "/", USERS("ann@1")) "," ROUTE("a.test", "/x", "{\"deny\":true}"));
    given_pass("a.test", pass);
    pid = test_edge_proxy(&edge);
    assert_int_equal(kill(pid, SIGKILL), 0);
    expect_proxy(&edge, pid);
    assert_int_equal(status_of("a.test", "/", pass), 200);
    assert_int_equal(status_of("a.test", "/", BY_ANN), 200);
    assert_int_equal(status_of("a.test", "/", ""), 401);
    assert_int_equal(status_of("a.test", "/x", pass), 403);
}

static void test_a_password_lies_nowhere(void **state)
{
    static const char *const files[] = { "haproxy.cfg", "check.cfg",    "rules.map",   "users.map",
                                         "keys.map",    "networks.map", "headers.map", "sets.map" };

    (void)state;
    given_served(ROUTE("a.test", "/", USERS("ann@1")));
    assert_int_equal(status_of("a.test", "/", BY_ANN), 200);
    for (size_t i = 0; i < N_ELEMENTS(files); i++) {
        assert_false(file_has(files[i], PASSWORD));
        assert_false(file_has(files[i], "YW5uOmNvcnJlY3Q"));
    }
    assert_true(file_has("haproxy.cfg", "ann@1")); /* the reference does */
    assert_true(file_has("users.map", ":ann "));
}

/* --- guesses --- */

#define WRONG "Authorization: Basic YW5uOmd1ZXNzZWQ=\r\n" /* ann:guessed */

static int status_from(const char *client, const char *host, const char *headers)
{
    struct test_edge_answer a;
    char all[1024];

    (void)snprintf(all, sizeof(all), "X-Forwarded-For: %s\r\n%s", client, headers); /* fits */
    when_asked(TRUSTED, host, "/", all, &a);
    if (a.status == 429)
        assert_non_null(strcasestr(a.head, "retry-after: "));
    return a.status;
}

/* The window slides, and what was wrong long ago counts less with each moment: guessed on until it is too often. */
static void expect_refused(const char *client, const char *host, const char *headers)
{
    for (int tries = 0; tries < 3; tries++) {
        int n = 0;

        while (status_from(client, "a.test", WRONG) != 429)
            assert_true(n++ < 3 * HAPROXY_GUESSES_MAX);
        if (status_from(client, host, headers) == 429)
            return;
    }
    fail_msg("%s is not refused at %s", client, host);
}

static void test_who_guesses_waits_and_nobody_else(void **state)
{
    char pass[512];

    (void)state;
    given_served(ROUTE("a.test", "/", USERS("ann@1")) "," ROUTE(
        "b.test", "/", USERS("ann@2")) "," ROUTE("c.test", "/", USERS("ann@1")));
    given_pass("a.test", pass);
    for (int i = 0; i < HAPROXY_GUESSES_MAX; i++)
        assert_int_equal(status_from("10.1.0.1", "a.test", WRONG), 401);
    expect_refused("10.1.0.1", "a.test", WRONG);
    expect_refused("10.1.0.1", "a.test", BY_ANN);                   /* not said to be right */
    expect_refused("10.1.0.1", "c.test", BY_ANN);                   /* the same users */
    assert_int_equal(status_from("10.1.0.1", "a.test", pass), 200); /* who was here before */
    assert_int_equal(status_from("10.1.0.1", "a.test", ""), 401);
    assert_int_equal(status_from("10.1.0.1", "b.test", BY_ANN), 401); /* other users */
    assert_int_equal(status_from("10.1.0.2", "a.test", BY_ANN), 200); /* another client */
}

static void test_a_network_of_one_client_guesses_together(void **state)
{
    (void)state;
    given_served(ROUTE("a.test", "/", USERS("ann@1")));
    for (int n = 0; status_from(n % 2 ? "2001:db8::1" : "2001:db8::2", "a.test", WRONG) != 429; n++)
        assert_true(n < 3 * HAPROXY_GUESSES_MAX);
    assert_int_equal(status_from("2001:db8:0:1::1", "a.test", BY_ANN), 200);
}

static void test_what_is_no_guess_is_not_counted(void **state)
{
    char pass[512], both[1024];

    (void)state;
    given_served(ROUTE("a.test", "/", USERS("ann@1")));
    given_pass("a.test", pass);
    (void)snprintf(both, sizeof(both), "%s" WRONG, pass); /* fits */
    for (int i = 0; i < 2 * HAPROXY_GUESSES_MAX; i++) {
        assert_int_equal(status_from("10.2.0.1", "a.test", BY_ANN), 200);
        assert_int_equal(status_from("10.2.0.1", "a.test", ""), 401);
        assert_int_equal(status_from("10.2.0.1", "a.test", "Authorization: Bearer x\r\n"), 401);
        assert_int_equal(status_from("10.2.0.1", "a.test", both), 200); /* the application's own */
    }
    assert_int_equal(status_from("10.2.0.1", "a.test", BY_ANN), 200);
}

static void test_a_pass_in_a_line_of_its_own_leaves_the_others(void **state)
{
    struct test_edge_answer a;
    char pass[512], lines[1024];

    (void)state;
    given_served(ROUTE("a.test", "/", USERS("ann@1")));
    given_pass("a.test", pass);
    (void)snprintf(lines, sizeof(lines), "Cookie: a=b\r\n%s", pass); /* fits */
    when_asked("127.0.0.1", "a.test", "/headers", lines, &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "cookie: a=b"));
    assert_null(strstr(a.body, "reeve-pass"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_password_opens_and_is_not_handed_on),
        cmocka_unit_test(test_what_the_maps_hold_opens_nothing),
        cmocka_unit_test(test_without_a_key_there_is_no_pass),
        cmocka_unit_test(test_a_pass_leaves_authorization_to_the_application),
        cmocka_unit_test(test_the_application_does_not_see_a_pass),
        cmocka_unit_test(test_a_pass_counts_where_it_was_given),
        cmocka_unit_test(test_a_pass_has_its_time_its_users_and_its_host),
        cmocka_unit_test(test_who_came_before_on_the_connection_opens_nothing),
        cmocka_unit_test(test_a_new_password_ends_the_passes),
        cmocka_unit_test(test_a_restarted_proxy_knows_passes_and_passwords),
        cmocka_unit_test(test_a_password_lies_nowhere),
        cmocka_unit_test(test_who_guesses_waits_and_nobody_else),
        cmocka_unit_test(test_a_network_of_one_client_guesses_together),
        cmocka_unit_test(test_what_is_no_guess_is_not_counted),
        cmocka_unit_test(test_a_pass_in_a_line_of_its_own_leaves_the_others),
    };

    return _cmocka_run_group_tests("haproxy passwords", tests, N_ELEMENTS(tests),
                                   given_trusting_edge, given_edge_gone_again);
}
