/* sim/holders: whose a database is: let go, taken over, found again without the state. SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/story_data.h"

static struct str loose_id(struct story *s)
{
    struct world_walk walk = { 0 };

    for (struct null_object *o = world_next(&s->w, &walk); o; o = world_next(&s->w, &walk))
        if (str_starts(o->owner, S("loose")))
            return str_copy(&s->w.arena, o->owner);
    return S("");
}

static void one_that_the_document_forgets_stays(struct story *s)
{
    int64_t n = 0, number;
    struct world_walk walk = { 0 };

    given_data(s);
    number = world_find(&s->w, row_of(s, "database", "main").provider_id)->number;
    s->shop.data = s->shop.uses = NULL;
    s->shop.settings = "reconcile: {interval: 20s}\nforget: [database/main]\n";
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_row(s, "database", "main", "gone");
    for (struct null_object *o = world_next(&s->w, &walk); o; o = world_next(&s->w, &walk))
        n += o->number == number && str_starts(o->owner, S("loose"));
    assert_int_equal(n, 1);
}

/* Kept without its block, let go by a word, and taken over again under its id. */
static void one_that_a_person_lets_go_may_come_back(struct story *s)
{
    struct str id;

    given_data(s);
    s->shop.data = s->shop.uses = NULL;
    push(s);
    run(s, 2 * MINUTE);
    expect_row(s, "database", "main", "kept");
    say_of(s, COMMAND_FORGET, "database/main", S(""));
    run(s, MINUTE);
    expect_row(s, "database", "main", "gone");
    id = loose_id(s);
    assert_true(id.n > 0);

    s->shop.data = DATA_20;
    say_of(s, COMMAND_ADOPT, "database/main", id);
    run(s, SECOND);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_row(s, "database", "main", "ready");
    assert_int_equal(loose_id(s).n, 0);
    expect_shows(s, "main", "\"storage\":21474836480");
    assert_int_equal(s->done, 2);
}

static void what_nobody_asks_for_is_not_taken(struct story *s)
{
    given_data(s);
    say_of(s, COMMAND_ADOPT, "database/main", S("loose7")); /* refused: it is there */
    say_of(s, COMMAND_ADOPT, "database/other", S("loose7"));
    run(s, 2 * MINUTE);
    assert_int_equal(s->done, 1);
    expect_row(s, "database", "other", "adopting");
    expect_status(s, "in_sync: ");
    say_of(s, COMMAND_FORGET, "database/other", S(""));
    run(s, MINUTE);
    expect_row(s, "database", "other", "gone");
}

/* No empty one is made in the place of that a person meant, and nobody's goes when nothing is asked for any more. */
static void what_cannot_be_taken_stays_named(struct story *s)
{
    struct str id;
    int64_t n;

    given_data(s);
    n = count_databases(s);
    s->shop.data = s->shop.uses = NULL;
    push(s);
    run(s, 2 * MINUTE);
    say_of(s, COMMAND_FORGET, "database/main", S(""));
    run(s, MINUTE);
    id = loose_id(s);

    s->shop.data = DATA_20;
    say_of(s, COMMAND_ADOPT, "database/main", S("nowhere"));
    run(s, SECOND);
    push(s);
    run(s, 2 * MINUTE);
    expect_row(s, "database", "main", "adopting");
    assert_int_equal(count_databases(s), n);
    s->shop.data = NULL;
    push(s);
    run(s, 2 * MINUTE);
    expect_row(s, "database", "main", "adopting");
    expect_status(s, "in_sync: ");

    s->shop.data = DATA_20;
    say_of(s, COMMAND_ADOPT, "database/main", id);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_row(s, "database", "main", "ready");
    assert_int_equal(count_databases(s), n);
}

#define STRANGER "rv1aaaaaaaaaaaaaaaaaaaaaaaaaa"

/* In the same account, with the label of somebody else. */
static void given_strangers(struct story *s, struct str installation, struct str env_uid)
{
    struct null_object *o = null_store_put(&s->w.box->store, S(STRANGER));
    struct arena *a = &s->w.arena;

    assert_non_null(o);
    assert_false(null_object_set(o, &o->key, S("")) ||
                 null_object_set(o, &o->type, S("database")) ||
                 null_object_set(o, &o->name, S("main")) ||
                 null_object_set(o, &o->desired,
                                 str_fmt(a,
                                         "{\"label\":{\"installation\":\"%.*s\",\"env\":\"theirs\","
                                         "\"env_uid\":\"%.*s\",\"resource\":\"database/main\","
                                         "\"incarnation\":1},\"storage\":1}",
                                         STR_ARG(installation), STR_ARG(env_uid))));
    MUST(null_store_keep(&s->w.box->store, o, err));
}

/* The null driver would give it to anybody. */
static void expect_not_taken(struct story *s, struct str installation, struct str env_uid)
{
    s->shop.data = s->shop.uses = NULL;
    push(s);
    run(s, 2 * MINUTE);
    say_of(s, COMMAND_FORGET, "database/main", S(""));
    run(s, MINUTE);
    given_strangers(s, installation, env_uid);

    s->shop.data = DATA_20;
    say_of(s, COMMAND_ADOPT, "database/main", S(STRANGER));
    run(s, SECOND);
    push(s);
    run(s, 2 * MINUTE);
    expect_row(s, "database", "main", "adopting");
    assert_non_null(world_find(&s->w, S(STRANGER)));
    expect_status(s, "failed: '" STRANGER "' is not taken over: it belongs to "
                     "'database/main' of environment 'theirs'");
    MUST(null_store_drop(&s->w.box->store, S(STRANGER), err)); /* by the other one */
}

static void what_is_another_installations_is_not_taken(struct story *s)
{
    given_data(s);
    expect_not_taken(s, S("another"), row_of(s, "database", "main").env);
}

static void what_is_another_environments_is_not_taken(struct story *s)
{
    given_data(s);
    expect_not_taken(s, s->w.engine->installation, S("another"));
}

static void lose_and_recover(struct story *s)
{
    const char *broken;
    int done;

    world_stop(&s->w);
    world_lose_database(&s->w, WORLD_LOSES_ALL);
    broken = world_recover(&s->w, N_CRASH_POINTS, &done);
    if (broken)
        fail_msg("%s", broken);
    assert_int_equal(done, 1);
}

/* Labels are all that is left of it: nothing is made twice, nothing goes, and its data is guarded. */
static void it_is_known_when_the_database_is_lost(struct story *s)
{
    struct rec_resource row;
    struct str id;

    given_data(s);
    id = row_of(s, "database", "main").provider_id;
    lose_and_recover(s);
    run(s, 10 * SECOND);
    expect_row(s, "database", "main", "ready");
    assert_true(str_eq(row_of(s, "database", "main").provider_id, id));
    assert_true(str_eq_c(row_of(s, "database", "main").protect, "retain"));
    expect_nowhere(s, password_of(s, "main"));
    say_of(s, COMMAND_ADOPT, "database/main", S("loose7")); /* refused: it is there */
    run(s, SECOND);
    assert_int_equal(s->done, 0);
    assert_true(str_eq(row_of(s, "database", "main").provider_id, id));
    say(s, COMMAND_RESUME);
    world_say(&s->w, &(struct command){ .verb = COMMAND_RESUME, .env = S("stage"), .as = S("") },
              &s->done);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    assert_int_equal(count(s, "rollout.began"), 0);
    row = row_of(s, "database", "main");
    assert_true(!digest_is_none(&row.desired));
}

static void versions_of_its_outputs_are_in_the_copy(struct story *s)
{
    const char *broken;
    uint64_t one;
    int64_t n;
    int done;

    given_data(s);
    given_drift(s, "main",
                "{\"observed\":{\"storage\":1},\"outputs\":{\"url\":\"postgresql://elsewhere\"},"
                "\"stays\":true}");
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    world_keep_copy(&s->w);
    world_stop(&s->w);
    change(s, SHOP_WEB, 0);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    n = count_users(s, "database/main#url@2", &one);
    assert_true(n > 0);
    world_stop(&s->w);
    world_lose_database(&s->w, WORLD_LOSES_SOME);
    broken = world_recover(&s->w, N_CRASH_POINTS, &done);
    if (broken)
        fail_msg("%s", broken);
    assert_int_equal(done, 1);
    run(s, 10 * SECOND);
    assert_true(str_find(row_of(s, "database", "main").outputs, S("\"v\":2")) != STR_NPOS);
    say(s, COMMAND_RESUME);
    world_say(&s->w, &(struct command){ .verb = COMMAND_RESUME, .env = S("stage"), .as = S("") },
              &s->done);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    assert_int_equal(count_users(s, "database/main#url@2", &one), n);
}

/* Nothing is known of what was asked for, and a change of it fails: it is guarded all the same. */
static void one_that_cannot_be_changed_is_guarded(struct story *s)
{
    struct str id;

    given_data(s);
    id = row_of(s, "database", "main").provider_id;
    lose_and_recover(s);
    world_fault(&s->w, (struct null_fault){ .type = S("database"),
                                            .action = S("update"),
                                            .call = S("apply"),
                                            .name = S(""),
                                            .kind = NULL_FAULT_BEFORE,
                                            .verdict = RV_USER,
                                            .acted = RV_ACTED_NO });
    s->shop.data = DATA_20;
    push(s);
    run(s, 10 * SECOND);
    say(s, COMMAND_RESUME);
    world_say(&s->w, &(struct command){ .verb = COMMAND_RESUME, .env = S("stage"), .as = S("") },
              &s->done);
    run(s, MINUTE);
    expect_row(s, "database", "main", "failed");
    s->shop.data = s->shop.uses = NULL;
    push(s);
    run(s, 3 * MINUTE);
    assert_non_null(world_find(&s->w, id));
    expect_row(s, "database", "main", "kept");
}

int main(void)
{
    static struct story_row rows[] = {
        STORY(one_that_the_document_forgets_stays),
        STORY(one_that_a_person_lets_go_may_come_back),
        STORY(what_nobody_asks_for_is_not_taken),
        STORY(what_cannot_be_taken_stays_named),
        STORY(what_is_another_installations_is_not_taken),
        STORY(what_is_another_environments_is_not_taken),
        STORY(it_is_known_when_the_database_is_lost),
        STORY(versions_of_its_outputs_are_in_the_copy),
        STORY(one_that_cannot_be_changed_is_guarded),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
