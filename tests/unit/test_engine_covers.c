/* What isolated code does not see, for each place of the Daemon document that names a file. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/guard.h"
#include "reconciler/engine/covers.h"
#include "specs/json_io.h"

struct row {
    const char *sentence, *daemon;
    const char *covers; /* NULL: nothing but home and state */
};

static const struct row rows[] = {
    { "the socket's directory", "{\"socket\":\"/srv/reeve/sock/reeve.sock\"}", "/srv/reeve/sock" },
    { "a socket in a directory of the system alone", "{\"socket\":\"/run/reeve.sock\"}",
      "/run/reeve.sock" },
    { "copies of the state", "{\"state\":{\"backup\":{\"directory\":\"/backup/reeve/\"}}}",
      "/backup/reeve" },
    { "what a provider keeps", "{\"providers\":{\"local\":{\"directory\":\"/srv/services\"}}}",
      "/srv/services" },
    { "a store of files", "{\"secrets\":{\"stores\":{\"f\":{\"directory\":\"/etc/reeve/s\"}}}}",
      "/etc/reeve/s" },
    { "a vault's token",
      "{\"secrets\":{\"stores\":{\"v\":{\"auth\":{\"token_file\":\"/etc/vault/token\"}}}}}",
      "/etc/vault" },
    { "the secret id of a vault's approle",
      "{\"secrets\":{\"stores\":{\"v\":{\"auth\":{\"approle\":{\"secret_id_file\":\"/etc/"
      "approle\"}}}}}}",
      "/etc/approle" },
    { "what opens sealed values",
      "{\"secrets\":{\"stores\":{\"a\":{\"identity\":\"/opt/k/age\"}}}}", "/opt/k" },
    { "a private key of ssh", "{\"sources\":{\"s\":{\"key_file\":\"/opt/ssh/id\"}}}", "/opt/ssh" },
    { "a repository of this machine", "{\"sources\":{\"s\":{\"url\":\"file:///srv/git/a\"}}}",
      "/srv/git/a" },
    { "not the system's directories", "{\"socket\":\"/\"}", NULL },
};

static int has(const struct value *list, const char *path)
{
    for (size_t i = 0; i < value_count(list); i++)
        if (str_eq_c(value_item(list, i)->u.text, path))
            return 1;
    return 0;
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct err err = ERR_INIT;
    AUTO_ARENA struct arena a;
    const struct value *list;
    struct value *daemon;

    arena_init(&a, 0);
    assert_int_equal(json_parse(&a, str_from_c(row->daemon), 4096, &daemon, &err), 0);
    list = covers_list(&a, daemon, S("/state"));
    assert_true(has(list, "/state"));
    if (row->covers)
        assert_true(has(list, row->covers));
    else
        assert_true(value_count(list) <= 2);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMENTS(rows)];

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        tests[i] = (struct CMUnitTest){ .name = rows[i].sentence,
                                        .test_func = test_row,
                                        .initial_state = (void *)(uintptr_t)&rows[i] };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
