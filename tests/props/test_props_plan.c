/* props/plan: what holds of every plan. SPDX-License-Identifier: Apache-2.0 */
#include "tests/props/given_world.h"

#define WORLDS 120

struct scene {
    struct arena arena;
    struct world world;
    struct chance chance;
    struct environment_spec spec;
    struct plan plan;
};

static void given_scene(struct scene *c, uint64_t seed, int quarantines)
{
    const char *last;

    arena_init(&c->arena, 0);
    given_world(&c->world, &c->arena);
    c->chance = (struct chance){ seed };
    last = given_history(&c->world, &c->chance, quarantines);
    if (!last || chance_of(&c->chance, 60)) /* else git still asks for what may have gone back */
        last = given_words(&c->arena, &c->chance);
    c->spec = given_spec(&c->arena, last);
    c->plan = world_plan(&c->world, &c->spec, PLAN_CAUSE_COMMIT);
}

static struct str format_items(struct scene *c, const struct plan *plan)
{
    struct sb b;

    sb_init(&b, &c->arena);
    for (size_t i = 0; i < plan->items.n; i++)
        sb_addf(&b, "%s %.*s/%.*s\n", plan_action_name(plan->items.p[i].action),
                STR_ARG(plan->items.p[i].kind), STR_ARG(plan->items.p[i].name));
    return sb_str(&b);
}

/* A plan may leave what the next one does: a warm set with other replicas, what was lost meanwhile. */
#define ROUNDS_MAX 3

static void test_applying_a_plan_converges(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < WORLDS; seed++) {
        struct scene c;
        int rounds = 0;

        given_scene(&c, seed, 0);
        while (!plan_is_empty(&c.plan)) {
            if (rounds++ == ROUNDS_MAX)
                fail_msg("seed %d still wants\n%s", (int)seed, format_items(&c, &c.plan).p);
            world_apply(&c.world, &c.plan, TAIL_RUNS);
            c.plan = world_plan(&c.world, &c.spec, PLAN_CAUSE_COMMIT);
        }
        assert_true(digest_eq(&c.plan.target, &c.world.live_rev) || !rounds);
        assert_int_equal(c.plan.lines.n + c.plan.groups.n + c.plan.notes.n, 0);
        arena_fini(&c.arena);
    }
}

static void hold_back(struct scene *c, struct digest d)
{
    *vec_push(c->world.a, &c->world.quarantines) = (struct rec_quarantine){
        .env = S("u1"), .group_digest = d, .culprit = S("a person")
    };
}

/* A quarantined group is left alone under the name that its plan gave it, whatever else is kept; the rest
 * converges. */
static void test_what_is_quarantined_is_left_alone(void **state)
{
    size_t n_held = 0;

    (void)state;
    for (uint64_t seed = 0; seed < WORLDS; seed++) {
        struct scene c;

        given_scene(&c, seed, 1);
        if (c.plan.routes.n && chance_of(&c.chance, 50)) {
            hold_back(&c, c.plan.routes_wanted);
            c.plan = world_plan(&c.world, &c.spec, PLAN_CAUSE_COMMIT);
        }
        for (int i = 0; i < ROUNDS_MAX && !plan_is_empty(&c.plan); i++) {
            if (c.plan.groups.n && chance_of(&c.chance, 30)) {
                hold_back(&c, c.plan.groups.p[0].digest);
                c.plan = world_plan(&c.world, &c.spec, PLAN_CAUSE_COMMIT);
            }
            for (size_t g = 0; g < c.plan.groups.n; g++)
                for (size_t q = 0; q < c.world.quarantines.n; q++)
                    assert_false(digest_eq(&c.plan.groups.p[g].digest,
                                           &c.world.quarantines.p[q].group_digest));
            world_apply(&c.world, &c.plan, TAIL_RUNS);
            c.plan = world_plan(&c.world, &c.spec, PLAN_CAUSE_COMMIT);
        }
        if (!plan_is_empty(&c.plan))
            fail_msg("seed %d still wants\n%s", (int)seed, format_items(&c, &c.plan).p);
        n_held += c.plan.notes.n != 0;
        arena_fini(&c.arena);
    }
    assert_true(n_held > WORLDS / 50);
}

/* --- the same input, the same bytes -------------------------------------------------------------- */

#define SHUFFLE(c, list, count)                                                                    \
    for (size_t i_ = (count); i_ > 1; i_--) {                                                      \
        size_t j_ = chance_next(c) % i_;                                                           \
        __typeof__((list)[0]) kept_ = (list)[i_ - 1];                                              \
                                                                                                   \
        (list)[i_ - 1] = (list)[j_];                                                               \
        (list)[j_] = kept_;                                                                        \
    }

static struct str format_plan_of(struct scene *c, const struct snapshot *s)
{
    struct plan plan;
    struct err err = ERR_INIT;

    assert_int_equal(plan_make(&c->arena, s, &plan, &err), 0);
    return plan_format(&c->arena, &plan);
}

static void test_the_order_of_the_input_does_not_matter(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < WORLDS; seed++) {
        struct scene c;
        struct snapshot s;
        struct str first;

        given_scene(&c, seed, 1);
        s = world_snapshot(&c.world, &c.spec, PLAN_CAUSE_COMMIT);
        first = format_plan_of(&c, &s);
        assert_true(str_eq(first, format_plan_of(&c, &s)));
        SHUFFLE(&c.chance, c.spec.resources.p, c.spec.resources.n);
        SHUFFLE(&c.chance, s.recorded, s.n_recorded);
        SHUFFLE(&c.chance, s.sets, s.n_sets);
        SHUFFLE(&c.chance, s.instances, s.n_instances);
        SHUFFLE(&c.chance, s.quarantines, s.n_quarantines);
        if (!str_eq(first, format_plan_of(&c, &s)))
            fail_msg("seed %d: other bytes", (int)seed);
        arena_fini(&c.arena);
    }
}

/* --- the stored form ----------------------------------------------------------------------------- */

static void test_a_plan_survives_being_stored(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < WORLDS; seed++) {
        struct scene c;
        struct plan again;
        struct err err = ERR_INIT;
        struct str text;

        given_scene(&c, seed, 1);
        text = plan_format(&c.arena, &c.plan);
        if (plan_parse(&c.arena, text, &again, &err))
            fail_msg("seed %d: %s", (int)seed, err.text);
        assert_true(digest_eq(&again.id, &c.plan.id));
        assert_true(str_eq(plan_format(&c.arena, &again), text));
        for (size_t g = 0; g < again.groups.n; g++)
            assert_int_equal(again.groups.p[g].n_items, c.plan.groups.p[g].n_items);
        if (plan_of_value(&c.arena, plan_value(&c.arena, &c.plan), &again, &err))
            fail_msg("seed %d, not parsed: %s", (int)seed, err.text);
        assert_true(str_eq(plan_format(&c.arena, &again), text));
        arena_fini(&c.arena);
    }
}

static void test_one_flipped_bit_is_noticed(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < WORLDS / 12; seed++) {
        struct scene c;
        struct str text;
        char *bytes;

        given_scene(&c, seed, 1);
        text = plan_format(&c.arena, &c.plan);
        bytes = str_to_c(&c.arena, text);
        for (int i = 0; i < 100; i++) {
            size_t at = chance_next(&c.chance) % text.n;
            char flip = (char)(1 << chance_next(&c.chance) % 8);
            struct arena a;
            struct plan again;
            struct err err = ERR_INIT;

            arena_init(&a, 0);
            bytes[at] = (char)(bytes[at] ^ flip);
            if (!plan_parse(&a, (struct str){ bytes, text.n }, &again, &err))
                fail_msg("seed %d: byte %zu of %zu, bit %d", (int)seed, at, text.n, flip);
            bytes[at] = (char)(bytes[at] ^ flip);
            arena_fini(&a);
        }
        arena_fini(&c.arena);
    }
}

/* --- the id -------------------------------------------------------------------------------------- */

static struct digest id_of(struct scene *c, const struct snapshot *s)
{
    struct plan plan;
    struct err err = ERR_INIT;

    assert_int_equal(plan_make(&c->arena, s, &plan, &err), 0);
    return plan.id;
}

typedef int change_fn(struct scene *c, struct snapshot *s); /* 0: there was nothing to change */

static int change_recorded(struct scene *c, struct snapshot *s)
{
    (void)c;
    if (!s->n_recorded)
        return 0;
    s->recorded[0].digest.b[0] ^= 1;
    return 1;
}

static int change_set(struct scene *c, struct snapshot *s)
{
    (void)c;
    for (size_t i = 0; i < s->n_sets; i++)
        if (str_eq_c(s->sets[i].state, "live") || str_eq_c(s->sets[i].state, "previous")) {
            s->sets[i].set_key.b[0] ^= 1;
            return 1;
        }
    return 0;
}

static int change_lost(struct scene *c, struct snapshot *s)
{
    (void)c;
    if (!s->n_instances)
        return 0;
    s->instances[0].health = s->instances[0].health == INSTANCE_LOST ? INSTANCE_RUNNING
                                                                     : INSTANCE_LOST;
    return 1;
}

static int change_driver(struct scene *c, struct snapshot *s)
{
    static struct snapshot_driver newer = { S_INIT("null"), S_INIT("2"), { { 1 } } };

    (void)c;
    s->drivers = &newer;
    return 1;
}

static int change_apply_seq(struct scene *c, struct snapshot *s)
{
    (void)c;
    s->env.apply_seq++;
    return 1;
}

static int change_base(struct scene *c, struct snapshot *s)
{
    (void)c;
    s->env.live_rev.b[0] ^= 1;
    return 1;
}

static int change_cause(struct scene *c, struct snapshot *s)
{
    (void)c;
    s->cause = PLAN_CAUSE_ROLLBACK;
    return 1;
}

static int change_words(struct scene *c, struct snapshot *s)
{
    (void)c;
    s->env.reason = S("another reason");
    s->env.health = S("degraded");
    s->env.sync = S("waiting");
    s->env.commit_id = S("another commit");
    for (size_t i = 0; i < s->n_quarantines; i++)
        s->quarantines[i].reason = S("another reason");
    return 1;
}

static int change_times(struct scene *c, struct snapshot *s)
{
    (void)c;
    for (size_t i = 0; i < s->n_sets; i++) {
        s->sets[i].since_ms += 1000;
        s->sets[i].keep_ms = 7;
        s->sets[i].colour = S("green");
    }
    return s->n_sets != 0;
}

static int change_counters(struct scene *c, struct snapshot *s)
{
    (void)c;
    for (size_t i = 0; i < s->n_instances; i++) {
        s->instances[i].rec.restarts += 3;
        s->instances[i].rec.address = S("127.0.0.1:9");
        s->instances[i].rec.state = S("restarting");
        if (s->instances[i].health == INSTANCE_RUNNING)
            s->instances[i].health = INSTANCE_UNKNOWN;
    }
    return s->n_instances != 0;
}

static int change_places(struct scene *c, struct snapshot *s)
{
    static const struct str other = S_INIT("other.yaml");

    (void)s;
    for (size_t i = 0; i < c->spec.resources.n; i++)
        c->spec.resources.p[i].place = (struct value_place){ &other, 99, 9 };
    return 1;
}

static int change_policy(struct scene *c, struct snapshot *s)
{
    (void)s;
    c->spec.policy = given_json(&c->arena, "{\"approval\":{\"expires_ms\":5,\"policy\":\"auto\"}}");
    return 1;
}

static void test_the_id_is_of_what_was_read(void **state)
{
    static const struct {
        const char *sentence;
        change_fn *fn;
        int is_other;
    } rows[] = {
        { "a recorded digest", change_recorded, 1 },
        { "a set", change_set, 1 },
        { "an instance that is lost, or is not", change_lost, 1 },
        { "a driver's version", change_driver, 1 },
        { "the count of plans", change_apply_seq, 1 },
        { "the base", change_base, 1 },
        { "the cause", change_cause, 1 },
        { "words of the environment", change_words, 0 },
        { "times and colours", change_times, 0 },
        { "restarts and addresses", change_counters, 0 },
        { "places", change_places, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t n_changed = 0;

        for (uint64_t seed = 0; seed < WORLDS / 4; seed++) {
            struct scene c;
            struct snapshot s;
            struct digest before, after;

            given_scene(&c, seed, 1);
            s = world_snapshot(&c.world, &c.spec, PLAN_CAUSE_COMMIT);
            before = id_of(&c, &s);
            if (rows[i].fn(&c, &s)) {
                after = id_of(&c, &s);
                if (digest_eq(&before, &after) == rows[i].is_other)
                    fail_msg("%s, seed %d", rows[i].sentence, (int)seed);
                n_changed++;
            }
            arena_fini(&c.arena);
        }
        assert_true(n_changed > 10);
    }
}

/* How it is approved is recorded, and is no part of what it is. */
static void test_the_policy_is_no_part_of_the_target(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < WORLDS / 4; seed++) {
        struct scene c;
        struct digest target;

        given_scene(&c, seed, 0);
        target = c.plan.target;
        (void)change_policy(&c, NULL);
        c.plan = world_plan(&c.world, &c.spec, PLAN_CAUSE_COMMIT);
        assert_true(digest_eq(&c.plan.target, &target));
        arena_fini(&c.arena);
    }
}

/* --- order --------------------------------------------------------------------------------------- */

static size_t find_mark(const struct plan *p, struct str service)
{
    for (size_t i = 0; i < p->items.n; i++) {
        const struct plan_item *item = &p->items.p[i];

        if (item->group < 0 || item->action != PLAN_MARK || item->step != 8 ||
            item->lane != LANE_MAIN)
            continue;
        for (size_t m = 0; m < p->groups.p[item->group].services.n; m++)
            if (str_eq(p->groups.p[item->group].services.p[m], service))
                return i;
    }
    return p->items.n;
}

/* The recorded form of a service names another one. */
static int needed_before(const struct world *w, struct str user, struct str service)
{
    for (size_t i = 0; i < w->recorded.n; i++) {
        const struct recorded *r = &w->recorded.p[i];
        struct sb key;

        if (!str_eq_c(r->kind, "service") || !str_eq(r->name, user))
            continue;
        sb_init(&key, w->a);
        sb_addf(&key, "U_%.*s", STR_ARG(service));
        return value_get(value_get(r->desired, S("depends_on")), service) ||
               value_get(value_get(r->desired, S("environment")), sb_str(&key));
    }
    return 0;
}

static void test_deletes_come_after_what_needed_them(void **state)
{
    size_t n_ordered = 0;

    (void)state;
    for (uint64_t seed = 0; seed < WORLDS; seed++) {
        struct scene c;

        given_scene(&c, seed, 1);
        for (size_t i = 0; i < c.plan.lines.n; i++) {
            const struct plan_line *gone = &c.plan.lines.p[i];
            unsigned char *marks = arena_new_n(&c.arena, unsigned char, c.plan.items.n + 1);
            size_t at = find_mark(&c.plan, gone->name);

            if (gone->action != PLAN_DELETE || !str_eq_c(gone->kind, "service"))
                continue;
            assert_true(at < c.plan.items.n);
            for (size_t n = 0; n < c.plan.items.n; n++)
                if (c.plan.items.p[n].group == c.plan.items.p[at].group &&
                    c.plan.items.p[n].lane == LANE_MAIN && n != at) {
                    memset(marks, 0, c.plan.items.n);
                    mark_before(&c.plan, n, marks);
                    break; /* the first item of the removal */
                }
            for (size_t j = 0; j < c.plan.lines.n; j++) {
                const struct plan_line *user = &c.plan.lines.p[j];
                size_t proven = find_mark(&c.plan, user->name);

                if (i == j || user->group < 0 || !needed_before(&c.world, user->name, gone->name))
                    continue;
                n_ordered++;
                if (proven == c.plan.items.n || !marks[proven])
                    fail_msg("seed %d: %.*s goes before %.*s moved off", (int)seed,
                             STR_ARG(gone->name), STR_ARG(user->name));
            }
        }
        arena_fini(&c.arena);
    }
    assert_true(n_ordered > 10);
}

static void test_needs_never_go_in_circles(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < WORLDS; seed++) {
        struct scene c;
        size_t n_done = 0, n_before = 1;
        unsigned char *done;

        given_scene(&c, seed, 1);
        done = arena_new_n(&c.arena, unsigned char, c.plan.items.n + 1);
        while (n_done != n_before) {
            n_before = n_done;
            for (size_t i = 0; i < c.plan.items.n; i++) {
                const struct plan_item *item = &c.plan.items.p[i];
                int may = !done[i];

                for (size_t n = 0; n < item->needs.n; n++)
                    may &= done[item->needs.p[n]];
                if (item->only_after >= 0) /* the way back follows the way there */
                    assert_true((size_t)item->only_after < i || item->lane != LANE_REVERT);
                done[i] |= (unsigned char)may;
                n_done += (size_t)may;
            }
        }
        assert_int_equal(n_done, c.plan.items.n);
        arena_fini(&c.arena);
    }
}

/* Whatever happens on the way, the laws of test_core_play.h hold. */
static void test_generated_plans_are_played(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < WORLDS; seed++) {
        struct scene c;
        struct play p = {
            .odds = { .fail = 40, .park = 30, .die = 50, .supersede = 20, .cancel = 10 },
            .about = "generated",
            .seed = seed
        };

        given_scene(&c, seed, 0);
        p.w = &c.world;
        p.plan = &c.plan;
        (void)play_run(&p);
        arena_fini(&c.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_applying_a_plan_converges),
        cmocka_unit_test(test_what_is_quarantined_is_left_alone),
        cmocka_unit_test(test_the_order_of_the_input_does_not_matter),
        cmocka_unit_test(test_a_plan_survives_being_stored),
        cmocka_unit_test(test_one_flipped_bit_is_noticed),
        cmocka_unit_test(test_the_id_is_of_what_was_read),
        cmocka_unit_test(test_the_policy_is_no_part_of_the_target),
        cmocka_unit_test(test_deletes_come_after_what_needed_them),
        cmocka_unit_test(test_needs_never_go_in_circles),
        cmocka_unit_test(test_generated_plans_are_played),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
