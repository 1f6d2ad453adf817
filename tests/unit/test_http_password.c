/* http: passwords are kept as argon2id hashes, and nobody's cost as much as somebody's. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/guard.h"
#include "reconciler/http/password.h"

#define GOOD S("correct horse battery")

static void test_there_and_back(void **state)
{
    AUTO_ARENA struct arena a;
    struct err err = ERR_INIT;
    struct str one, other;

    (void)state;
    arena_init(&a, 0);
    assert_int_equal(password_hash(&a, GOOD, &one, &err), 0);
    assert_int_equal(password_hash(&a, GOOD, &other, &err), 0);
    assert_false(str_eq(one, other)); /* each has its salt */
    assert_true(str_starts(one, S("$argon2id$v=19$m=65536,t=3,p=1$")));
    assert_true(str_find(one, S("horse")) == STR_NPOS);
    assert_int_equal(password_check(one, GOOD, &err), 0);
    assert_int_equal(password_check(other, GOOD, &err), 0);
}

static void test_refusals(void **state)
{
    AUTO_ARENA struct arena a;
    struct err err = ERR_INIT;
    char big[PASSWORD_MAX + 1];
    struct str hash, max = { big, PASSWORD_MAX }, over = { big, PASSWORD_MAX + 1 };
    const struct str wrong[] = { S_INIT("correct horse batterz"), S_INIT(""), over };
    const struct str none[] = { { NULL, 0 },
                                S_INIT(""),
                                S_INIT("$argon2id$v=19$m=65536,t=3,p=1$x") };

    (void)state;
    memset(big, 'x', sizeof(big));
    arena_init(&a, 0);
    assert_int_equal(password_hash(&a, max, &hash, &err), 0);
    assert_int_equal(password_check(hash, max, &err), 0);
    for (size_t i = 0; i < N_ELEMENTS(wrong); i++)
        assert_int_equal(password_check(hash, wrong[i], &err), ERR_UNKNOWN_ACTOR);
    for (size_t i = 0; i < N_ELEMENTS(none); i++)
        assert_int_equal(password_check(none[i], GOOD, &err), ERR_UNKNOWN_ACTOR);
    assert_int_equal(password_hash(&a, S("elevenbytes"), &hash, &err), ERR_INVALID);
    assert_int_equal(password_hash(&a, over, &hash, &err), ERR_INVALID);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
