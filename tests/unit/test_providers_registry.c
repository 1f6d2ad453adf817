/* Providers are made of a Daemon document. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/guard.h"
#include "providers/registry.h"
#include "specs/json_io.h"

struct registry_row {
    const char *sentence, *providers, *want; /* want: the error, or NULL */
};

static const struct registry_row registry_rows[] = {
    { "two providers of one driver", "{\"b\":{\"driver\":\"null\"},\"a\":{\"driver\":\"null\"}}",
      NULL },
    { "a process provider",
      "{\"a\":{\"directory\":\"/x\",\"driver\":\"process\",\"ports\":\"1-2\"}}", NULL },
    { "an unknown driver is named", "{\"a\":{\"driver\":\"docker\"}}",
      "provider 'a': there is no driver 'docker'" },
    { "a driver's complaint names the provider",
      "{\"b\":{\"driver\":\"null\"},\"c\":{\"directory\":\"var\",\"driver\":\"process\"}}",
      "provider 'c': process: 'directory' and 'keeper' are absolute paths, 'ports' is FROM-TO" },
    { "a range that is none is refused",
      "{\"c\":{\"directory\":\"/x\",\"driver\":\"process\",\"ports\":\"9-1\"}}",
      "provider 'c': process: 'directory' and 'keeper' are absolute paths, 'ports' is FROM-TO" },
};

static void test_open(void **state)
{
    const struct registry_row *row = *state;
    struct registry_options options = { S("i1"), S("/var"), S("/keeper"), 1, NULL, 0, NULL };
    struct registry *r = NULL;
    struct err err = ERR_INIT;
    struct arena a;
    struct value *v;
    int rc;

    arena_init(&a, 0);
    assert_int_equal(json_parse(&a, str_from_c(row->providers), 4096, &v, &err), 0);
    rc = registry_open(&options, v, &r, &err);
    if (row->want) {
        assert_int_equal(rc, ERR_INVALID);
        assert_string_equal(err.text, row->want);
    } else {
        assert_int_equal(rc, 0);
        assert_int_equal(r->n, value_count(v));
        assert_string_equal(r->list[0].name.p, "a");
        assert_non_null(registry_find(r, S("a"))->self);
        assert_null(registry_find(r, S("z")));
        assert_true(str_eq(value_get_text(r->list[0].config, S("installation"), S("")), S("i1")));
    }
    registry_close(r);
    arena_fini(&a);
}

static void test_drivers_are_known_by_name(void **state)
{
    AUTO_ARENA struct arena a;
    const struct value *names;

    (void)state;
    arena_init(&a, 0);
    names = registry_drivers(&a);
    assert_string_equal(registry_driver(S("process"))->name, "process");
    assert_string_equal(registry_driver(S("haproxy"))->name, "haproxy");
    assert_null(registry_driver(S("proces")));
    assert_true(value_count(names) >= 3);
    for (size_t i = 0; i < value_count(names); i++)
        assert_non_null(registry_driver(value_item(names, i)->u.text));
    registry_close(NULL);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMENTS(registry_rows) + 1];
    size_t n = 0;

    for (; n < N_ELEMENTS(registry_rows); n++)
        tests[n] = (struct CMUnitTest){ .name = registry_rows[n].sentence,
                                        .test_func = test_open,
                                        .initial_state = (void *)(uintptr_t)&registry_rows[n] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_drivers_are_known_by_name);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
