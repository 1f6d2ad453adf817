/* engine: time stamps that openssl made, and what a hostile authority would send. SPDX-License-Identifier: Apache-2.0 */
#include "test_engine_git.h"

#include "base/guard.h"
#include "reconciler/engine/time_stamp.h"

#define LINE "reeve/anchor/2 inst 7 0123 3 1790000000000 4567"

static const uint8_t nonce[TIME_STAMP_NONCE_BYTES] = "one of our own.",
                     other_nonce[16] = "and another one";

static int open_world(void **state)
{
    struct bench *b = bench_open();
    const char *source = getenv("REEVE_SOURCE_DIR");

    assert_non_null(source);
    bench_run(b, "bash %s/tests/support/tsa.sh .", source);
    *state = b;
    return 0;
}

static int close_world(void **state)
{
    bench_close(*state);
    return 0;
}

static struct str file(struct bench *b, const char *name)
{
    struct err err = ERR_INIT;
    struct str text = S("");

    assert_int_equal(sys_read_file(&b->a, bench_path(b, name), 1u << 20, &text, &err), 0);
    return text;
}

static struct str given_request(struct bench *b, const char *text, const uint8_t *with)
{
    struct err err = ERR_INIT;
    struct str request;

    assert_int_equal(time_stamp_ask(&b->a, str_from_c(text), with, &request, &err), 0);
    return request;
}

/* The last word of `how`: a file of settings. */
static struct str given_answer(struct bench *b, struct str request, const char *how)
{
    bench_write(b, "query", request);
    bench_run(b, "./reply %.*s query answer%s", (int)strcspn(how, " "), how,
              how + strcspn(how, " "));
    return file(b, "answer");
}

static void expect_refused(int rc, int code, const struct err *err, const char *why)
{
    if (rc != code || !strstr(err->text, why))
        fail_msg("%s, '%s', not '%s'", rc ? err_name(rc) : "it is believed", err->text, why);
}

static void test_a_time_stamp_is_believed_and_kept(void **state)
{
    struct bench *b = *state;
    struct str request = given_request(b, LINE, nonce);
    struct err err = ERR_INIT;
    int64_t now_ms = sys_wall_ms();
    struct time_stamp stamp, again;

    expect_refused(time_stamp_take(&b->a, file(b, "ca.pem"), request,
                                   given_answer(b, request, "good"), &stamp, &err),
                   0, &err, "");
    assert_in_range((uint64_t)stamp.at_ms, (uint64_t)now_ms - 60000, (uint64_t)now_ms + 60000);
    expect_refused(time_stamp_check(&b->a, file(b, "ca.pem"), S(LINE), stamp.token, &again, &err),
                   0, &err, "");
    assert_int_equal(again.at_ms, stamp.at_ms);
    /* who signs may be pinned itself */
    expect_refused(time_stamp_check(&b->a, file(b, "good.pem"), S(LINE), stamp.token, &again, &err),
                   0, &err, "");
    /* openssl says the same */
    bench_write(b, "line", S(LINE));
    bench_write(b, "token", stamp.token);
    bench_run(b, "openssl ts -verify -data line -in token -token_in -CAfile ca.pem");
}

static void test_what_a_signer_made_in_its_time_stands(void **state)
{
    struct bench *b = *state;
    struct str request = given_request(b, LINE, nonce);
    struct err err = ERR_INIT;
    struct time_stamp stamp;

    bench_write(b, "query", request);
    bench_run(
        b,
        "LD_PRELOAD=$(echo /usr/lib/*/faketime/libfaketime.so.1) FAKETIME='@2020-01-10 12:00:00' "
        "./reply expired query answer");
    expect_refused(
        time_stamp_take(&b->a, file(b, "ca.pem"), request, file(b, "answer"), &stamp, &err), 0,
        &err, "");
    assert_int_equal(stamp.at_ms / 86400000, 1578657600 / 86400);
}

static void test_what_is_not_believed(void **state)
{
    static const struct {
        const char *name, *text, *how, *authority;
        int is_other_nonce, code;
        const char *why;
    } rows[] = {
        { "another nonce", LINE, "good", "ca.pem", 1, ERR_CONFLICT, "nonce mismatch" },
        { "of something else", "another line", "good", "ca.pem", 0, ERR_CONFLICT,
          "message imprint mismatch" },
        { "a foreign signer", LINE, "foreign", "ca.pem", 0, ERR_CONFLICT,
          "unable to get local issuer certificate" },
        { "an expired signer", LINE, "expired", "ca.pem", 0, ERR_CONFLICT,
          "certificate has expired" },
        { "other certificates than ours", LINE, "good", "foreign-ca.pem", 0, ERR_CONFLICT,
          "unable to get local issuer certificate" },
        { "no certificates", LINE, "good", "tsa.cnf", 0, ERR_USAGE, "cannot be read (PEM)" },
        { "none at all", LINE, "good picky.cnf", "ca.pem", 0, ERR_REFUSED, "badAlg" },
    };
    struct bench *b = *state;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct str asked = given_request(b, LINE, nonce);
        struct str other = given_request(b, rows[i].text,
                                         rows[i].is_other_nonce ? other_nonce : nonce);
        struct err err = ERR_INIT;
        struct time_stamp stamp;
        int rc = time_stamp_take(&b->a, file(b, rows[i].authority), asked,
                                 given_answer(b, other, rows[i].how), &stamp, &err);

        if (rc != rows[i].code || !strstr(err.text, rows[i].why))
            fail_msg("%s: %s, '%s'", rows[i].name, rc ? err_name(rc) : "it is believed", err.text);
    }
}

/* Whatever is cut off, put behind or turned over. */
static void test_bytes_that_are_no_answer(void **state)
{
    struct bench *b = *state;
    struct str ca = file(b, "ca.pem"), request = given_request(b, LINE, nonce);
    struct str answer = given_answer(b, request, "good");
    char *bytes = arena_new_n(&b->a, char, TIME_STAMP_BYTES_MAX + 1);
    struct time_stamp stamp, whole;
    struct err err = ERR_INIT;
    size_t n_believed = 0;

    assert_non_null(bytes);
    expect_refused(time_stamp_take(&b->a, ca, request, answer, &whole, &err), 0, &err, "");
    for (size_t n = 0; n < answer.n; n++)
        expect_refused(time_stamp_take(&b->a, ca, request, str_slice(answer, 0, n), &stamp, &err),
                       ERR_REFUSED, &err, "no answer of a time stamp authority");
    for (size_t i = 0; i < answer.n; i++) {
        int rc;

        memcpy(bytes, answer.p, answer.n);
        bytes[i] ^= 0x21;
        rc = time_stamp_take(&b->a, ca, request, (struct str){ bytes, answer.n }, &stamp, &err);
        if (!rc && stamp.at_ms != whole.at_ms) /* some bytes say nothing, and nobody signs them */
            fail_msg("byte %zu is another one, and another time is believed", i);
        n_believed += !rc;
    }
    assert_true(n_believed < answer.n / 16);
    memset(bytes, 0x30, TIME_STAMP_BYTES_MAX + 1);
    memcpy(bytes, answer.p, answer.n);
    expect_refused(
        time_stamp_take(&b->a, ca, request, (struct str){ bytes, answer.n + 1 }, &stamp, &err),
        ERR_REFUSED, &err, "no answer");
    expect_refused(time_stamp_take(&b->a, ca, request,
                                   (struct str){ bytes, TIME_STAMP_BYTES_MAX + 1 }, &stamp, &err),
                   ERR_REFUSED, &err, "no answer");
    expect_refused(time_stamp_take(&b->a, ca, request, S("<html>"), &stamp, &err), ERR_REFUSED,
                   &err, "no answer");
}

static void test_tokens_that_are_none(void **state)
{
    struct bench *b = *state;
    struct str ca = file(b, "ca.pem"), request = given_request(b, LINE, nonce);
    struct time_stamp stamp, other;
    struct err err = ERR_INIT;

    expect_refused(
        time_stamp_take(&b->a, ca, request, given_answer(b, request, "good"), &stamp, &err), 0,
        &err, "");
    expect_refused(time_stamp_check(&b->a, ca, S("another line"), stamp.token, &other, &err),
                   ERR_CONFLICT, &err, "message imprint mismatch");
    expect_refused(
        time_stamp_check(&b->a, file(b, "foreign-ca.pem"), S(LINE), stamp.token, &other, &err),
        ERR_CONFLICT, &err, "unable to get local issuer certificate");
    for (size_t n = 0; n < stamp.token.n; n++)
        expect_refused(
            time_stamp_check(&b->a, ca, S(LINE), str_slice(stamp.token, 0, n), &other, &err),
            ERR_CONFLICT, &err, "no time stamp");
    bench_run(b, "openssl crl2pkcs7 -nocrl -certfile ca.pem -outform DER -out certificates");
    expect_refused(time_stamp_check(&b->a, ca, S(LINE), file(b, "certificates"), &other, &err),
                   ERR_CONFLICT, &err, "no time stamp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_time_stamp_is_believed_and_kept),
        cmocka_unit_test(test_what_a_signer_made_in_its_time_stands),
        cmocka_unit_test(test_what_is_not_believed),
        cmocka_unit_test(test_bytes_that_are_no_answer),
        cmocka_unit_test(test_tokens_that_are_none),
    };

    return cmocka_run_group_tests(tests, open_world, close_world);
}
