/* props/objects: what holds of every plan with databases and the like. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "tests/props/given_world.h"

#define WORLDS 1000 /* for each property */
#define ROUNDS_MAX 3

struct scene {
    struct arena arena;
    struct world world;
    struct chance chance;
    struct environment_spec spec;
    struct plan plan;
};

static void given_scene(struct scene *c, uint64_t seed)
{
    arena_init(&c->arena, 0);
    given_world(&c->world, &c->arena);
    c->chance = (struct chance){ seed };
    (void)given_history(&c->world, &c->chance, 0);
    c->spec = given_spec(&c->arena, given_words(&c->arena, &c->chance));
    c->plan = world_plan(&c->world, &c->spec, PLAN_CAUSE_COMMIT);
}

static int is_only_protected(const struct plan *p)
{
    for (size_t i = 0; i < p->notes.n; i++)
        if (!str_starts(p->notes.p[i], S("protected: ")))
            return 0;
    return 1;
}

/* --- converging ---------------------------------------------------------------------------------- */

static size_t count_items(const struct plan *p, enum plan_action action)
{
    size_t n = 0;

    for (size_t i = 0; i < p->items.n; i++)
        n += object_is_kind(p->items.p[i].kind) && p->items.p[i].action == action;
    return n;
}

/* No plan is applied twice, also where the specs go back to what they were; and what is applied is empty then. */
static void test_applying_converges_and_no_id_comes_again(void **state)
{
    size_t seen[N_PLAN_ACTIONS] = { 0 };

    (void)state;
    for (uint64_t seed = 0; seed < WORLDS; seed++) {
        struct scene c;
        struct environment_spec first;
        struct map ids;

        given_scene(&c, seed);
        map_init(&ids, &c.arena);
        first = c.spec;
        for (int pass = 0; pass < 3; pass++) {
            int rounds = 0;

            for (; !plan_is_empty(&c.plan); rounds++) {
                struct str id = digest_hex(&c.arena, &c.plan.id);

                if (rounds == ROUNDS_MAX || map_has(&ids, id))
                    fail_msg("seed %d, pass %d: round %d", (int)seed, pass, rounds);
                map_put(&ids, id, NULL);
                for (int a = 0; a < N_PLAN_ACTIONS; a++)
                    seen[a] += count_items(&c.plan, (enum plan_action)a);
                world_apply(&c.world, &c.plan, TAIL_RUNS);
                c.plan = world_plan(&c.world, &c.spec, PLAN_CAUSE_COMMIT);
            }
            assert_int_equal(c.plan.lines.n, 0);
            assert_true(is_only_protected(&c.plan));
            c.spec = pass ? first : given_spec(&c.arena, given_words(&c.arena, &c.chance));
            c.plan = world_plan(&c.world, &c.spec, PLAN_CAUSE_COMMIT);
        }
        arena_fini(&c.arena);
    }
    print_message("created %zu, updated %zu, deleted %zu, adopted %zu, forgotten %zu\n",
                  seen[PLAN_CREATE], seen[PLAN_UPDATE], seen[PLAN_DELETE], seen[PLAN_ADOPT],
                  seen[PLAN_FORGET]);
    assert_true(seen[PLAN_CREATE] > WORLDS && seen[PLAN_UPDATE] > WORLDS / 2);
    assert_true(seen[PLAN_DELETE] > WORLDS / 20 && seen[PLAN_ADOPT] > 2 && seen[PLAN_FORGET] > 5);
}

/* --- order --------------------------------------------------------------------------------------- */

static int names(const struct plan_item *item, struct str id)
{
    size_t slash = str_find_char(id, '/');

    return str_eq(item->kind, str_slice(id, 0, slash)) &&
           str_eq(item->name, str_slice(id, slash + 1, id.n));
}

static int makes(const struct plan_item *item)
{
    return item->lane == LANE_MAIN && (item->action == PLAN_CREATE || item->action == PLAN_UPDATE);
}

/* What is made of a resource comes after what is made of each that it needs. */
static size_t expect_needs_first(struct scene *c, const struct spec_resource *r, uint64_t seed)
{
    const struct plan *p = &c->plan;
    size_t n_checked = 0;

    for (size_t i = 0; i < p->items.n; i++) {
        const struct plan_item *item = &p->items.p[i];
        int is_of = object_is_kind(r->kind)
                        ? str_eq(item->kind, r->kind) && str_eq(item->name, r->name)
                        : str_eq(item->service, r->name) && str_eq_c(item->kind, "instance") &&
                              item->group >= 0;
        unsigned char *marks;

        if (!is_of || !makes(item))
            continue;
        marks = arena_new_n(&c->arena, unsigned char, p->items.n + 1);
        mark_before(p, i, marks);
        for (size_t n = 0; n < r->needs.n; n++)
            for (size_t k = 0; k < p->items.n; k++) {
                if (!makes(&p->items.p[k]) || !names(&p->items.p[k], r->needs.p[n]))
                    continue;
                n_checked++;
                if (!marks[k])
                    fail_msg("seed %d: %.*s does not wait for %.*s", (int)seed, STR_ARG(item->name),
                             STR_ARG(r->needs.p[n]));
            }
    }
    return n_checked;
}

/* What goes, after everything that used it as it is recorded: that goes, or is another one by then. */
static size_t expect_users_first(struct scene *c, size_t gone, uint64_t seed)
{
    const struct plan *p = &c->plan;
    unsigned char *marks = arena_new_n(&c->arena, unsigned char, p->items.n + 1);
    struct str id = str_fmt(&c->arena, "%.*s/%.*s", STR_ARG(p->items.p[gone].kind),
                            STR_ARG(p->items.p[gone].name));
    size_t n_checked = 0;

    mark_before(p, gone, marks);
    for (size_t i = 0; i < c->world.recorded.n; i++) {
        const struct recorded *r = &c->world.recorded.p[i];
        int uses = 0;

        for (size_t n = 0; n < r->n_needs; n++)
            uses |= str_eq(r->needs[n], id);
        for (size_t k = 0; uses && k < p->items.n; k++) {
            const struct plan_item *item = &p->items.p[k];

            if (!str_eq(item->kind, r->kind) || !str_eq(item->name, r->name) ||
                item->action != PLAN_DELETE)
                continue;
            n_checked++;
            if (!marks[k])
                fail_msg("seed %d: %.*s goes before %.*s", (int)seed, STR_ARG(id),
                         STR_ARG(item->name));
        }
    }
    return n_checked;
}

static int is_remade(const struct plan *p, size_t gone)
{
    for (size_t i = 0; i < p->items.n; i++)
        if (p->items.p[i].action == PLAN_CREATE &&
            str_eq(p->items.p[i].kind, p->items.p[gone].kind) &&
            str_eq(p->items.p[i].name, p->items.p[gone].name))
            return 1;
    return 0;
}

static void test_needs_come_first_and_users_go_first(void **state)
{
    size_t n_needs = 0, n_users = 0;

    (void)state;
    for (uint64_t seed = 0; seed < WORLDS; seed++) {
        struct scene c;

        given_scene(&c, seed);
        for (size_t i = 0; i < c.spec.resources.n; i++)
            n_needs += expect_needs_first(&c, &c.spec.resources.p[i], seed);
        for (size_t i = 0; i < c.plan.items.n; i++)
            if (object_is_kind(c.plan.items.p[i].kind) && c.plan.items.p[i].action == PLAN_DELETE &&
                !is_remade(&c.plan, i))
                n_users += expect_users_first(&c, i, seed);
        arena_fini(&c.arena);
    }
    assert_true(n_needs > WORLDS / 4);
    assert_true(n_users > 10);
}

/* --- the same input ------------------------------------------------------------------------------ */

/* The same map, its keys in another order. */
static struct value *permute(struct scene *c, const struct value *v)
{
    struct value *copy;
    size_t n = value_count(v), *order;

    if (!value_is(v, VALUE_MAP) && !value_is(v, VALUE_LIST))
        return value_copy(&c->arena, v);
    order = arena_new_n(&c->arena, size_t, n + 1);
    for (size_t i = 0; i < n; i++) {
        size_t j = value_is(v, VALUE_LIST) ? i : chance_next(&c->chance) % (i + 1);

        order[i] = order[j];
        order[j] = i;
    }
    copy = value_is(v, VALUE_LIST) ? value_list(&c->arena) : value_map(&c->arena);
    for (size_t i = 0; i < n; i++)
        if (value_is(v, VALUE_LIST))
            value_add(&c->arena, copy, permute(c, value_item(v, i)));
        else
            value_set(&c->arena, copy, v->u.map.entries[order[i]].key,
                      permute(c, v->u.map.entries[order[i]].value));
    return copy;
}

static struct str plan_bytes(struct scene *c)
{
    struct plan plan = world_plan(&c->world, &c->spec, PLAN_CAUSE_COMMIT);

    return plan_format(&c->arena, &plan);
}

static void test_the_order_of_keys_changes_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < WORLDS; seed++) {
        struct scene c;
        struct str first;

        given_scene(&c, seed);
        first = plan_bytes(&c);
        for (size_t i = 0; i < c.spec.resources.n; i++)
            c.spec.resources.p[i].desired = permute(&c, c.spec.resources.p[i].desired);
        for (size_t i = 0; i < c.world.recorded.n; i++) {
            struct recorded *r = &c.world.recorded.p[i];

            if (r->seen)
                r->seen = permute(&c, r->seen);
            if (r->desired)
                r->desired = permute(&c, r->desired);
        }
        if (!str_eq(first, plan_bytes(&c)))
            fail_msg("seed %d: other bytes", (int)seed);
        arena_fini(&c.arena);
    }
}

/* --- the read set -------------------------------------------------------------------------------- */

static const struct spec_resource *find_wanted(const struct scene *c, const struct recorded *r)
{
    for (size_t i = 0; i < c->spec.resources.n; i++)
        if (str_eq(c->spec.resources.p[i].kind, r->kind) &&
            str_eq(c->spec.resources.p[i].name, r->name))
            return &c->spec.resources.p[i];
    return NULL;
}

static int is_renamed(const struct scene *c, const struct recorded *r)
{
    for (size_t i = 0; i < c->spec.resources.n; i++)
        if (str_eq(c->spec.resources.p[i].kind, r->kind) &&
            str_eq(c->spec.resources.p[i].moved_from, r->name))
            return 1;
    return 0;
}

static int has_read(const struct plan *p, struct str subject, struct str path)
{
    for (size_t i = 0; i < p->reads.n; i++)
        if (str_eq(p->reads.p[i].subject, subject) && str_eq(p->reads.p[i].path, path))
            return 1;
    return 0;
}

/* Another value of a field supersedes where it was read or makes another plan; one that is only reported, or
 * not known to anybody, does not. */
static void expect_superseded(struct scene *c, struct recorded *r, size_t *n_moved, size_t *n_still,
                              uint64_t seed)
{
    const struct spec_resource *want = find_wanted(c, r);
    const struct value *seen = r->seen;
    struct str id = str_fmt(&c->arena, "%.*s/%.*s", STR_ARG(r->kind), STR_ARG(r->name));
    int is_read = has_read(&c->plan, id, S("observed.storage"));
    enum drift_mode mode = want ? object_mode(want->drift, S("storage")) : DRIFT_IGNORE;
    struct plan after;

    if (!seen || !value_get(seen, S("storage")) || r->memory || is_renamed(c, r))
        return;
    r->seen = object_with(&c->arena, seen, S("storage"), value_text(&c->arena, S("99")));
    after = world_plan(&c->world, &c->spec, PLAN_CAUSE_COMMIT);
    if (is_read && digest_eq(&after.id, &c->plan.id))
        fail_msg("seed %d: %.*s moved and the plan did not", (int)seed, STR_ARG(id));
    if ((mode == DRIFT_REPORT || mode == DRIFT_IGNORE) && !digest_eq(&after.id, &c->plan.id))
        fail_msg("seed %d: %.*s is only reported", (int)seed, STR_ARG(id));
    *n_moved += (size_t)is_read;
    *n_still += mode == DRIFT_REPORT || mode == DRIFT_IGNORE;
    r->seen = object_with(&c->arena, seen, S("uptime"), value_text(&c->arena, S("5")));
    after = world_plan(&c->world, &c->spec, PLAN_CAUSE_COMMIT);
    assert_true(digest_eq(&after.id, &c->plan.id));
    r->seen = seen;
}

static void test_what_was_read_supersedes_and_nothing_else(void **state)
{
    size_t n_moved = 0, n_still = 0;

    (void)state;
    for (uint64_t seed = 0; seed < WORLDS; seed++) {
        struct scene c;

        given_scene(&c, seed);
        for (size_t i = 0; i < c.world.recorded.n; i++)
            if (object_is_kind(c.world.recorded.p[i].kind))
                expect_superseded(&c, &c.world.recorded.p[i], &n_moved, &n_still, seed);
        arena_fini(&c.arena);
    }
    assert_true(n_moved > WORLDS / 20);
    assert_true(n_still > WORLDS / 20);
}

/* --- repairs ------------------------------------------------------------------------------------- */

/* A plan of drift leads to what is recorded, and makes and takes away nothing else. */
static void test_drift_is_made_as_it_was(void **state)
{
    size_t n_repaired = 0;

    (void)state;
    for (uint64_t seed = 0; seed < WORLDS; seed++) {
        struct scene c;
        struct plan repair;

        given_scene(&c, seed);
        while (!plan_is_empty(&c.plan)) {
            world_apply(&c.world, &c.plan, TAIL_RUNS);
            c.plan = world_plan(&c.world, &c.spec, PLAN_CAUSE_COMMIT);
        }
        for (size_t i = 0; i < c.world.recorded.n; i++)
            if (object_is_kind(c.world.recorded.p[i].kind) && chance_of(&c.chance, 50) &&
                c.world.recorded.p[i].seen)
                given_drift(&c.world, &c.chance, &c.world.recorded.p[i]);
        repair = world_plan(&c.world, &c.spec, PLAN_CAUSE_DRIFT);
        assert_true(digest_eq(&repair.target, &c.plan.target));
        assert_int_equal(repair.groups.n + count_items(&repair, PLAN_DELETE) +
                             count_items(&repair, PLAN_FORGET),
                         0);
        n_repaired += !plan_is_empty(&repair);
        if (!plan_is_empty(&repair))
            world_apply(&c.world, &repair, TAIL_RUNS);
        repair = world_plan(&c.world, &c.spec, PLAN_CAUSE_DRIFT);
        assert_true(plan_is_empty(&repair));
        arena_fini(&c.arena);
    }
    assert_true(n_repaired > WORLDS / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_applying_converges_and_no_id_comes_again),
        cmocka_unit_test(test_needs_come_first_and_users_go_first),
        cmocka_unit_test(test_the_order_of_keys_changes_nothing),
        cmocka_unit_test(test_what_was_read_supersedes_and_nothing_else),
        cmocka_unit_test(test_drift_is_made_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
