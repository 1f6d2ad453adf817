/* The null driver: conforms, pretends plausibly, fails when told to. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/guard.h"
#include "base/sys.h"
#include "providers/api/drivers.h"
#include "providers/conform.h"
#include "tests/support/test_host.h"

#define OWNER "rv1aaaaaaaaaaaaaaaaaaaaaaaaaa"

static void *open_null(struct test_host *t, const char *config)
{
    struct rv_result ret = { .size = sizeof(ret) };
    void *self = NULL;

    assert_int_equal(null_driver()->open(&t->host, test_rv(config), 1, &self, &ret), 0);
    return self;
}

struct shape_row {
    const char *sentence, *type, *desired, *outputs, *observed;
};

static const struct shape_row shape_rows[] = {
    { "an instance has an address when it has a port", "instance", "{\"port\":80}",
      "\"address\":\"127.0.0.1:", "\"state\":\"running\"" },
    { "a backend is one of a pool and its servers are up", "backend",
      "{\"servers\":[\"127.0.0.1:5\"]}", "{\"backend\":\"b1\"}",
      "\"servers\":{\"127.0.0.1:5\":\"UP\"}" },
    { "a switch observes its generation", "switch", "{\"generation\":7}", "{\"generation\":7}",
      "\"generation\":7" },
    { "routes have a generation", "routes", "{\"generation\":3,\"routes\":[]}",
      "{\"generation\":3}", "\"generation\":3" },
    { "an artifact has a digest", "artifact", "{\"key\":\"k\"}", "\"digest\":\"",
      "\"state\":\"built\"" },
    { "a release ends with 0", "release", "{}", "{\"exit\":0}", "\"state\":\"exited\"" },
    { "an address has a url", "address", "{}",
      "\"internal_url\":\"http://127.0.0.1:", "\"port\":" },
    { "a database gives out a url with its password", "database", "{\"size\":5}",
      "\"url\":\"postgresql://x:pw-", "\"size\":5" },
    { "anything else is seen as asked", "bucket", "{\"size\":5}", "{}", "\"size\":5" },
};

static void test_shape(void **state)
{
    const struct shape_row *row = *state;
    struct rv_op op = test_op(RV_CREATE, row->type, "x", OWNER, "k1", row->desired);
    struct rv_result ret;
    struct test_host t;
    void *self;

    test_host_init(&t);
    self = open_null(&t, "{}");
    test_drive(null_driver(), self, &t, &op, &ret);
    assert_int_equal(ret.verdict, RV_DONE);
    assert_true(test_rv_has(ret.outputs, row->outputs));
    assert_true(test_rv_has(ret.observed, row->observed));
    assert_true(test_rv_has(ret.observed, "\"key\":\"k1\""));
    null_driver()->close(self);
    test_host_fini(&t);
}

struct fault_row {
    const char *sentence, *faults;
    uint32_t first, second; /* verdicts of two applies */
    int is_there;           /* after the first */
};

static const struct fault_row fault_rows[] = {
    { "a fault before the effect has none", "{\"call\":\"apply\",\"nth\":1,\"verdict\":\"retry\"}",
      RV_RETRY, RV_DONE, 0 },
    { "an answer can be lost after the effect",
      "{\"call\":\"apply\",\"nth\":1,\"verdict\":\"retry\",\"acted\":\"maybe\"}", RV_RETRY, RV_DONE,
      1 },
    { "the second call alone can fail", "{\"call\":\"apply\",\"nth\":2,\"verdict\":\"wait\"}",
      RV_DONE, RV_WAIT, 1 },
    { "a fault of another type does not apply",
      "{\"type\":\"switch\",\"call\":\"apply\",\"verdict\":\"user\"}", RV_DONE, RV_DONE, 1 },
    { "a fault of an action applies to it",
      "{\"action\":\"create\",\"call\":\"apply\",\"verdict\":\"user\"}", RV_USER, RV_USER, 0 },
};

static void test_fault(void **state)
{
    const struct fault_row *row = *state;
    struct rv_op op = test_op(RV_CREATE, "instance", "x", OWNER, "k1", "{}");
    struct rv_result ret;
    struct test_host t;
    char config[256];
    void *self;

    test_host_init(&t);
    (void)snprintf(config, sizeof(config), "{\"faults\":[%s]}", row->faults);
    self = open_null(&t, config);
    test_drive(null_driver(), self, &t, &op, &ret);
    assert_int_equal(ret.verdict, row->first);
    ret = (struct rv_result){ .size = sizeof(ret) };
    null_driver()->find_by_owner(self, &t.host, &op, &ret);
    assert_int_equal(ret.verdict, row->is_there ? RV_DONE : RV_ABSENT);
    test_drive(null_driver(), self, &t, &op, &ret);
    assert_int_equal(ret.verdict, row->second);
    null_driver()->close(self);
    test_host_fini(&t);
}

static void test_pending_takes_its_looks(void **state)
{
    struct rv_op op = test_op(RV_CREATE, "instance", "x", OWNER, "k1", "{}");
    struct rv_result ret = { .size = sizeof(ret) };
    struct test_host t;
    void *self;

    (void)state;
    test_host_init(&t);
    self = open_null(&t, "{\"pending\":2,\"latency_ms\":1}");
    null_driver()->apply(self, &t.host, &op, &ret);
    assert_int_equal(ret.verdict, RV_PENDING);
    assert_true(ret.token.n > 0);
    null_driver()->resume(self, &t.host, &op, &ret);
    assert_int_equal(ret.verdict, RV_PENDING);
    null_driver()->resume(self, &t.host, &op, &ret);
    assert_int_equal(ret.verdict, RV_DONE);
    assert_int_equal(t.calls[TEST_HOST_WAIT_FD], 3);
    t.cancelled = 1;
    null_driver()->apply(self, &t.host, &op, &ret);
    assert_int_equal(ret.verdict, RV_CANCELLED);
    null_driver()->close(self);
    test_host_fini(&t);
}

static void test_health_can_be_down(void **state)
{
    struct rv_op op = test_op(RV_CREATE, "instance", "x", OWNER, "k1", "{}");
    struct rv_result ret;
    struct test_host t;
    void *self;

    (void)state;
    test_host_init(&t);
    self = open_null(&t, "{\"faults\":[{\"call\":\"health\",\"nth\":2,\"verdict\":\"down\"}]}");
    test_drive(null_driver(), self, &t, &op, &ret);
    null_driver()->health(self, &t.host, &op, &ret);
    assert_true(test_rv_has(ret.observed, "\"listening\":true"));
    null_driver()->health(self, &t.host, &op, &ret);
    assert_true(test_rv_has(ret.observed, "\"listening\":false"));
    null_driver()->close(self);
    test_host_fini(&t);
}

static const struct conform_type conform_types[] = {
    { .type = "instance", .name = "api@s.1", .desired = "{\"port\":80}", .action = RV_CREATE },
    { .type = "backend", .name = "api@s", .desired = "{\"servers\":[]}", .action = RV_CREATE },
    { .type = "release", .name = "api@r", .desired = "{}", .action = RV_RUN },
};

static void test_conforms(void **state)
{
    struct conform_subject subject = { null_driver(), NULL, NULL, conform_types,
                                       N_ELEMENTS(conform_types) };
    char dir[] = "/tmp/rvnXXXXXX", config[128];
    struct err err = ERR_INIT;
    struct test_host t;
    struct str report;
    size_t n;

    assert_non_null(mkdtemp(dir));
    (void)snprintf(config, sizeof(config), "{\"directory\":\"%s\"%s}", dir, (const char *)*state);
    test_host_init(&t);
    subject.config = config;
    subject.host = &t.host;
    n = conform_run(&subject, &t.arena, &report);
    if (n)
        print_error("%s", report.p);
    assert_int_equal(n, 0);
    assert_true(t.n_ids > 0);
    test_host_fini(&t);
    assert_int_equal(sys_remove_all(dir, &err), 0);
}

/* The kit is worth what it finds: a driver that forgets, and one that makes a second, are caught. */
static void test_forgetful_driver_is_caught(void **state)
{
    struct conform_subject subject = { null_driver(), "{}", NULL, conform_types, 1 };
    struct test_host t;
    struct str report;

    (void)state;
    test_host_init(&t);
    subject.host = &t.host;
    subject.config = "{\"faults\":[{\"call\":\"find_by_owner\",\"verdict\":\"absent\"}]}";
    assert_true(conform_run(&subject, &t.arena, &report) > 0);
    assert_true(str_find(report, S("create: find_by_owner does not find it")) != STR_NPOS);
    subject.config = "{\"faults\":[{\"call\":\"read\",\"verdict\":\"retry\"}]}";
    assert_true(conform_run(&subject, &t.arena, &report) > 0);
    assert_true(str_find(report, S("an unknown id: read is not RV_ABSENT")) != STR_NPOS);
    test_host_fini(&t);
}

static void test_five_thousand_are_quick(void **state)
{
    struct test_host t;
    char owner[40], key[40];
    void *self;

    (void)state;
    test_host_init(&t);
    self = open_null(&t, "{}");
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 5000; i++) {
            struct rv_op op;
            struct rv_result ret;

            (void)snprintf(owner, sizeof(owner), "rv1%d", i);
            (void)snprintf(key, sizeof(key), "k%d", i);
            op = test_op(round ? RV_DELETE : RV_CREATE, "instance", "x", owner, key,
                         "{\"port\":1}");
            test_drive(null_driver(), self, &t, &op, &ret);
            assert_int_equal(ret.verdict, RV_DONE);
        }
    null_driver()->close(self);
    test_host_fini(&t);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMENTS(shape_rows) + N_ELEMENTS(fault_rows) + 6];
    size_t n = 0;

    for (size_t i = 0; i < N_ELEMENTS(shape_rows); i++)
        tests[n++] = (struct CMUnitTest){ shape_rows[i].sentence, test_shape, NULL, NULL,
                                          (void *)(uintptr_t)&shape_rows[i] };
    for (size_t i = 0; i < N_ELEMENTS(fault_rows); i++)
        tests[n++] = (struct CMUnitTest){ fault_rows[i].sentence, test_fault, NULL, NULL,
                                          (void *)(uintptr_t)&fault_rows[i] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_pending_takes_its_looks);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_health_can_be_down);
    tests[n++] = (struct CMUnitTest){ "it conforms", test_conforms, NULL, NULL, (char[]){ "" } };
    tests[n++] = (struct CMUnitTest){ "it conforms when everything takes three looks",
                                      test_conforms, NULL, NULL, (char[]){ ",\"pending\":3" } };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_forgetful_driver_is_caught);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_five_thousand_are_quick);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
