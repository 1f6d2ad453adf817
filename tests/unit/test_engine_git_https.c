/* engine: fetches over HTTPS from git's own server, with its good and its bad days. SPDX-License-Identifier: Apache-2.0 */
#include "test_engine_git_server.h"

#include "base/guard.h"

#define TOKEN "s3cret-t0ken"

/* haproxy (TLS) -> lighttpd (Basic authentication) -> git http-backend */
struct site {
    struct bench *b;
    int https_port, http_port, mute_port;
    int mute; /* takes connections, never answers */
    pid_t haproxy, lighttpd;
};

static const char lighttpd_conf[] =
    "server.document-root = \"%s\"\nserver.port = %d\nserver.bind = \"127.0.0.1\"\n"
    "server.modules = (\"mod_alias\",\"mod_cgi\",\"mod_setenv\",\"mod_auth\",\"mod_authn_file\")\n"
    "alias.url = (\"/git\" => \"/usr/lib/git-core/git-http-backend\")\n"
    "$HTTP[\"url\"] =~ \"^/git\" {\n"
    "  cgi.assign = (\"\" => \"\")\n"
    "  setenv.add-environment = (\"GIT_PROJECT_ROOT\" => \"%s\", \"GIT_HTTP_EXPORT_ALL\" => "
    "\"1\",\n"
    "    \"GIT_CONFIG_COUNT\" => \"1\", \"GIT_CONFIG_KEY_0\" => \"safe.directory\",\n"
    "    \"GIT_CONFIG_VALUE_0\" => \"*\")\n"
    "  auth.backend = \"plain\"\n  auth.backend.plain.userfile = \"%s/users\"\n"
    "  auth.require = (\"\" => (\"method\" => \"basic\", \"realm\" => \"git\", \"require\" => "
    "\"valid-user\"))\n}\n";

static const char haproxy_conf[] =
    "defaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"
    "frontend f\n  bind 127.0.0.1:%d ssl crt %s/server.pem\n"
    "  http-request redirect code 301 location https://localhost:%d/git%%[path,regsub(^/away,)]?"
    "%%[query] if { path_beg /away/ }\n"
    "  http-request redirect code 302 location /git%%[path,regsub(^/here,)]?%%[query] "
    "if { path_beg /here/ }\n"
    "  http-request redirect code 302 location %%[path]?%%[query] if { path_beg /round/ }\n"
    "  http-request return status 503 if { path_beg /down/ }\n"
    "  http-request return status 200 content-type text/html string \"<html>hello\" "
    "if { path_beg /page/ }\n"
    "  use_backend m if { path_beg /mute/ }\n"
    "  default_backend b\nbackend b\n  server s 127.0.0.1:%d\n"
    "backend m\n  server m 127.0.0.1:%d\n";

static void site_write(struct site *s, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void site_write(struct site *s, const char *name, const char *fmt, ...)
{
    char text[8192];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    bench_write(s->b, name, str_from_c(text));
}

static int site_open(void **state)
{
    static const char *const programs[] = { "/usr/sbin/lighttpd", "/usr/sbin/haproxy",
                                            "/usr/bin/openssl",
                                            "/usr/lib/git-core/git-http-backend", NULL };
    struct site *s;
    struct bench *b;

    *state = NULL;
    if (!server_has(programs))
        return 0;
    s = calloc(1, sizeof(*s));
    assert_non_null(s);
    s->b = b = bench_open();
    s->https_port = server_free_port();
    s->http_port = server_free_port();
    s->mute = server_mute(&s->mute_port);
    given_repository(b);
    bench_run(b, "chmod 755 . && " GIT "clone -q --bare src app.git");
    bench_run(b, "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext "
                 "subjectAltName=IP:127.0.0.1,DNS:localhost -keyout key.pem -out ca.pem && cat "
                 "ca.pem key.pem > server.pem");
    bench_run(b, "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other -keyout "
                 "other.key -out other.pem");
    bench_write(b, "users", S("x-access-token:" TOKEN "\n"));
    site_write(s, "lighttpd.conf", lighttpd_conf, b->dir, s->http_port, b->dir, b->dir);
    site_write(s, "haproxy.conf", haproxy_conf, s->https_port, b->dir, s->https_port, s->http_port,
               s->mute_port);
    s->lighttpd = server_start(
        b,
        (const char *[]){ "/usr/sbin/lighttpd", "-D", "-f", bench_path(b, "lighttpd.conf"), NULL },
        s->http_port, "lighttpd.log");
    s->haproxy = server_start(
        b,
        (const char *[]){ "/usr/sbin/haproxy", "-db", "-f", bench_path(b, "haproxy.conf"), NULL },
        s->https_port, "haproxy.log");
    *state = s;
    return 0;
}

static int site_close(void **state)
{
    struct site *s = *state;

    if (s) {
        server_stop(s->haproxy);
        server_stop(s->lighttpd);
        (void)close(s->mute);
        bench_close(s->b);
        free(s);
    }
    return 0;
}

static const struct value *fetch_as(struct site *s, const char *path, const char *user,
                                    const char *password, const char *ca_file, const char *more)
{
    bench_run(s->b, "rm -rf mirror");
    return ask(s->b,
               "{'op':'fetch','mirror':'%s/mirror','url':'https://127.0.0.1:%d%s','branches':"
               "['main','gone'],'ca_file':'%s','credentials':{'username':'%s','password':'%s'}%s}",
               s->b->dir, s->https_port, path, ca_file, user, password, more);
}

static const struct value *fetch(struct site *s, const char *path, const char *more)
{
    return fetch_as(s, path, "x-access-token", TOKEN, bench_path(s->b, "ca.pem"), more);
}

static void test_a_token_opens_the_repository(void **state)
{
    struct site *s = *state;
    const struct value *answer;
    const char *first, *second;

    if (!s)
        skip();
    first = bench_run(s->b, GIT "-C app.git rev-parse main");
    answer = fetch(s, "/git/app.git", "");
    expect_ok(answer);
    expect_text(answer, "heads.main.commit", first);
    assert_int_equal(value_count(value_get(answer, S("gone"))), 1);
    /* a second fetch negotiates with what the mirror has */
    second = given_commit(s->b, "run.sh", S("2\n"));
    bench_run(s->b, "mv mirror kept && " GIT "-C src push -q ../app.git main");
    answer = ask(s->b,
                 "{'op':'fetch','mirror':'%s/kept','url':'https://127.0.0.1:%d/git/app.git/',"
                 "'branches':['main'],'ca_file':'%s/ca.pem','credentials':{'password':'" TOKEN
                 "'}}",
                 s->b->dir, s->https_port, s->b->dir);
    expect_ok(answer);
    expect_text(answer, "heads.main.commit", second);
    expect_ok(ask(s->b, "{'op':'read','mirror':'%s/kept','commit':'%s','spec_path':'.reeve'}",
                  s->b->dir, second));
}

/* More than the buffer holds, so that the transfer pauses and goes on. */
static void test_a_large_pack_arrives_whole(void **state)
{
    struct site *s = *state;

    if (!s)
        skip();
    bench_run(s->b, "head -c 9000000 /dev/urandom > src/big && " GIT "-C src add big && " GIT
                    "-C src commit -qm big && " GIT "-C src push -q ../app.git HEAD:main");
    expect_ok(fetch(s, "/git/app.git", ""));
    bench_run(s->b,
              "test $(" GIT "-C mirror cat-file -s $(" GIT "-C src rev-parse HEAD:big)) = 9000000");
    expect_error(fetch(s, "/git/app.git", ",'max_bytes':1000000"), "LIMIT", "limit of 1000000");
}

static void test_fetches_that_fail_say_why(void **state)
{
    /* clang-format off */
    static const struct { const char *what, *path, *user, *password, *ca_file, *code, *text; } rows[] = {
        { "a wrong token",            "/git/app.git",  "x-access-token", "wrong", "ca.pem",   "REFUSED", "the credentials (401)" },
        { "another user",             "/git/app.git",  "eve",            TOKEN,   "ca.pem",   "REFUSED", "the credentials (401)" },
        { "no such repository",       "/git/none.git", "x-access-token", TOKEN,   "ca.pem",   "UNREACHABLE", "(404)" },
        { "another host",             "/away/app.git", "x-access-token", TOKEN,   "ca.pem",   "REFUSED", "to another host" },
        { "round in circles",         "/round/a.git",  "x-access-token", TOKEN,   "ca.pem",   "UNREACHABLE", "to something else" },
        { "a server that is down",    "/down/a.git",   "x-access-token", TOKEN,   "ca.pem",   "UNREACHABLE", "answered 503" },
        { "a page for people",        "/page/a.git",   "x-access-token", TOKEN,   "ca.pem",   "UNREACHABLE", "connect" },
        { "a stranger's certificate", "/git/app.git",  "x-access-token", TOKEN,   "other.pem", "UNREACHABLE", "certificate" },
    };
    /* clang-format on */
    struct site *s = *state;

    if (!s)
        skip();
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct value *answer = fetch_as(s, rows[i].path, rows[i].user, rows[i].password,
                                              bench_path(s->b, rows[i].ca_file), "");
        struct str text = value_get_text(value_get(answer, S("error")), S("text"), S(""));

        expect_error(answer, rows[i].code, rows[i].text);
        assert_int_equal(str_find(text, str_from_c(rows[i].password)), STR_NPOS);
    }
}

static void test_a_redirect_on_the_same_host_is_followed(void **state)
{
    struct site *s = *state;

    if (!s)
        skip();
    expect_ok(fetch(s, "/here/app.git", ""));
}

static void test_the_environment_names_no_proxy(void **state)
{
    struct site *s = *state;

    if (!s)
        skip();
    assert_int_equal(setenv("https_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("ALL_PROXY", "socks5://127.0.0.1:1", 1), 0);
    expect_ok(fetch(s, "/git/app.git", ""));
    (void)unsetenv("https_proxy");
    (void)unsetenv("ALL_PROXY");
}

static const struct value *fetch_port(struct bench *b, int port, const char *more)
{
    return ask(b,
               "{'op':'fetch','mirror':'%s/mirror','url':'https://127.0.0.1:%d/a.git','branches':"
               "['main'],'credentials':{'password':'" TOKEN "'}%s}",
               b->dir, port, more);
}

static void test_a_mute_server_ends_at_the_deadline(void **state)
{
    struct bench *b = bench_open();
    int port, fd = server_mute(&port);
    int64_t began_ms = sys_mono_ms();

    (void)state;
    expect_error(fetch_port(b, port, ",'timeout_ms':700"), "TIMEOUT", "connect");
    assert_true(sys_mono_ms() - began_ms >= 700);
    expect_error(fetch_port(b, port, ",'timeout_ms':60000,'connect_timeout_ms':300"), "TIMEOUT",
                 "connect");
    assert_true(sys_mono_ms() - began_ms < 30000);
    (void)close(fd);
    bench_close(b);
}

/* The connection stands, the request was taken; then nothing. */
static void test_a_server_that_falls_silent(void **state)
{
    static const char *const limits[] = { ",'timeout_ms':700", ",'low_speed_ms':1000" };
    struct site *s = *state;

    if (!s)
        skip();
    for (size_t i = 0; i < N_ELEMENTS(limits); i++) {
        int64_t began_ms = sys_mono_ms();

        expect_error(fetch(s, "/mute/a.git", limits[i]), "TIMEOUT", "connect");
        assert_true(sys_mono_ms() - began_ms < 20000); /* haproxy would give up after 30 s */
    }
}

/* How many filters hold a process; -1: this kernel does not say. */
static int n_filters(pid_t pid)
{
    char path[64], text[8192];
    const char *line;
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid); /* fits */
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = read(fd, text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = 0;
    (void)close(fd);
    line = strstr(text, "\nSeccomp_filters:");
    return line ? atoi(line + strlen("\nSeccomp_filters:")) : -1;
}

/* It has a connection, and nothing was said on it yet. */
static void test_the_worker_is_shut_before_the_server_speaks(void **state)
{
    struct bench *b = bench_open();
    int port, listener = server_mute(&port), in[2], fd;
    struct pollfd ready = { .fd = listener, .events = POLLIN };
    struct str request = str_fmt(&b->a,
                                 "{\"op\":\"fetch\",\"mirror\":\"%s/mirror\",\"url\":"
                                 "\"https://127.0.0.1:%d/a.git\",\"branches\":[\"main\"]}",
                                 b->dir, port);
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(in), 0);
    pid = fork();
    if (!pid) {
        (void)close(in[1]);
        _exit(git_worker_main(in[0], STDERR_FILENO));
    }
    (void)close(in[0]);
    assert_int_equal(write(in[1], request.p, request.n), (ssize_t)request.n);
    (void)close(in[1]);
    assert_int_equal(poll(&ready, 1, SERVER_READY_MS), 1);
    fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    assert_true(n_filters(pid) > n_filters(getpid()) || n_filters(pid) < 0);
    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    (void)close(fd);
    (void)close(listener);
    bench_close(b);
}

static void test_nobody_there(void **state)
{
    struct bench *b = bench_open();

    (void)state;
    expect_error(fetch_port(b, server_free_port(), ""), "UNREACHABLE", "connect");
    bench_close(b);
}

static const struct value *anchor(struct site *s, const char *path, const char *op,
                                  const char *more)
{
    return ask(
        s->b,
        "{'op':'anchor_%s','mirror':'%s/anchors','url':'https://127.0.0.1:%d%s','branch':'main',"
        "'folder':'inst','ca_file':'%s/ca.pem','credentials':{'password':'" TOKEN "'}%s}",
        op, s->b->dir, s->https_port, path, s->b->dir, more);
}

/* The hook of a server that takes no more than it wants. */
static void test_a_line_is_pushed(void **state)
{
    struct site *s = *state;
    const char *tip, *more;

    if (!s)
        skip();
    bench_run(s->b,
              GIT "init -q --bare place.git && " GIT "-C place.git config http.receivepack true");
    expect_ok(anchor(s, "/git/place.git", "read", ""));
    expect_ok(anchor(s, "/git/place.git", "push", ",'line':'one','time_ms':1790000000000"));
    tip = bench_run(s->b, GIT "-C place.git rev-parse main");
    more = str_fmt(&s->b->a, ",'line':'two','time_ms':1790000000000,'tip':'%s'", tip).p;
    expect_ok(anchor(s, "/here/place.git", "push", more)); /* redirected on the same host */
    expect_error(anchor(s, "/git/place.git", "push", more), "STALE", "moved meanwhile");
    expect_text(anchor(s, "/git/place.git", "read", ""), "text", "one\ntwo\n");
    bench_run(s->b, "printf '#!/bin/sh\\nexit 1\\n' >place.git/hooks/pre-receive && chmod 755 "
                    "place.git/hooks/pre-receive");
    tip = bench_run(s->b, GIT "-C place.git rev-parse main");
    more = str_fmt(&s->b->a, ",'line':'three','time_ms':1790000000000,'tip':'%s'", tip).p;
    expect_error(anchor(s, "/git/place.git", "push", more), "REFUSED", "pre-receive hook declined");
    bench_run(s->b, GIT "-C place.git config http.receivepack false");
    expect_error(anchor(s, "/git/place.git", "push", more), "REFUSED", "(403)");
    assert_string_equal(bench_run(s->b, GIT "-C place.git rev-parse main"), tip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_token_opens_the_repository),
        cmocka_unit_test(test_a_large_pack_arrives_whole),
        cmocka_unit_test(test_fetches_that_fail_say_why),
        cmocka_unit_test(test_a_redirect_on_the_same_host_is_followed),
        cmocka_unit_test(test_the_environment_names_no_proxy),
        cmocka_unit_test(test_a_mute_server_ends_at_the_deadline),
        cmocka_unit_test(test_a_server_that_falls_silent),
        cmocka_unit_test(test_the_worker_is_shut_before_the_server_speaks),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_a_line_is_pushed),
    };

    return cmocka_run_group_tests(tests, site_open, site_close);
}
