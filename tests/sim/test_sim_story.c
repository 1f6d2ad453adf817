/* sim: the main story on the simulated loop. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "tests/sim/laws.h"

#define MINUTE 60000

static struct str specs(struct world *w, const char *version, const char *more)
{
    return str_fmt(&w->arena,
                   "apiVersion: reeve/v1\n"
                   "kind: Application\n"
                   "name: shop\n"
                   "services:\n"
                   "  api:\n"
                   "    command: [./api]\n"
                   "    port: 8000\n"
                   "    replicas: 2\n"
                   "    environment: {VERSION: \"%s\"%s}\n"
                   "    healthcheck: {readiness: {http: {path: /healthz}, interval: 1s}}\n"
                   "    rollout: {strategy: blue_green, healthy_deadline: 30s, min_healthy_time: "
                   "2s, bake_time: 5s, keep_previous: 1m}\n"
                   "    termination: {drain: 2s, stop_grace_period: 1s}\n"
                   "domains:\n"
                   "  app: {hosts: [shop.example.test], routes: {/: {service: api}}}\n"
                   "---\n"
                   "apiVersion: reeve/v1\n"
                   "kind: Environment\n"
                   "name: prod\n"
                   "application: shop\n"
                   "trigger: {branch: main}\n"
                   "approval: {policy: auto}\n",
                   version, more);
}

static void test_a_push_converges(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 1);
    world_push(&w, specs(&w, "1", ""));
    world_run(&w, 2 * MINUTE);
    assert_string_equal(world_status(&w, S("prod")).p, "in_sync: ");
    world_push(&w, specs(&w, "2", ""));
    world_run(&w, 3 * MINUTE);
    assert_string_equal(world_status(&w, S("prod")).p, "in_sync: ");
    assert_null(laws_settled(&w));
    assert_null(laws_history(&w));
    world_fini(&w);
}

static void test_a_bad_commit_goes_back_and_is_quarantined(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 2);
    world_push(&w, specs(&w, "1", ""));
    world_run(&w, 2 * MINUTE);
    world_push(&w, specs(&w, "2", ", BAD: \"1\""));
    world_run(&w, 5 * MINUTE);
    assert_non_null(strstr(world_status(&w, S("prod")).p, "reverted: quarantined: api"));
    world_push(&w, specs(&w, "3", ""));
    world_run(&w, 3 * MINUTE);
    assert_string_equal(world_status(&w, S("prod")).p, "in_sync: ");
    assert_null(laws_settled(&w));
    assert_null(laws_history(&w));
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_push_converges),
        cmocka_unit_test(test_a_bad_commit_goes_back_and_is_quarantined),
    };

    log_setup(getenv("DEBUG") ? LOG_DEBUG : LOG_ERROR, LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
