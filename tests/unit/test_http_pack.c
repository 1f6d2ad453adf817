/* http/pack: who gets answers in fewer bytes, and that they are the same. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <zlib.h>

#include "base/guard.h"
#include "reconciler/http/pack.h"

static void test_who_may_have_it_packed(void **state)
{
    static const struct {
        const char *what, *accepted, *site; /* NULL: not said */
        int is_taken;
    } rows[] = {
        { "a program that asks for it", "gzip", NULL, 1 },
        { "a program that does not", NULL, NULL, 0 },
        { "a page of ours", "gzip, deflate", "same-origin", 1 },
        { "an address that was typed", "gzip", "none", 1 },
        { "a page of another site", "gzip", "cross-site", 0 },
        { "a page beside ours", "gzip", "same-site", 0 },
        { "a word that nobody knows", "gzip", "Same-Origin", 0 },
        { "a page of ours that takes none", "gzip;q=0", "same-origin", 0 },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        AUTO_ARENA struct arena a = { 0 };
        struct value *headers = value_map(&a);

        if (rows[i].accepted)
            value_set_text(&a, headers, S("accept-encoding"), str_from_c(rows[i].accepted));
        if (rows[i].site)
            value_set_text(&a, headers, S("sec-fetch-site"), str_from_c(rows[i].site));
        if (pack_is_taken(headers) != rows[i].is_taken)
            fail_msg("%s is taken the wrong way", rows[i].what);
    }
}

/* As many bytes, from a row of numbers (noise) or of sentences. */
static struct str given_body(struct arena *a, size_t n, int is_noise)
{
    static const char text[] = "{\"name\":\"staging\",\"sync\":\"in_sync\"},";
    char *p = arena_alloc(a, n);
    uint64_t seed = 1;

    assert_non_null(p);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        p[i] = is_noise ? (char)(seed >> 56) : text[i % (sizeof(text) - 1)];
    }
    return (struct str){ p, n };
}

static void expect_same(struct arena *a, struct str packed, struct str body)
{
    unsigned char *out = arena_alloc(a, body.n + 1), *in = arena_alloc(a, packed.n);
    z_stream z = {
        .next_in = in, .avail_in = (uInt)packed.n, .next_out = out, .avail_out = (uInt)body.n + 1
    };

    assert_true(out && in);
    memcpy(in, packed.p, packed.n);
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, body.n);
    assert_memory_equal(out, body.p, body.n);
    assert_int_equal(inflateEnd(&z), Z_OK);
}

static void test_what_is_packed_is_the_same_and_smaller(void **state)
{
    static const struct {
        size_t n;
        int is_noise, is_packed;
    } rows[] = {
        { 0, 0, 0 },         { PACK_LEAST - 1, 0, 0 }, { PACK_LEAST, 0, 1 },
        { 400000, 0, 1 },    { 400000, 1, 0 }, /* it would be longer */
        { PACK_MOST, 0, 1 }, { PACK_MOST + 1, 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        AUTO_ARENA struct arena a = { 0 };
        struct str body = given_body(&a, rows[i].n, rows[i].is_noise);
        struct str packed = pack_body(&a, body), again = pack_body(&a, body);

        if (!!packed.p != rows[i].is_packed)
            fail_msg("%zu bytes are packed the wrong way", rows[i].n);
        if (!packed.p)
            continue;
        assert_true(packed.n < body.n / 8);
        assert_true(str_eq(packed, again));
        expect_same(&a, packed, body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_may_have_it_packed),
        cmocka_unit_test(test_what_is_packed_is_the_same_and_smaller),
    };

    return cmocka_run_group_tests_name("http/pack", tests, NULL, NULL);
}
