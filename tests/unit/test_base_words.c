/* base: text, maps, digests and errors. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/url.h"
#include "base/utf8.h"
#include "base/vec.h"

static void test_numbers_are_strict(void **state)
{
    static const struct {
        const char *text;
        int rc;
        int64_t value;
    } rows[] = {
        { "0", 0, 0 },
        { "-1", 0, -1 },
        { "9223372036854775807", 0, INT64_MAX },
        { "-9223372036854775808", 0, INT64_MIN },
        { "9223372036854775808", -1, 0 },
        { "", -1, 0 },
        { "-", -1, 0 },
        { "1x", -1, 0 },
        { " 1", -1, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t value = 0;

        assert_int_equal(str_to_i64(str_from_c(rows[i].text), &value), rows[i].rc);
        assert_int_equal(value, rows[i].value);
    }
}

static void test_distance_counts_edits(void **state)
{
    (void)state;
    assert_int_equal(str_distance(S("replicas"), S("replicas"), 3), 0);
    assert_int_equal(str_distance(S("replcias"), S("replicas"), 3), 1);
    assert_int_equal(str_distance(S("enviroment"), S("environment"), 3), 1);
    assert_int_equal(str_distance(S("abc"), S("xyz"), 2), 3);
}

static void test_who_signs_in_by_an_address_is_hidden(void **state)
{
    static const struct {
        const char *text, *shown;
    } rows[] = {
        { "https://a.dev/x", "https://a.dev/x" },
        { "at https://a.dev:443/x: 404", "at https://a.dev:443/x: 404" },
        { "https://u:p@a.dev/x", "https://***@a.dev/x" },
        { "'ssh://token@a.dev'", "'ssh://*****@a.dev'" },
        { "https://u:p/w@a.dev/x", "https://*****@a.dev/x" },
        { "https://u:p@w@a.dev", "https://*****@a.dev" },
        { "x://u:1@a y://v:2@b", "x://***@a y://***@b" },
        { "https://a.dev/x@v1", "https://a.dev/x@v1" },
        { "cut off: https://u:pass", "cut off: https://******" },
        { "://", "://" },
        { "a@b", "a@b" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[64];

        (void)snprintf(text, sizeof(text), "%s", rows[i].text); /* fits */
        url_hide_logins(text, strlen(text));
        assert_string_equal(text, rows[i].shown);
    }
}

static void test_foreign_bytes_become_text(void **state)
{
    static const struct {
        struct str in, out;
    } rows[] = {
        { S_INIT("plain"), S_INIT("plain") },
        { S_INIT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
          S_INIT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80") },
        { S_INIT("a\0b"), S_INIT("a?b") },
        { S_INIT("\xff\xfe"), S_INIT("??") },
        { S_INIT("\xc0\x80"), S_INIT("??") },           /* overlong */
        { S_INIT("\xed\xa0\x80"), S_INIT("???") },      /* surrogate */
        { S_INIT("\xf4\x90\x80\x80"), S_INIT("????") }, /* above U+10FFFF */
        { S_INIT("x\xe2\x82"), S_INIT("x??") },         /* cut off */
    };
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_true(str_eq(str_clean(&a, rows[i].in), rows[i].out));
}

static void test_a_cut_text_ends_with_a_character(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        { "", "" },
        { "abc", "abc" },
        { "a\xc3\xa4", "a\xc3\xa4" },
        { "a\xc3", "a" },
        { "\xe2\x82\xac", "\xe2\x82\xac" },
        { "a\xe2\x82", "a" },
        { "\xe2", "" },
        { "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
        { "a\xf0\x9f\x98", "a" },
        { "\x80\x80\x80\x80\x80", "\x80\x80\x80\x80\x80" }, /* never was a text */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[16];

        (void)strcpy(text, rows[i].in);
        utf8_trim(text);
        assert_string_equal(text, rows[i].out);
    }
}

/* Wherever it is cut, what is left can be stored and sent. */
static void test_a_long_error_is_text(void **state)
{
    static char more[2 * ERR_TEXT_MAX + 1];

    (void)state;
    for (size_t i = 0; i + 2 < sizeof(more); i += 2)
        (void)memcpy(more + i, "\xc3\xa4", 3);
    for (int before = 0; before < 4; before++) {
        struct err err = ERR_INIT;
        uint32_t c;

        (void)err_set(&err, ERR_INVALID, "%.*s%s", before, "abc", more);
        (void)err_wrap(&err, "%.*s", before, "abc");
        for (size_t at = 0, n; err.text[at]; at += n) {
            n = utf8_decode(str_from_c(err.text + at), &c);
            assert_true(n > 0);
        }
    }
}

static void test_map_keeps_order_and_finds_many(void **state)
{
    AUTO_ARENA struct arena a;
    struct map m;
    struct err err = ERR_INIT;

    (void)state;
    arena_init(&a, 0);
    map_init(&m, &a);
    for (int i = 999; i >= 0; i--)
        map_put(&m, str_fmt(&a, "k%03d", i), &m);
    assert_int_equal(m.n, 1000);
    assert_true(str_eq_c(m.entries[0].key, "k999"));
    assert_true(map_has(&m, S("k500")));
    assert_null(map_find(&m, S("k1000")));
    map_sort(&m);
    assert_true(str_eq_c(m.entries[0].key, "k000"));
    assert_ptr_equal(map_find(&m, S("k777")), &m);
    assert_int_equal(arena_status(&a, &err), 0);
}

static void test_a_reserved_arena_is_one_block(void **state)
{
    AUTO_ARENA struct arena a, small;
    struct err err = ERR_INIT;
    const char *first, *last;

    (void)state;
    arena_init(&a, 0);
    arena_reserve(&a, 4096);
    first = arena_alloc(&a, 16);
    for (int i = 0; i < 254; i++)
        (void)arena_alloc(&a, 16);
    last = arena_alloc(&a, 16);
    assert_ptr_equal(last, first + 4096 - 16);
    assert_int_equal(a.used_bytes, 4096);
    assert_int_equal(arena_status(&a, &err), 0);
    arena_init(&small, 1024);
    arena_reserve(&small, 4096); /* over its limit: what is asked for says so */
    assert_non_null(arena_alloc(&small, 1024));
    assert_null(arena_alloc(&small, 1));
}

static void test_arena_remembers_its_limit(void **state)
{
    AUTO_ARENA struct arena a;
    struct err err = ERR_INIT;
    struct sb b;

    (void)state;
    arena_init(&a, 1000);
    sb_init(&b, &a);
    for (int i = 0; i < 1000; i++)
        sb_add_c(&b, "0123456789");
    assert_int_equal(arena_status(&a, &err), ERR_NOMEM);
    assert_true(a.used_bytes <= 1000);
}

static void test_digests_are_the_known_ones(void **state)
{
    AUTO_ARENA struct arena a;
    struct digest d = hash_bytes(S("abc")), again;
    struct str hex;

    (void)state;
    arena_init(&a, 0);
    hex = digest_hex(&a, &d);
    assert_string_equal(hex.p, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_string_equal(digest_base32(&a, &d).p, "xj4bnp4pahh6uqkbidpf3lrceo");
    assert_int_equal(digest_from_hex(hex, &again), 0);
    assert_true(digest_eq(&d, &again));
    assert_int_equal(digest_from_hex(S("zz"), &again), -1);
    d = hash_hmac(S("Jefe"), S("what do ya want for nothing?"));
    assert_string_equal(digest_hex(&a, &d).p,
                        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void test_errors_say_and_decide(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    errno = ENOSPC;
    assert_int_equal(err_sys(&err, "write '%s'", "x"), ERR_FULL);
    assert_int_equal(err_wrap(&err, "store"), ERR_FULL);
    assert_string_equal(err.text, "store: write 'x': No space left on device");
    assert_int_equal(err_class(ERR_FULL), ERR_CLASS_WAIT);
    assert_int_equal(err_exit_status(ERR_REFUSED), 5);
    assert_int_equal(err_from_name("STALE", 5), ERR_STALE);
    assert_int_equal(err_from_name("nonsense", 8), ERR_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_strict),
        cmocka_unit_test(test_distance_counts_edits),
        cmocka_unit_test(test_who_signs_in_by_an_address_is_hidden),
        cmocka_unit_test(test_foreign_bytes_become_text),
        cmocka_unit_test(test_a_cut_text_ends_with_a_character),
        cmocka_unit_test(test_a_long_error_is_text),
        cmocka_unit_test(test_map_keeps_order_and_finds_many),
        cmocka_unit_test(test_a_reserved_arena_is_one_block),
        cmocka_unit_test(test_arena_remembers_its_limit),
        cmocka_unit_test(test_digests_are_the_known_ones),
        cmocka_unit_test(test_errors_say_and_decide),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
