/* sim/objects: databases and redis of the shop, told in virtual time. SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "tests/sim/story_data.h"

static void a_database_is_made_and_changed(struct story *s)
{
    given_data(s);
    expect_shows(s, "main", "\"storage\":10737418240");
    s->shop.data = DATA_20;
    push(s);
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    expect_shows(s, "main", "\"storage\":21474836480");
}

static int is_drifted(struct story *s, const char *name)
{
    char path[600];
    struct rec_resource row = row_of(s, "database", name);

    (void)snprintf(path, sizeof(path), "%.*s/%.*s.drift", STR_ARG(s->w.box->store.directory),
                   STR_ARG(row.provider_id));
    return !access(path, F_OK);
}

static int64_t count_switches(struct story *s)
{
    return count(s, "operation.verified");
}

static void its_password_lies_nowhere(struct story *s)
{
    given_data(s);
    assert_true(password_of(s, "main").n > 12);
    expect_nowhere(s, password_of(s, "main"));
    world_stop(&s->w);
    world_run(&s->w, SECOND);
    expect_nowhere(s, password_of(s, "main"));
}

static void a_changed_output_rolls_who_uses_it(struct story *s)
{
    int64_t n;

    given_data(s);
    n = count(s, "rollout.began");
    given_drift(s, "main",
                "{\"observed\":{\"storage\":1},\"outputs\":{\"url\":\"postgresql://elsewhere\"},"
                "\"stays\":true}");
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    assert_true(str_find(row_of(s, "database", "main").outputs, S("\"v\":2")) != STR_NPOS);
    assert_true(count(s, "rollout.began") > n);
}

static void what_drifts_is_made_as_it_was(struct story *s)
{
    given_data(s);
    given_drift(s, "main", "{\"observed\":{\"storage\":1}}");
    run(s, MINUTE);
    assert_false(is_drifted(s, "main"));
    assert_int_equal(count(s, "resource.drift"), 1); /* it was found */
    expect_status(s, "in_sync: ");
}

static void what_drifts_again_is_told_and_left(struct story *s)
{
    int64_t n;

    given_data(s);
    given_drift(s, "main", "{\"observed\":{\"storage\":1},\"stays\":true}");
    run(s, 2 * MINUTE);
    n = count_switches(s);
    run(s, 5 * MINUTE);
    assert_int_equal(count_switches(s), n);
    expect_status(s, "in_sync: ");
    assert_true(str_find(row_of(s, "database", "main").drift, S("unstable")) != STR_NPOS);
}

static void approve_all(struct story *s)
{
    struct rec_plan *rows;
    struct err err = ERR_INIT;
    size_t n;

    if (DB_SELECT(world_reader(&s->w), &s->w.arena, plan, "WHERE state = 'waiting'", &rows, &n,
                  &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < n; i++)
        decide(s, COMMAND_APPROVE, digest_hex(&s->w.arena, &rows[i].id));
}

static void what_is_reported_is_told_once(struct story *s)
{
    given_data(s);
    s->shop.settings = "reconcile: {interval: 20s, drift: {default: report}}\n";
    push(s);
    run(s, MINUTE);
    expect_status(s, "waiting: class weaken");
    approve_all(s);
    run(s, MINUTE);
    given_drift(s, "main", "{\"observed\":{\"storage\":1}}");
    run(s, 3 * MINUTE);
    assert_true(is_drifted(s, "main"));
    assert_int_equal(count(s, "resource.drift"), 1);
    expect_status(s, "in_sync: ");
}

static void a_held_environment_only_says_so(struct story *s)
{
    given_data(s);
    say(s, COMMAND_HOLD);
    run(s, SECOND);
    given_drift(s, "main", "{\"observed\":{\"storage\":1}}");
    run(s, MINUTE);
    assert_true(is_drifted(s, "main"));
    expect_status(s, "held: ");
    say(s, COMMAND_RESUME);
    run(s, MINUTE);
    assert_false(is_drifted(s, "main"));
    expect_status(s, "in_sync: ");
}

static void without_its_block_the_data_stays(struct story *s)
{
    struct str id;

    given_data(s);
    id = row_of(s, "database", "main").provider_id;
    s->shop.data = s->shop.uses = NULL;
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_row(s, "database", "main", "kept");
    assert_non_null(world_find(&s->w, id));
    s->shop.data = DATA_20;
    push(s);
    run(s, MINUTE);
    expect_row(s, "database", "main", "ready");
    expect_shows(s, "main", "\"storage\":21474836480");
    assert_true(str_eq(row_of(s, "database", "main").provider_id, id));
}

static void after_the_guard_was_lifted_a_person_is_asked(struct story *s)
{
    struct str id;

    given_data(s);
    id = row_of(s, "database", "main").provider_id;
    s->shop.data = "databases:\n  main: {engine: postgres, version: \">=15\", storage: 10G, "
                   "deletion_policy: delete}\n";
    push(s);
    run(s, MINUTE);
    expect_status(s, "waiting: class weaken");
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    s->shop.data = s->shop.uses = NULL;
    push(s);
    run(s, MINUTE);
    expect_status(s, "waiting: class destroy");
    assert_non_null(world_find(&s->w, id));
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_row(s, "database", "main", "gone");
    assert_null(world_find(&s->w, id));
}

static void a_renamed_one_is_the_same(struct story *s)
{
    int64_t number;

    given_data(s);
    number = world_find(&s->w, row_of(s, "database", "main").provider_id)->number;
    s->shop.data = "databases:\n  primary: {engine: postgres, version: \">=15\", storage: 10G, "
                   "moved: main}\n";
    s->shop.uses = "DATABASE_URL: {database: primary, key: url}";
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_row(s, "database", "main", "gone");
    expect_row(s, "database", "primary", "ready");
    assert_int_equal(world_find(&s->w, row_of(s, "database", "primary").provider_id)->number,
                     number);
    assert_int_equal(count(s, "operation.ended"), 0); /* at once */
}

/* The set that stays when the rollout fails knows the name that the database had. */
static void who_knows_the_old_name_is_made_again(struct story *s)
{
    uint64_t one = 0;
    int64_t n;

    given_data(s);
    s->shop.data = "databases:\n  primary: {engine: postgres, version: \">=15\", storage: 10G, "
                   "moved: main}\n";
    s->shop.uses = "DATABASE_URL: {database: primary, key: url}";
    change(s, SHOP_API, 1);
    push(s);
    run(s, 3 * MINUTE);
    expect_status(s, "reverted: ");
    expect_row(s, "database", "primary", "ready");
    n = count_users(s, "database/main#url", &one);
    assert_true(n > 0);
    assert_true(world_lose_instance(&s->w, one));
    assert_int_equal(count_users(s, "database/main#url", &one), n - 1);
    run(s, 3 * MINUTE);
    assert_int_equal(count_users(s, "database/main#url", &one), n);
}

static void a_rename_that_fails_leaves_the_name(struct story *s)
{
    struct str id;
    int64_t n;

    given_data(s);
    n = count_databases(s);
    id = row_of(s, "database", "main").provider_id;
    world_fault(&s->w, (struct null_fault){ .type = S("database"),
                                            .action = S("adopt"),
                                            .call = S("apply"),
                                            .name = S(""),
                                            .nth = 1,
                                            .kind = NULL_FAULT_BEFORE,
                                            .verdict = RV_USER,
                                            .acted = RV_ACTED_NO });
    s->shop.data = "databases:\n  primary: {engine: postgres, version: \">=15\", storage: 10G, "
                   "moved: main}\n";
    s->shop.uses = "DATABASE_URL: {database: primary, key: url}";
    push(s);
    run(s, 3 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_row(s, "database", "main", "gone");
    expect_row(s, "database", "primary", "ready");
    assert_null(world_find(&s->w, id)); /* its label is that of the new name */
    assert_int_equal(count_databases(s), n);
}

/* The way back of a group leaves what was done to the database. */
static void a_failed_rollout_leaves_the_database(struct story *s)
{
    struct rec_plan *rows;
    struct err err = ERR_INIT;
    size_t n;

    given_data(s);
    s->shop.data = DATA_20;
    change(s, SHOP_API, 1);
    push(s);
    run(s, 3 * MINUTE);
    expect_status(s, "reverted: ");
    expect_shows(s, "main", "\"storage\":21474836480");
    expect_row(s, "database", "main", "ready");
    assert_int_equal(DB_SELECT(world_reader(&s->w), &s->w.arena, plan, "WHERE state = 'reverted'",
                               &rows, &n, &err),
                     0);
    assert_true(n &&
                str_find(rows[0].reason, S("done and stays: update of database/main")) != STR_NPOS);
}

static void it_dies_while_a_database_is_made(struct story *s)
{
    static const enum crash_point points[] = { CRASH_OP_BEFORE_INTENT, CRASH_OP_AFTER_INTENT,
                                               CRASH_OP_AFTER_ACT, CRASH_OP_AFTER_SETTLED,
                                               CRASH_OP_AFTER_PROVE };
    char text[512];

    given_data(s);
    for (size_t i = 0; i < N_ELEMENTS(points); i++) {
        (void)snprintf(text, sizeof(text),
                       "databases:\n  main: {engine: postgres, version: \">=15\", storage: %zuG}\n"
                       "  extra%zu: {engine: postgres, version: \">=15\", storage: 1G}\n",
                       30 + i, i);
        s->shop.data = text;
        world_die(&s->w, points[i], 1, 2);
        push(s);
        run(s, 2 * MINUTE);
        assert_true(s->w.died[points[i]] > 0);
        expect_status(s, "in_sync: ");
        (void)snprintf(text, sizeof(text), "extra%zu", i);
        expect_row(s, "database", text, "ready");
    }
}

int main(void)
{
    static struct story_row rows[] = {
        STORY(a_database_is_made_and_changed),
        STORY(its_password_lies_nowhere),
        STORY(a_changed_output_rolls_who_uses_it),
        STORY(what_drifts_is_made_as_it_was),
        STORY(what_drifts_again_is_told_and_left),
        STORY(what_is_reported_is_told_once),
        STORY(a_held_environment_only_says_so),
        STORY(without_its_block_the_data_stays),
        STORY(after_the_guard_was_lifted_a_person_is_asked),
        STORY(a_renamed_one_is_the_same),
        STORY(who_knows_the_old_name_is_made_again),
        STORY(a_rename_that_fails_leaves_the_name),
        STORY(a_failed_rollout_leaves_the_database),
        STORY(it_dies_while_a_database_is_made),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
