/* core/plan_differ: what came instead of what was looked at. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/core/plan_differ.h"
#include "reconciler/core/render.h"
#include "specs/json_io.h"

struct given_line {
    enum plan_action action;
    const char *name, *reason;
    int classes;
    struct {
        const char *path, *before, *after;
    } changes[3];
};

static void given_plan(struct arena *a, const struct given_line *lines, size_t n, struct plan *ret)
{
    for (size_t i = 0; i < n && lines[i].name; i++) {
        struct plan_line *line = vec_push(a, &ret->lines);

        *line = (struct plan_line){ .action = lines[i].action,
                                    .kind = S("service"),
                                    .name = str_from_c(lines[i].name),
                                    .classes = lines[i].classes,
                                    .disruption = S("none"),
                                    .reason = str_from_c(lines[i].reason),
                                    .place = S("") };
        for (size_t j = 0; j < 3 && lines[i].changes[j].path; j++)
            *(struct plan_change *)vec_push(a, &line->changes) = (struct plan_change){
                str_from_c(lines[i].changes[j].path), str_from_c(lines[i].changes[j].before),
                str_from_c(lines[i].changes[j].after)
            };
    }
}

#define UPDATE PLAN_UPDATE, "web", "blue-green", 0

/* clang-format off */
static const struct {
    const char *sentence;
    struct given_line old[2], now[2];
    const char *text;
} rows[] = {
    { "the same change",
      { { UPDATE, { { "x", "1", "2" } } } }, { { UPDATE, { { "x", "1", "2" } } } },
      "  nothing that it would change differs\n" },
    { "to another value",
      { { UPDATE, { { "x", "1", "2" } } } }, { { UPDATE, { { "x", "1", "3" } } } },
      "  ~ update  service/web\n       x  2 -> 3\n" },
    { "not any more: it stays as it is",
      { { UPDATE, { { "x", "1", "2" }, { "y", "1", "2" } } } }, { { UPDATE, { { "y", "1", "2" } } } },
      "  ~ update  service/web\n       x  2 -> 1\n" },
    { "another field too",
      { { UPDATE, { { "x", "1", "2" } } } }, { { UPDATE, { { "x", "1", "2" }, { "y", NULL, "2" } } } },
      "  ~ update  service/web\n       y  (none) -> 2\n" },
    { "what is live moved to what was wanted: both lead to the same",
      { { UPDATE, { { "x", "1", "3" } } } }, { { UPDATE, { { "x", "2", "3" } } } },
      "  nothing that it would change differs\n" },
    { "in another way",
      { { UPDATE, { { "x", "1", "2" } } } },
      { { PLAN_UPDATE, "web", "recreate", PLAN_CLASS_DOWNTIME, { { "x", "1", "2" } } } },
      " !~ update  service/web  [downtime]  class none -> downtime; reason blue-green -> recreate\n" },
    { "another resource",
      { { UPDATE, { { "x", "1", "2" } } } },
      { { PLAN_CREATE, "api", "blue-green", 0, { { "y", NULL, "2" } } } },
      "  + create  service/api  now too\n       y  2\n"
      "  ~ update  service/web  no longer\n       x  2 -> 1\n" },
    { "nothing came instead",
      { { UPDATE, { { "x", "1", "2" } } } }, { { .name = NULL } },
      "  ~ update  service/web  no longer\n       x  2 -> 1\n" },
};
/* clang-format on */

static void test_two_plans(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        AUTO_ARENA struct arena a;
        struct plan old = { 0 }, now = { 0 }, difference, read;
        struct sb b;
        struct render r = { .out = &b };

        arena_init(&a, 0);
        sb_init(&b, &a);
        given_plan(&a, rows[i].old, 2, &old);
        given_plan(&a, rows[i].now, 2, &now);
        plan_differ(&a, &old, &now, &difference);
        plan_differ_parse(&a, plan_differ_value(&a, &difference), &read);
        read.records.n = 0; /* what is the same is told elsewhere */
        render_difference(&r, &read);
        if (!str_eq_c(sb_str(&b), rows[i].text))
            fail_msg("%s:\n%s", rows[i].sentence, sb_str(&b).p);
    }
}

static void given_read(struct arena *a, struct plan *p, const char *subject, unsigned char byte)
{
    struct plan_read *r = vec_push(a, &p->reads);

    *r = (struct plan_read){ .subject = str_from_c(subject), .path = S("desired") };
    r->digest.b[0] = byte;
}

static void test_what_moved_is_said(void **state)
{
    AUTO_ARENA struct arena a;
    struct plan old = { .apply_seq = 1 }, now = { .apply_seq = 2, .target = { { 1 } } }, difference;

    (void)state;
    arena_init(&a, 0);
    given_read(&a, &old, "service/web", 1);
    given_read(&a, &old, "service/api", 1);
    given_read(&a, &now, "service/web", 2);
    given_read(&a, &now, "service/api", 1);
    given_read(&a, &now, "secret/db", 1);
    plan_differ(&a, &old, &now, &difference);
    assert_int_equal(difference.notes.n, 4);
    assert_true(str_eq_c(difference.notes.p[0], "another revision is wanted"));
    assert_true(str_eq_c(difference.notes.p[1], "another plan was begun in between"));
    assert_true(str_eq_c(difference.notes.p[2], "moved: secret/db desired"));
    assert_true(str_eq_c(difference.notes.p[3], "moved: service/web desired"));
}

static void given_resource(struct arena *a, struct environment_spec *spec, const char *name,
                           const char *json)
{
    struct spec_resource *r = vec_push(a, &spec->resources);
    struct err err = ERR_INIT;
    struct value *v;

    assert_int_equal(json_parse(a, str_from_c(json), 1 << 16, &v, &err), 0);
    *r = (struct spec_resource){ .kind = S("service"), .name = str_from_c(name), .desired = v };
}

static void test_two_revisions(void **state)
{
    AUTO_ARENA struct arena a;
    struct environment_spec old = { 0 }, now = { 0 };
    struct plan difference;
    struct sb b;
    struct render r = { .out = &b };

    (void)state;
    arena_init(&a, 0);
    sb_init(&b, &a);
    given_resource(&a, &old, "web", "{\"bake_time_ms\":1500,\"port\":1}");
    given_resource(&a, &old, "old", "{\"port\":1}");
    given_resource(&a, &old, "api", "{\"port\":1}");
    given_resource(&a, &now, "api", "{\"port\":1}");
    given_resource(&a, &now, "web", "{\"bake_time_ms\":60000,\"port\":1}");
    given_resource(&a, &now, "fresh", "{\"port\":2}");
    plan_differ_specs(&a, &old, &now, &difference);
    render_difference(&r, &difference);
    if (!str_eq_c(sb_str(&b), "  + create  service/fresh\n       port  2\n"
                              "  - delete  service/old\n"
                              "  ~ update  service/web\n       bake_time  1500ms -> 1m\n"
                              "            1 unchanged: service/api\n"))
        fail_msg("%s", sb_str(&b).p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_plans),
        cmocka_unit_test(test_what_moved_is_said),
        cmocka_unit_test(test_two_revisions),
    };

    return cmocka_run_group_tests_name("core differ", tests, NULL, NULL);
}
