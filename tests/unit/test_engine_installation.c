/* The id of an installation outlives its database. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/sys.h"
#include "reconciler/engine/installation.h"

#define ONE "01890a5d-ac96-774b-bcce-b302099a8057"
#define OTHER "01890a5d-ac96-774b-bcce-b302099a8058"

struct keys {
    char dir[32];
    struct arena arena;
    struct err err;
};

static int given_keys(void **state)
{
    static struct keys k;

    k = (struct keys){ .dir = "/tmp/keys.XXXXXX", .err = ERR_INIT };
    arena_init(&k.arena, 0);
    *state = &k;
    return mkdtemp(k.dir) ? 0 : -1;
}

static int given_no_keys(void **state)
{
    struct keys *k = *state;

    arena_fini(&k->arena);
    return sys_remove_all(k->dir, &k->err);
}

static void test_it_is_kept_and_read_again(void **state)
{
    struct keys *k = *state;
    struct str id = S("x");

    assert_int_equal(installation_read(&k->arena, k->dir, &id, &k->err), 0);
    assert_null(id.p);
    assert_int_equal(installation_keep(&k->arena, k->dir, S(ONE), &k->err), 0);
    assert_int_equal(installation_read(&k->arena, k->dir, &id, &k->err), 0);
    assert_true(str_eq_c(id, ONE));
    assert_int_equal(installation_keep(&k->arena, k->dir, S(ONE), &k->err), 0);
}

static void test_another_database_is_refused(void **state)
{
    struct keys *k = *state;

    assert_int_equal(installation_keep(&k->arena, k->dir, S(ONE), &k->err), 0);
    assert_int_equal(installation_keep(&k->arena, k->dir, S(OTHER), &k->err), ERR_REFUSED);
}

static void test_a_cut_file_is_named(void **state)
{
    struct keys *k = *state;
    struct str id;

    assert_int_equal(
        sys_write_file(str_fmt(&k->arena, "%s/installation", k->dir).p, 0600, S("0189"), &k->err),
        0);
    assert_int_equal(installation_read(&k->arena, k->dir, &id, &k->err), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_is_kept_and_read_again, given_keys, given_no_keys),
        cmocka_unit_test_setup_teardown(test_another_database_is_refused, given_keys,
                                        given_no_keys),
        cmocka_unit_test_setup_teardown(test_a_cut_file_is_named, given_keys, given_no_keys),
    };

    return cmocka_run_group_tests_name("installation", tests, NULL, NULL);
}
