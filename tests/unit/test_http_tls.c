/* http/tls: what is shown, to whom, and how it is exchanged. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/http/server.h"
#include "reconciler/http/tls.h"
#include "tests/support/test_ports.h"

#define WAIT_MS 20000
#define A_YEAR_S (365 * 24 * 3600)

struct fixture {
    char dir[32], certificate[64], key[64];
    uint16_t port;
    struct loop *loop;
    struct tls *tls;
    struct http_server *server;
    void (*talk)(struct fixture *f);
    struct err reloaded; /* of the last reload */
    _Atomic int n_reloads;
};

/* --- certificates -------------------------------------------------------------------------------- */

static void write_pem(const char *path, const gnutls_datum_t *pem)
{
    struct err err = ERR_INIT;

    assert_int_equal(
        sys_write_file(path, 0600, (struct str){ (const char *)pem->data, pem->size }, &err), 0);
}

/* Signed by itself; the serial number tells one from another. */
static void given_certificate(const char *certificate, const char *key, uint8_t serial,
                              int64_t life_s)
{
    gnutls_x509_privkey_t own;
    gnutls_x509_crt_t crt;
    gnutls_datum_t pem;
    time_t now_s = (time_t)(sys_wall_ms() / 1000);

    assert_int_equal(gnutls_x509_privkey_init(&own), 0);
    assert_int_equal(gnutls_x509_privkey_generate(
                         own, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                     0);
    assert_int_equal(gnutls_x509_crt_init(&crt), 0);
    assert_int_equal(gnutls_x509_crt_set_version(crt, 3), 0);
    assert_int_equal(gnutls_x509_crt_set_serial(crt, &serial, 1), 0);
    assert_int_equal(gnutls_x509_crt_set_dn(crt, "CN=localhost", NULL), 0);
    assert_int_equal(gnutls_x509_crt_set_activation_time(crt, now_s - A_YEAR_S), 0);
    assert_int_equal(gnutls_x509_crt_set_expiration_time(crt, now_s + life_s), 0);
    assert_int_equal(gnutls_x509_crt_set_key(crt, own), 0);
    assert_int_equal(gnutls_x509_crt_sign2(crt, crt, own, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), 0);
    write_pem(certificate, &pem);
    gnutls_free(pem.data);
    assert_int_equal(gnutls_x509_privkey_export2(own, GNUTLS_X509_FMT_PEM, &pem), 0);
    write_pem(key, &pem);
    gnutls_free(pem.data);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(own);
}

/* --- the server ---------------------------------------------------------------------------------- */

static void handle(void *ctx, struct http_exchange *x)
{
    (void)ctx;
    http_answer(x, 200, "text/plain", x->is_tls ? S("sealed") : S("clear"));
}

static void stop_loop(void *ctx)
{
    struct fixture *f = ctx;

    loop_stop(f->loop);
}

static void stop_server(void *ctx)
{
    struct fixture *f = ctx;

    http_server_stop(f->server, stop_loop, f);
}

static void reload(void *ctx)
{
    struct fixture *f = ctx;

    f->reloaded = (struct err)ERR_INIT;
    (void)tls_reload(f->tls, &f->reloaded);
    f->n_reloads++;
}

static void expect_reload(struct fixture *f)
{
    int n = f->n_reloads;

    loop_post(f->loop, reload, f);
    while (f->n_reloads == n)
        (void)sched_yield();
}

static void *talk_main(void *arg)
{
    struct fixture *f = arg;

    f->talk(f);
    loop_post(f->loop, stop_server, f);
    return NULL;
}

static char failure[4096];

static void expect(const char *sentence, const char *heard, const char *part)
{
    if (!strstr(heard, part) && !failure[0])
        (void)snprintf(failure, sizeof(failure), "%s: wanted '%s' in '%.3000s'", sentence, part,
                       heard);
}

static void given_files(struct fixture *f)
{
    strcpy(f->dir, "/tmp/rv-tls-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->certificate, sizeof(f->certificate), "%s/tls.pem", f->dir);
    (void)snprintf(f->key, sizeof(f->key), "%s/tls.key", f->dir);
    given_certificate(f->certificate, f->key, 1, A_YEAR_S);
}

static void run(void (*talk)(struct fixture *f))
{
    struct fixture f = { .talk = talk, .port = test_ports(1) };
    struct http_server_options options = { .door = HTTP_DOOR_API, .handle = handle, .ctx = &f };
    struct err err = ERR_INIT;
    char listen[32], text[sizeof(failure)];
    pthread_t thread;

    given_files(&f);
    (void)snprintf(listen, sizeof(listen), "127.0.0.1:%u", f.port);
    options.listen = str_from_c(listen);
    assert_int_equal(loop_uv_new(&(struct loop_options){ 0 }, &f.loop, &err), 0);
    options.loop = f.loop;
    if (tls_open(str_from_c(f.certificate), str_from_c(f.key), &f.tls, &err))
        fail_msg("%s", err.text);
    options.tls = f.tls;
    if (http_server_start(&options, &f.server, &err))
        fail_msg("%s", err.text);
    assert_int_equal(pthread_create(&thread, NULL, talk_main, &f), 0);
    loop_run(f.loop);
    (void)pthread_join(thread, NULL);
    tls_close(f.tls);
    loop_free(f.loop);
    (void)sys_remove_all(f.dir, &err);
    strcpy(text, failure);
    failure[0] = 0;
    if (text[0])
        fail_msg("%s", text);
}

/* --- a client ------------------------------------------------------------------------------------ */

struct client {
    int fd, rc; /* rc: of the handshake */
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    char heard[4096];
};

static int dial(uint16_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct timeval limit = { WAIT_MS / 1000, 0 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return connect(fd, (struct sockaddr *)&to, sizeof(to)) ? -1 : fd;
}

static struct client client_open(const struct fixture *f, const char *priorities)
{
    struct client c = { .fd = dial(f->port) };

    (void)gnutls_init(&c.session, GNUTLS_CLIENT);
    (void)gnutls_certificate_allocate_credentials(&c.credentials);
    (void)gnutls_priority_set_direct(c.session, priorities, NULL);
    (void)gnutls_credentials_set(c.session, GNUTLS_CRD_CERTIFICATE, c.credentials);
    gnutls_transport_set_int(c.session, c.fd);
    do
        c.rc = gnutls_handshake(c.session);
    while (c.rc < 0 && !gnutls_error_is_fatal(c.rc));
    return c;
}

static void client_close(struct client *c)
{
    gnutls_deinit(c->session);
    gnutls_certificate_free_credentials(c->credentials);
    (void)close(c->fd);
}

static const char *client_ask(struct client *c, const char *until)
{
    const char *request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    size_t n = 0;

    c->heard[0] = 0;
    if (c->rc || gnutls_record_send(c->session, request, strlen(request)) < 0)
        return "(no handshake)";
    while (!strstr(c->heard, until) && n + 1 < sizeof(c->heard)) {
        ssize_t got = gnutls_record_recv(c->session, c->heard + n, sizeof(c->heard) - 1 - n);

        if (got == 0 || (got < 0 && gnutls_error_is_fatal((int)got)))
            break;
        n += got > 0 ? (size_t)got : 0;
        c->heard[n] = 0;
    }
    return c->heard;
}

/* Of the certificate that was shown; 0: none. */
static int client_serial(const struct client *c)
{
    unsigned n = 0;
    const gnutls_datum_t *chain = c->rc ? NULL : gnutls_certificate_get_peers(c->session, &n);
    uint8_t serial[32] = { 0 };
    size_t size = sizeof(serial);
    gnutls_x509_crt_t crt;

    if (!chain || !n || gnutls_x509_crt_init(&crt))
        return 0;
    if (!gnutls_x509_crt_import(crt, &chain[0], GNUTLS_X509_FMT_DER))
        (void)gnutls_x509_crt_get_serial(crt, serial, &size);
    gnutls_x509_crt_deinit(crt);
    return serial[0];
}

static void expect_shown(struct fixture *f, const char *sentence, int serial)
{
    struct client c = client_open(f, "NORMAL");

    if (client_serial(&c) != serial)
        expect(sentence, c.rc ? gnutls_strerror(c.rc) : "another", "this certificate");
    client_close(&c);
}

/* --- rows ---------------------------------------------------------------------------------------- */

static void talk_versions(struct fixture *f)
{
    static const struct {
        const char *sentence, *priorities, *part;
    } rows[] = {
        { "TLS 1.3", "NORMAL:-VERS-ALL:+VERS-TLS1.3", "sealed" },
        { "TLS 1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.2", "sealed" },
        { "TLS 1.1 is refused", "LEGACY:-VERS-ALL:+VERS-TLS1.1", "(no handshake)" },
        { "who came sealed comes sealed again", "NORMAL",
          "Strict-Transport-Security: max-age=31536000" },
    };
    AUTO_CLOSE int fd = dial(f->port);
    char buf[512] = "";

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct client c = client_open(f, rows[i].priorities);

        expect(rows[i].sentence, client_ask(&c, rows[i].part), rows[i].part);
        client_close(&c);
    }
    (void)!send(fd, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 34, MSG_NOSIGNAL);
    (void)recv(fd, buf, sizeof(buf) - 1, 0);
    if (strstr(buf, "200"))
        expect("what is said in clear", buf, "no answer");
}

static void test_nothing_is_said_but_by_tls_1_2_or_1_3(void **state)
{
    (void)state;
    run(talk_versions);
}

static void talk_reload(struct fixture *f)
{
    struct client before = client_open(f, "NORMAL");

    expect("before", client_ask(&before, "sealed"), "sealed");
    given_certificate(f->certificate, f->key, 2, A_YEAR_S);
    expect_shown(f, "until somebody says so", 1);
    expect_reload(f);
    expect("the next is taken", f->reloaded.code ? f->reloaded.text : "taken", "taken");
    expect_shown(f, "afterwards", 2);
    expect("who was there is answered", client_ask(&before, "sealed"), "sealed");
    client_close(&before);
    given_certificate(f->certificate, f->key, 3, -1);
    expect_reload(f);
    expect_shown(f, "one that has expired is shown all the same", 3);
}

static void test_the_certificate_is_exchanged_and_nobody_is_sent_away(void **state)
{
    (void)state;
    run(talk_reload);
}

static void given_text(const char *path, const char *text)
{
    struct err err = ERR_INIT;

    (void)sys_write_file(path, 0600, str_from_c(text), &err);
}

static void talk_refused(struct fixture *f)
{
    char other[80], other_key[80];

    (void)snprintf(other, sizeof(other), "%s/other.pem", f->dir);
    (void)snprintf(other_key, sizeof(other_key), "%s/other.key", f->dir);
    given_certificate(other, other_key, 9, A_YEAR_S);
    (void)rename(other, f->certificate);
    expect_reload(f);
    expect("a key of another", f->reloaded.text, "tls.key' is not the key of '");
    given_text(f->certificate, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    expect_reload(f);
    expect("a cut certificate", f->reloaded.text, "tls.pem': ");
    (void)unlink(f->certificate);
    expect_reload(f);
    expect("none", f->reloaded.text, "tls.pem': No such file");
    given_certificate(f->certificate, f->key, 5, A_YEAR_S);
    given_text(f->key, "nothing");
    expect_reload(f);
    expect("no key", f->reloaded.text, "tls.key': ");
    expect_shown(f, "the first is shown on", 1);
}

static void test_one_that_cannot_be_shown_is_refused_and_the_old_one_stays(void **state)
{
    (void)state;
    run(talk_refused);
}

static void test_without_a_certificate_nothing_is_begun(void **state)
{
    struct fixture f = { 0 };
    struct err err = ERR_INIT;

    (void)state;
    given_files(&f);
    (void)unlink(f.key);
    assert_int_not_equal(tls_open(str_from_c(f.certificate), str_from_c(f.key), &f.tls, &err), 0);
    assert_non_null(strstr(err.text, "tls.key"));
    assert_null(f.tls);
    (void)sys_remove_all(f.dir, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_said_but_by_tls_1_2_or_1_3),
        cmocka_unit_test(test_the_certificate_is_exchanged_and_nobody_is_sent_away),
        cmocka_unit_test(test_one_that_cannot_be_shown_is_refused_and_the_old_one_stays),
        cmocka_unit_test(test_without_a_certificate_nothing_is_begun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
