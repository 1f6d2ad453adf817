/* Copies of the database: sealed, whole or not taken at all, few are kept. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sys.h"
#include "reconciler/engine/copy_file.h"
#include "reconciler/engine/copy_store.h"
#include "state/tx.h"

#define MS 1700000000000
#define ID "018bcfe5-6800-7000-8000-000000000001"

struct place {
    char dir[32];
    struct arena arena;
    struct err err;
};

static int given_place(void **state)
{
    static struct place p;

    p = (struct place){ .dir = "/tmp/copies.XXXXXX", .err = ERR_INIT };
    arena_init(&p.arena, 0);
    *state = &p;
    return mkdtemp(p.dir) ? 0 : -1;
}

static int given_no_place(void **state)
{
    struct place *p = *state;

    arena_fini(&p->arena);
    return sys_remove_all(p->dir, &p->err);
}

static const char *path(struct place *p, const char *name)
{
    return str_fmt(&p->arena, "%s/%s", p->dir, name).p;
}

static struct str text(struct place *p, const char *name)
{
    struct str s = STR_NONE;

    (void)sys_read_file(&p->arena, path(p, name), 8u << 20, &s, &(struct err){ 0 });
    return s;
}

static void write(struct place *p, const char *name, struct str s)
{
    assert_int_equal(sys_write_file(path(p, name), 0600, s, &p->err), 0);
}

static struct str made_of(struct place *p, size_t n)
{
    char *bytes = arena_alloc(&p->arena, n + 1);

    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * i * 31 >> 3);
    return (struct str){ bytes, n };
}

static void test_what_is_sealed_comes_back(void **state)
{
    static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 131072, 1000000 };
    struct place *p = *state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct str plain = made_of(p, sizes[i]);

        write(p, "plain", plain);
        (void)remove(path(p, "sealed"));
        (void)remove(path(p, "back"));
        assert_int_equal(copy_file_seal(path(p, "plain"), path(p, "sealed"), p->dir, &p->err), 0);
        assert_int_equal(copy_file_unseal(path(p, "sealed"), path(p, "back"), p->dir, &p->err), 0);
        assert_true(str_eq(text(p, "back"), plain));
    }
}

/* Each row spoils a good copy in its way. */
static struct str spoil(struct place *p, struct str good, const char *how)
{
    char *bytes = arena_copy(&p->arena, good.p, good.n);

    if (!strcmp(how, "cut in the middle"))
        return (struct str){ bytes, good.n / 2 };
    if (!strcmp(how, "its last message is missing"))
        return (struct str){ bytes, good.n - 21 };
    if (!strcmp(how, "a bit of the head"))
        bytes[2] ^= 1;
    else if (!strcmp(how, "a bit of the header"))
        bytes[20] ^= 1;
    else if (!strcmp(how, "a length"))
        bytes[37] ^= 0x40;
    else if (!strcmp(how, "a bit of what is sealed"))
        bytes[good.n / 2] ^= 1;
    return (struct str){ bytes, good.n };
}

static void test_what_is_not_whole_is_not_taken(void **state)
{
    static const char *const rows[] = {
        "cut in the middle", "its last message is missing",
        "a bit of the head", "a bit of the header",
        "a length",          "a bit of what is sealed",
        "another key",
    };
    struct place *p = *state;
    struct str good;

    write(p, "plain", made_of(p, 200000));
    assert_int_equal(copy_file_seal(path(p, "plain"), path(p, "sealed"), p->dir, &p->err), 0);
    good = text(p, "sealed");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err err = ERR_INIT;

        write(p, "sealed", spoil(p, good, rows[i]));
        if (!strcmp(rows[i],
                    "another key")) { /* a new one is made to seal with, never to read with */
            assert_int_equal(remove(path(p, "copies")), 0);
            assert_int_equal(copy_file_unseal(path(p, "sealed"), path(p, "back"), p->dir, &err),
                             ERR_NOT_FOUND);
            assert_false(sys_exists(path(p, "copies")));
            assert_int_equal(copy_file_seal(path(p, "plain"), path(p, "other"), p->dir, &err), 0);
        }
        if (copy_file_unseal(path(p, "sealed"), path(p, "back"), p->dir, &err) != ERR_CORRUPT)
            fail_msg("%s: '%s'", rows[i], err.text);
        if (sys_exists(path(p, "back")))
            fail_msg("%s: half a file is left", rows[i]);
    }
}

/* --- the directory ------------------------------------------------------------------------------- */

static struct copy_place given_store(struct place *p)
{
    struct copy_place at = { .installation = S(ID), .keys = p->dir, .keep = 2 };

    at.dir = str_from_c(path(p, "store"));
    at.work = path(p, "work");
    return at;
}

static struct db *given_database(struct place *p)
{
    const struct db_birth birth = { .time_ms = MS, .installation = S(ID) };
    struct db *db = NULL;

    assert_int_equal(db_create(path(p, "reeve.db"), &birth, &db, &p->err), 0);
    return db;
}

static void given_event(struct place *p, struct db *db)
{
    const struct tx_head head = {
        .time_ms = MS, .epoch = 1, .actor = S("reeve"), .kind = S("test"), .subject = S("x")
    };
    struct tx *tx;

    assert_int_equal(db_batch_begin(db, &p->err), 0);
    assert_int_equal(tx_begin(db, &head, &tx, &p->err), 0);
    assert_int_equal(tx_commit(tx, &p->err), 0);
    assert_int_equal(db_batch_commit(db, &p->err), 0);
}

static void test_few_are_kept_and_none_is_made_twice(void **state)
{
    struct place *p = *state;
    struct copy_place at = given_store(p);
    struct db *db = given_database(p), *back = NULL;
    struct str why;
    struct copy *list;
    size_t n;

    assert_int_equal(copy_list(&p->arena, &at, &list, &n, &p->err), 0);
    assert_int_equal(n, 0);
    for (int i = 0; i < 4; i++) {
        given_event(p, db);
        assert_int_equal(copy_make(&p->arena, &at, path(p, "reeve.db"), &p->err), 1);
        assert_int_equal(copy_make(&p->arena, &at, path(p, "reeve.db"), &p->err), 0);
        assert_false(sys_exists(at.work));
    }
    write(p, "store/reeve-other-0000000001-00000000000009.copy", S("of another installation"));
    write(p, "store/notes", S("of a person"));
    assert_int_equal(copy_list(&p->arena, &at, &list, &n, &p->err), 0);
    assert_int_equal(n, 2);
    assert_int_equal(list[0].seq, 5);
    assert_int_equal(list[1].seq, 4);
    assert_int_equal(copy_judge(&p->arena, &at, db, &why, &p->err), 0);
    assert_null(why.p);
    assert_int_equal(copy_open(&at, &list[1], &back, &p->err), 0);
    assert_int_equal(copy_judge(&p->arena, &at, back, &why, &p->err), 0);
    assert_non_null(why.p);
    db_close(back);
    db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_sealed_comes_back, given_place,
                                        given_no_place),
        cmocka_unit_test_setup_teardown(test_what_is_not_whole_is_not_taken, given_place,
                                        given_no_place),
        cmocka_unit_test_setup_teardown(test_few_are_kept_and_none_is_made_twice, given_place,
                                        given_no_place),
    };

    return cmocka_run_group_tests_name("copies", tests, NULL, NULL);
}
