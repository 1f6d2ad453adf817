/* specs: values, JSON and digests. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/guard.h"
#include "specs/digest.h"
#include "specs/json_io.h"

#define LIMIT_BYTES 65536u

static struct value *given(struct arena *a, const char *json)
{
    struct value *v = NULL;
    struct err err = ERR_INIT;

    if (json_parse(a, str_from_c(json), LIMIT_BYTES, &v, &err))
        fail_msg("%s: %s", json, err.text);
    return v;
}

static void expect_json(struct arena *a, const struct value *v, const char *want)
{
    assert_string_equal(json_format(a, v).p, want);
}

static void test_canonical_form_is_one(void **state)
{
    static const struct {
        const char *sentence, *in, *out;
    } rows[] = {
        { "keys are sorted bytewise", "{\"b\":1,\"a\":2,\"B\":3,\"aa\":4}",
          "{\"B\":3,\"a\":2,\"aa\":4,\"b\":1}" },
        { "spaces go", " [ 1 , true , null , \"x\" ] ", "[1,true,null,\"x\"]" },
        { "short escapes become \\u00xx", "\"a\\n\\t\\u001f\"", "\"a\\u000a\\u0009\\u001f\"" },
        { "quotes and backslashes", "\"\\\"\\\\\\/\"", "\"\\\"\\\\/\"" },
        { "escaped text becomes UTF-8", "\"\\u00e4\\ud83d\\ude00\"",
          "\"\xc3\xa4\xf0\x9f\x98\x80\"" },
        { "DEL stays", "\"\x7f\"", "\"\x7f\"" },
        { "the largest number", "9223372036854775807", "9223372036854775807" },
        { "the smallest number", "-9223372036854775808", "-9223372036854775808" },
        { "empty containers", "{\"l\":[],\"m\":{}}", "{\"l\":[],\"m\":{}}" },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        AUTO_ARENA struct arena a;

        arena_init(&a, 0);
        print_message("  %s\n", rows[i].sentence);
        expect_json(&a, given(&a, rows[i].in), rows[i].out);
    }
}

/* What nobody could read again is not written, wherever the bytes came from. */
static void test_bytes_that_are_no_text_become_some(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        { "gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\"" },
        { "a\xff\nb", "\"a\xef\xbf\xbd\\u000ab\"" },
        { "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
        { "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
    };
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_json(&a, value_text(&a, str_from_c(rows[i].in)), rows[i].out);
        (void)given(&a, rows[i].out);
    }
}

static void test_json_is_refused(void **state)
{
    static const struct {
        const char *sentence, *in;
        int code;
        const char *says;
    } rows[] = {
        { "nothing", "", ERR_INVALID, "line 1" },
        { "trailing text", "{} x", ERR_INVALID, "end of file" },
        { "a duplicate key", "{\"a\":1,\n\"a\":2}", ERR_INVALID, "line 2" },
        { "a fraction", "[1.5]", ERR_INVALID, "1.5 is not an integer" },
        { "an exponent", "1e3", ERR_INVALID, "not an integer" },
        { "a number too large", "9223372036854775808", ERR_INVALID, "too big" },
        { "bad UTF-8", "\"\xff\"", ERR_INVALID, "byte 0xff" },
        { "a NUL in text", "\"\\u0000\"", ERR_INVALID, "u0000" },
        { "a lone surrogate", "\"\\ud800\"", ERR_INVALID, "ud800" },
        { "an open list", "[1,", ERR_INVALID, "line 1" },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        AUTO_ARENA struct arena a;
        struct value *v = NULL;
        struct err err = ERR_INIT;

        arena_init(&a, 0);
        print_message("  %s\n", rows[i].sentence);
        assert_int_equal(json_parse(&a, str_from_c(rows[i].in), LIMIT_BYTES, &v, &err),
                         rows[i].code);
        assert_null(v);
        if (!strstr(err.text, rows[i].says))
            fail_msg("'%s' does not say '%s'", err.text, rows[i].says);
    }
}

static void test_json_has_limits(void **state)
{
    AUTO_ARENA struct arena a;
    char deep[8192];
    struct value *v = NULL;
    struct err err = ERR_INIT;

    (void)state;
    arena_init(&a, 0);
    memset(deep, '[', sizeof(deep));
    memset(deep + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    assert_int_equal(
        json_parse(&a, (struct str){ deep, JSON_DEPTH_MAX * 2 }, LIMIT_BYTES, &v, &err), 0);

    memset(deep, '[', JSON_DEPTH_MAX + 2);
    memset(deep + JSON_DEPTH_MAX + 2, ']', JSON_DEPTH_MAX + 2);
    assert_int_equal(
        json_parse(&a, (struct str){ deep, (JSON_DEPTH_MAX + 2) * 2 }, LIMIT_BYTES, &v, &err),
        ERR_LIMIT);
    memset(deep, '[', sizeof(deep));
    assert_int_equal(json_parse(&a, (struct str){ deep, sizeof(deep) }, LIMIT_BYTES, &v, &err),
                     ERR_LIMIT);
    assert_int_equal(json_parse(&a, S("[1,2]"), 4, &v, &err), ERR_LIMIT);
}

static void test_a_full_arena_is_an_error(void **state)
{
    AUTO_ARENA struct arena a;
    struct value *v = NULL;
    struct err err = ERR_INIT;

    (void)state;
    for (size_t limit = 16; limit < 640; limit += 16) {
        arena_init(&a, limit);
        assert_int_equal(json_parse(&a, S("{\"a\":[1,{\"b\":\"c\"}],\"d\":null,\"e\":true}"),
                                    LIMIT_BYTES, &v, &err),
                         ERR_NOMEM);
        assert_null(v);
        arena_fini(&a);
    }
}

static void test_large_maps_find_replace_and_keep_order(void **state)
{
    AUTO_ARENA struct arena a;
    struct value *m;

    (void)state;
    arena_init(&a, 0);
    m = value_map(&a);
    for (int i = 0; i < 3000; i++)
        value_set_int(&a, m, str_fmt(&a, "key%d", i), i);
    for (int i = 0; i < 3000; i += 7)
        value_set_int(&a, m, str_fmt(&a, "key%d", i), -i);

    assert_int_equal(value_count(m), 3000);
    assert_true(str_eq_c(m->u.map.entries[2999].key, "key2999"));
    for (int i = 0; i < 3000; i++)
        assert_int_equal(value_get_int(m, str_fmt(&a, "key%d", i), 99999), i % 7 ? i : -i);
    assert_null(value_get(m, S("key3000")));
    assert_true(value_eq(m, value_copy(&a, m)));
}

/* A copy has as much room as it needs, and may be added to like any other. */
static void test_copies_may_grow(void **state)
{
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (int n = 0; n < 40; n++) {
        struct value *map = value_map(&a), *list = value_list(&a);

        for (int i = 0; i < n; i++) {
            value_set_int(&a, map, str_fmt(&a, "key%d", i), i);
            value_add(&a, list, value_int(&a, i));
        }
        map = value_copy(&a, map);
        list = value_copy(&a, list);
        for (int i = n; i < 80; i++) {
            value_set_int(&a, map, str_fmt(&a, "key%d", i), i);
            value_add(&a, list, value_int(&a, i));
        }
        assert_int_equal(value_count(map), 80);
        assert_int_equal(value_count(list), 80);
        for (int i = 0; i < 80; i++) {
            assert_int_equal(value_get_int(map, str_fmt(&a, "key%d", i), -1), i);
            assert_int_equal(value_item(list, (size_t)i)->u.number, i);
        }
    }
}

static void test_readers_accept_anything(void **state)
{
    AUTO_ARENA struct arena a;
    const struct value *v;

    (void)state;
    arena_init(&a, 0);
    v = given(&a, "{\"a\":{\"b\":{\"c\":7}},\"t\":\"x\",\"y\":true,\"l\":[1,2]}");
    assert_int_equal(value_at(v, S("a.b.c"))->u.number, 7);
    assert_null(value_at(v, S("a.x.c")));
    assert_null(value_at(v, S("t.b")));
    assert_null(value_at(NULL, S("a")));
    assert_true(str_eq_c(value_get_text(v, S("t"), S("no")), "x"));
    assert_true(str_eq_c(value_get_text(v, S("y"), S("no")), "no"));
    assert_int_equal(value_get_bool(v, S("y"), 0), 1);
    assert_int_equal(value_get_bool(NULL, S("y"), 5), 5);
    assert_int_equal(value_get_int(value_get(v, S("t")), S("n"), 3), 3);
    assert_int_equal(value_count(value_get(v, S("l"))), 2);
    assert_int_equal(value_count(value_get(v, S("t"))), 0);
    assert_null(value_item(value_get(v, S("l")), 2));
    assert_null(value_item(NULL, 0));
    value_add(&a, NULL, value_int(&a, 1));
    value_set(&a, NULL, S("k"), value_int(&a, 1));
    assert_null(value_copy(&a, NULL));
}

static void test_merge_goes_by_key(void **state)
{
    static const struct {
        const char *sentence, *base, *over, *want;
    } rows[] = {
        { "maps merge deeply", "{\"a\":{\"x\":1,\"y\":2},\"b\":3}", "{\"a\":{\"y\":5,\"z\":6}}",
          "{\"a\":{\"x\":1,\"y\":5,\"z\":6},\"b\":3}" },
        { "lists are replaced whole", "{\"l\":[1,2,3]}", "{\"l\":[4]}", "{\"l\":[4]}" },
        { "a map replaces a scalar", "{\"r\":2}", "{\"r\":{\"min\":1}}", "{\"r\":{\"min\":1}}" },
        { "a scalar replaces a map", "{\"r\":{\"min\":1}}", "{\"r\":2}", "{\"r\":2}" },
        { "nothing over leaves the base", "{\"r\":2}", "{}", "{\"r\":2}" },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        AUTO_ARENA struct arena a;
        const struct value *base;

        arena_init(&a, 0);
        print_message("  %s\n", rows[i].sentence);
        base = given(&a, rows[i].base);
        expect_json(&a, value_merge(&a, base, given(&a, rows[i].over)), rows[i].want);
        expect_json(&a, base, json_format(&a, given(&a, rows[i].base)).p);
        expect_json(&a, value_merge(&a, base, NULL), json_format(&a, base).p);
        expect_json(&a, value_merge(&a, NULL, base), json_format(&a, base).p);
    }
}

static void test_merge_and_copy_keep_places(void **state)
{
    AUTO_ARENA struct arena a;
    struct value *base, *over, *v;
    const struct str app = S("app.yaml"), env = S("env.yaml");
    const struct value_entry *e;

    (void)state;
    arena_init(&a, 0);
    base = value_map(&a);
    over = value_map(&a);
    v = value_int(&a, 1);
    v->place = (struct value_place){ &app, 3, 7 };
    value_set_placed(&a, base, S("one"), (struct value_place){ &app, 3, 2 }, v);
    v = value_int(&a, 2);
    v->place = (struct value_place){ &env, 9, 9 };
    value_set_placed(&a, over, S("two"), (struct value_place){ &env, 9, 1 }, v);
    v = value_merge(&a, base, over);

    e = value_entry(v, S("one"));
    assert_int_equal(e->key_place.column, 2);
    assert_int_equal(e->value->place.line, 3);
    e = value_entry(v, S("two"));
    assert_true(str_eq_c(value_file(e->key_place), "env.yaml"));
    assert_int_equal(e->value->place.column, 9);
}

static void test_equality_is_of_content(void **state)
{
    static const struct {
        const char *sentence, *a, *b;
        int equal;
    } rows[] = {
        { "key order does not count", "{\"a\":1,\"b\":[true]}", "{\"b\":[true],\"a\":1}", 1 },
        { "list order counts", "[1,2]", "[2,1]", 0 },
        { "one more key", "{\"a\":1}", "{\"a\":1,\"b\":1}", 0 },
        { "another key", "{\"a\":1}", "{\"b\":1}", 0 },
        { "text is not a number", "\"1\"", "1", 0 },
        { "null is null", "null", "null", 1 },
        { "false is not null", "false", "null", 0 },
        { "a shorter list", "[1]", "[1,1]", 0 },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        AUTO_ARENA struct arena a;

        arena_init(&a, 0);
        print_message("  %s\n", rows[i].sentence);
        assert_int_equal(value_eq(given(&a, rows[i].a), given(&a, rows[i].b)), rows[i].equal);
    }
    assert_true(value_eq(NULL, NULL));
}

static void test_digest_is_over_type_and_canonical_form(void **state)
{
    AUTO_ARENA struct arena a;
    struct digest d, same, other, plain;

    (void)state;
    arena_init(&a, 0);
    d = digest_value(&a, S("desired"), given(&a, "{\"b\":1,\"a\":2}"));
    same = digest_value(&a, S("desired"), given(&a, "{ \"a\": 2, \"b\": 1 }"));
    other = digest_value(&a, S("artifact"), given(&a, "{\"a\":2,\"b\":1}"));
    plain = hash_bytes(S("reeve/desired/1\n{\"a\":2,\"b\":1}"));
    assert_true(digest_eq(&d, &same));
    assert_true(digest_eq(&d, &plain));
    assert_false(digest_eq(&d, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical_form_is_one),
        cmocka_unit_test(test_bytes_that_are_no_text_become_some),
        cmocka_unit_test(test_json_is_refused),
        cmocka_unit_test(test_json_has_limits),
        cmocka_unit_test(test_a_full_arena_is_an_error),
        cmocka_unit_test(test_large_maps_find_replace_and_keep_order),
        cmocka_unit_test(test_copies_may_grow),
        cmocka_unit_test(test_readers_accept_anything),
        cmocka_unit_test(test_merge_goes_by_key),
        cmocka_unit_test(test_merge_and_copy_keep_places),
        cmocka_unit_test(test_equality_is_of_content),
        cmocka_unit_test(test_digest_is_over_type_and_canonical_form),
    };

    return cmocka_run_group_tests_name("specs value", tests, NULL, NULL);
}
