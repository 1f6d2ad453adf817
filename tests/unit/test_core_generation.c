/* core/generation: what each switch brings in, one after the other. SPDX-License-Identifier: Apache-2.0
 *
 * A step is "SERVICE>" forward, "SERVICE<" back, "SERVICE-" away or "SERVICE%" a first share, of the group of that
 * service ("*": of the group that has none), and the routes that its generation holds: "/=a%a@v2" where v2 has a
 * share. */
#include "tests/unit/test_core_apply.h"

static const struct {
    const char *sentence, *before, *want, *steps;
} rows[] = {
    { "a group moves its own routes alone", "a v1 port;b v1 port;domain d h /a=a /b=b",
      "a v2 port;b v2 port;domain d h /a=a /b=b /new=b",
      "a> /a=a@v2 /b=b|b> /a=a /b=b@v2 /new=b@v2" },
    { "the other order comes to the same", "a v1 port;b v1 port;domain d h /a=a /b=b",
      "a v2 port;b v2 port;domain d h /a=a /b=b /new=b",
      "b> /a=a /b=b@v2 /new=b@v2|a> /a=a@v2 /b=b /new=b" },
    { "one goes back, the other stays where it went", "a v1 port;b v1 port;domain d h /a=a /b=b",
      "a v2 port;b v2 port;domain d h /x=a /y=b",
      "a> /x=a@v2 /b=b|b> /x=a /y=b@v2|a< /y=b /a=a@v1" },
    { "a place that changes hands moves with who is to have it",
      "a v1 port;b v1 port;domain d h /=a", "a v2 port;b v2 port;domain d h /=b",
      "a> /=a@v2|b> /=b@v2|b< /=a" },
    { "a place of nobody who switches moves with the first, and stays",
      "a v1 port;b v1 port;domain d h /a=a /b=b", "a v2 port;b v1 port;domain d h /a=a /c=b",
      "a> /a=a@v2 /c=b|a< /a=a@v1 /c=b" },
    { "routes alone go there and back", "a v1 port;domain d h /x=a", "a v1 port;domain d h /y=a",
      "*> /y=a|*< /x=a" },
    { "what routes ask goes there and back", "a v1 port;domain d h /=a /x=a",
      "a v1 port;domain d h /=a /x=a+deny", "*> /=a /x=deny a|*< /=a /x=a" },
    { "and with the group of its service", "a v1 port;b v1 port;domain d h /a=a+deny /b=b",
      "a v2 port;b v2 port;domain d h /a=a /b=b+deny",
      "b> /a=deny a /b=deny b@v2|b< /a=deny a /b=b@v1|a> /a=a@v2 /b=b" },
    { "who goes leaves its place to who is wanted there, switched or not",
      "a v1 port;b v1 port;domain d h /=a /b=b", "b v2 port;domain d h /=b /b=b",
      "a- /=b /b=b|b> /=b@v2 /b=b@v2" },
    { "while one is recreated nobody routes to it",
      "a v1 port recreate;b v1 port;domain d h /a=a /b=b",
      "a v2 port recreate;b v2 port;domain d h /a=a /b=b",
      "a- /b=b|b> /b=b@v2|a> /a=a@v2 /b=b|a< /a=a@v1 /b=b" },
    { "a share leaves everything where it is", "a v1 port;b v1 port;domain d h /=a /b=b",
      "a v2 port canary=1000;b v1 port;domain d h /=a /b=b",
      "a% /=a%a@v2 /b=b|a> /=a@v2 /b=b|a< /=a@v1 /b=b" },
    { "a place that comes is the new set's, one that goes stays until then",
      "a v1 port;domain d h /=a /old=a", "a v2 port canary=1000;domain d h /=a /new=a",
      "a% /=a%a@v2 /new=a@v2 /old=a|a> /=a@v2 /new=a@v2" },
    { "what a route asks changes with the whole", "a v1 port;domain d h /=a+deny",
      "a v2 port canary=1000;domain d h /=a", "a% /=deny a%a@v2|a> /=a@v2" },
    { "a place changes hands by shares too", "a v1 port needs=b;b v1 port;domain d h /=a",
      "a v2 port needs=b canary=1000;b v2 port;domain d h /=b", "a% /=a%b@v2|a> /=b@v2" },
    { "others switch while it has a share", "a v1 port;b v1 port;domain d h /a=a /b=b",
      "a v2 port canary=1000;b v2 port;domain d h /a=a /b=b /new=a",
      "a% /a=a%a@v2 /b=b /new=a@v2|b> /a=a%a@v2 /b=b@v2 /new=a@v2|b< /a=a%a@v2 /b=b@v1 "
      "/new=a@v2|a< "
      "/a=a@v1 /b=b" },
    { "a first deploy that goes back leaves nothing", "",
      "a v1 port;b v1 port;domain d h /a=a /b=b", "a> /a=a@v1|a<|b> /b=b@v1" },
};

static const struct plan_item *find_switch(const struct plan *plan, struct str step, size_t *ret_at)
{
    struct str service = str_slice(step, 0, 1);
    enum plan_way way = step.p[1] == '<' ? WAY_BACK : step.p[1] == '-' ? WAY_AWAY : WAY_FORWARD;
    int is_shared = step.p[1] == '%';

    for (size_t i = 0; i < plan->items.n; i++) {
        const struct plan_item *item = &plan->items.p[i];
        const struct plan_group *g = item->group >= 0 ? &plan->groups.p[item->group] : NULL;

        if (item->action == PLAN_SWITCH && g && plan_item_way(item) == way &&
            is_shared == (plan_item_share(item) < PLAN_SHARE_ALL) &&
            (g->services.n ? str_eq(g->services.p[0], service) : str_eq_c(service, "*"))) {
            *ret_at = i;
            return &plan->items.p[value_get_int(item->desired, S("routes_item"), -1)];
        }
    }
    fail_msg("no switch %.*s", STR_ARG(step));
    return NULL;
}

static struct str version_of(struct world *w, struct str service, struct str set)
{
    for (size_t i = 0; i < w->documents.n; i++) {
        const struct value *doc = w->documents.entries[i].value;
        struct digest key = identity_set_key(w->a, doc);

        if (value_get(doc, S("command")) && str_eq(digest_hex(w->a, &key), set))
            return str_fmt(w->a, "%.*s@%.*s", STR_ARG(service),
                           STR_ARG(value_item(value_get(doc, S("command")), 0)->u.text));
    }
    return service;
}

static struct str format_step(struct world *w, const struct plan *plan, struct str step)
{
    size_t at = 0;
    const struct plan_item *item = find_switch(plan, step, &at);
    struct generation made = world_generation(w, plan, item, world_switches(w, plan));
    struct sb b;

    sb_init(&b, w->a);
    sb_add(&b, str_slice(step, 0, 2));
    for (size_t i = 0; i < made.n; i++) {
        const struct plan_route *r = made.p[i].route;

        sb_addf(&b, " %.*s=%s%.*s", STR_ARG(r->path), r->rules ? "deny " : "",
                STR_ARG(made.p[i].set.p ? version_of(w, r->service, made.p[i].set) : r->service));
        if (made.p[i].share.set.p)
            sb_addf(&b, "%%%.*s",
                    STR_ARG(version_of(w, made.p[i].share.service, made.p[i].share.set)));
    }
    generation_note(plan, at, world_switches(w, plan));
    return sb_str(&b);
}

static void test_a_switch_brings_in_what_is_its_own(void **state)
{
    int n_wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a;
        struct world w;
        struct environment_spec want;
        struct plan plan;
        struct str rest, step;

        arena_init(&a, 0);
        given_world(&w, &a);
        (void)given_applied(&w, rows[i].before, TAIL_RUNS);
        want = given_spec(&a, rows[i].want);
        plan = world_plan(&w, &want, PLAN_CAUSE_COMMIT);
        rest = str_from_c(rows[i].steps);
        while (str_next(&rest, '|', &step)) {
            struct str got = format_step(&w, &plan, step);

            if (!str_eq(got, step)) {
                print_error("%s: '%.*s'\n", rows[i].sentence, STR_ARG(got));
                n_wrong++;
            }
        }
        arena_fini(&a);
    }
    assert_int_equal(n_wrong, 0);
}

static void test_an_item_without_its_switch_makes_nothing(void **state)
{
    struct arena a;
    struct world w;
    struct environment_spec want;
    struct plan plan;
    struct generation made;
    struct err err = ERR_INIT;
    const struct plan_item *last[1] = { NULL };

    (void)state;
    arena_init(&a, 0);
    given_world(&w, &a);
    want = given_spec(&a, "a v1 port;domain d h /=a");
    plan = world_plan(&w, &want, PLAN_CAUSE_COMMIT);
    assert_int_equal(generation_make(&a, &plan, 0, last, &made, &err), ERR_CORRUPT);
    assert_int_equal(generation_make(&a, &plan, plan.items.n - 1, last, &made, &err), ERR_CORRUPT);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_switch_brings_in_what_is_its_own),
        cmocka_unit_test(test_an_item_without_its_switch_makes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
