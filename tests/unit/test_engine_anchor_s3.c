/* engine: what a store of objects says of heads, a hostile one too. SPDX-License-Identifier: Apache-2.0 */
#include "test_engine_git.h"

#include "base/guard.h"
#include "reconciler/engine/anchor_s3.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define NAME(down, seq) "of/inst/" down "-" seq "-" HASH "-3-1790000000000-" HASH
#define KEY_7 NAME("999999999999999992", "7")
#define KEY_8 NAME("999999999999999991", "8")
#define LINE(seq) "reeve/anchor/2 inst " seq " " HASH " 3 1790000000000 " HASH "\n"
#define OBJECT(part, key, size)                                                                    \
    "<" part "><Key>" key "</Key><ETag>\"x\"</ETag><Size>" size "</Size></" part ">"
#define LIST(objects) "<ListBucketResult xmlns=\"x\"><Name>b</Name>" objects "</ListBucketResult>"
#define VERSIONS(objects) "<ListVersionsResult><VersionIdMarker/>" objects "</ListVersionsResult>"
#define SIZE "168"

struct row {
    const char *name, *body;
    int status;
    const char *known; /* NULL: nothing was brought there yet */
    int is_locked, code;
    const char *why, *text;
};

/* clang-format off */
static const struct row rows[] = {
    { "nothing yet", LIST(""), 200, NULL, 0, 0, "", "" },
    { "the newest first", LIST(OBJECT("Contents", KEY_8, SIZE) OBJECT("Contents", KEY_7, SIZE)), 200, KEY_8, 0, 0, "", LINE("8") LINE("7") },
    { "versions", VERSIONS(OBJECT("Version", KEY_8, SIZE) OBJECT("Version", KEY_7, SIZE)), 200, KEY_7, 1, 0, "", LINE("8") LINE("7") },
    { "an empty answer", "", 200, NULL, 0, ERR_IO, "no list", "" },
    { "something else", "<html>", 200, NULL, 0, ERR_IO, "no list", "" },
    { "another list than was asked for", VERSIONS(""), 200, NULL, 0, ERR_IO, "no list", "" },
    { "cut off", "<ListBucketResult>" OBJECT("Contents", KEY_8, SIZE), 200, NULL, 0, ERR_IO, "no list", "" },
    { "no size", LIST("<Contents><Key>" KEY_8 "</Key></Contents>"), 200, NULL, 0, ERR_IO, "no list", "" },
    { "no name", LIST("<Contents><Size>" SIZE "</Size></Contents>"), 200, NULL, 0, ERR_IO, "no list", "" },
    { "in another folder", LIST(OBJECT("Contents", "of/other/x", SIZE)), 200, NULL, 0, ERR_CONFLICT, "no anchor", "" },
    { "a name that does not count down", LIST(OBJECT("Contents", NAME("999999999999999990", "8"), SIZE)), 200, NULL, 0, ERR_CONFLICT, "no anchor", "" },
    { "a name with more behind it", LIST(OBJECT("Contents", KEY_8 "-1", SIZE)), 200, NULL, 0, ERR_CONFLICT, "no anchor", "" },
    { "a name with a sign", LIST(OBJECT("Contents", NAME("999999999999999991", "+8"), SIZE)), 200, NULL, 0, ERR_CONFLICT, "no anchor", "" },
    { "a name of two lines", LIST(OBJECT("Contents", KEY_8 "\nreeve", SIZE)), 200, NULL, 0, ERR_CONFLICT, "no anchor", "" },
    { "no name at all", LIST(OBJECT("Contents", "", SIZE)), 200, NULL, 0, ERR_CONFLICT, "no anchor", "" },
    { "another size", LIST(OBJECT("Contents", KEY_8, "5")), 200, NULL, 0, ERR_CONFLICT, "wrote over", "" },
    { "two versions", VERSIONS(OBJECT("Version", KEY_8, SIZE) OBJECT("Version", KEY_8, SIZE)), 200, NULL, 1, ERR_CONFLICT, "wrote over", "" },
    { "deleted", VERSIONS("<DeleteMarker><Key>x</Key></DeleteMarker>" OBJECT("Version", KEY_8, SIZE)), 200, NULL, 1, ERR_CONFLICT, "deleted", "" },
    { "what was brought is gone", LIST(OBJECT("Contents", KEY_7, SIZE)), 200, KEY_8, 0, ERR_CONFLICT, "not there any more", "" },
    { "everything is gone", LIST(""), 200, KEY_8, 0, ERR_CONFLICT, "not there any more", "" },
    { "no right", "<Error><Code>AccessDenied</Code></Error>", 403, NULL, 0, ERR_REFUSED, "status 403: AccessDenied", "" },
    { "a word that is none", "<Error><Code>\x1b[31m</Code></Error>", 500, NULL, 0, ERR_UNREACHABLE, "status 500", "" },
    { "a word without an end", "<Code>Slow", 503, NULL, 0, ERR_UNREACHABLE, "status 503: Slow", "" },
    { "elsewhere", "", 301, NULL, 0, ERR_UNREACHABLE, "status 301", "" },
};
/* clang-format on */

static struct anchor_place given_place(struct arena *a, int is_locked)
{
    struct anchor_place p = { .kind = &anchor_s3_kind, .installation = S("inst") };
    struct err err = ERR_INIT;
    struct value *config;

    assert_int_equal(
        json_parse(a,
                   is_locked ? S("{\"bucket\":\"b\",\"prefix\":\"of\",\"object_lock\":86400000}")
                             : S("{\"bucket\":\"b\",\"prefix\":\"of/\"}"),
                   1024, &config, &err),
        0);
    p.config = config;
    return p;
}

static void test_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct row *row = &rows[i];
        struct anchor_round r;
        struct err err = ERR_INIT;
        struct anchor_place p;
        int rc;

        anchor_place_round_init(&r);
        p = given_place(&r.own, row->is_locked);
        r.reply = (struct http_reply){ .status = row->status, .body = str_from_c(row->body) };
        r.known = row->known ? str_from_c(row->known) : STR_NONE;
        rc = p.kind->read_parse(&p, &r, &err);
        if (rc != row->code || !strstr(err.text, row->why))
            fail_msg("%s: %s, '%s'", row->name, rc ? err_name(rc) : "taken", err.text);
        if (!rc && !str_eq_c(r.there.text, row->text))
            fail_msg("%s: '%.*s'", row->name, STR_ARG(r.there.text));
        arena_wipe(&r.own);
    }
}

static void test_an_endless_list(void **state)
{
    struct anchor_round r;
    struct err err = ERR_INIT;
    struct anchor_place p;

    (void)state;
    anchor_place_round_init(&r);
    p = given_place(&r.own, 0);
    r.reply = (struct http_reply){ .status = 200, .body = S(LIST("")), .body_dropped = 1 };
    assert_int_equal(p.kind->read_parse(&p, &r, &err), ERR_LIMIT);
    arena_wipe(&r.own);
}

/* What is written there is what a list says of it. */
static void test_what_is_written(void **state)
{
    struct anchor_round r;
    struct err err = ERR_INIT;
    struct anchor_place p;
    struct str line = S(LINE("8")), proof;

    (void)state;
    anchor_place_round_init(&r);
    p = given_place(&r.own, 1);
    r.line = str_slice(line, 0, line.n - 1);
    r.time_ms = 1790000000000; /* 2026-09-21T14:13:20Z */
    assert_int_equal(p.kind->form(&p, &r, &err), 0);
    assert_true(str_eq(r.http.body, line));
    assert_int_equal(line.n, 168);
    assert_non_null(strstr(r.http.url, "/b/" KEY_8));
    assert_string_equal(r.headers[3], "x-amz-object-lock-mode: COMPLIANCE");
    assert_string_equal(r.headers[4], "x-amz-object-lock-retain-until-date: 2026-09-22T14:13:20Z");
    r.reply.status = r.looked.status = 200;
    assert_int_equal(p.kind->push_parse(&p, &r, 0, &proof, &err),
                     ERR_CONFLICT); /* it says nothing */
    r.looked.headers = S("x-amz-object-lock-mode: COMPLIANCE\n"
                         "x-amz-object-lock-retain-until-date: 2026-09-22T14:13:19Z\n");
    assert_int_equal(p.kind->push_parse(&p, &r, 0, &proof, &err), ERR_CONFLICT);
    r.looked.headers = S("X-Amz-Object-Lock-Mode: GOVERNANCE\n"
                         "x-amz-object-lock-retain-until-date: 2026-09-22T14:13:20Z\n");
    assert_int_equal(p.kind->push_parse(&p, &r, 0, &proof, &err), ERR_CONFLICT);
    r.looked.headers = S("X-Amz-Object-Lock-Mode: COMPLIANCE\n"
                         "x-amz-object-lock-retain-until-date: 2026-09-22T14:13:20.000Z\n");
    err = ERR_INIT;
    assert_int_equal(p.kind->push_parse(&p, &r, 0, &proof, &err), 0);
    assert_true(str_eq(proof, S(KEY_8)));
    arena_wipe(&r.own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_an_endless_list),
        cmocka_unit_test(test_what_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
